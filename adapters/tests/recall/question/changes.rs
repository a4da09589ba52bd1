//! No change of a request leaves its question the same, but for what says nothing about the answer: every value of a
//! document is changed in every way there is.

use std::collections::HashMap;

use serde_json::{Value, json};
use tollgate_core::{Digest, Surface};

use super::{ANTHROPIC, OPENAI, rich_anthropic, rich_openai, try_ask};
use crate::support::recordings;

/// A place in a JSON document.
type Place = Vec<Step>;

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    Index(usize),
}

fn places(value: &Value, here: &Place, found: &mut Vec<Place>) {
    found.push(here.clone());
    let mut inside = |step: Step, value: &Value| {
        let there: Place = here.iter().cloned().chain([step]).collect();
        places(value, &there, found);
    };
    match value {
        Value::Array(list) => list
            .iter()
            .enumerate()
            .for_each(|(index, value)| inside(Step::Index(index), value)),
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, value)| inside(Step::Key(name.clone()), value)),
        _ => {}
    }
}

fn at<'v>(value: &'v mut Value, place: &[Step]) -> &'v mut Value {
    place.iter().fold(value, |value, step| match step {
        Step::Key(name) => &mut value[name.as_str()],
        Step::Index(index) => &mut value[*index],
    })
}

/// Every way to change the value at a place.
fn changes(document: &Value, place: &Place) -> Vec<(String, Value)> {
    let mut changed = Vec::new();
    let mut change = |what: &str, edit: &dyn Fn(&mut Value)| {
        let mut other = document.clone();
        edit(at(&mut other, place));
        if other != *document {
            changed.push((format!("{what} at {place:?}"), other));
        }
    };
    change("more", &|value| match value {
        Value::String(text) => text.push('~'),
        Value::Number(number) => *value = json!(number.as_f64().unwrap() + 1.0),
        Value::Bool(flag) => *flag = !*flag,
        Value::Array(list) => list.push(json!({"type": "zz"})),
        Value::Object(fields) => {
            fields.insert("zz".into(), json!(1));
        }
        Value::Null => *value = json!("~"),
    });
    change("less", &|value| match value {
        Value::String(text) => {
            text.pop();
        }
        Value::Array(list) => {
            list.pop();
        }
        _ => {}
    });
    change("swapped", &|value| {
        if let Value::Array(list) = value {
            list.reverse();
        }
    });
    change("text of it", &|value| {
        if !value.is_string() {
            *value = Value::String(value.to_string());
        }
    });
    if let Some((Step::Key(name), above)) = place.split_last() {
        let mut other = document.clone();
        let removed = at(&mut other, above).as_object_mut().unwrap().remove(name);
        if removed.is_some_and(|value| !value.is_null()) {
            changed.push((format!("removed {place:?}"), other));
        }
    }
    changed
}

fn is_key(step: &Step, names: &[&str]) -> bool {
    matches!(step, Step::Key(name) if names.contains(&name.as_str()))
}

const IGNORED: &[&str] = &[
    "model",
    "stream",
    "stream_options",
    "user",
    "safety_identifier",
    "metadata",
    "service_tier",
    "store",
    "prompt_cache_key",
    "prompt_cache_retention",
];

/// Whether a place says nothing about the answer.
fn is_ignored(place: &Place) -> bool {
    place.first().is_some_and(|step| is_key(step, IGNORED))
        || place.iter().any(|step| is_key(step, &["cache_control"]))
}

