//! What it costs to read a request, to put it into a provider's words, and to read what comes back.

#![expect(clippy::expect_used, reason = "a bench whose fixture is wrong should stop")]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use tollgate_adapters::{
    BEDROCK, Fresh, KeepPolicy, Kept, Payload, Scratch, Shape, Signer, asked, encode, read_head, sign_request,
};
use tollgate_bench::{chat_answer, chat_chunk, chat_request, egress};
use tollgate_core::{ProviderKind, Surface, Timestamp};

const SURFACE: Surface = Surface::ChatCompletions;

fn request(c: &mut Criterion) {
    let mut scratch = Scratch::default();
    for (name, size) in [("1KiB", 1024), ("10KiB", 10 * 1024), ("100KiB", 100 * 1024)] {
        let body = Bytes::from(chat_request(size, false));
        let mut group = c.benchmark_group(format!("request/{name}"));
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function("read_head", |b| {
            b.iter(|| read_head(SURFACE, black_box(&body), &mut scratch));
        });
        let head = read_head(SURFACE, &body, &mut scratch).expect("a good body");
        for (name, kind) in [
            ("encode_same", ProviderKind::OpenAi),
            ("encode_anthropic", ProviderKind::Anthropic),
        ] {
            let egress = egress(kind);
            group.bench_function(name, |b| {
                b.iter(|| encode(SURFACE, &head, black_box(&body), &egress));
            });
        }
        group.finish();
    }
}

fn answer(c: &mut Criterion) {
    let mut scratch = Scratch::default();
    let body = Bytes::from(chat_request(1024, false));
    let head = read_head(SURFACE, &body, &mut scratch).expect("a good body");
    let answer = Bytes::from(chat_answer(120));
    let egress = egress(ProviderKind::OpenAi);
    let reader = || encode(SURFACE, &head, &body, &egress).expect("encodes").reader;
    c.bench_function("answer/read_same", |b| {
        b.iter_batched(
            reader,
            |reader| reader.read(black_box(answer.clone())),
            BatchSize::SmallInput,
        );
    });
}

fn stream(c: &mut Criterion) {
    let mut scratch = Scratch::default();
    let body = Bytes::from(chat_request(1024, true));
    let head = read_head(SURFACE, &body, &mut scratch).expect("a good body");
    let egress = egress(ProviderKind::OpenAi);
    let mut reader = encode(SURFACE, &head, &body, &egress)
        .expect("encodes")
        .reader
        .stream();
    let chunk = Bytes::from(chat_chunk(" word"));
    let mut out = Vec::new();
    c.bench_function("stream/push_same", |b| {
        b.iter(|| {
            reader.push(black_box(chunk.clone()), &mut out);
            out.clear();
        });
    });
}

/// What a cache asks of a request, and how it keeps and tells an answer of about 1 KiB.
fn recall(c: &mut Criterion) {
    for (name, size) in [("1KiB", 1024), ("10KiB", 10 * 1024), ("100KiB", 100 * 1024)] {
        let body = chat_request(size, false);
        let mut group = c.benchmark_group(format!("recall/{name}"));
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function("asked", |b| b.iter(|| asked(SURFACE, black_box(&body))));
        group.finish();
    }
    let whole = chat_answer(200);
    let keep = |body: &[u8]| Kept::of_whole(SURFACE, body, KeepPolicy::default());
    let kept = keep(&whole).expect("a good answer");
    let stored = kept.to_bytes();
    let egress = egress(ProviderKind::OpenAi);
    let fresh = Fresh {
        request_id: egress.request_id,
        now: egress.now,
        model: None,
    };
    let stream = Shape::Stream {
        include_usage: true,
        piece_bytes: Shape::PIECE_BYTES,
    };
    let streamed = kept.render(SURFACE, stream, fresh).expect("a chat");
    let mut group = c.benchmark_group("recall/answer");
    group.bench_function("keep_whole", |b| b.iter(|| keep(black_box(&whole))));
    group.bench_function("keep_stream", |b| {
        b.iter(|| Kept::of_stream(SURFACE, black_box(&streamed), KeepPolicy::default()));
    });
    group.bench_function("to_bytes", |b| b.iter(|| black_box(&kept).to_bytes()));
    group.bench_function("from_bytes", |b| b.iter(|| Kept::from_bytes(black_box(&stored))));
    for (dialect, surface) in [("openai", SURFACE), ("anthropic", Surface::Messages)] {
        for (shape_name, shape) in [("whole", Shape::Whole), ("stream", stream)] {
            group.bench_function(format!("tell_{shape_name}_{dialect}"), |b| {
                b.iter(|| black_box(&kept).render(surface, shape, fresh));
            });
        }
    }
    group.finish();
}

/// The signature that AWS wants: of the head alone, and with bodies that are hashed for it.
fn signature(c: &mut Criterion) {
    let signer = Signer {
        access_key_id: "ASIAIOSFODNN7EXAMPLE",
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        session_token: Some("FwoGZXIvYXdzEBYaDHRlbXBvcmFyeXRva2VuMDE="),
        region: "us-east-1",
        service: BEDROCK,
        now: Timestamp::from_unix_millis(1_800_000_000_000),
    };
    let host = "bedrock-runtime.us-east-1.amazonaws.com";
    let uri = format!("https://{host}/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/converse");
    let uri: Uri = uri.parse().expect("a URI");
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static(host));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let bodies = [1, 32].map(|kib| Bytes::from(chat_request(kib * 1024, false)));
    let mut group = c.benchmark_group("signature");
    for (name, payload) in [
        ("head", Payload::Unsigned),
        ("1KiB", Payload::Bytes(&bodies[0])),
        ("32KiB", Payload::Bytes(&bodies[1])),
    ] {
        group.bench_function(name, |b| {
            b.iter_batched_ref(
                || headers.clone(),
                |headers| sign_request(&signer, &Method::POST, black_box(&uri), headers, payload),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, signature, request, answer, stream, recall);
criterion_main!(benches);
