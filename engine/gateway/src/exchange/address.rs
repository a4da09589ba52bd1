//! What the path of a request says, for clients whose dialect names the model there.

use std::borrow::Cow;

use actix_web::HttpRequest;
use percent_encoding::percent_decode_str;
use tollgate_adapters::Address;
use tollgate_core::{Dialect, Refusal, RefusalKind, Surface, Through};

use crate::in_array::Form;

/// Whom a request is for, as its path says it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Addressed<'r> {
    model: Cow<'r, str>,
    stream: bool,
}

impl Addressed<'_> {
    /// The same, for another thread.
    pub(crate) fn into_owned(self) -> Addressed<'static> {
        Addressed {
            model: Cow::Owned(self.model.into_owned()),
            stream: self.stream,
        }
    }

    /// The same, for a reading of the body.
    pub(crate) fn as_address(&self) -> Address<'_> {
        Address {
            model: &self.model,
            stream: self.stream,
        }
    }
}

/// Reads the path of a request of `surface`; `None`: its model stands in the body.
///
/// # Errors
/// [`RefusalKind::UnknownPath`] for what is not served, [`RefusalKind::InvalidField`] without a model.
pub(crate) fn addressed(surface: Surface, request: &HttpRequest) -> Result<Option<Addressed<'_>>, Refusal> {
    let path = request.uri().path();
    match surface {
        Surface::GenerateContent => generate_content(path, request.query_string()).map(Some),
        Surface::Converse => converse(path).map(Some),
        Surface::Through(through) if surface.is_addressed() => passing(through, path).map(Some),
        _ => Ok(None),
    }
}

/// `…/models/MODEL:generateContent` and `:streamGenerateContent`.
fn generate_content<'r>(path: &'r str, query: &str) -> Result<Addressed<'r>, Refusal> {
    let (_, named) = path.rsplit_once("/models/").unwrap_or_default();
    let (model, method) = named.rsplit_once(':').unwrap_or((named, ""));
    let stream = match method {
        "generateContent" => false,
        "streamGenerateContent" => true,
        _ => {
            let message = format!("'{method}' is not served here: generateContent or streamGenerateContent");
            return Err(Refusal::new(RefusalKind::UnknownPath, message));
        }
    };
    if stream && Form::of_query(query).is_none() {
        let message = "streams are sent as events ('?alt=sse') or as an array ('?alt=json', or nothing)";
        return Err(Refusal::new(RefusalKind::InvalidField, message).at("alt"));
    }
    let model = decoded(model)?;
    Ok(Addressed { model, stream })
}

/// `/model/MODEL/converse` and `/converse-stream`.
fn converse(path: &str) -> Result<Addressed<'_>, Refusal> {
    let (before, method) = path.rsplit_once('/').unwrap_or_default();
    let (_, model) = before.split_once("/model/").unwrap_or_default();
    let model = decoded(model)?;
    let stream = method == "converse-stream";
    Ok(Addressed { model, stream })
}

/// `…/models/MODEL:METHOD` and `/model/MODEL/METHOD`, of what passes through.
fn passing(through: Through, path: &str) -> Result<Addressed<'_>, Refusal> {
    let row = through.row();
    let named = match row.dialect {
        Dialect::Bedrock => path.split_once("/model/").map(|(_, it)| it.rsplit_once('/')),
        _ => path.rsplit_once("/models/").map(|(_, it)| it.rsplit_once(':')),
    };
    let model = named.flatten().filter(|(_, method)| *method == row.path);
    let Some((model, _)) = model else {
        let message = format!("only {} is served at such a path", row.path);
        return Err(Refusal::new(RefusalKind::UnknownPath, message));
    };
    let model = decoded(model)?;
    Ok(Addressed { model, stream: false })
}

fn decoded(model: &str) -> Result<Cow<'_, str>, Refusal> {
    let invalid = |message| Refusal::new(RefusalKind::InvalidField, message).at("model");
    let model = percent_decode_str(model)
        .decode_utf8()
        .map_err(|_| invalid("the model's name in the path is not UTF-8"))?;
    if model.trim().is_empty() {
        return Err(invalid("the path names no model"));
    }
    Ok(model)
}

/// The dialect of an error on a path that is not served: that of the SDK that would be calling there.
pub(crate) fn dialect_of(request: &HttpRequest) -> Dialect {
    let path = request.path();
    let sends = |name: &str| request.headers().contains_key(name);
    if path.contains("/messages") || sends("anthropic-version") {
        Dialect::Anthropic
    } else if path.contains("/v1beta") || path.contains("/publishers/") || sends("x-goog-api-key") {
        Dialect::Gemini
    } else if path.starts_with("/cohere/") || matches!(path, "/v2/chat" | "/v2/embed" | "/v2/rerank") {
        Dialect::Cohere
    } else if path.starts_with("/model/") || path.starts_with("/bedrock/") {
        Dialect::Bedrock
    } else {
        Dialect::OpenAi
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(read: Result<Addressed<'_>, Refusal>) -> Result<(String, bool), RefusalKind> {
        read.map(|it| (it.model.into_owned(), it.stream))
            .map_err(|refusal| refusal.kind)
    }

    #[test]
    fn google_clients_name_model_and_method_in_the_path() {
        let read = |path: &str, query: &str| said(generate_content(path, query));
        let whole = Ok(("gemini-2.5-pro".to_owned(), false));
        assert_eq!(read("/v1beta/models/gemini-2.5-pro:generateContent", ""), whole);
        let vertex =
            "/v1/projects/p/locations/global/publishers/google/models/gemini-2.5-pro:generateContent";
        assert_eq!(read(vertex, "x=1"), whole);
        let stream = "/v1beta/models/a%2Fb:c:streamGenerateContent";
        assert_eq!(read(stream, "key=k&alt=sse"), Ok(("a/b:c".to_owned(), true)));
        assert_eq!(read(stream, ""), Ok(("a/b:c".to_owned(), true)));
        assert_eq!(read(stream, "$alt=proto"), Err(RefusalKind::InvalidField));
        let other = "/v1beta/models/gemini-2.5-pro:countTokens";
        assert_eq!(read(other, ""), Err(RefusalKind::UnknownPath));
        assert_eq!(read("/v1beta/models/x", ""), Err(RefusalKind::UnknownPath));
        assert_eq!(
            read("/v1beta/models/:generateContent", ""),
            Err(RefusalKind::InvalidField)
        );
    }

    #[test]
    fn bedrock_clients_encode_the_model_in_the_path() {
        let read = |path: &str| said(converse(path));
        let model = "anthropic.claude-v1:0".to_owned();
        assert_eq!(
            read("/model/anthropic.claude-v1%3A0/converse"),
            Ok((model.clone(), false))
        );
        assert_eq!(
            read("/model/anthropic.claude-v1:0/converse-stream"),
            Ok((model, true))
        );
        let profile = "arn:aws:bedrock:us-east-1:1:inference-profile/us.x";
        assert_eq!(
            read("/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x/converse"),
            Ok((profile.to_owned(), false))
        );
        assert_eq!(read("/model/%ff/converse"), Err(RefusalKind::InvalidField));
    }
}
