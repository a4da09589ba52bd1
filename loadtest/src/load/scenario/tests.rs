//! Scenarios as people write them, well and badly.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::load::arrivals::{Profile, Spacing};

const LEAST: &str = "requests: [ { model: m } ]\narrival: { constant: 10 }\n";

fn read(text: &str) -> Result<Scenario, Problems> {
    let outside = Outside {
        env: &|name| (name == "KEY").then(|| "from the environment".to_owned()),
        file: &|path| match path.to_str() {
            Some("good.csv") => Ok("# recorded\n0.5,chat\n0.25\n\n2\n".to_owned()),
            Some("bad.csv") => Ok("0.5\nsoon\n".to_owned()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        },
    };
    Scenario::parse(text, &outside)
}

fn read_with_trace(text: &str, trace: &str) -> Result<Scenario, Problems> {
    let outside = Outside {
        env: &|_| None,
        file: &|_| Ok(trace.to_owned()),
    };
    Scenario::parse(text, &outside)
}

#[test]
fn all_shipped_scenarios_are_sound_and_bounded() {
    for name in names() {
        let scenario = shipped(name)
            .unwrap()
            .unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
        assert_eq!(scenario.name, name);
        assert!(!scenario.about.is_empty(), "{name} says what it is for");
        assert!(!scenario.fail_if.is_empty(), "{name} says what must hold");
        assert!(scenario.url.is_none(), "{name} goes where it is told");
    }
    assert!(shipped("no-such").is_none());
}

#[test]
fn the_least_scenario_has_sensible_bounds() {
    let scenario = read(LEAST).unwrap();
    assert_eq!(
        scenario.arrival,
        Arrival::Rate(Profile::steady(10.0, Spacing::Even))
    );
    assert_eq!(scenario.window.measured, Duration::from_secs(10));
    assert_eq!((scenario.connections, scenario.outstanding), (16, 256));
    assert!(scenario.requests_at_most > 0 && scenario.timeout > Duration::ZERO);
}

#[test]
fn traces_are_sorted_and_sped_up() {
    let text = "requests: [ { model: m } ]\narrival: { trace: good.csv, speed: 2 }\n";
    let expected: Arc<[Duration]> = [125, 250, 1000].map(Duration::from_millis).into();
    assert_eq!(read(text).unwrap().arrival, Arrival::Trace(expected));
}

#[test]
fn a_key_may_come_from_the_environment_and_is_never_shown() {
    let scenario = read(&format!("{LEAST}keys: [ {{ env: KEY, weight: 2 }} ]\n")).unwrap();
    assert_eq!(scenario.keys, [(Secret("from the environment".to_owned()), 2.0)]);
    assert!(!format!("{scenario:?}").contains("from the environment"));
}

#[test]
fn each_mistake_is_told_with_its_line_and_field() {
    for (text, line, told) in [
        (
            "wram_up: 1s\n",
            3,
            "wram_up: unknown field 'wram_up': did you mean 'warm_up'?",
        ),
        (
            "duration: soon\n",
            3,
            "duration: found 'soon', expected a duration",
        ),
        (
            "duration: 0s\n",
            3,
            "duration: found '0', expected a duration above 0",
        ),
        ("duration: 25h\n", 3, "duration: found '25h'"),
        (
            "connections: 0\n",
            3,
            "connections: found '0', expected a whole number from 1",
        ),
        (
            "protocol: http3\n",
            3,
            "protocol: unknown value 'http3': did you mean 'http",
        ),
        ("prompt: { from: 2KiB, to: 1KiB }\n", 3, "prompt: expected a size"),
        (
            "prompt: { from: 1KiB, to: 2KiB, sigma: 1 }\n",
            3,
            "prompt.sigma: it says nothing here",
        ),
        (
            "repeats: { share: 5% }\nprompt: 100B\n",
            4,
            "prompt: prompts of 100 bytes are too small",
        ),
        ("prompt: 1TiB\n", 3, "prompt: found '1TiB', expected a size"),
        (
            "cancels: { share: 120% }\n",
            3,
            "cancels.share: found '120%', expected a share",
        ),
        (
            "cancels:\n  share: 5%\n  aftr: 3s\n",
            5,
            "cancels.aftr: unknown field 'aftr': did you mean 'after'?",
        ),
        ("keys: [ { env: NOT_SET } ]\n", 3, "'NOT_SET' is not set"),
        ("keys: [ { weight: 3 } ]\n", 3, "missing: expected 'key'"),
        ("fail_if: [ 'p99 over 5ms' ]\n", 3, "fail_if[0]: "),
        (
            "repeats: often\n",
            3,
            "repeats: found 'often', expected a mapping",
        ),
        (
            "duration: 1s\nduration: 2s\n",
            4,
            "the key 'duration' a second time",
        ),
    ] {
        let wrong = read(&format!("{LEAST}{text}")).expect_err(text);
        let all = wrong.to_string();
        assert!(all.contains(told), "{text}: {all}");
        assert_eq!(wrong.0[0].line, line, "{text}: {all}");
    }
}

#[test]
fn bad_arrivals_are_told() {
    for (arrival, told) in [
        ("arrival: open", "arrival: found 'open', expected a mapping"),
        ("arrival: {}", "arrival: expected exactly one"),
        (
            "arrival: { constant: 5, poisson: 5 }",
            "arrival: expected exactly one",
        ),
        (
            "arrival: { constant: 0 }",
            "arrival.constant: found '0', expected a number above 0",
        ),
        (
            "arrival: { constant: -3 }",
            "arrival.constant: found '-3', expected a number",
        ),
        (
            "arrival: { ramp: { from: 1, to: 5 } }",
            "arrival.ramp.over: missing",
        ),
        (
            "arrival: { steps: [] }",
            "arrival.steps: expected at least one step",
        ),
        (
            "arrival: { steps: [ { rate: 5 } ] }",
            "arrival.steps[0].for: missing",
        ),
        ("arrival: { trace: none.csv }", "arrival.trace: none.csv: "),
        ("arrival: { trace: bad.csv }", "line 2: 'soon' is no time"),
        (
            "arrival: { trace: good.csv, speed: 0 }",
            "arrival.speed: found '0', expected a number above 0",
        ),
        (
            "arrival: { constant: 5, spacing: poisson }",
            "arrival.spacing: it says nothing here: expected beside ramp or steps",
        ),
        (
            "arrival: { poisson: 5, repeat: true }",
            "arrival.repeat: it says nothing here",
        ),
        (
            "arrival: { steps: [ { rate: 5, for: 1s } ], speed: 2 }",
            "arrival.speed: it says nothing here: expected beside trace",
        ),
        ("arrival: { konstant: 5 }", "did you mean 'constant'?"),
        ("", "arrival: missing"),
        (
            "arival: closed",
            "arival: unknown field 'arival': did you mean 'arrival'?",
        ),
    ] {
        let wrong = read(&format!("requests: [ {{ model: m }} ]\n{arrival}\n")).expect_err(arrival);
        assert!(wrong.to_string().contains(told), "{arrival}: {wrong}");
    }
}

#[test]
fn bad_requests_are_told_all_at_once() {
    let text = "requests:\n  - { surface: chats, model: m }\n  - { model: e, surface: embeddings, stream: 50% }\n  \
                - { weight: x }\narrival: closed\n";
    let wrong = read(text).unwrap_err();
    let lines: Vec<usize> = wrong.0.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [2, 3, 4, 4], "{wrong}");
    assert!(wrong.to_string().contains("did you mean 'chat'?"), "{wrong}");
    let nothing = read("requests: []\narrival: closed\n").unwrap_err();
    assert!(nothing.to_string().contains("nothing to send"), "{nothing}");
    let missing = read("arrival: closed\n").unwrap_err();
    assert!(missing.to_string().contains("nothing to send"), "{missing}");
}