/// What a document says: without what goes without saying, and said in one of several ways.
pub(super) fn said(document: &Value, is_top: bool) -> Value {
    match document {
        Value::Array(list) => list.iter().map(|value| said(value, false)).collect(),
        Value::Object(fields) => {
            let counts = |(name, value): &(&String, &Value)| {
                let is_ignored = *name == "cache_control" || (is_top && IGNORED.contains(&name.as_str()));
                let is_only_kind = *name == "type" && (*value == "function" || *value == "custom");
                let unasked = [
                    ("n", json!(1)),
                    ("response_format", json!({"type": "text"})),
                    ("frequency_penalty", json!(0)),
                    ("presence_penalty", json!(0)),
                    ("logprobs", json!(false)),
                    ("top_logprobs", json!(0)),
                    ("is_error", json!(false)),
                    ("thinking", json!("")),
                    ("reasoning_content", json!("")),
                    ("output_config", json!({})),
                    ("input", json!({})),
                ];
                let is_unasked = value.is_null()
                    || **value == json!([])
                    || unasked
                        .iter()
                        .any(|(unasked, usual)| name == unasked && said(value, false) == said(usual, false));
                !is_ignored && !is_only_kind && !is_unasked
            };
            let fields = fields.iter().filter(counts).map(|(name, value)| {
                let value = match (name.as_str(), value) {
                    ("content" | "system", Value::String(text)) => {
                        json!([{"type": "text", "text": text.trim_end()}])
                    }
                    ("text", Value::String(text)) => text.trim_end().into(),
                    ("stop", Value::String(text)) => json!([text]),
                    // Names of media types are in any case (RFC 2045, 5.1), and so is what leads a
                    // `data:` URL (RFC 2397).
                    ("media_type", Value::String(text)) => text.to_ascii_lowercase().into(),
                    ("url" | "file_data", Value::String(text)) => match text.split_once(',') {
                        Some((head, data)) if head.to_ascii_lowercase().starts_with("data:") => {
                            format!("{},{data}", head.to_ascii_lowercase()).into()
                        }
                        _ => text.as_str().into(),
                    },
                    // Half of them is text, and half the JSON that stands in it.
                    ("arguments" | "input", Value::Object(_)) => value.to_string().into(),
                    _ => said(value, false),
                };
                // Two names for one thing.
                let name = match name.as_str() {
                    "reasoning" if value.is_string() && fields.get("reasoning_content").is_none() => {
                        "reasoning_content"
                    }
                    "max_completion_tokens" => "max_tokens",
                    name => name,
                };
                (name.to_owned(), value)
            });
            Value::Object(fields.collect())
        }
        Value::Number(number) => json!(number.as_f64()),
        other => other.clone(),
    }
}

/// Checks that no two changed documents are the same question; counts them.
fn check_changes(surface: Surface, document: &Value, name: &str) -> usize {
    let mut known: HashMap<Digest, (String, Value)> = HashMap::new();
    let Some(original) = try_ask(surface, document) else {
        return 0;
    };
    known.insert(original.exact, ("the original".into(), document.clone()));
    let mut all = Vec::new();
    places(document, &Vec::new(), &mut all);
    let mut counted = 0;
    for place in all.iter().filter(|place| !place.is_empty()) {
        for (what, changed) in changes(document, place) {
            let Some(asked) = try_ask(surface, &changed) else {
                continue;
            };
            if is_ignored(place) {
                assert_eq!(asked.exact, original.exact, "{name}: {what}");
                assert_eq!(
                    (asked.context, asked.words),
                    (original.context, original.words.clone()),
                    "{name}: {what}"
                );
                continue;
            }
            counted += 1;
            if said(&changed, true) == said(document, true) {
                continue;
            }
            let same_words = asked.words == original.words;
            assert!(
                asked.context != original.context || !same_words,
                "{name}: {what} changes nothing"
            );
            if let Some((other, document)) = known.insert(asked.exact, (what.clone(), changed.clone())) {
                assert_eq!(
                    said(&document, true),
                    said(&changed, true),
                    "{name}: {what} is the same as {other}"
                );
            }
        }
    }
    counted
}

#[test]
fn no_change_anywhere_leaves_the_question_the_same() {
    let openai = check_changes(OPENAI, &rich_openai(), "openai");
    let anthropic = check_changes(ANTHROPIC, &rich_anthropic(), "anthropic");
    assert!(openai > 200 && anthropic > 150, "{openai} {anthropic}");
}

#[test]
fn no_change_of_a_recorded_request_leaves_the_question_the_same() {
    let mut counted = 0;
    for case in recordings() {
        if let Some(request) = &case.request {
            counted += check_changes(case.surface, request, &case.name);
        }
    }
    assert!(counted > 500, "{counted}");
}
