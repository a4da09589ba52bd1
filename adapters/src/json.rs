//! Small ways of reading JSON without building it: where a value stands in the bytes, and the fields of an
//! object as slices of the original.

mod balance;
mod fields;
mod keys;
mod span;

pub(crate) use balance::Balance;
pub(crate) use fields::{Fields, count, elements, text};
pub(crate) use keys::keys;
pub(crate) use span::{after_colon, key_before, quoted_end, skip_space, value_span};

/// `text` as a JSON string, quotes included.
pub(crate) fn quote(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    // Writing a string to memory has no way to fail.
    let _ = serde_json::to_writer(&mut out, text);
    out
}
