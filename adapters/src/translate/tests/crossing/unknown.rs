//! A field that nobody knows, anywhere in a request: another dialect does not get it, and its path is named.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use tollgate_core::Dialect;

use super::asked::requests;
use super::{TARGETS, dialect, home, sent};
use crate::chat::{ChatRequest, ToolChoice};
use crate::dialects;
use crate::loss::Loss;

/// A field of a vendor's next release.
const NEW: &str = "newest";

/// Fields whose objects are the client's or a tool's own, or not understood as a whole: whatever stands in them goes
/// with them.
const WHOLE: [&str; 19] = [
    "args",
    "arguments",
    "googleSearch",
    "input_schema",
    "json",
    "labels",
    "logit_bias",
    "metadata",
    "newThing",
    "parameters",
    "parametersJsonSchema",
    "requestMetadata",
    "response",
    "responseJsonSchema",
    "retrievalConfig",
    "schema",
    "speechConfig",
    "summary",
    "systemTool",
];

/// The objects of a body that are the dialect's own, as JSON pointers.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    let is_unknown = |kind: &Value| kind == "new_thing" || kind == "web_search_1";
    match value {
        Value::Object(fields) if !fields.get("type").is_some_and(is_unknown) && !says_nothing(value) => {
            found.push(at.to_owned());
            for (name, inner) in fields {
                // A schema in a format of OpenAI's, an object in one of Cohere's.
                let is_schema = name == "json_schema" && inner.get("schema").is_none();
                let is_arguments = name == "input" && inner.is_object();
                if !WHOLE.contains(&&**name) && !is_schema && !is_arguments {
                    objects(inner, &format!("{at}/{name}"), found);
                }
            }
        }
        Value::Array(values) => {
            let values = values.iter().enumerate();
            values.for_each(|(index, inner)| objects(inner, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

/// A part of blank text is dropped as a whole where it would be refused.
fn says_nothing(part: &Value) -> bool {
    let text = part["text"].as_str().or(part["refusal"].as_str());
    text.is_some_and(|text| text.trim().is_empty())
}

/// The path of a place as clients are told it.
fn path(pointer: &str) -> String {
    let steps = pointer
        .split('/')
        .skip(1)
        .map(|step| match step.parse::<usize>() {
            Ok(index) => format!("[{index}]"),
            Err(_) => format!(".{step}"),
        });
    let path: String = steps.collect();
    path.trim_start_matches('.').to_owned()
}

/// Whether a tool may be left out because it cannot be called.
fn narrows(asked: &ChatRequest<'_>, to: Dialect) -> bool {
    let choice = asked.tool_choice.as_ref().map(|choice| &choice.value);
    let is_narrow = matches!(choice, Some(ToolChoice::None | ToolChoice::Tool(_)));
    is_narrow && matches!(to, Dialect::Cohere | Dialect::Bedrock)
}

proptest! {
    #[test]
    fn a_field_that_nobody_knows_is_named_wherever_it_stands(first in requests(), place: Index) {
        let client = first.origin;
        let Some((wire, _)) = sent(&first, home(client), &mut Loss::default()) else {
            return Ok(());
        };
        let mut body: Value = serde_json::from_slice(&wire).unwrap();
        let mut found = Vec::new();
        objects(&body, "", &mut found);
        let place = place.get(&found);
        body.pointer_mut(place).unwrap()[NEW] = 1.into();
        let bytes = serde_json::to_vec(&body).unwrap();
        let asked = dialects::decode(client, &bytes).unwrap();
        let (at, is_tools) = (path(place), place.to_lowercase().contains("/tools/"));
        for (kind, model) in TARGETS {
            let (to, mut loss) = (dialect(kind), Loss::default());
            if to == client || (is_tools && narrows(&asked, to)) {
                continue;
            }
            let Some((sent, _)) = sent(&asked, (kind, model), &mut loss) else {
                continue;
            };
            let sent = String::from_utf8(sent).unwrap();
            prop_assert!(!sent.contains(NEW), "{:?} to {} {}: {} in {}", client, kind, model, at, sent);
            // By itself, or with what it stands in.
            let whole = if at.is_empty() { NEW.to_owned() } else { format!("{at}.{NEW}") };
            let is_named = loss.paths().any(|path| whole.starts_with(path));
            prop_assert!(is_named, "{:?} to {} {}: {} is not in {}, of {}", client, kind, model, whole, loss, body);
        }
    }
}
