//! What an embeddings endpoint answers: one vector, and what it is billed for.
//!
//! Vectors come as base64 of little-endian 32-bit floats, which is asked for, or as a list of numbers, from servers
//! that know nothing else.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{Error as _, SeqAccess, Visitor};
use tollgate_cache::Vector;

/// No model has more.
const MAX_DIMENSIONS: usize = 8_192;

/// A text, embedded.
#[derive(Debug)]
pub(super) struct Embedded {
    pub(super) vector: Vector,
    /// `None`: it does not say.
    pub(super) tokens: Option<u64>,
}

/// Reads an answer. `None`: there is no vector in it, or more than one.
pub(super) fn read(body: &[u8]) -> Option<Embedded> {
    let body: Body = serde_json::from_slice(body).ok()?;
    let [Item { embedding }] = body.data.as_slice() else {
        return None;
    };
    let tokens = body.usage.and_then(|it| it.prompt_tokens.or(it.total_tokens));
    Some(Embedded {
        vector: Vector::of(&embedding.0)?,
        tokens,
    })
}

#[derive(Deserialize)]
struct Body {
    data: Vec<Item>,
    usage: Option<Billed>,
}

#[derive(Deserialize)]
struct Item {
    embedding: Components,
}

#[derive(Deserialize)]
struct Billed {
    prompt_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

struct Components(Vec<f32>);

impl<'de> Deserialize<'de> for Components {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = Components;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers, or base64 of floats")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Components, E> {
        let bytes = STANDARD.decode(text).map_err(E::custom)?;
        let (floats, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() || floats.len() > MAX_DIMENSIONS {
            return Err(E::custom("no floats, or too many"));
        }
        Ok(Components(
            floats.iter().map(|it| f32::from_le_bytes(*it)).collect(),
        ))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Components, A::Error> {
        let mut components = Vec::with_capacity(numbers.size_hint().unwrap_or(1_536).min(MAX_DIMENSIONS));
        while let Some(number) = numbers.next_element()? {
            if components.len() == MAX_DIMENSIONS {
                return Err(A::Error::custom("too many dimensions"));
            }
            components.push(number);
        }
        Ok(Components(components))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(embedding: &str) -> String {
        format!(
            r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":{embedding}}}],"model":"m","usage":{{"prompt_tokens":7,"total_tokens":7}}}}"#
        )
    }

    #[test]
    fn both_ways_to_write_a_vector_are_read() {
        let numbers = read(body("[0.5, -1, 2.5e-1]").as_bytes()).unwrap();
        let bytes: Vec<u8> = [0.5_f32, -1.0, 0.25]
            .iter()
            .flat_map(|it| it.to_le_bytes())
            .collect();
        let packed = read(body(&format!("\"{}\"", STANDARD.encode(bytes))).as_bytes()).unwrap();
        assert_eq!((&numbers.vector, numbers.tokens), (&packed.vector, Some(7)));
        assert_eq!(numbers.vector.codes(), [64, -127, 32]);
        let silent = br#"{"data":[{"embedding":[1]}]}"#;
        assert_eq!(read(silent).unwrap().tokens, None);
    }

    #[test]
    fn what_is_no_vector_is_none() {
        let long = format!("[{}1]", "1,".repeat(MAX_DIMENSIONS));
        for embedding in [
            "[]",
            "[0, 0]",
            "null",
            "\"AAA\"",
            "\"AAAAAAA=\"",
            "\"AADAfw==\"",
            "[\"a\"]",
            "{}",
            "[1e39]",
            &long,
        ] {
            assert!(read(body(embedding).as_bytes()).is_none(), "{embedding:.20}");
        }
        for other in [
            "",
            "{}",
            "nonsense",
            r#"{"data":[]}"#,
            r#"{"error":{"message":"no"}}"#,
            r#"{"data":[{"embedding":[1]},{"embedding":[1]}]}"#,
        ] {
            assert!(read(other.as_bytes()).is_none(), "{other}");
        }
        assert!(read(b"\xff\xfe").is_none());
    }
}
