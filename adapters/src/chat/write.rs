//! Writes JSON straight into a buffer: no tree in between.

use std::fmt::Display;
use std::io::Write;

/// An object that is being written.
#[derive(Debug)]
pub(crate) struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

/// An array that is being written.
#[derive(Debug)]
pub(crate) struct Array<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

/// Writes an object.
pub(crate) fn object(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    fill(&mut Object { out, is_empty: true });
    out.push(b'}');
}

/// Writes an array.
pub(crate) fn array(out: &mut Vec<u8>, fill: impl FnOnce(&mut Array<'_>)) {
    out.push(b'[');
    fill(&mut Array { out, is_empty: true });
    out.push(b']');
}

/// Writes a string.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    // Writing to memory has no way to fail.
    let _ = serde_json::to_writer(out, text);
}

impl Object<'_> {
    /// Writes a key; the value is to be written into the buffer it returns.
    pub(crate) fn key(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        text(self.out, name);
        self.out.push(b':');
        self.out
    }

    /// Ends a chain of fields, where an expression without a value is wanted.
    #[expect(clippy::unused_self, reason = "it is there to be called on something")]
    pub(crate) const fn end(&mut self) {}

    pub(crate) fn text(&mut self, name: &str, value: &str) -> &mut Self {
        text(self.key(name), value);
        self
    }

    /// Writes JSON text as it is.
    pub(crate) fn raw(&mut self, name: &str, json: &str) -> &mut Self {
        self.key(name).extend_from_slice(json.as_bytes());
        self
    }

    /// Writes a number, `true`, `false`: what is displayed as JSON has it.
    pub(crate) fn plain(&mut self, name: &str, value: impl Display) -> &mut Self {
        // Writing to memory has no way to fail.
        let _ = write!(self.key(name), "{value}");
        self
    }

    /// Writes a finite number.
    pub(crate) fn float(&mut self, name: &str, value: f64) -> &mut Self {
        let _ = serde_json::to_writer(self.key(name), &value);
        self
    }

    pub(crate) fn object(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) -> &mut Self {
        object(self.key(name), fill);
        self
    }

    pub(crate) fn array(&mut self, name: &str, fill: impl FnOnce(&mut Array<'_>)) -> &mut Self {
        array(self.key(name), fill);
        self
    }
}

impl Array<'_> {
    /// Begins an element; it is to be written into the buffer returned.
    pub(crate) fn element(&mut self) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.out
    }

    pub(crate) fn text(&mut self, value: &str) {
        text(self.element(), value);
    }

    pub(crate) fn raw(&mut self, json: &str) {
        self.element().extend_from_slice(json.as_bytes());
    }

    pub(crate) fn object(&mut self, fill: impl FnOnce(&mut Object<'_>)) {
        object(self.element(), fill);
    }
}

/// JSON text without the white space between its tokens. What is not JSON stays as it is, more or less.
pub(crate) fn compact(json: &str) -> std::borrow::Cow<'_, str> {
    if !json.bytes().any(|byte| byte.is_ascii_whitespace()) {
        return json.into();
    }
    let (mut in_string, mut escaped) = (false, false);
    let kept = json.chars().filter(|&c| {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            return true;
        }
        in_string = c == '"';
        !c.is_ascii_whitespace()
    });
    kept.collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_json() {
        let mut out = Vec::new();
        object(&mut out, |o| {
            o.text("a\"", "b\n").plain("n", 3).float("f", 0.5).raw("r", "[1]");
            o.array("l", |l| {
                l.text("x");
                l.object(|_| {});
            });
        });
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, r#"{"a\"":"b\n","n":3,"f":0.5,"r":[1],"l":["x",{}]}"#);
    }

    #[test]
    fn compacting_leaves_strings_alone() {
        assert_eq!(
            compact("{ \"a b\" : \"c \\\" d\" ,\n 1 }"),
            "{\"a b\":\"c \\\" d\",1}"
        );
    }

    proptest! {
        #[test]
        fn compacting_changes_no_value(text: String, number: i32) {
            let value = serde_json::json!({ "k e y": [text, number, { "\\\"": null }] });
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(compact(&pretty), serde_json::to_string(&value).unwrap());
        }
    }
}
