//! The configuration in force, each value with where it comes from: what an operator looks at when a setting is not
//! what it should be.
//!
//! Made from the document and the schema, so that it cannot name a key that does not exist. A secret is never in it,
//! nor is anything that came from an environment variable: either might be one.

use serde_json::{Map, Value as Json, json};

use crate::check::Schema;
use crate::tree::{Node, Value};

/// What stands for a value that is not shown.
const MASK: &str = "***";

/// The configuration in force as a tree: sections and lists as they are, and for each value
/// `{"value": …, "origin": …}`, where the origin is `default`, or `FILE:LINE`, or `FILE:LINE (environment)`.
pub(crate) fn effective(file: &str, document: &Node, schema: Schema<'_>) -> Json {
    Effective { file }
        .value(Some(document), schema)
        .unwrap_or_else(|| json!({}))
}

struct Effective<'f> {
    file: &'f str,
}

impl Effective<'_> {
    /// `None`: nothing is written, and there is no default.
    fn value(&self, node: Option<&Node>, schema: Schema<'_>) -> Option<Json> {
        match node.map(|node| (node, &node.value)) {
            Some((_, Value::Map(entries))) => {
                let entry = |name: &str| entries.iter().find(|it| it.key == name).map(|it| &it.value);
                let mut members = self.section(schema, entry);
                if let Some(of_values) = schema.values() {
                    for entry in entries {
                        let value = self.value(Some(&entry.value), of_values);
                        members.extend(value.map(|value| (entry.key.clone(), value)));
                    }
                }
                Some(Json::Object(members))
            }
            Some((_, Value::List(items))) => {
                let of_items = schema.items()?;
                let items = items.iter().filter_map(|item| self.value(Some(item), of_items));
                Some(Json::Array(items.collect()))
            }
            None | Some((_, Value::Null)) => self.absent(schema),
            Some((node, scalar)) => Some(self.scalar(node, scalar, schema)),
        }
    }

    fn section<'n>(&self, schema: Schema<'_>, entry: impl Fn(&str) -> Option<&'n Node>) -> Map<String, Json> {
        let known = schema.properties().into_iter().flatten();
        known
            .filter_map(|(name, of_member)| {
                let value = self.value(entry(name), schema.at(of_member))?;
                Some((name.clone(), value))
            })
            .collect()
    }

    /// The default of what is not written; of a section, those of its members.
    fn absent(&self, schema: Schema<'_>) -> Option<Json> {
        if let Some(default) = schema.keyword("default") {
            return Some(json!({ "value": default, "origin": "default" }));
        }
        let members = self.section(schema, |_| None);
        (!members.is_empty()).then_some(Json::Object(members))
    }

    fn scalar(&self, node: &Node, scalar: &Value, schema: Schema<'_>) -> Json {
        let (file, line) = (self.file, node.line);
        let value = match scalar {
            _ if schema.is_secret() => MASK.into(),
            Value::Text { expanded: true, .. } => MASK.into(),
            Value::Text { text, .. } => text.as_str().into(),
            Value::Number(number) => Json::Number(number.clone()),
            Value::Bool(value) => (*value).into(),
            Value::Null | Value::List(_) | Value::Map(_) => Json::Null,
        };
        let from_env = matches!(scalar, Value::Text { expanded: true, .. });
        let origin = if from_env {
            format!("{file}:{line} (environment)")
        } else {
            format!("{file}:{line}")
        };
        json!({ "value": value, "origin": origin })
    }
}

#[cfg(test)]
mod tests {
    use tollgate_routing::Board;

    use super::*;
    use crate::{Source, load};

    fn of(text: &str) -> Json {
        let name = "t.yaml";
        let env = |name: &str| Some(format!("very-secret-{name}"));
        let settings = load(Source::Text { name, text }, &env, 1, &Board::default());
        settings
            .unwrap_or_else(|problems| panic!("{problems}"))
            .effective()
            .clone()
    }

    const FILE: &str = r#"providers:
  a:
    kind: openai
    api_key: "${KEY}"
    headers: { x-team: "${TEAM}", x-plain: visible-header }
    timeouts: { connect: 1s }
models:
  fast:
    targets: [ { provider: a, model: "${MODEL:-m}", weight: 3 } ]
keys: [ { name: dev, key: written-in-the-file } ]
"#;

    #[test]
    fn every_value_says_where_it_comes_from() {
        let found = of(FILE);
        let at = |pointer: &str| {
            let value = found
                .pointer(pointer)
                .unwrap_or_else(|| panic!("{pointer} in {found:#}"));
            (
                value["value"].clone(),
                value["origin"].as_str().unwrap().to_owned(),
            )
        };
        assert_eq!(at("/providers/a/kind"), (json!("openai"), "t.yaml:3".to_owned()));
        assert_eq!(
            at("/providers/a/timeouts/connect"),
            (json!("1s"), "t.yaml:6".to_owned())
        );
        assert_eq!(
            at("/providers/a/timeouts/idle"),
            (json!("60s"), "default".to_owned())
        );
        assert_eq!(
            at("/models/fast/targets/0/weight"),
            (json!(3), "t.yaml:9".to_owned())
        );
        assert_eq!(
            at("/models/fast/targets/0/priority"),
            (json!(0), "default".to_owned())
        );
        assert_eq!(
            at("/models/fast/targets/0/model"),
            (json!("***"), "t.yaml:9 (environment)".to_owned())
        );
        assert_eq!(at("/server/drain/timeout"), (json!("30s"), "default".to_owned()));
    }

    #[test]
    fn no_secret_and_nothing_from_the_environment_is_in_it() {
        let text = of(FILE).to_string();
        for hidden in ["very-secret", "written-in-the-file", "visible-header"] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
    }
}
