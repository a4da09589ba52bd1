//! Checks a document against the schema, reports every problem, and hands on what is usable.
//!
//! A walker of our own for the few keywords that our schema uses, because validators of JSON Schema know
//! neither lines, nor the nearest known key, nor which values must not be shown.

use serde_json::{Map, Value as Json};

use crate::place::Place;
use crate::report::Report;
use crate::tree::{Entry, Node, Value};
use crate::words::{HIDDEN, quoted};

/// A schema and the definitions it refers to.
#[derive(Clone, Copy)]
pub(crate) struct Schema<'s> {
    root: &'s Json,
    here: &'s Json,
}

impl<'s> Schema<'s> {
    /// A whole schema.
    pub(crate) fn new(root: &'s Json) -> Self {
        Self { root, here: root }
    }

    /// The schema that `json` stands for, references followed.
    pub(crate) fn at(self, json: &'s Json) -> Self {
        let target = json
            .get("$ref")
            .and_then(Json::as_str)
            .and_then(|it| it.strip_prefix('#'));
        let here = target
            .and_then(|pointer| self.root.pointer(pointer))
            .unwrap_or(json);
        Self {
            root: self.root,
            here,
        }
    }

    /// A keyword's value.
    pub(crate) fn keyword(self, name: &str) -> Option<&'s Json> {
        self.here.get(name)
    }

    /// Named properties.
    pub(crate) fn properties(self) -> Option<&'s Map<String, Json>> {
        self.keyword("properties")?.as_object()
    }

    /// Names of properties that must be there.
    pub(crate) fn required(self) -> impl Iterator<Item = &'s str> {
        let names = self.keyword("required").and_then(Json::as_array);
        names.into_iter().flatten().filter_map(Json::as_str)
    }

    /// The schema of the values of a mapping with names of the user's choice.
    pub(crate) fn values(self) -> Option<Self> {
        let schema = self.keyword("additionalProperties").filter(|it| it.is_object())?;
        Some(self.at(schema))
    }

    /// The schema of a list's items.
    pub(crate) fn items(self) -> Option<Self> {
        Some(self.at(self.keyword("items")?))
    }

    /// Whether its value must never be shown.
    pub(crate) fn is_secret(self) -> bool {
        self.keyword("writeOnly").is_some_and(|it| *it == true)
    }

    fn number(self, name: &str) -> Option<u64> {
        self.keyword(name)?.as_u64()
    }
}

/// What of `node` fits the schema. `None`: nothing, and the problem has been reported.
pub(crate) fn check(node: &Node, schema: Schema<'_>, place: Place<'_>, report: &Report<'_>) -> Option<Json> {
    match &node.value {
        Value::Map(entries) if expects(schema, "object") => {
            Some(Json::Object(check_map(entries, schema, place, report)))
        }
        Value::List(items) if expects(schema, "array") => Some(check_list(items, schema, place, report)),
        Value::Map(_) | Value::List(_) => {
            report.problem(place, node.value.noun(), expectation(schema));
            None
        }
        // A key with nothing after it: an empty section, which may lack something.
        Value::Null if expects(schema, "object") => {
            let lacks = schema.required().next().is_some();
            let members = lacks.then(|| check_map(&[], schema, place, report));
            Some(Json::Object(members.unwrap_or_default()))
        }
        Value::Null => None,
        scalar => check_scalar(scalar, schema, place, report),
    }
}

fn expects(schema: Schema<'_>, name: &str) -> bool {
    schema.keyword("type").is_some_and(|it| it == name)
}

fn check_map(
    entries: &[Entry],
    schema: Schema<'_>,
    place: Place<'_>,
    report: &Report<'_>,
) -> Map<String, Json> {
    let mut usable = Map::new();
    for entry in entries {
        let here = place.key(&entry.key);
        let known = schema.properties().and_then(|known| known.get(&entry.key));
        if let Some(known) = known {
            if let Some(value) = check(&entry.value, schema.at(known), here, report) {
                usable.insert(entry.key.clone(), value);
            }
        } else if let Some(values) = schema.values() {
            // A broken definition still defines its name: what refers to it is not wrong as well.
            let broken = || expects(values, "object").then(|| Json::Object(Map::new()));
            if let Some(value) = check(&entry.value, values, here, report).or_else(broken) {
                usable.insert(entry.key.clone(), value);
            }
        } else {
            unknown_key(&entry.key, schema, here, report);
        }
    }
    for name in schema.required() {
        let is_there = |entry: &Entry| entry.key == name && !is_silent(&entry.value);
        if !entries.iter().any(is_there) {
            let known = schema.properties().and_then(|known| known.get(name));
            let expected = known
                .map(|known| expectation(schema.at(known)))
                .unwrap_or_default();
            report.problem(place.key(name), "missing", expected);
        }
    }
    if entries.is_empty() && schema.number("minProperties").is_some_and(|least| least > 0) {
        report.problem(place, "empty", "at least one entry");
    }
    usable
}

/// Nothing is written there. (A value withdrawn after a problem is null too: its place has that problem, and
/// the report keeps no second one.)
fn is_silent(node: &Node) -> bool {
    matches!(node.value, Value::Null)
}

