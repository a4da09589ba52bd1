//! `tollgate drill`: rehearsed outages come to the verdict that they deserve, with processes that are really killed.
//! Nothing is said of how fast it all is.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use tollgate_tests::{Finished, run, run_and, run_within, scratch_file, spawn};

/// Short clocks of the breaker, so that a drill takes seconds; and long ones of providers, of which none is slow here:
/// a machine that stands still for a second is no outage. The keys of providers are in no environment.
const HEAD: &str = r#"
breaker: { consecutive_failures: 3, open_for: 3s, max_open_for: 3s, ramp: 500ms }
providers:
  one: { kind: openai, api_key: "${NOT_IN_ANY_ENVIRONMENT}", timeouts: { first_byte: 20s, idle: 20s } }
  two: { kind: anthropic, api_key: "${NOR_IS_THIS}", timeouts: { first_byte: 20s, idle: 20s } }
"#;

const TWO_TARGETS: &str = "models:\n  fast:\n    targets: [ { provider: one, model: gpt-4o-mini, weight: 9 }, \
    { provider: two, model: claude-haiku-4-5 } ]\n";
const ONE_TARGET: &str = "models:\n  fast: { targets: [ { provider: one, model: gpt-4o-mini } ] }\n";

/// A machine that is busy with other things may be slow; it may not lose anything.
const PATIENT: [&str; 6] = [
    "--fail-if",
    "added_p99>60s",
    "--fail-if",
    "recovery>60s",
    "--fail-if",
    "attempts>3",
];

struct Held {
    finished: Finished,
    report: Value,
}

fn file(config: &str) -> PathBuf {
    let path = scratch_file("yaml");
    std::fs::write(&path, format!("{HEAD}{config}")).unwrap();
    path
}

fn hold(drill: &str, config: &str) -> Held {
    hold_so(drill, &file(config), "5s")
}

/// For so long, with a file. Tried again where it could not be held, as a drill says of a machine on which requests fail
/// before anything is broken.
fn hold_so(drill: &str, config: &Path, lasts: &str) -> Held {
    let mut held = hold_once(drill, config, lasts);
    for _ in 1..4 {
        if held.finished.code != Some(3) {
            break;
        }
        held = hold_once(drill, config, lasts);
    }
    held
}

fn hold_once(drill: &str, config: &Path, lasts: &str) -> Held {
    let json = scratch_file("json");
    // As people write it: relative to where they are.
    let (folder, name) = (config.parent().unwrap(), config.file_name().unwrap());
    let texts = [name.to_str().unwrap(), json.to_str().unwrap()];
    let mut args = vec!["drill", drill, "--config", texts[0], "--json", texts[1]];
    args.extend(["--rate", "20", "--before", "2s", "--for", lasts, "--after", "1s"]);
    // Of latency and attempts, not every drill has any: those count where they are measured.
    args.extend(if drill.starts_with("gateway") {
        &PATIENT[2..4]
    } else {
        &PATIENT[..]
    });
    let finished = run_within(Duration::from_secs(180), folder, &args, &[]);
    let report = std::fs::read(&json).map_or(Value::Null, |text| serde_json::from_slice(&text).unwrap());
    Held {
        finished,
        report: report["drills"][0].clone(),
    }
}

impl Held {
    fn number(&self, pointer: &str) -> f64 {
        let found = self.report.pointer(pointer).and_then(Value::as_f64);
        found.unwrap_or_else(|| panic!("no {pointer}: {}{}", self.finished.stdout, self.finished.stderr))
    }

    fn assert_passed(&self) {
        let Finished { code, stdout, stderr } = &self.finished;
        assert_eq!(*code, Some(0), "{stdout}{stderr}");
        assert_eq!(self.report["passed"], true);
    }
}

#[test]
fn a_killed_provider_is_survived_and_comes_back() {
    let held = hold("kill-primary", TWO_TARGETS);
    held.assert_passed();
    assert_eq!(held.report["primary"], "one/gpt-4o-mini");
    // What was answered while the provider was being killed, or when it was just back, is told among the outcomes, and
    // has met nothing. On a busy machine that is more than what has.
    let outcomes = held.report["outcomes"].as_object().unwrap();
    let failed = outcomes.iter().filter(|(outcome, _)| *outcome != "success");
    let failed: f64 = failed.filter_map(|(_, many)| many.as_f64()).sum();
    assert!(failed >= 1.0, "{outcomes:?}");
    assert_eq!(held.number("/measured/met"), failed, "{outcomes:?}");
    assert_eq!(held.number("/measured/success"), 1.0);
    assert!(held.number("/during/targets/two~1claude-haiku-4-5") > 10.0);
    assert!(held.number("/measured/shift_ms") >= 0.0);
    let changes = held.report["changes"].to_string();
    assert!(changes.contains("in a row"), "{changes}");
}

