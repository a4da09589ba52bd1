//! Writes JSON straight into a buffer: no tree in between.

use std::io::Write;

use serde::Serialize;

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

/// Writes an event of a stream whose type is also its name.
pub(crate) fn event(out: &mut Vec<u8>, kind: &str, fill: impl FnOnce(&mut Object<'_>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    object(out, |o| {
        o.text("type", kind);
        fill(o);
    });
    out.extend_from_slice(b"\n\n");
}

/// Writes an array.
pub(crate) fn array(out: &mut Vec<u8>, fill: impl FnOnce(&mut Array<'_>)) {
    out.push(b'[');
    fill(&mut Array { out, is_empty: true });
    out.push(b']');
}

/// So many bytes are looked at together for what must be escaped: few enough to be cheap to look at again.
const BLOCK: usize = 64;

/// Writes a string: blocks with nothing to escape, which are most, are copied.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let (blocks, rest) = text.as_bytes().as_chunks::<BLOCK>();
    for block in blocks {
        // Without an early end, so that the compiler looks at many at once.
        let escaped = block
            .iter()
            .fold(0, |any, byte| any | u8::from(is_escaped(*byte)));
        if escaped > 0 {
            escape(out, block);
        } else {
            out.extend_from_slice(block);
        }
    }
    if rest.iter().any(|byte| is_escaped(*byte)) {
        escape(out, rest);
    } else {
        out.extend_from_slice(rest);
    }
    out.push(b'"');
}

const fn is_escaped(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

fn escape(out: &mut Vec<u8>, block: &[u8]) {
    for byte in block {
        let short = match byte {
            b'"' | b'\\' => *byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            0..b' ' => {
                // Writing to memory has no way to fail.
                let _ = write!(out, "\\u{byte:04x}");
                continue;
            }
            _ => {
                out.push(*byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
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

    /// Writes a finite number, `true`, `false`.
    pub(crate) fn plain(&mut self, name: &str, value: impl Serialize) -> &mut Self {
        // Writing to memory has no way to fail.
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
    /// Whether nothing has been written.
    pub(crate) const fn is_empty(&self) -> bool {
        self.is_empty
    }

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
            o.text("a\"", "b\n").plain("n", 3).plain("f", 0.5).raw("r", "[1]");
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
        fn strings_are_written_as_others_write_them(said in "([\\PC\"\\\\\\x00-\\x1f\x7f]{0,3}[a-z é🦀]{0,70}){0,4}") {
            let mut out = b"x".to_vec();
            text(&mut out, &said);
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("x{}", serde_json::to_string(&said).unwrap()));
        }

        #[test]
        fn compacting_changes_no_value(text: String, number: i32) {
            let value = serde_json::json!({ "k e y": [text, number, { "\\\"": null }] });
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(compact(&pretty), serde_json::to_string(&value).unwrap());
        }
    }
}
