//! Embeddings: what a client of OpenAI asks, read once for all who ask for vectors otherwise, and their answers as OpenAI
//! would give them.

pub(crate) mod wanted;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tollgate_core::{Dialect, ProviderKind, Refusal, Surface};

use crate::chat::write::object;
use crate::egress::Egress;
use crate::estimate::estimate_usage;
use crate::json;
use crate::loss::Loss;
use crate::report::{Malformed, Report};
use crate::{bedrock, cohere, gemini};
use wanted::{Encoding, Spoken, Vectors, Wanted};

/// Writes a client's answer from a provider's.
#[derive(Debug)]
pub(crate) struct Translation {
    spoken: Spoken,
    encoding: Encoding,
    model: Box<str>,
    text_bytes: usize,
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