#[test]
fn no_text_makes_the_reader_panic() {
    for text in [
        "",
        "[]",
        "a",
        "requests: 5",
        "requests: [5, [6], {}]",
        "arrival: [1]",
        "\u{0}",
        "prompt: []",
    ] {
        assert!(read(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_file_that_is_no_text_is_a_problem_of_its_field() {
    let outside = Outside {
        env: &|_| None,
        file: &|_| Err(std::io::ErrorKind::InvalidData.into()),
    };
    let text = "requests: [ { model: m } ]\narrival: { trace: photo.png }\n";
    let wrong = Scenario::parse(text, &outside).unwrap_err();
    assert!(
        wrong.to_string().contains("arrival.trace: photo.png: "),
        "{wrong}"
    );
}

/// Words that scenarios are made of, and what gets mistyped around them.
fn scraps() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        prop::sample::select(vec![
            "requests",
            "arrival",
            "model",
            "steps",
            "rate",
            "for",
            "ramp",
            "from",
            "to",
            "over",
            "trace",
            "keys",
            "env",
            "prompt",
            "median",
            "sigma",
            "size",
            "cancels",
            "share",
            "repeats",
            "questions",
            "fail_if",
            "duration",
            "rounds",
            "repeat",
            "closed",
            "constant",
            "speed",
        ])
        .prop_map(str::to_owned),
        prop::sample::select(vec![
            ": ", "\n", "\n  ", "- ", "{ ", " }", "[ ", " ]", ", ", "\"", "'", "#", "&a ", "*a", "|\n", "? ",
            "!!x ", "---\n", "\t", "\u{feff}", "\u{0}",
        ])
        .prop_map(str::to_owned),
        prop::sample::select(vec![
            "0",
            "-1",
            "1e309",
            "99999999999999999999",
            "5%",
            "10s",
            "0s",
            "1KiB",
            "true",
            "p99>5ms",
            ".",
            "_",
            "NaN",
        ])
        .prop_map(str::to_owned),
        ".{0,6}",
    ];
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_a_scenario_or_problems_with_lines(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let text = String::from_utf8_lossy(&bytes);
        let wrong = read(&text);
        prop_assert!(wrong.is_ok() || wrong.is_err_and(|wrong| !wrong.0.is_empty() && wrong.0.iter().all(|it| it.line > 0)));
    }

    #[test]
    fn scraps_of_scenarios_are_a_scenario_or_problems_with_lines(text in scraps()) {
        for text in [text.clone(), format!("{LEAST}{text}"), format!("requests: [ {{ model: m }} ]\narrival: {text}")] {
            // YAML counts a lone carriage return as the end of a line, too.
            let lines = text.matches(['\n', '\r']).count() + 2;
            match read(&text) {
                Ok(scenario) => prop_assert!(!scenario.requests.is_empty() && !scenario.window.measured.is_zero()),
                Err(wrong) => prop_assert!(wrong.0.iter().all(|it| (1..=lines).contains(&it.line)), "{}", wrong),
            }
        }
    }

    #[test]
    fn any_trace_is_ascending_times_or_a_problem(bytes in prop::collection::vec(any::<u8>(), 0..200), speed in 0.001_f64..1000.0) {
        let text = format!("requests: [ {{ model: m }} ]\narrival: {{ trace: t, speed: {speed:.3} }}\n");
        if let Ok(scenario) = read_with_trace(&text, &String::from_utf8_lossy(&bytes)) {
            let times: Vec<_> = scenario.arrival.due_times(1).collect();
            prop_assert!(!times.is_empty() && times.windows(2).all(|pair| pair[0] <= pair[1]));
        }
    }

    #[test]
    fn traces_of_numbers_keep_every_time(times in prop::collection::vec(0.0_f64..1e6, 1..50)) {
        let lines: Vec<String> = times.iter().map(|time| format!("{time:.6},chat")).collect();
        let lines = lines.join("\n");
        let scenario = read_with_trace("requests: [ { model: m } ]\narrival: { trace: t }\n", &lines).unwrap();
        prop_assert_eq!(scenario.arrival.due_times(1).count(), times.len());
    }
}
