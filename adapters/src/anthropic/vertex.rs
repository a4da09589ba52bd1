//! Claude on Google's Vertex AI: Messages, but for where the model and the version of the API are told.
//!
//! The path names the model and says whether a stream is wanted; the body tells the version, which elsewhere is a
//! header. Only tokens are counted by one path for all models, which the body names. So a client's own body goes out
//! with that patched in it. Checked against the `vertex` client of Anthropic's SDK for Python.

use std::ops::Range;

use memchr::memmem;
use tollgate_core::Surface;

use crate::json::{Fields, key_before, skip_space};
use crate::patch::{Misplaced, Patches, place_of};
use crate::percent::percent_encoded;

/// Where the version stands.
pub(crate) const FIELD: &str = "anthropic_version";
/// The only version there is.
pub(crate) const VERSION: &str = "vertex-2023-10-16";

/// The path of a request, below the location.
pub(crate) fn path(surface: Surface, stream: bool, model: &str) -> String {
    let (model, method) = match surface {
        Surface::CountTokens => ("count-tokens", "rawPredict"),
        _ if stream => (model, "streamRawPredict"),
        _ => (model, "rawPredict"),
    };
    // What stands behind an `@` is the model's version: Google's own examples do not encode it.
    let parts: Vec<_> = model.split('@').map(percent_encoded).collect();
    format!("/publishers/anthropic/models/{}:{method}", parts.join("@"))
}

/// Tells the version in a client's own `body`, and takes the model out, whose name stands at `model`. `None`: it stays.
pub(crate) fn patch(
    body: &[u8],
    model: Option<&Range<usize>>,
    patches: &mut Patches,
) -> Result<(), Misplaced> {
    let key = match model {
        Some(model) => Some(key_before(body, model.start).ok_or(Misplaced)?),
        None => None,
    };
    match (told(body), model, key) {
        (Some(told), _, key) => {
            patches.replace(told, format!("\"{VERSION}\"").into_bytes())?;
            // Members are told by what is behind the quote.
            patches.remove_members(body, key.map(|key| key + 1))
        }
        (None, Some(model), Some(key)) => patches.replace(key..model.end, member()),
        (None, _, _) => {
            let inside = skip_space(body, 0) + 1;
            let mut first = member();
            first.push(b',');
            patches.replace(inside..inside, first)
        }
    }
}

fn member() -> Vec<u8> {
    format!("\"{FIELD}\":\"{VERSION}\"").into_bytes()
}

/// Where a body tells a version already.
fn told(body: &[u8]) -> Option<Range<usize>> {
    memmem::find(body, FIELD.as_bytes())?;
    place_of(body, Fields::parse(body).ok()?.raw_or_null(FIELD)?)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use tollgate_core::ProviderKind;

    use super::*;
    use crate::encode::encode;
    use crate::head::{Scratch, read_head};
    use crate::testing::egress;

    const MODEL: &str = "claude-sonnet-4-5@20250929";

    fn sent(surface: Surface, body: &str) -> (String, String) {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let head = read_head(surface, &body, &mut Scratch::default()).unwrap();
        let egress = egress(ProviderKind::VertexAnthropic, MODEL);
        let encoded = encode(surface, &head, &body, &egress).unwrap();
        assert!(encoded.loss.is_empty());
        let body = String::from_utf8(encoded.body.to_vec()).unwrap();
        (encoded.path.into_owned(), body)
    }

    #[test]
    fn the_path_names_the_model_and_the_body_the_version() {
        let asked = r#"{ "max_tokens":9, "model" : "route" ,"messages":[{"role":"user","content":"model"}],"new":1e2}"#;
        let (path, body) = sent(Surface::Messages, asked);
        assert_eq!(
            path,
            "/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict"
        );
        let version = r#""anthropic_version":"vertex-2023-10-16""#;
        assert_eq!(body, asked.replace(r#""model" : "route""#, version));
        let (path, body) = sent(
            Surface::Messages,
            r#"{"stream":true,"model":"m","messages":[],"max_tokens":1}"#,
        );
        assert!(path.ends_with(":streamRawPredict"), "{path}");
        assert!(
            body.starts_with(r#"{"stream":true,"anthropic_version":"#),
            "{body}"
        );
    }

    #[test]
    fn tokens_are_counted_where_the_body_names_the_model() {
        let (path, body) = sent(Surface::CountTokens, r#" {"model":"route","messages":[]}"#);
        assert_eq!(path, "/publishers/anthropic/models/count-tokens:rawPredict");
        let expected = r#" {"anthropic_version":"vertex-2023-10-16","model":"claude-sonnet-4-5@20250929","messages":[]}"#;
        assert_eq!(body, expected);
    }

    #[test]
    fn other_clients_are_translated() {
        let asked = r#"{"model":"route","stream":true,"messages":[{"role":"user","content":"x"}]}"#;
        let (path, body) = sent(Surface::ChatCompletions, asked);
        assert!(path.ends_with(":streamRawPredict"), "{path}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["anthropic_version"], "vertex-2023-10-16");
        assert!(body["model"].is_null() && body["stream"] == true, "{body}");
    }

    proptest! {
        #[test]
        fn whatever_stands_in_a_body_only_model_and_version_change(
            mut fields in proptest::collection::vec(("[a-z]{1,3}", "[a-z\"\\\\é,]{0,6}"), 0..4),
            version in proptest::option::of("[a-z]{0,3}"),
            places in (any::<proptest::sample::Index>(), any::<proptest::sample::Index>()),
            space in "[ \n]{0,2}",
            counts: bool,
        ) {
            fields.insert(places.0.index(fields.len() + 1), ("model".to_owned(), "route".to_owned()));
            if let Some(version) = version {
                fields.insert(places.1.index(fields.len() + 1), (FIELD.to_owned(), version));
            }
            let members = fields.iter().map(|(name, value)| {
                format!("{space}\"{name}\"{space}:{space}{}{space}", json!(value))
            });
            let asked = format!("{{{},\"messages\":[]}}", members.collect::<Vec<_>>().join(","));
            let surface = if counts { Surface::CountTokens } else { Surface::Messages };
            let mut expected: Value = serde_json::from_str(&asked).unwrap();
            expected["model"] = MODEL.into();
            if !counts {
                expected.as_object_mut().unwrap().remove("model");
            }
            expected[FIELD] = VERSION.into();
            let (_, body) = sent(surface, &asked);
            prop_assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected, "{}", body);
            prop_assert_eq!(body.matches(FIELD).count(), 1);
        }
    }
}
