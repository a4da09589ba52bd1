//! The configuration in force, each value with where it comes from: what an operator looks at when a setting is not
//! what it should be.
//!
//! Made from the document and the schema, so that it cannot name a key that does not exist; what neither says is
//! added from the settings (`derived`). The document is kept without its secrets and without free text from
//! environment variables, which might be one: what is not kept cannot be shown.

mod derived;

use serde_json::{Map, Value as Json, json};

use crate::Settings;
use crate::check::Schema;
use crate::schema::schema;
use crate::tree::{Entry, Node, Value};

/// What stands for a value that is not shown.
const MASK: &str = "***";
const DEFAULT: &str = "default";

/// Sections that are as if empty when they are absent have defaults; these are something else then: nothing.
const OFF_UNLESS_WRITTEN: [&str; 8] = [
    "aws", "embedder", "google", "hedge", "policy", "price", "probe", "tls",
];

/// What a file says, without secrets.
#[derive(Debug)]
pub(crate) struct Written {
    file: String,
    lines: Lines,
    document: Node,
}

/// Whether a document's lines mean anything to its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    /// They are those of the user's file.
    OfFile,
    /// The document was made from the environment.
    Made,
}

impl Default for Written {
    fn default() -> Self {
        let value = Value::Map(Vec::new());
        Self {
            file: String::new(),
            lines: Lines::Made,
            document: Node { line: 1, value },
        }
    }
}

impl Written {
    /// Keeps what may be shown of a document that fits the schema.
    pub(crate) fn new(file: &str, lines: Lines, document: Node, schema: Schema<'_>) -> Self {
        Self {
            file: file.to_owned(),
            lines,
            document: masked(document, Some(schema)),
        }
    }
}

/// The node with everything masked that must not be shown. `None` for the schema: it knows no such place.
fn masked(node: Node, schema: Option<Schema<'_>>) -> Node {
    let value = match node.value {
        Value::Map(entries) => Value::Map(entries.into_iter().map(|it| masked_entry(it, schema)).collect()),
        Value::List(items) => {
            let of_items = schema.and_then(Schema::items);
            Value::List(items.into_iter().map(|item| masked(item, of_items)).collect())
        }
        Value::Null => Value::Null,
        scalar if schema.is_none_or(|schema| is_hidden(&scalar, schema)) => hidden(scalar),
        scalar => scalar,
    };
    Node { value, ..node }
}

fn masked_entry(entry: Entry, schema: Option<Schema<'_>>) -> Entry {
    let of_value = schema.and_then(|schema| {
        let known = schema.properties().and_then(|known| known.get(&entry.key));
        known.map(|known| schema.at(known)).or_else(|| schema.values())
    });
    Entry {
        value: masked(entry.value, of_value),
        ..entry
    }
}

/// A secret; or a text from a variable that could be anything, and so a secret in the wrong place. What has a form
/// has been read by it: a number, a span of time, one of a few words.
fn is_hidden(scalar: &Value, schema: Schema<'_>) -> bool {
    let is_from_variable = matches!(scalar, Value::Text { variables, .. } if !variables.is_empty());
    let has_form = ["enum", "pattern"]
        .iter()
        .any(|name| schema.keyword(name).is_some())
        || schema.keyword("type").is_some_and(|it| it != "string");
    schema.is_secret() || is_from_variable && !has_form
}

/// The mask, of the same origin.
fn hidden(scalar: Value) -> Value {
    let variables = match scalar {
        Value::Text { variables, .. } => variables,
        _ => Vec::new(),
    };
    Value::Text {
        text: MASK.to_owned(),
        expanded: false,
        variables,
    }
}

/// The configuration in force as a tree: sections and lists as they are, `{"value": …, "origin": …}` for each value.
pub(crate) fn effective(settings: &Settings) -> Json {
    let schema = schema();
    let view = View {
        written: &settings.written,
        schema: Schema::new(&schema),
    };
    let mut tree = view.document();
    derived::fill(&mut tree, settings, view);
    tree
}

/// A value and where it comes from.
fn leaf(value: impl Into<Json>, origin: &str) -> Json {
    json!({ "value": value.into(), "origin": origin })
}

#[derive(Clone, Copy)]
struct View<'v> {
    written: &'v Written,
    schema: Schema<'v>,
}

