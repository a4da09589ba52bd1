//! The arguments of a call that come piece by piece: each piece names its place by a JSON path.

use serde_json::Value;

use crate::json::Fields;

/// More steps than this no path has.
const DEEPEST: usize = 64;
/// More elements of arrays than this are not put together: a short path can name one that is far behind the others, in
/// an array that is itself one, and so on.
const MOST_ELEMENTS: usize = 100_000;

/// Arguments so far.
#[derive(Debug)]
pub(crate) struct PartialArgs {
    value: Value,
    /// How many elements of arrays there may still be.
    room: usize,
    /// The path of the text that goes on in the next piece.
    open: Option<Box<str>>,
}

impl Default for PartialArgs {
    fn default() -> Self {
        Self {
            value: Value::Object(serde_json::Map::new()),
            room: MOST_ELEMENTS,
            open: None,
        }
    }
}

impl PartialArgs {
    /// Takes in an element of `partialArgs`; one that says no place or no value is left out.
    pub(crate) fn take(&mut self, piece: &Fields<'_>) {
        let Some(path) = piece.text("jsonPath") else {
            return;
        };
        let goes_on = self.open.as_deref() == Some(&*path);
        self.open = (piece.raw("willContinue") == Some("true")).then(|| path.as_ref().into());
        let Some(place) = place(&mut self.value, &path, &mut self.room) else {
            return;
        };
        let said = ["stringValue", "numberValue", "boolValue", "nullValue"]
            .into_iter()
            .find_map(|name| Some((name, piece.raw_or_null(name)?)));
        match (said, place) {
            (Some(("stringValue", json)), Value::String(text)) if goes_on => {
                text.push_str(&crate::json::text(json).unwrap_or_default());
            }
            (Some(("nullValue", _)), place) => *place = Value::Null,
            (Some((_, json)), place) => *place = serde_json::from_str(json).unwrap_or(Value::Null),
            (None, _) => {}
        }
    }

    /// Takes the arguments as JSON text.
    pub(crate) fn into_json(self) -> String {
        self.value.to_string()
    }
}

/// One step of a path: a field or an element.
#[derive(Debug, PartialEq, Eq)]
enum Step<'p> {
    Field(&'p str),
    Element(usize),
}

/// The steps of a path such as `$.items[0]['the name']`; `None`: it is none.
fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() && steps.len() <= DEEPEST {
        let step;
        if let Some(inside) = rest.strip_prefix('.') {
            let end = inside.find(['.', '[']).unwrap_or(inside.len());
            (step, rest) = inside.split_at_checked(end)?;
            steps.push(Step::Field(step));
        } else {
            let inside = rest.strip_prefix('[')?;
            if let Some(quote) = inside.chars().next().filter(|c| matches!(c, '\'' | '"')) {
                (step, rest) = inside
                    .get(1..)?
                    .split_once(&[quote, ']'].iter().collect::<String>())?;
                steps.push(Step::Field(step));
            } else {
                (step, rest) = inside.split_once(']')?;
                steps.push(Step::Element(step.parse().ok()?));
            }
        }
    }
    (steps.len() <= DEEPEST).then_some(steps)
}

/// The value at a path; what is on the way to it is made, as far as there is room for elements.
fn place<'v>(mut value: &'v mut Value, path: &str, room: &mut usize) -> Option<&'v mut Value> {
    for step in steps(path)? {
        value = match step {
            Step::Field(name) => {
                if !value.is_object() {
                    *value = Value::Object(serde_json::Map::new());
                }
                value.as_object_mut()?.entry(name).or_insert(Value::Null)
            }
            Step::Element(index) => {
                if !value.is_array() {
                    *value = Value::Array(Vec::new());
                }
                let elements = value.as_array_mut()?;
                if elements.len() <= index {
                    let missing = (index - elements.len()).saturating_add(1);
                    *room = room.checked_sub(missing)?;
                    elements.resize(index + 1, Value::Null);
                }
                elements.get_mut(index)?
            }
        };
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn put_together(pieces: &[&str]) -> String {
        let mut args = PartialArgs::default();
        for piece in pieces {
            args.take(&Fields::of(piece).unwrap());
        }
        args.into_json()
    }

    #[test]
    fn pieces_are_put_in_their_places() {
        let args = put_together(&[
            r#"{"jsonPath":"$.list[0].name","stringValue":"ap","willContinue":true}"#,
            r#"{"jsonPath":"$.list[0].name","stringValue":"ple","willContinue":true}"#,
            r#"{"jsonPath":"$.list[0].name","stringValue":""}"#,
            r#"{"jsonPath":"$.list[0].name2","stringValue":"x"}"#,
            r#"{"jsonPath":"$.list[1]['the price']","numberValue":0.5}"#,
            r#"{"jsonPath":"$.done","boolValue":true}"#,
            r#"{"jsonPath":"$.none","nullValue":null}"#,
        ]);
        let expected = serde_json::json!({"list": [{"name": "apple", "name2": "x"}, {"the price": 0.5}],
            "done": true, "none": null});
        assert_eq!(serde_json::from_str::<Value>(&args).unwrap(), expected);
    }

    #[test]
    fn impossible_places_are_left_out() {
        let far = r#"{"jsonPath":"$.a[99999999]","numberValue":1}"#;
        assert_eq!(put_together(&[far, r#"{"jsonPath":"x"}"#, "{}"]), r#"{"a":[]}"#);
    }

    #[test]
    fn elements_far_within_elements_take_no_more_room_than_there_is() {
        let far = |name: usize| {
            let path = format!("$.a{name}{}", "[9999]".repeat(60));
            format!(r#"{{"jsonPath":"{path}","numberValue":1}}"#)
        };
        let pieces: Vec<String> = (0..100).map(far).collect();
        let args = put_together(&pieces.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(args.len() < 10 * MOST_ELEMENTS, "{} bytes", args.len());
        let endless = format!(r#"{{"jsonPath":"$.a[{}]","numberValue":1}}"#, usize::MAX);
        assert_eq!(put_together(&[&endless]), r#"{"a":[]}"#);
    }

    proptest! {
        #[test]
        fn any_path_is_one_or_none(path in r#"[$.\['"\]a0é]{0,20}"#) {
            let _ = place(&mut Value::Null, &path, &mut 10);
        }
    }
}
