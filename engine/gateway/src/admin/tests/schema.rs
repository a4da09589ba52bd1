//! As much of JSON Schema as our document uses: whether a value is what a schema says, and nothing beside it.

use serde_json::Value;

/// The document.
pub(super) struct Schemas(pub(super) Value);

impl Schemas {
    /// What is wrong with a value of a named schema.
    pub(super) fn faults(&self, name: &str, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        let schema = &self.0["components"]["schemas"][name];
        assert!(schema.is_object(), "there is no schema {name}");
        self.check(schema, value, name, &mut faults);
        faults
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        if let Some(reference) = schema["$ref"].as_str() {
            let schema = self.0.pointer(&reference[1..]).unwrap();
            return self.check(schema, value, at, faults);
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let tried: Vec<Vec<String>> = choices
                .iter()
                .map(|choice| {
                    let mut faults = Vec::new();
                    self.check(choice, value, at, &mut faults);
                    faults
                })
                .collect();
            if tried.iter().all(|it| !it.is_empty()) {
                faults.extend(tried.into_iter().flatten());
            }
            return;
        }
        let is_allowed = match &schema["type"] {
            Value::Null => true,
            Value::String(name) => is_a(name, value),
            Value::Array(names) => names.iter().any(|name| is_a(name.as_str().unwrap(), value)),
            other => panic!("{at}: type {other}"),
        };
        if !is_allowed {
            faults.push(format!("{at}: {value} is no {}", schema["type"]));
        }
        if let Some(allowed) = schema["enum"]
            .as_array()
            .filter(|allowed| !allowed.contains(value))
        {
            faults.push(format!("{at}: {value} is none of {allowed:?}"));
        }
        if let Some(items) = value.as_array() {
            for (number, item) in items.iter().enumerate() {
                self.check(&schema["items"], item, &format!("{at}[{number}]"), faults);
            }
        }
        self.members(schema, value, at, faults);
    }

    fn members(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        let Some(members) = value.as_object() else { return };
        for name in schema["required"].as_array().into_iter().flatten() {
            if !members.contains_key(name.as_str().unwrap()) {
                faults.push(format!("{at}: {name} is missing"));
            }
        }
        for (name, member) in members {
            let at = format!("{at}.{name}");
            match (schema["properties"].get(name), &schema["additionalProperties"]) {
                (Some(known), _) => self.check(known, member, &at, faults),
                (None, Value::Bool(false)) => faults.push(format!("{at} is not documented")),
                (None, further @ Value::Object(_)) => self.check(further, member, &at, faults),
                (None, _) => {}
            }
        }
    }
}

fn is_a(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no such type: {other}"),
    }
}

#[test]
fn a_schema_that_is_not_kept_is_noticed() {
    let schemas = Schemas(serde_json::json!({"components": {"schemas": {"A": {
        "type": "object", "required": ["a", "b"], "additionalProperties": false,
        "properties": {"a": {"type": ["integer", "null"]}, "b": {"type": "array", "items": {"enum": ["x"]}}},
    }}}}));
    assert!(
        schemas
            .faults("A", &serde_json::json!({"a": null, "b": ["x"]}))
            .is_empty()
    );
    for wrong in [
        serde_json::json!([]),
        serde_json::json!({"a": 1}),
        serde_json::json!({"a": "1", "b": []}),
        serde_json::json!({"a": 1, "b": ["y"]}),
        serde_json::json!({"a": 1, "b": [], "c": 1}),
    ] {
        assert_eq!(schemas.faults("A", &wrong).len(), 1, "{wrong}");
    }
}
