//! `tollgate bench` as somebody runs it: a gateway of its own, reports, exit statuses, and nothing left behind.

use std::fs;
use std::path::PathBuf;
#[cfg(target_os = "linux")]
use std::process::Command;
#[cfg(target_os = "linux")]
use std::time::{Duration, Instant};

use serde_json::Value;
use tollgate_loadtest::load::stage::Nginx;
#[cfg(target_os = "linux")]
use tollgate_tests::run_and;
use tollgate_tests::{Finished, binary, run, scratch_file};

/// What every run here has: short, and not judged by how busy this machine is.
const SHORT: [&str; 6] = ["--duration", "800ms", "--warm-up", "100ms", "--lag-limit", "1h"];

fn bench(args: &[&str]) -> Finished {
    let args: Vec<&str> = ["bench"].iter().chain(args).copied().collect();
    run(&std::env::temp_dir(), &args, &[("PATH", "/nonexistent")])
}

fn report(path: &PathBuf) -> Value {
    let report = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    fs::remove_file(path).unwrap();
    report
}

#[test]
fn a_run_measures_the_gateway_and_its_upstream_each_in_a_process_of_its_own() {
    let (json, html) = (scratch_file("json"), scratch_file("html"));
    let files = ["--json", json.to_str().unwrap(), "--html", html.to_str().unwrap()];
    let args = [&["smoke", "--direct"][..], &SHORT, &files].concat();
    let finished = bench(&args);
    assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
    assert!(
        finished.stdout.contains("passed fail if errors>0%"),
        "{}",
        finished.stdout
    );
    let report = report(&json);
    let contestants = report["contestants"].as_array().unwrap();
    let names: Vec<_> = contestants
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["tollgate", "direct"]);
    for contestant in contestants {
        let round = &contestant["rounds"][0];
        assert!(round["requests"]["sent"].as_u64().unwrap() > 10, "{round}");
        assert_eq!(
            round["requests"]["answered"], round["requests"]["sent"],
            "{round}"
        );
        if cfg!(target_os = "linux") {
            assert!(
                round["server"]["cpu_us_per_request"].as_f64().unwrap() > 1.0,
                "{round}"
            );
            assert!(round["server"]["rss_max_mib"].as_f64().unwrap() > 1.0, "{round}");
        }
    }
    let page = fs::read_to_string(&html).unwrap();
    fs::remove_file(&html).unwrap();
    assert!(
        page.starts_with("<!doctype html>") && page.contains("<polyline"),
        "{page}"
    );
}

