//! The canonical model, written as a Converse request.
//!
//! What the dialect insists on is mended in `turns` and `tools`, what the model takes decided in `quirks` and
//! `settings`; only what has no place at all goes into the loss. Model and streaming are said by the URL.

use tollgate_core::{Dialect, Refusal};

use super::quirks::{LONGEST_NAME, Takes, Thinks, takes};
use super::settings::{self, Settings};
use super::tools::{self, Tools};
use super::turns::{self, Way};
use super::{additional, decode};
use crate::anthropic::settings as claude;
use crate::chat::names::{Renamed, legal};
use crate::chat::schema::{JSON_HINT, json_hint};
use crate::chat::tier::Tier;
use crate::chat::write::Object;
use crate::chat::write::{object, text};
use crate::chat::{ChatRequest, Extra, Output, lose_extra};
use crate::egress::Egress;
use crate::loss::Loss;

/// Where Claude tells which stop sequence came up: it does so only if it is asked for.
const STOP_PATHS: &str = r#"["/stop_sequence","/delta/stop_sequence"]"#;

/// Writes a request; names that had to be changed are in the second value.
///
/// # Errors
/// More than one answer cannot be asked for.
pub(crate) fn request(
    mut request: ChatRequest<'_>,
    egress: &Egress<'_>,
    loss: &mut Loss,
) -> Result<(Vec<u8>, Renamed), Refusal> {
    request.asks_for_one()?;
    let way = Way {
        origin: request.origin,
        takes: takes(egress.model),
    };
    lose_what_has_no_place(&request, loss);
    let hint = format_hint(&request, way.takes, loss);
    let conversation = turns::prepare(std::mem::take(&mut request.turns), hint, way, loss);
    let extra = std::mem::take(&mut request.extra);
    let kept = if way.is_own() { extra } else { Extra::new() };
    let mut renamed = Renamed::default();
    if way.is_own() && matches!(way.takes.thinks, Thinks::Claude(_)) {
        request.origin = Dialect::Anthropic;
    }
    let settings = settings::settle(&request, &conversation.turns, egress, way, loss);
    let tools = tools::settle(&request, &conversation.turns, way, &mut renamed, loss);
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |o| {
        turns::write(o, &conversation, way.origin);
        write_inference(o, &settings, &kept);
        tools.write(o, &kept, way, loss);
        write_additional(o, &settings, &tools, &kept, way.takes);
        write_output(o, &request, &kept, way);
        write_tier(o, &request, &kept, way, loss);
        write_rest(o, &settings, &kept, way.takes);
    });
    Ok((out, renamed))
}

fn lose_what_has_no_place(request: &ChatRequest<'_>, loss: &mut Loss) {
    let names = [
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "logprobs",
        "top_logprobs",
    ];
    request.sampling.lose(&names, loss);
    if let Some(user) = &request.user {
        loss.note(user.at);
    }
    if request.origin != Dialect::Bedrock {
        lose_extra("", &request.extra, loss);
    }
}

/// What the model must be told about its output, where no field says it.
fn format_hint(request: &ChatRequest<'_>, takes: Takes, loss: &mut Loss) -> Option<String> {
    let output = request.output.as_ref()?;
    match &output.value {
        Output::JsonObject => Some(JSON_HINT.to_owned()),
        Output::JsonSchema { schema, .. } if !takes.json_schema && request.origin != Dialect::Bedrock => {
            loss.note(output.at);
            Some(json_hint(schema))
        }
        Output::JsonSchema { .. } | Output::Text => None,
    }
}

/// Writes the fields of `extra` that belong to `place`.
fn write_within(o: &mut Object<'_>, place: &str, extra: &Extra<'_>) {
    for (name, value) in within(place, extra) {
        o.raw(name, value);
    }
}

fn within<'e>(place: &str, extra: &'e Extra<'_>) -> impl Iterator<Item = (&'e str, &'e str)> {
    extra.iter().filter_map(move |(name, value)| {
        let inside = name.strip_prefix(place)?.strip_prefix('.')?;
        (!inside.contains('.')).then_some((inside, *value))
    })
}

fn write_inference(o: &mut Object<'_>, settings: &Settings<'_>, extra: &Extra<'_>) {
    let is_said = settings.max_tokens.is_some()
        || settings.temperature.is_some()
        || settings.top_p.is_some()
        || !settings.stop.is_empty()
        || within("inferenceConfig", extra).next().is_some();
    if !is_said {
        return;
    }
    o.object("inferenceConfig", |o| {
        if let Some(max_tokens) = settings.max_tokens {
            o.plain("maxTokens", max_tokens);
        }
        if let Some(temperature) = settings.temperature {
            o.plain("temperature", temperature);
        }
        if let Some(top_p) = settings.top_p {
            o.plain("topP", top_p);
        }
        if !settings.stop.is_empty() {
            o.array("stopSequences", |a| {
                settings.stop.iter().for_each(|stop| a.text(stop));
            });
        }
        write_within(o, "inferenceConfig", extra);
    });
}

