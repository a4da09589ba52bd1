//! `generationConfig`: how the answer is chosen, how long it is, its form, and how much the model thinks.

use tollgate_core::Dialect;

use super::decode::{BUDGET, LEVEL, SHOWN, THINKING};
use super::quirks::{Takes, Thinks, level};
use crate::anthropic::quirks::{budget, effort_of_budget};
use crate::chat::write::{Object, object};
use crate::chat::{At, ChatRequest, Output, Thinking};
use crate::loss::Loss;

/// The highest temperature.
const HOTTEST: f64 = 2.0;
/// The most stop sequences.
const MOST_STOPS: usize = 5;
/// The budget that leaves it to the model.
const AS_IT_SEES_FIT: i64 = -1;

/// Writes `generationConfig`, if it says anything.
pub(crate) fn write(
    o: &mut Object<'_>,
    request: &ChatRequest<'_>,
    takes: Takes,
    has_form: bool,
    loss: &mut Loss,
) {
    let mut out = Vec::new();
    object(&mut out, |o| {
        sampling(o, request, loss);
        if has_form {
            form(o, request);
        }
        thinking(o, request, takes, loss);
        write_extra_in(o, request, "generationConfig.");
    });
    if out != b"{}" {
        o.key("generationConfig").append(&mut out);
    }
}

/// Writes what was not understood of the object whose path is `prefix`, for clients of this dialect.
pub(crate) fn write_extra_in(o: &mut Object<'_>, request: &ChatRequest<'_>, prefix: &str) {
    if request.origin != Dialect::Gemini {
        return;
    }
    for (name, value) in &request.extra {
        if let Some(name) = name.strip_prefix(prefix).filter(|_| is_directly_in(name, prefix)) {
            o.raw(name, value);
        }
    }
}

/// Whether a path of `extra` stands in the object of this prefix, and in none inside of it.
fn is_directly_in(path: &str, prefix: &str) -> bool {
    let objects = [
        "generationConfig.thinkingConfig.",
        "generationConfig.",
        "toolConfig.functionCallingConfig.",
        "toolConfig.",
        "",
    ];
    objects.into_iter().find(|object| path.starts_with(object)) == Some(prefix)
}

fn sampling(o: &mut Object<'_>, request: &ChatRequest<'_>, loss: &mut Loss) {
    let sampling = &request.sampling;
    let crosses = request.origin != Dialect::Gemini;
    if let Some(limit) = &sampling.max_output_tokens {
        o.plain("maxOutputTokens", limit.value);
    }
    if let Some(temperature) = sampling.temperature {
        if temperature > HOTTEST && crosses {
            loss.note("temperature");
        }
        o.plain(
            "temperature",
            if crosses {
                temperature.min(HOTTEST)
            } else {
                temperature
            },
        );
    }
    let floats = [
        ("topP", sampling.top_p),
        ("presencePenalty", sampling.presence_penalty),
        ("frequencyPenalty", sampling.frequency_penalty),
    ];
    for (name, value) in floats {
        if let Some(value) = value {
            o.plain(name, value);
        }
    }
    if let Some(top_k) = sampling.top_k {
        o.plain("topK", top_k);
    }
    if let Some(seed) = sampling.seed {
        o.plain("seed", seed);
    }
    match sampling.n {
        // Of a stream that is written anew, the first answer is read.
        Some(2..) if crosses && request.stream => loss.note("n"),
        Some(n) => o.plain("candidateCount", n).end(),
        None => {}
    }
    if let Some(stop) = &sampling.stop {
        let most = if crosses { MOST_STOPS } else { usize::MAX };
        (most..stop.value.len()).for_each(|index| loss.note(format!("{}[{index}]", stop.at)));
        o.array("stopSequences", |a| {
            stop.value.iter().take(most).for_each(|stop| a.text(stop));
        });
    }
    logprobs(o, request, loss);
}

/// Probabilities have no place in answers that are written anew.
fn logprobs(o: &mut Object<'_>, request: &ChatRequest<'_>, loss: &mut Loss) {
    let crosses = request.origin != Dialect::Gemini;
    match request.sampling.logprobs {
        Some(_) if crosses => loss.note("logprobs"),
        Some(asked) => o.plain("responseLogprobs", asked).end(),
        None => {}
    }
    match request.sampling.top_logprobs {
        Some(_) if crosses => loss.note("top_logprobs"),
        Some(count) => o.plain("logprobs", count).end(),
        None => {}
    }
}

