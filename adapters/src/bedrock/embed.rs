//! Embeddings on Bedrock, which has no dialect of its own for them: each maker's models are invoked in its words.

use tollgate_core::{Refusal, RefusalKind, Usage, UsageSource};

use crate::chat::write::object;
use crate::cohere;
use crate::embedding::wanted::{Spoken, Vectors, Wanted};
use crate::json::Fields;
use crate::loss::Loss;
use crate::passthrough::fault_of;
use crate::report::{Malformed, Report};

/// Writes the request for `model`.
///
/// # Errors
/// [`RefusalKind::NotTranslatable`] for what its maker's models cannot do, and for models of makers that are not known.
pub(crate) fn request(
    wanted: &Wanted<'_>,
    model: &str,
    loss: &mut Loss,
) -> Result<(Spoken, Vec<u8>), Refusal> {
    if model.contains("cohere.embed") {
        return Ok((Spoken::CohereAtBedrock, cohere::embed::request(wanted, None)));
    }
    if model.contains("titan-embed") {
        return titan(wanted, model, loss).map(|out| (Spoken::Titan, out));
    }
    let message =
        format!("of the embeddings on Bedrock, those of Titan and of Cohere are known, not '{model}'");
    Err(Refusal::new(RefusalKind::NotTranslatable, message).at("model"))
}

fn titan(wanted: &Wanted<'_>, model: &str, loss: &mut Loss) -> Result<Vec<u8>, Refusal> {
    let refused = |message: String, field| Err(Refusal::new(RefusalKind::NotTranslatable, message).at(field));
    let [text] = wanted.texts.as_slice() else {
        let message = format!("'{model}' embeds one text a request: send the texts of `input` one by one");
        return refused(message, "input");
    };
    let is_first = !model.contains("titan-embed-text-v2");
    if is_first && wanted.dimensions.is_some() {
        return refused(
            format!("'{model}' has vectors of one length only: leave `dimensions` out"),
            "dimensions",
        );
    }
    for (field, given) in [("input_type", &wanted.purpose), ("truncate", &wanted.truncate)] {
        if given.is_some() {
            loss.note(field);
        }
    }
    let mut out = Vec::new();
    object(&mut out, |o| {
        o.text("inputText", text);
        if let Some(dimensions) = wanted.dimensions {
            o.plain("dimensions", dimensions);
        }
    });
    Ok(out)
}

/// Reads an answer of Titan's.
///
/// # Errors
/// If it is no JSON object, or holds no vector.
pub(crate) fn vectors(body: &[u8]) -> Result<Vectors<'_>, Malformed> {
    let answer = Fields::parse(body).map_err(|fault| Malformed(fault.to_string()))?;
    let mut report = Report {
        complete: true,
        ..Report::default()
    };
    if let Some(vector) = answer.raw("embedding").filter(|it| it.starts_with('[')) {
        report.has_content = true;
        report.usage = answer.count("inputTextTokenCount").map(|input| Usage {
            input,
            source: UsageSource::Reported,
            ..Usage::default()
        });
        return Ok(Vectors {
            vectors: vec![vector],
            report,
        });
    }
    if answer.text("message").is_some() {
        report.error = Some(fault_of(body));
        return Ok(Vectors {
            vectors: Vec::new(),
            report,
        });
    }
    Err(Malformed("it has no `embedding`".to_owned()))
}
