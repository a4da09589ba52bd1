//! Files of bounded size, as text.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Files are read up to here.
pub(crate) const MAX_FILE_BYTES: u64 = 16 << 20;

/// Reads a text file of bounded size. The error says what is wrong with it.
pub(crate) fn read_text(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err("larger than 16 MiB".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        format!("not UTF-8 in line {line}")
    })
}
