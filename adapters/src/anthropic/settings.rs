//! How long and how freely Claude may answer: settings that depend on each other, settled in one place.
//!
//! Rules of the dialect: `max_tokens` must be given; a thinking budget is at least 1024 and less than
//! `max_tokens`; with thinking on, `temperature` must be 1, `top_p` at least 0.95, `top_k` absent, and no tool
//! may be forced; a tool loop that began without thinking cannot go on with it. Where wishes collide, what
//! changes the answer's form (a forced tool, the limit) wins over thinking, and thinking over sampling.

use std::borrow::Cow;

use tollgate_core::Dialect;

use super::quirks::{self, Takes};
use crate::chat::{ChatRequest, Kind, Role, Thinking, ToolChoice, Turn};
use crate::egress::Egress;
use crate::loss::Loss;

/// `max_tokens` where neither the client nor the catalogue names a limit.
const DEFAULT_MAX_TOKENS: u64 = 4096;
/// The smallest budget that is taken.
const LEAST_BUDGET: u64 = 1024;
/// The smallest `top_p` that is taken beside thinking.
const LEAST_TOP_P: f64 = 0.95;

/// Settings that do not contradict each other.
#[derive(Debug)]
pub(crate) struct Settings<'r> {
    pub(crate) max_tokens: u64,
    pub(crate) thinking: Thinks,
    /// `output_config.effort`.
    pub(crate) effort: Option<&'static str>,
    pub(crate) temperature: Option<f64>,
    pub(crate) top_p: Option<f64>,
    pub(crate) top_k: Option<u64>,
    pub(crate) stop: Vec<&'r str>,
}

/// `thinking`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thinks {
    Unsaid,
    Off,
    Budget(u64),
    Adaptive,
}

/// Settles the settings of a request with these turns.
pub(crate) fn settle<'r>(
    request: &'r ChatRequest<'_>,
    turns: &[Turn<'_>],
    egress: &Egress<'_>,
    takes: Takes,
    loss: &mut Loss,
) -> Settings<'r> {
    let wanted = thinking(request, turns, takes, loss);
    let (max_tokens, thinking) = limits(request, egress, wanted);
    let mut settings = Settings {
        max_tokens,
        thinking,
        effort: effort(request, egress.model, takes),
        temperature: None,
        top_p: None,
        top_k: None,
        stop: stop(request, loss),
    };
    sampling(request, takes, loss, &mut settings);
    settings
}

/// Where the client said how much to think.
fn place(request: &ChatRequest<'_>) -> Option<&'static str> {
    let mode = request.reasoning.mode.as_ref().map(|mode| mode.at);
    mode.or(request.reasoning.effort.as_ref().map(|effort| effort.at))
}

fn thinking(request: &ChatRequest<'_>, turns: &[Turn<'_>], takes: Takes, loss: &mut Loss) -> Thinks {
    let effort = request.reasoning.effort.as_ref().map(|effort| &*effort.value);
    // In Anthropic's own dialect, effort alone does not switch thinking on.
    let switches = request.origin != Dialect::Anthropic;
    let mode = request.reasoning.mode.as_ref().map(|mode| mode.value);
    let refuses_budget = takes.adaptive && !takes.sampling;
    let wanted = match (mode, effort) {
        (Some(Thinking::Off), _) | (None, Some("none")) if request.origin == Dialect::Anthropic => {
            Thinks::Off
        }
        (Some(Thinking::Off), _) | (None, Some("none") | None) => return Thinks::Unsaid,
        (None, Some(_)) if !switches => {
            if !takes.adaptive {
                loss.note(place(request).unwrap_or("output_config.effort"));
            }
            return Thinks::Unsaid;
        }
        (Some(Thinking::Budget(tokens)), _) if !refuses_budget => Thinks::Budget(tokens.max(LEAST_BUDGET)),
        _ if takes.adaptive => Thinks::Adaptive,
        (_, effort) => Thinks::Budget(quirks::budget(effort.unwrap_or("high"))),
    };
    let forced = request
        .tool_choice
        .as_ref()
        .is_some_and(|choice| matches!(choice.value, ToolChoice::Required | ToolChoice::Tool(_)));
    let forced = forced && !request.tools.is_empty();
    let is_stuck = matches!(wanted, Thinks::Budget(_)) && began_without_thinking(turns);
    if wanted != Thinks::Off && (!takes.thinking || forced || is_stuck) {
        loss.note(place(request).unwrap_or("thinking"));
        return Thinks::Unsaid;
    }
    wanted
}