impl<'v> View<'v> {
    fn document(self) -> Json {
        let document = Some(&self.written.document);
        let mut sections = Map::new();
        for (name, property) in self.schema.properties().into_iter().flatten() {
            let written = member(document, name);
            let value = match (name.as_str(), self.schema.at(property).values()) {
                ("providers", Some(of_provider)) => Some(self.inheriting(written, of_provider, |name| {
                    member(document, name).filter(|_| matches!(name, "health" | "breaker"))
                })),
                ("models" | "routes", Some(of_model)) if written.is_some() => {
                    let policy = member(member(document, "cache"), "policy");
                    Some(self.inheriting(written, of_model, |name| policy.filter(|_| name == "cache")))
                }
                _ => self.value(name, property, written, None),
            };
            sections.extend(value.map(|value| (name.clone(), value)));
        }
        Json::Object(sections)
    }

    /// Providers are watched, and models cached, as the top of the file says, where they do not say otherwise.
    fn inheriting<'n>(
        self,
        written: Option<&'n Node>,
        of_each: Schema<'v>,
        base: impl Fn(&str) -> Option<&'n Node>,
    ) -> Json {
        let each = |entry: &'n Entry| {
            let members = self.section(of_each, |name| (member(Some(&entry.value), name), base(name)));
            (entry.key.clone(), members)
        };
        Json::Object(entries(written).iter().map(each).collect())
    }

    fn section<'n>(
        self,
        schema: Schema<'v>,
        nodes: impl Fn(&str) -> (Option<&'n Node>, Option<&'n Node>),
    ) -> Json {
        let members = schema.properties().into_iter().flatten();
        let members = members.filter_map(|(name, property)| {
            let (written, base) = nodes(name);
            Some((name.clone(), self.value(name, property, written, base)?))
        });
        Json::Object(members.collect())
    }

    /// The value of a property, if it is written, or else in `base`, or else by default. `None`: a mapping with
    /// names of the user's choice that is not there.
    fn value(
        self,
        name: &str,
        property: &'v Json,
        written: Option<&Node>,
        base: Option<&Node>,
    ) -> Option<Json> {
        let schema = self.schema.at(property);
        if schema.properties().is_some() {
            let is_off = written.is_none() && base.is_none() && OFF_UNLESS_WRITTEN.contains(&name);
            return Some(if is_off {
                leaf(Json::Null, DEFAULT)
            } else {
                self.section(schema, |name| (member(written, name), member(base, name)))
            });
        }
        if let Some(of_values) = schema.keyword("additionalProperties").filter(|it| it.is_object()) {
            let value = |entry: &Entry| {
                let value = self.value(&entry.key, of_values, Some(&entry.value), None)?;
                Some((entry.key.clone(), value))
            };
            let written = entries(Some(written?)).iter();
            return Some(Json::Object(written.filter_map(value).collect()));
        }
        let node = [written, base]
            .into_iter()
            .flatten()
            .find(|node| !matches!(node.value, Value::Null));
        Some(match (node, schema.keyword("items")) {
            (None, _) => leaf(property.get("default").cloned().unwrap_or_default(), DEFAULT),
            (Some(node), Some(of_items)) => self.list(node, of_items),
            (Some(node), None) => self.scalar(node, schema),
        })
    }

    fn list(self, node: &Node, of_items: &'v Json) -> Json {
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            _ => &[],
        };
        let item = |item: &Node| self.value("", of_items, Some(item), None);
        Json::Array(items.iter().filter_map(item).collect())
    }

    fn scalar(self, node: &Node, schema: Schema<'v>) -> Json {
        let is_text = schema.keyword("type").is_some_and(|it| it == "string");
        let value = match &node.value {
            // As the check takes it: a variable stands for what it looks like.
            Value::Text {
                text, expanded: true, ..
            } if !is_text => Value::plain(text),
            value => value.clone(),
        };
        let value = match value {
            Value::Text { text, .. } => text.into(),
            Value::Number(number) => Json::Number(number),
            Value::Bool(value) => value.into(),
            Value::Null | Value::List(_) | Value::Map(_) => Json::Null,
        };
        leaf(value, &self.origin(node))
    }

    fn origin(self, node: &Node) -> String {
        match (&node.value, self.written.lines) {
            (Value::Text { variables, .. }, _) if !variables.is_empty() => {
                format!("env:{}", variables.join(","))
            }
            (_, Lines::OfFile) => format!("{}:{}", self.written.file, node.line),
            (_, Lines::Made) => "env".to_owned(),
        }
    }
}

fn entries(node: Option<&Node>) -> &[Entry] {
    match node.map(|node| &node.value) {
        Some(Value::Map(entries)) => entries,
        _ => &[],
    }
}

fn member<'n>(node: Option<&'n Node>, name: &str) -> Option<&'n Node> {
    let entry = entries(node).iter().find(|entry| entry.key == name)?;
    Some(&entry.value)
}

#[cfg(test)]
mod tests;
