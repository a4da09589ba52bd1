//! Recorded decisions are made again, whatever else stands in the file.

use tollgate_telemetry::Line as _;

use super::*;
use crate::admin::a_record;

/// Lines of so many decisions.
fn lines(count: u64) -> Vec<u8> {
    let mut out = Vec::new();
    (0..count).for_each(|seed| a_record(seed, 1).write_line(&mut out));
    out
}

fn replayed(lines: &[u8], changes: &Changes) -> (Value, Outcome) {
    let mut rehearser = Rehearser::new(changes);
    let outcome = replay(lines, &mut rehearser).unwrap();
    (serde_json::to_value(rehearser.end()).unwrap(), outcome)
}

fn changes(document: &Value) -> Changes {
    tollgate_actors::read_changes(&json!({ "routes": document })).unwrap()
}

#[test]
fn unchanged_decisions_come_out_to_the_bit() {
    let (forecast, outcome) = replayed(&lines(100), &Changes::new());
    assert_eq!(outcome.not_reproduced_count, 0);
    assert_eq!(
        (&forecast["decisions"], &forecast["reordered"]),
        (&json!(100), &json!(0))
    );
    assert!(
        text(&forecast, &outcome, true).starts_with("100 of 100 decisions come out as they were recorded")
    );
}

#[test]
fn a_decision_that_was_tampered_with_is_named() {
    let text_of = String::from_utf8(lines(3)).unwrap();
    let mut records: Vec<Value> = text_of
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    records[1]["decision"]["ranking"][0]["candidate"] = json!(1);
    let id = records[1]["id"].as_str().unwrap().to_owned();
    let tampered: String = records
        .iter()
        .flat_map(|it| [it.to_string(), "\n".to_owned()])
        .collect();
    let (forecast, outcome) = replayed(tampered.as_bytes(), &Changes::new());
    assert_eq!(
        (outcome.not_reproduced_count, outcome.not_reproduced.as_slice()),
        (1, &[id.clone()][..])
    );
    let said = text(&forecast, &outcome, true);
    assert!(said.starts_with("2 of 3") && said.contains(&id), "{said}");
}

#[test]
fn other_weights_are_rehearsed_and_what_no_decision_knows_is_named() {
    let changes = changes(&json!({
        "fast": {"weights": {"cost": 0, "latency": 1}, "targets": {"p/swift": {"weight": 2}, "p/swfit": {"weight": 2}}},
        "fsat": {"sticky": true},
    }));
    let (mut forecast, outcome) = replayed(&lines(50), &changes);
    assert_eq!(forecast["first_changed"], 50);
    let unknown = unknown(&changes, &outcome.known);
    assert_eq!(unknown, ["routes.fast.targets.p/swfit", "routes.fsat"]);
    forecast["unknown"] = json!(unknown);
    let said = text(&forecast, &outcome, false);
    assert!(said.contains("beware: no decision knows routes.fsat\n"), "{said}");
    assert!(said.contains("exact: ") && said.contains("estimate: "), "{said}");
}

#[test]
fn lines_that_are_no_decisions_are_counted_and_told_with_their_number() {
    let mut file = b"\n{}\nnot json\n\xff\xfe\n[]\n   \n".to_vec();
    file.extend(lines(2));
    file.extend(br#"{"id":"req_x"}"#);
    let (forecast, outcome) = replayed(&file, &Changes::new());
    assert_eq!(forecast["decisions"], 2);
    assert_eq!(outcome.malformed, 5);
    let numbers: Vec<_> = outcome.told.iter().map(|it| it.line).collect();
    assert_eq!(numbers, [2, 3, 4, 5, 9]);
    assert!(
        outcome
            .told
            .iter()
            .all(|it| it.said.starts_with("not a decision: ")),
        "{:?}",
        outcome.told
    );
    assert!(text(&forecast, &outcome, true).ends_with("5 lines are no decisions and were left out\n"));
}

#[test]
fn many_malformed_lines_are_counted_and_not_all_told() {
    let (_, outcome) = replayed("x\n".repeat(1_000).as_bytes(), &Changes::new());
    assert_eq!((outcome.malformed, outcome.told.len()), (1_000, TOLD));
}

#[test]
fn a_file_of_changes_is_read_strictly() {
    let path = std::env::temp_dir().join(format!("tollgate-replay-{}.yaml", std::process::id()));
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        changes_in(&path).map_err(|error| format!("{error:#}"))
    };
    let good = read("reason: try\nroutes:\n  fast: { weights: { cost: 2 } }\n").unwrap();
    assert_eq!(good["fast"].weights.cost, Some(2.0));
    for (text, expected) in [
        (
            "routes: { fast: { weights: { cots: 2 } } }",
            "routes.fast.weights.cots",
        ),
        ("routes: []", "routes"),
        ("weights: {}", "expected 'routes'"),
        ("[]", "a list"),
        ("routes: {}\nroutes: {}\n", "routes"),
    ] {
        let said = read(text).unwrap_err();
        assert!(said.contains(expected), "{text}: {said}");
    }
    std::fs::remove_file(&path).unwrap();
}
