//! From a client's request to a provider's, and back: the one door between the gateway and the dialects.
//!
//! [`encode`] writes the request for one target and hands out the [`Reader`] that understands its answer. Where
//! the dialects are the same, the client's bytes go out with a patch or two in them, and the provider's bytes
//! come back as they are.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;
use tollgate_core::{Dialect, ProviderKind, Refusal, RefusalKind, Surface, Through, Whom};

use crate::anthropic::vertex;
use crate::chat::carried::is_tagged_in;
use crate::egress::Egress;
use crate::head::{Head, UsagePlace};
use crate::json::{quote, quoted_end, skip_space, value_span};
use crate::loss::Loss;
use crate::passthrough::Watching;
use crate::patch::{Misplaced, Patches};
use crate::percent::percent_encoded;
use crate::profile::{profile, refuses};
use crate::reader::{Reader, Way};
use crate::{anthropic, bedrock, openai, responses, translate};

/// A request as one target takes it.
#[derive(Debug)]
pub struct Encoded {
    /// Path and query, to be appended to the base URL (see [`crate::base_url`]); begins with `/`.
    pub path: Cow<'static, str>,
    /// The body.
    pub body: Bytes,
    /// What of the client's request it does not carry. Empty where the dialects are the same.
    pub loss: Loss,
    /// Understands the answer.
    pub reader: Reader,
}

/// Writes a request for one target. `head` must have been read from `body` for the same `surface`.
///
/// # Errors
/// [`RefusalKind::NotTranslatable`] if the target's dialect has no such surface, or cannot carry the request and
/// [`Egress::strict`] is set.
pub fn encode(surface: Surface, head: &Head, body: &Bytes, egress: &Egress<'_>) -> Result<Encoded, Refusal> {
    let upstream = egress.kind.dialect_for(surface);
    if !egress.kind.serves(surface) {
        let message = format!("{} cannot serve {} requests", egress.kind, surface.operation());
        return Err(Refusal::new(RefusalKind::NotTranslatable, message));
    }
    let is_strict = surface == Surface::ChatCompletions && profile(egress.kind).quirks.is_strict;
    // What another provider thought, which a client has brought along: none of Google's business.
    let is_mixed = upstream == Dialect::Gemini && is_tagged_in(body);
    if surface == Surface::Embeddings && upstream != Dialect::OpenAi {
        return embedding(body, egress);
    }
    let passes = surface.through().is_some();
    if !passes && (surface.dialect() != upstream || is_strict || is_mixed) {
        return translated(surface, head, body, egress);
    }
    let mut loss = Loss::default();
    let (body, watching) = patched(surface, head, body, egress, &mut loss).map_err(|fault| {
        Refusal::new(
            RefusalKind::Internal,
            format!("the head does not belong to the body: {fault}"),
        )
    })?;
    egress.bear(&loss)?;
    Ok(Encoded {
        path: path(surface, head.stream, egress),
        body,
        loss,
        reader: Reader::of(surface, egress, watching),
    })
}

/// What is sent on as it is, whatever it is: the body is not here. `rest` is the path below the surface's own, with a
/// slash in front, and `query` the client's.
pub fn encode_carried(through: Through, rest: &str, query: &str, egress: &Egress<'_>) -> Encoded {
    let surface = Surface::Through(through);
    let mut path = through_path(through, rest, egress);
    if !query.is_empty() {
        path.push(if path.contains('?') { '&' } else { '?' });
        path.push_str(query);
    }
    Encoded {
        path: path.into(),
        body: Bytes::new(),
        loss: Loss::default(),
        reader: Reader::of(surface, egress, Watching::Everything),
    }
}

