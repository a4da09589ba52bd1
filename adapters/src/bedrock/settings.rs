//! How long, how freely and how thoughtfully a model may answer.
//!
//! For Claude, the rules are those of its own dialect and are settled there. Of the others only Nova has a rule that
//! binds settings to each other: with the highest effort it takes neither a limit nor sampling.

use std::borrow::Cow;

use super::quirks::Thinks;
use super::turns::Way;
use crate::anthropic::quirks::{Takes, effort_of_budget};
use crate::anthropic::settings as claude;
use crate::chat::{ChatRequest, Thinking, Turn};
use crate::egress::Egress;
use crate::loss::Loss;

/// Settings that do not contradict each other.
#[derive(Debug)]
pub(crate) struct Settings<'r> {
    pub(crate) max_tokens: Option<u64>,
    pub(crate) temperature: Option<f64>,
    pub(crate) top_p: Option<f64>,
    pub(crate) top_k: Option<u64>,
    pub(crate) stop: Vec<&'r str>,
    /// `thinking`, for Claude.
    pub(crate) thinking: claude::Thinks,
    /// In the model's own words.
    pub(crate) effort: Option<Cow<'r, str>>,
}

/// Settles the settings of a request with these turns. A request to Claude that was written in this dialect must
/// come as one of its maker's: about thinking, that is what it is written in.
pub(crate) fn settle<'r>(
    request: &'r ChatRequest<'_>,
    turns: &[Turn<'_>],
    egress: &Egress<'_>,
    way: Way,
    loss: &mut Loss,
) -> Settings<'r> {
    let (own, takes) = (way.is_own(), way.takes);
    if let Thinks::Claude(takes) = takes.thinks {
        return of_claude(request, turns, egress, takes, own, loss);
    }
    let sampling = &request.sampling;
    let mut settings = Settings {
        max_tokens: sampling
            .max_output_tokens
            .as_ref()
            .map(|limit| limit.value.max(1)),
        temperature: sampling.temperature.map(|temperature| {
            let clamped = temperature.clamp(0.0, 1.0);
            if (clamped - temperature).abs() > f64::EPSILON {
                loss.note("temperature");
            }
            clamped
        }),
        top_p: sampling.top_p,
        top_k: sampling.top_k.filter(|_| {
            let is_taken = takes.top_k || own;
            if !is_taken {
                loss.note("top_k");
            }
            is_taken
        }),
        stop: stop(request, loss),
        thinking: claude::Thinks::Unsaid,
        effort: None,
    };
    match takes.thinks {
        Thinks::Nova => nova(request, &mut settings, loss),
        Thinks::Effort => settings.effort = effort(request, loss).map(Cow::Borrowed),
        _ if own => unknown(request, &mut settings),
        _ => {
            if thinks(request) {
                loss.note(place(request));
            }
        }
    }
    settings
}

fn of_claude<'r>(
    request: &'r ChatRequest<'_>,
    turns: &[Turn<'_>],
    egress: &Egress<'_>,
    takes: Takes,
    own: bool,
    loss: &mut Loss,
) -> Settings<'r> {
    let settled = claude::settle(request, turns, egress, takes, loss);
    let is_asked = request.sampling.max_output_tokens.is_some();
    let needs_limit = !own && matches!(settled.thinking, claude::Thinks::Budget(_));
    Settings {
        // Unlike Claude's own dialect this one does not demand it; but thoughts that nobody asked for in this dialect
        // must fit into it, whatever it is where nothing is said.
        max_tokens: (is_asked || needs_limit).then_some(settled.max_tokens),
        temperature: settled.temperature,
        top_p: settled.top_p,
        top_k: settled.top_k,
        stop: settled.stop,
        thinking: settled.thinking,
        effort: settled.effort.map(Cow::Borrowed),
    }
}

/// Stop sequences: none may be empty.
fn stop<'r>(request: &'r ChatRequest<'_>, loss: &mut Loss) -> Vec<&'r str> {
    let Some(stop) = &request.sampling.stop else {
        return Vec::new();
    };
    let mut kept = Vec::with_capacity(stop.value.len());
    for (index, text) in stop.value.iter().map(Cow::as_ref).enumerate() {
        if text.is_empty() {
            loss.note(format!("{}[{index}]", stop.at));
        } else {
            kept.push(text);
        }
    }
    kept
}

/// Where the client said how much to think.
fn place(request: &ChatRequest<'_>) -> &'static str {
    let mode = request.reasoning.mode.as_ref().map(|mode| mode.at);
    let effort = request.reasoning.effort.as_ref().map(|effort| effort.at);
    mode.or(effort).unwrap_or("thinking")
}

fn thinks(request: &ChatRequest<'_>) -> bool {
    let mode = request.reasoning.mode.as_ref().map(|mode| mode.value);
    let effort = request.reasoning.effort.as_ref().map(|effort| &*effort.value);
    match (mode, effort) {
        (Some(Thinking::Off), _) | (None, None | Some("none")) => false,
        (Some(_), _) | (None, Some(_)) => true,
    }
}

/// An effort of `low`, `medium`, `high`. `None`: nothing was said, or not to think at all.
fn wanted(request: &ChatRequest<'_>) -> Option<&'static str> {
    if !thinks(request) {
        return None;
    }
    let mode = request.reasoning.mode.as_ref().map(|mode| mode.value);
    let effort = request.reasoning.effort.as_ref().map(|effort| &*effort.value);
    Some(match (effort, mode) {
        (Some("none" | "minimal" | "low"), _) => "low",
        (Some("medium"), _) => "medium",
        (Some(_), _) => "high",
        (None, Some(Thinking::Budget(tokens))) => effort_of_budget(tokens),
        (None, _) => "medium",
    })
}

/// For models that always think.
fn effort(request: &ChatRequest<'_>, loss: &mut Loss) -> Option<&'static str> {
    let wanted = wanted(request);
    let is_said = request.reasoning.mode.is_some() || request.reasoning.effort.is_some();
    if is_said && wanted.is_none() {
        loss.note(place(request));
    }
    wanted
}

fn nova(request: &ChatRequest<'_>, settings: &mut Settings<'_>, loss: &mut Loss) {
    let mut wanted = wanted(request);
    if wanted == Some("high") {
        if settings.max_tokens.is_some() {
            // The limit is what the client will see kept.
            loss.note(place(request));
            wanted = Some("medium");
        } else {
            let given = [
                ("temperature", settings.temperature.take().is_some()),
                ("top_p", settings.top_p.take().is_some()),
                ("top_k", settings.top_k.take().is_some()),
            ];
            for (name, _) in given.into_iter().filter(|(_, given)| *given) {
                loss.note(name);
            }
        }
    }
    settings.effort = wanted.map(Cow::Borrowed);
}

/// What a client of this dialect says to a model of which nothing is known goes out as it is.
fn unknown<'r>(request: &'r ChatRequest<'_>, settings: &mut Settings<'r>) {
    let effort = request.reasoning.effort.as_ref();
    settings.effort = effort.map(|effort| Cow::Borrowed(&*effort.value));
    settings.thinking = match request.reasoning.mode.as_ref().map(|mode| mode.value) {
        None => claude::Thinks::Unsaid,
        Some(Thinking::Off) => claude::Thinks::Off,
        Some(Thinking::Budget(tokens)) => claude::Thinks::Budget(tokens),
        Some(Thinking::Adaptive) => claude::Thinks::Adaptive,
    };
}
