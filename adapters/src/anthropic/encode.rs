//! The canonical model, written as a Messages request.
//!
//! What the dialect insists on and others do not: `max_tokens`, a user who speaks first, turns that alternate,
//! results directly after their calls, no blank text, definitions of all tools that history mentions. All of it
//! is mended here; only what has no place at all goes into the loss.

use std::collections::HashSet;

use tollgate_core::{Dialect, ProviderKind, Refusal};

use super::quirks::{LONGEST_NAME, Takes, takes};
use super::settings::{self, Settings};
use super::{turns, vertex};
use crate::chat::names::{Renamed, legal};
use crate::chat::schema::{JSON_HINT, json_hint};
use crate::chat::tier::Tier;
use crate::chat::write::{Object, object};
use crate::chat::{
    ChatRequest, Kind, Output, Tool, ToolChoice, ToolKind, Turn, lose_extra, schema, write_extra,
};
use crate::egress::Egress;
use crate::loss::Loss;

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
    let takes = takes(egress.model);
    let conversation = turns::prepare(std::mem::take(&mut request.turns), request.origin, takes, loss);
    let settings = settings::settle(&request, &conversation.turns, egress, takes, loss);
    lose_what_has_no_place(&request, loss);
    let mut renamed = Renamed::default();
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |o| {
        match egress.kind {
            ProviderKind::VertexAnthropic => o.text(vertex::FIELD, vertex::VERSION),
            _ => o.text("model", egress.model),
        };
        o.plain("max_tokens", settings.max_tokens);
        let hint = format_hint(&request, takes, loss);
        turns::write_system(o, &conversation.system, hint.as_deref());
        turns::write_messages(o, &conversation.turns);
        write_tools(o, &request, &conversation.turns, takes, loss, &mut renamed);
        write_settings(o, &settings);
        write_output(o, &request, &settings, takes);
        write_rest(o, &request, loss);
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
    if request.origin != Dialect::Anthropic {
        lose_extra("", &request.extra, loss);
    }
}

/// What the model must be told about its output, where no field says it.
fn format_hint(request: &ChatRequest<'_>, takes: Takes, loss: &mut Loss) -> Option<String> {
    let output = request.output.as_ref()?;
    match &output.value {
        Output::JsonObject => Some(JSON_HINT.to_owned()),
        Output::JsonSchema {
            schema, description, ..
        } => {
            if !takes.json_schema {
                loss.note(output.at);
                return Some(json_hint(schema));
            }
            description
                .as_ref()
                .map(|text| format!("The answer is JSON: {text}"))
        }
        Output::Text => None,
    }
}

