//! Google's schemas (a subset of `OpenAPI` 3.0) as JSON schemas.
//!
//! Types are written in upper case there, `nullable` stands in for a type `null`, and counts may be strings. What
//! is a JSON schema already comes out as it was.

use crate::chat::write::{Object, array, object, text};
use crate::json::{self, Fields};

/// How deep a schema is looked into; what is deeper stays as it is.
const DEEPEST: usize = 32;

/// The JSON schema that says what Google's `schema` says.
pub(crate) fn of_google(schema: &str) -> String {
    let mut out = Vec::with_capacity(schema.len() + 16);
    write(&mut out, schema, DEEPEST);
    String::from_utf8(out).unwrap_or_else(|_| schema.to_owned())
}

fn write(out: &mut Vec<u8>, schema: &str, depth: usize) {
    let (Some(depth), Some(fields)) = (depth.checked_sub(1), Fields::of(schema)) else {
        return out.extend_from_slice(schema.as_bytes());
    };
    let fields = fields.in_camel_case();
    let nullable = fields.raw("nullable") == Some("true");
    object(out, |o| {
        for (name, value) in fields.iter() {
            match name {
                "nullable" if matches!(value, "true" | "false") => {}
                "type" => write_type(o, value, nullable),
                "enum" if nullable && value.starts_with('[') => {
                    write_list(o, "enum", value, "null", depth, false);
                }
                "anyOf" if nullable && fields.raw("type").is_none() => {
                    write_list(o, "anyOf", value, r#"{"type":"null"}"#, depth, true);
                }
                "anyOf" | "oneOf" | "allOf" | "prefixItems" => write_list(o, name, value, "", depth, true),
                "properties" | "defs" | "$defs" | "definitions" | "patternProperties" => {
                    write_each(o, if name == "defs" { "$defs" } else { name }, value, depth);
                }
                "items" | "additionalProperties" | "not" => write(o.key(name), value, depth),
                "ref" if value.starts_with('"') => o.raw("$ref", value).end(),
                "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => {
                    let counted = json::text(value).filter(|text| text.parse::<u64>().is_ok());
                    o.raw(name, counted.as_deref().unwrap_or(value));
                }
                _ => o.raw(name, value).end(),
            }
        }
    });
}

fn write_type(o: &mut Object<'_>, value: &str, nullable: bool) {
    let Some(word) = json::text(value) else {
        return o.raw("type", value).end();
    };
    let word = word.to_ascii_lowercase();
    match &*word {
        "type_unspecified" => {}
        _ if nullable && word != "null" => {
            o.array("type", |a| {
                a.text(&word);
                a.text("null");
            });
        }
        _ => o.text("type", &word).end(),
    }
}

/// An array of schemas or values, and `more` behind it unless it is empty or there already.
fn write_list(o: &mut Object<'_>, name: &str, value: &str, more: &str, depth: usize, are_schemas: bool) {
    let elements = json::elements(value);
    let has_more = more.is_empty() || elements.contains(&more);
    array(o.key(name), |a| {
        for element in elements {
            if are_schemas {
                write(a.element(), element, depth);
            } else {
                a.raw(element);
            }
        }
        if !has_more {
            a.raw(more);
        }
    });
}

/// An object whose fields are schemas under names of the client's.
fn write_each(o: &mut Object<'_>, name: &str, value: &str, depth: usize) {
    let Some(schemas) = Fields::of(value) else {
        return o.raw(name, value).end();
    };
    let out = o.key(name);
    out.push(b'{');
    for (position, (name, schema)) in schemas.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        text(out, name);
        out.push(b':');
        write(out, schema, depth);
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_lower_case_and_null_is_one_of_them() {
        let google = r#"{"type":"OBJECT","properties":{"max_items":{"type":"STRING","nullable":true,"enum":["a"]},
            "n":{"type":"ARRAY","items":{"type":"INTEGER"},"min_items":"2"},
            "u":{"anyOf":[{"type":"NUMBER"}],"nullable":true}},"required":["n"],"propertyOrdering":["n"]}"#;
        assert_eq!(
            of_google(google),
            r#"{"type":"object","properties":{"max_items":{"type":["string","null"],"enum":["a",null]},"n":{"type":"array","items":{"type":"integer"},"minItems":2},"u":{"anyOf":[{"type":"number"},{"type":"null"}]}},"required":["n"],"propertyOrdering":["n"]}"#
        );
    }

    #[test]
    fn json_schemas_stay_what_they_are() {
        let schema = r##"{"type":["string","null"],"$defs":{"type":{"type":"object"}},"items":{"$ref":"#/$defs/type"},"default":{"type":"X"}}"##;
        assert_eq!(of_google(schema), schema);
        assert_eq!(of_google("true"), "true");
        let deep = format!("{}{}", "{\"items\":".repeat(99), "}".repeat(99));
        assert!(of_google(&deep).len() >= 99);
    }
}