#[test]
fn the_exit_status_tells_thresholds_arguments_and_runs_that_could_not_be_made_apart() {
    let failed = bench(&[&["smoke", "--fail-if", "p50>1us"][..], &SHORT].concat());
    assert_eq!(failed.code, Some(1), "{}{}", failed.stdout, failed.stderr);
    assert!(
        failed.stdout.contains("FAILED fail if p50>1us: found "),
        "{}",
        failed.stdout
    );
    for (args, told) in [
        (&["no-such-scenario"][..], "mixed-tenants"),
        (&["smoke", "--rate", "0"], "--rate 0: expected above 0"),
        (&["smoke", "--duration", "0s"], "--duration: expected above 0"),
        (&["smoke", "--fail-if", "p98>1ms"], "unknown metric 'p98'"),
        (
            &["smoke", "--json", "/nonexistent/folder/out.json"],
            "no such folder",
        ),
        (
            &["smoke", "--url", "http://127.0.0.1:1", "--baselines"],
            "Expected --direct",
        ),
        (&["smoke", "--url", "localhost:8080"], "expected http://host:port"),
        (&["smoke", "--direct", "127.0.0.1:1"], "expected http://host:port"),
        (&["smoke", "--direct-model", "m"], "--direct-model: expected with"),
        (
            &["compare", "http://", "http://127.0.0.1:1"],
            "expected http://host:port",
        ),
        (&["show", "no-such"], "no scenario 'no-such'"),
        (&["compare", "/nonexistent/a", "/nonexistent/b"], "/nonexistent/a"),
    ] {
        let refused = bench(args);
        assert_eq!(refused.code, Some(2), "{args:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(told), "{args:?}: {}", refused.stderr);
    }
    let nobody = bench(&["smoke", "--url", "http://127.0.0.1:1"]);
    assert_eq!(nobody.code, Some(3));
    assert!(nobody.stderr.contains("cannot be reached"), "{}", nobody.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_report_that_cannot_be_written_is_no_failed_threshold_and_the_other_is_written() {
    let html = scratch_file("html");
    let files = ["--json", "/dev/full", "--html", html.to_str().unwrap()];
    let finished = bench(&[&["smoke"][..], &SHORT, &files].concat());
    assert_eq!(finished.code, Some(3), "{}{}", finished.stdout, finished.stderr);
    assert!(
        finished.stderr.contains("/dev/full cannot be written"),
        "{}",
        finished.stderr
    );
    assert!(fs::read_to_string(&html).unwrap().starts_with("<!doctype html>"));
    fs::remove_file(&html).unwrap();
}

#[test]
fn reports_are_compared_as_they_are_and_one_that_cannot_be_believed_is_no_success() {
    let json = scratch_file("json");
    let path = json.to_str().unwrap();
    // A limit of lag that nobody keeps.
    let args = [
        "smoke",
        "--duration",
        "300ms",
        "--warm-up",
        "0s",
        "--lag-limit",
        "1us",
        "--json",
        path,
    ];
    assert_eq!(bench(&args).code, Some(3));
    let compared = bench(&["compare", path, path]);
    assert_eq!(compared.code, Some(3), "{}{}", compared.stdout, compared.stderr);
    assert!(
        compared.stdout.contains("INVALID: the first report"),
        "{}",
        compared.stdout
    );
    for flags in [
        &["--fail-if", "p99>1s"][..],
        &["--rounds", "4"],
        &["--scenario", "smoke"],
        &["--pin"],
    ] {
        let refused = bench(&[&["compare", path, path][..], flags].concat());
        assert_eq!(refused.code, Some(2), "{flags:?}: {}", refused.stderr);
        assert!(
            refused.stderr.contains("compared as they are"),
            "{}",
            refused.stderr
        );
    }
    fs::remove_file(&json).unwrap();
}

#[test]
fn two_builds_are_compared_in_rounds_that_alternate() {
    let own = binary().to_str().unwrap();
    let (args, json) = (
        ["compare", own, own, "--scenario", "smoke", "--rounds", "4"],
        scratch_file("json"),
    );
    let finished = bench(&[&args[..], &SHORT].concat());
    assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
    let figures = ["latency p50", "answered a second", "server CPU a request"];
    for figure in &figures[..if cfg!(target_os = "linux") { 3 } else { 2 }] {
        let line = finished.stdout.lines().find(|line| line.starts_with(figure));
        let line = line.unwrap_or_else(|| panic!("no {figure}: {}", finished.stdout));
        assert!(line.contains(" × ") && !line.contains("no verdict"), "{line}");
    }
    std::fs::write(&json, "{}").unwrap();
    let refused = bench(&["compare", own, json.to_str().unwrap()]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("is no report"), "{}", refused.stderr);
    std::fs::remove_file(&json).unwrap();
}

#[test]
fn nginx_is_set_beside_where_it_is_installed() {
    let json = scratch_file("json");
    let args = [
        &["smoke", "--baselines", "--json", json.to_str().unwrap()][..],
        &SHORT,
    ]
    .concat();
    let finished = bench(&args);
    assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
    let report = report(&json);
    let contestants = report["contestants"].as_array().unwrap();
    let skipped = report["skipped"].as_array().unwrap();
    if Nginx::find().is_none() {
        assert!(skipped[0].as_str().unwrap().starts_with("nginx: "), "{skipped:?}");
        eprintln!("SKIPPED: there is no nginx on this machine");
        return;
    }
    assert_eq!((contestants.len(), skipped.len()), (3, 0), "{skipped:?}");
    let nginx = &contestants[2];
    assert_eq!(nginx["name"], "nginx");
    let requests = &nginx["rounds"][0]["requests"];
    assert!(requests["sent"].as_u64().unwrap() > 10, "{requests}");
    assert_eq!(requests["answered"], requests["sent"], "{requests}");
    assert!(finished.stdout.contains("beside nginx: "), "{}", finished.stdout);
}

#[test]
fn a_baseline_that_cannot_be_is_skipped_aloud() {
    let below_a_path = "http://127.0.0.1:1/with/a/path";
    let args = [&["smoke", "--direct", below_a_path, "--nginx"][..], &SHORT].concat();
    let finished = bench(&args);
    // The upstream that was named is not there either, which ends the run.
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    assert!(finished.stderr.contains("SKIPPED nginx: "), "{}", finished.stderr);
}

/// Whether something comes true within half a minute.
#[cfg(target_os = "linux")]
fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// The processes that this one started, by their numbers.
#[cfg(target_os = "linux")]
fn children(pid: u32) -> Vec<u32> {
    let lists = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let lists = lists.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let numbers = |list: String| {
        list.split_ascii_whitespace()
            .filter_map(|it| it.parse().ok())
            .collect::<Vec<u32>>()
    };
    lists.flat_map(numbers).collect()
}

/// Whether it runs: one that has ended and that nobody has waited for does not.
#[cfg(target_os = "linux")]
fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .map(|(_, rest)| rest.starts_with(['Z', 'X']));
    state == Some(false)
}

#[cfg(target_os = "linux")]
fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status();
    assert!(status.unwrap().success());
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_that_is_interrupted_reports_what_it_has_and_says_so() {
    let json = scratch_file("json");
    let args = [
        "bench",
        "smoke",
        "--duration",
        "1h",
        "--lag-limit",
        "1h",
        "--json",
        json.to_str().unwrap(),
    ];
    let mut started = Vec::new();
    let finished = run_and(&std::env::temp_dir(), &args, &[], |pid| {
        assert!(eventually(|| {
            started = children(pid);
            started.len() == 2
        }));
        // Its threads that send are named; a signal that comes before would find no handler.
        assert!(eventually(|| sends(pid)));
        signal(pid, "INT");
    });
    assert_eq!(finished.code, Some(3), "{}{}", finished.stdout, finished.stderr);
    let report = report(&json);
    assert_eq!(report["invalid"][0], "interrupted before its end");
    assert!(started.iter().all(|pid| !runs(*pid)), "{started:?}");
}

#[cfg(target_os = "linux")]
fn sends(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let mut names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.any(|name| name.starts_with("load-"))
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_that_is_killed_leaves_no_gateway_behind() {
    let mut started = Vec::new();
    let finished = run_and(
        &std::env::temp_dir(),
        &["bench", "smoke", "--duration", "1h"],
        &[],
        |pid| {
            assert!(eventually(|| {
                started = children(pid);
                started.len() == 2 && sends(pid)
            }));
            signal(pid, "KILL");
        },
    );
    assert_eq!(finished.code, None);
    assert!(
        eventually(|| started.iter().all(|pid| !runs(*pid))),
        "{started:?} are still there"
    );
}
