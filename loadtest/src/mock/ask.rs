//! Reads requests: only what an answer depends on. Each dialect has a reader of its own; what is asked for is the same
//! in all of them.

mod converse;
mod google;
mod messages;
mod responses;
mod text;
mod vectors;

use serde_json::Value;

use super::endpoint::{Endpoint, Teller, Writer};
use text::text_bytes;

pub use text::count_tokens;

/// The most answers one request may ask for.
const MOST_CHOICES: u32 = 16;
/// The most vectors, and the most dimensions of one, that one request may ask for.
const MOST_INPUTS: usize = 2048;
const MOST_DIMENSIONS: usize = 4096;
const DEFAULT_DIMENSIONS: usize = 64;

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
    /// One text to hash for each vector, or for each rank.
    pub(crate) inputs: Vec<String>,
    pub(crate) dimensions: usize,
    pub(crate) base64: bool,
    /// The most ranks to tell.
    pub(crate) most: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct OfferedTool {
    pub(crate) name: String,
    pub(crate) schema: Value,
}

impl Ask {
    /// Of `model`, with a prompt of so many bytes of text, and nothing else asked for.
    fn new(model: String, text_bytes: u64) -> Self {
        Self {
            model,
            stream: false,
            include_usage: false,
            prompt_tokens: count_tokens(text_bytes),
            max_tokens: None,
            choices: 1,
            tool: None,
            tool_demanded: false,
            schema: None,
            thinking: false,
            inputs: Vec::new(),
            dimensions: DEFAULT_DIMENSIONS,
            base64: false,
            most: None,
        }
    }
}

/// Reads what is asked of an endpoint. `in_path`: the model that its path names, which wins over one in the body.
///
/// # Errors
/// What is wrong with it, in a sentence for people.
pub(crate) fn read(endpoint: Endpoint, body: &[u8], in_path: Option<&str>) -> Result<Ask, String> {
    let mut ask = match endpoint {
        Endpoint::Write(Writer::Text(_) | Writer::Messages | Writer::Chat)
        | Endpoint::Tell(Teller::Embeddings | Teller::CountTokens | Teller::RawCount) => {
            messages::read(body, in_path)
        }
        Endpoint::Write(Writer::RawPredict { .. }) => messages::read_versioned(body, in_path),
        Endpoint::Write(Writer::Responses) | Endpoint::Tell(Teller::InputTokens) => {
            responses::read(&value(body)?)
        }
        Endpoint::Write(Writer::Generate(_)) | Endpoint::Tell(Teller::CountContents) => {
            google::read(&value(body)?, in_path)
        }
        Endpoint::Write(Writer::Converse { .. }) => converse::read(&value(body)?, in_path),
        Endpoint::Tell(Teller::CountConverse) => converse::read_counted(&value(body)?, in_path),
        Endpoint::Tell(Teller::EmbedContent) => vectors::content(&value(body)?, in_path),
        Endpoint::Tell(Teller::BatchEmbedContents) => vectors::contents(&value(body)?, in_path),
        Endpoint::Tell(Teller::Predict) => vectors::instances(&value(body)?, in_path),
        Endpoint::Tell(Teller::Embed) => vectors::texts(&value(body)?, None),
        Endpoint::Tell(Teller::Invoke) => vectors::invoked(&value(body)?, in_path),
        Endpoint::Tell(Teller::Rerank) => vectors::documents(&value(body)?),
    }?;
    if let Some(streams) = endpoint.streams() {
        ask.stream = streams;
    }
    Ok(ask)
}

fn value(body: &[u8]) -> Result<Value, String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| format!("request body: {error}"))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err("request body: expected an object".to_owned())
    }
}

/// A model that a path or a body names.
fn model(named: Option<&str>) -> Result<String, String> {
    match named {
        Some(name) if !name.is_empty() => Ok(name.to_owned()),
        _ => Err("missing required parameter: 'model'".to_owned()),
    }
}

/// A member that must be there.
fn required<'a>(body: &'a Value, name: &str) -> Result<&'a Value, String> {
    body.get(name)
        .filter(|it| !it.is_null())
        .ok_or_else(|| format!("missing required parameter: '{name}'"))
}

fn text_at<'a>(value: Option<&'a Value>, pointer: &str) -> Option<&'a str> {
    value?.pointer(pointer)?.as_str()
}

fn checked_choices(choices: u32) -> Result<u32, String> {
    if (1..=MOST_CHOICES).contains(&choices) {
        return Ok(choices);
    }
    Err(format!(
        "invalid 'n': found {choices}, expected 1 to {MOST_CHOICES}"
    ))
}

fn checked_dimensions(dimensions: Option<u64>) -> Result<usize, String> {
    let dimensions = dimensions.map_or(DEFAULT_DIMENSIONS, |it| usize::try_from(it).unwrap_or(usize::MAX));
    if (1..=MOST_DIMENSIONS).contains(&dimensions) {
        return Ok(dimensions);
    }
    Err(format!(
        "invalid 'dimensions': found {dimensions}, expected 1 to {MOST_DIMENSIONS}"
    ))
}

/// The tool that is named, or else the first of those offered.
fn chosen<'a>(
    mut offered: impl Iterator<Item = (&'a str, Option<&'a Value>)>,
    named: Option<&str>,
) -> Option<OfferedTool> {
    let found = offered.find(|(name, _)| named.is_none_or(|named| named == *name));
    found.map(|(name, schema)| OfferedTool {
        name: name.to_owned(),
        schema: schema.cloned().unwrap_or(Value::Null),
    })
}

fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> + use<'_> {
    value.and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests;
