//! Embeddings as Google takes and gives them: `batchEmbedContents` of the Gemini API, `predict` of Vertex AI.

use std::borrow::Cow;

use tollgate_core::{Usage, UsageSource};

use crate::chat::write::object;
use crate::embedding::wanted::{Vectors, Wanted};
use crate::json::Fields;
use crate::loss::Loss;
use crate::passthrough::fault_of;
use crate::report::{Malformed, Report};

/// Writes a request to the Gemini API: one for each text.
pub(crate) fn request(wanted: &Wanted<'_>, model: &str, loss: &mut Loss) -> Vec<u8> {
    let task = task(wanted, loss);
    let name = match model.split_once('/') {
        Some(_) => Cow::Borrowed(model),
        None => Cow::Owned(format!("models/{model}")),
    };
    let mut out = Vec::new();
    object(&mut out, |o| {
        o.array("requests", |a| {
            for text in &wanted.texts {
                a.object(|o| {
                    o.text("model", &name).object("content", |o| {
                        o.array("parts", |a| {
                            a.object(|o| {
                                o.text("text", text);
                            });
                        });
                    });
                    if let Some(task) = &task {
                        o.text("taskType", task);
                    }
                    if let Some(dimensions) = wanted.dimensions {
                        o.plain("outputDimensionality", dimensions);
                    }
                });
            }
        });
    });
    out
}

/// Writes a request to Vertex AI.
pub(crate) fn prediction(wanted: &Wanted<'_>, loss: &mut Loss) -> Vec<u8> {
    let task = task(wanted, loss);
    let mut out = Vec::new();
    object(&mut out, |o| {
        o.array("instances", |a| {
            for text in &wanted.texts {
                a.object(|o| {
                    o.text("content", text);
                    if let Some(task) = &task {
                        o.text("task_type", task);
                    }
                });
            }
        });
        if let Some(dimensions) = wanted.dimensions {
            o.object("parameters", |o| {
                o.plain("outputDimensionality", dimensions);
            });
        }
    });
    out
}

/// What the texts are for, in Google's word for it.
fn task(wanted: &Wanted<'_>, loss: &mut Loss) -> Option<Cow<'static, str>> {
    if wanted.truncate.is_some() {
        loss.note("truncate");
    }
    let purpose = wanted.purpose.as_deref()?;
    Some(match purpose {
        "search_document" => Cow::Borrowed("RETRIEVAL_DOCUMENT"),
        "search_query" => Cow::Borrowed("RETRIEVAL_QUERY"),
        other => Cow::Owned(other.to_ascii_uppercase()),
    })
}

/// Reads an answer of the Gemini API.
///
/// # Errors
/// If it is no JSON object, or holds no vectors.
pub(crate) fn vectors(body: &[u8]) -> Result<Vectors<'_>, Malformed> {
    read(body, "embeddings", |embedding| {
        Some((embedding.raw("values")?, None))
    })
}

/// Reads an answer of Vertex AI, where each vector tells its own tokens.
///
/// # Errors
/// If it is no JSON object, or holds no vectors.
pub(crate) fn predicted(body: &[u8]) -> Result<Vectors<'_>, Malformed> {
    read(body, "predictions", |prediction| {
        let embedding = prediction.object("embeddings")?;
        let statistics = embedding.object("statistics").unwrap_or_default();
        Some((embedding.raw("values")?, statistics.count("token_count")))
    })
}

/// `each`: the vector of one entry of the list, and its tokens where it tells them.
fn read<'a>(
    body: &'a [u8],
    list: &str,
    each: impl Fn(&Fields<'a>) -> Option<(&'a str, Option<u64>)>,
) -> Result<Vectors<'a>, Malformed> {
    let answer = Fields::parse(body).map_err(|fault| Malformed(fault.to_string()))?;
    let mut report = Report {
        complete: true,
        ..Report::default()
    };
    if answer.raw(list).is_none() {
        if answer.raw("error").is_none() {
            return Err(Malformed(format!("it has no `{list}`")));
        }
        report.error = Some(fault_of(body));
        return Ok(Vectors {
            vectors: Vec::new(),
            report,
        });
    }
    let (mut vectors, mut counted) = (Vec::new(), None);
    for entry in answer.elements(list) {
        let found = Fields::of(entry).and_then(|entry| each(&entry));
        let (vector, tokens) =
            found.ok_or_else(|| Malformed(format!("an entry of `{list}` has no values")))?;
        vectors.push(vector);
        counted = tokens
            .map(|tokens| counted.unwrap_or(0_u64).saturating_add(tokens))
            .or(counted);
    }
    let told = answer
        .object("usageMetadata")
        .and_then(|usage| usage.count("promptTokenCount"));
    report.has_content = true;
    report.usage = told.or(counted).map(|input| Usage {
        input,
        source: UsageSource::Reported,
        ..Usage::default()
    });
    Ok(Vectors { vectors, report })
}
