//! Reports of made-up rounds: what is added, what is doubted, what is judged, and that the format is what is said.

use std::time::Duration;

use super::*;
use crate::load::figures::{Ending, ErrorClass, Figures, Sample};
use crate::load::summary::{ServerUse, summarise};
use crate::load::{Outside, Scenario};

fn scenario(more: &str) -> Scenario {
    let outside = Outside {
        env: &|_| None,
        file: &|_| Err(std::io::ErrorKind::NotFound.into()),
    };
    let text = format!("name: made-up\nrequests: [ {{ model: m }} ]\narrival: {{ poisson: 100 }}\n{more}");
    Scenario::parse(&text, &outside).expect("a sound scenario")
}

/// A hundred requests of `micros`, sent `lag` late; every tenth fails if `fails`.
fn round(scenario: &Scenario, micros: u64, lag: Duration, fails: bool) -> Summary {
    let mut figures = Figures::new(scenario.window);
    for number in 0..100_u64 {
        let due = Duration::from_millis(number * 10);
        let failed = fails && number % 10 == 0;
        figures.record(&Sample {
            due,
            sent: due + lag,
            first: None,
            ended: due + lag + Duration::from_micros(micros),
            streamed: false,
            status: (!failed).then_some(200),
            ending: if failed {
                Ending::Failed(ErrorClass::NoAnswer)
            } else {
                Ending::Answered
            },
            cancel: None,
            chunks: 0,
            chunks_expected: 0,
            chunks_lost: 0,
            bytes_sent: 1000,
            bytes_received: 2000,
            from_cache: None,
        });
    }
    let mut summary = summarise(&figures, scenario.window.measured, 1);
    summary.server = Some(ServerUse {
        cpu_us_per_request: float(micros) / 10.0,
        cpu_us_per_chunk: None,
        rss_idle_mib: 9.0,
        rss_start_mib: 10.0,
        rss_end_mib: 10.5,
        rss_max_mib: 11.0,
        rss_kib_per_request: None,
        samples: Vec::new(),
    });
    summary
}

fn contestant(name: &str, rounds: Vec<Summary>) -> Contestant {
    Contestant {
        name: name.to_owned(),
        url: "http://127.0.0.1:1".to_owned(),
        rounds,
    }
}

fn report(scenario: &Scenario, contestants: Vec<Contestant>) -> Report {
    Report::new(scenario, "2026-01-01T00:00:00.000Z".to_owned(), 2, contestants)
}

#[test]
fn what_a_server_adds_is_the_difference_of_medians() {
    let scenario = scenario("fail_if: [ 'p99>10ms', 'rss>10MiB' ]\n");
    let rounds = |all: [u64; 3]| {
        all.map(|micros| round(&scenario, micros, Duration::ZERO, false))
            .to_vec()
    };
    let report = report(
        &scenario,
        vec![
            contestant("tollgate", rounds([300, 900, 310])),
            contestant("direct", rounds([100, 110, 105])),
        ],
    );
    let added = &report.added[0];
    assert!((added.p50_us.unwrap() - 205.0).abs() < 2.0, "{added:?}");
    assert!(
        (added.cpu_ratio.unwrap() - 310.0 / 105.0).abs() < 0.01,
        "{added:?}"
    );
    assert_eq!((added.first_p50_us, report.invalid.len()), (None, 0));
    let failed: Vec<bool> = report.verdicts.iter().map(|it| it.failed).collect();
    assert_eq!(failed, [false, true]);
    assert!(report.has_failed());
}

#[test]
fn a_late_generator_and_requests_that_were_not_sent_make_a_run_invalid() {
    let scenario = scenario("lag_limit: 1ms\n");
    let sound = round(&scenario, 100, Duration::from_micros(100), false);
    let late = round(&scenario, 100, Duration::from_millis(5), false);
    let mut choked = sound.clone();
    choked.requests.not_sent = 7;
    let mut busy = sound.clone();
    busy.generator.busy = Some(0.97);
    let told = report(
        &scenario,
        vec![contestant("t", vec![sound.clone(), late, choked, busy])],
    )
    .invalid;
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with("t round 3: 7 requests"), "{told:?}");
    assert!(
        told[1].starts_with("t round 2: the generator was late"),
        "{told:?}"
    );
    assert!(
        told[2].starts_with("t round 4: the generator was the bottleneck: 97 % busy"),
        "{told:?}"
    );
    let later = round(&scenario, 100, Duration::from_millis(9), false);
    let late = round(&scenario, 100, Duration::from_millis(5), false);
    let twice = report(&scenario, vec![contestant("t", vec![late, later, sound.clone()])]).invalid;
    assert!(
        twice[0].starts_with("t round 2: ") && twice[0].ends_with("(and 1 more rounds)"),
        "{twice:?}"
    );
    assert_eq!(
        report(&scenario, vec![contestant("t", vec![sound])]).invalid,
        Vec::<String>::new()
    );
}

#[test]
fn a_threshold_that_fails_in_one_round_fails() {
    let scenario = scenario("fail_if: [ 'errors>1%' ]\n");
    let rounds = [false, true, false].map(|fails| round(&scenario, 100, Duration::ZERO, fails));
    let report = report(&scenario, vec![contestant("t", rounds.to_vec())]);
    assert!(report.has_failed());
    assert_eq!(report.verdicts[0].found, Some(0.1));
}

#[test]
fn a_run_without_rounds_fails_what_it_was_to_show() {
    let scenario = scenario("fail_if: [ 'errors>1%' ]\n");
    let report = report(&scenario, vec![contestant("t", Vec::new())]);
    assert!(report.has_failed());
    assert!(report.table().contains("not measured"));
}

