//! What it costs to translate, for each pair of dialects: a request of 2 KiB, a whole answer, a chunk of a stream. Before
//! each time is measured, its allocations are counted and told.

#![expect(clippy::expect_used, reason = "a bench whose fixture is wrong should stop")]
#![expect(clippy::print_stdout, reason = "counts stand beside criterion's times")]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use serde_json::json;
use tollgate_adapters::{
    Address, Egress, Encoded, Head, Scratch, encode, eventstream, read_head, read_head_at,
};
use tollgate_bench::{chat_request, egress};
use tollgate_core::{ProviderKind, Surface};

/// Clients, and the kinds of provider whose dialect they speak.
const PAIRS: [(&str, Surface, ProviderKind); 6] = [
    ("chat", Surface::ChatCompletions, ProviderKind::OpenAi),
    ("responses", Surface::Responses, ProviderKind::OpenAiResponses),
    ("messages", Surface::Messages, ProviderKind::Anthropic),
    ("gemini", Surface::GenerateContent, ProviderKind::Gemini),
    ("cohere", Surface::CohereChat, ProviderKind::Cohere),
    ("converse", Surface::Converse, ProviderKind::Bedrock),
];

const WORDS: &str = " a few words of it";

/// A client's request, read: made by translating one of OpenAI's into its dialect.
struct Asked {
    surface: Surface,
    head: Head,
    body: Bytes,
}

impl Asked {
    fn by(surface: Surface, kind: ProviderKind, stream: bool) -> Self {
        let mut scratch = Scratch::default();
        let chat = Bytes::from(chat_request(2048, stream));
        let head = read_head(Surface::ChatCompletions, &chat, &mut scratch).expect("a good body");
        let made = encode(Surface::ChatCompletions, &head, &chat, &egress(kind)).expect("encodes");
        let body = made.body;
        let head = if surface.is_addressed() {
            let address = Address {
                model: "model",
                stream,
            };
            read_head_at(surface, Some(address), &body, &mut scratch)
        } else {
            read_head(surface, &body, &mut scratch)
        };
        let head = head.expect("a good body in every dialect");
        Self { surface, head, body }
    }

    fn encode(&self, egress: &Egress<'_>) -> Encoded {
        encode(self.surface, &self.head, &self.body, egress).expect("encodes")
    }
}

/// The kind whose answers this kind gives to a client: OpenAI answers clients of Responses by that.
fn answering(kind: ProviderKind, client: Surface) -> ProviderKind {
    match (kind, client) {
        (ProviderKind::OpenAi, Surface::Responses) => ProviderKind::OpenAiResponses,
        (kind, _) => kind,
    }
}

/// A whole answer of a provider.
fn answer(kind: ProviderKind) -> Bytes {
    let said = WORDS.repeat(30);
    let text = json!([{ "type": "text", "text": said }]);
    let answer = match kind {
        ProviderKind::OpenAiResponses => json!({
            "id": "r", "object": "response", "status": "completed", "model": "m",
            "output": [{ "type": "message", "id": "m", "role": "assistant",
                "content": [{ "type": "output_text", "text": said, "annotations": [] }] }],
            "usage": { "input_tokens": 7, "output_tokens": 5, "total_tokens": 12 },
        }),
        ProviderKind::Anthropic => json!({
            "id": "m", "type": "message", "role": "assistant", "model": "m", "content": text,
            "stop_reason": "end_turn", "usage": { "input_tokens": 7, "output_tokens": 5 },
        }),
        ProviderKind::Gemini => json!({
            "candidates": [{ "content": { "role": "model", "parts": [{ "text": said }] }, "finishReason": "STOP" }],
            "usageMetadata": { "promptTokenCount": 7, "candidatesTokenCount": 5, "totalTokenCount": 12 },
        }),
        ProviderKind::Cohere => json!({
            "id": "c", "finish_reason": "COMPLETE", "message": { "role": "assistant", "content": text },
            "usage": { "tokens": { "input_tokens": 7, "output_tokens": 5 } },
        }),
        ProviderKind::Bedrock => json!({
            "output": { "message": { "role": "assistant", "content": [{ "text": said }] } },
            "stopReason": "end_turn", "usage": { "inputTokens": 7, "outputTokens": 5, "totalTokens": 12 },
        }),
        _ => json!({
            "id": "c", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{ "index": 0, "message": { "role": "assistant", "content": said }, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12 },
        }),
    };
    answer.to_string().into()
}

