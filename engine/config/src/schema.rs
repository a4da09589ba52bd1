//! The JSON Schema of the config file, generated from [`raw`](crate::raw).

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::raw::Config;

/// The schema as a value: only the keywords that [`check`](crate::check) knows, and annotations.
pub(crate) fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Config>().to_value();
    simplify(&mut schema);
    schema
}

/// The JSON Schema (draft 2020-12) of the config file, as text with a final line break.
pub fn json_schema() -> String {
    format!("{:#}\n", schema())
}

/// Takes out what only says that an optional thing may also be null, and the widths of numbers.
fn simplify(schema: &mut Value) {
    if let Value::Object(keywords) = schema {
        simplify_keywords(keywords);
        keywords.values_mut().for_each(simplify);
    }
    if let Value::Array(items) = schema {
        items.iter_mut().for_each(simplify);
    }
}

fn simplify_keywords(keywords: &mut Map<String, Value>) {
    if keywords.get("format").is_some_and(|it| {
        it.as_str()
            .is_some_and(|it| it.starts_with("uint") || it == "float")
    }) {
        keywords.shift_remove("format");
    }
    if let Some(Value::Array(types)) = keywords.get_mut("type") {
        types.retain(|it| it != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            keywords.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = keywords.get_mut("enum") {
        values.retain(|it| !it.is_null());
    }
    let reference = match keywords.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
        Some([one, null]) if null.get("type").is_some_and(|it| it == "null") => one.get("$ref").cloned(),
        _ => None,
    };
    if let Some(reference) = reference {
        keywords.shift_remove("anyOf");
        keywords.insert("$ref".to_owned(), reference);
    }
}
