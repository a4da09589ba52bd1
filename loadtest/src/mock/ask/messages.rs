//! Chats, completions and embeddings of OpenAI, messages of Anthropic, chats of Cohere: near enough to each other to be
//! read as one, in one pass, everything that does not matter skipped. Load tests ask for these.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use super::text::{BYTES_PER_TOKEN, TextBytes, length};
use super::{Ask, MOST_INPUTS, OfferedTool, checked_choices, checked_dimensions, chosen, model, text_at};

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    n: Option<u32>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    #[serde(default)]
    messages: TextBytes,
    #[serde(default)]
    system: TextBytes,
    #[serde(default)]
    prompt: TextBytes,
    input: Option<Value>,
    dimensions: Option<u64>,
    encoding_format: Option<Cow<'a, str>>,
    tools: Option<Vec<Value>>,
    tool_choice: Option<Value>,
    response_format: Option<Value>,
    output_config: Option<Value>,
    output_format: Option<Value>,
    thinking: Option<Value>,
    anthropic_version: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

/// Reads a request. `in_path` stands in for a body without a model, and wins over one with it.
pub(super) fn read(body: &[u8], in_path: Option<&str>) -> Result<Ask, String> {
    ask(&parsed(body)?, in_path)
}

/// Reads a request to Anthropic's models at a cloud, which wants the version told in the body and no model.
pub(super) fn read_versioned(body: &[u8], in_path: Option<&str>) -> Result<Ask, String> {
    let wire = parsed(body)?;
    if wire.anthropic_version.is_none() {
        return Err("anthropic_version: Field required".to_owned());
    }
    if wire.model.is_some() {
        return Err("model: Extra inputs are not permitted".to_owned());
    }
    ask(&wire, in_path)
}

fn parsed(body: &[u8]) -> Result<Wire<'_>, String> {
    serde_json::from_slice(body).map_err(|error| format!("request body: {error}"))
}

fn ask(wire: &Wire<'_>, in_path: Option<&str>) -> Result<Ask, String> {
    let model = model(in_path.or(wire.model.as_deref()))?;
    let choices = checked_choices(wire.n.unwrap_or(1))?;
    let dimensions = checked_dimensions(wire.dimensions)?;
    let (inputs, input_bytes) = read_inputs(wire.input.as_ref())?;
    let (tool, tool_demanded) = read_tools(wire);
    let options = wire.stream_options.as_ref();
    Ok(Ask {
        stream: wire.stream.unwrap_or(false),
        include_usage: options.and_then(|options| options.include_usage) == Some(true),
        max_tokens: wire.max_completion_tokens.or(wire.max_tokens),
        choices,
        tool,
        tool_demanded,
        schema: read_schema(wire),
        thinking: matches!(
            text_at(wire.thinking.as_ref(), "/type"),
            Some("enabled" | "adaptive")
        ),
        inputs,
        dimensions,
        base64: wire.encoding_format.as_deref() == Some("base64"),
        ..Ask::new(
            model,
            wire.messages.0 + wire.system.0 + wire.prompt.0 + input_bytes,
        )
    })
}

/// The tool to call if one is called, and whether the request demands a call.
fn read_tools(wire: &Wire<'_>) -> (Option<OfferedTool>, bool) {
    let choice = wire.tool_choice.as_ref();
    let mode = choice
        .and_then(Value::as_str)
        .or_else(|| text_at(choice, "/type"));
    let named = text_at(choice, "/function/name").or_else(|| text_at(choice, "/name"));
    // In capitals: Cohere's.
    let demanded = matches!(mode, Some("required" | "any" | "tool" | "function" | "REQUIRED"));
    let offered = wire.tools.iter().flatten().filter_map(|tool| {
        let name = text_at(Some(tool), "/function/name").or_else(|| text_at(Some(tool), "/name"))?;
        let schema = tool
            .pointer("/function/parameters")
            .or_else(|| tool.get("input_schema"));
        Some((name, schema))
    });
    let tool = chosen(offered, named);
    let demanded = demanded && tool.is_some();
    (tool, demanded)
}

/// The schema of a structured answer, in each dialect's spelling.
fn read_schema(wire: &Wire<'_>) -> Option<Value> {
    let format = [
        wire.response_format.as_ref(),
        wire.output_format.as_ref(),
        wire.output_config
            .as_ref()
            .and_then(|config| config.get("format")),
    ];
    let format = format.into_iter().flatten().next();
    match text_at(format, "/type")? {
        "json_schema" => {
            let format = format?;
            let schema = format
                .pointer("/json_schema/schema")
                .or_else(|| format.get("schema"));
            Some(schema.cloned().unwrap_or(Value::Null))
        }
        // With a schema: Cohere's.
        "json_object" => Some(
            format?
                .get("json_schema")
                .or_else(|| format?.get("schema"))
                .cloned()
                .unwrap_or(Value::Null),
        ),
        _ => None,
    }
}

/// One text per vector asked for, and the bytes to count.
fn read_inputs(input: Option<&Value>) -> Result<(Vec<String>, u64), String> {
    let refuse = || "invalid 'input': expected a string, strings, or token ids".to_owned();
    let items = match input {
        None => return Ok((Vec::new(), 0)),
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) if items.iter().all(Value::is_u64) && !items.is_empty() => {
            let bytes = BYTES_PER_TOKEN * length(items.len());
            return Ok((vec![Value::Array(items.clone()).to_string()], bytes));
        }
        Some(Value::Array(items)) if (1..=MOST_INPUTS).contains(&items.len()) => {
            let mut texts = Vec::with_capacity(items.len());
            let mut bytes = 0;
            for item in items {
                match item {
                    Value::String(text) => {
                        bytes += length(text.len());
                        texts.push(text.clone());
                    }
                    Value::Array(ids) if ids.iter().all(Value::is_u64) => {
                        bytes += BYTES_PER_TOKEN * length(ids.len());
                        texts.push(item.to_string());
                    }
                    _ => return Err(refuse()),
                }
            }
            return Ok((texts, bytes));
        }
        Some(_) => return Err(refuse()),
    };
    let bytes = items.iter().map(|text| length(text.len())).sum();
    Ok((items, bytes))
}
