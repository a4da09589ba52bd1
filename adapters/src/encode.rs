//! From a client's request to a provider's, and back: the one door between the gateway and the dialects.
//!
//! [`encode`] writes the request for one target and hands out the [`Reader`] that understands its answer. Where
//! the dialects are the same, the client's bytes go out with a patch or two in them, and the provider's bytes
//! come back as they are.

#[cfg(test)]
mod tests;

use bytes::Bytes;
use tollgate_core::{Dialect, ProviderKind, Refusal, RefusalKind, RequestId, Surface, Timestamp};

use crate::chat::made::Made;
use crate::classify::{ProviderFailure, failure};
use crate::continuation::Overlap;
use crate::egress::Egress;
use crate::head::{Head, UsagePlace};
use crate::json::{quote, quoted_end, value_span};
use crate::loss::Loss;
use crate::passthrough::{Watching, read_anthropic, read_openai};
use crate::patch::{Misplaced, Patches};
use crate::profile::{profile, refuses};
use crate::report::{Malformed, Report};
use crate::stream::StreamReader;
use crate::translate::{self, Translation};

/// A request as one target takes it.
#[derive(Debug)]
pub struct Encoded {
    /// Path and query, to be appended to the base URL (see [`crate::base_url`]); begins with `/`.
    pub path: String,
    /// The body.
    pub body: Bytes,
    /// What of the client's request it does not carry. Empty where the dialects are the same.
    pub loss: Loss,
    /// Understands the answer.
    pub reader: Reader,
}

/// Understands the answer to one request. Get one from [`encode`].
#[derive(Debug)]
pub struct Reader {
    pub(crate) surface: Surface,
    pub(crate) kind: ProviderKind,
    pub(crate) request_id: RequestId,
    pub(crate) way: Way,
}

/// How an answer becomes the client's.
#[derive(Debug)]
pub(crate) enum Way {
    /// It is in the client's dialect.
    Same(Watching),
    /// It must be translated.
    Translated(Box<Translation>),
    /// It goes on with an answer that another provider began.
    Continues(Box<Translation>, Overlap),
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// The JSON body for the client.
    pub body: Bytes,
    /// What it told. An error in place of an answer (status 200 notwithstanding) is in [`Report::error`].
    pub report: Report,
}

/// Writes a request for one target. `head` must have been read from `body` for the same `surface`.
///
/// # Errors
/// [`RefusalKind::NotTranslatable`] if the target's dialect has no such surface, or cannot carry the request and
/// [`Egress::strict`] is set.
pub fn encode(surface: Surface, head: &Head, body: &Bytes, egress: &Egress<'_>) -> Result<Encoded, Refusal> {
    let upstream = egress.kind.dialect();
    if !surface.servable_by(upstream) {
        let message = format!("{} cannot serve {} requests", egress.kind, surface.operation());
        return Err(Refusal::new(RefusalKind::NotTranslatable, message));
    }
    let is_strict = surface == Surface::ChatCompletions && profile(egress.kind).quirks.is_strict;
    if surface.dialect() != upstream || is_strict {
        return translated(surface, body, egress);
    }
    let mut loss = Loss::default();
    let (body, watching) = patched(surface, head, body, egress, &mut loss).map_err(|fault| {
        Refusal::new(
            RefusalKind::Internal,
            format!("the head does not belong to the body: {fault}"),
        )
    })?;
    if egress.strict
        && let Some(first) = loss.paths().next()
    {
        let message = format!("{} cannot carry: {loss}", egress.kind);
        let first = first.to_owned();
        return Err(Refusal::new(RefusalKind::NotTranslatable, message).at(first));
    }
    Ok(Encoded {
        path: path(surface, egress),
        body,
        loss,
        reader: Reader {
            surface,
            kind: egress.kind,
            request_id: egress.request_id,
            way: Way::Same(watching),
        },
    })
}

/// The client's request in the provider's dialect.
fn translated(surface: Surface, body: &Bytes, egress: &Egress<'_>) -> Result<Encoded, Refusal> {
    let (body, loss, translation) = translate::request(surface, body, egress)?;
    Ok(Encoded {
        path: path(surface, egress),
        body: body.into(),
        loss,
        reader: Reader {
            surface,
            kind: egress.kind,
            request_id: egress.request_id,
            way: Way::Translated(Box::new(translation)),
        },
    })
}

