//! The headers of a request to a provider: a short list of what is passed on, never what the client's SDK says
//! about itself, never the client's credentials.

use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use tollgate_core::{Dialect, ProviderKind, Surface};

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
    out.insert(
        ACCEPT,
        HeaderValue::from_static("application/json, text/event-stream"),
    );
    out.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let same_dialect = surface.dialect() == kind.dialect();
    let mut pass = |name: &'static str| {
        let value = client(name).and_then(|value| HeaderValue::try_from(value).ok());
        if let Some(value) = value {
            out.insert(HeaderName::from_static(name), value);
        }
    };
    if same_dialect {
        pass("idempotency-key");
    }
    match kind.dialect() {
        Dialect::Anthropic => {
            if same_dialect {
                pass("anthropic-version");
                pass("anthropic-beta");
            }
            out.entry("anthropic-version")
                .or_insert(HeaderValue::from_static(ANTHROPIC_VERSION));
        }
        Dialect::OpenAi if same_dialect && kind == ProviderKind::OpenAi => {
            pass("openai-organization");
            pass("openai-project");
            pass("openai-beta");
        }
        Dialect::OpenAi => {}
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
        assert_eq!(sent(Surface::Messages, ProviderKind::OpenAi), [""; 0]);
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
