//! Requests of clients: their heads, and what of them each provider is sent.
//!
//! Input: one byte for the surface, one for the flags (bit 0: the path asks for a stream; bit 1: nothing may be lost;
//! bit 2: the model's limit of tokens is known), and the body.

use bytes::Bytes;
use serde_json::{Map, Value};
use tollgate_adapters::{Egress, Encoded, Head, Scratch, asked, encode, read_head_at, render_refusal};
use tollgate_core::{Dialect, Refusal, Surface};

use super::cutting::settings;
use super::parties::{CLIENTS, PROVIDERS, address, egress, request_id};
use super::wire::{assert_object, is_json};

/// Those that are no chats stand behind those that are.
const OTHERS: [Surface; 3] = [Surface::Completions, Surface::Embeddings, Surface::CountTokens];

/// The most bytes that are sent for one of the client's: what is written for the shortest parts that there are.
const MOST_FOR_A_BYTE: usize = 64;
/// What is sent besides, whatever the client wrote.
const MOST_BESIDES: usize = 4096;

/// How a key begins that carries a provider's state through a client: `tollgate:` in base64.
const TAG: &[u8] = b"dG9sbGdhdGU6";

/// Every body is refused for a reason that can be told, or goes to every provider as JSON of about its size.
pub(crate) fn check(data: &[u8]) {
    let Some(([surface, flags], body)) = settings::<2>(data) else {
        return;
    };
    let surfaces = || CLIENTS.into_iter().chain(OTHERS);
    let surface = surfaces()
        .cycle()
        .nth(usize::from(surface))
        .expect("surfaces are many");
    let body = Bytes::copy_from_slice(body);
    let address = address(surface, flags & 1 != 0);
    let mut scratch = Scratch::default();
    let read = read_head_at(surface, address, &body, &mut scratch);
    let again = read_head_at(surface, address, &body, &mut scratch);
    assert_eq!(
        read.as_ref().ok(),
        again.as_ref().ok(),
        "buffers remember the request before"
    );
    match asked(surface, &body) {
        Ok(asked) => assert!(read.is_err() || asked.traits.choices > 0),
        Err(refusal) => assert_tellable(surface, &refusal),
    }
    let head = match read {
        Ok(head) => head,
        Err(refusal) => return assert_tellable(surface, &refusal),
    };
    assert!(is_json(&body), "a body that is no JSON has a head");
    assert!(!head.model.is_empty());
    let given: Option<Map<String, Value>> = serde_json::from_slice(&body).ok();
    for (kind, model) in PROVIDERS {
        let egress = Egress {
            strict: flags & 2 != 0,
            max_output_tokens: (flags & 4 != 0).then_some(100),
            ..egress(kind, model)
        };
        let encoded = match encode(surface, &head, &body, &egress) {
            Ok(encoded) => encoded,
            Err(refusal) => {
                assert_tellable(surface, &refusal);
                continue;
            }
        };
        assert_sendable(surface, &body, &encoded, &egress, &mut scratch);
        if kind.dialect_for(surface) == surface.dialect() && !is_rewritten(surface, &body, &egress) {
            if let Some(given) = &given {
                assert_passed_on(given, &encoded, model);
            }
            assert_untouched(surface, &head, &body, &egress);
        }
    }
}

/// A refusal is the client's fault, and can be told in its dialect.
fn assert_tellable(surface: Surface, refusal: &Refusal) {
    assert!(
        (400..500).contains(&refusal.status()),
        "a fault of ours: {refusal:?}"
    );
    assert!(!refusal.message.is_empty());
    let told = render_refusal(surface.dialect(), refusal, request_id());
    assert_object(&told, "a refusal");
}

