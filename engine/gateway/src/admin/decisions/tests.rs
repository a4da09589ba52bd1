//! Decisions are found by what is known of them, and written as they are read.

use super::*;
use crate::admin::a_record;

fn wanted(query: &str) -> Result<Wanted, Problem> {
    Wanted::read(&Query::read(query, &["route", "outcome", "key", "limit", "format"]).unwrap())
}

fn found(query: &str) -> usize {
    let wanted = wanted(query).unwrap();
    (0..100).filter(|seed| wanted.takes(&a_record(*seed, 1))).count()
}

#[test]
fn decisions_are_found_by_route_outcome_and_key() {
    for (query, expected) in [
        ("", 100),
        ("route=fast", 100),
        ("route=slow", 0),
        ("outcome=success", 75),
        ("outcome=server_error&key=odd", 25),
        ("outcome=server_error&key=even", 0),
        ("key=", 100),
    ] {
        assert_eq!(found(query), expected, "{query}");
    }
}

#[test]
fn so_many_are_shown_as_are_wanted() {
    assert_eq!(wanted("").unwrap().limit, USUAL);
    assert_eq!(wanted("limit=100000").unwrap().limit, MOST_DECISIONS);
    for query in ["limit=0", "limit=100001", "limit=all"] {
        assert!(wanted(query).is_err(), "{query}");
    }
}

#[test]
fn lines_are_read_back_as_they_were() {
    let records: Vec<_> = (0..3).map(|seed| Arc::new(a_record(seed, 1))).collect();
    let text = String::from_utf8(as_lines(&records)).unwrap();
    let back: Vec<DecisionRecord> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ids: Vec<_> = back.iter().map(|it| it.id).collect();
    assert_eq!(ids, records.iter().map(|it| it.id).collect::<Vec<_>>());
    assert!(
        back.iter().zip(&records).all(|(a, b)| a.decision == b.decision),
        "to the bit"
    );
    let document: Value = serde_json::from_slice(&as_document(7, &records)).unwrap();
    assert_eq!(
        (&document["kept"], document["decisions"].as_array().unwrap().len()),
        (&Value::from(7), 3)
    );
}