/// The client's body with the target's model in it, with usage asked for where a stream would not tell it, and
/// without what the provider is known to refuse.
fn patched(
    surface: Surface,
    head: &Head,
    body: &Bytes,
    egress: &Egress<'_>,
    loss: &mut Loss,
) -> Result<(Bytes, Watching), Misplaced> {
    let mut patches = Patches::default();
    if matches!(surface, Surface::ChatCompletions | Surface::Completions) {
        mend(head, body, egress, &mut patches, loss)?;
    }
    if *head.model != *egress.model {
        patches.replace(head.model_place.clone(), quote(egress.model))?;
    }
    let streams_usage = matches!(surface, Surface::ChatCompletions | Surface::Completions);
    let asks = head.stream && streams_usage && profile(egress.kind).quirks.takes_stream_options;
    let mut watching = if head.stream && head.include_usage {
        Watching::ForTheClient
    } else {
        Watching::Everything
    };
    if asks {
        let patch: Option<(_, &'static [u8])> = match &head.usage_place {
            UsagePlace::Nowhere => None,
            UsagePlace::Absent(at) => Some((*at..*at, br#""stream_options":{"include_usage":true},"#)),
            UsagePlace::Null(place) => Some((place.clone(), br#"{"include_usage":true}"#)),
            UsagePlace::Lacking(at, true) => Some((*at..*at, br#""include_usage":true,"#)),
            UsagePlace::Lacking(at, false) => Some((*at..*at, br#""include_usage":true"#)),
            UsagePlace::Off(place) => Some((place.clone(), b"true")),
        };
        if let Some((place, with)) = patch {
            patches.replace(place, with)?;
            watching = Watching::WithoutUsage;
        }
    }
    Ok((patches.apply(body)?, watching))
}

/// Words that the provider does not know, or refuses.
fn mend(
    head: &Head,
    body: &Bytes,
    egress: &Egress<'_>,
    patches: &mut Patches,
    loss: &mut Loss,
) -> Result<(), Misplaced> {
    let quirks = &profile(egress.kind).quirks;
    if !quirks.takes_developer {
        for quote in &head.developers {
            let role = value_span(body, *quote).ok_or(Misplaced)?;
            patches.replace(role, &br#""system""#[..])?;
        }
    }
    if let Some(key) = head.completion_limit.filter(|_| !quirks.takes_completion_limit) {
        let behind = quoted_end(body, key).ok_or(Misplaced)?;
        patches.replace(key..behind, &br#"max_tokens""#[..])?;
    }
    let refused = || {
        head.refusable
            .iter()
            .filter(|member| refuses(egress.kind, egress.model, member.name))
    };
    for member in refused().filter(|member| !member.is_idle) {
        loss.note(member.name);
    }
    patches.remove_members(body, refused().map(|member| member.key_at))
}

/// Path and query of a request.
fn path(surface: Surface, egress: &Egress<'_>) -> String {
    let surface = match (egress.kind.dialect(), surface) {
        (Dialect::Anthropic, Surface::CountTokens) => return "/v1/messages/count_tokens".to_owned(),
        (Dialect::Anthropic, _) => return "/v1/messages".to_owned(),
        (Dialect::OpenAi, Surface::Completions) => "/completions",
        (Dialect::OpenAi, Surface::Embeddings) => "/embeddings",
        (Dialect::OpenAi, _) => "/chat/completions",
    };
    match (egress.kind, egress.api_version) {
        (ProviderKind::Azure, Some(version)) => format!(
            "/openai/deployments/{}{surface}?api-version={}",
            percent_encoded(egress.model),
            percent_encoded(version)
        ),
        (ProviderKind::Azure, None) => format!("/openai/v1{surface}"),
        _ => surface.to_owned(),
    }
}

/// As one segment of a path: everything but RFC 3986's unreserved characters is encoded.
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.extend(char::from_digit(u32::from(digit), 16).map(|digit| digit.to_ascii_uppercase()));
            }
        }
    }
    out
}

impl Reader {
    /// Reads a whole answer with a 2xx status.
    ///
    /// # Errors
    /// If it is no JSON object, or none that holds an answer.
    pub fn read(self, body: Bytes) -> Result<Answer, Malformed> {
        match self.way {
            Way::Same(_) => {
                let report = match self.surface.dialect() {
                    Dialect::OpenAi => read_openai(self.surface, self.kind, &body)?,
                    Dialect::Anthropic => read_anthropic(self.surface, &body)?,
                };
                Ok(Answer { body, report })
            }
            Way::Translated(translation) | Way::Continues(translation, _) => {
                let (body, report) = translation.answer(&body)?;
                let body = body.into();
                Ok(Answer { body, report })
            }
        }
    }

    /// Reads an answer with any other status. `header` looks one of its headers up.
    pub fn read_failure(
        &self,
        status: u16,
        header: &dyn Fn(&str) -> Option<String>,
        body: &Bytes,
    ) -> ProviderFailure {
        failure(self.surface.dialect(), self.kind.dialect(), status, header, body)
    }

    /// What translates the answer, and what it may repeat: for one that goes on in another's stream.
    pub(crate) fn into_translation(self) -> (Translation, Overlap) {
        let watching = match self.way {
            Way::Continues(translation, overlap) => return (*translation, overlap),
            Way::Translated(translation) => return (*translation, Overlap::default()),
            Way::Same(watching) => watching,
        };
        // Asked from the beginning, not to go on: an answer of its own then, behind what is there.
        let made = Made {
            request_id: self.request_id,
            now: Timestamp::from_unix_millis(0),
            model: Box::default(),
        };
        let include_usage = watching == Watching::ForTheClient;
        let way = Translation::untouched(self.surface.dialect(), self.kind, include_usage, made);
        (way, Overlap::default())
    }

    /// Reads an event stream with a 2xx status.
    pub fn stream(self) -> StreamReader {
        StreamReader::new(self)
    }
}