#[test]
fn a_model_with_a_single_target_fails_and_is_told_why_before_and_after() {
    let held = hold("kill-primary", ONE_TARGET);
    let Finished { code, stdout, stderr } = &held.finished;
    assert_eq!(*code, Some(1), "{stdout}{stderr}");
    let reason = "model fast has a single target: there is nothing to shift to";
    assert!(
        stdout.contains(&format!("this cannot pass: {reason}")),
        "{stdout}"
    );
    assert!(stdout.contains(&format!("to change: {reason}")), "{stdout}");
    assert!(stdout.contains("kill-primary: FAILED"), "{stdout}");
    assert!(held.number("/measured/success") < 0.9);
    assert_eq!(held.report["measured"]["shift_ms"], Value::Null);
}

#[test]
fn streams_that_are_cut_are_counted_apart_and_their_clients_told() {
    let held = hold("cut-mid-stream", TWO_TARGETS);
    held.assert_passed();
    assert!(held.number("/measured/cut") >= 1.0);
    assert_eq!(held.number("/measured/untold"), 0.0);
    assert_eq!(held.number("/measured/failed"), 0.0);
}

#[test]
fn a_changed_file_is_read_under_load_without_a_failure() {
    let held = hold("reload-under-load", TWO_TARGETS);
    held.assert_passed();
    assert_eq!(held.number("/measured/failed"), 0.0);
    assert_eq!(held.number("/measured/reloads_missing"), 0.0);
    assert!(
        held.report["done"][0]
            .as_str()
            .unwrap()
            .contains("reloads were asked for")
    );
}

#[test]
fn a_killed_gateway_is_back_with_its_log_and_its_cache() {
    let cached = format!("{TWO_TARGETS}cache: {{ directory: cache, policy: {{ mode: exact }} }}\n");
    let held = hold("gateway-kill-9", &cached);
    held.assert_passed();
    assert!(held.number("/measured/recovery_ms") > 0.0);
    assert_eq!(held.number("/measured/log_broken"), 0.0);
    assert_eq!(held.number("/measured/failed_after"), 0.0);
    assert_eq!(held.number("/measured/cache_lost"), 0.0);
}

/// The providers' clocks are shorter here, for some of them stall. That of the breaker is not: it is looked at now and
/// then, and who stands still for a second must see it open all the same.
const BRISK: &str = r"
breaker: { consecutive_failures: 3, open_for: 3s, max_open_for: 3s, ramp: 500ms }
server: { drain: { delay: 500ms, timeout: 10s } }
providers:
  one: { kind: openai, api_key: a, timeouts: { first_byte: 1s, idle: 1s } }
  two: { kind: anthropic, api_key: b, timeouts: { first_byte: 1s, idle: 1s } }
";

/// Of each drill that strikes a provider and has no test of its own: how attempts at it end, and what its breaker or its
/// credential does.
const TRACES: [(&str, &str, &str); 9] = [
    ("brown-out", "overloaded", ""),
    (
        "storm-429",
        "rate_limited",
        "one/gpt-4o-mini key default cooling_down (rate_limited)",
    ),
    (
        "storm-529",
        "overloaded",
        "one/gpt-4o-mini open (3 failures in a row, the last one overloaded)",
    ),
    (
        "stall-before-headers",
        "first_byte_timeout",
        "one/gpt-4o-mini open (3 failures in a row",
    ),
    (
        "stall-mid-stream",
        "idle_timeout",
        "one/gpt-4o-mini open (3 failures in a row",
    ),
    ("slow-drip", "success", ""),
    (
        "flapping",
        "reset",
        "one/gpt-4o-mini open (3 failures in a row, the last one reset)",
    ),
    (
        "dns-gone",
        "connect_failed",
        "one/gpt-4o-mini open (3 failures in a row, the last one connect_failed)",
    ),
    (
        "budget-exhausted",
        "quota_exhausted",
        "one/gpt-4o-mini key default dead (quota_exhausted)",
    ),
];

