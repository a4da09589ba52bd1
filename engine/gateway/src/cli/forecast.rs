//! A forecast as text: what would be asked of whom, for how much, and how far that can be believed.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;
use tollgate_core::{Nanodollars, Timestamp};

use super::table::{clean, table};

/// The text of a rehearsal, as the API writes it.
pub(super) fn text(forecast: &Value) -> String {
    let mut text = String::new();
    let (decisions, changed) = (whole(forecast, "decisions"), whole(forecast, "first_changed"));
    let span = match (moment(forecast, "from_ms"), moment(forecast, "to_ms")) {
        (Some(from), Some(to)) => format!(" ({from} to {to})"),
        _ => String::new(),
    };
    let _ = writeln!(
        text,
        "tried on {decisions} recorded decisions{span}: {changed} would ask somebody else first, {} would come out \
         in another order",
        whole(forecast, "reordered")
    );
    let routes: Vec<&Value> = list(forecast, "routes").collect();
    if !routes.is_empty() {
        let _ = write!(text, "\n{}", shares(&routes));
        let _ = write!(text, "\n{}", totals(&routes));
    }
    if list(forecast, "notes").next().is_some() {
        text.push('\n');
    }
    for note in list(forecast, "notes").filter_map(Value::as_str) {
        let _ = writeln!(text, "{}", clean(note));
    }
    text
}

fn shares(routes: &[&Value]) -> String {
    let row = |route: &Value, share: &Value| {
        let of = |name: &str, when: &str| {
            share
                .get(name)
                .and_then(|it| it.get(when))
                .cloned()
                .unwrap_or_default()
        };
        let percent = |when| format!("{:.1} %", of("share", when).as_f64().unwrap_or(0.0) * 100.0);
        vec![
            name(route, "route"),
            name(share, "target"),
            of("requests", "before").to_string(),
            of("requests", "after").to_string(),
            percent("before"),
            percent("after"),
        ]
    };
    let rows = routes
        .iter()
        .flat_map(|route| list(route, "shares").map(move |share| row(route, share)));
    table(
        &[
            "ROUTE",
            "FIRST CHOICE",
            "REQUESTS",
            "WOULD BE",
            "SHARE",
            "WOULD BE",
        ],
        &rows.collect::<Vec<_>>(),
    )
}

fn totals(routes: &[&Value]) -> String {
    let row = |route: &&Value| {
        let mut cells = vec![name(route, "route"), whole(route, "decisions").to_string()];
        let of = |name: &str| ["before", "after"].map(|when| route.get(name).map_or(0, |it| whole(it, when)));
        cells.extend(of("cost_nanodollars").map(|cost| format!("${}", Nanodollars(cost))));
        cells.extend(of("mean_time_us").map(|us| format!("{:.0?}", Duration::from_micros(us))));
        cells.extend(of("refusals").map(|count| count.to_string()));
        cells
    };
    table(
        &[
            "ROUTE",
            "DECISIONS",
            "COST",
            "WOULD BE",
            "MEAN TIME",
            "WOULD BE",
            "REFUSALS",
            "WOULD BE",
        ],
        &routes.iter().map(row).collect::<Vec<_>>(),
    )
}

/// The items of a list; none where there is no list.
pub(super) fn list<'v>(of: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    of.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// A text; empty where there is none.
pub(super) fn name(of: &Value, name: &str) -> String {
    of.get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// A whole number; 0 where there is none.
pub(super) fn whole(of: &Value, name: &str) -> u64 {
    of.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn moment(of: &Value, name: &str) -> Option<Timestamp> {
    of.get(name)
        .and_then(Value::as_u64)
        .map(Timestamp::from_unix_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_forecast_says_what_was_and_what_would_be() {
        let forecast = json!({
            "decisions": 10, "reordered": 4, "first_changed": 3, "from_ms": 0, "to_ms": 1000,
            "routes": [{
                "route": "fast", "decisions": 10,
                "shares": [{
                    "target": "a/m", "requests": {"before": 8, "after": 5}, "share": {"before": 0.8, "after": 0.5},
                }],
                "cost_nanodollars": {"before": 2_000_000, "after": 1_000_000},
                "mean_time_us": {"before": 120_000, "after": 240_000},
                "refusals": {"before": 0, "after": 1},
            }],
            "notes": ["exact: the order"],
        });
        let text = text(&forecast);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[0],
            "tried on 10 recorded decisions (1970-01-01T00:00:00.000Z to 1970-01-01T00:00:01.000Z): 3 would ask \
             somebody else first, 4 would come out in another order"
        );
        assert_eq!(
            lines[3].split_whitespace().collect::<Vec<_>>(),
            ["fast", "a/m", "8", "5", "80.0", "%", "50.0", "%"]
        );
        assert_eq!(
            lines[6].split_whitespace().collect::<Vec<_>>(),
            [
                "fast",
                "10",
                "$0.002000000",
                "$0.001000000",
                "120ms",
                "240ms",
                "0",
                "1"
            ]
        );
        assert_eq!(lines[8], "exact: the order");
    }

    #[test]
    fn a_forecast_over_nothing_is_short() {
        let text =
            text(&json!({"decisions": 0, "reordered": 0, "first_changed": 0, "routes": [], "notes": []}));
        assert_eq!(text.lines().count(), 1);
    }
}
