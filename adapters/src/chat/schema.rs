//! What dialects want of JSON schemas.

use std::collections::HashSet;

use super::write::{Object, object};
use crate::json::{self, Fields};

/// The schema of arguments, which must say `type: object`: written under `name`, mended where it does not.
pub(crate) fn write_arguments(o: &mut Object<'_>, name: &str, schema: Option<&str>) {
    let fields = schema.and_then(Fields::of).unwrap_or_default();
    if let Some(schema) = schema.filter(|_| fields.text("type").as_deref() == Some("object")) {
        o.raw(name, schema);
        return;
    }
    object(o.key(name), |o| {
        o.text("type", "object");
        if fields.raw("properties").is_none() {
            o.raw("properties", "{}");
        }
        for (key, value) in fields.iter().filter(|(key, _)| *key != "type") {
            if key != "properties" || value != "null" {
                o.raw(key, value);
            }
        }
    });
}

/// What a model is told that must answer in JSON, where no field says it.
pub(crate) const JSON_HINT: &str =
    "Respond with a single JSON object and nothing else: no prose, no code fences.";

/// The same where it must conform to a schema.
pub(crate) fn json_hint(schema: &str) -> String {
    format!("{JSON_HINT} It must conform to this JSON schema:\n{schema}")
}

/// How deep a schema is looked into.
const DEEPEST: usize = 32;

/// Whether OpenAI would take the schema in strict mode: each object closed, and all its properties required.
pub(crate) fn is_strict(schema: &str) -> bool {
    closed(schema, DEEPEST)
}

fn closed(schema: &str, depth: usize) -> bool {
    let (Some(depth), Some(fields)) = (depth.checked_sub(1), Fields::of(schema)) else {
        return false;
    };
    let inside = |json: &str| match json.as_bytes().first() {
        Some(b'[') => json::elements(json)
            .into_iter()
            .all(|element| closed(element, depth)),
        Some(b'{') => closed(json, depth),
        _ => true,
    };
    let of_each = |name: &str| {
        let named = fields.object(name).unwrap_or_default();
        named.iter().all(|(_, schema)| closed(schema, depth))
    };
    let refused = [
        "allOf",
        "oneOf",
        "not",
        "if",
        "patternProperties",
        "dependentRequired",
    ];
    if refused.into_iter().any(|name| fields.raw(name).is_some()) {
        return false;
    }
    if let Some(properties) = fields.object("properties") {
        let required = fields.elements("required").into_iter().filter_map(json::text);
        let required: HashSet<_> = required.collect();
        let all_required = properties.iter().all(|(name, _)| required.contains(name));
        if !all_required || fields.raw("additionalProperties") != Some("false") {
            return false;
        }
    } else if fields.text("type").as_deref() == Some("object") {
        return false;
    }
    of_each("properties")
        && of_each("$defs")
        && of_each("definitions")
        && ["items", "anyOf"]
            .into_iter()
            .all(|name| fields.raw(name).is_none_or(inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(schema: Option<&str>) -> String {
        let mut out = Vec::new();
        object(&mut out, |o| write_arguments(o, "s", schema));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn arguments_are_always_an_object() {
        assert_eq!(mended(None), r#"{"s":{"type":"object","properties":{}}}"#);
        let open = r#"{"type": "object", "x": [1]}"#;
        assert_eq!(mended(Some(open)), format!(r#"{{"s":{open}}}"#));
        assert_eq!(
            mended(Some(r#"{"type":null,"anyOf":[]}"#)),
            r#"{"s":{"type":"object","properties":{},"anyOf":[]}}"#
        );
    }

    #[test]
    fn strict_schemas_are_told_from_others() {
        let closed = r##"{"type":"object","properties":{"a":{"type":"array","items":{"type":"string"}},
            "b":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/x"}]}},"required":["a","b"],"additionalProperties":false,
            "$defs":{"x":{"type":"object","properties":{},"additionalProperties":false}}}"##;
        assert!(is_strict(closed));
        assert!(!is_strict(&closed.replace(r#"["a","b"]"#, r#"["a"]"#)));
        assert!(!is_strict(
            &closed.replace(r#"{"type":"string"}"#, r#"{"type":"object"}"#)
        ));
        assert!(!is_strict("[]") && !is_strict(&"{\"items\":".repeat(99)));
    }
}
