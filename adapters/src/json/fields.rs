//! The fields of a JSON object as slices of the original: nothing is built, nothing unknown is refused.
//!
//! For what providers write: fields of surprising types are treated as absent, and of two fields with one name
//! the last one counts. A text is checked once, by [`Fields::parse`]; what is inside of it is then taken apart
//! by looking at quotes and brackets only.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::span::{quoted_end, skip_space, value_span};

/// An object's fields: names, and the JSON text of their values.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a>(SmallVec<[(Cow<'a, str>, &'a str); 12]>);

/// Checks all of the text, and keeps where the fields stand: one pass.
impl<'a> Deserialize<'a> for Fields<'a> {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'a> Visitor<'a> for Members {
            type Value = Fields<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'a>>(self, mut members: M) -> Result<Fields<'a>, M::Error> {
                let mut fields = Fields::default();
                while let Some((Name(name), value)) = members.next_entry::<_, &RawValue>()? {
                    fields.0.push((name, value.get()));
                }
                Ok(fields)
            }
        }

        from.deserialize_map(Members)
    }
}

/// A name that is copied only if it has escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Fields<'a> {
    /// The fields of `json`; `Err` says what is wrong and where.
    pub(crate) fn parse(json: &'a [u8]) -> Result<Self, serde_json::Error> {
        let text = std::str::from_utf8(json).map_err(serde_json::Error::custom)?;
        if matches!(json.get(skip_space(json, 0)), Some(other) if *other != b'{') {
            // The parser's own words quote what it has found instead: text that may hold anything, a key for one.
            return Err(serde_json::Error::custom("expected an object"));
        }
        serde_json::from_str(text)
    }

    /// The fields of a part of a text that was checked; `None` if it is not an object.
    pub(crate) fn of(json: &'a str) -> Option<Self> {
        let bytes = json.as_bytes();
        let mut at = skip_space(bytes, 0);
        let mut fields = Self::default();
        let mut expected = b'{';
        loop {
            if bytes.get(at) != Some(&expected) {
                return (expected == b',' && bytes.get(at) == Some(&b'}')).then_some(fields);
            }
            let key = skip_space(bytes, at + 1);
            if bytes.get(key) != Some(&b'"') {
                return (expected == b'{' && bytes.get(key) == Some(&b'}')).then_some(fields);
            }
            let end = quoted_end(bytes, key + 1)?;
            let colon = skip_space(bytes, end);
            let value = value_span(bytes, skip_space(bytes, colon + 1))?;
            at = skip_space(bytes, value.end);
            fields.0.push((text(json.get(key..end)?)?, json.get(value)?));
            expected = b',';
        }
    }

    /// The same with its names in camel case: `top_k` is `topK`.
    pub(crate) fn in_camel_case(mut self) -> Self {
        for (name, _) in &mut self.0 {
            if name.contains('_') {
                *name = Cow::Owned(camel_case(name));
            }
        }
        self
    }

    /// The JSON text of a field. `None` if there is none, or it is `null`.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a str> {
        self.raw_or_null(name).filter(|value| *value != "null")
    }

    /// The JSON text of a field, `null` included.
    pub(crate) fn raw_or_null(&self, name: &str) -> Option<&'a str> {
        self.0
            .iter()
            .rfind(|(key, _)| key == name)
            .map(|(_, value)| *value)
    }

    /// All fields, as they came.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, value)| (&**name, *value))
    }

    /// The fields of a field that is an object.
    pub(crate) fn object(&self, name: &str) -> Option<Fields<'a>> {
        self.raw(name).and_then(Self::of)
    }

    /// A field that is a string.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.raw(name).and_then(text)
    }

    /// A field that is a number of things.
    pub(crate) fn count(&self, name: &str) -> Option<u64> {
        self.raw(name).and_then(count)
    }

    /// The elements of a field that is an array; none if it is none.
    pub(crate) fn elements(&self, name: &str) -> Vec<&'a str> {
        self.raw(name).map(elements).unwrap_or_default()
    }
}

/// A name in camel case; what begins with an underscore keeps that one.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_').enumerate();
    words.by_ref().fold(
        String::with_capacity(name.len()),
        |mut camel, (position, word)| {
            let mut letters = word.chars();
            match letters.next() {
                Some(first) if position > 0 && !camel.trim_matches('_').is_empty() => {
                    camel.push(first.to_ascii_uppercase());
                }
                Some(first) => camel.push(first),
                None => camel.push('_'),
            }
            camel.extend(letters);
            camel
        },
    )
}

/// A string.
pub(crate) fn text(json: &str) -> Option<Cow<'_, str>> {
    let inside = json.strip_prefix('"')?.strip_suffix('"')?;
    if inside.contains('\\') {
        return serde_json::from_str::<String>(json).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inside))
}

/// A number of things: whole, or written as a float by a careless server; never negative.
pub(crate) fn count(json: &str) -> Option<u64> {
    json.parse().ok().or_else(|| {
        let number: f64 = json.parse().ok()?;
        let in_range = (0.0..9e15).contains(&number);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within the range just checked, a float holds whole numbers exactly"
        )]
        in_range.then_some(number as u64)
    })
}

