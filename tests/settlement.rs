//! Each request is accounted for exactly once, to the nanodollar, whatever became of it: the log, the metrics and
//! what the providers reported say the same.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tollgate_tests::{Response, Stack, chat, chat_stream, eventually, messages, messages_stream};

/// Prices that no two sums make alike: in picodollars per token 1,250,000 and so on.
const CONFIG: &str = r#"
providers:
  openai: { kind: openai, base_url: "http://{mock}/v1", api_key: "key-of-openai-000" }
  claude: { kind: anthropic, base_url: "http://{mock}", api_key: "key-of-claude-000" }
models:
  "o/*": { targets: [ { provider: openai, price: { input: "$1.25", output: "$10.000001", cache_read: "$0.125" } } ] }
  "a/*": { targets: [ { provider: claude, price: { input: "$3", output: "$15", cache_read: "$0.30", cache_write: "$3.75" } } ] }
  "free/*": { targets: [ { provider: openai } ] }
  "failing": { targets: [
    { provider: openai, model: "m--status500", priority: 0, price: { input: "$100", output: "$100" } },
    { provider: claude, model: "m--usage77x33", priority: 1, price: { input: "$3", output: "$15", cache_read: "$0.30" } } ] }
"#;

/// Picodollars a token: input, output, read from a cache, written to one.
type Rates = (u128, u128, u128, u128);
const OPENAI: Rates = (1_250_000, 10_000_001, 125_000, 1_250_000);
const CLAUDE: Rates = (3_000_000, 15_000_000, 300_000, 3_750_000);

/// Rounded once, half up: the price of disjoint token classes.
fn nanodollars((input, output, read, write): Rates, tokens: [u128; 4]) -> u64 {
    let picodollars = tokens[0] * input + tokens[1] * output + tokens[2] * read + tokens[3] * write;
    u64::try_from((picodollars + 500) / 1000).unwrap()
}

fn class(record: &Value, name: &str) -> u128 {
    u128::from(record["usage"][name].as_u64().unwrap_or(0))
}

/// What the record's own token counts cost at these rates.
fn priced(record: &Value, rates: Rates) -> u64 {
    let reasoning = class(record, "reasoning");
    let tokens = [
        class(record, "input"),
        class(record, "output") + reasoning,
        class(record, "cache_read"),
        class(record, "cache_write"),
    ];
    nanodollars(rates, tokens)
}

/// The number that stands behind `name` in a stream's last comment or in a header.
fn told(response: &Response) -> Option<String> {
    let header = response.header("x-tollgate-cost-usd").map(str::to_owned);
    header.or_else(|| {
        let text = response.text();
        let rest = text.rsplit_once("cost-usd=")?.1;
        rest.split_whitespace().next().map(str::to_owned)
    })
}

fn dollars(nanodollars: u64) -> String {
    format!(
        "{}.{:09}",
        nanodollars / 1_000_000_000,
        nanodollars % 1_000_000_000
    )
}

#[tokio::test]
async fn reported_tokens_are_priced_by_class_and_told_the_same_everywhere() {
    let stack = Stack::start(CONFIG).await;
    let cached = |prompt, cached, written, output| tollgate_loadtest::Behaviour {
        usage: tollgate_loadtest::UsageRule {
            prompt: Some(prompt),
            cached: Some(cached),
            cache_written: Some(written),
            output: Some(output),
            ..Default::default()
        },
        ..Default::default()
    };
    stack
        .mock
        .control()
        .set("cached", cached(10_007, 9001, 503, 41))
        .unwrap();
    // OpenAI's dialect knows no written tokens; Anthropic's does.
    let openai = nanodollars(OPENAI, [1006, 41, 9001, 0]);
    let claude = nanodollars(CLAUDE, [503, 41, 9001, 503]);
    let mut expected = Vec::new();
    let mut total = 0;
    for (model, cost) in [("o/cached", openai), ("a/cached", claude)] {
        for response in [
            stack.chat(&chat(model)).await,
            stack.chat(&chat_stream(model)).await,
            stack.messages(&messages(model)).await,
            stack.messages(&messages_stream(model)).await,
        ] {
            assert_eq!(response.status, 200, "{}", response.text());
            assert_eq!(
                told(&response),
                Some(dollars(cost)),
                "{model}: {}",
                response.text()
            );
            expected.push(json!(cost));
            total += cost;
        }
    }
    let log = stack.settled(8).await;
    let mut logged: Vec<_> = log
        .iter()
        .map(|record| record["cost_nanodollars"].clone())
        .collect();
    logged.sort_by_key(Value::as_u64);
    expected.sort_by_key(Value::as_u64);
    assert_eq!(logged, expected);
    assert!(log.iter().all(|record| record["usage"]["source"] == "reported"));
    assert_eq!(
        stack.metrics().await.sum("tollgate_cost_nanodollars_total", &[]),
        total as f64
    );
}

