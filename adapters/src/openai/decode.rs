//! A Chat Completions request, read into the canonical model. Messages are read in `messages`.

use std::borrow::Cow;

use tollgate_core::{Dialect, Refusal};

use super::{messages, tools};
use crate::chat::read::{Node, Path, wrong};
use crate::chat::{At, ChatRequest, Extra, Output, Reasoning, Sampling, at};
use crate::json;

/// The fields that are understood.
const KNOWN: &[&str] = &[
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "n",
    "logprobs",
    "top_logprobs",
    "response_format",
    "reasoning_effort",
    "thinking",
    "stream",
    "stream_options",
    "user",
    "safety_identifier",
    "service_tier",
    "store",
];

/// Reads a request.
///
/// # Errors
/// What is not JSON, and fields of the wrong type.
pub(crate) fn request(body: &[u8]) -> Result<ChatRequest<'_>, Refusal> {
    let node = Node::root(body)?;
    let (tools, tool_choice) = tools::read(&node)?;
    let mut request = ChatRequest {
        origin: Dialect::OpenAi,
        turns: messages::read(&node)?,
        tools,
        tool_choice,
        parallel_tool_calls: at("parallel_tool_calls", node.flag("parallel_tool_calls")?),
        sampling: sampling(&node)?,
        output: output(&node)?,
        reasoning: reasoning(&node)?,
        stream: node.flag("stream")?.unwrap_or(false),
        include_usage: include_usage(&node)?,
        user: user(&node)?,
        service_tier: at("service_tier", node.text("service_tier")?),
        extra: node.extra(KNOWN),
    };
    note_within(&node, &mut request.extra);
    if let Some(store @ "true") = node.raw("store") {
        request.extra.push((Cow::Borrowed("store"), store));
    }
    // Empty, it still asks for a search.
    if let Some(search @ "{}") = node.raw("web_search_options") {
        request.extra.push((Cow::Borrowed("web_search_options"), search));
    }
    if let Some(options) = node.raw("stream_options") {
        let options = Node::of(options, Path::Key(&node.path, "stream_options"))?;
        let others = options.extra(&["include_usage", "include_obfuscation"]);
        for (name, value) in others {
            request
                .extra
                .push((format!("stream_options.{name}").into(), value));
        }
    }
    Ok(request)
}

/// Notes what is not understood within fields that are.
fn note_within<'a>(node: &Node<'a, '_>, extra: &mut Extra<'a>) {
    node.note_others_in("thinking", &["type", "budget_tokens"], extra);
    let known = ["type", "function", "custom", "allowed_tools"];
    node.note_others_in("tool_choice", &known, extra);
    node.note_others_in("response_format", &["type", "json_schema"], extra);
    let within = [
        ("tool_choice", "function", ["name"].as_slice()),
        ("tool_choice", "custom", &["name"]),
        ("tool_choice", "allowed_tools", &["mode", "tools"]),
        (
            "response_format",
            "json_schema",
            &["name", "description", "schema", "strict"],
        ),
    ];
    for (outer, name, known) in within {
        let fields = node.fields.object(outer).unwrap_or_default();
        let path = Path::Key(&node.path, outer);
        Node { fields, path }.note_others_in(name, known, extra);
    }
}

fn sampling<'a>(node: &Node<'a, '_>) -> Result<Sampling<'a>, Refusal> {
    let limit = match at("max_completion_tokens", node.count("max_completion_tokens")?) {
        None => at("max_tokens", limit(node)?),
        limit => limit,
    };
    Ok(Sampling {
        max_output_tokens: limit,
        temperature: node.number("temperature")?,
        top_p: node.number("top_p")?,
        top_k: node.integer("top_k")?.and_then(|k| u64::try_from(k).ok()),
        stop: stop(node)?,
        seed: node.integer("seed")?,
        frequency_penalty: node
            .number("frequency_penalty")?
            .filter(|penalty| *penalty != 0.0),
        presence_penalty: node.number("presence_penalty")?.filter(|penalty| *penalty != 0.0),
        n: node.count("n")?,
        logprobs: node.flag("logprobs")?.filter(|asked| *asked),
        top_logprobs: node.count("top_logprobs")?.filter(|count| *count > 0),
    })
}

/// `max_tokens`; negative is how some servers spell "no limit".
fn limit(node: &Node<'_, '_>) -> Result<Option<u64>, Refusal> {
    if node.raw("max_tokens").is_some_and(|json| json.starts_with('-')) {
        return Ok(None);
    }
    node.count("max_tokens")
}

fn stop<'a>(node: &Node<'a, '_>) -> Result<Option<At<Vec<Cow<'a, str>>>>, Refusal> {
    let Some(json) = node.raw("stop") else {
        return Ok(None);
    };
    let path = Path::Key(&node.path, "stop");
    let value = if json.starts_with('[') {
        let texts = json::elements(json).into_iter().map(json::text);
        texts
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| wrong(path, "a string or an array of strings"))?
    } else {
        vec![json::text(json).ok_or_else(|| wrong(path, "a string or an array of strings"))?]
    };
    Ok(Some(At { at: "stop", value }))
}

fn output<'a>(node: &Node<'a, '_>) -> Result<Option<At<Output<'a>>>, Refusal> {
    let Some(json) = node.raw("response_format") else {
        return Ok(None);
    };
    let path = Path::Key(&node.path, "response_format");
    let format = Node::of(json, path)?;
    let output = match &*format.required("type")? {
        "text" => Output::Text,
        "json_object" => Output::JsonObject,
        "json_schema" => {
            let path = Path::Key(&path, "json_schema");
            let wanted = format
                .raw("json_schema")
                .ok_or_else(|| wrong(path, "an object"))?;
            let wanted = Node::of(wanted, path)?;
            let missing = || wrong(Path::Key(&path, "schema"), "an object");
            Output::JsonSchema {
                name: wanted.text("name")?,
                description: wanted.text("description")?,
                schema: wanted.object("schema")?.ok_or_else(missing)?.into(),
                strict: wanted.flag("strict")?,
            }
        }
        _ => {
            let path = Path::Key(&path, "type");
            return Err(wrong(path, "`text`, `json_object` or `json_schema`"));
        }
    };
    Ok(at("response_format", Some(output)))
}

fn reasoning<'a>(node: &Node<'a, '_>) -> Result<Reasoning<'a>, Refusal> {
    let effort = at("reasoning_effort", node.text("reasoning_effort")?);
    Ok(Reasoning {
        mode: crate::anthropic::decode::thinking(node)?,
        effort,
    })
}

fn include_usage(node: &Node<'_, '_>) -> Result<bool, Refusal> {
    let Some(options) = node.raw("stream_options") else {
        return Ok(false);
    };
    let options = Node::of(options, Path::Key(&node.path, "stream_options"))?;
    Ok(options.flag("include_usage")?.unwrap_or(false))
}

fn user<'a>(node: &Node<'a, '_>) -> Result<Option<At<Cow<'a, str>>>, Refusal> {
    let user = at("user", node.text("user")?);
    let identifier = at("safety_identifier", node.text("safety_identifier")?);
    Ok(user.or(identifier))
}
