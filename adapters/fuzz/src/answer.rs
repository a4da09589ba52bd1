//! Whole answers of providers, and their errors, on the way to clients.
//!
//! Input: one byte for the provider, one for the status of a failure, and the body.

use bytes::Bytes;
use tollgate_adapters::{Report, settled_usage};
use tollgate_core::{ProviderKind, Surface};

use super::cutting::settings;
use super::parties::{CLIENTS, PROVIDERS, egress, reader, send};
use super::wire::assert_object;

/// The most bytes that a client gets for one of the provider's, and those besides.
const MOST_FOR_A_BYTE: usize = 128;
const MOST_BESIDES: usize = 8192;

/// Every answer is one that cannot be read, or becomes JSON of about its size in each dialect, which can be read there.
pub(crate) fn check(data: &[u8]) {
    let Some(([provider, status], body)) = settings::<2>(data) else {
        return;
    };
    let (kind, model) = PROVIDERS[usize::from(provider) % PROVIDERS.len()];
    let body = Bytes::copy_from_slice(body);
    embeddings(kind, &body);
    for client in CLIENTS {
        let reader_of = |kind, model| reader(client, false, false, kind, model);
        let failure = reader_of(kind, model).read_failure(300 + u16::from(status), &|_| None, &body);
        // One in the client's own shape passes as it is, spaces included.
        assert_object(failure.body.trim_ascii_start(), "a failure");
        assert!((400..600).contains(&failure.status), "{}", failure.status);
        let Ok(answer) = reader_of(kind, model).read(body.clone()) else {
            continue;
        };
        assert_countable(&answer.report);
        if kind.dialect_for(client) == client.dialect() {
            let is_strict = tollgate_adapters::profile(kind).quirks.is_strict;
            assert!(
                is_strict || answer.body == body,
                "an answer in the client's dialect was changed"
            );
            continue;
        }
        assert_object(&answer.body, "an answer");
        let most = body.len() * MOST_FOR_A_BYTE + MOST_BESIDES;
        assert!(
            answer.body.len() <= most,
            "{} bytes became {}",
            body.len(),
            answer.body.len()
        );
        if answer.report.error.is_some() {
            continue;
        }
        let own = PROVIDERS
            .into_iter()
            .find(|(kind, _)| kind.dialect_for(client) == client.dialect());
        let (kind, model) = own.expect("every dialect has a provider");
        let again = reader_of(kind, model).read(answer.body.clone());
        let again =
            again.unwrap_or_else(|fault| panic!("{fault}: {}", String::from_utf8_lossy(&answer.body)));
        assert!(again.report.error.is_none(), "an answer became an error");
    }
}

/// The same for embeddings, of providers that have them.
fn embeddings(kind: ProviderKind, body: &Bytes) {
    let request =
        Bytes::from_static(br#"{"model":"m","input":["Hello.","World."],"encoding_format":"base64"}"#);
    let Ok(encoded) = send(Surface::Embeddings, false, &request, &egress(kind, "m")) else {
        return;
    };
    if let Ok(answer) = encoded.reader.read(body.clone()) {
        assert_countable(&answer.report);
        assert_object(answer.body.trim_ascii_start(), "embeddings");
        let most = body.len() * MOST_FOR_A_BYTE + MOST_BESIDES;
        assert!(
            answer.body.len() <= most,
            "{} bytes became {}",
            body.len(),
            answer.body.len()
        );
    }
}

/// What an answer says it took can be added up.
pub(crate) fn assert_countable(report: &Report) {
    let settled = settled_usage(report, 1 << 20);
    let all = settled.total();
    assert!(settled.prompt_total() <= all && settled.output_total() <= all);
    for told in [report.usage, report.billed].into_iter().flatten() {
        assert!(told.prompt_total() <= told.total());
    }
}
