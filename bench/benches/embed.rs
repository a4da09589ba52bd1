//! What it costs to make a vector of a text: pieces, rows, and the two looks that decide whether to.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use tollgate_cache::embed::{Embedder as _, Table};
use tollgate_cache::text::{Traits, WordPiece, fold};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Of 7, 50 and 300 pieces or so, and one beyond ASCII.
fn texts() -> [(&'static str, String); 4] {
    let short = "How do I reset my password?";
    let middle = "We run a load balancer in front of our staging cluster, and health checks are retried three times before a \
        node is marked as unhealthy, but the setting seems to be ignored after an upgrade. What should we change?";
    let beyond =
        "Comment réinitialiser le mot de passe de l’équipe à Zürich ? Ich möchte die Größe der Datei ändern.";
    [
        ("short", short.to_owned()),
        ("middle", middle.to_owned()),
        ("long", [middle; 6].join(" ")),
        ("beyond_ascii", beyond.to_owned()),
    ]
}

fn embed(c: &mut Criterion) {
    let tokenizer = WordPiece::built_in();
    let table = Table::built_in();
    for (name, text) in texts() {
        let mut tokens = Vec::new();
        tokenizer.tokens(&text, &mut tokens);
        let name = format!("{name}_{}_pieces", tokens.len());
        c.bench_function(&format!("embed/{name}/tokens"), |b| {
            b.iter(|| {
                tokens.clear();
                tokenizer.tokens(black_box(&text), &mut tokens);
                tokens.len()
            });
        });
        c.bench_function(&format!("embed/{name}"), |b| {
            b.iter(|| table.embed(black_box(&text)));
        });
        c.bench_function(&format!("fold/{name}"), |b| b.iter(|| fold(black_box(&text))));
        c.bench_function(&format!("traits/{name}"), |b| {
            b.iter(|| Traits::of(black_box(&text), tokenizer));
        });
    }
}

criterion_group!(benches, embed);
criterion_main!(benches);
