//! What the admin API says of weights and versions, as text.

use std::fmt::Write as _;

use serde_json::Value;

use crate::cli::forecast::{self, list, name, whole};
use crate::cli::table::{clean, table};

/// A value of a document in a cell; `-` for nothing.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn routes(weights: &Value) -> impl Iterator<Item = (&String, &Value)> {
    weights
        .get("routes")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

/// The weights in force.
pub(super) fn weights(weights: &Value) -> String {
    let mut text = format!(
        "version {}, epoch {}\n\n",
        whole(weights, "version"),
        whole(weights, "epoch")
    );
    let row = |(route, it): (&String, &Value)| {
        let weight = |name: &str| cell(it.get("weights").and_then(|weights| weights.get(name)));
        let of = |name: &str| cell(it.get(name));
        vec![
            route.clone(),
            of("strategy"),
            weight("cost"),
            weight("latency"),
            weight("availability"),
            of("near_best"),
            of("explore"),
        ]
    };
    let head = [
        "ROUTE",
        "STRATEGY",
        "COST",
        "LATENCY",
        "AVAILABILITY",
        "NEAR BEST",
        "EXPLORE",
    ];
    text.push_str(&table(&head, &routes(weights).map(row).collect::<Vec<_>>()));
    let targets = routes(weights).flat_map(|(route, it)| {
        let targets = it.get("targets").and_then(Value::as_object).into_iter().flatten();
        targets.map(move |(target, it)| {
            let of = |name: &str| cell(it.get(name));
            vec![
                route.clone(),
                target.clone(),
                of("weight"),
                of("priority"),
                of("canary"),
            ]
        })
    });
    text.push('\n');
    let head = ["ROUTE", "TARGET", "WEIGHT", "PRIORITY", "CANARY"];
    text.push_str(&table(&head, &targets.collect::<Vec<_>>()));
    if weights
        .get("overrides")
        .and_then(Value::as_object)
        .is_some_and(|it| !it.is_empty())
    {
        text.push_str("\nover the config file:\n");
        for (path, value) in leaves(weights.get("overrides").unwrap_or(&Value::Null), "") {
            let _ = writeln!(text, "  {} = {}", clean(&path), clean(&cell(Some(value))));
        }
    }
    text
}

/// Every value of a document with its path.
fn leaves<'v>(value: &'v Value, path: &str) -> Vec<(String, &'v Value)> {
    let Value::Object(members) = value else {
        return vec![(path.to_owned(), value)];
    };
    let below = members.iter().flat_map(|(key, value)| {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        leaves(value, &path)
    });
    below.collect()
}

/// What a change came to, or would come to.
pub(super) fn change(change: &Value) -> String {
    let mut text = String::new();
    let dry = change.get("dry_run").and_then(Value::as_bool).unwrap_or(false);
    let differs = list(change, "diff").next().is_some();
    match (dry, differs) {
        (true, true) => text.push_str("valid. Nothing was changed; this is what would be:\n"),
        (_, false) => text.push_str("no difference: everything is so already\n"),
        (false, true) => live(&mut text, change),
    }
    diff(&mut text, change, "  ");
    if let Some(forecast) = change.get("forecast").filter(|it| it.is_object()) {
        let _ = write!(text, "\n{}", forecast::text(forecast));
    }
    text
}

/// What the end of a rollout came to.
pub(super) fn ended(change: &Value) -> String {
    let mut text = String::new();
    live(&mut text, change);
    diff(&mut text, change, "  ");
    text
}

