//! Embeddings: what a client of OpenAI asks, read once for all who ask for vectors otherwise, and their answers as OpenAI
//! would give them.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tollgate_core::{Dialect, ProviderKind, Refusal, RefusalKind, Surface};

use crate::chat::lose_extra;
use crate::chat::read::{Node, Path, wrong};
use crate::chat::write::object;
use crate::egress::Egress;
use crate::estimate::estimate_usage;
use crate::json;
use crate::loss::Loss;
use crate::report::{Malformed, Report};
use crate::{bedrock, cohere, gemini};

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

/// What a client asks for.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    /// One at least.
    pub(crate) texts: Vec<Cow<'a, str>>,
    pub(crate) encoding: Encoding,
    pub(crate) dimensions: Option<u64>,
    /// What the texts are for, in the field `input_type` that servers compatible to OpenAI take too.
    pub(crate) purpose: Option<Cow<'a, str>>,
    /// What becomes of a text that is too long.
    pub(crate) truncate: Option<Cow<'a, str>>,
}

/// What an answer holds.
#[derive(Debug)]
pub(crate) struct Vectors<'a> {
    /// Each as the JSON text of an array of numbers.
    pub(crate) vectors: Vec<&'a str>,
    pub(crate) report: Report,
}

/// Whose words vectors are asked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoken {
    Cohere,
    Gemini,
    Vertex,
    Titan,
    CohereAtBedrock,
}

/// Writes a client's answer from a provider's.
#[derive(Debug)]
pub(crate) struct Translation {
    spoken: Spoken,
    encoding: Encoding,
    model: Box<str>,
    text_bytes: usize,
}

impl<'a> Wanted<'a> {
    /// Reads a request.
    ///
    /// # Errors
    /// What is not JSON, fields of the wrong type, and texts that come as tokens.
    pub(crate) fn read(body: &'a [u8], loss: &mut Loss) -> Result<Self, Refusal> {
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
        if node.text("user")?.is_some() {
            loss.note("user");
        }
        lose_extra("", &node.extra(KNOWN), loss);
        Ok(Self {
            texts,
            encoding,
            dimensions: node.count("dimensions")?,
            purpose: node.text("input_type")?,
            truncate: node.text("truncate")?,
        })
    }
}

/// Writes the request for a target that speaks otherwise.
///
/// # Errors
/// As [`Wanted::read`]; and what the target's model cannot do.
pub(crate) fn request(
    body: &[u8],
    egress: &Egress<'_>,
    loss: &mut Loss,
) -> Result<(Vec<u8>, Translation), Refusal> {
    let wanted = Wanted::read(body, loss)?;
    let (spoken, out) = match egress.kind.dialect_for(Surface::Embeddings) {
        Dialect::Gemini if egress.kind == ProviderKind::Vertex => {
            (Spoken::Vertex, gemini::embed::prediction(&wanted, loss))
        }
        Dialect::Gemini => (
            Spoken::Gemini,
            gemini::embed::request(&wanted, egress.model, loss),
        ),
        Dialect::Bedrock => bedrock::embed::request(&wanted, egress.model, loss)?,
        _ => (
            Spoken::Cohere,
            cohere::embed::request(&wanted, Some(egress.model)),
        ),
    };
    let translation = Translation {
        spoken,
        encoding: wanted.encoding,
        model: egress.model.into(),
        text_bytes: wanted.texts.iter().map(|text| text.len()).sum(),
    };
    Ok((out, translation))
}

impl Translation {
    /// Writes the answer, and what it tells.
    ///
    /// # Errors
    /// If it is no JSON object, or holds no vectors.
    pub(crate) fn answer(&self, body: &[u8]) -> Result<(Vec<u8>, Report), Malformed> {
        let Vectors { vectors, report } = match self.spoken {
            Spoken::Cohere | Spoken::CohereAtBedrock => cohere::embed::vectors(body)?,
            Spoken::Gemini => gemini::embed::vectors(body)?,
            Spoken::Vertex => gemini::embed::predicted(body)?,
            Spoken::Titan => bedrock::embed::vectors(body)?,
        };
        let mut packed = Vec::new();
        if self.encoding == Encoding::Base64 {
            for vector in &vectors {
                let vector = base64(vector);
                packed
                    .push(vector.ok_or_else(|| Malformed("an embedding is not made of numbers".to_owned()))?);
            }
        }
        let estimate = || estimate_usage(u64::try_from(self.text_bytes).unwrap_or(u64::MAX), 0);
        let tokens = report.usage.unwrap_or_else(estimate).prompt_total();
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
            o.text("model", &self.model).object("usage", |o| {
                o.plain("prompt_tokens", tokens).plain("total_tokens", tokens);
            });
        });
        Ok((out, report))
    }
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

/// A vector of JSON numbers as base64 of 32-bit floats.
fn base64(vector: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(vector.len() / 2);
    for number in json::elements(vector) {
        let number: f32 = number.parse().ok()?;
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    Some(STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests;
