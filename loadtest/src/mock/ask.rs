//! Reads requests: only what an answer depends on, in one pass, everything else skipped.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Text in bytes that counts as one token.
const BYTES_PER_TOKEN: u64 = 4;
/// The most answers one request may ask for.
const MOST_CHOICES: u32 = 16;
/// The most vectors, and the most dimensions of one, that one request may ask for.
const MOST_INPUTS: usize = 2048;
const MOST_DIMENSIONS: usize = 4096;
const DEFAULT_DIMENSIONS: usize = 64;

/// The tokens of `text_bytes` bytes of prompt: a quarter, rounded up, at least 1. What counts as prompt text are the
/// strings under `messages`, `system`, `prompt` and `input`: whole contents, `text` parts and tool results, summed
/// before they are divided. A token id in an embeddings `input` counts as 4 bytes.
pub fn count_tokens(text_bytes: u64) -> u64 {
    text_bytes.div_ceil(BYTES_PER_TOKEN).max(1)
}

/// What an answer depends on.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each mirrors one independent field of the wire format"
)]
pub(crate) struct Ask {
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    pub(crate) prompt_tokens: u64,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) choices: u32,
    /// A tool the request demands, or the first it offers.
    pub(crate) tool: Option<OfferedTool>,
    pub(crate) tool_demanded: bool,
    /// The schema the answer must fit; an empty one for "any object".
    pub(crate) schema: Option<Value>,
    pub(crate) thinking: bool,
    /// Of an embeddings request: one text to hash per vector.
    pub(crate) inputs: Vec<String>,
    pub(crate) dimensions: usize,
    pub(crate) base64: bool,
}

#[derive(Debug)]
pub(crate) struct OfferedTool {
    pub(crate) name: String,
    pub(crate) schema: Value,
}

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
    dimensions: Option<usize>,
    encoding_format: Option<Cow<'a, str>>,
    tools: Option<Vec<Value>>,
    tool_choice: Option<Value>,
    response_format: Option<Value>,
    output_config: Option<Value>,
    output_format: Option<Value>,
    thinking: Option<Value>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

/// Reads a request body. `model_in_path` stands in for a body without a model, and wins over one with it.
///
/// # Errors
/// What is wrong with it, in a sentence for people.
pub(crate) fn read(body: &[u8], model_in_path: Option<&str>) -> Result<Ask, String> {
    let wire: Wire<'_> = serde_json::from_slice(body).map_err(|error| format!("request body: {error}"))?;
    let model = match (model_in_path, &wire.model) {
        (Some(model), _) => model.to_owned(),
        (None, Some(model)) if !model.is_empty() => model.clone().into_owned(),
        _ => return Err("missing required parameter: 'model'".to_owned()),
    };
    let choices = wire.n.unwrap_or(1);
    if !(1..=MOST_CHOICES).contains(&choices) {
        return Err(format!(
            "invalid 'n': found {choices}, expected 1 to {MOST_CHOICES}"
        ));
    }
    let dimensions = wire.dimensions.unwrap_or(DEFAULT_DIMENSIONS);
    if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
        return Err(format!(
            "invalid 'dimensions': found {dimensions}, expected 1 to {MOST_DIMENSIONS}"
        ));
    }
    let (inputs, input_bytes) = read_inputs(wire.input.as_ref())?;
    let (tool, tool_demanded) = read_tools(&wire);
    let text_bytes = wire.messages.0 + wire.system.0 + wire.prompt.0 + input_bytes;
    Ok(Ask {
        model,
        stream: wire.stream.unwrap_or(false),
        include_usage: wire
            .stream_options
            .as_ref()
            .and_then(|options| options.include_usage)
            == Some(true),
        prompt_tokens: count_tokens(text_bytes),
        max_tokens: wire.max_completion_tokens.or(wire.max_tokens),
        choices,
        tool,
        tool_demanded,
        schema: read_schema(&wire),
        thinking: matches!(
            text_at(wire.thinking.as_ref(), "/type"),
            Some("enabled" | "adaptive")
        ),
        inputs,
        dimensions,
        base64: wire.encoding_format.as_deref() == Some("base64"),
    })
}

fn text_at<'a>(value: Option<&'a Value>, pointer: &str) -> Option<&'a str> {
    value?.pointer(pointer)?.as_str()
}

/// The tool to call if one is called, and whether the request demands a call.
fn read_tools(wire: &Wire<'_>) -> (Option<OfferedTool>, bool) {
    let choice = wire.tool_choice.as_ref();
    let mode = choice
        .and_then(Value::as_str)
        .or_else(|| text_at(choice, "/type"));
    let named = text_at(choice, "/function/name").or_else(|| text_at(choice, "/name"));
    let demanded = matches!(mode, Some("required" | "any" | "tool" | "function"));
    let offered = wire.tools.iter().flatten().filter_map(|tool| {
        let name = text_at(Some(tool), "/function/name").or_else(|| text_at(Some(tool), "/name"))?;
        let schema = tool
            .pointer("/function/parameters")
            .or_else(|| tool.get("input_schema"));
        Some((name, schema))
    });
    let tool = offered
        .into_iter()
        .find(|(name, _)| named.is_none_or(|named| named == *name))
        .map(|(name, schema)| OfferedTool {
            name: name.to_owned(),
            schema: schema.cloned().unwrap_or(Value::Null),
        });
    let demanded = demanded && tool.is_some();
    (tool, demanded)
}

/// The schema of a structured answer, in the spellings of both dialects.
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
        "json_object" => Some(Value::Null),
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

fn length(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// The bytes of prompt text in a value: strings, `text` and `content` of objects, elements of lists.
#[derive(Debug, Clone, Copy, Default)]
struct TextBytes(u64);

impl<'de> Deserialize<'de> for TextBytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextBytesVisitor)
    }
}

struct TextBytesVisitor;

/// A key that is copied only when it is escaped.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for TextBytesVisitor {
    type Value = TextBytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, or a list of messages or parts")
    }

    fn visit_str<E>(self, text: &str) -> Result<TextBytes, E> {
        Ok(TextBytes(length(text.len())))
    }

    fn visit_unit<E>(self) -> Result<TextBytes, E> {
        Ok(TextBytes(0))
    }

    fn visit_u64<E>(self, _token_id: u64) -> Result<TextBytes, E> {
        Ok(TextBytes(BYTES_PER_TOKEN))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<TextBytes, A::Error> {
        let mut sum = 0;
        while let Some(TextBytes(bytes)) = seq.next_element()? {
            sum += bytes;
        }
        Ok(TextBytes(sum))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TextBytes, A::Error> {
        let mut sum = 0;
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            if matches!(key.as_ref(), "content" | "text") {
                sum += map.next_value::<TextBytes>()?.0;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(TextBytes(sum))
    }
}

#[cfg(test)]
mod tests;
