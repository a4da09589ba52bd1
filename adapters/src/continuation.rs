//! An answer that broke off, gone on with by another provider.
//!
//! The client's request is sent to another target with the text so far behind it, as the beginning of the
//! assistant's turn; what comes back is written into the client's open stream ([`crate::StreamReader::continue_with`]).
//! Only plain text can be gone on with: whatever has a form that the rest would have to fit is refused.

#[cfg(test)]
mod tests;

use bytes::Bytes;
use tollgate_core::{Dialect, ProviderKind, Refusal, RefusalKind, Surface};

use crate::chat::made::Made;
use crate::chat::write::object;
use crate::chat::{ChatRequest, Output, Thinking};
use crate::egress::Egress;
use crate::encode::{Encoded, encode};
use crate::estimate::estimate_usage;
use crate::head::Head;
use crate::json::{Fields, count, elements};
use crate::patch::Patches;
use crate::reader::{Reader, Way};
use crate::resume::{Overlap, Partial};
use crate::translate::Translation;
use crate::{anthropic, openai};

/// Writes a request for one target to go on with an answer: the client's request, and behind it `partial`, which
/// the client has of the answer. `head` must have been read from `body` for the same `surface`. The reader that
/// comes with it is for [`crate::StreamReader::continue_with`].
///
/// The limit of tokens is lowered by an estimate of what was answered. An answer of which the client has no text
/// yet is asked for from its beginning.
///
/// # Errors
/// [`RefusalKind::NotTranslatable`] where it cannot work: something else than text has begun
/// ([`Partial::obstacle`]); the request wants several answers, JSON, log probabilities or sound; Anthropic's models
/// that think, or do not go on with a turn. Besides, whatever [`encode`] refuses.
pub fn encode_continuation(
    surface: Surface,
    head: &Head,
    body: &Bytes,
    partial: &Partial,
    egress: &Egress<'_>,
) -> Result<Encoded, Refusal> {
    if let Some(obstacle) = partial.obstacle() {
        return Err(refused(obstacle));
    }
    let request = match surface {
        Surface::ChatCompletions => openai::decode::request(body)?,
        Surface::Messages => anthropic::decode::request(body)?,
        _ => return Err(refused("only chat completions and messages can be continued")),
    };
    let upstream = egress.kind.dialect_for(surface);
    if !matches!(upstream, Dialect::OpenAi | Dialect::Anthropic) {
        return Err(refused("this provider does not go on with an answer"));
    }
    check(&request, egress)?;
    let include_usage = request.include_usage;
    drop(request);
    let encoded = encode(surface, head, body, egress)?;
    let text = partial.text();
    let (said, overlap) = match egress.kind {
        // A turn to go on with may not end in white space there.
        ProviderKind::Anthropic | ProviderKind::VertexAnthropic => {
            let said = text.trim_end();
            let space = text.get(said.len()..).unwrap_or_default();
            (said, Overlap::of_space(space))
        }
        // Begins with what it was given.
        ProviderKind::Mistral => (text, Overlap::of_answer(text)),
        _ => (text, Overlap::default()),
    };
    let reader = encoded.reader;
    let translation = match reader.way {
        Way::Translated(translation) | Way::Continues(translation, _) => *translation,
        Way::Same(_) | Way::Embedding(..) => {
            let made = Made {
                request_id: egress.request_id,
                now: egress.now,
                model: egress.model.into(),
            };
            Translation::untouched(surface.dialect(), egress.kind, include_usage, made)
        }
    };
    Ok(Encoded {
        body: if said.is_empty() {
            encoded.body
        } else {
            with_turn(&encoded.body, said, egress.kind).ok_or_else(lost)?
        },
        reader: Reader {
            way: Way::Continues(Box::new(translation), overlap),
            ..reader
        },
        ..encoded
    })
}

/// A comment line for the client's stream, which every reader of events skips: from here on, this provider
/// answers. In names, whatever is not a visible ASCII character becomes `_`.
pub fn render_seam(provider: &str, model: &str) -> Bytes {
    let clean = |name: &str| -> String {
        let visible = |c: char| if c.is_ascii_graphic() { c } else { '_' };
        name.chars().map(visible).collect()
    };
    format!(
        ": tollgate seam provider={} model={}\n\n",
        clean(provider),
        clean(model)
    )
    .into()
}

