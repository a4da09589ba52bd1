//! What Cohere wants of JSON schemas: an answer's must describe an object, and every object in it must require
//! something.

use crate::chat::write::{array, object};
use crate::json::{self, Fields};

/// How deep a schema is looked into.
const DEEPEST: usize = 32;

/// Whether an answer can be held to this schema at all.
pub(crate) fn is_object(schema: &str) -> bool {
    Fields::of(schema).is_some_and(|fields| fields.text("type").as_deref() == Some("object"))
}

/// The schema of an answer; where an object has properties and requires none, the first one is required.
pub(crate) fn mended(schema: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(schema.len() + 32);
    mend(&mut out, schema, DEEPEST);
    out
}

/// Whether the tool's arguments can be held to this schema: with parameters, one of them is required.
pub(crate) fn requires_something(arguments: Option<&str>) -> bool {
    let fields = arguments.and_then(Fields::of).unwrap_or_default();
    let properties = fields.object("properties").unwrap_or_default();
    properties.iter().next().is_none() || !fields.elements("required").is_empty()
}

fn mend(out: &mut Vec<u8>, schema: &str, depth: usize) {
    let (Some(depth), Some(fields)) = (depth.checked_sub(1), Fields::of(schema)) else {
        return out.extend_from_slice(schema.as_bytes());
    };
    let properties = fields.object("properties").unwrap_or_default();
    let lacks_required = fields.elements("required").is_empty();
    object(out, |o| {
        for (name, value) in fields.iter() {
            match name {
                "required" if lacks_required => {}
                "properties" | "$defs" | "definitions" => {
                    let named = Fields::of(value).unwrap_or_default();
                    o.object(name, |o| {
                        for (name, schema) in named.iter() {
                            mend(o.key(name), schema, depth);
                        }
                    });
                }
                "anyOf" | "allOf" | "oneOf" if value.starts_with('[') => {
                    array(o.key(name), |a| {
                        for schema in json::elements(value) {
                            mend(a.element(), schema, depth);
                        }
                    });
                }
                "items" => mend(o.key(name), value, depth),
                _ => o.raw(name, value).end(),
            }
        }
        if let (true, Some((first, _))) = (lacks_required, properties.iter().next()) {
            o.array("required", |a| a.text(first));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended_text(schema: &str) -> String {
        String::from_utf8(mended(schema)).unwrap()
    }

    #[test]
    fn every_object_requires_something() {
        assert_eq!(
            mended_text(r#"{"type":"object","properties":{"a":{"type":"string"},"b":{}},"required":[]}"#),
            r#"{"type":"object","properties":{"a":{"type":"string"},"b":{}},"required":["a"]}"#
        );
        let inside = r#"{"type":"object","properties":{"x":{}}}"#;
        assert_eq!(
            mended_text(&format!(
                r#"{{"type":"object","properties":{{"l":{{"items":{inside}}}}},"required":["l"]}}"#
            )),
            r#"{"type":"object","properties":{"l":{"items":{"type":"object","properties":{"x":{}},"required":["x"]}}},"required":["l"]}"#
        );
        let complete = r#"{"type":"object","properties":{"a":{"enum":["x"]}},"required":["a"],"additionalProperties":false}"#;
        assert_eq!(mended_text(complete), complete);
    }

    #[test]
    fn deep_schemas_end_the_search() {
        let deep = format!("{}1{}", "{\"items\":".repeat(99), "}".repeat(99));
        assert_eq!(mended_text(&deep), deep);
        assert!(!is_object("[]") && is_object(r#"{"type":"object"}"#));
    }

    #[test]
    fn arguments_without_a_required_one_cannot_be_strict() {
        assert!(requires_something(None) && requires_something(Some(r#"{"properties":{}}"#)));
        assert!(!requires_something(Some(r#"{"properties":{"a":{}}}"#)));
        assert!(requires_something(Some(
            r#"{"properties":{"a":{}},"required":["a"]}"#
        )));
    }
}
