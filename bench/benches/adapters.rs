//! What it costs to read a request, to put it into a provider's words, and to read what comes back.

#![expect(clippy::expect_used, reason = "a bench whose fixture is wrong should stop")]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tollgate_adapters::{Scratch, encode, read_head};
use tollgate_bench::{chat_answer, chat_chunk, chat_request, egress};
use tollgate_core::{ProviderKind, Surface};

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

criterion_group!(benches, request, answer, stream);
criterion_main!(benches);
