//! `tollgate routes` and `tollgate breakers`: who is behind a name, and how they fare. `tollgate breaker force`: what
//! an operator wants of one.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use http::Method;
use serde_json::{Value, json};

use super::client::{Connection, Question, in_path};
use super::forecast::{list, name, whole};
use super::table::table;

#[derive(Debug, clap::Args)]
pub(super) struct RoutesArgs {
    #[command(flatten)]
    connection: Connection,
    /// This route only.
    route: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct BreakersArgs {
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Args)]
pub(super) struct BreakerArgs {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: BreakerVerb,
}

#[derive(Debug, Subcommand)]
enum BreakerVerb {
    /// Say what a breaker lets through, whatever it has measured; `auto` gives it back to itself.
    Force {
        /// PROVIDER/MODEL.
        target: String,
        /// What it is to do.
        force: Force,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Who.
        #[arg(long, env = "USER", value_name = "NAME")]
        author: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Force {
    /// Nothing goes through.
    Open,
    /// Everything goes through.
    Closed,
    /// Nothing new goes through, and nobody is to blame.
    Drain,
    /// It decides by itself.
    Auto,
}

pub(super) fn run(args: &RoutesArgs) -> anyhow::Result<ExitCode> {
    let path = match &args.route {
        Some(route) => format!("/admin/v1/routes/{}", in_path(route)),
        None => "/admin/v1/routes".to_owned(),
    };
    match args.connection.ask(&Question::get(path)) {
        Ok(answer) => args.connection.show(&answer, routes),
        Err(failure) => args.connection.fail(failure),
    }
}

pub(super) fn breakers(args: &BreakersArgs) -> anyhow::Result<ExitCode> {
    match args.connection.ask(&Question::get("/admin/v1/breakers")) {
        Ok(answer) => args.connection.show(&answer, all_breakers),
        Err(failure) => args.connection.fail(failure),
    }
}

pub(super) fn breaker(args: &BreakerArgs) -> anyhow::Result<ExitCode> {
    let BreakerVerb::Force {
        target,
        force,
        reason,
        author,
    } = &args.verb;
    let force = match force {
        Force::Open => "open",
        Force::Closed => "closed",
        Force::Drain => "drain",
        Force::Auto => "auto",
    };
    let question = Question::new(Method::PATCH, format!("/admin/v1/breakers/{}", in_path(target)));
    let question = question.body(json!({ "force": force, "reason": reason, "author": author }));
    match args.connection.ask(&question) {
        Ok(answer) => args.connection.show(&answer, |it| {
            format!("{}: {}\n", name(it, "target"), name(it, "state"))
        }),
        Err(failure) => args.connection.fail(failure),
    }
}

/// The table of all routes, or of the one that was asked for.
fn routes(answer: &Value) -> String {
    let all: Vec<&Value> = match answer.get("routes") {
        Some(_) => list(answer, "routes").collect(),
        None => vec![answer],
    };
    let rows = all.iter().flat_map(|route| {
        let settings = route.get("settings").cloned().unwrap_or_default();
        let strategy = name(&settings, "strategy");
        list(route, "targets").map(move |target| row(&name(route, "route"), &strategy, target))
    });
    let head = [
        "ROUTE",
        "STRATEGY",
        "TARGET",
        "STATE",
        "WEIGHT",
        "BY WEIGHT",
        "PRIORITY",
        "IN FLIGHT",
        "TTFT",
        "ERRORS",
        "OF",
    ];
    let mut text = table(&head, &rows.collect::<Vec<_>>());
    for route in &all {
        let fallbacks: Vec<_> = list(route, "fallbacks").filter_map(Value::as_str).collect();
        if !fallbacks.is_empty() {
            let _ = write!(
                text,
                "\n{} falls back to {}",
                name(route, "route"),
                fallbacks.join(", then ")
            );
        }
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn row(route: &str, strategy: &str, target: &Value) -> Vec<String> {
    let number = |of: &str| target.get(of).and_then(Value::as_f64);
    let percent = |ratio: f64| format!("{:.1} %", ratio * 100.0);
    let share = match (number("canary"), number("weight_share")) {
        (Some(canary), _) => format!("{} canary", percent(canary)),
        (None, Some(share)) => percent(share),
        (None, None) => "-".to_owned(),
    };
    let state = match (name(target, "state"), number("admission")) {
        (state, Some(admission)) if state == "closed" && admission < 1.0 => {
            format!("closed, {:.0} % let in", admission * 100.0)
        }
        (state, _) => state,
    };
    let resting = list(target, "credentials")
        .filter(|it| it.as_str() != Some("usable"))
        .count();
    let of = list(target, "credentials").count();
    let state = if resting > 0 {
        format!("{state}, {resting} of {of} keys rest")
    } else {
        state
    };
    vec![
        route.to_owned(),
        strategy.to_owned(),
        name(target, "target"),
        state,
        whole(target, "weight").to_string(),
        share,
        whole(target, "priority").to_string(),
        whole(target, "in_flight").to_string(),
        number("ttft_ms").map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0} ms")),
        percent(number("error_ratio").unwrap_or(0.0)),
        whole(target, "window_requests").to_string(),
    ]
}

fn all_breakers(answer: &Value) -> String {
    let rows = list(answer, "breakers").map(|it| {
        let seconds = |name: &str| {
            it.get(name)
                .and_then(Value::as_u64)
                .map(|ms| format!("{:.1} s", Millis(ms).seconds()))
        };
        let trip = it.get("last_trip").filter(|it| it.is_object());
        vec![
            name(it, "target"),
            name(it, "state"),
            seconds("since_ms_ago").unwrap_or_else(|| "-".to_owned()),
            seconds("next_probe_in_ms").unwrap_or_else(|| "-".to_owned()),
            whole(it, "consecutive_failures").to_string(),
            whole(it, "trips").to_string(),
            trip.map_or_else(|| "-".to_owned(), |trip| name(trip, "reason")),
        ]
    });
    let head = [
        "TARGET",
        "STATE",
        "SINCE",
        "NEXT PROBE",
        "STREAK",
        "TRIPS",
        "LAST TRIP",
    ];
    table(&head, &rows.collect::<Vec<_>>())
}

struct Millis(u64);

impl Millis {
    fn seconds(&self) -> f64 {
        std::time::Duration::from_millis(self.0).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_a_table_of_targets_with_the_state_of_their_breakers() {
        let text = routes(&json!({"routes": [{
            "route": "fast", "settings": {"strategy": "scored"}, "fallbacks": ["slow", "last"],
            "targets": [
                {"target": "a/m", "state": "open", "weight": 8, "weight_share": 0.8, "priority": 0, "in_flight": 3,
                 "ttft_ms": 120.4, "error_ratio": 0.25, "window_requests": 40, "credentials": ["usable"], "admission": 1.0},
                {"target": "b/m", "state": "closed", "weight": 2, "canary": 0.05, "weight_share": null, "priority": 1,
                 "in_flight": 0, "ttft_ms": null, "error_ratio": 0.0, "window_requests": 0,
                 "credentials": ["usable", "cooling_down"], "admission": 0.5},
            ],
        }]}));
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|it| {
                it.split("  ")
                    .map(str::trim)
                    .filter(|it| !it.is_empty())
                    .collect()
            })
            .collect();
        assert_eq!(
            lines[1],
            [
                "fast", "scored", "a/m", "open", "8", "80.0 %", "0", "3", "120 ms", "25.0 %", "40"
            ]
        );
        assert_eq!(lines[2][3], "closed, 50 % let in, 1 of 2 keys rest");
        assert_eq!(lines[2][5], "5.0 % canary");
        assert!(text.ends_with("fast falls back to slow, then last\n"), "{text}");
    }

    #[test]
    fn one_route_is_the_same_table() {
        let text = routes(&json!({"route": "fast", "targets": [{"target": "a/m", "state": "closed"}]}));
        assert!(text.lines().nth(1).unwrap().starts_with("fast"), "{text}");
    }

    #[test]
    fn breakers_say_why_they_opened_last() {
        let text = all_breakers(&json!({"breakers": [{
            "target": "a/m", "state": "open", "since_ms_ago": 1500, "next_probe_in_ms": 500, "consecutive_failures": 5,
            "trips": 2, "last_trip": {"reason": "5 failures in a row, the last one overloaded", "ms_ago": 1500},
        }]}));
        assert!(
            text.contains("open   1.5 s       0.5 s       5      2  5 failures in a row"),
            "{text}"
        );
    }
}