/// Whether the conversation ends with results of calls that were made without thinking.
fn began_without_thinking(turns: &[Turn<'_>]) -> bool {
    let [.., assistant, user] = turns else {
        return false;
    };
    let has_results = user.role == Role::User
        && user
            .parts
            .iter()
            .any(|part| matches!(part.kind, Kind::ToolResult { .. }));
    let first = assistant.parts.first().map(|part| &part.kind);
    has_results && !matches!(first, Some(Kind::Thinking { .. } | Kind::RedactedThinking(_)))
}

/// `max_tokens`, and a budget that fits into it: the budget gives way as far as it may, then the limit.
fn limits(request: &ChatRequest<'_>, egress: &Egress<'_>, wanted: Thinks) -> (u64, Thinks) {
    let asked = request
        .sampling
        .max_output_tokens
        .as_ref()
        .map(|limit| limit.value.max(1));
    let most = egress.max_output_tokens.map(u64::from);
    let Thinks::Budget(budget) = wanted else {
        let effort = request
            .reasoning
            .effort
            .as_ref()
            .map_or("high", |effort| &effort.value);
        let thoughts = match wanted {
            Thinks::Adaptive => quirks::budget(effort),
            _ => 0,
        };
        return (asked.or(most).unwrap_or(DEFAULT_MAX_TOKENS + thoughts), wanted);
    };
    let max_tokens = match asked {
        Some(asked) if asked > LEAST_BUDGET => asked,
        // Too small for any thinking: it is taken for the answer alone.
        Some(asked) => asked.saturating_add(LEAST_BUDGET),
        None => {
            let enough = budget.saturating_add(DEFAULT_MAX_TOKENS);
            most.map_or(enough, |most| most.max(LEAST_BUDGET + 1))
        }
    };
    if budget < max_tokens {
        return (max_tokens, wanted);
    }
    let room = max_tokens - (max_tokens / 5).max(1);
    (
        max_tokens,
        Thinks::Budget(room.clamp(LEAST_BUDGET, max_tokens - 1)),
    )
}

fn effort(request: &ChatRequest<'_>, model: &str, takes: Takes) -> Option<&'static str> {
    if !takes.adaptive {
        return None;
    }
    let effort = request.reasoning.effort.as_ref();
    let budget = match request.reasoning.mode.as_ref().map(|mode| mode.value) {
        Some(Thinking::Budget(tokens)) if !takes.sampling => Some(quirks::effort_of_budget(tokens)),
        _ => None,
    };
    effort
        .and_then(|effort| quirks::effort(model, &effort.value))
        .or(budget)
}

fn stop<'r>(request: &'r ChatRequest<'_>, loss: &mut Loss) -> Vec<&'r str> {
    let Some(stop) = &request.sampling.stop else {
        return Vec::new();
    };
    let mut kept = Vec::with_capacity(stop.value.len());
    for (index, text) in stop.value.iter().map(Cow::as_ref).enumerate() {
        if text.trim().is_empty() {
            loss.note(format!("{}[{index}]", stop.at));
        } else {
            kept.push(text);
        }
    }
    kept
}

fn sampling(request: &ChatRequest<'_>, takes: Takes, loss: &mut Loss, settings: &mut Settings<'_>) {
    let asked = &request.sampling;
    let thinks = matches!(settings.thinking, Thinks::Budget(_) | Thinks::Adaptive);
    let mut keep = |name: &'static str, is_taken: bool| {
        if !is_taken {
            loss.note(name);
        }
        is_taken
    };
    if let Some(temperature) = asked.temperature {
        let clamped = temperature.clamp(0.0, 1.0);
        let is_one = (temperature - 1.0).abs() < f64::EPSILON;
        if is_one && (thinks || !takes.sampling) {
            // The default, said aloud.
        } else if keep("temperature", takes.sampling && !thinks) {
            // Kept, but not as it was.
            keep("temperature", (0.0..=1.0).contains(&temperature));
            settings.temperature = Some(clamped);
        }
    }
    if let Some(top_p) = asked.top_p {
        let alone = takes.both_samplings || settings.temperature.is_none();
        let is_one = (top_p - 1.0).abs() < f64::EPSILON;
        if is_one && (!takes.sampling || !alone) {
            // The default, said aloud.
        } else if keep(
            "top_p",
            takes.sampling && alone && !(thinks && top_p < LEAST_TOP_P),
        ) {
            settings.top_p = Some(top_p);
        }
    }
    if let Some(top_k) = asked.top_k
        && keep("top_k", takes.sampling && !thinks)
    {
        settings.top_k = Some(top_k);
    }
}
