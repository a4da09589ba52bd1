//! A Converse request, read into the canonical model. Content blocks are read in `blocks`.
//!
//! The model and whether to stream are not in the body: the caller knows them.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use tollgate_core::{Dialect, Refusal};

use super::{additional, blocks};
use crate::chat::read::{Node, Path, wrong};
use crate::chat::{
    At, ChatRequest, Extra, Function, Output, Role, Sampling, Tool, ToolChoice, ToolKind, Turn, at,
};

/// The fields that are understood.
const KNOWN: &[&str] = &[
    "messages",
    "system",
    "inferenceConfig",
    "toolConfig",
    additional::FIELD,
    "serviceTier",
    "outputConfig",
];

/// Reads a request.
///
/// # Errors
/// What is not JSON, and fields of the wrong type.
pub(crate) fn request(body: &[u8]) -> Result<ChatRequest<'_>, Refusal> {
    let node = Node::root(body)?;
    let mut extra = node.extra(KNOWN);
    let mut additional = additional::read(&node)?;
    extra.append(&mut additional.extra);
    let mut sampling = sampling(&node, &mut extra)?;
    sampling.top_k = sampling.top_k.or(additional.top_k);
    let (tools, tool_choice) = tools(&node, &mut extra)?;
    Ok(ChatRequest {
        origin: Dialect::Bedrock,
        turns: turns(&node)?,
        tools,
        tool_choice,
        parallel_tool_calls: additional.parallel,
        sampling,
        output: output(&node, &mut extra)?,
        reasoning: additional.reasoning,
        stream: false,
        include_usage: true,
        user: None,
        service_tier: service_tier(&node, &mut extra)?,
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
    let instructions = blocks::read(node, "system", Role::System)?;
    if !instructions.is_empty() {
        turns.push(Turn {
            at: "system".to_owned(),
            role: Role::System,
            name: None,
            parts: instructions,
            extra: Vec::new(),
        });
    }
    for (index, json) in messages.into_iter().enumerate() {
        let message = Node::of(json, Path::Index(&list, index))?;
        let role = match &*message.required("role")? {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            _ => return Err(wrong(Path::Key(&message.path, "role"), "`user` or `assistant`")),
        };
        turns.push(Turn {
            at: message.path.to_string(),
            role,
            name: None,
            parts: blocks::read(&message, "content", role)?,
            extra: message.extra(&["role", "content"]),
        });
    }
    Ok(turns)
}

type Tools<'a> = (Vec<Tool<'a>>, Option<At<ToolChoice<'a>>>);

fn tools<'a>(node: &Node<'a, '_>, extra: &mut Extra<'a>) -> Result<Tools<'a>, Refusal> {
    let Some(json) = node.object("toolConfig")? else {
        return Ok((Vec::new(), None));
    };
    let config = Node::of(json, Path::Key(&node.path, "toolConfig"))?;
    config.note_others(&["tools", "toolChoice"], extra);
    let list = Path::Key(&config.path, "tools");
    let mut tools: Vec<Tool<'a>> = Vec::new();
    for (index, json) in config.elements("tools")?.into_iter().enumerate() {
        let node = Node::of(json, Path::Index(&list, index))?;
        match (blocks::cache_point(&node)?, tools.last_mut()) {
            (Some(cache), Some(marked)) if marked.cache.is_none() => marked.cache = Some(cache),
            _ => tools.push(tool(json, &node, extra)?),
        }
    }
    Ok((tools, tool_choice(&config, extra)?))
}

fn tool<'a>(json: &'a str, node: &Node<'a, '_>, extra: &mut Extra<'a>) -> Result<Tool<'a>, Refusal> {
    let Some(spec) = node.object("toolSpec")? else {
        return Ok(Tool {
            at: node.path.to_string(),
            kind: ToolKind::Opaque(json),
            cache: None,
            extra: Vec::new(),
        });
    };
    node.note_others(&["toolSpec"], extra);
    let spec = Node::of(spec, Path::Key(&node.path, "toolSpec"))?;
    spec.note_others_in("inputSchema", &["json"], extra);
    let schema = match spec.object("inputSchema")? {
        Some(schema) => Node::of(schema, Path::Key(&spec.path, "inputSchema"))?.object("json")?,
        None => None,
    };
    Ok(Tool {
        at: spec.path.to_string(),
        kind: ToolKind::Function(Function {
            name: spec.required("name")?,
            description: spec.text("description")?,
            schema: schema.map(Cow::Borrowed),
            strict: spec.flag("strict")?,
            custom: None,
        }),
        cache: None,
        extra: spec.extra(&["name", "description", "inputSchema", "strict"]),
    })
}