/// Writes the form of the answer.
fn form(o: &mut Object<'_>, request: &ChatRequest<'_>) {
    match request.output.as_ref().map(|output| &output.value) {
        None => {}
        Some(Output::Text) => o.text("responseMimeType", "text/plain").end(),
        Some(Output::JsonObject) => o.text("responseMimeType", "application/json").end(),
        Some(Output::JsonSchema { schema, .. }) => {
            o.text("responseMimeType", "application/json")
                .raw("responseJsonSchema", schema);
        }
    }
}

/// `thinkingConfig`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Config<'w> {
    budget: Option<i64>,
    level: Option<&'w str>,
    is_shown: bool,
}

fn thinking(o: &mut Object<'_>, request: &ChatRequest<'_>, takes: Takes, loss: &mut Loss) {
    let config = settle(request, takes, loss);
    let mut out = Vec::new();
    object(&mut out, |o| {
        if let Some(budget) = config.budget {
            o.plain("thinkingBudget", budget);
        }
        if let Some(level) = config.level {
            o.text("thinkingLevel", &level.to_ascii_uppercase());
        }
        if config.is_shown {
            o.plain("includeThoughts", true);
        }
        write_extra_in(o, request, "generationConfig.thinkingConfig.");
    });
    if out != b"{}" {
        o.key("thinkingConfig").append(&mut out);
    }
}

/// How much to think, as the model is told it.
fn settle<'r>(request: &'r ChatRequest<'_>, takes: Takes, loss: &mut Loss) -> Config<'r> {
    let mode = request.reasoning.mode.as_ref();
    let effort = request.reasoning.effort.as_ref();
    let Some(place) = mode.map(|mode| mode.at).or(effort.map(|effort| effort.at)) else {
        return Config::default();
    };
    let word = effort.map(|At { value, .. }| &**value);
    let mode = mode.map(|mode| mode.value);
    let is_own = request.origin == Dialect::Gemini;
    let is_off = mode == Some(Thinking::Off) || (mode.is_none() && word == Some("none"));
    let is_shown = match place {
        THINKING | SHOWN => true,
        BUDGET | LEVEL => false,
        _ => !is_off,
    };
    let said = Config {
        is_shown,
        ..Config::default()
    };
    if place == SHOWN && takes.thinks != Thinks::Never {
        return said;
    }
    match takes.thinks {
        Thinks::Never if is_off => Config::default(),
        Thinks::Never => {
            loss.note(place);
            Config::default()
        }
        // All who think take a budget, if not gladly.
        _ if is_own && mode.is_some() => Config {
            budget: mode.map(tokens),
            level: word.filter(|_| matches!(takes.thinks, Thinks::Level(_))),
            ..said
        },
        Thinks::Budget {
            least,
            most,
            can_be_off,
        } => {
            let wanted = match (mode, word) {
                _ if is_off => Thinking::Off,
                (Some(Thinking::Adaptive) | None, Some(word)) => {
                    Thinking::Budget(budget(word).clamp(least, most))
                }
                (mode, _) => mode.unwrap_or(Thinking::Adaptive),
            };
            let told = match wanted {
                Thinking::Off if !can_be_off => Thinking::Budget(least),
                Thinking::Budget(tokens) => Thinking::Budget(tokens.clamp(least, most)),
                wanted => wanted,
            };
            if told != wanted {
                loss.note(place);
            }
            Config {
                budget: Some(tokens(told)),
                ..said
            }
        }
        Thinks::Level(_) if is_own => Config { level: word, ..said },
        Thinks::Level(levels) => {
            let (wanted, is_said) = match (mode, word) {
                _ if is_off => ("none", true),
                (_, Some(word)) => (word, true),
                (Some(Thinking::Budget(0..=1024)), None) => ("minimal", false),
                (Some(Thinking::Budget(tokens)), None) => (effort_of_budget(tokens), false),
                _ => return said,
            };
            let (level, is_exact) = level(levels, wanted);
            if is_said && !is_exact {
                loss.note(place);
            }
            Config {
                level: Some(level),
                ..said
            }
        }
    }
}

fn tokens(mode: Thinking) -> i64 {
    match mode {
        Thinking::Off => 0,
        Thinking::Budget(tokens) => i64::try_from(tokens).unwrap_or(i64::MAX),
        Thinking::Adaptive => AS_IT_SEES_FIT,
    }
}
