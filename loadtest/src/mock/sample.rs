//! Makes a value that fits a JSON Schema: the arguments of simulated tool calls, and structured answers.

use serde_json::{Map, Value};

/// Schemas nest at most this deep before they are answered with null: recursion through `$ref` must end.
const DEEPEST: usize = 12;

/// A value that fits `schema` as far as its common keywords go (`type`, `enum`, `const`, `properties`, `items`,
/// `anyOf`, `oneOf`, `allOf`, `$ref` into the document, minima). Without a schema: an empty object.
pub(crate) fn fitting(schema: &Value) -> Value {
    match schema {
        Value::Object(members) if !members.is_empty() => value(schema, schema, 0),
        _ => Value::Object(Map::new()),
    }
}

fn value(root: &Value, schema: &Value, depth: usize) -> Value {
    if depth > DEEPEST {
        return Value::Null;
    }
    if let Some(constant) = schema.get("const") {
        return constant.clone();
    }
    if let Some(first) = schema.pointer("/enum/0") {
        return first.clone();
    }
    if let Some(pointer) = schema.get("$ref").and_then(Value::as_str) {
        let target = pointer
            .strip_prefix('#')
            .and_then(|pointer| root.pointer(pointer));
        return target.map_or(Value::Null, |target| value(root, target, depth + 1));
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema.get(key).and_then(|options| options.get(0)) {
            return value(root, first, depth + 1);
        }
    }
    match kind(schema).as_str() {
        "object" => object(root, schema, depth),
        "array" => {
            let wanted = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).min(8);
            let item = schema
                .get("items")
                .map_or(Value::Null, |items| value(root, items, depth + 1));
            (0..wanted).map(|_| item.clone()).collect()
        }
        "integer" => schema.get("minimum").and_then(Value::as_i64).unwrap_or(7).into(),
        "number" => schema
            .get("minimum")
            .and_then(Value::as_f64)
            .unwrap_or(2.5)
            .into(),
        "boolean" => true.into(),
        "string" => "sample".into(),
        _ => Value::Null,
    }
}

/// The type of a schema: the first one of a list, and an object where properties speak for it. Google writes it in
/// capitals.
fn kind(schema: &Value) -> String {
    let stated = schema.get("type");
    let stated = stated.and_then(|stated| stated.as_str().or_else(|| stated.get(0)?.as_str()));
    match stated {
        Some(stated) => stated.to_ascii_lowercase(),
        None if schema.get("properties").is_some() => "object".to_owned(),
        None => "null".to_owned(),
    }
}

fn object(root: &Value, schema: &Value, depth: usize) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    let members = properties.into_iter().flatten().take(64);
    let members = members.map(|(name, schema)| (name.clone(), value(root, schema, depth + 1)));
    Value::Object(members.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn common_schemas_are_fitted() {
        let schema = json!({"type": "object", "properties": {
            "city": {"type": "string"}, "unit": {"enum": ["c", "f"]}, "days": {"type": ["integer", "null"], "minimum": 3},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}}, "raw": {"anyOf": [{"type": "boolean"}]}},
            "$defs": {"tag": {"const": "x"}}});
        let expected = json!({"city": "sample", "unit": "c", "days": 3, "tags": ["x"], "raw": true});
        assert_eq!(fitting(&schema), expected);
        assert_eq!(fitting(&Value::Null), json!({}));
        let google = json!({"type": "OBJECT", "properties": {"city": {"type": "STRING"}}});
        assert_eq!(fitting(&google), json!({"city": "sample"}));
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert!(fitting(&schema).is_object());
    }
}
