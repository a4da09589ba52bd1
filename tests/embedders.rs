//! Another embedder finds, the verifier decides; and whatever happens to the embedder, the cache does as well as
//! without it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tollgate_tests::{Response, Scripted, Stack, eventually, json_answer, post, refusing, scratch_file};

/// What is asked, and what means the same.
const ASKED: &str = "How can I convert 20 miles to kilometers by hand?";
const KNOWN: &str = "How do I convert 20 miles to kilometers by hand?";
/// Of other meanings, and nearer to [`ASKED`] for the built-in table, as they are of the same words.
const NEARER: [&str; 5] = [
    "How can I convert 20 kilometers to miles by hand?",
    "By hand how can I convert 20 kilometers to miles?",
    "How can I convert kilometers to 20 miles by hand?",
    "How can I hand 20 miles by convert to kilometers?",
    "Can I convert how 20 kilometers to miles by hand?",
];

/// `settings`: of the embedder.
fn config_at(addr: SocketAddr, region: &str, settings: &str) -> String {
    format!(
        r#"
breaker: {{ enabled: false }}
cache: {{ embedder: {{ {settings} }}, policy: {{ mode: safe }} }}
providers:
  east: {{ kind: openai, base_url: "http://{{mock}}/p/east/v1", api_key: "key-of-east-000001", region: eu }}
  vectors: {{ kind: openai, base_url: "http://{addr}/v1", api_key: "key-of-vectors-001", region: {region} }}
models:
  fast: {{ targets: [ {{ provider: east, model: m }} ] }}
keys:
  - {{ name: test, key: "tg-test-key-0123456789", models: ["*"] }}
  - {{ name: bound, key: "tg-key-that-is-bound-1", models: ["*"], regions: [eu] }}
"#
    )
}

const ENDPOINT: &str = "provider: vectors, model: text-embedding-3-small, timeout: 5s";

/// Where words point: what asks for the conversion of miles to kilometers in one direction, all else in another.
fn vector_of(words: &str) -> Value {
    if words.contains("I convert 20 miles to kilometers") {
        json!([0.9, 0.1, 0.0, 0.0])
    } else {
        json!([0.0, 0.1, 0.9, 0.4])
    }
}

/// An endpoint that embeds.
async fn endpoint() -> Scripted {
    Scripted::start(|request| {
        let words = asked(request)["input"].as_str().unwrap().to_owned();
        let data = json!([{ "object": "embedding", "index": 0, "embedding": vector_of(&words) }]);
        let usage = json!({ "prompt_tokens": 10, "total_tokens": 10 });
        json_answer(
            200,
            &json!({ "object": "list", "data": data, "usage": usage }).to_string(),
        )
    })
    .await
}

