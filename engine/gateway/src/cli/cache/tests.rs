//! What is said of the cache, from documents as the admin API writes them.

use super::*;
use clap::Parser as _;
use serde_json::json;

#[derive(Debug, clap::Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn verb(line: &[&str]) -> Result<Verb, clap::Error> {
    let words = std::iter::once("cache").chain(line.iter().copied());
    Line::try_parse_from(words).map(|line| line.args.verb)
}

#[test]
fn statistics_are_a_line_for_each_route_with_what_it_saves() {
    let text = stats(&json!({
        "entries": 12, "budget_bytes": 268_435_456_u64, "filled": 20, "evicted": 1, "expired": 2, "invalidated": 5,
        "bytes": {"total": 61_440, "answers": 40_960, "questions": 15_000, "rest": 512},
        "routes": [{"route": "fast", "mode": "safe", "requests": {"hit": 3, "hit_semantic": 2, "miss": 5},
            "bypasses": {"tools": 1, "request": 4}, "hit_ratio": 0.5, "saved_usd": "0.0123", "saved_ms": 61_500}],
    }));
    assert!(
        text.starts_with(
            "12 entries in 60.0 KiB of 256.0 MiB (answers 40.0 KiB, questions 14.6 KiB, the rest 512 B)\n"
        ),
        "{text}"
    );
    let row: Vec<&str> = text.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(
        row,
        [
            "fast", "safe", "3", "0", "2", "5", "0", "50.0", "%", "$0.0123", "61.5", "s", "request", "4,",
            "tools", "1"
        ]
    );
}

#[test]
fn a_comparison_says_who_decided_and_on_what() {
    let text = compared(&json!({
        "score": 0.0, "score_without_guards": 0.991, "cosine": 0.97, "guard": "number", "folded": false,
        "unfit": {"first": null, "second": "timely"}, "understood": {"first": "5 days", "second": "7 days"},
        "fired": [{"guard": "number", "a": "5", "b": "7"}, {"guard": "name", "a": "x\u{1b}", "b": ""}],
        "modes": {"safe": {"shipped": 0.95, "threshold": null, "same": false},
                  "aggressive": {"shipped": 0.8, "threshold": 0.75, "same": true}},
        "features": [{"name": "cosine", "value": 0.97}, {"name": "nothing", "value": 0.0}],
    }));
    for said in [
        "score 0.0000 (0.9910 without guards), cosine 0.9700",
        "decided by the guard number: '5' | '7'",
        "also against it: the guard name: 'x?' | ''",
        "the second is not compared by meaning: timely",
        "the first was read as: 5 days",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(!text.contains("nothing"), "{text}");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .take(4)
        .map(|it| it.split_whitespace().collect())
        .collect();
    assert_eq!(
        (&rows[1][..], &rows[3][..]),
        (
            &["safe", "0.9500", "-", "no"][..],
            &["aggressive", "0.8000", "0.7500", "yes"][..]
        )
    );
}

#[test]
fn what_is_compared_offline_is_compared_by_the_models_of_the_binary() {
    let cache = Cache::new(StoreSettings::default());
    cache.learn();
    let of = |a: &str, b: &str| crate::admin::compared(&cache, a, b, None).unwrap();
    let other = of(
        "How do I cook rice for 5 people?",
        "How do I cook rice for 7 people?",
    );
    assert_eq!(
        (&other["guard"], &other["modes"]["aggressive"]["same"]),
        (&json!("number"), &json!(false))
    );
    assert!(compared(&other).contains("decided by the guard number"));
    let far = of("How do I cook rice for 5 people?", "What is a monad?");
    assert!(compared(&far).contains("\ntoo far apart to be compared\n"));
    let folded = of("What is a monad?", "what is  a monad?");
    assert_eq!(
        (&folded["folded"], &folded["modes"]["safe"]["same"]),
        (&json!(true), &json!(true))
    );
}

#[test]
fn an_entry_is_shown_with_its_answer() {
    let text = one(&json!({
        "entry": 7, "route": "fast", "tenant": "team", "tags": ["a", "b"], "question": "why?", "created": "2026-01-01",
        "expires": "2026-01-02", "hits": 3, "last_hit": "2026-01-01T01", "bytes": 900, "cost_usd": "0.01",
        "latency_ms": 1500, "prompt_tokens": 5, "output_tokens": 9, "answer": {"model": "m", "text": "be\u{7}cause\nof it"},
    }));
    for said in [
        "hits          3, the last at 2026-01-01T01",
        "worth         $0.01, 1.5 s, 5 tokens in, 9 out",
        "tags          a, b",
        "\nbe?cause\nof it\n",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn entries_are_listed_briefly() {
    let text = entries(&json!({"matching": 3, "entries": [
        {"entry": 7, "route": "fast", "tenant": "team", "hits": 3, "bytes": 900, "cost_usd": "0.01", "created": "then",
         "question": "x".repeat(100)},
    ]}));
    assert!(
        text.contains(&format!("then      {}…\n", "x".repeat(60))),
        "{text}"
    );
    assert!(text.ends_with("1 of 3\n"), "{text}");
}

#[test]
fn what_is_invalidated_is_sent_as_it_was_said() {
    let line = [
        "invalidate",
        "--route",
        "fast",
        "--older-than",
        "1h",
        "--reason",
        "wrong",
        "--author",
        "ann",
    ];
    assert_eq!(
        invalidation(&verb(&line).unwrap()),
        json!({"route": "fast", "older_than": "1h", "reason": "wrong", "author": "ann"})
    );
    let all = invalidation(&verb(&["invalidate", "--all", "--author", "ann"]).unwrap());
    assert_eq!(all, json!({"all": true, "author": "ann"}));
    assert!(verb(&["invalidate", "--all", "--route", "fast"]).is_err());
    assert!(verb(&["invalidate", "--entry", "3", "--tag", "x"]).is_err());
    assert!(verb(&["explain", "a"]).is_err(), "two texts");
}
