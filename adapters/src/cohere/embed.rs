//! Embeddings: what a client of OpenAI asks, as Cohere takes it, and Cohere's answer as OpenAI would give it.
//!
//! Cohere wants to know what a text is for. Who does not say so in a field `input_type`, which servers compatible to
//! OpenAI take too, stores documents.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tollgate_core::{Refusal, RefusalKind, Usage, UsageSource};

use crate::chat::lose_extra;
use crate::chat::read::{Node, Path, wrong};
use crate::chat::write::object;
use crate::json::{self, Fields};
use crate::loss::Loss;
use crate::passthrough::fault_of;
use crate::report::{Malformed, Report};

/// What a text is for where nobody says.
const PURPOSE: &str = "search_document";
/// The fields that are understood.
const KNOWN: &[&str] = &[
    "model",
    "input",
    "encoding_format",
    "dimensions",
    "user",
    "input_type",
    "truncate",
];

/// How the client wants numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As JSON numbers.
    Float,
    /// As base64 of 32-bit floats, little end first.
    Base64,
}

/// Writes the request for `model`; the encoding is for the answer.
///
/// # Errors
/// What is not JSON, fields of the wrong type, and texts that come as tokens.
pub(crate) fn request(body: &[u8], model: &str, loss: &mut Loss) -> Result<(Vec<u8>, Encoding), Refusal> {
    let node = Node::root(body)?;
    let texts = texts(&node)?;
    let encoding = match node.text("encoding_format")?.as_deref() {
        None | Some("float") => Encoding::Float,
        Some("base64") => Encoding::Base64,
        Some(_) => {
            let path = Path::Key(&node.path, "encoding_format");
            return Err(wrong(path, "`float` or `base64`"));
        }
    };
    let purpose = node.text("input_type")?.unwrap_or(Cow::Borrowed(PURPOSE));
    let dimensions = node.count("dimensions")?;
    let truncate = node.text("truncate")?;
    if node.text("user")?.is_some() {
        loss.note("user");
    }
    lose_extra("", &node.extra(KNOWN), loss);
    let mut out = Vec::with_capacity(body.len() + 128);
    object(&mut out, |o| {
        o.text("model", model).text("input_type", &purpose);
        o.array("texts", |a| texts.iter().for_each(|text| a.text(text)));
        o.array("embedding_types", |a| a.text("float"));
        if let Some(dimensions) = dimensions {
            o.plain("output_dimension", dimensions);
        }
        if let Some(truncate) = &truncate {
            o.text("truncate", truncate);
        }
    });
    Ok((out, encoding))
}

/// `input`: a text, or several.
fn texts<'a>(node: &Node<'a, '_>) -> Result<Vec<Cow<'a, str>>, Refusal> {
    let path = Path::Key(&node.path, "input");
    let expected = || wrong(path, "a string or an array of strings");
    let json = node.raw("input").ok_or_else(expected)?;
    if let Some(text) = json::text(json) {
        return Ok(vec![text]);
    }
    let elements = node.elements("input").map_err(|_| expected())?;
    if elements.is_empty() {
        return Err(expected());
    }
    let is_token = |json: &&str| json.starts_with('[') || json.parse::<u64>().is_ok();
    if elements.first().is_some_and(is_token) {
        let message = "this target takes texts, not tokens: `input` must be a string or an array of strings";
        return Err(Refusal::new(RefusalKind::NotTranslatable, message).at("input"));
    }
    let texts = elements.into_iter().map(json::text);
    texts.collect::<Option<Vec<_>>>().ok_or_else(expected)
}

/// Writes the answer, and what it tells.
pub(crate) fn answer(body: &[u8], model: &str, encoding: Encoding) -> Result<(Vec<u8>, Report), Malformed> {
    let report = report(body)?;
    let answer = Fields::parse(body).map_err(|fault| Malformed(fault.to_string()))?;
    let vectors = vectors(&answer).unwrap_or_default();
    let mut packed = Vec::with_capacity(vectors.len());
    if encoding == Encoding::Base64 {
        for vector in &vectors {
            packed.push(
                base64(vector).ok_or_else(|| Malformed("an embedding is not made of numbers".to_owned()))?,
            );
        }
    }
    let tokens = report.usage.map_or(0, |usage| usage.prompt_total());
    let mut out = Vec::with_capacity(body.len() + 128);
    object(&mut out, |o| {
        o.text("object", "list").array("data", |a| {
            for (index, vector) in vectors.iter().enumerate() {
                a.object(|o| {
                    o.text("object", "embedding").plain("index", index);
                    match packed.get(index) {
                        Some(packed) => o.text("embedding", packed).end(),
                        None => o.raw("embedding", vector).end(),
                    }
                });
            }
        });
        o.text("model", model).object("usage", |o| {
            o.plain("prompt_tokens", tokens).plain("total_tokens", tokens);
        });
    });
    Ok((out, report))
}

/// What an answer tells of itself.
pub(crate) fn report(body: &[u8]) -> Result<Report, Malformed> {
    let answer = Fields::parse(body).map_err(|fault| Malformed(fault.to_string()))?;
    let mut report = Report {
        complete: true,
        ..Report::default()
    };
    if vectors(&answer).is_some() {
        report.has_content = true;
        let meta = answer.object("meta").unwrap_or_default();
        report.usage = meta.object("billed_units").and_then(|units| usage(&units));
        return Ok(report);
    }
    if answer.text("message").is_some() || answer.raw("error").is_some() {
        report.error = Some(fault_of(body));
        return Ok(report);
    }
    Err(Malformed("it has no `embeddings`".to_owned()))
}

/// The vectors, as JSON text: by type, or where no type was asked for, alone.
fn vectors<'a>(answer: &Fields<'a>) -> Option<Vec<&'a str>> {
    let found = answer.raw("embeddings")?;
    let list = match Fields::of(found) {
        Some(by_type) => by_type.raw("float")?,
        None => found,
    };
    list.starts_with('[').then(|| json::elements(list))
}

fn usage(units: &Fields<'_>) -> Option<Usage> {
    let (text, images) = (units.count("input_tokens"), units.count("image_tokens"));
    if text.is_none() && images.is_none() {
        return None;
    }
    Some(Usage {
        input: text.unwrap_or(0).saturating_add(images.unwrap_or(0)),
        source: UsageSource::Reported,
        ..Usage::default()
    })
}

/// A vector of JSON numbers as base64 of 32-bit floats.
fn base64(vector: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(vector.len() / 2);
    for number in json::elements(vector) {
        let number: f32 = number.parse().ok()?;
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    Some(STANDARD.encode(bytes))
}