/// Writes the tools, and which of them to call.
fn write_tools(
    o: &mut Object<'_>,
    request: &ChatRequest<'_>,
    turns: &[Turn<'_>],
    takes: Takes,
    loss: &mut Loss,
    renamed: &mut Renamed,
) {
    for function in request.tools.iter().filter_map(Tool::function) {
        renamed.note(&function.name, &legal(&function.name, LONGEST_NAME));
    }
    let (tools, choice) = request.carried(Dialect::Anthropic, loss);
    let mentioned = if tools.is_empty() {
        mentioned(turns)
    } else {
        Vec::new()
    };
    if tools.is_empty() && mentioned.is_empty() {
        return;
    }
    o.array("tools", |a| {
        for tool in tools {
            write_tool(a.element(), tool, request.origin, takes, loss);
        }
        for name in mentioned {
            renamed.note(name, &legal(name, LONGEST_NAME));
            a.object(|o| {
                o.text("name", &legal(name, LONGEST_NAME));
                schema::write_arguments(o, "input_schema", None);
            });
        }
    });
    write_tool_choice(o, choice, request);
}

/// The tools that history mentions.
pub(crate) fn mentioned<'t>(turns: &'t [Turn<'_>]) -> Vec<&'t str> {
    let (mut names, mut seen) = (Vec::new(), HashSet::new());
    for part in turns.iter().flat_map(|turn| &turn.parts) {
        if let Kind::ToolCall(call) = &part.kind
            && seen.insert(&call.name)
        {
            names.push(&*call.name);
        }
    }
    names
}

fn write_tool(out: &mut Vec<u8>, tool: &Tool<'_>, origin: Dialect, takes: Takes, loss: &mut Loss) {
    let function = match &tool.kind {
        ToolKind::Opaque(json) => return out.extend_from_slice(json.as_bytes()),
        ToolKind::Function(function) => function,
    };
    let strict = function.strict == Some(true);
    object(out, |o| {
        o.text("name", &legal(&function.name, LONGEST_NAME));
        if let Some(description) = function.description.as_deref().filter(|text| !text.is_empty()) {
            o.text("description", description);
        }
        schema::write_arguments(o, "input_schema", function.schema.as_deref());
        if strict && takes.json_schema {
            o.plain("strict", true);
        } else if strict {
            tool.lose_strict(origin, loss);
        }
        turns::write_cache(o, tool.cache.as_ref());
        if origin == Dialect::Anthropic {
            write_extra(o, &tool.extra);
        } else {
            lose_extra(&tool.at, &tool.extra, loss);
        }
    });
}

fn write_tool_choice(o: &mut Object<'_>, choice: Option<&ToolChoice<'_>>, request: &ChatRequest<'_>) {
    let parallel = request
        .parallel_tool_calls
        .as_ref()
        .map(|parallel| parallel.value);
    if choice.is_none() && parallel != Some(false) {
        return;
    }
    o.object("tool_choice", |o| {
        let kind = match choice {
            None | Some(ToolChoice::Auto) => "auto",
            Some(ToolChoice::None) => "none",
            Some(ToolChoice::Required) => "any",
            Some(ToolChoice::Tool(_)) => "tool",
        };
        o.text("type", kind);
        if let Some(ToolChoice::Tool(name)) = choice {
            o.text("name", &legal(name, LONGEST_NAME));
        }
        if parallel == Some(false) && kind != "none" {
            o.plain("disable_parallel_tool_use", true);
        }
    });
}

fn write_settings(o: &mut Object<'_>, settings: &Settings<'_>) {
    match settings.thinking {
        settings::Thinks::Unsaid => {}
        settings::Thinks::Off => o.object("thinking", |o| o.text("type", "disabled").end()).end(),
        settings::Thinks::Budget(tokens) => {
            o.object("thinking", |o| {
                o.text("type", "enabled").plain("budget_tokens", tokens);
            });
        }
        settings::Thinks::Adaptive => o.object("thinking", |o| o.text("type", "adaptive").end()).end(),
    }
    if let Some(temperature) = settings.temperature {
        o.plain("temperature", temperature);
    }
    if let Some(top_p) = settings.top_p {
        o.plain("top_p", top_p);
    }
    if let Some(top_k) = settings.top_k {
        o.plain("top_k", top_k);
    }
    if !settings.stop.is_empty() {
        o.array("stop_sequences", |a| {
            settings.stop.iter().for_each(|stop| a.text(stop));
        });
    }
}

fn write_output(o: &mut Object<'_>, request: &ChatRequest<'_>, settings: &Settings<'_>, takes: Takes) {
    let wanted = match request.output.as_ref().map(|output| &output.value) {
        Some(Output::JsonSchema { schema, .. }) if takes.json_schema => Some(&**schema),
        _ => None,
    };
    if wanted.is_none() && settings.effort.is_none() {
        return;
    }
    o.object("output_config", |o| {
        if let Some(effort) = settings.effort {
            o.text("effort", effort);
        }
        if let Some(schema) = wanted {
            o.object("format", |o| {
                o.text("type", "json_schema").raw("schema", schema);
            });
        }
    });
}

fn write_rest(o: &mut Object<'_>, request: &ChatRequest<'_>, loss: &mut Loss) {
    if let Some(user) = &request.user {
        o.object("metadata", |o| o.text("user_id", &user.value).end());
    }
    if let Some(tier) = &request.service_tier {
        match (Tier::of(&tier.value), &*tier.value) {
            (Some(Tier::Standard), "auto") => o.text("service_tier", "auto").end(),
            (Some(Tier::Standard), _) => o.text("service_tier", "standard_only").end(),
            _ => loss.note(tier.at),
        }
    }
    if request.stream {
        o.plain("stream", true);
    }
    if request.origin == Dialect::Anthropic {
        for (name, value) in request.extra.iter().filter(|(name, _)| !name.contains('.')) {
            o.raw(name, value);
        }
        let dotted = request.extra.iter().filter(|(name, _)| name.contains('.'));
        dotted.for_each(|(name, _)| loss.note(&**name));
    }
}
