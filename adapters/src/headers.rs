//! The headers of a request to a provider: a short list of what is passed on, never what the client's SDK says
//! about itself, never the client's credentials.

use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use tollgate_core::{Dialect, ProviderKind, Surface};

use crate::bedrock::error::{TYPE_HEADER, type_of};

/// The version of Anthropic's API that is asked for where the client names none.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// Writes the headers that belong to the dialect into `out`. `client` looks a header of the client's request up.
/// The credential is not among them. An answer is asked for without compression, because its bytes are read.
pub fn request_headers(
    surface: Surface,
    kind: ProviderKind,
    client: &dyn Fn(&str) -> Option<String>,
    out: &mut HeaderMap,
) {
    out.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    out.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let upstream = kind.dialect_for(surface);
    let accepted = match upstream {
        _ if surface.through().is_some() => "*/*",
        Dialect::Bedrock => "application/json, application/vnd.amazon.eventstream",
        _ => "application/json, text/event-stream",
    };
    out.insert(ACCEPT, HeaderValue::from_static(accepted));
    let same_dialect = surface.dialect() == upstream;
    let mut pass = |name: &'static str| {
        let value = client(name).and_then(|value| HeaderValue::try_from(value).ok());
        if let Some(value) = value {
            out.insert(HeaderName::from_static(name), value);
        }
    };
    if same_dialect {
        pass("idempotency-key");
    }
    let is_openai = matches!(kind, ProviderKind::OpenAi | ProviderKind::OpenAiResponses);
    // Whose account it is does not depend on which of the vendor's dialects the client speaks.
    if is_openai && matches!(surface.dialect(), Dialect::OpenAi | Dialect::Responses) {
        pass("openai-organization");
        pass("openai-project");
    }
    match upstream {
        Dialect::Anthropic => {
            if same_dialect {
                pass("anthropic-beta");
            }
            // Vertex AI is told the version in the body.
            if kind == ProviderKind::VertexAnthropic {
                return;
            }
            if same_dialect {
                pass("anthropic-version");
            }
            out.entry("anthropic-version")
                .or_insert(HeaderValue::from_static(ANTHROPIC_VERSION));
        }
        Dialect::OpenAi | Dialect::Responses if same_dialect && is_openai => pass("openai-beta"),
        _ => {}
    }
}

/// The content type of a stream in this dialect.
pub const fn stream_type(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Bedrock => "application/vnd.amazon.eventstream",
        _ => "text/event-stream; charset=utf-8",
    }
}

/// Whether readers of streams in this dialect skip comment lines. Google's SDKs take every line for JSON; Bedrock's
/// streams have no lines.
pub const fn takes_comments(dialect: Dialect) -> bool {
    !matches!(dialect, Dialect::Gemini | Dialect::Bedrock)
}

/// The header that names the kind of an error in this dialect, beside its body.
pub const fn error_header(dialect: Dialect, status: u16) -> Option<(&'static str, &'static str)> {
    match dialect {
        Dialect::Bedrock => Some((TYPE_HEADER, type_of(status))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the headers that go to `kind` when the client sends all that there are.
    fn sent(surface: Surface, kind: ProviderKind) -> Vec<String> {
        let mut out = HeaderMap::new();
        request_headers(surface, kind, &|name| Some(format!("client's {name}")), &mut out);
        let mut names: Vec<String> = out.keys().map(ToString::to_string).collect();
        names.retain(|name| !["content-type", "accept", "accept-encoding"].contains(&name.as_str()));
        names.sort();
        names
    }

    #[test]
    fn each_header_goes_only_where_it_belongs() {
        let openai = [
            "idempotency-key",
            "openai-beta",
            "openai-organization",
            "openai-project",
        ];
        assert_eq!(sent(Surface::ChatCompletions, ProviderKind::OpenAi), openai);
        assert_eq!(sent(Surface::Embeddings, ProviderKind::Groq), ["idempotency-key"]);
        let anthropic = ["anthropic-beta", "anthropic-version", "idempotency-key"];
        assert_eq!(sent(Surface::Messages, ProviderKind::Anthropic), anthropic);
        assert_eq!(
            sent(Surface::Messages, ProviderKind::VertexAnthropic),
            ["anthropic-beta", "idempotency-key"]
        );
        assert_eq!(
            sent(Surface::ChatCompletions, ProviderKind::VertexAnthropic),
            [""; 0]
        );
        assert_eq!(sent(Surface::Messages, ProviderKind::OpenAi), [""; 0]);
        assert_eq!(
            sent(Surface::ChatCompletions, ProviderKind::OpenAiResponses),
            ["openai-organization", "openai-project"]
        );
        assert_eq!(
            sent(Surface::ChatCompletions, ProviderKind::Anthropic),
            ["anthropic-version"]
        );
    }

    #[test]
    fn anthropic_gets_a_version_and_no_answer_is_compressed() {
        let version = |client: &dyn Fn(&str) -> Option<String>| {
            let mut out = HeaderMap::new();
            request_headers(Surface::Messages, ProviderKind::Anthropic, client, &mut out);
            assert_eq!(out["accept-encoding"], "identity");
            out["anthropic-version"].to_str().unwrap().to_owned()
        };
        assert_eq!(version(&|_| None), "2023-06-01");
        assert_eq!(version(&|_| Some("2030-01-01".to_owned())), "2030-01-01");
        assert_eq!(version(&|_| Some("bad\nvalue".to_owned())), "2023-06-01");
    }
}