fn tool_choice<'a>(
    config: &Node<'a, '_>,
    extra: &mut Extra<'a>,
) -> Result<Option<At<ToolChoice<'a>>>, Refusal> {
    let Some(json) = config.object("toolChoice")? else {
        return Ok(None);
    };
    let choice = Node::of(json, Path::Key(&config.path, "toolChoice"))?;
    choice.note_others(&["auto", "any", "tool"], extra);
    for (name, known) in [("auto", ""), ("any", ""), ("tool", "name")] {
        choice.note_others_in(name, &[known], extra);
    }
    let chosen = if choice.raw("any").is_some() {
        ToolChoice::Required
    } else if let Some(json) = choice.object("tool")? {
        let tool = Node::of(json, Path::Key(&choice.path, "tool"))?;
        ToolChoice::Tool(tool.required("name")?)
    } else if choice.raw("auto").is_some() {
        ToolChoice::Auto
    } else {
        return Err(wrong(choice.path, "an object with `auto`, `any` or `tool`"));
    };
    Ok(at("toolConfig.toolChoice", Some(chosen)))
}

fn sampling<'a>(node: &Node<'a, '_>, extra: &mut Extra<'a>) -> Result<Sampling<'a>, Refusal> {
    let Some(json) = node.object("inferenceConfig")? else {
        return Ok(Sampling::default());
    };
    let config = Node::of(json, Path::Key(&node.path, "inferenceConfig"))?;
    let known = ["maxTokens", "temperature", "topP", "topK", "stopSequences"];
    config.note_others(&known, extra);
    let stop = config.texts("stopSequences")?;
    Ok(Sampling {
        max_output_tokens: at("inferenceConfig.maxTokens", config.count("maxTokens")?),
        temperature: config.number("temperature")?,
        top_p: config.number("topP")?,
        top_k: config.count("topK")?,
        stop: at(
            "inferenceConfig.stopSequences",
            Some(stop).filter(|stop| !stop.is_empty()),
        ),
        ..Sampling::default()
    })
}

/// `outputConfig`: the schema is JSON text within a JSON string.
fn output<'a>(node: &Node<'a, '_>, extra: &mut Extra<'a>) -> Result<Option<At<Output<'a>>>, Refusal> {
    let Some(json) = node.object("outputConfig")? else {
        return Ok(None);
    };
    let config = Node::of(json, Path::Key(&node.path, "outputConfig"))?;
    config.note_others(&["textFormat"], extra);
    let Some(json) = config.object("textFormat")? else {
        return Ok(None);
    };
    let format = Node::of(json, Path::Key(&config.path, "textFormat"))?;
    if format.required("type")? != "json_schema" {
        return Err(wrong(Path::Key(&format.path, "type"), "`json_schema`"));
    }
    let inside = |node: &Node<'a, '_>, name: &str| {
        let path = Path::Key(&node.path, name);
        node.object(name)?.ok_or_else(|| wrong(path, "an object"))
    };
    format.note_others(&["type", "structure"], extra);
    let structure = inside(&format, "structure")?;
    let structure = Node::of(structure, Path::Key(&format.path, "structure"))?;
    structure.note_others(&["jsonSchema"], extra);
    structure.note_others_in("jsonSchema", &["name", "description", "schema"], extra);
    let schema = inside(&structure, "jsonSchema")?;
    let schema = Node::of(schema, Path::Key(&structure.path, "jsonSchema"))?;
    let text = schema.required("schema")?;
    if !is_object(&text) {
        let path = Path::Key(&schema.path, "schema");
        return Err(wrong(path, "the JSON text of an object"));
    }
    let output = Output::JsonSchema {
        name: schema.text("name")?,
        description: schema.text("description")?,
        schema: text,
        strict: None,
    };
    Ok(at("outputConfig.textFormat", Some(output)))
}

/// Whether a field in `extra` belongs into one of the objects that are understood.
pub(crate) fn is_within(name: &str) -> bool {
    let place = name.split_once('.').map(|(place, _)| place);
    place.is_some_and(|place| KNOWN.contains(&place))
}

/// Whether a text is the JSON text of an object.
pub(crate) fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn service_tier<'a>(node: &Node<'a, '_>, extra: &mut Extra<'a>) -> Result<Option<At<Cow<'a, str>>>, Refusal> {
    let Some(json) = node.object("serviceTier")? else {
        return Ok(None);
    };
    let tier = Node::of(json, Path::Key(&node.path, "serviceTier"))?;
    tier.note_others(&["type"], extra);
    Ok(at("serviceTier.type", tier.text("type")?))
}