/// A chunk of a provider's stream, with a few words.
fn chunk(kind: ProviderKind) -> Bytes {
    let (name, data) = match kind {
        ProviderKind::OpenAiResponses => (
            "response.output_text.delta",
            json!({
                "type": "response.output_text.delta", "item_id": "m", "output_index": 0, "content_index": 0,
                "delta": WORDS, "sequence_number": 9,
            }),
        ),
        ProviderKind::Anthropic => (
            "content_block_delta",
            json!({
                "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": WORDS },
            }),
        ),
        ProviderKind::Gemini => (
            "",
            json!({
                "candidates": [{ "content": { "role": "model", "parts": [{ "text": WORDS }] }, "index": 0 }],
                "usageMetadata": { "promptTokenCount": 7, "totalTokenCount": 7 }, "modelVersion": "m",
            }),
        ),
        ProviderKind::Cohere => (
            "content-delta",
            json!({
                "type": "content-delta", "index": 0, "delta": { "message": { "content": { "text": WORDS } } },
            }),
        ),
        ProviderKind::Bedrock => {
            let mut out = Vec::new();
            let data = json!({ "contentBlockIndex": 0, "delta": { "text": WORDS } });
            eventstream::write("contentBlockDelta", data.to_string().as_bytes(), &mut out);
            return out.into();
        }
        _ => (
            "",
            json!({
                "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                "choices": [{ "index": 0, "delta": { "content": WORDS }, "finish_reason": null }],
            }),
        ),
    };
    let event = if name.is_empty() {
        String::new()
    } else {
        format!("event: {name}\n")
    };
    format!("{event}data: {data}\n\n").into()
}

/// Runs `work` once and tells how often it allocates.
fn counted(name: &str, work: impl FnOnce()) {
    let counts = allocation_counter::measure(work);
    println!("{name}: {} allocations", counts.count_total);
}

fn requests(c: &mut Criterion) {
    let mut group = c.benchmark_group("request");
    for (client, surface, own) in PAIRS {
        let asked = Asked::by(surface, own, false);
        for (provider, _, kind) in PAIRS {
            let (name, egress) = (format!("{client}_to_{provider}"), egress(kind));
            counted(&format!("request/{name}"), || drop(asked.encode(&egress)));
            group.bench_function(name, |b| b.iter(|| black_box(&asked).encode(&egress)));
        }
    }
    group.finish();
}

fn answers(c: &mut Criterion) {
    let mut group = c.benchmark_group("answer");
    for (client, surface, own) in PAIRS {
        let asked = Asked::by(surface, own, false);
        for (provider, _, kind) in PAIRS {
            let (name, egress, body) = (
                format!("{provider}_to_{client}"),
                egress(kind),
                answer(answering(kind, surface)),
            );
            let reader = || asked.encode(&egress).reader;
            let first = reader();
            counted(&format!("answer/{name}"), || {
                drop(first.read(body.clone()).expect("reads"));
            });
            group.bench_function(name, |b| {
                b.iter_batched(
                    reader,
                    |reader| reader.read(black_box(body.clone())).expect("reads"),
                    BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
}

fn chunks(c: &mut Criterion) {
    /// So many chunks are one stream: writers of some dialects keep what they wrote.
    const LENGTH: usize = 100;
    let mut group = c.benchmark_group("chunk");
    for (client, surface, own) in PAIRS {
        let asked = Asked::by(surface, own, true);
        for (provider, _, kind) in PAIRS {
            let (name, egress, chunk) = (
                format!("{provider}_to_{client}"),
                egress(kind),
                chunk(answering(kind, surface)),
            );
            let begun = || {
                let mut reader = asked.encode(&egress).reader.stream();
                let mut out = Vec::with_capacity(4);
                reader.push(chunk.clone(), &mut out);
                (reader, out)
            };
            let (mut reader, mut out) = begun();
            out.clear();
            counted(&format!("chunk/{name}"), || {
                reader.push(chunk.clone(), &mut out);
                out.clear();
            });
            group.throughput(criterion::Throughput::Elements(LENGTH as u64));
            group.bench_function(name, |b| {
                b.iter_batched(
                    begun,
                    |(mut reader, mut out)| {
                        for _ in 0..LENGTH {
                            reader.push(black_box(chunk.clone()), &mut out);
                            out.clear();
                        }
                        reader
                    },
                    BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
}

criterion_group!(benches, requests, answers, chunks);
criterion_main!(benches);
