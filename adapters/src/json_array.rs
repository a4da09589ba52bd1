//! A stream of events as one JSON array, element by element: how Google streams to clients that do not ask for events.

use crate::sse::{Framer, Oversize};

/// Writes the data of each event as an element.
#[derive(Debug, Default)]
pub struct ArrayWriter {
    framer: Framer,
    has_begun: bool,
}

impl ArrayWriter {
    /// Takes the next bytes of the stream, cut anywhere, and writes the elements that are complete now. Comments and
    /// what is no JSON are left out.
    ///
    /// # Errors
    /// An event is too long; nothing follows.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Oversize> {
        let has_begun = &mut self.has_begun;
        self.framer.push(chunk, |frame| {
            if let Some(event) = frame.event {
                element(event.data, has_begun, out);
            }
        })
    }

    /// Ends the array. One without elements is empty.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let has_begun = &mut self.has_begun;
        self.framer.finish(|frame| {
            if let Some(event) = frame.event {
                element(event.data, has_begun, out);
            }
        });
        out.extend_from_slice(if self.has_begun { b"]" } else { b"[]" });
    }
}

fn element(data: &[u8], has_begun: &mut bool, out: &mut Vec<u8>) {
    // Half an object would break the whole array, and so would a text that is none.
    let text = std::str::from_utf8(data).ok();
    if text.is_none_or(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_err()) {
        return;
    }
    out.extend_from_slice(if *has_begun { b",\r\n" } else { b"[" });
    *has_begun = true;
    out.extend_from_slice(data);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn array_of(stream: &[u8], cuts: &[usize]) -> Vec<u8> {
        let mut writer = ArrayWriter::default();
        let mut out = Vec::new();
        let mut from = 0;
        for cut in cuts.iter().copied().chain([stream.len()]) {
            writer.push(&stream[from..cut], &mut out).unwrap();
            from = cut;
        }
        writer.finish(&mut out);
        out
    }

    #[test]
    fn events_become_elements_and_nothing_else_does() {
        let stream =
            b": hello\n\ndata: {\"a\":1}\r\n\r\ndata: [DONE]\n\ndata: {\"b\":\ndata: 2}\n\ndata: {\"c\":3}";
        let array: Value = serde_json::from_slice(&array_of(stream, &[])).unwrap();
        assert_eq!(array, json!([{"a": 1}, {"b": 2}, {"c": 3}]));
        assert_eq!(array_of(b"", &[]), b"[]");
        assert_eq!(array_of(b"data: {\"half\":", &[]), b"[]");
        assert_eq!(array_of(b"data: {\"a\":\"\xff\"}\n\ndata: 1\n\n", &[]), b"[1]");
    }

    proptest! {
        #[test]
        fn the_array_is_the_same_however_the_stream_is_cut(texts: Vec<String>, mut cuts: Vec<prop::sample::Index>) {
            let elements: Vec<Value> = texts.iter().map(|text| json!({"text": text})).collect();
            let framed: Vec<String> = elements.iter().map(|element| format!("data: {element}\n\n")).collect();
            let stream = framed.concat();
            let mut cuts: Vec<usize> = cuts.drain(..).map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.sort_unstable();
            let array = array_of(stream.as_bytes(), &cuts);
            prop_assert_eq!(&array, &array_of(stream.as_bytes(), &[]));
            prop_assert_eq!(serde_json::from_slice::<Value>(&array).unwrap(), Value::Array(elements));
        }
    }
}