/// What became of requests, by a name for the case: how many are sent, and which outcome is expected.
const CASES: [(&str, &str, &str); 10] = [
    ("json", "o/m--usage1000x500", "success"),
    ("json", "a/m--usage900x100", "success"),
    ("stream", "o/m--usage123x45", "success"),
    ("stream", "a/m--usage678x90", "success"),
    ("stream", "o/m--nousage", "success"),
    ("stream", "o/m--reset6", "reset"),
    ("stream", "a/m--cut9", "reset"),
    ("json", "o/m--status400", "invalid_request"),
    ("json", "failing", "success"),
    ("hang up", "o/m--endless--pace5", "client_gone"),
];

#[tokio::test]
async fn log_metrics_and_prices_agree_to_the_nanodollar_over_a_mixed_load() {
    const ROUNDS: usize = 12;
    let stack = Stack::start(CONFIG).await;
    let mut refused = 0;
    for round in 0..ROUNDS {
        let requests = CASES.iter().enumerate().map(|(number, (how, model, _))| {
            let (stack, is_anthropic) = (&stack, (round + number) % 2 == 1);
            let (path, whole, stream) = if is_anthropic {
                ("/v1/messages", messages(model), messages_stream(model))
            } else {
                ("/v1/chat/completions", chat(model), chat_stream(model))
            };
            async move {
                if *how != "hang up" {
                    let body = if *how == "json" { whole } else { stream };
                    drop(stack.post(path, &body).await);
                    return;
                }
                let mut wire = stack.begin(path, &stream).await;
                assert_eq!(wire.head().await.status, 200);
                let mut seen = 0;
                while seen < 3000 {
                    seen += wire.piece().await.unwrap().len();
                }
            }
        });
        futures_util::future::join_all(requests).await;
        assert_eq!(stack.chat("{").await.status, 400);
        refused += 1;
    }
    let requests = ROUNDS * CASES.len() + refused;
    let log = stack.settled(requests).await;
    let ids: std::collections::BTreeSet<_> =
        log.iter().map(|record| record["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), requests, "each request once");

    let mut outcomes = BTreeMap::new();
    let mut costs: BTreeMap<&str, u64> = BTreeMap::new();
    for record in &log {
        *outcomes.entry(record["outcome"].as_str().unwrap()).or_insert(0) += 1;
        let Some(cost) = record["cost_nanodollars"].as_u64() else {
            let outcome = record["outcome"].as_str().unwrap();
            assert!(
                matches!(outcome, "refused" | "invalid_request"),
                "used, and not priced: {record}"
            );
            continue;
        };
        let provider = record["provider"].as_str().unwrap();
        let rates = if provider == "openai" { OPENAI } else { CLAUDE };
        assert_eq!(cost, priced(record, rates), "{record}");
        *costs.entry(provider).or_default() += cost;
    }
    let mut expected: BTreeMap<&str, usize> = BTreeMap::from([("refused", refused)]);
    for (.., outcome) in CASES {
        *expected.entry(outcome).or_default() += ROUNDS;
    }
    assert_eq!(outcomes, expected);

    // What the providers reported, from their own scripts.
    let of = |route: &str, reported: &str| {
        log.iter()
            .filter(move |it| it["route"] == route && it["usage"]["source"] == reported)
            .collect::<Vec<_>>()
    };
    let sum = |records: &[&Value], name: &str| records.iter().map(|it| class(it, name)).sum::<u128>();
    let rounds = ROUNDS as u128;
    assert_eq!(sum(&of("o/*", "reported"), "input"), rounds * (1000 + 123));
    assert_eq!(sum(&of("o/*", "reported"), "output"), rounds * (500 + 45));
    assert_eq!(sum(&of("a/*", "reported"), "output"), rounds * (100 + 90));
    assert_eq!(sum(&of("failing", "reported"), "output"), rounds * 33);

    let metrics = stack.metrics().await;
    for (provider, cost) in costs {
        let counted = metrics.sum(
            "tollgate_cost_nanodollars_total",
            &[("provider", provider), ("key", "test")],
        );
        assert_eq!(counted, cost as f64, "{provider}");
    }
    assert_eq!(metrics.sum("tollgate_requests_total", &[]), requests as f64);
    assert_eq!(metrics.sum("tollgate_log_lines_total", &[]), requests as f64);
    assert_eq!(metrics.sum("tollgate_log_dropped_total", &[]), 0.0);
    for name in ["input", "output", "cache_read"] {
        let logged = log.iter().map(|record| class(record, name)).sum::<u128>();
        assert_eq!(
            metrics.sum("tollgate_tokens_total", &[("class", name)]),
            logged as f64,
            "{name}"
        );
    }
    let estimated = log
        .iter()
        .filter(|record| record["usage"]["source"] == "estimated")
        .count();
    assert_eq!(
        metrics.sum("tollgate_usage_estimated_total", &[]),
        estimated as f64
    );
    let attempts = log
        .iter()
        .map(|record| record["attempts"].as_array().map_or(0, Vec::len))
        .sum::<usize>();
    assert_eq!(metrics.sum("tollgate_attempts_total", &[]), attempts as f64);
    let control = stack.mock.control();
    eventually("the providers agree", || control.stats().total.in_flight == 0).await;
    assert_eq!(
        control.stats().total.requests,
        attempts as u64,
        "each attempt is one request at a provider"
    );
}

#[tokio::test]
async fn what_has_no_price_is_said_to_have_none_and_costs_nothing() {
    let stack = Stack::start(CONFIG).await;
    let response = stack.chat(&chat("free/no-such-model-in-any-catalogue")).await;
    assert_eq!(
        (response.status, response.header("x-tollgate-cost-usd")),
        (200, None)
    );
    let record = stack.settled(1).await.pop().unwrap();
    assert_eq!(
        (&record["price_known"], &record["cost_nanodollars"]),
        (&json!(false), &Value::Null),
        "{record}"
    );
    let metrics = stack.metrics().await;
    assert_eq!(metrics.sum("tollgate_unpriced_requests_total", &[]), 1.0);
    assert_eq!(metrics.sum("tollgate_cost_nanodollars_total", &[]), 0.0);
}

#[tokio::test]
async fn a_model_of_the_catalogue_has_its_price_without_configuration() {
    let stack = Stack::start(CONFIG).await;
    let behaviour = tollgate_loadtest::Behaviour {
        usage: tollgate_loadtest::UsageRule {
            prompt: Some(1_000_000),
            output: Some(0),
            ..Default::default()
        },
        ..Default::default()
    };
    stack.mock.control().set("gpt-4o-mini", behaviour).unwrap();
    // $0.15 a million input tokens: the list price for as long as the model has existed.
    let response = stack.chat(&chat("free/gpt-4o-mini")).await;
    assert_eq!(
        response.header("x-tollgate-cost-usd"),
        Some("0.150000000"),
        "{}",
        response.text()
    );
}

#[tokio::test]
async fn an_attempt_that_failed_costs_nothing() {
    let stack = Stack::start(CONFIG).await;
    let response = stack.chat(&chat("failing")).await;
    let cost = nanodollars(CLAUDE, [77, 33, 0, 0]);
    assert_eq!(told(&response), Some(dollars(cost)), "{}", response.text());
}
