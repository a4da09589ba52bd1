//! The canonical request, written so that its digest can be taken.
//!
//! Each type is taken apart without `..`: a field that is added to the model must be thought of here.

use super::canon::Canon;
use crate::chat::media::Source;
use crate::chat::{
    Call, ChatRequest, Function, Kind, Output, Part, Reasoning, Role, Sampling, Thinking, Tool, ToolChoice,
    ToolKind, Turn,
};

/// Writes everything but turns and what [`super::fields`] finds.
pub(super) fn write_settings(request: &ChatRequest<'_>, canon: &mut Canon) {
    let ChatRequest {
        // Fields that only one dialect knows are told apart where they are written.
        origin: _,
        turns: _,
        tools,
        tool_choice,
        parallel_tool_calls,
        sampling,
        output,
        reasoning,
        // Among the fields that do not change the answer.
        stream: _,
        include_usage: _,
        user: _,
        service_tier: _,
        extra: _,
    } = request;
    canon.count(tools.len());
    for tool in tools {
        write_tool(tool, canon);
    }
    canon.option(tool_choice.as_ref(), |canon, choice| match &choice.value {
        ToolChoice::Auto => canon.tag(0),
        ToolChoice::None => canon.tag(1),
        ToolChoice::Required => canon.tag(2),
        ToolChoice::Tool(name) => {
            canon.tag(3);
            canon.text(name);
        }
    });
    canon.option(parallel_tool_calls.as_ref(), |canon, at| {
        canon.tag(at.value.into());
    });
    write_sampling(sampling, canon);
    // Text is what comes unasked.
    let output = output.as_ref().filter(|output| output.value != Output::Text);
    canon.option(output, |canon, output| write_output(&output.value, canon));
    write_reasoning(reasoning, canon);
}

fn write_tool(tool: &Tool<'_>, canon: &mut Canon) {
    let Tool {
        at: _,
        kind,
        cache: _,
        extra: _,
    } = tool;
    match kind {
        ToolKind::Function(Function {
            name,
            description,
            schema,
            strict,
            // No reader of `shapes` takes a custom tool for a function: it is compared as it stands, beside this.
            custom: _,
        }) => {
            canon.tag(0);
            canon.text(name);
            canon.optional_text(description.as_deref());
            canon.option(schema.as_deref(), Canon::json);
            canon.option(*strict, |canon, strict| canon.tag(strict.into()));
        }
        ToolKind::Opaque(json) => {
            canon.tag(1);
            canon.json(json);
        }
    }
}

fn write_sampling(sampling: &Sampling<'_>, canon: &mut Canon) {
    let Sampling {
        max_output_tokens,
        temperature,
        top_p,
        top_k,
        stop,
        seed,
        frequency_penalty,
        presence_penalty,
        n,
        logprobs,
        top_logprobs,
    } = sampling;
    canon.option(max_output_tokens.as_ref(), |canon, limit| {
        canon.number(limit.value);
    });
    for float in [temperature, top_p, frequency_penalty, presence_penalty] {
        canon.option(*float, Canon::float);
    }
    // One answer is what comes unasked.
    for number in [*top_k, n.filter(|n| *n != 1), *top_logprobs] {
        canon.option(number, Canon::number);
    }
    canon.option(*seed, |canon, seed| canon.number(seed.cast_unsigned()));
    canon.option(*logprobs, |canon, asked| canon.tag(asked.into()));
    canon.option(stop.as_ref(), |canon, stop| {
        canon.count(stop.value.len());
        stop.value.iter().for_each(|text| canon.text(text));
    });
}

fn write_output(output: &Output<'_>, canon: &mut Canon) {
    match output {
        Output::Text => canon.tag(0),
        Output::JsonObject => canon.tag(1),
        Output::JsonSchema {
            name,
            description,
            schema,
            strict,
        } => {
            canon.tag(2);
            canon.optional_text(name.as_deref());
            canon.optional_text(description.as_deref());
            canon.json(schema);
            canon.option(*strict, |canon, strict| canon.tag(strict.into()));
        }
    }
}

fn write_reasoning(reasoning: &Reasoning<'_>, canon: &mut Canon) {
    let Reasoning { mode, effort } = reasoning;
    canon.option(mode.as_ref(), |canon, mode| match mode.value {
        Thinking::Off => canon.tag(0),
        Thinking::Adaptive => canon.tag(1),
        Thinking::Budget(tokens) => {
            canon.tag(2);
            canon.number(tokens);
        }
    });
    canon.optional_text(effort.as_ref().map(|effort| &*effort.value));
}

/// Writes a turn.
pub(super) fn write_turn(turn: &Turn<'_>, canon: &mut Canon) {
    write_speaker(turn, canon);
    canon.count(turn.parts.len());
    for part in &turn.parts {
        write_part(part, canon);
    }
}

/// Writes whose turn it is.
pub(super) fn write_speaker(turn: &Turn<'_>, canon: &mut Canon) {
    let Turn {
        at: _,
        role,
        name,
        parts: _,
        extra: _,
    } = turn;
    canon.tag(match role {
        Role::System => b's',
        Role::Developer => b'd',
        Role::User => b'u',
        Role::Assistant => b'a',
    });
    canon.optional_text(name.as_deref());
}

fn write_part(part: &Part<'_>, canon: &mut Canon) {
    let Part {
        at: _,
        kind,
        cache: _,
        // What a provider made of a turn says nothing that the turn does not.
        state: _,
        extra: _,
    } = part;
    match kind {
        Kind::Text(text) => tagged(canon, b't', text),
        Kind::Refusal(text) => tagged(canon, b'r', text),
        Kind::RedactedThinking(data) => tagged(canon, b'x', data),
        Kind::Image { source, detail } => {
            canon.tag(b'i');
            write_source(source, canon);
            canon.optional_text(detail.as_deref());
        }
        Kind::Document { source, title } => {
            canon.tag(b'd');
            write_source(source, canon);
            canon.optional_text(title.as_deref());
        }
        Kind::Audio { format, data } => {
            tagged(canon, b'a', format);
            canon.text(data);
        }
        Kind::ToolCall(call) => write_call(call, canon),
        Kind::ToolResult { id, parts, is_error } => {
            tagged(canon, b'o', id);
            canon.tag((*is_error).into());
            canon.count(parts.len());
            for part in parts {
                write_part(part, canon);
            }
        }
        Kind::Thinking { text, signature } => {
            tagged(canon, b'h', text);
            canon.optional_text(signature.as_deref());
        }
        Kind::Opaque(json) => {
            canon.tag(b'?');
            canon.json(json);
        }
    }
}

fn tagged(canon: &mut Canon, tag: u8, text: &str) {
    canon.tag(tag);
    canon.text(text);
}

fn write_call(call: &Call<'_>, canon: &mut Canon) {
    let Call { id, name, arguments } = call;
    tagged(canon, b'c', id);
    canon.text(name);
    // One dialect has an object here, another the text of one.
    if serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok() {
        canon.json(arguments);
    } else {
        canon.verbatim(arguments);
    }
}

fn write_source(source: &Source<'_>, canon: &mut Canon) {
    match source {
        Source::Base64 { media_type, data } => {
            tagged(canon, b'b', media_type);
            canon.text(data);
        }
        Source::Url(url) => tagged(canon, b'u', url),
        Source::Text(text) => tagged(canon, b't', text),
        Source::File(id) => tagged(canon, b'f', id),
    }
}