/// All at the same time: each of them mostly waits. How fast it all is, is nobody's business here.
#[test]
fn every_fault_leaves_its_trace() {
    let brisk = |drill: &str| {
        let path = scratch_file("yaml");
        std::fs::write(&path, format!("{BRISK}{TWO_TARGETS}")).unwrap();
        hold_so(drill, &path, "3s")
    };
    std::thread::scope(|scope| {
        for (drill, outcome, change) in TRACES {
            scope.spawn(move || {
                let leaves_trace = |held: &Held| {
                    let outcome = format!("/outcomes/{outcome}");
                    held.report.pointer(&outcome).is_some() && held.finished.stdout.contains(change)
                };
                let mut held = brisk(drill);
                for _ in 1..4 {
                    // A machine that stands still may sleep through what lasts two seconds.
                    if leaves_trace(&held) {
                        break;
                    }
                    held = brisk(drill);
                }
                let Finished { code, stdout, stderr } = &held.finished;
                assert!(matches!(code, Some(0 | 1)), "{drill}: {stdout}{stderr}");
                assert!(held.number("/measured/met") >= 1.0, "{stdout}");
                assert!(held.number(&format!("/outcomes/{outcome}")) >= 1.0, "{stdout}");
                assert!(stdout.contains(change), "{drill}: {stdout}");
                assert_eq!(held.number("/measured/untold"), 0.0, "{stdout}");
            });
        }
        scope.spawn(move || {
            let held = brisk("rolling-restart");
            held.assert_passed();
            assert!(
                held.report["done"]
                    .to_string()
                    .contains("gateway 2 ended with status 0")
            );
        });
    });
}

/// Every dialect that is not OpenAI's chats or Anthropic's own, with identities that nobody has here.
const DIALECTS: &str = r#"
breaker: { consecutive_failures: 3, open_for: 3s, max_open_for: 3s, ramp: 500ms }
providers:
  gemini: { kind: gemini, api_key: "${NOT_IN_ANY_ENVIRONMENT}", timeouts: { first_byte: 20s, idle: 20s } }
  bedrock: { kind: bedrock, region: us-east-1, auth: aws, timeouts: { first_byte: 20s, idle: 20s } }
  cohere: { kind: cohere, api_key: a, timeouts: { first_byte: 20s, idle: 20s } }
  vertex: { kind: vertex, project: p, region: europe-west4, auth: google, timeouts: { first_byte: 20s, idle: 20s } }
  claude: { kind: vertex-anthropic, project: p, region: eu, auth: google, timeouts: { first_byte: 20s, idle: 20s } }
  responses: { kind: openai-responses, api_key: b, timeouts: { first_byte: 20s, idle: 20s } }
"#;

