//! Embeddings as Cohere takes and gives them, at its own place and on Bedrock.
//!
//! Cohere wants to know what a text is for. Who does not say so stores documents.

use tollgate_core::{Usage, UsageSource};

use crate::chat::write::object;
use crate::embedding::wanted::{Vectors, Wanted};
use crate::json::{self, Fields};
use crate::passthrough::fault_of;
use crate::report::{Malformed, Report};

/// What a text is for where nobody says.
const PURPOSE: &str = "search_document";

/// Writes the request. `model`: `None` where the path names it.
pub(crate) fn request(wanted: &Wanted<'_>, model: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    object(&mut out, |o| {
        if let Some(model) = model {
            o.text("model", model);
        }
        o.text("input_type", wanted.purpose.as_deref().unwrap_or(PURPOSE));
        o.array("texts", |a| wanted.texts.iter().for_each(|text| a.text(text)));
        o.array("embedding_types", |a| a.text("float"));
        if let Some(dimensions) = wanted.dimensions {
            o.plain("output_dimension", dimensions);
        }
        if let Some(truncate) = &wanted.truncate {
            o.text("truncate", truncate);
        }
    });
    out
}

/// Reads the answer.
///
/// # Errors
/// If it is no JSON object, or holds no vectors.
pub(crate) fn vectors(body: &[u8]) -> Result<Vectors<'_>, Malformed> {
    let answer = Fields::parse(body).map_err(|fault| Malformed(fault.to_string()))?;
    let mut report = Report {
        complete: true,
        ..Report::default()
    };
    if let Some(vectors) = found(&answer) {
        report.has_content = true;
        let meta = answer.object("meta").unwrap_or_default();
        report.usage = meta.object("billed_units").and_then(|units| usage(&units));
        return Ok(Vectors { vectors, report });
    }
    if answer.text("message").is_some() || answer.raw("error").is_some() {
        report.error = Some(fault_of(body));
        return Ok(Vectors {
            vectors: Vec::new(),
            report,
        });
    }
    Err(Malformed("it has no `embeddings`".to_owned()))
}

/// The vectors, as JSON text: by type, or where no type was asked for, alone.
fn found<'a>(answer: &Fields<'a>) -> Option<Vec<&'a str>> {
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
