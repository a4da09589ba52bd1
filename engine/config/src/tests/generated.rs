//! The files in docs/reference are what this crate generates. `UPDATE=1 cargo test -p tollgate-config` writes
//! them anew.

use std::path::Path;

fn is_fresh(file: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/reference")
        .join(file);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, generated).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == generated,
        "docs/reference/{file} is stale: UPDATE=1 cargo test -p tollgate-config"
    );
}

#[test]
fn the_schema_in_the_docs_is_fresh() {
    is_fresh("tollgate.schema.json", &crate::json_schema());
}

#[test]
fn the_reference_in_the_docs_is_fresh() {
    is_fresh("config.md", &crate::reference_markdown());
}

#[test]
fn the_schema_uses_only_keywords_that_are_checked() {
    const KNOWN: [&str; 19] = [
        "$schema",
        "title",
        "description",
        "type",
        "properties",
        "additionalProperties",
        "required",
        "items",
        "enum",
        "minimum",
        "maximum",
        "minItems",
        "minProperties",
        "pattern",
        "examples",
        "default",
        "writeOnly",
        "$ref",
        "$defs",
    ];
    fn walk(schema: &serde_json::Value) {
        for (keyword, value) in schema.as_object().into_iter().flatten() {
            assert!(KNOWN.contains(&keyword.as_str()), "{keyword}");
            match keyword.as_str() {
                "properties" | "$defs" => value.as_object().unwrap().values().for_each(walk),
                "items" | "additionalProperties" => walk(value),
                _ => {}
            }
        }
    }
    walk(&crate::schema::schema());
}
