//! The dialects of clients, the kinds of provider, and the ways between them.

use std::path::Path;

use bytes::Bytes;
use serde_json::{Value, json};
use tollgate_adapters::{
    Address, Egress, Encoded, Report, Scratch, StreamEnd, encode, eventstream, read_head_at, sse,
};
use tollgate_core::{Dialect, ProviderKind, Refusal, RequestId, Surface, Timestamp};

/// A surface for each dialect.
pub(crate) const CLIENTS: [Surface; 6] = [
    Surface::ChatCompletions,
    Surface::Responses,
    Surface::Messages,
    Surface::GenerateContent,
    Surface::CohereChat,
    Surface::Converse,
];

/// A kind of provider for each dialect, and a model of its that thinks.
pub(crate) const PROVIDERS: [(ProviderKind, &str); 6] = [
    (ProviderKind::OpenAi, "gpt-5"),
    (ProviderKind::OpenAiResponses, "gpt-5"),
    (ProviderKind::Anthropic, "claude-sonnet-4-5"),
    (ProviderKind::Gemini, "gemini-2.5-flash"),
    (ProviderKind::Cohere, "command-a-reasoning-08-2025"),
    (ProviderKind::Bedrock, "anthropic.claude-sonnet-4-5-20250929-v1:0"),
];

/// The request of a client for a target; its address is in the path where the dialect has it there.
pub(crate) fn send(
    client: Surface,
    stream: bool,
    body: &Value,
    kind: ProviderKind,
    model: &str,
) -> Result<Encoded, Refusal> {
    let mut body = body.clone();
    let address = client.is_addressed().then_some(Address { model: "m", stream });
    if stream && address.is_none() {
        body["stream"] = true.into();
        if client == Surface::ChatCompletions {
            body["stream_options"] = json!({"include_usage": true});
        }
    }
    let egress = Egress {
        kind,
        model,
        api_version: None,
        max_output_tokens: None,
        strict: false,
        request_id: RequestId::new(Timestamp::from_unix_millis(1_700_000_000_000), 7),
        now: Timestamp::from_unix_millis(1_700_000_000_000),
    };
    let body = Bytes::from(serde_json::to_vec(&body).unwrap());
    let head = read_head_at(client, address, &body, &mut Scratch::default())?;
    encode(client, &head, &body, &egress)
}

/// The smallest request of a client.
pub(crate) fn hello(client: Surface) -> Value {
    match client.dialect() {
        Dialect::OpenAi | Dialect::Cohere => {
            json!({"model": "m", "messages": [{"role": "user", "content": "Hello."}]})
        }
        Dialect::Anthropic => {
            json!({"model": "m", "max_tokens": 9000, "messages": [{"role": "user", "content": "Hello."}]})
        }
        Dialect::Responses => json!({"model": "m", "input": "Hello."}),
        Dialect::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": "Hello."}]}]}),
        Dialect::Bedrock => json!({"messages": [{"role": "user", "content": [{"text": "Hello."}]}]}),
    }
}

/// What is written in a file of `tests/fixtures/matrix`.
pub(crate) fn fixture(what: &str, dialect: Dialect) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/matrix");
    let file = path.join(what).join(format!("{}.json", dialect.name()));
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// Events (name, data) as the servers of a dialect frame them.
pub(crate) fn framed(dialect: Dialect, events: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    for event in events.as_array().unwrap() {
        let name = event[0].as_str();
        let data = event[1].as_str().map_or(event[1].to_string(), str::to_owned);
        match (dialect, name) {
            (Dialect::Bedrock, Some(name)) if name.ends_with("Exception") => {
                eventstream::write_exception(name, data.as_bytes(), &mut out);
            }
            (Dialect::Bedrock, name) => eventstream::write(name.unwrap(), data.as_bytes(), &mut out),
            (_, Some(name)) => out.extend(format!("event: {name}\ndata: {data}\n\n").bytes()),
            (_, None) => out.extend(format!("data: {data}\n\n").bytes()),
        }
    }
    out
}

/// The events of a stream: their names, where they have one, and their data.
pub(crate) fn events(dialect: Dialect, stream: &[u8]) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let each = |frame: sse::Frame<'_>| {
        let Some(event) = frame.event else { return };
        let told = String::from_utf8(event.data.to_vec()).unwrap();
        let data = serde_json::from_str(&told).unwrap_or(Value::String(told));
        found.push((event.name.unwrap_or_default().to_owned(), data));
    };
    if dialect == Dialect::Bedrock {
        eventstream::Framer::default().push(stream, each).unwrap();
    } else {
        sse::Framer::default().push(stream, each).unwrap();
    }
    found
}

/// A stream as a client gets it, arriving in chunks of `size`.
pub(crate) fn streamed(encoded: Encoded, body: &[u8], size: usize) -> (Vec<u8>, Report) {
    let (mut reader, mut out) = (encoded.reader.stream(), Vec::new());
    for chunk in body.chunks(size.max(1)) {
        reader.push(Bytes::copy_from_slice(chunk), &mut out);
    }
    reader.finish(StreamEnd::Eof, &mut out);
    (out.concat(), reader.report().clone())
}
