//! `KEY=VALUE` on the command line, as a merge patch of one route.

use serde_json::{Map, Value, json};

/// What stands for going back to the config file.
const DEFAULT: &str = "default";

/// What kind of value a key takes.
#[derive(Clone, Copy)]
enum Kind {
    Number,
    Whole,
    Flag,
    Text,
}

const KEYS: [(&str, Kind); 11] = [
    ("cost", Kind::Number),
    ("latency", Kind::Number),
    ("availability", Kind::Number),
    ("near_best", Kind::Number),
    ("explore", Kind::Number),
    ("max_attempts", Kind::Whole),
    ("deadline_ms", Kind::Whole),
    ("sticky", Kind::Flag),
    ("strategy", Kind::Text),
    ("on_no_candidates", Kind::Text),
    ("max_cost_usd", Kind::Text),
];

/// The change that assignments stand for.
///
/// # Errors
/// The first assignment that cannot be read, and how it should be.
pub(super) fn change(assignments: &[String]) -> Result<Value, String> {
    let mut change = Value::Object(Map::new());
    for text in assignments {
        let (path, value) = assignment(text)?;
        if set(&mut change, &path, value) {
            return Err(format!("{text}: {} is set twice", path.join(".")));
        }
    }
    Ok(change)
}

/// Sets a value; whether it was set before.
fn set(tree: &mut Value, path: &[&str], value: Value) -> bool {
    let Some((last, way)) = path.split_last() else {
        return false;
    };
    let mut place = tree;
    for key in way {
        let Value::Object(members) = place else {
            return false;
        };
        place = members.entry(*key).or_insert_with(|| json!({}));
    }
    let Value::Object(members) = place else {
        return false;
    };
    members.insert((*last).to_owned(), value).is_some()
}

fn assignment(text: &str) -> Result<(Vec<&str>, Value), String> {
    let Some((key, value)) = text.rsplit_once('=') else {
        return Err(format!(
            "{text}: expected KEY=VALUE, such as cost=2 or openai/gpt-4o-mini=8"
        ));
    };
    if key.contains('/') {
        return target(text, key, value);
    }
    let Some((key, kind)) = KEYS.iter().find(|(name, _)| *name == key) else {
        let names: Vec<_> = KEYS.iter().map(|(name, _)| *name).collect();
        return Err(format!(
            "{text}: no such key; expected PROVIDER/MODEL or one of {}",
            names.join(", ")
        ));
    };
    let path = match *key {
        "cost" | "latency" | "availability" => vec!["weights", *key],
        key => vec![key],
    };
    Ok((path, value_of(text, value, *kind)?))
}

/// `provider/model=8`, `provider/model:priority=1`, `provider/model:canary=0.05`.
fn target<'t>(text: &str, key: &'t str, value: &str) -> Result<(Vec<&'t str>, Value), String> {
    let (name, what) = match key.rsplit_once(':') {
        Some((name, what @ ("weight" | "priority" | "canary"))) => (name, what),
        // A colon may be a part of the model's name.
        _ => (key, "weight"),
    };
    let value = match (what, value.strip_suffix('%')) {
        ("canary", Some(_)) => match crate::admin::share(value) {
            Some(share) => json!(share),
            None => return Err(format!("{text}: expected a share such as 5% or 0.05")),
        },
        ("canary", None) => value_of(text, value, Kind::Number)?,
        _ => value_of(text, value, Kind::Whole)?,
    };
    Ok((vec!["targets", name, what], value))
}

fn value_of(text: &str, value: &str, kind: Kind) -> Result<Value, String> {
    if value == DEFAULT {
        return Ok(Value::Null);
    }
    let read = match kind {
        Kind::Whole => value.parse::<u64>().ok().map(Value::from),
        Kind::Number => {
            let number = value.parse::<f64>().ok();
            value
                .parse::<u64>()
                .ok()
                .map(Value::from)
                .or(number.and_then(serde_json::Number::from_f64).map(Value::Number))
        }
        Kind::Flag => value.parse::<bool>().ok().map(Value::from),
        Kind::Text => (!value.is_empty()).then(|| Value::from(value)),
    };
    let expected = match kind {
        Kind::Whole => "a whole number",
        Kind::Number => "a number",
        Kind::Flag => "true or false",
        Kind::Text => "a value",
    };
    read.ok_or_else(|| format!("{text}: expected {expected}, or '{DEFAULT}' for what the config file says"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[&str]) -> Result<Value, String> {
        change(&texts.iter().map(|&it| it.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn assignments_become_one_merge_patch() {
        let change = read(&[
            "cost=2",
            "latency=0.5",
            "availability=default",
            "strategy=scored",
            "sticky=true",
            "max_cost_usd=$0.25",
            "deadline_ms=3000",
            "openai/gpt-4o-mini=8",
            "ollama/llama3:8b=0",
            "ollama/llama3:8b:priority=1",
            "a/b=c:canary=5%",
        ]);
        assert_eq!(
            change.unwrap(),
            json!({
                "weights": {"cost": 2, "latency": 0.5, "availability": null},
                "strategy": "scored",
                "sticky": true,
                "max_cost_usd": "$0.25",
                "deadline_ms": 3000,
                "targets": {
                    "openai/gpt-4o-mini": {"weight": 8},
                    "ollama/llama3:8b": {"weight": 0, "priority": 1},
                    "a/b=c": {"canary": 0.05},
                },
            })
        );
    }

    #[test]
    fn what_cannot_be_read_says_how_it_should_be() {
        for (text, expected) in [
            ("cost", "KEY=VALUE"),
            ("cost=", "a number"),
            ("cost=much", "a number"),
            ("cost=nan", "a number"),
            ("cost=inf", "a number"),
            ("speed=1", "no such key"),
            ("=1", "no such key"),
            ("a/b=1.5", "a whole number"),
            ("a/b=-1", "a whole number"),
            ("a/b:canary=200%", "a share"),
            ("sticky=yes", "true or false"),
            ("strategy=", "a value"),
        ] {
            let said = read(&[text]).unwrap_err();
            assert!(said.contains(expected), "{text}: {said}");
        }
        assert!(read(&["cost=1", "cost=2"]).unwrap_err().contains("twice"));
    }
}
