//! A Messages request, read into the canonical model. Content blocks are read in `blocks`.

use std::borrow::Cow;

use tollgate_core::{Dialect, Refusal};

use super::blocks;
use crate::chat::read::{Node, Path, wrong};
use crate::chat::{
    At, ChatRequest, Extra, Output, Reasoning, Role, Sampling, Thinking, Tool, ToolChoice, ToolKind, Turn, at,
};

/// The fields that are understood.
const KNOWN: &[&str] = &[
    "model",
    "messages",
    "system",
    "max_tokens",
    "metadata",
    "stop_sequences",
    "stream",
    "temperature",
    "top_k",
    "top_p",
    "tools",
    "tool_choice",
    "thinking",
    "service_tier",
    "output_config",
    "output_format",
];

/// Reads a request.
///
/// # Errors
/// What is not JSON, and fields of the wrong type.
pub(crate) fn request(body: &[u8]) -> Result<ChatRequest<'_>, Refusal> {
    let node = Node::root(body)?;
    let mut extra = node.extra(KNOWN);
    let (tool_choice, parallel_tool_calls) = tool_choice(&node)?;
    let (output, effort) = output(&node, &mut extra)?;
    let user = user(&node, &mut extra)?;
    node.note_others_in("thinking", &["type", "budget_tokens"], &mut extra);
    let known = ["type", "name", "disable_parallel_tool_use"];
    node.note_others_in("tool_choice", &known, &mut extra);
    Ok(ChatRequest {
        origin: Dialect::Anthropic,
        turns: turns(&node)?,
        tools: tools(&node)?,
        tool_choice,
        parallel_tool_calls,
        sampling: sampling(&node)?,
        output,
        reasoning: Reasoning {
            mode: thinking(&node)?,
            effort,
        },
        stream: node.flag("stream")?.unwrap_or(false),
        include_usage: true,
        user,
        service_tier: at("service_tier", node.text("service_tier")?),
        extra,
    })
}

fn turns<'a>(node: &Node<'a, '_>) -> Result<Vec<Turn<'a>>, Refusal> {
    let list = Path::Key(&node.path, "messages");
    let messages = node.elements("messages")?;
    if messages.is_empty() {
        return Err(wrong(list, "an array with at least one message"));
    }
    let mut turns = Vec::with_capacity(messages.len() + 1);
    if node.raw("system").is_some() {
        turns.push(Turn {
            at: "system".to_owned(),
            role: Role::System,
            name: None,
            parts: blocks::read(node, "system")?,
            extra: Vec::new(),
        });
    }
    for (index, json) in messages.into_iter().enumerate() {
        let message = Node::of(json, Path::Index(&list, index))?;
        let role = match &*message.required("role")? {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            _ => return Err(wrong(Path::Key(&message.path, "role"), "`user` or `assistant`")),
        };
        turns.push(Turn {
            at: message.path.to_string(),
            role,
            name: None,
            parts: blocks::read(&message, "content")?,
            extra: message.extra(&["role", "content"]),
        });
    }
    Ok(turns)
}

fn tools<'a>(node: &Node<'a, '_>) -> Result<Vec<Tool<'a>>, Refusal> {
    node.each("tools", |json, tool| {
        let is_custom = tool.text("type")?.is_none_or(|kind| kind == "custom");
        let (kind, extra) = if is_custom {
            let kind = ToolKind::Function(tool.function("input_schema")?);
            let known = [
                "type",
                "name",
                "description",
                "input_schema",
                "strict",
                "cache_control",
            ];
            let mut extra = tool.extra(&known);
            extra.append(&mut tool.extra_of_cache());
            (kind, extra)
        } else {
            (ToolKind::Opaque(json), Vec::new())
        };
        Ok(Tool {
            at: tool.path.to_string(),
            kind,
            cache: tool.cache()?,
            extra,
        })
    })
}

type Choices<'a> = (Option<At<ToolChoice<'a>>>, Option<At<bool>>);