/// Models of those providers.
const MODELS: [(&str, &str); 6] = [
    ("gemini", "gemini-2.5-flash"),
    ("bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("cohere", "command-a-03-2025"),
    ("vertex", "gemini-2.5-pro"),
    ("claude", "claude-opus-4-5@20251101"),
    ("responses", "gpt-5"),
];

/// Such a configuration, with most of the traffic for one of them.
fn mostly(primary: &str) -> PathBuf {
    let targets = MODELS.map(|(provider, model)| {
        let weight = if provider == primary { 20 } else { 1 };
        format!("{{ provider: {provider}, model: \"{model}\", weight: {weight} }}")
    });
    let path = scratch_file("yaml");
    let models = format!("models: {{ fast: {{ targets: [ {} ] }} }}\n", targets.join(", "));
    std::fs::write(&path, format!("{DIALECTS}{models}")).unwrap();
    path
}

/// A drill, whom it strikes, and how attempts at that one end. No client goes without an answer.
const STRUCK: [(&str, &str, &str); 8] = [
    ("kill-primary", "gemini", "connect_failed"),
    ("storm-429", "gemini", "rate_limited"),
    ("storm-429", "bedrock", "rate_limited"),
    ("storm-529", "vertex", "overloaded"),
    ("cut-mid-stream", "cohere", "reset"),
    ("cut-mid-stream", "bedrock", "reset"),
    ("cut-mid-stream", "claude", "reset"),
    ("cut-mid-stream", "responses", "reset"),
];

#[test]
fn configurations_of_all_dialects_are_rehearsed() {
    std::thread::scope(|scope| {
        for (drill, primary, outcome) in STRUCK {
            scope.spawn(move || {
                let held = hold_so(drill, &mostly(primary), "5s");
                let Finished { code, stdout, stderr } = &held.finished;
                assert!(matches!(code, Some(0 | 1)), "{drill} {primary}: {stdout}{stderr}");
                let struck = held.report["primary"].as_str().unwrap_or_default();
                assert!(struck.starts_with(&format!("{primary}/")), "{stdout}");
                assert!(held.number("/measured/met") >= 1.0, "{stdout}");
                assert!(held.number(&format!("/outcomes/{outcome}")) >= 1.0, "{stdout}");
                assert_eq!(
                    held.number("/measured/untold"),
                    0.0,
                    "{drill} {primary}: {stdout}"
                );
                assert_eq!(
                    held.number("/measured/failed"),
                    0.0,
                    "{drill} {primary}: {stdout}"
                );
            });
        }
    });
}

#[test]
fn what_cannot_be_rehearsed_is_refused_with_its_reasons() {
    let bad = file("models:\n  fast: { targets: [ { provider: three, model: m } ] }\n");
    let good = file(TWO_TARGETS);
    let (bad, good) = (bad.to_str().unwrap(), good.to_str().unwrap());
    for (args, told) in [
        (vec!["drill", "kill"], "kill-primary"),
        (
            vec!["drill", "kill-primary", "--config", "/nonexistent.yaml"],
            "/nonexistent.yaml",
        ),
        (
            vec!["drill", "kill-primary", "--config", bad],
            &format!("{bad}:7: models.fast"),
        ),
        (
            vec!["drill", "kill-primary", "--config", good, "--model", "fsat"],
            "no model 'fsat'",
        ),
        (
            vec!["drill", "kill-primary", "--json", "/nonexistent/report.json"],
            "/nonexistent/report.json cannot be written",
        ),
        (
            vec!["drill", "rolling-restart", "--fail-if", "shift>5s"],
            "'shift>5s': rolling-restart does not",
        ),
        (vec!["drill", "kill-primary", "--after", "0s"], "--after"),
        (
            vec!["drill", "kill-primary", "--fail-if", "sucess<1"],
            "did you mean 'success'?",
        ),
        (vec!["drill", "kill-primary", "--rate", "0"], "--rate"),
    ] {
        let finished = run(Path::new("/tmp"), &args, &[]);
        assert_eq!(finished.code, Some(2), "{args:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(told), "{args:?}: {}", finished.stderr);
        assert!(
            !finished.stderr.contains("tollgate-1.yaml"),
            "of the drill: {}",
            finished.stderr
        );
    }
}

/// The processes that `pid` has started.
fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let ids =
        |list: String| -> Vec<u32> { list.split_whitespace().filter_map(|it| it.parse().ok()).collect() };
    lists.flat_map(ids).collect()
}

#[test]
fn a_gateway_that_ends_by_itself_ends_the_drill() {
    let (config, json) = (file(TWO_TARGETS), scratch_file("json"));
    let args = ["drill", "kill-primary", "--config", config.to_str().unwrap()];
    let args = [&args[..], &["--json", json.to_str().unwrap()]].concat();
    let finished = run_and(Path::new("/tmp"), &args, &[], |drill| {
        let log = std::env::temp_dir().join(format!("tollgate-bench-drill-{drill}/access.log-1"));
        let deadline = Instant::now() + Duration::from_secs(60);
        while std::fs::metadata(&log).map_or(0, |it| it.len()) == 0 {
            assert!(Instant::now() < deadline, "no request was served");
            std::thread::sleep(Duration::from_millis(5));
        }
        let commands = |pid: &u32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let is_gateway = |pid: &u32| commands(pid).windows(6).any(|it| it == b"\0serve");
        let gateway = children(drill).into_iter().find(is_gateway).unwrap();
        let killed = std::process::Command::new("kill")
            .args(["-9", &gateway.to_string()])
            .status();
        assert!(killed.unwrap().success());
    });
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("gateway 1 has ended by itself"),
        "{}",
        finished.stderr
    );
    let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(
        (&report["not_held"][0]["drill"], &report["passed"]),
        (&"kill-primary".into(), &false.into())
    );
}

#[test]
fn nothing_is_left_of_a_drill_that_is_killed() {
    let config = file(TWO_TARGETS);
    let args = ["drill", "kill-primary", "--config", config.to_str().unwrap()];
    let mut drill = spawn(&args);
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut running = Vec::new();
    // Two simulated providers and a gateway.
    while running.len() < 3 {
        assert!(Instant::now() < deadline, "{running:?}");
        std::thread::sleep(Duration::from_millis(5));
        running = children(drill.id());
    }
    drill.kill().unwrap();
    drill.wait().unwrap();
    let is_left = |pid: &u32| {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // One that has ended and that nobody has waited for yet is gone as well.
        !state.is_empty() && !state.contains(") Z ")
    };
    while running.iter().any(is_left) {
        assert!(Instant::now() < deadline, "{running:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