fn live(text: &mut String, change: &Value) {
    let (version, epoch) = (whole(change, "version"), whole(change, "epoch"));
    let applied = change.get("applied").cloned().unwrap_or_default();
    let (applied, of) = (whole(&applied, "applied"), whole(&applied, "of"));
    let took = change.get("took_ms").and_then(Value::as_f64).unwrap_or(0.0);
    let kept = match change.get("persistent").and_then(Value::as_bool) {
        Some(true) => "kept over restarts",
        _ => "until the process ends",
    };
    let staged = change
        .get("rollout")
        .and_then(|it| it.get("share"))
        .and_then(Value::as_f64);
    let reach = staged.map_or_else(String::new, |share| {
        format!(" for {:.4} % of the requests", share * 100.0)
    });
    let reach = reach.replace(".0000", "");
    let _ = writeln!(
        text,
        "version {version}, epoch {epoch}: live{reach} at {applied} of {of} routers after {took:.1} ms, {kept}"
    );
}

fn diff(text: &mut String, of: &Value, indent: &str) {
    for difference in list(of, "diff") {
        let value = |name: &str| clean(&cell(difference.get(name)));
        let path = clean(&name(difference, "path"));
        let _ = writeln!(text, "{indent}{path}: {} -> {}", value("before"), value("after"));
    }
}

/// The versions, newest first: what each lays over the config file.
pub(super) fn history(versions: &Value) -> String {
    let mut text = String::new();
    for version in list(versions, "versions") {
        let state = name(version, "state");
        let mark = if state == "live" { "*" } else { " " };
        let number = whole(version, "number");
        let of = |name: &str| clean(version.get(name).and_then(Value::as_str).unwrap_or("-"));
        let (at, author, reason) = (of("at"), of("author"), of("reason"));
        let _ = writeln!(text, "{mark} {number:>4}  {state:<11}  {at}  {author}: {reason}");
        if let Some(to) = version
            .get("origin")
            .and_then(|it| it.get("to"))
            .and_then(Value::as_u64)
        {
            let _ = writeln!(
                text,
                "          back to {}",
                if to == 0 {
                    "the config file".to_owned()
                } else {
                    to.to_string()
                }
            );
        }
        for (path, value) in leaves(version.get("overlay").unwrap_or(&Value::Null), "") {
            if !path.is_empty() {
                let _ = writeln!(text, "          {} = {}", clean(&path), clean(&cell(Some(value))));
            }
        }
        if let Some(back) = version.get("taken_back").filter(|it| it.is_object()) {
            let of = |part: &str| clean(&name(back, part));
            let _ = writeln!(
                text,
                "          taken back {} by {}: {}",
                of("at"),
                of("author"),
                of("reason")
            );
        }
    }
    if text.is_empty() {
        text.push_str("nothing was changed while the gateway runs: the config file is in force\n");
    }
    text
}

/// The rollout that is under way.
pub(super) fn rollout(status: &Value) -> String {
    let Some(rollout) = status.get("rollout").filter(|it| it.is_object()) else {
        return "no rollout is under way\n".to_owned();
    };
    let share = rollout.get("share").and_then(Value::as_f64).unwrap_or(0.0) * 100.0;
    let mut text = format!(
        "version {} for {share} % of the requests, {} s left to hold\n\n",
        whole(rollout, "version"),
        whole(rollout, "hold_ms")
            .saturating_sub(whole(rollout, "held_ms"))
            .div_ceil(1000),
    );
    let row = |(label, part): (&str, &str)| {
        let figures = rollout.get(part).cloned().unwrap_or_default();
        let millis = |name: &str| {
            figures
                .get(name)
                .and_then(Value::as_f64)
                .map_or("-".to_owned(), |ms| format!("{ms:.0} ms"))
        };
        let (requests, errors) = (whole(&figures, "requests"), whole(&figures, "errors"));
        vec![
            label.to_owned(),
            requests.to_string(),
            errors.to_string(),
            millis("ttft_mean_ms"),
            millis("ttft_p99_ms"),
        ]
    };
    let rows: Vec<_> = [("with the change", "staged"), ("without", "rest")]
        .into_iter()
        .map(row)
        .collect();
    text.push_str(&table(
        &["REQUESTS", "ENDED", "FAILED", "MEAN TTFT", "P99 TTFT"],
        &rows,
    ));
    text
}

#[cfg(test)]
mod tests;
