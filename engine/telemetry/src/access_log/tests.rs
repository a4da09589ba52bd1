//! Lines are JSON, one a record, whatever clients and providers put into them; and the page that explains
//! them tells the truth.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;
use tollgate_core::{
    Dialect, FinishReason, Nanodollars, OutcomeClass, RefusalKind, RequestId, Surface, Timestamp, UsageSource,
};

use super::*;
use crate::Scrubbed;
use crate::record::{CacheResult, Ending, Timings};

/// A streamed request that failed over once and was translated: a record with every field in it.
fn full() -> RequestRecord {
    let at = Timestamp::from_unix_millis(1_767_225_600_250);
    RequestRecord {
        epoch: Some(3),
        key: Some("dev".into()),
        surface: Some(Surface::ChatCompletions),
        stream: true,
        model: Some("fast".into()),
        route: Some("fast".into()),
        served: Some(Served {
            provider: "claude".into(),
            model: "claude-haiku-4-5".into(),
            dialect: Dialect::Anthropic,
            response_model: Some("claude-haiku-4-5-20251001".into()),
            request_id: Some("req_011CSHoEeqs5C35K2UUqR7Fy".into()),
        }),
        attempts: vec![
            attempt(
                "openai",
                "gpt-4o-mini",
                OutcomeClass::Overloaded,
                Some(503),
                41_250,
            ),
            AttemptRecord {
                cost: Some(Nanodollars(1_836_800)),
                ..attempt(
                    "claude",
                    "claude-haiku-4-5",
                    OutcomeClass::Success,
                    Some(200),
                    1_204_800,
                )
            },
        ],
        status: 200,
        ending: Ending::Relayed(OutcomeClass::Success),
        finish: Some(FinishReason::Stop),
        usage: Some(Usage {
            input: 812,
            cache_read: 2048,
            output: 164,
            source: UsageSource::Reported,
            ..Usage::default()
        }),
        cost: Some(Nanodollars(1_836_800)),
        cache: Some(CacheRecord::of(CacheResult::Miss)),
        timings: Timings {
            total: Duration::from_micros(1_246_430),
            first_byte: Some(Duration::from_micros(412_900)),
            first_token: Some(Duration::from_micros(371_300)),
            generation: Some(Duration::from_micros(833_400)),
            upstream: Duration::from_micros(1_246_050),
            overhead: Duration::from_micros(38),
        },
        request_bytes: 11_204,
        response_bytes: 38_112,
        loss: vec!["logit_bias".into()],
        ..RequestRecord::new(RequestId::new(at, 42), at)
    }
}

fn attempt(
    provider: &str,
    model: &str,
    outcome: OutcomeClass,
    status: Option<u16>,
    us: u64,
) -> AttemptRecord {
    AttemptRecord {
        provider: provider.into(),
        model: model.into(),
        outcome,
        status,
        elapsed: Duration::from_micros(us),
        role: AttemptRole::Ordinary,
        cost: None,
    }
}

fn line_of(record: &RequestRecord) -> String {
    let mut out = Vec::new();
    record.write_line(&mut out);
    String::from_utf8(out).unwrap()
}