fn refused(why: &'static str) -> Refusal {
    Refusal::new(RefusalKind::NotTranslatable, why)
}

fn lost() -> Refusal {
    Refusal::new(
        RefusalKind::Internal,
        "the messages of the body were not found again",
    )
}

/// Whether the rest of an answer to this request would fit to its beginning.
fn check(request: &ChatRequest<'_>, egress: &Egress<'_>) -> Result<(), Refusal> {
    let sampling = &request.sampling;
    if sampling.n.is_some_and(|n| n > 1) {
        return Err(refused("several answers cannot be continued").at("n"));
    }
    if sampling.logprobs.is_some() || sampling.top_logprobs.is_some() {
        return Err(refused("log probabilities cannot be continued").at("logprobs"));
    }
    if let Some(output) = request
        .output
        .as_ref()
        .filter(|output| output.value != Output::Text)
    {
        return Err(refused("an answer in JSON cannot be continued").at(output.at));
    }
    if request
        .extra
        .iter()
        .any(|(name, _)| name == "modalities" || name == "audio")
    {
        return Err(refused("an answer that may be sound cannot be continued").at("modalities"));
    }
    if !matches!(
        egress.kind,
        ProviderKind::Anthropic | ProviderKind::VertexAnthropic
    ) {
        return Ok(());
    }
    if !anthropic::quirks::takes(egress.model).prefill {
        return Err(refused("this model does not go on with an answer"));
    }
    // In Anthropic's own dialect, effort alone does not switch thinking on.
    let reasoning = &request.reasoning;
    let thinks = match (&reasoning.mode, &reasoning.effort) {
        (Some(mode), _) => mode.value != Thinking::Off,
        (None, Some(effort)) => request.origin != Dialect::Anthropic && effort.value != "none",
        (None, None) => false,
    };
    if thinks {
        return Err(refused("a model that thinks first does not go on with an answer"));
    }
    Ok(())
}

/// `body`, written for a provider of this kind, with a turn of the assistant behind its messages. `None`: it has
/// no messages.
fn with_turn(body: &Bytes, said: &str, kind: ProviderKind) -> Option<Bytes> {
    let fields = Fields::parse(body).ok()?;
    let messages = fields.raw("messages").filter(|list| list.starts_with('['))?;
    let start = messages.as_ptr().addr().checked_sub(body.as_ptr().addr())?;
    let end = start + messages.len();
    let mut with = Vec::with_capacity(said.len() + 64);
    if !elements(messages).is_empty() {
        with.push(b',');
    }
    object(&mut with, |o| {
        o.text("role", "assistant").text("content", said);
        match kind {
            ProviderKind::Mistral => o.plain("prefix", true).end(),
            ProviderKind::DashScope => o.plain("partial", true).end(),
            _ => {}
        }
    });
    with.push(b']');
    if kind == ProviderKind::Vllm {
        for (name, value) in [
            ("continue_final_message", "true"),
            ("add_generation_prompt", "false"),
        ] {
            if fields.raw_or_null(name).is_none() {
                with.extend_from_slice(format!(",\"{name}\":{value}").as_bytes());
            }
        }
    }
    let mut patches = Patches::default();
    patches.replace(end.checked_sub(1)?..end, with).ok()?;
    let answered = estimate_usage(0, u64::try_from(said.len()).unwrap_or(u64::MAX)).output;
    for name in ["max_tokens", "max_completion_tokens"] {
        let Some((json, limit)) = fields.raw(name).and_then(|json| Some((json, count(json)?))) else {
            continue;
        };
        let start = json.as_ptr().addr().checked_sub(body.as_ptr().addr())?;
        let left = limit.saturating_sub(answered).max(1).to_string();
        patches
            .replace(start..start + json.len(), left.into_bytes())
            .ok()?;
    }
    patches.apply(body).ok()
}
