//! Reports as text.

use super::*;

#[test]
fn nothing_that_failed_is_rounded_to_a_hundred_percent() {
    assert_eq!(percent(1.0), "100 %");
    assert_eq!(percent(0.999_99), "99.99 %");
    assert_eq!(percent(0.5), "50 %");
}

#[test]
fn spans_have_units_and_signs() {
    assert_eq!(
        (span(41.6), span(1250.0)),
        ("42 ms".to_owned(), "1.2 s".to_owned())
    );
    assert_eq!(
        (signed(-3.2), signed(41.0)),
        ("-3 ms".to_owned(), "+41 ms".to_owned())
    );
}

#[test]
fn only_the_most_are_named() {
    let named = (1..=6).map(|number| (number, format!("t{number}")));
    assert_eq!(most(named), "t6, t5, t4, t3, 2 more");
}

#[test]
fn columns_are_aligned() {
    let rows = [
        ["a".to_owned(), "größer".to_owned()],
        ["bcd".to_owned(), "x".to_owned()],
    ];
    assert_eq!(aligned(&rows), "  a    größer\n  bcd  x\n");
}

#[test]
fn a_drill_that_could_not_be_held_has_its_row() {
    let not_held = NotHeld {
        drill: "flapping".to_owned(),
        why: "no gateway".to_owned(),
    };
    let reports = Reports {
        not_held: vec![not_held],
        ..Reports::default()
    };
    let row = reports.text().lines().nth(1).unwrap().to_owned();
    assert!(row.starts_with("  flapping  NOT HELD  -"), "{row}");
}

#[test]
fn the_committed_schema_is_that_of_the_format() {
    crate::testing::assert_committed("drill.schema.json", &Report::schema());
}
