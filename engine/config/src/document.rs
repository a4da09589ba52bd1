//! Other documents than the config file, read by the same strict reader: one document, no key twice, no tags.

use serde_json::{Map, Value};

use crate::problem::{Problem, Problems};
use crate::tree::{self, Node, SyntaxError};

/// Reads YAML (of which JSON is a part) as a tree of JSON. Variables are not expanded.
///
/// # Errors
/// Everything that is wrong with the text; `name` says in messages which one it is.
pub fn document(name: &str, text: &str) -> Result<Value, Problems> {
    let problem = |error: SyntaxError| Problem {
        file: name.to_owned(),
        path: error.path,
        line: Some(error.line),
        found: error.found,
        expected: error.expected.to_owned(),
        hint: None,
    };
    let parsed = tree::parse(text).map_err(|error| Problems::new(vec![problem(error)]))?;
    if parsed.flaws.is_empty() {
        Ok(json(parsed.root))
    } else {
        Err(Problems::new(parsed.flaws.into_iter().map(problem).collect()))
    }
}

/// The reader bounds the depth, so that this cannot run out of stack.
fn json(node: Node) -> Value {
    match node.value {
        tree::Value::Null => Value::Null,
        tree::Value::Bool(value) => Value::Bool(value),
        tree::Value::Number(number) => Value::Number(number),
        tree::Value::Text { text, .. } => Value::String(text),
        tree::Value::List(items) => Value::Array(items.into_iter().map(json).collect()),
        tree::Value::Map(entries) => {
            let members = entries.into_iter().map(|entry| (entry.key, json(entry.value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn yaml_and_json_are_the_same_tree() {
        let tree =
            json!({"routes": {"fast": {"weights": {"cost": 2, "latency": 0.5}, "sticky": true, "x": null}}});
        let yaml = "routes:\n  fast:\n    weights: { cost: 2, latency: 0.5 }\n    sticky: true\n    x:\n";
        assert_eq!(document("f", yaml).unwrap(), tree);
        assert_eq!(document("f", &tree.to_string()).unwrap(), tree);
        assert_eq!(document("f", "").unwrap(), json!({}));
    }

    #[test]
    fn what_is_ambiguous_is_refused_with_its_line() {
        for text in ["a: 1\na: 2\n", "a: [", "a: 1\n---\nb: 2\n", "a: !x 1\n"] {
            let problems = document("weights.yaml", text).unwrap_err();
            assert!(problems.to_string().starts_with("weights.yaml:"), "{problems}");
        }
    }
}
