//! A Responses request, read into the canonical model. Items are read in `items`, tools in `tools`.
//!
//! Only what is translated is read here, and a provider of another dialect has nothing stored: what refers to stored
//! things is refused. Logprobs stay in `extra`, for no answer that is made anew has them.

use std::borrow::Cow;

use tollgate_core::{Dialect, Refusal};

use super::items::{self, elsewhere};
use super::tools;
use crate::chat::read::{Node, Path, wrong};
use crate::chat::{At, ChatRequest, Extra, Output, Reasoning, Sampling, at};
use crate::json;

/// The fields that are understood.
const KNOWN: &[&str] = &[
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_output_tokens",
    "temperature",
    "top_p",
    "text",
    "reasoning",
    "stream",
    "stream_options",
    "user",
    "safety_identifier",
    "service_tier",
    "include",
    "background",
];

/// What refers to things that are stored with the provider.
const STORED: &[(&str, &str)] = &[
    (
        "previous_response_id",
        "no response is stored here: send the whole conversation as `input`",
    ),
    (
        "conversation",
        "no conversation is stored here: send all of it as `input`",
    ),
    (
        "prompt",
        "no prompt is stored here: send its text as `instructions`",
    ),
];

/// What answers always hold, wherever it is asked for.
const ENCRYPTED: &str = "reasoning.encrypted_content";

/// Reads a request.
///
/// # Errors
/// What is not JSON, and fields of the wrong type; [`tollgate_core::RefusalKind::NotTranslatable`] for what is stored
/// with the provider, for work in the background, and for tools of the provider that must be called.
pub(crate) fn request(body: &[u8]) -> Result<ChatRequest<'_>, Refusal> {
    let node = Node::root(body)?;
    for (name, why) in STORED {
        if node.raw(name).is_some() {
            return Err(elsewhere(Path::Key(&node.path, name), why));
        }
    }
    if node.flag("background")? == Some(true) {
        let why = "answers are not kept to be fetched later";
        return Err(elsewhere(Path::Key(&node.path, "background"), why));
    }
    let mut extra = extra(&node)?;
    let (tools, tool_choice) = tools::read(&node)?;
    Ok(ChatRequest {
        origin: Dialect::Responses,
        turns: items::read(&node)?,
        tools,
        tool_choice,
        parallel_tool_calls: at("parallel_tool_calls", node.flag("parallel_tool_calls")?),
        sampling: Sampling {
            max_output_tokens: at("max_output_tokens", node.count("max_output_tokens")?),
            temperature: node.number("temperature")?,
            top_p: node.number("top_p")?,
            ..Sampling::default()
        },
        output: output(&node, &mut extra)?,
        reasoning: reasoning(&node, &mut extra)?,
        stream: node.flag("stream")?.unwrap_or(false),
        include_usage: true,
        user: user(&node)?,
        service_tier: at("service_tier", node.text("service_tier")?),
        extra,
    })
}

/// What is not understood and says more than the default.
fn extra<'a>(node: &Node<'a, '_>) -> Result<Extra<'a>, Refusal> {
    let mut extra = node.extra(KNOWN);
    node.note_others_in("tool_choice", &["type", "name", "mode", "tools"], &mut extra);
    extra.retain(|(name, json)| {
        !matches!(
            (&**name, *json),
            ("store", "false") | ("truncation", "\"disabled\"") | ("top_logprobs", "0")
        )
    });
    let asks_more = node
        .elements("include")?
        .into_iter()
        .any(|json| json::text(json).is_none_or(|name| name != ENCRYPTED));
    if let Some(include) = node.raw("include").filter(|_| asks_more) {
        extra.push((Cow::Borrowed("include"), include));
    }
    Ok(extra)
}

fn output<'a>(node: &Node<'a, '_>, extra: &mut Extra<'a>) -> Result<Option<At<Output<'a>>>, Refusal> {
    let Some(json) = node.raw("text") else {
        return Ok(None);
    };
    let path = Path::Key(&node.path, "text");
    let text = Node::of(json, path)?;
    text.note_others(&["format"], extra);
    let Some(json) = text.raw("format") else {
        return Ok(None);
    };
    let path = Path::Key(&path, "format");
    let format = Node::of(json, path)?;
    let known = ["type", "name", "description", "schema", "strict"];
    format.note_others(&known, extra);
    let output = match &*format.required("type")? {
        "text" => Output::Text,
        "json_object" => Output::JsonObject,
        "json_schema" => {
            let missing = || wrong(Path::Key(&path, "schema"), "an object");
            Output::JsonSchema {
                name: format.text("name")?,
                description: format.text("description")?,
                schema: format.object("schema")?.ok_or_else(missing)?.into(),
                strict: format.flag("strict")?,
            }
        }
        _ => {
            let path = Path::Key(&path, "type");
            return Err(wrong(path, "`text`, `json_object` or `json_schema`"));
        }
    };
    Ok(at("text.format", Some(output)))
}

fn reasoning<'a>(node: &Node<'a, '_>, extra: &mut Extra<'a>) -> Result<Reasoning<'a>, Refusal> {
    let Some(json) = node.raw("reasoning") else {
        return Ok(Reasoning::default());
    };
    let reasoning = Node::of(json, Path::Key(&node.path, "reasoning"))?;
    let before = extra.len();
    reasoning.note_others(&["effort"], extra);
    // All thoughts that there are, are shown anyway.
    let is_usual = |name: &str, json: &str| name.ends_with("summary") && json == "\"auto\"";
    let mut position = 0;
    extra.retain(|(name, json)| {
        position += 1;
        position <= before || !is_usual(name, json)
    });
    let mode = None;
    let effort = at("reasoning.effort", reasoning.text("effort")?);
    Ok(Reasoning { mode, effort })
}

fn user<'a>(node: &Node<'a, '_>) -> Result<Option<At<Cow<'a, str>>>, Refusal> {
    let identifier = at("safety_identifier", node.text("safety_identifier")?);
    let user = at("user", node.text("user")?);
    Ok(identifier.or(user))
}
