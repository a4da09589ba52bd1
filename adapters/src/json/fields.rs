//! The fields of a JSON object as slices of the original: nothing is built, nothing unknown is refused.
//!
//! For what providers write: fields of surprising types are treated as absent, and of two fields with one name
//! the last one counts.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;

/// An object's fields: names, and the JSON text of their values.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a>(SmallVec<[(Cow<'a, str>, &'a str); 12]>);

impl<'a> Fields<'a> {
    /// The fields of `json`; `Err` says what is wrong and where.
    pub(crate) fn parse(json: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// The same for JSON text; `None` if it is not an object.
    pub(crate) fn of(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
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

/// The elements of an array; none if it is none.
pub(crate) fn elements(json: &str) -> Vec<&str> {
    let parsed: Result<Vec<&RawValue>, _> = serde_json::from_str(json);
    parsed
        .unwrap_or_default()
        .into_iter()
        .map(RawValue::get)
        .collect()
}

/// A key, borrowed where it holds no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Names)
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Objects;
        impl<'de> Visitor<'de> for Objects {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Fields::default();
                while let Some((name, value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    fields.0.push((name.0, value.get()));
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Objects)
    }
}

#[cfg(test)]
mod tests {
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
    fn what_is_no_object_is_refused() {
        for bad in [&b"[]"[..], b"", b"{", b"{\"a\":1}x", b"\xff", b"{\"a\":\"\xff\"}"] {
            assert!(Fields::parse(bad).is_err());
        }
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(Fields::parse(deep.as_bytes()).is_ok());
    }
}