fn json_of(record: &RequestRecord) -> Value {
    let line = line_of(record);
    assert_eq!(line.matches('\n').count(), 1, "one line: {line}");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn the_reference_page_shows_the_line_of_this_record() {
    let page = include_str!("../../../../docs/reference/access-log.md");
    let shown = page
        .split("```json")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let shown: Value = serde_json::from_str(shown.expect("an example on the page")).unwrap();
    assert_eq!(shown, json_of(&full()), "the line is now: {}", line_of(&full()));
}

#[test]
fn every_field_of_a_line_is_explained_on_the_reference_page() {
    let page = include_str!("../../../../docs/reference/access-log.md");
    let mut refused = full();
    refused.ending = Ending::Refused(RefusalKind::UpstreamFailed);
    refused.error = Some(Scrubbed::new("no"));
    refused.service_tier = ServiceTier::Flex;
    let mut unpriced = full();
    unpriced.cost = None;
    for record in [full(), refused, unpriced] {
        for name in json_of(&record).as_object().unwrap().keys() {
            assert!(page.contains(&format!("| `{name}` |")), "no row for {name}");
        }
    }
}

#[test]
fn what_the_cache_said_is_told_and_every_word_of_it_is_explained() {
    let page = include_str!("../../../../docs/reference/access-log.md");
    let row = page.lines().find(|line| line.starts_with("| `cache` |")).unwrap();
    let mut record = full();
    record.cache = Some(CacheRecord {
        result: CacheResult::HitSemantic,
        score: Some(0.974_6),
        age: Some(Duration::from_millis(61_200)),
        entry: Some(17),
        saved: Some(Nanodollars(1_836_800)),
        saved_time: Some(Duration::from_micros(812_400)),
        reason: Some("tools"),
        withheld: Some(WhyWithheld::Near),
    });
    let said = json_of(&record)["cache"].clone();
    let expected = serde_json::json!({ "result": "hit_semantic", "score": "0.975", "age_ms": 61_200, "entry": 17,
        "saved_nanodollars": 1_836_800, "saved_ms": 812, "reason": "tools", "withheld": "near" });
    assert_eq!(said, expected);
    for name in said.as_object().unwrap().keys() {
        assert!(row.contains(&format!("`{name}`")), "{name}");
    }
    for why in [WhyWithheld::Shadow, WhyWithheld::Recheck, WhyWithheld::Near] {
        assert!(row.contains(&format!("`{}`", why.name())), "{}", why.name());
    }
    let all = [
        CacheResult::Hit,
        CacheResult::HitFolded,
        CacheResult::HitSemantic,
        CacheResult::Miss,
        CacheResult::Bypass,
    ];
    for result in all {
        assert!(row.contains(&format!("`{}`", result.name())), "{}", result.name());
    }
}

#[test]
fn what_a_client_said_of_an_answer_is_told_and_explained() {
    let page = include_str!("../../../../docs/reference/access-log.md");
    let row = page.lines().find(|line| line.starts_with("| `feedback` |"));
    let mut record = full();
    for (was_right, counts, expected) in [
        (
            true,
            Some(false),
            serde_json::json!({ "entry": 17, "verdict": "right", "counts": false }),
        ),
        (
            false,
            None,
            serde_json::json!({ "entry": 17, "verdict": "wrong" }),
        ),
    ] {
        record.feedback = Some(FeedbackRecord {
            entry: 17,
            was_right,
            counts,
        });
        assert_eq!(json_of(&record)["feedback"], expected);
        for (name, value) in expected.as_object().unwrap() {
            let is_told = |word: &str| row.unwrap().contains(&format!("`{word}`"));
            assert!(is_told(name) && value.as_str().is_none_or(is_told), "{name}");
        }
    }
}

#[test]
fn every_field_of_an_attempt_is_explained_on_the_reference_page() {
    let page = include_str!("../../../../docs/reference/access-log.md");
    let (_, of_attempts) = page.split_once("Of each attempt:").unwrap();
    let (of_attempts, outcomes) = of_attempts.split_once("Outcomes:").unwrap();
    let mut record = full();
    for role in [AttemptRole::Probe, AttemptRole::Hedge, AttemptRole::Continuation] {
        record.attempts[0].role = role;
        record.attempts[0].cost = Some(Nanodollars(7));
        for (name, value) in json_of(&record)["attempts"][0].as_object().unwrap() {
            assert!(
                of_attempts.contains(&format!("| `{name}` |")),
                "no row for {name}"
            );
            let is_word = name == "role";
            assert!(!is_word || of_attempts.contains(&format!("`{}`", value.as_str().unwrap())));
        }
    }
    let mut missing: Vec<_> = OUTCOMES.iter().map(|outcome| outcome.name()).collect();
    missing.retain(|name| !outcomes.contains(&format!("| `{name}` |")));
    assert!(missing.is_empty(), "no rows for {missing:?}");
}

const OUTCOMES: [OutcomeClass; 20] = [
    OutcomeClass::Success,
    OutcomeClass::InvalidRequest,
    OutcomeClass::ContextTooLong,
    OutcomeClass::CredentialRejected,
    OutcomeClass::QuotaExhausted,
    OutcomeClass::ModelNotFound,
    OutcomeClass::RateLimited,
    OutcomeClass::Overloaded,
    OutcomeClass::ServerError,
    OutcomeClass::ConnectFailed,
    OutcomeClass::ConnectTimeout,
    OutcomeClass::FirstByteTimeout,
    OutcomeClass::IdleTimeout,
    OutcomeClass::TotalTimeout,
    OutcomeClass::Reset,
    OutcomeClass::StreamError,
    OutcomeClass::Malformed,
    OutcomeClass::DeadlineExceeded,
    OutcomeClass::Superseded,
    OutcomeClass::ClientGone,
];

#[test]
fn an_attempt_says_its_role_and_its_share_of_the_cost_where_they_tell_something() {
    let mut record = full();
    let plain = json_of(&record)["attempts"][0].clone();
    assert_eq!((plain.get("role"), plain.get("cost_nanodollars")), (None, None));
    record.attempts[1].role = AttemptRole::Hedge;
    let hedge = json_of(&record)["attempts"][1].clone();
    assert_eq!(
        (&hedge["role"], &hedge["cost_nanodollars"]),
        (&"hedge".into(), &1_836_800.into())
    );
    record.attempts.remove(0);
    let alone = json_of(&record)["attempts"][0].clone();
    assert_eq!(alone.get("cost_nanodollars"), None, "it is the request's cost");
}

#[test]
fn what_is_absent_is_left_out() {
    let at = Timestamp::from_unix_millis(0);
    let json = json_of(&RequestRecord::new(RequestId::new(at, 0), at));
    let names: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert!(
        !names
            .iter()
            .any(|name| ["key", "usage", "cost_usd", "attempts", "loss", "provider"].contains(name))
    );
    assert_eq!(json["status"], 500);
    assert_eq!(json["error_type"], "internal_error");
}

#[test]
fn an_unknown_price_is_told_apart_from_a_price_of_nothing() {
    let mut record = full();
    record.cost = Some(Nanodollars::ZERO);
    assert_eq!(json_of(&record)["cost_usd"], "0.000000000");
    record.cost = None;
    assert_eq!(json_of(&record)["price_known"], false);
    assert_eq!(json_of(&record).get("cost_usd"), None);
    record.usage = None;
    assert_eq!(json_of(&record).get("price_known"), None, "nothing was used");
}

#[test]
fn the_largest_numbers_are_written_whole() {
    let mut record = full();
    record.cost = Some(Nanodollars(u64::MAX));
    record.request_bytes = u64::MAX;
    record.timings.total = Duration::MAX;
    let json = json_of(&record);
    assert_eq!(json["cost_nanodollars"], u64::MAX);
    assert_eq!(json["request_bytes"], u64::MAX);
    assert_eq!(json["total_us"], u64::MAX);
    assert_eq!(json["cost_usd"], "18446744073.709551615");
}

#[test]
fn a_line_stays_small_however_much_a_client_sends() {
    let mut record = full();
    record.model = Some("\u{1}é".repeat(1 << 20).into());
    record.loss = (0..10_000).map(|n| format!("messages[{n}].x").into()).collect();
    let line = line_of(&record);
    assert!(line.len() < 16 * 1024, "{} bytes", line.len());
    assert_eq!(json_of(&record)["loss_count"], 10_000);
}

proptest! {
    #[test]
    fn any_text_comes_back_as_it_was(text in "(?s).{0,120}") {
        let mut record = full();
        record.model = Some(text.as_str().into());
        let json = json_of(&record);
        prop_assert_eq!(json["model"].as_str(), Some(text.as_str()));
    }
}
