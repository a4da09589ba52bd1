//! The load generator over real sockets, against simulated providers.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, also in what its module shares"
)]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tollgate_loadtest::load::{Contestant, Measured, Outside, Scenario, Summary, Watcher, rounds, run};
use tollgate_loadtest::{MockOptions, MockServer};

fn scenario(text: &str) -> Scenario {
    let outside = Outside {
        env: &|_| None,
        file: &|_| Err(std::io::ErrorKind::NotFound.into()),
    };
    Scenario::parse(&patient(text), &outside).expect("a sound scenario")
}

/// On a machine that stands still for a moment everything is sent all the same, only later.
fn patient(text: &str) -> String {
    if text.contains("lag_limit") {
        text.to_owned()
    } else {
        format!("{text}lag_limit: 1h\n")
    }
}

fn contestant(server: &MockServer) -> Contestant {
    Contestant {
        name: "mock".to_owned(),
        url: server.url(),
        ..Contestant::default()
    }
}

async fn server() -> MockServer {
    let options = MockOptions {
        journal_capacity: 10_000,
        ..MockOptions::default()
    };
    MockServer::start(options).await.expect("a server")
}

async fn loaded(server: &MockServer, text: &str) -> Summary {
    loaded_until(server, text, Arc::default()).await
}

async fn loaded_until(server: &MockServer, text: &str, stop: Arc<AtomicBool>) -> Summary {
    loaded_at(server.url(), text, stop).await
}

async fn loaded_at(url: String, text: &str, stop: Arc<AtomicBool>) -> Summary {
    loaded_with(url, scenario(text), stop).await
}

async fn loaded_with(url: String, scenario: Scenario, stop: Arc<AtomicBool>) -> Summary {
    let contestant = Contestant {
        name: "mock".to_owned(),
        url,
        pid: Some(std::process::id()),
        ..Contestant::default()
    };
    let round = move || {
        let mut watcher = Watcher {
            progress: &mut |_| {},
            stop,
            enough: Arc::default(),
            witness: None,
        };
        run(&scenario, &contestant, 1, &mut watcher)
    };
    tokio::task::spawn_blocking(round)
        .await
        .expect("no panic")
        .expect("a round")
}

#[tokio::test]
async fn an_open_loop_sends_what_is_due_and_measures_every_kind() {
    let server = server().await;
    let summary = loaded(
        &server,
        "requests:\n  - { model: gpt, stream: 50%, answer_tokens: 8, chunks_expected: 8 }\n  \
         - { model: claude, surface: messages, stream: 50%, answer_tokens: 8, chunks_expected: 8 }\n  \
         - { model: e, surface: embeddings }\nprompt: 300B\narrival: { constant: 200 }\nwarm_up: 200ms\nduration: 600ms\n\
         connections: 4\nthreads: 2\n",
    )
    .await;
    assert_eq!(
        (summary.requests.warm_up, summary.requests.sent),
        (40, 120),
        "{summary:?}"
    );
    assert_eq!(summary.requests.answered, 120, "{:?}", summary.errors);
    assert_eq!(summary.statuses.get(&200), Some(&120));
    let streams = summary.streams;
    assert!(
        streams.asked > 20 && streams.chunks == streams.asked * 8,
        "{streams:?}"
    );
    assert_eq!(streams.chunks_lost, 0);
    assert_eq!(summary.first.expect("streams").count, streams.asked);
    let (latency, service) = (
        summary.latency.expect("answers"),
        summary.service.expect("answers"),
    );
    assert_eq!((latency.count, service.count), (120, 120));
    assert!(latency.max >= service.max, "latency counts from earlier on");
    assert!(summary.bytes_sent > 120 * 300);
    assert_eq!(
        server.control().stats().total.requests,
        160,
        "nothing was sent twice"
    );
    if cfg!(target_os = "linux") {
        assert!(summary.server.expect("its process is known").rss_max_mib > 1.0);
        assert!(summary.generator.cpu_us_per_request.expect("readable") > 1.0);
    }
}