fn write_additional(
    o: &mut Object<'_>,
    settings: &Settings<'_>,
    tools: &Tools<'_, '_>,
    extra: &Extra<'_>,
    takes: Takes,
) {
    let mut fields = Vec::new();
    object(&mut fields, |o| {
        match settings.thinking {
            claude::Thinks::Unsaid => {}
            claude::Thinks::Off => o.object("thinking", |o| o.text("type", "disabled").end()).end(),
            claude::Thinks::Budget(tokens) => {
                o.object("thinking", |o| {
                    o.text("type", "enabled").plain("budget_tokens", tokens);
                });
            }
            claude::Thinks::Adaptive => o.object("thinking", |o| o.text("type", "adaptive").end()).end(),
        }
        match (takes.thinks, settings.effort.as_deref()) {
            (_, None) => {}
            (Thinks::Claude(_), Some(effort)) => o
                .object("output_config", |o| o.text("effort", effort).end())
                .end(),
            (Thinks::Nova, Some(effort)) => {
                o.object("reasoningConfig", |o| {
                    o.text("type", "enabled").text("maxReasoningEffort", effort);
                });
            }
            (Thinks::Effort | Thinks::Never, Some(effort)) => o.text("reasoning_effort", effort).end(),
        }
        match (takes.thinks, settings.top_k) {
            (_, None) => {}
            (Thinks::Claude(_), Some(top_k)) => o.plain("top_k", top_k).end(),
            (_, Some(top_k)) if takes.is_nova => {
                o.object("inferenceConfig", |o| o.plain("topK", top_k).end());
            }
            (_, Some(top_k)) => o.plain("top_k", top_k).end(),
        }
        tools.write_claudes(o);
        write_within(o, additional::FIELD, extra);
    });
    if let Some(fields) = std::str::from_utf8(&fields).ok().filter(|json| json.len() > 2) {
        o.raw(additional::FIELD, fields);
    }
}

fn write_output(o: &mut Object<'_>, request: &ChatRequest<'_>, extra: &Extra<'_>, way: Way) {
    let is_written = way.takes.json_schema || way.is_own();
    let format = request.output.as_ref().map(|output| &output.value);
    let format = format.filter(|_| is_written);
    let others = within("outputConfig", extra).next().is_some();
    let Some(Output::JsonSchema {
        name,
        description,
        schema,
        ..
    }) = format
    else {
        if others {
            o.object("outputConfig", |o| write_within(o, "outputConfig", extra));
        }
        return;
    };
    o.object("outputConfig", |o| {
        o.object("textFormat", |o| {
            o.text("type", "json_schema");
            o.object("structure", |o| {
                o.object("jsonSchema", |o| {
                    if let Some(name) = name.as_deref().filter(|name| !name.is_empty()) {
                        o.text("name", &legal(name, LONGEST_NAME));
                    }
                    if let Some(description) = description.as_deref().filter(|text| !text.trim().is_empty()) {
                        o.text("description", description);
                    }
                    // JSON within a string.
                    text(o.key("schema"), schema);
                });
            });
        });
        write_within(o, "outputConfig", extra);
    });
}

fn write_tier(o: &mut Object<'_>, request: &ChatRequest<'_>, extra: &Extra<'_>, way: Way, loss: &mut Loss) {
    let tier = request.service_tier.as_ref();
    let word = match tier.map(|tier| (&*tier.value, tier.at)) {
        Some((word, _)) if way.is_own() => Some(word),
        None => None,
        Some((word, at)) => {
            let wanted = Tier::of(word);
            if wanted.is_none() {
                loss.note(at);
            }
            wanted.and_then(Tier::word)
        }
    };
    let others = within("serviceTier", extra).next().is_some();
    if word.is_some() || others {
        o.object("serviceTier", |o| {
            if let Some(word) = word {
                o.text("type", word);
            }
            write_within(o, "serviceTier", extra);
        });
    }
}

fn write_rest(o: &mut Object<'_>, settings: &Settings<'_>, extra: &Extra<'_>, takes: Takes) {
    const PATHS: &str = "additionalModelResponseFieldPaths";
    let mut asks = false;
    for (name, value) in extra {
        if !decode::is_within(name) {
            asks |= name == PATHS;
            o.raw(name, value);
        }
    }
    if !asks && takes.signed && !settings.stop.is_empty() {
        o.raw(PATHS, STOP_PATHS);
    }
}
