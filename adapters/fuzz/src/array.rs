//! Streams of events as one JSON array, as Google sends them to clients that do not ask for events.
//!
//! Input: [`CUTS`] bytes that say how to cut, and the stream.

use tollgate_adapters::{ArrayWriter, sse};

use super::cutting::{CUTS, chunks, settings};
use super::wire::is_json;

/// The array is the same however the stream is cut, is JSON, and has an element for each event that is JSON.
pub(crate) fn check(data: &[u8]) {
    let Some((cuts, stream)) = settings::<CUTS>(data) else {
        return;
    };
    let whole = array(std::iter::once(stream));
    let cut = array(chunks(stream, &cuts));
    assert_eq!(whole, cut, "it matters how the stream is cut");
    let shown = String::from_utf8_lossy(&whole);
    assert!(is_json(&whole) && whole.starts_with(b"["), "no array: {shown}");
    let mut expected = Vec::new();
    let mut framer = sse::Framer::default();
    let mut each = |frame: sse::Frame<'_>| expected.extend(frame.event.map(|event| event.data.to_vec()));
    framer.push(stream, &mut each).expect("inputs are small");
    framer.finish(each);
    expected.retain(|data| is_json(data));
    let elements: Vec<&serde_json::value::RawValue> = serde_json::from_slice(&whole).expect("an array");
    let elements: Vec<&[u8]> = elements.iter().map(|element| element.get().as_bytes()).collect();
    let expected: Vec<&[u8]> = expected.iter().map(|data| data.trim_ascii()).collect();
    assert_eq!(elements, expected, "an element is not an event");
}

fn array<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let (mut writer, mut out) = (ArrayWriter::default(), Vec::new());
    for chunk in chunks {
        writer.push(chunk, &mut out).expect("inputs are small");
    }
    writer.finish(&mut out);
    out
}