/// Passes connections on to a server, and counts them.
async fn counted(server: &MockServer) -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let upstream = server.url().replace("http://", "");
    let accepted = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&accepted);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let upstream = upstream.clone();
            tokio::spawn(async move {
                let mut far = tokio::net::TcpStream::connect(upstream)
                    .await
                    .expect("it listens");
                // It ends with either side.
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    (url, accepted)
}

#[tokio::test]
async fn http2_carries_many_requests_on_one_connection() {
    let server = server().await;
    let text = "requests: [ { model: m--latency20, stream: 50% } ]\narrival: { poisson: 300 }\nduration: 500ms\n\
                connections: 1\n";
    let (url, connections) = counted(&server).await;
    let summary = loaded_at(url, &format!("{text}protocol: http2\n"), Arc::default()).await;
    assert!(summary.requests.sent > 80, "{summary:?}");
    assert_eq!(
        summary.requests.answered, summary.requests.sent,
        "{:?}",
        summary.errors
    );
    assert!(summary.requests.most_under_way > 1, "{summary:?}");
    assert_eq!(connections.load(Ordering::Relaxed), 1);
    let journal = server.control().journal();
    assert!(
        journal.iter().all(|it| it.version == "HTTP/2.0"),
        "{:?}",
        journal.first()
    );

    let (url, connections) = counted(&server).await;
    loaded_at(url, text, Arc::default()).await;
    assert!(
        connections.load(Ordering::Relaxed) > 1,
        "without it each request has one of its own"
    );
}

#[tokio::test]
async fn a_recorded_trace_is_sent_as_it_was_recorded() {
    let server = server().await;
    let outside = Outside {
        env: &|_| None,
        file: &|_| Ok("# seconds\n0.0,chat\n0.2\n0.2\n0.8\n9\n".to_owned()),
    };
    let text = "requests: [ { model: m } ]\narrival: { trace: recorded.csv, speed: 2 }\nduration: 600ms\n";
    let scenario = Scenario::parse(&patient(text), &outside).expect("a sound scenario");
    let summary = loaded_with(server.url(), scenario, Arc::default()).await;
    assert_eq!(
        (summary.requests.sent, summary.requests.answered),
        (4, 4),
        "the last is due after the end"
    );
    assert!((summary.seconds - 0.6).abs() < 1e-9, "{}", summary.seconds);
    let due: Vec<f64> = summary
        .over_time
        .iter()
        .map(|it| it.due_per_second * 0.25)
        .collect();
    assert!(due.starts_with(&[3.0, 1.0]), "in quarters of a second: {due:?}");
}

#[tokio::test]
async fn a_closed_loop_keeps_each_connection_busy_and_ends_by_count() {
    let server = server().await;
    let text =
        "requests: [ { model: m } ]\narrival: closed\nduration: 20s\nconnections: 3\nrequests_at_most: 300\n";
    let summary = loaded(&server, text).await;
    assert_eq!((summary.requests.sent, summary.requests.answered), (300, 300));
    assert!(summary.seconds < 20.0);
}

#[tokio::test]
async fn throughput_is_over_what_was_measured_however_late_the_last_answer_is() {
    let server = server().await;
    let kinds =
        "requests: [ { model: m, weight: 9 }, { model: m--latency1500 } ]\narrival: { constant: 100 }\n";
    let summary = loaded(&server, &format!("{kinds}duration: 500ms\n")).await;
    assert!((summary.seconds - 0.5).abs() < 1e-9, "{}", summary.seconds);
    let answered = summary.answered_per_second * summary.seconds;
    assert!(answered < 49.5, "those that came later are not in it: {answered}");
    // A schedule that is quiet at its end lasts as long as it says.
    let quiet = "requests: [ { model: m } ]\narrival: { steps: [ { rate: 100, for: 100ms }, { rate: 1, for: 10s } ] }\n";
    let summary = loaded(&server, &format!("{quiet}duration: 600ms\n")).await;
    assert!((summary.seconds - 0.6).abs() < 1e-9, "{}", summary.seconds);
}

#[tokio::test]
async fn several_threads_send_each_request_of_the_schedule_once() {
    let server = server().await;
    for arrival in [
        "arrival: { constant: 300 }",
        "arrival: closed\nrequests_at_most: 150",
    ] {
        server.control().clear_journal();
        let before = server.control().stats().total.requests;
        let text = format!(
            "requests: [ {{ model: m }} ]\nprompt: 100B\n{arrival}\nduration: 500ms\nthreads: 3\nconnections: 3\n\
             timeout: 30s\n"
        );
        let summary = loaded(&server, &text).await;
        assert_eq!(summary.generator.threads, 3);
        assert_eq!(
            summary.requests.answered, summary.requests.sent,
            "{:?}",
            summary.errors
        );
        if arrival.ends_with("150") {
            assert!((1..=150).contains(&summary.requests.sent));
        } else {
            assert_eq!(summary.requests.sent, 150);
        }
        assert_eq!(
            server.control().stats().total.requests - before,
            summary.requests.sent
        );
        // Every question is a new one: one that was sent twice would show.
        let questions: HashSet<_> = server.control().journal().into_iter().map(|it| it.body).collect();
        assert_eq!(
            u64::try_from(questions.len()).expect("few"),
            summary.requests.sent
        );
    }
}

#[tokio::test]
async fn a_run_that_is_stopped_midway_waits_for_no_answer_that_does_not_come() {
    let server = server().await;
    let contestant = contestant(&server);
    for arrival in ["{ constant: 100 }", "closed"] {
        let stop = Arc::<AtomicBool>::default();
        let scenario = scenario(&format!(
            "requests: [ {{ model: m--hang }}, {{ model: m }} ]\narrival: {arrival}\nduration: 1h\ntimeout: 10m\n\
             connections: 64\n"
        ));
        let (contestant, told) = (contestant.clone(), Arc::clone(&stop));
        let round = move || {
            let mut watcher = Watcher {
                progress: &mut |progress| {
                    if progress.answered >= 3 && progress.under_way > 0 {
                        told.store(true, std::sync::atomic::Ordering::Relaxed);
                    }
                },
                stop,
                enough: Arc::default(),
                witness: None,
            };
            run(&scenario, &contestant, 1, &mut watcher)
        };
        let summary = tokio::task::spawn_blocking(round)
            .await
            .expect("no panic")
            .expect("a round");
        assert!(summary.requests.answered >= 3, "what was measured is kept");
        assert_eq!(summary.requests.failed, 0, "{:?}", summary.errors);
        assert!(summary.seconds < 300.0, "{}", summary.seconds);
    }
}

#[tokio::test]
async fn an_open_loop_does_not_wait_for_a_server_that_stands_still() {
    let server = server().await;
    let text = "requests: [ { model: m--hang } ]\narrival: { constant: 100 }\nduration: 300ms\nconnections: 2\n\
                outstanding: 10\ntimeout: 400ms\n";
    let summary = loaded(&server, text).await;
    assert_eq!(
        summary.requests.sent + summary.requests.not_sent,
        30,
        "{:?}",
        summary.requests
    );
    assert!(summary.requests.not_sent > 0 && summary.requests.sent >= 10);
    assert_eq!(summary.requests.most_under_way, 10);
    assert_eq!(summary.requests.failed, summary.requests.sent);
    assert!(summary.latency.expect("timeouts are slow answers").min >= 400_000.0);
}

#[tokio::test]
async fn a_stream_that_stalls_is_slow_where_it_stalled() {
    let server = server().await;
    for (model, place) in [("m--hang", "first"), ("m--hang2", "gap")] {
        let text = format!(
            "requests: [ {{ model: {model}, stream: 100% }} ]\narrival: {{ constant: 20 }}\nduration: 200ms\n\
             connections: 1\ntimeout: 500ms\n"
        );
        let summary = loaded(&server, &text).await;
        assert_eq!(summary.requests.failed, 4, "{model}: {:?}", summary.errors);
        let slow = if place == "first" {
            summary.first
        } else {
            summary.gap
        };
        assert!(slow.expect("it is measured").max > 300_000.0, "{model}");
    }
}

#[tokio::test]
async fn a_generator_that_cannot_keep_up_ends_soon_and_says_what_it_did_not_send() {
    let server = server().await;
    let contestant = contestant(&server);
    let scenario = scenario(
        "requests: [ { model: m } ]\nprompt: 100B\narrival: { constant: 20000 }\nduration: 200ms\noutstanding: 60000\n\
         lag_limit: 1s\n",
    );
    let round = move || {
        let mut watcher = Watcher {
            progress: &mut |_| {},
            stop: Arc::default(),
            enough: Arc::default(),
            // It is called by the thread that sends, and takes its time.
            witness: Some(Arc::new(|_| {
                std::thread::sleep(std::time::Duration::from_millis(5));
            })),
        };
        run(&scenario, &contestant, 1, &mut watcher)
    };
    let summary = tokio::task::spawn_blocking(round)
        .await
        .expect("no panic")
        .expect("a round");
    let requests = summary.requests;
    assert_eq!(requests.sent + requests.not_sent, 4000, "{requests:?}");
    assert!(requests.not_sent > 0 && requests.sent > 0, "{requests:?}");
}

#[tokio::test]
async fn every_way_to_fail_has_its_name() {
    for (model, stream, name) in [
        ("m--status503", "0%", "status"),
        ("m--reset", "0%", "no_answer"),
        ("m--cut2", "100%", "cut_short"),
        ("m--error2", "100%", "error_event"),
        ("m--hang", "0%", "timeout"),
        ("m--status404", "100%", "status"),
        ("m--reset", "100%", "no_answer"),
    ] {
        let server = server().await;
        let timeout = if name == "timeout" { "300ms" } else { "30s" };
        let text = format!(
            "requests: [ {{ model: {model}, stream: {stream}, chunks_expected: 16 }} ]\narrival: {{ constant: 50 }}\n\
             duration: 200ms\nconnections: 1\ntimeout: {timeout}\n"
        );
        let summary = loaded(&server, &text).await;
        let errors = serde_json::to_value(&summary.errors).expect("JSON");
        assert_eq!(errors, serde_json::json!({ name: 10 }), "{model}");
        assert_eq!(
            summary.streams.chunks_lost > 0,
            stream == "100%",
            "{model}: {:?}",
            summary.streams
        );
    }
}

#[tokio::test]
async fn cancelled_answers_are_given_up_where_asked_and_are_no_failures() {
    let server = server().await;
    for when in ["after_chunks: 3", "after: 40ms"] {
        let text = format!(
            "requests: [ {{ model: m--pace20--tokens50, stream: 100%, answer_tokens: 50, chunks_expected: 50 }} ]\n\
             arrival: {{ constant: 100 }}\nduration: 200ms\nconnections: 2\ncancels: {{ share: 100%, {when} }}\n"
        );
        let summary = loaded(&server, &text).await;
        assert_eq!(
            (summary.requests.cancelled, summary.requests.failed),
            (20, 0),
            "{when}"
        );
        assert_eq!(
            summary.streams.chunks_lost, 0,
            "nothing is lost that was not wanted"
        );
        assert!(summary.streams.chunks < 20 * 50);
    }
}

#[tokio::test]
async fn a_failure_stays_one_where_it_would_have_been_given_up() {
    for (model, stream, chunks, name) in [
        ("m--status503", "0%", 1, "status"),
        ("m--status404", "100%", 1, "status"),
        ("m--error2", "100%", 16, "error_event"),
    ] {
        let server = server().await;
        let text = format!(
            "requests: [ {{ model: {model}, stream: {stream} }} ]\narrival: {{ constant: 50 }}\nduration: 200ms\n\
             cancels: {{ share: 100%, after_chunks: {chunks} }}\n"
        );
        let summary = loaded(&server, &text).await;
        let errors = serde_json::to_value(&summary.errors).expect("JSON");
        assert_eq!(errors, serde_json::json!({ name: 10 }), "{model}");
        assert_eq!(summary.requests.cancelled, 0, "{model}");
    }
}

#[tokio::test]
async fn a_run_that_is_stopped_ends_soon() {
    let server = server().await;
    let stop = Arc::new(AtomicBool::new(true));
    let text = "requests: [ { model: m } ]\narrival: { constant: 100 }\nduration: 1h\n";
    assert_eq!(loaded_until(&server, text, stop).await.requests.sent, 0);
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let contestant = Contestant {
        name: "nobody".to_owned(),
        url: "http://127.0.0.1:1".to_owned(),
        pid: None,
        ..Contestant::default()
    };
    let mut watcher = Watcher {
        progress: &mut |_| {},
        stop: Arc::default(),
        enough: Arc::default(),
        witness: None,
    };
    let scenario = scenario("requests: [ { model: m } ]\narrival: { constant: 1 }\nthreads: 2\n");
    let error = run(&scenario, &contestant, 1, &mut watcher).expect_err("nobody listens there");
    assert!(format!("{error:#}").contains("cannot be reached"), "{error:#}");
}

async fn measured(contestants: Vec<Contestant>, text: &str) -> anyhow::Result<Measured> {
    let scenario = scenario(text);
    let all = move || rounds(&scenario, &contestants, 1, &Arc::default(), &mut |_, _, _| {});
    tokio::task::spawn_blocking(all).await.expect("no panic")
}

fn named(name: &str, url: String) -> Contestant {
    Contestant {
        name: name.to_owned(),
        url,
        pid: None,
        ..Contestant::default()
    }
}

const SOME: &str = "requests: [ { model: m } ]\narrival: { constant: 100 }\nduration: 200ms\nrounds: 3\n";

#[tokio::test]
async fn nothing_is_measured_before_all_contestants_are_reached() {
    let server = server().await;
    let both = vec![
        named("mock", server.url()),
        named("nobody", "http://127.0.0.1:1".to_owned()),
    ];
    let error = format!(
        "{:#}",
        measured(both, SOME).await.expect_err("nobody listens there")
    );
    assert!(
        error.contains("nobody (http://127.0.0.1:1): ") && error.contains("cannot be reached"),
        "{error}"
    );
    assert_eq!(server.control().stats().total.requests, 0);
}

#[tokio::test]
async fn a_contestant_that_goes_away_leaves_what_was_measured_before() {
    let server = server().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    // It is there when it is looked for, and never again.
    let gone = std::thread::spawn(move || drop(listener.accept()));
    let both = vec![named("mock", server.url()), named("gone", url)];
    let found = measured(both, SOME).await.expect("all were there");
    gone.join().expect("no panic");
    let counts: Vec<usize> = found.contestants.iter().map(|it| it.rounds.len()).collect();
    assert_eq!(counts, [1, 0]);
    let why = format!("{:#}", found.ended_by.expect("a reason"));
    assert!(why.starts_with("gone (http://"), "{why}");
}

#[tokio::test]
async fn a_baseline_has_its_own_key_and_model() {
    let server = server().await;
    let baseline = Contestant {
        key: Some(tollgate_loadtest::load::Secret("of-the-upstream".to_owned())),
        model: Some("its-own".to_owned()),
        ..named("direct", server.url())
    };
    let text = SOME.replace("rounds: 3", "keys: [ { key: of-the-server } ]");
    let found = measured(vec![named("server", server.url()), baseline], &text)
        .await
        .expect("reached");
    assert!(found.ended_by.is_none());
    let asked: Vec<String> = server
        .control()
        .journal()
        .into_iter()
        .map(|it| it.model)
        .collect();
    assert_eq!(
        (
            asked.first().map(String::as_str),
            asked.last().map(String::as_str)
        ),
        (Some("m"), Some("its-own"))
    );
    let keys: HashSet<_> = server
        .control()
        .journal()
        .iter()
        .filter_map(|it| it.header("authorization").map(str::to_owned))
        .collect();
    assert_eq!(keys.len(), 2, "{keys:?}");
}