/// The client's request in the provider's dialect.
fn translated(surface: Surface, head: &Head, body: &Bytes, egress: &Egress<'_>) -> Result<Encoded, Refusal> {
    let (body, loss, translation) = translate::request(
        surface,
        surface.is_addressed().then_some(head.stream),
        body,
        egress,
    )?;
    Ok(Encoded {
        path: path(surface, head.stream, egress),
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

/// A request for embeddings in the words of a provider that has its own.
fn embedding(body: &Bytes, egress: &Egress<'_>) -> Result<Encoded, Refusal> {
    let mut loss = Loss::default();
    let (body, translation) = crate::embedding::request(body, egress, &mut loss)?;
    egress.bear(&loss)?;
    Ok(Encoded {
        path: path(Surface::Embeddings, false, egress),
        body: body.into(),
        loss,
        reader: Reader {
            surface: Surface::Embeddings,
            kind: egress.kind,
            request_id: egress.request_id,
            way: Way::Embedding(translation),
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
    let is_vertex = egress.kind == ProviderKind::VertexAnthropic;
    if is_vertex {
        let model = head.model_place.as_ref().filter(|_| surface == Surface::Messages);
        vertex::patch(body, model, &mut patches)?;
    }
    // There the path names the model, unless tokens are counted.
    let is_named = !is_vertex || surface == Surface::CountTokens;
    if is_named && *head.model != *egress.model {
        match &head.model_place {
            Some(place) => patches.replace(place.clone(), quote(egress.model))?,
            None if surface.is_addressed() => {}
            None => name_model(body, egress.model, &mut patches)?,
        }
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
    let sent = patches.apply(body)?;
    // What other providers want back, which a client has brought along: none of this one's business.
    let own = match surface {
        Surface::Responses => responses::carried::without_carried(&sent, loss),
        Surface::ChatCompletions => openai::carried::without_carried(&sent, loss),
        Surface::Converse => bedrock::carried::without_carried(&sent, loss),
        Surface::Messages | Surface::CountTokens => anthropic::carried::without_carried(&sent, loss),
        _ => None,
    };
    Ok((own.map_or(sent, Bytes::from), watching))
}

/// Names the model in a body that names none: in front of its first field.
fn name_model(body: &[u8], model: &str, patches: &mut Patches) -> Result<(), Misplaced> {
    let inside = skip_space(body, 0) + 1;
    let mut field = br#""model":"#.to_vec();
    field.extend_from_slice(&quote(model));
    if body.get(skip_space(body, inside)) != Some(&b'}') {
        field.push(b',');
    }
    patches.replace(inside..inside, field)
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

/// Path and query of what passes through.
fn through_path(through: Through, rest: &str, egress: &Egress<'_>) -> String {
    let row = through.row();
    match egress.kind.dialect_for(Surface::Through(through)) {
        Dialect::Gemini => google(row.path, egress),
        Dialect::Bedrock => format!("/model/{}/{}", percent_encoded(egress.model), row.path),
        Dialect::Cohere => "/v2/rerank".to_owned(),
        Dialect::Anthropic => format!("{}{rest}", row.path),
        Dialect::OpenAi | Dialect::Responses => {
            let path = match through {
                Through::CohereRerank => Through::Rerank.row().path,
                _ => row.path,
            };
            let whose = match row.whom {
                Whom::Account(_) => Deployed::Account,
                _ if row.dialect == Dialect::Responses => Deployed::Account,
                _ => Deployed::Model,
            };
            below_base(&format!("{path}{rest}"), whose, egress)
        }
    }
}

/// Whose a path is at Azure, where models are deployed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deployed {
    /// The model's.
    Model,
    /// The account's; the model, if there is one, stands in the body.
    Account,
}

/// Path and query of a request.
fn path(surface: Surface, stream: bool, egress: &Egress<'_>) -> Cow<'static, str> {
    if let Surface::Through(through) = surface {
        return through_path(through, "", egress).into();
    }
    if egress.kind == ProviderKind::VertexAnthropic {
        return vertex::path(surface, stream, egress.model).into();
    }
    let surface = match (egress.kind.dialect_for(surface), surface) {
        (Dialect::Anthropic, Surface::CountTokens) => return Cow::Borrowed("/v1/messages/count_tokens"),
        (Dialect::Anthropic, _) => return Cow::Borrowed("/v1/messages"),
        (Dialect::Cohere, Surface::Embeddings) => return Cow::Borrowed("/v2/embed"),
        (Dialect::Cohere, _) => return Cow::Borrowed("/v2/chat"),
        (Dialect::Gemini, Surface::Embeddings) => {
            let method = match egress.kind {
                ProviderKind::Vertex => "predict",
                _ => "batchEmbedContents",
            };
            return Cow::Owned(google(method, egress));
        }
        (Dialect::Gemini, _) => return Cow::Owned(generate_content(stream, egress)),
        (Dialect::Bedrock, Surface::Embeddings) => {
            return Cow::Owned(format!("/model/{}/invoke", percent_encoded(egress.model)));
        }
        (Dialect::Bedrock, _) => {
            let model = percent_encoded(egress.model);
            let way = if stream { "converse-stream" } else { "converse" };
            return Cow::Owned(format!("/model/{model}/{way}"));
        }
        (Dialect::Responses, _) => "/responses",
        (Dialect::OpenAi, Surface::Completions) => "/completions",
        (Dialect::OpenAi, Surface::Embeddings) => "/embeddings",
        (Dialect::OpenAi, _) => "/chat/completions",
    };
    if egress.kind != ProviderKind::Azure {
        return Cow::Borrowed(surface);
    }
    let whose = match surface {
        "/responses" => Deployed::Account,
        _ => Deployed::Model,
    };
    Cow::Owned(below_base(surface, whose, egress))
}

/// A path of the dialects of `OpenAI`, at a provider of this kind.
fn below_base(path: &str, whose: Deployed, egress: &Egress<'_>) -> String {
    match (egress.kind, egress.api_version) {
        (ProviderKind::Azure, Some(version)) => {
            let deployment = match whose {
                Deployed::Account => String::new(),
                Deployed::Model => format!("/deployments/{}", percent_encoded(egress.model)),
            };
            format!(
                "/openai{deployment}{path}?api-version={}",
                percent_encoded(version)
            )
        }
        (ProviderKind::Azure, None) => format!("/openai/v1{path}"),
        _ => path.to_owned(),
    }
}

/// Where Google's models are asked to write.
fn generate_content(stream: bool, egress: &Egress<'_>) -> String {
    let method = if stream {
        "streamGenerateContent?alt=sse"
    } else {
        "generateContent"
    };
    google(method, egress)
}

/// Where Google's models are asked. A tuned model is named with its collection (`tunedModels/NAME`).
fn google(method: &str, egress: &Egress<'_>) -> String {
    let (collection, model) = egress.model.split_once('/').unwrap_or(("models", egress.model));
    let (collection, model) = (percent_encoded(collection), percent_encoded(model));
    let before = match egress.kind {
        ProviderKind::Vertex => "/publishers/google",
        _ => "/v1beta",
    };
    format!("{before}/{collection}/{model}:{method}")
}
