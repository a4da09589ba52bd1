//! What a client of OpenAI asks for, and what an answer holds: for all who ask for vectors otherwise.

use std::borrow::Cow;

use tollgate_core::{Refusal, RefusalKind};

use crate::chat::lose_extra;
use crate::chat::read::{Node, Path, wrong};
use crate::json;
use crate::loss::Loss;
use crate::report::Report;

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
