//! Nobody is answered with what was said to somebody else, under another system prompt, with other tools, under other
//! parameters or after other turns: ten thousand pairs of requests that differ in one such thing, and perhaps in how
//! the question is put.

use std::collections::HashSet;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Map, Value, json};
use tollgate_tests::{Stack, Wire};

/// The loosest mode there is.
const CONFIG: &str = r#"
breaker: { enabled: false }
cache: { policy: { mode: aggressive, max_temperature: 2 } }
providers:
  east: { kind: openai, base_url: "http://{mock}/p/east/v1", api_key: "key-of-east-000001" }
models:
  fast: { targets: [ { provider: east, model: m } ] }
  slow: { targets: [ { provider: east, model: m } ] }
  "free/*": { targets: [ { provider: east } ] }
keys:
  - { name: test, key: "tg-test-key-0123456789", models: ["*"] }
  - { name: other, key: "tg-key-of-another-0001", models: ["*"] }
  - { name: third, key: "tg-key-of-a-third-0001", models: ["*"] }
"#;

/// Requests that are answered and kept, and for each of them requests that must not get its answer.
const BASES: usize = 400;
const VARIANTS: usize = 25;

const KEYS: [&str; 3] = [
    "tg-test-key-0123456789",
    "tg-key-of-another-0001",
    "tg-key-of-a-third-0001",
];
const MODELS: [&str; 4] = ["fast", "slow", "free/a", "free/b"];
/// Each line is one question in several words.
const QUESTIONS: [[&str; 3]; 8] = [
    [
        "How do I reset my password?",
        "How can I reset my password?",
        "how do i reset my password",
    ],
    [
        "What is the capital of France?",
        "What's the capital of France?",
        "what is the capital city of France?",
    ],
    [
        "How do I convert 20 miles to kilometers?",
        "How can I convert 20 miles to kilometers?",
        "convert 20 miles to kilometers",
    ],
    [
        "Why is the sky blue?",
        "why is the sky blue",
        "What is the reason that the sky is blue?",
    ],
    [
        "How can I lose weight quickly?",
        "How do I lose weight quickly?",
        "how can I lose weight fast?",
    ],
    [
        "Who wrote Hamlet?",
        "who wrote Hamlet",
        "Who is the author of Hamlet?",
    ],
    [
        "What is a good recipe for bread?",
        "What's a good recipe for bread?",
        "Can you give me a good recipe for bread?",
    ],
    [
        "Explain recursion to a child.",
        "explain recursion to a child",
        "Please explain recursion to a child.",
    ],
];

/// A request, but for how the question is put.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Situation {
    key: usize,
    model: usize,
    question: usize,
    /// Each choice is one thing that must be the same; its meaning stands in [`PARTS`].
    parts: [usize; PARTS.len()],
}