/// The elements of an array that is part of a text that was checked; none if it is none.
pub(crate) fn elements(json: &str) -> Vec<&str> {
    let bytes = json.as_bytes();
    let mut at = skip_space(bytes, 0);
    let mut elements = Vec::new();
    if bytes.get(at) != Some(&b'[') {
        return elements;
    }
    while matches!(bytes.get(at), Some(b'[' | b',')) {
        let start = skip_space(bytes, at + 1);
        let Some(value) = value_span(bytes, start).filter(|value| value.end > value.start) else {
            break;
        };
        at = skip_space(bytes, value.end);
        elements.extend(json.get(value));
    }
    elements
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_of_unexpected_types_are_absent() {
        let json = br#"{"a":1,"n":null,"f":12.0,"neg":-3,"s":"x\ny","o":{"b":[1,"2",{}]},"big":1e30}"#;
        let fields = Fields::parse(json).unwrap();
        assert_eq!(
            (fields.count("a"), fields.count("f"), fields.count("neg")),
            (Some(1), Some(12), None)
        );
        assert_eq!(
            (fields.count("big"), fields.count("s"), fields.raw("n")),
            (None, None, None)
        );
        assert_eq!(fields.text("s").as_deref(), Some("x\ny"));
        assert_eq!(fields.object("o").unwrap().elements("b"), ["1", "\"2\"", "{}"]);
        assert!(fields.object("a").is_none() && fields.elements("a").is_empty());
    }

    #[test]
    fn the_last_of_two_fields_counts_and_escaped_names_are_read() {
        let fields = Fields::parse(br#"{"a":1,"\u0061":2}"#).unwrap();
        assert_eq!(fields.count("a"), Some(2));
    }

    #[test]
    fn names_are_put_into_camel_case() {
        let fields = Fields::of(r#"{"top_k":1,"topP":2,"_hidden_name":3,"a_2b":4}"#)
            .unwrap()
            .in_camel_case();
        let names: Vec<_> = fields.iter().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names, ["topK", "topP", "_hiddenName", "a2b"]);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for bad in [&b"[]"[..], b"", b"{", b"{\"a\":1}x", b"\xff", b"{\"a\":\"\xff\"}"] {
            assert!(Fields::parse(bad).is_err());
        }
    }

    #[test]
    fn what_is_found_instead_of_an_object_is_not_quoted() {
        for bad in [
            r#""the key sk-123""#,
            r#" ["sk-123"]"#,
            "123",
            "sk-123",
            r#"{"a":sk-123}"#,
        ] {
            let told = Fields::parse(bad.as_bytes()).unwrap_err().to_string();
            assert!(!told.contains("123"), "{told}");
        }
    }

    #[test]
    fn arrays_are_taken_apart() {
        assert_eq!(
            elements(r#" [ 1 , "a,]" ,{"b":[2]}, [] ] "#),
            ["1", "\"a,]\"", r#"{"b":[2]}"#, "[]"]
        );
        assert_eq!(elements("[]"), [""; 0]);
        assert_eq!(elements("[ ]"), [""; 0]);
        assert_eq!(elements("{}"), [""; 0]);
    }

    proptest! {
        #[test]
        fn parts_are_what_a_whole_parser_finds(
            keys in prop::collection::vec(r#"([a-c ,:{}\[\]]|\\"|\\\\|\\u00e9|\\n){0,5}"#, 0..6),
            values in prop::collection::vec(r#" ?(-?1(\.5e3)?|true|null|"[a,\]}]*(\\")?"|\[ ?\]|\{"x":\[1, 2\]\}) ?"#, 6),
        ) {
            let pairs: Vec<String> = keys.iter().zip(&values).map(|(key, value)| format!("\"{key}\" :{value}")).collect();
            let json = format!(" {{ {} }} ", pairs.join(","));
            let expected: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&json).unwrap();
            let fields = Fields::parse(json.as_bytes()).unwrap();
            for (name, value) in &expected {
                let found: serde_json::Value = serde_json::from_str(fields.raw_or_null(name).unwrap()).unwrap();
                prop_assert_eq!(&found, value);
            }
            prop_assert_eq!(fields.0.len(), pairs.len());
            let by_hand = Fields::of(&json).unwrap();
            let texts = |fields: &Fields<'_>| -> Vec<(String, String)> {
                fields.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
            };
            prop_assert_eq!(texts(&by_hand), texts(&fields));
            let array = format!("[{}]", values.join(","));
            prop_assert_eq!(elements(&array).len(), values.len());
        }

        #[test]
        fn any_text_is_taken_apart_or_not(text in r#"[{}\[\]",:\\a1 ]{0,40}"#) {
            let _ = (Fields::of(&text), elements(&text));
        }
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(Fields::parse(deep.as_bytes()).is_ok());
    }
}