fn tool_choice<'a>(node: &Node<'a, '_>) -> Result<Choices<'a>, Refusal> {
    let Some(json) = node.raw("tool_choice") else {
        return Ok((None, None));
    };
    let path = Path::Key(&node.path, "tool_choice");
    let choice = Node::of(json, path)?;
    let chosen = match &*choice.required("type")? {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Tool(choice.required("name")?),
        _ => {
            let path = Path::Key(&path, "type");
            return Err(wrong(path, "`auto`, `any`, `none` or `tool`"));
        }
    };
    let disabled = choice.flag("disable_parallel_tool_use")?;
    let parallel = at(
        "tool_choice.disable_parallel_tool_use",
        disabled.map(|disabled| !disabled),
    );
    Ok((at("tool_choice", Some(chosen)), parallel))
}

fn sampling<'a>(node: &Node<'a, '_>) -> Result<Sampling<'a>, Refusal> {
    let stop = node.texts("stop_sequences")?;
    Ok(Sampling {
        max_output_tokens: at("max_tokens", node.count("max_tokens")?),
        temperature: node.number("temperature")?,
        top_p: node.number("top_p")?,
        top_k: node.count("top_k")?,
        stop: at("stop_sequences", Some(stop).filter(|stop| !stop.is_empty())),
        ..Sampling::default()
    })
}

/// `thinking`: also clients of other dialects send it, as some of their servers take it.
pub(crate) fn thinking(node: &Node<'_, '_>) -> Result<Option<At<Thinking>>, Refusal> {
    let Some(json) = node.raw("thinking") else {
        return Ok(None);
    };
    let path = Path::Key(&node.path, "thinking");
    let thinking = Node::of(json, path)?;
    let mode = match &*thinking.required("type")? {
        "disabled" => Thinking::Off,
        "enabled" => match thinking.count("budget_tokens")? {
            Some(budget) => Thinking::Budget(budget),
            None => Thinking::Adaptive,
        },
        "adaptive" => Thinking::Adaptive,
        _ => {
            let path = Path::Key(&path, "type");
            return Err(wrong(path, "`enabled`, `adaptive` or `disabled`"));
        }
    };
    Ok(at("thinking", Some(mode)))
}

type Outputs<'a> = (Option<At<Output<'a>>>, Option<At<Cow<'a, str>>>);

/// `output_config` with its format and effort, and the format under its earlier name.
fn output<'a>(node: &Node<'a, '_>, extra: &mut Extra<'a>) -> Result<Outputs<'a>, Refusal> {
    let mut effort = None;
    let mut found = None;
    if let Some(json) = node.raw("output_format") {
        found = Some(("output_format", json));
    }
    let path = Path::Key(&node.path, "output_config");
    if let Some(json) = node.raw("output_config") {
        let config = Node::of(json, path)?;
        effort = at("output_config.effort", config.text("effort")?);
        if let Some(json) = config.raw("format") {
            found = Some(("output_config.format", json));
        }
        node.note_others_in("output_config", &["effort", "format"], extra);
    }
    let Some((name, json)) = found else {
        return Ok((None, effort));
    };
    let path = Path::Key(&Path::Root, name);
    let format = Node::of(json, path)?;
    if format.required("type")? != "json_schema" {
        return Err(wrong(Path::Key(&path, "type"), "`json_schema`"));
    }
    format.note_others(&["type", "schema"], extra);
    let missing = || wrong(Path::Key(&path, "schema"), "an object");
    let output = Output::JsonSchema {
        name: None,
        description: None,
        schema: format.object("schema")?.ok_or_else(missing)?.into(),
        strict: None,
    };
    Ok((at(name, Some(output)), effort))
}

fn user<'a>(node: &Node<'a, '_>, extra: &mut Extra<'a>) -> Result<Option<At<Cow<'a, str>>>, Refusal> {
    let Some(json) = node.raw("metadata") else {
        return Ok(None);
    };
    node.note_others_in("metadata", &["user_id"], extra);
    let metadata = Node::of(json, Path::Key(&node.path, "metadata"))?;
    Ok(at("metadata.user_id", metadata.text("user_id")?))
}