/// What of a request must be the same, each as the choices that there are: the name of a field and its value. The first
/// is that it is not there.
const PARTS: [(&str, &[&str]); 14] = [
    ("temperature", &["", "0", "0.5", "0.7"]),
    ("max_tokens", &["", "100", "200"]),
    ("top_p", &["", "0.5", "0.9"]),
    ("seed", &["", "1", "2"]),
    ("stop", &["", "\"END\"", "[\"END\",\"STOP\"]"]),
    ("presence_penalty", &["", "0.5", "-0.5"]),
    ("n", &["", "2"]),
    (
        "response_format",
        &[
            "",
            r#"{"type":"json_object"}"#,
            r#"{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object"}}}"#,
        ],
    ),
    ("tools", &["", TOOL_A, TOOL_B]),
    ("tool_choice", &["", "\"none\"", "\"auto\""]),
    ("reasoning_effort", &["", "\"low\"", "\"high\""]),
    ("logit_bias", &["", r#"{"50256":-100}"#]),
    (
        "system",
        &[
            "",
            "Answer in French.",
            "Answer in German.",
            "You are a pirate.",
            "You are a pirate",
        ],
    ),
    ("before", &["", "Hello.", "Hello!", "My name is Ada."]),
];
const TOOL_A: &str = r#"[{"type":"function","function":{"name":"a","parameters":{"type":"object"}}}]"#;
const TOOL_B: &str = r#"[{"type":"function","function":{"name":"b","parameters":{"type":"object"}}}]"#;

impl Situation {
    /// Most requests have few parts.
    fn any(random: &mut StdRng) -> Self {
        let part = |(_, choices): &(&str, &[&str])| {
            let is_there = random.random_bool(0.25);
            if is_there {
                random.random_range(1..choices.len())
            } else {
                0
            }
        };
        let parts = PARTS.each_ref().map(part);
        Self {
            key: random.random_range(0..KEYS.len()),
            model: random.random_range(0..MODELS.len()),
            question: random.random_range(0..QUESTIONS.len()),
            parts,
        }
    }

    /// The same but for one thing.
    fn variant(&self, random: &mut StdRng) -> Self {
        let mut variant = self.clone();
        let other = |random: &mut StdRng, now: usize, choices: usize| {
            (now + random.random_range(1..choices)) % choices
        };
        match random.random_range(0..PARTS.len() + 2) {
            0 => variant.key = other(random, self.key, KEYS.len()),
            1 => variant.model = other(random, self.model, MODELS.len()),
            part => {
                let part = part - 2;
                variant.parts[part] = other(random, self.parts[part], PARTS[part].1.len());
            }
        }
        variant
    }

    fn body(&self, words: &str) -> String {
        let mut body = Map::new();
        let mut messages = Vec::new();
        for ((name, choices), &choice) in PARTS.iter().zip(&self.parts) {
            let value = choices[choice];
            match *name {
                _ if value.is_empty() => {}
                "system" => messages.push(json!({ "role": "system", "content": value })),
                "before" => messages.extend([
                    json!({ "role": "user", "content": value }),
                    json!({ "role": "assistant", "content": "Go on." }),
                ]),
                name => drop(body.insert(name.to_owned(), serde_json::from_str(value).unwrap())),
            }
        }
        messages.push(json!({ "role": "user", "content": words }));
        body.insert("model".to_owned(), json!(MODELS[self.model]));
        body.insert("messages".to_owned(), json!(messages));
        Value::Object(body).to_string()
    }
}

/// What the cache says to a request that may only be answered by it, or to one that is answered in any case.
async fn ask(wire: &mut Wire, situation: &Situation, words: &str, only: bool) -> (u16, String) {
    let bearer = format!("Bearer {}", KEYS[situation.key]);
    let mut headers = vec![("authorization", bearer.as_str())];
    if only {
        headers.push(("x-tollgate-cache", "only"));
    }
    wire.post("/v1/chat/completions", &headers, &situation.body(words))
        .await;
    let response = wire.response().await;
    let said = response.header("x-tollgate-cache").unwrap_or("-").to_owned();
    (response.status, said)
}

#[tokio::test]
async fn ten_thousand_pairs_that_differ_in_what_must_be_the_same_share_no_answer() {
    let mut random = StdRng::seed_from_u64(0x701_16A7E);
    let stack = Stack::start(CONFIG).await;
    let mut wire = stack.wire().await;
    let mut bases: Vec<Situation> = Vec::new();
    let mut kept = HashSet::new();
    while bases.len() < BASES {
        let base = Situation::any(&mut random);
        if kept.insert(base.clone()) {
            let (status, said) = ask(&mut wire, &base, QUESTIONS[base.question][0], false).await;
            assert_eq!((status, said.as_str()), (200, "miss"), "{base:?}");
            bases.push(base);
        }
    }
    // All of them are there, or the test would show nothing; and those of plain words are found by meaning.
    let mut by_meaning = 0;
    for base in &bases {
        let mut patience = 400;
        while ask(&mut wire, base, QUESTIONS[base.question][0], true).await.0 != 200 {
            patience -= 1;
            assert!(patience > 0, "it is never kept: {base:?}");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let (_, said) = ask(&mut wire, base, QUESTIONS[base.question][1], true).await;
        by_meaning += usize::from(said.starts_with("semantic"));
    }
    assert!(
        by_meaning > BASES / 20,
        "{by_meaning} of {BASES} are found by meaning"
    );
    let mut pairs = 0;
    for base in &bases {
        for _ in 0..VARIANTS {
            let variant = base.variant(&mut random);
            if kept.contains(&variant) {
                continue;
            }
            let words = QUESTIONS[variant.question].choose(&mut random).unwrap();
            let (status, said) = ask(&mut wire, &variant, words, true).await;
            assert_eq!(status, 504, "{said}: {words}\n{base:?}\n{variant:?}");
            pairs += 1;
        }
    }
    assert!(pairs > BASES * VARIANTS * 95 / 100, "{pairs} pairs");
    assert_eq!(
        stack.asked("east"),
        BASES,
        "nobody but the bases was asked upstream"
    );
}