#[test]
fn the_table_has_a_column_for_each_contestant() {
    let scenario = scenario("fail_if: [ 'errors>1%' ]\n");
    let one = || vec![round(&scenario, 1500, Duration::ZERO, true)];
    let table = report(
        &scenario,
        vec![contestant("tollgate", one()), contestant("direct", one())],
    )
    .table();
    let line = |start: &str| {
        table
            .lines()
            .find(|line| line.starts_with(start))
            .unwrap_or_else(|| panic!("{table}"))
    };
    assert_eq!(line("latency p50").matches("1.50 ms").count(), 2, "{table}");
    assert_eq!(line("errors").matches("10 (10.00 %)").count(), 2, "{table}");
    assert!(line("tollgate: 10 × no answer").len() > 5);
    assert!(
        line("FAILED fail if errors>1%").ends_with("found 10.00 %"),
        "{table}"
    );
}

#[test]
fn the_page_needs_nothing_from_elsewhere_and_shows_no_foreign_markup() {
    let mut scenario = scenario("fail_if: [ 'errors>1%' ]\n");
    scenario.about = "<script>alert(1)</script>".to_owned();
    let rounds = || vec![round(&scenario, 1500, Duration::ZERO, true)];
    let page = report(
        &scenario,
        vec![contestant("a<b", rounds()), contestant("direct", rounds())],
    )
    .page();
    for foreign in ["<script", "a<b", "src=", "href=", "url(", "@import", "NaN"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.contains("a&lt;b") && page.contains("prefers-color-scheme: dark"));
    assert!(
        page.matches("<polyline").count() >= 6,
        "{}",
        page.matches("<polyline").count()
    );
    assert_eq!(
        page.matches("<figure>").count(),
        page.matches("</figure>").count()
    );
}

#[test]
fn times_are_written_with_three_digits() {
    for (micros, text) in [
        (0.0, "0.00 µs"),
        (12.34, "12.3 µs"),
        (999.9, "1000 µs"),
        (1500.0, "1.50 ms"),
        (-42.0, "-42.0 µs"),
        (2_500_000.0, "2.50 s"),
    ] {
        assert_eq!(time(micros), text);
    }
}

#[test]
fn a_report_is_read_back_as_it_was_written() {
    let scenario = scenario("fail_if: [ 'errors>1%' ]\n");
    let report = report(
        &scenario,
        vec![contestant("t", vec![round(&scenario, 123, Duration::ZERO, true)])],
    );
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}

#[test]
fn the_committed_schema_is_that_of_the_format() {
    crate::testing::assert_committed("bench.schema.json", &Report::schema());
}

#[test]
fn a_baseline_that_mostly_fails_is_doubted_and_the_server_under_test_is_judged_instead() {
    let scenario = scenario("");
    let mut failing = round(&scenario, 100, Duration::ZERO, false);
    (failing.requests.failed, failing.requests.answered) = (51, 49);
    let sound = round(&scenario, 100, Duration::ZERO, false);
    let invalid = |tested: &Summary, baseline: &Summary| {
        let both = vec![
            contestant("tollgate", vec![tested.clone()]),
            contestant("direct", vec![baseline.clone()]),
        ];
        report(&scenario, both).invalid
    };
    let told = invalid(&sound, &failing);
    assert!(
        told.len() == 1 && told[0].starts_with("direct round 1: 51 of 100 requests failed"),
        "{told:?}"
    );
    assert_eq!(invalid(&failing, &sound), Vec::<String>::new());
}

#[test]
fn reports_of_different_loads_are_told_apart_and_keys_are_not_told() {
    let described = |more: &str| Described::of(&scenario(more));
    let plain = described("");
    assert_eq!(
        plain.differences(&described("fail_if: [ 'p99>1s' ]\n")),
        Vec::<String>::new()
    );
    for (more, name) in [
        ("prompt: 2KiB\n", "prompt: "),
        ("cancels: { share: 5% }\n", "cancels: "),
        ("repeats: { share: 5% }\n", "repeats: "),
        ("outstanding: 999\n", "outstanding: "),
        ("timeout: 5s\n", "timeout: "),
        ("keys: [ { key: secret } ]\n", "keys: "),
        ("seed: 7\n", "seed: 1 and 7"),
    ] {
        let found = plain.differences(&described(more));
        assert!(
            found.len() == 1 && found[0].starts_with(name),
            "{more}: {found:?}"
        );
        assert!(!found[0].contains("secret"), "{found:?}");
    }
    let trace = |times: &'static str| {
        let outside = Outside {
            env: &|_| None,
            file: &|_| Ok(times.to_owned()),
        };
        let text = "name: made-up\nrequests: [ { model: m } ]\narrival: { trace: t }\n";
        Described::of(&Scenario::parse(text, &outside).unwrap())
    };
    assert_eq!(trace("1\n2\n").differences(&trace("1\n3\n")).len(), 1);
}

#[test]
fn statuses_are_told_and_a_round_without_a_good_answer_is_no_success() {
    let scenario = scenario("");
    let mut refused = round(&scenario, 100, Duration::ZERO, false);
    (refused.requests.failed, refused.requests.answered) = (100, 0);
    refused.errors = std::collections::BTreeMap::from([(ErrorClass::Status, 100)]);
    refused.statuses = std::collections::BTreeMap::from([(404, 99), (503, 1)]);
    let report = report(&scenario, vec![contestant("server", vec![refused])]);
    assert_eq!(
        report.invalid,
        ["server round 1: not one of 100 requests has a good answer"]
    );
    let told = "server: 100 × a status that is not 2xx (404 × 99, 503 × 1)\n";
    assert!(report.table().contains(told), "{}", report.table());
}
