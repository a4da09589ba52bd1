//! What is on the wire, in a form that a fuzzer can change without knowing checksums; and JSON, told from what is none.

use tollgate_adapters::eventstream::{write, write_exception};

/// A line of a composed stream: whether it is an exception, its name, and its data.
type Line<'a> = (bool, &'a str, &'a [u8]);

/// An AWS event stream. Each line is an event: its name, a space, and its data. A name with `!` in front is that of an
/// exception.
pub(crate) fn compose(lines: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (is_exception, name, data) in read_lines(lines) {
        if is_exception {
            write_exception(name, data, &mut out);
        } else {
            write(name, data, &mut out);
        }
    }
    out
}

/// The events of the same stream: names and data.
pub(crate) fn composed(lines: &[u8]) -> Vec<(Option<String>, Vec<u8>)> {
    let event = |(_, name, data): Line<'_>| {
        let data = if data.is_empty() { b"{}" } else { data };
        (Some(name.to_owned()), data.to_vec())
    };
    read_lines(lines).map(event).collect()
}

fn read_lines(lines: &[u8]) -> impl Iterator<Item = Line<'_>> {
    lines.split(|byte| *byte == b'\n').filter_map(|line| {
        let space = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let name = std::str::from_utf8(&line[..space]).ok()?;
        // A name that is too long for its field is left out by the writer; none of ours is.
        let name = name.get(..name.len().min(64)).filter(|name| !name.is_empty())?;
        let data = line.get(space + 1..).unwrap_or_default();
        match name.strip_prefix('!') {
            Some(exception) => Some((true, exception, data)),
            None => Some((false, name, data)),
        }
    })
}

/// Whether it is one JSON value in UTF-8, of whatever depth.
pub(crate) fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok() && std::str::from_utf8(bytes).is_ok()
}

/// Fails if it is not a JSON object in UTF-8.
pub(crate) fn assert_object(bytes: &[u8], what: &str) {
    let shown = || String::from_utf8_lossy(bytes).into_owned();
    assert!(is_json(bytes), "{what} is no JSON: {}", shown());
    assert!(bytes.first() == Some(&b'{'), "{what} is no object: {}", shown());
}
