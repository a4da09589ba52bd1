//! Ways through the crate that all tests use.

use bytes::Bytes;
use serde_json::Value;
use tollgate_adapters::{Egress, Encoded, Report, Scratch, StreamEnd, encode, read_head};
use tollgate_core::{ProviderKind, Refusal, RequestId, Surface, Timestamp};

/// A target with nothing special about it.
pub(crate) fn egress(kind: ProviderKind, model: &str) -> Egress<'_> {
    Egress {
        kind,
        model,
        api_version: None,
        max_output_tokens: None,
        strict: false,
        request_id: RequestId::new(Timestamp::from_unix_millis(1_700_000_000_000), 7),
        now: Timestamp::from_unix_millis(1_700_000_000_000),
    }
}

/// A request, as a target gets it.
pub(crate) fn translate(surface: Surface, body: &Value, egress: &Egress<'_>) -> Result<Encoded, Refusal> {
    let body = Bytes::from(serde_json::to_vec(body).unwrap());
    let head = read_head(surface, &body, &mut Scratch::default())?;
    encode(surface, &head, &body, egress)
}

/// The body of a request that was translated.
pub(crate) fn sent(encoded: &Encoded) -> Value {
    serde_json::from_slice(&encoded.body).unwrap()
}

/// A stream, arriving in chunks of `size`.
pub(crate) fn stream(encoded: Encoded, body: &[u8], size: usize, end: StreamEnd) -> (String, Report) {
    let (mut reader, mut out) = (encoded.reader.stream(), Vec::new());
    for chunk in body.chunks(size.max(1)) {
        reader.push(Bytes::copy_from_slice(chunk), &mut out);
    }
    reader.finish(end, &mut out);
    let text = String::from_utf8(out.concat()).unwrap();
    (text, reader.report().clone())
}

/// The data of the events of a stream that was written here: one line each.
pub(crate) fn events(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap_or_else(|_| panic!("not JSON: {data}")))
        .collect()
}