fn asked(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn body(text: &str) -> String {
    json!({ "model": "fast", "messages": [ { "role": "user", "content": text } ] }).to_string()
}

fn cache(response: &Response) -> String {
    assert_eq!(response.status, 200, "{}", response.text());
    response.header("x-tollgate-cache").unwrap_or("-").to_owned()
}

async fn ask(stack: &Stack, text: &str) -> String {
    cache(&stack.chat(&body(text)).await)
}

async fn chat_with(stack: &Stack, key: &str, text: &str, headers: &[(&str, &str)]) -> Response {
    let bearer = format!("Bearer {key}");
    let mut all = vec![("authorization", bearer.as_str())];
    all.extend_from_slice(headers);
    post(stack.addr, "/v1/chat/completions", &all, &body(text)).await
}

/// Has it answered by a provider, whatever the cache has, and waits until that is kept.
async fn fill(stack: &Stack, key: &str, text: &str) {
    let refresh = [("x-tollgate-cache", "refresh")];
    assert_eq!(cache(&chat_with(stack, key, text, &refresh).await), "miss");
    kept(stack, key, text).await;
}

/// Waits until an answer is kept.
async fn kept(stack: &Stack, key: &str, text: &str) {
    for _ in 0..1_000 {
        let only = [("x-tollgate-cache", "only, mode=exact")];
        if chat_with(stack, key, text, &only).await.status == 200 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("it is never kept: {text}");
}

/// Near misses hide what means the same from the built-in table.
async fn crowd(stack: &Stack, key: &str) {
    fill(stack, key, KNOWN).await;
    for text in NEARER {
        fill(stack, key, text).await;
    }
}

const KEY: &str = tollgate_tests::KEY;

/// Waits until it compares by meaning, which takes a moment from the start on: then one more vector has been wanted.
async fn ready(stack: &Stack) {
    for _ in 0..1_000 {
        fill(stack, KEY, "What is the capital of the largest province?").await;
        let metrics = stack.metrics().await;
        if metrics.sum("tollgate_cache_embeddings_total", &[]) > 0.0 {
            return;
        }
    }
    panic!("it is never ready");
}

async fn embeddings(stack: &Stack, outcome: &str) -> f64 {
    let metrics = stack.metrics().await;
    metrics.sum("tollgate_cache_embeddings_total", &[("outcome", outcome)])
}

#[tokio::test]
async fn an_endpoint_shows_whom_the_built_in_table_does_not_and_each_text_is_sent_once() {
    let endpoint = endpoint().await;
    let stack = Stack::start(&config_at(endpoint.addr, "eu", ENDPOINT)).await;
    ready(&stack).await;
    crowd(&stack, KEY).await;
    let sent = endpoint.seen().len();
    assert_eq!(sent, 2 + NEARER.len(), "each text once, by who fills");
    let found = ask(&stack, ASKED).await;
    assert!(found.starts_with("semantic; score="), "{found}");
    assert!(ask(&stack, ASKED).await.starts_with("semantic"));
    assert_eq!(
        endpoint.seen().len(),
        sent + 1,
        "what was asked a moment ago is known"
    );
    let request = endpoint.seen().pop().unwrap();
    let head = request.to_ascii_lowercase();
    assert!(head.starts_with("post /v1/embeddings http/1.1\r\n"), "{head}");
    assert!(
        head.contains("authorization: bearer key-of-vectors-001\r\n"),
        "{head}"
    );
    let expected = json!({ "model": "text-embedding-3-small", "input": ASKED, "encoding_format": "base64" });
    assert_eq!(asked(&request), expected);
    // It only proposes: a trap that it takes for the same is none of the verifier's.
    let trap = "How do I not convert 20 miles to kilometers by hand? I convert 20 miles to kilometers.";
    assert_eq!(ask(&stack, trap).await, "miss");
    kept(&stack, KEY, trap).await;
    assert_eq!(
        endpoint.seen().len(),
        sent + 2,
        "by the lookup, and not again by the fill"
    );
    assert!(stack.metrics().await.sum("tollgate_cache_embeddings_total", &[]) > 0.0);
    let of_lookups = || -> Vec<Value> {
        let log = stack.log().into_iter();
        log.map(|it| it["embedding"].clone())
            .filter(|it| !it.is_null())
            .collect()
    };
    eventually("both lookups are in the log", || of_lookups().len() == 2).await;
    let record = &json!({ "embedding": of_lookups()[0] });
    assert_eq!(record["embedding"]["outcome"], "success");
    assert_eq!(record["embedding"]["tokens"], 10);
    assert_eq!(record["embedding"]["cost_nanodollars"], 200, "at $0.02 a million");
    let metrics = stack.metrics().await;
    let calls = f64::from(u32::try_from(endpoint.seen().len()).unwrap());
    assert_eq!(
        metrics.sum("tollgate_cache_embedding_tokens_total", &[]),
        10.0 * calls
    );
    assert_eq!(
        metrics.sum("tollgate_cache_embedding_cost_nanodollars_total", &[]),
        200.0 * calls
    );
    assert_eq!(metrics.sum("tollgate_cache_embedding_seconds_count", &[]), calls);
}

#[tokio::test]
async fn what_is_not_to_be_compared_by_meaning_is_sent_nowhere() {
    let endpoint = endpoint().await;
    let mut stack = Stack::start(&config_at(endpoint.addr, "eu", ENDPOINT)).await;
    ready(&stack).await;
    fill(&stack, KEY, KNOWN).await;
    // What the built-in table finds needs no call.
    let sent = endpoint.seen().len();
    assert!(ask(&stack, ASKED).await.starts_with("semantic"));
    for text in [
        "hello",
        "What is the weather today?",
        "Translate this into French, please.",
        "My key is sk-proj-4f9aK2mQ7xT1vB8nC3dE6gH0jL5pR and it does not work",
    ] {
        assert_eq!(ask(&stack, text).await, "miss", "{text}");
    }
    let tools = json!({
        "model": "fast", "messages": [ { "role": "user", "content": ASKED } ],
        "tools": [ { "type": "function", "function": { "name": "look", "parameters": { "type": "object" } } } ],
    });
    let turns = json!({ "model": "fast", "messages": [
        { "role": "user", "content": "Hi." }, { "role": "assistant", "content": "Hello." }, { "role": "user", "content": ASKED } ] });
    for body in [tools, turns] {
        assert_eq!(cache(&stack.chat(&body.to_string()).await), "miss", "{body}");
    }
    for header in ["off", "mode=exact"] {
        chat_with(&stack, KEY, ASKED, &[("x-tollgate-cache", header)]).await;
    }
    assert!(stack.drained().await);
    let strange: Vec<Value> = endpoint
        .seen()
        .iter()
        .skip(sent)
        .map(|it| asked(it)["input"].clone())
        .collect();
    assert_eq!(strange, Vec::<Value>::new());
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_costs_its_timeout_a_few_times_and_then_nothing() {
    // Connections are taken, and nothing is ever said.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = "provider: vectors, model: text-embedding-3-small, timeout: 50ms";
    let stack = Stack::start(&config_at(silent.local_addr().unwrap(), "eu", settings)).await;
    ready(&stack).await;
    for text in [KNOWN, NEARER[0]] {
        fill(&stack, KEY, text).await;
    }
    assert_eq!(embeddings(&stack, "timeout").await, 3.0);
    // What the built-in table finds is found.
    let found = ask(&stack, ASKED).await;
    assert!(found.starts_with("semantic"), "{found}");
    for number in 0..5 {
        let text = format!("What is the largest city of the province with number {number}?");
        assert_eq!(ask(&stack, &text).await, "miss");
    }
    for _ in 0..2_000 {
        if embeddings(&stack, "open").await >= 1.0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("it is called again and again");
}

#[tokio::test]
async fn errors_and_nonsense_of_an_endpoint_are_nobodys_trouble() {
    let (socket, refused) = refusing();
    let nonsense = Scripted::start(|_| json_answer(200, r#"{"data":[]}"#)).await;
    let broken = Scripted::start(|_| json_answer(500, r#"{"error":{"message":"no"}}"#)).await;
    for (addr, outcome) in [
        (refused, "failed"),
        (nonsense.addr, "malformed"),
        (broken.addr, "failed"),
    ] {
        let stack = Stack::start(&config_at(addr, "eu", ENDPOINT)).await;
        ready(&stack).await;
        fill(&stack, KEY, KNOWN).await;
        assert!(ask(&stack, ASKED).await.starts_with("semantic"), "{outcome}");
        assert_eq!(embeddings(&stack, outcome).await, 2.0, "{outcome}");
    }
    drop(socket);
}

#[tokio::test]
async fn what_must_stay_in_a_region_is_not_sent_out_of_it() {
    let endpoint = endpoint().await;
    let stack = Stack::start(&config_at(endpoint.addr, "us", ENDPOINT)).await;
    let bound = "tg-key-that-is-bound-1";
    ready(&stack).await;
    crowd(&stack, bound).await;
    assert_eq!(cache(&chat_with(&stack, bound, ASKED, &[]).await), "miss");
    crowd(&stack, KEY).await;
    let before = endpoint.seen().len();
    assert_eq!(before, 2 + NEARER.len(), "of the key that is free");
    let regions = [("x-tollgate-regions", "eu")];
    assert_eq!(cache(&chat_with(&stack, KEY, ASKED, &regions).await), "miss");
    assert_eq!(endpoint.seen().len(), before);
    assert!(embeddings(&stack, "barred").await >= 6.0);
    assert!(ask(&stack, ASKED).await.starts_with("semantic"), "free to go");
}

#[tokio::test]
async fn vectors_survive_a_restart_and_those_of_another_model_are_left_behind() {
    let directory = scratch_file("cache");
    let endpoint = endpoint().await;
    let kept = |settings: &str| {
        let config = config_at(endpoint.addr, "eu", settings);
        let kept = format!("cache: {{ directory: \"{}\", ", directory.display());
        config.replace("cache: { ", &kept)
    };
    let mut stack = Stack::start(&kept(ENDPOINT)).await;
    ready(&stack).await;
    crowd(&stack, KEY).await;
    assert!(stack.drained().await);
    let sent = endpoint.seen().len();
    let mut stack = Stack::start(&kept(ENDPOINT)).await;
    loaded(&stack, 7.0).await;
    assert!(ask(&stack, ASKED).await.starts_with("semantic"));
    assert_eq!(
        endpoint.seen().len(),
        sent + 1,
        "what was asked, and nothing that was kept"
    );
    assert!(stack.drained().await);
    // Another model's vectors are not compared with these; entries are found by the built-in table.
    let stack = Stack::start(&kept(&ENDPOINT.replace("3-small", "3-large"))).await;
    loaded(&stack, 7.0).await;
    assert_eq!(ask(&stack, ASKED).await, "miss");
    assert!(ask(&stack, KNOWN).await.starts_with("hit"));
    drop(stack);
    std::fs::remove_dir_all(&directory).unwrap();
}

async fn loaded(stack: &Stack, entries: f64) {
    for _ in 0..2_000 {
        if stack.metrics().await.sum("tollgate_cache_entries", &[]) >= entries {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the files are not read");
}

/// A model2vec directory: for this model, it is an article that counts most.
fn model2vec() -> PathBuf {
    let directory = scratch_file("model2vec");
    std::fs::create_dir_all(&directory).unwrap();
    let vocabulary = [
        "[UNK]", "do", "can", "how", "i", "convert", "hand", "the", "miles",
    ];
    std::fs::write(directory.join("vocab.txt"), vocabulary.join("\n")).unwrap();
    let row = |word: &str| if word == "the" { [0_i8, 100] } else { [1, 0] };
    let rows: Vec<u8> = vocabulary
        .iter()
        .flat_map(|word| row(word))
        .map(i8::cast_unsigned)
        .collect();
    let header = json!({ "embeddings": { "dtype": "I8", "shape": [vocabulary.len(), 2], "data_offsets": [0, rows.len()] } });
    let header = header.to_string();
    let length = u64::try_from(header.len()).unwrap().to_le_bytes();
    std::fs::write(
        directory.join("model.safetensors"),
        [&length[..], header.as_bytes(), &rows].concat(),
    )
    .unwrap();
    directory
}

fn local(directory: &Path) -> String {
    let addr = "127.0.0.1:9".parse().unwrap();
    config_at(addr, "eu", &format!("directory: \"{}\"", directory.display()))
}

/// A crowd that has the article.
async fn crowd_with_articles(stack: &Stack) {
    fill(stack, KEY, KNOWN).await;
    for text in NEARER {
        fill(stack, KEY, &text.replace(" to ", " to the ")).await;
    }
}

#[tokio::test]
async fn a_model2vec_directory_finds_without_any_call() {
    let directory = model2vec();
    let stack = Stack::start(&local(&directory)).await;
    crowd_with_articles(&stack).await;
    let found = ask(&stack, ASKED).await;
    assert!(found.starts_with("semantic"), "{found}");
    assert_eq!(embeddings(&stack, "success").await, 0.0);
    drop(stack);
    // The built-in table does not see it for the crowd.
    let stack = Stack::start(&config_at("127.0.0.1:9".parse().unwrap(), "eu", "")).await;
    crowd_with_articles(&stack).await;
    assert_eq!(ask(&stack, ASKED).await, "miss");
    drop(stack);
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
async fn what_a_reload_cannot_change_is_told_and_what_it_can_is_done() {
    let addr = "127.0.0.1:9".parse().unwrap();
    let exact = config_at(addr, "eu", "").replace("mode: safe", "mode: exact");
    let stack = Stack::start(&exact).await;
    fill(&stack, KEY, "What is the capital of the first province?").await;
    let needs_restart = async |config: &str| {
        stack.rewrite(config);
        let response = stack.reload().await;
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()["needs_restart"].clone()
    };
    // From now on questions are compared by meaning, without a restart.
    let semantic = exact.replace("mode: exact", "mode: safe");
    assert_eq!(needs_restart(&semantic).await, json!([]));
    fill(&stack, KEY, KNOWN).await;
    for _ in 0..2_000 {
        let only = [("x-tollgate-cache", "only")];
        if chat_with(&stack, KEY, ASKED, &only).await.status == 200 {
            break;
        }
        // What was kept before it was ready is found by sameness alone.
        fill(&stack, KEY, KNOWN).await;
    }
    assert!(ask(&stack, ASKED).await.starts_with("semantic"));
    let other = config_at(addr, "eu", ENDPOINT);
    assert_eq!(needs_restart(&other).await, json!(["cache.embedder"]));
    let directory = scratch_file("cache");
    let moved = other.replace(
        "cache: { ",
        &format!(
            "cache: {{ max_size: 8MiB, directory: \"{}\", ",
            directory.display()
        ),
    );
    assert_eq!(
        needs_restart(&moved).await,
        json!(["cache.max_size", "cache.directory"])
    );
    // What was started with goes on.
    assert!(ask(&stack, ASKED).await.starts_with("semantic"));
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_long_question_is_looked_up_beside_the_workers() {
    let config = config_at("127.0.0.1:9".parse().unwrap(), "eu", "");
    let stack = Stack::start(&config.replace("mode: safe", "mode: aggressive")).await;
    let why = "I have tried it with a calculator and it did not work at all. ".repeat(12);
    let long = |text: &str| format!("{text} {why}");
    // On a machine that is busy it may take too long there as well; and what was kept before it was ready to compare is
    // found by sameness alone.
    let only = [("x-tollgate-cache", "only")];
    for _ in 0..500 {
        fill(&stack, KEY, &long(KNOWN)).await;
        let response = chat_with(&stack, KEY, &long(ASKED), &only).await;
        if response.status == 200 {
            assert!(cache(&response).starts_with("semantic"), "{}", cache(&response));
            let metrics = stack.metrics().await;
            let done = metrics.sum("tollgate_cache_long_lookups_total", &[("result", "done")]);
            assert!(done >= 1.0);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("it is never found");
}