/// What goes out is JSON of a size that the client's explains, and a request that we would take ourselves.
fn assert_sendable(
    surface: Surface,
    body: &Bytes,
    encoded: &Encoded,
    egress: &Egress<'_>,
    scratch: &mut Scratch,
) {
    assert!(encoded.path.starts_with('/') && encoded.path.bytes().all(|byte| byte.is_ascii_graphic()));
    let first = encoded.body.iter().position(|byte| !byte.is_ascii_whitespace());
    assert_object(&encoded.body[first.unwrap_or(0)..], "a request");
    let most = body.len() * MOST_FOR_A_BYTE + MOST_BESIDES;
    assert!(
        encoded.body.len() <= most,
        "{} bytes became {}",
        body.len(),
        encoded.body.len()
    );
    assert!(
        !egress.strict || encoded.loss.is_empty(),
        "strict, and lost: {}",
        encoded.loss
    );
    let upstream = egress.kind.dialect_for(surface);
    if !surface.is_chat() || upstream == surface.dialect() {
        return;
    }
    let spoken = CLIENTS
        .into_iter()
        .find(|client| client.dialect() == upstream)
        .expect("all are there");
    let read = read_head_at(spoken, address(spoken, false), &encoded.body, scratch);
    if let Err(refusal) = read {
        panic!("{refusal:?}: {}", String::from_utf8_lossy(&encoded.body));
    }
}

/// Whether a request is written anew although the provider speaks the client's dialect, or may lose what it carries.
fn is_rewritten(surface: Surface, body: &[u8], egress: &Egress<'_>) -> bool {
    let is_strict =
        tollgate_adapters::profile(egress.kind).quirks.is_strict && surface == Surface::ChatCompletions;
    let has = |mark: &[u8]| body.windows(mark.len()).any(|part| part == mark);
    is_strict || has(TAG) || has(b"tollgate")
}

/// In the client's own dialect every field goes out as it came, but those that are known to be changed, and those that
/// are named as lost or said nothing.
fn assert_passed_on(given: &Map<String, Value>, encoded: &Encoded, model: &str) {
    let sent: Map<String, Value> =
        serde_json::from_slice(&encoded.body).expect("what was read can be read again");
    for (name, value) in given {
        match (name.as_str(), sent.get(name)) {
            // With the target's model, usage asked for, roles that the provider knows, limits by their other name.
            ("model", Some(sent)) => assert!(*sent == *model || sent == value),
            ("stream_options", Some(_)) => {}
            ("messages", Some(Value::Array(sent))) => {
                assert_eq!(
                    Some(sent.len()),
                    value.as_array().map(Vec::len),
                    "a message was lost"
                );
            }
            ("max_completion_tokens", None) => assert_eq!(sent.get("max_tokens"), Some(value)),
            (_, Some(sent)) => assert_eq!(sent, value, "`{name}` was changed"),
            (_, None) => {
                let is_named = encoded.loss.paths().any(|path| path == name);
                let is_idle = match value {
                    Value::Null | Value::Bool(false) => true,
                    Value::Number(number) => number.as_f64() == Some(0.0),
                    Value::Array(list) => list.is_empty(),
                    Value::Object(fields) => fields.is_empty(),
                    _ => false,
                };
                assert!(is_named || is_idle, "`{name}` is gone, and nobody is told");
            }
        }
    }
}

/// With the model that the client named, a request goes out as the very bytes that came, if nothing else is to be done;
/// with another one, nothing but the name is another.
fn assert_untouched(surface: Surface, head: &Head, body: &Bytes, egress: &Egress<'_>) {
    if surface.dialect() == Dialect::OpenAi && surface != Surface::Embeddings {
        // Patched in more places than one: see above.
        return;
    }
    let same = Egress {
        model: &head.model,
        ..*egress
    };
    if let Ok(encoded) = encode(surface, head, body, &same) {
        assert_eq!(encoded.body, *body, "bytes were changed for nothing");
    }
    let Ok(other) = encode(surface, head, body, egress) else {
        return;
    };
    let pairs = || body.iter().zip(&other.body);
    let before = pairs().take_while(|(ours, theirs)| ours == theirs).count();
    let behind = body.iter().rev().zip(other.body.iter().rev());
    let behind = behind.take_while(|(ours, theirs)| ours == theirs).count();
    let touched = body.len().saturating_sub(before + behind);
    assert!(
        touched <= head.model.len() * 6 + 2,
        "{touched} bytes were touched for the name of the model"
    );
}
