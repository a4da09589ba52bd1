//! What messages show of texts and names: never what might be a secret.

/// Stands for a text that might be a secret.
pub(crate) const HIDDEN: &str = "text that is not shown";

/// A text for a message; one over 20 bytes might be a secret in the wrong place, and is not shown.
pub(crate) fn quoted(text: &str) -> String {
    if text.len() > 20 || text.starts_with("sk-") {
        format!("text of {} characters", text.chars().count())
    } else {
        format!("\"{}\"", text.escape_debug())
    }
}

/// A name for a message: a name is meant to be seen.
pub(crate) fn named(name: &str) -> String {
    format!("\"{}\"", shortened(name).escape_debug())
}

/// The first 80 characters.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