fn check_list(items: &[Node], schema: Schema<'_>, place: Place<'_>, report: &Report<'_>) -> Json {
    if items.is_empty() && schema.number("minItems").is_some_and(|least| least > 0) {
        report.problem(place, "an empty list", "at least one item");
    }
    let Some(of_item) = schema.items() else {
        return Json::Array(Vec::new());
    };
    // Items keep their numbers: a broken object becomes an empty one, a broken scalar null.
    let broken = || {
        if expects(of_item, "object") {
            Json::Object(Map::new())
        } else {
            Json::Null
        }
    };
    let checked = |(index, item)| {
        let here = place.item(index);
        if is_silent(item) {
            report.problem(here, "nothing", expectation(of_item));
            return broken();
        }
        check(item, of_item, here, report).unwrap_or_else(broken)
    };
    Json::Array(items.iter().enumerate().map(checked).collect())
}

fn unknown_key(key: &str, schema: Schema<'_>, place: Place<'_>, report: &Report<'_>) {
    let known: Vec<&str> = schema
        .properties()
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect();
    let expected = format!("one of {}", known.join(", "));
    match nearest(key, known.iter().copied()) {
        Some(near) => {
            report.problem_with_hint(
                place,
                "unknown key",
                expected,
                format!("did you mean \"{near}\"?"),
            );
        }
        None => report.problem(place, "unknown key", expected),
    }
}

/// The nearest of `known` to a misspelt name, if any is near.
pub(crate) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    if name.len() > 200 {
        return None;
    }
    let lower = name.to_lowercase();
    known
        .map(|it| {
            (
                strsim::normalized_damerau_levenshtein(&lower, &it.to_lowercase()),
                it,
            )
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .and_then(|(likeness, it)| (likeness >= 0.5).then_some(it))
}

fn check_scalar(scalar: &Value, schema: Schema<'_>, place: Place<'_>, report: &Report<'_>) -> Option<Json> {
    let retyped = match scalar {
        // `workers: "${WORKERS}"`: a variable is text, and stands for what it looks like.
        Value::Text {
            text, expanded: true, ..
        } if !expects(schema, "string") => Value::plain(text),
        other => other.clone(),
    };
    let value = match &retyped {
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => Json::Number(number.clone()),
        Value::Text { text, .. } => Json::String(text.clone()),
        _ => Json::Null,
    };
    let is_of = |name: &Json| match name.as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        _ => false,
    };
    let type_fits = match schema.keyword("type") {
        Some(Json::Array(names)) => names.iter().any(is_of),
        Some(name) => is_of(name),
        None => true,
    };
    let is_listed = |it: &Json| it.as_array().is_some_and(|it| it.contains(&value));
    let is_large_enough = schema
        .number("minimum")
        .is_none_or(|least| value.as_f64().is_none_or(|it| it >= float(least)));
    let is_small_enough = schema
        .number("maximum")
        .is_none_or(|most| value.as_f64().is_none_or(|it| it <= float(most)));
    if type_fits && schema.keyword("enum").is_none_or(is_listed) && is_large_enough && is_small_enough {
        return Some(value);
    }
    let found = shown(scalar, schema);
    let near = schema
        .keyword("enum")
        .and_then(Json::as_array)
        .and_then(|values| {
            let text = value.as_str()?;
            nearest(text, values.iter().filter_map(Json::as_str))
        });
    let expected = expectation(schema);
    match near {
        Some(near) => report.problem_with_hint(place, found, expected, format!("did you mean \"{near}\"?")),
        None if expects(schema, "string") && !value.is_string() => {
            report.problem_with_hint(place, found, expected, "put it in quotes");
        }
        None => report.problem(place, found, expected),
    }
    None
}

/// A bound of the schema.
fn float(bound: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "bounds are far below 2^53")]
    let bound = bound as f64;
    bound
}

/// A scalar for a message: never a secret, never what came from a variable, and no long text, which might be
/// a secret in the wrong place.
fn shown(scalar: &Value, schema: Schema<'_>) -> String {
    match scalar {
        Value::Bool(value) if !schema.is_secret() => value.to_string(),
        Value::Number(number) if !schema.is_secret() => number.to_string(),
        Value::Text {
            text,
            expanded: false,
            ..
        } if !schema.is_secret() => quoted(text),
        Value::Text { .. } => HIDDEN.to_owned(),
        other => other.noun().to_owned(),
    }
}

/// What a schema asks for, in words.
fn expectation(schema: Schema<'_>) -> String {
    if let Some(values) = schema.keyword("enum").and_then(Json::as_array) {
        let listed: Vec<String> = values
            .iter()
            .map(|it| it.as_str().map_or(it.to_string(), str::to_owned))
            .collect();
        return format!("one of {}", listed.join(", "));
    }
    let examples = schema.keyword("examples").and_then(Json::as_array);
    let example = examples
        .and_then(|it| it.first())
        .map(|it| format!(" such as {it}"))
        .unwrap_or_default();
    match schema.keyword("type").and_then(Json::as_str) {
        Some("string") => format!("text{example}"),
        Some("integer") => match (schema.number("minimum"), schema.number("maximum")) {
            (Some(least), Some(most)) => format!("a whole number from {least} to {most}"),
            (Some(least), None) => format!("a whole number from {least} on"),
            _ => "a whole number".to_owned(),
        },
        Some("number") => match (schema.number("minimum"), schema.number("maximum")) {
            (Some(least), Some(most)) => format!("a number from {least} to {most}"),
            _ => "a number".to_owned(),
        },
        Some("boolean") => "true or false".to_owned(),
        Some("array") => "a list".to_owned(),
        Some("object") => match schema.properties() {
            Some(known) => {
                let known: Vec<&str> = known.keys().map(String::as_str).collect();
                format!("a mapping with {}", known.join(", "))
            }
            None => "a mapping".to_owned(),
        },
        None if schema.keyword("type").is_some() => format!("a value{example}"),
        _ => "another value".to_owned(),
    }
}
