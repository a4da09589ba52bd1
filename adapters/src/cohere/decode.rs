//! A Cohere chat request, read into the canonical model. Messages and documents are read in `messages`.

use tollgate_core::{Dialect, Refusal};

use super::messages;
use crate::chat::read::{Node, Path, wrong};
use crate::chat::{
    At, ChatRequest, Function, Output, Reasoning, Sampling, Thinking, Tool, ToolChoice, ToolKind, at,
};
use crate::json;

/// The fields that are understood.
const KNOWN: &[&str] = &[
    "model",
    "messages",
    "documents",
    "tools",
    "strict_tools",
    "tool_choice",
    "response_format",
    "max_tokens",
    "stop_sequences",
    "temperature",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "k",
    "p",
    "logprobs",
    "thinking",
    "stream",
];

/// Reads a request.
///
/// # Errors
/// What is not JSON, and fields of the wrong type.
pub(crate) fn request(body: &[u8]) -> Result<ChatRequest<'_>, Refusal> {
    let node = Node::root(body)?;
    let mut extra = node.extra(KNOWN);
    node.note_others_in("thinking", &["type", "token_budget"], &mut extra);
    node.note_others_in("response_format", &["type", "json_schema", "schema"], &mut extra);
    Ok(ChatRequest {
        origin: Dialect::Cohere,
        turns: messages::read(&node)?,
        tools: tools(&node)?,
        tool_choice: tool_choice(&node)?,
        parallel_tool_calls: None,
        sampling: sampling(&node)?,
        output: output(&node)?,
        reasoning: Reasoning {
            mode: thinking(&node)?,
            effort: None,
        },
        stream: node.flag("stream")?.unwrap_or(false),
        include_usage: true,
        user: None,
        service_tier: None,
        extra,
    })
}

/// `tools`; `strict_tools` is said of each of them.
fn tools<'a>(node: &Node<'a, '_>) -> Result<Vec<Tool<'a>>, Refusal> {
    let strict = node.flag("strict_tools")?;
    node.each("tools", |json, tool| {
        let is_function = tool.text("type")?.is_none_or(|kind| kind == "function");
        let (kind, extra) = match tool.raw("function").filter(|_| is_function) {
            Some(function) => {
                let function = Node::of(function, Path::Key(&tool.path, "function"))?;
                let kind = ToolKind::Function(Function {
                    strict,
                    ..function.function("parameters")?
                });
                let mut extra = tool.extra(&["type", "function"]);
                extra.append(&mut tool.extra_in("function", &["name", "description", "parameters"]));
                (kind, extra)
            }
            None => (ToolKind::Opaque(json), Vec::new()),
        };
        Ok(Tool {
            at: tool.path.to_string(),
            kind,
            cache: None,
            extra,
        })
    })
}

fn tool_choice<'a>(node: &Node<'a, '_>) -> Result<Option<At<ToolChoice<'a>>>, Refusal> {
    let choice = match node.text("tool_choice")?.as_deref() {
        None => return Ok(None),
        Some("REQUIRED") => ToolChoice::Required,
        Some("NONE") => ToolChoice::None,
        Some(_) => {
            let path = Path::Key(&node.path, "tool_choice");
            return Err(wrong(path, "`REQUIRED` or `NONE`"));
        }
    };
    Ok(at("tool_choice", Some(choice)))
}

fn sampling<'a>(node: &Node<'a, '_>) -> Result<Sampling<'a>, Refusal> {
    let list = Path::Key(&node.path, "stop_sequences");
    let mut stop = Vec::new();
    for (index, json) in node.elements("stop_sequences")?.into_iter().enumerate() {
        stop.push(json::text(json).ok_or_else(|| wrong(Path::Index(&list, index), "a string"))?);
    }
    let penalty = |name: &str| Ok(node.number(name)?.filter(|penalty| *penalty != 0.0));
    Ok(Sampling {
        max_output_tokens: at("max_tokens", node.count("max_tokens")?),
        temperature: node.number("temperature")?,
        top_p: node.number("p")?,
        // Here 0 means all of them.
        top_k: node.count("k")?.filter(|k| *k > 0),
        stop: at("stop_sequences", Some(stop).filter(|stop| !stop.is_empty())),
        seed: node.integer("seed")?,
        frequency_penalty: penalty("frequency_penalty")?,
        presence_penalty: penalty("presence_penalty")?,
        n: None,
        logprobs: node.flag("logprobs")?.filter(|asked| *asked),
        top_logprobs: None,
    })
}

fn thinking(node: &Node<'_, '_>) -> Result<Option<At<Thinking>>, Refusal> {
    let Some(json) = node.raw("thinking") else {
        return Ok(None);
    };
    let path = Path::Key(&node.path, "thinking");
    let thinking = Node::of(json, path)?;
    let mode = match &*thinking.required("type")? {
        "disabled" => Thinking::Off,
        "enabled" => match thinking.count("token_budget")? {
            Some(budget) => Thinking::Budget(budget),
            None => Thinking::Adaptive,
        },
        _ => return Err(wrong(Path::Key(&path, "type"), "`enabled` or `disabled`")),
    };
    Ok(at("thinking", Some(mode)))
}

/// `response_format`: a schema stands in it under one of two names, and is no type of its own.
fn output<'a>(node: &Node<'a, '_>) -> Result<Option<At<Output<'a>>>, Refusal> {
    let Some(json) = node.raw("response_format") else {
        return Ok(None);
    };
    let path = Path::Key(&node.path, "response_format");
    let format = Node::of(json, path)?;
    let schema = match format.object("json_schema")? {
        None => format.object("schema")?,
        schema => schema,
    };
    let output = match (&*format.required("type")?, schema) {
        ("text", _) => Output::Text,
        ("json_object", None) => Output::JsonObject,
        ("json_object", Some(schema)) => Output::JsonSchema {
            name: None,
            description: None,
            schema: schema.into(),
            strict: None,
        },
        _ => return Err(wrong(Path::Key(&path, "type"), "`text` or `json_object`")),
    };
    Ok(at("response_format", Some(output)))
}
