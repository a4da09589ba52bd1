//! The dialects of clients, the kinds of provider, and a request from each to each.

use bytes::Bytes;
use tollgate_adapters::{Address, Egress, Encoded, Reader, Scratch, encode, read_head_at};
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

/// A kind of provider for each dialect, in the order of [`CLIENTS`], and a model of its that thinks; behind them those
/// that have ways of their own.
pub(crate) const PROVIDERS: [(ProviderKind, &str); 12] = [
    (ProviderKind::OpenAi, "gpt-5"),
    (ProviderKind::OpenAiResponses, "gpt-5"),
    (ProviderKind::Anthropic, "claude-sonnet-4-5"),
    (ProviderKind::Gemini, "gemini-2.5-flash"),
    (ProviderKind::Cohere, "command-a-reasoning-08-2025"),
    (ProviderKind::Bedrock, "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    (ProviderKind::Mistral, "mistral-large-latest"),
    (ProviderKind::Vllm, "qwen3"),
    (ProviderKind::Xai, "grok-4"),
    (ProviderKind::Anthropic, "claude-3-5-haiku-latest"),
    (ProviderKind::Gemini, "gemini-3-pro-preview"),
    (ProviderKind::Bedrock, "amazon.nova-pro-v1:0"),
];

/// Some request's id.
pub(crate) fn request_id() -> RequestId {
    RequestId::new(Timestamp::from_unix_millis(1_700_000_000_000), 7)
}

/// A target with nothing special about it.
pub(crate) fn egress(kind: ProviderKind, model: &str) -> Egress<'_> {
    Egress {
        kind,
        model,
        api_version: None,
        max_output_tokens: None,
        strict: false,
        request_id: request_id(),
        now: Timestamp::from_unix_millis(1_700_000_000_000),
    }
}

/// What the path says, for clients that say it there.
pub(crate) fn address(client: Surface, stream: bool) -> Option<Address<'static>> {
    client.is_addressed().then_some(Address { model: "m", stream })
}

/// A request of a client for a target.
pub(crate) fn send(
    client: Surface,
    stream: bool,
    body: &Bytes,
    egress: &Egress<'_>,
) -> Result<Encoded, Refusal> {
    let head = read_head_at(client, address(client, stream), body, &mut Scratch::default())?;
    encode(client, &head, body, egress)
}

/// The reader of an answer: to a request with a tool whose name most providers cannot take as it is.
pub(crate) fn reader(
    client: Surface,
    stream: bool,
    include_usage: bool,
    kind: ProviderKind,
    model: &str,
) -> Reader {
    let body = Bytes::from(hello(client, stream, include_usage));
    let encoded = send(client, stream, &body, &egress(kind, model));
    encoded.expect("every provider can be asked for a chat").reader
}

/// The smallest request of a client, with a tool; with a custom one too, where there are such.
pub(crate) fn hello(client: Surface, stream: bool, include_usage: bool) -> String {
    let schema = r#"{"type":"object","properties":{"city":{"type":"string"}}}"#;
    let function = format!(r#"{{"name":"weather.now","description":"w","parameters":{schema}}}"#);
    let common = match (client.dialect(), stream) {
        (Dialect::OpenAi, true) => {
            format!(r#""model":"m","stream":true,"stream_options":{{"include_usage":{include_usage}}}"#)
        }
        _ => format!(r#""model":"m","stream":{stream}"#),
    };
    match client.dialect() {
        Dialect::OpenAi => format!(
            r#"{{{common},"messages":[{{"role":"user","content":"Hello."}}],
                "tools":[{{"type":"function","function":{function}}},{{"type":"custom","custom":{{"name":"patch.it"}}}}]}}"#
        ),
        Dialect::Cohere => format!(
            r#"{{{common},"messages":[{{"role":"user","content":"Hello."}}],
                "tools":[{{"type":"function","function":{function}}}]}}"#
        ),
        Dialect::Anthropic => format!(
            r#"{{{common},"max_tokens":9000,"messages":[{{"role":"user","content":"Hello."}}],
                "tools":[{{"name":"weather.now","input_schema":{schema}}}]}}"#
        ),
        Dialect::Responses => format!(
            r#"{{{common},"input":"Hello.",
                "tools":[{{"type":"function","name":"weather.now","parameters":{schema}}},{{"type":"custom","name":"patch.it"}}]}}"#
        ),
        Dialect::Gemini => format!(
            r#"{{"contents":[{{"role":"user","parts":[{{"text":"Hello."}}]}}],
                "tools":[{{"functionDeclarations":[{function}]}}]}}"#
        ),
        Dialect::Bedrock => format!(
            r#"{{"messages":[{{"role":"user","content":[{{"text":"Hello."}}]}}],
                "toolConfig":{{"tools":[{{"toolSpec":{{"name":"weather.now","inputSchema":{{"json":{schema}}}}}}}]}}}}"#
        ),
    }
}
