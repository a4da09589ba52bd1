//! Environment variables in texts: `${NAME}` and `${NAME:-default}`; `$$` stands for one `$`.
//!
//! Done after YAML is parsed, so that a variable's value is a value and can never be syntax.

use crate::place::Place;
use crate::tree::{Node, Value};

/// Looks up an environment variable.
pub type Env<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Why a text cannot be expanded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ExpandError {
    /// No such variable, and no default.
    Unset(String),
    /// `${` without a name or an end.
    Malformed,
}

/// Expands all texts under `node`. What cannot be expanded is told to `broken` and becomes null.
pub(crate) fn expand_tree(
    node: &mut Node,
    place: Place<'_>,
    env: Env<'_>,
    broken: &mut dyn FnMut(Place<'_>, usize, ExpandError),
) {
    match &mut node.value {
        Value::Text { text, expanded } if text.contains('$') => match expand(text, env) {
            Ok((result, from_env)) => {
                *text = result;
                *expanded = from_env;
            }
            Err(error) => {
                broken(place, node.line, error);
                node.value = Value::Null;
            }
        },
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                expand_tree(item, place.item(index), env, broken);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                expand_tree(&mut entry.value, place.key(&entry.key), env, broken);
            }
        }
        _ => {}
    }
}

/// The text with its variables replaced, and whether there were any. A `$` that starts neither `$$` nor `${`
/// stands for itself, so that `$1.00` needs no escape.
fn expand(text: &str, env: Env<'_>) -> Result<(String, bool), ExpandError> {
    let mut result = String::with_capacity(text.len());
    let mut from_env = false;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            result.push('$');
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let (reference, after) = after.split_once('}').ok_or(ExpandError::Malformed)?;
            result.push_str(&value_of(reference, env)?);
            from_env = true;
            rest = after;
        } else {
            result.push('$');
            rest = after;
        }
    }
    result.push_str(rest);
    Ok((result, from_env))
}

fn value_of(reference: &str, env: Env<'_>) -> Result<String, ExpandError> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let goes_on_well = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !starts_well || !goes_on_well {
        return Err(ExpandError::Malformed);
    }
    match (env(name), default) {
        (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(ExpandError::Unset(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "KEY" => Some("a${B}$$".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn expanded(text: &str) -> Result<String, ExpandError> {
        expand(text, &env).map(|(text, _)| text)
    }

    #[test]
    fn variables_defaults_and_escapes_are_replaced() {
        for (text, result) in [
            ("plain", "plain"),
            ("$1.00", "$1.00"),
            ("a$", "a$"),
            ("$$", "$"),
            ("$${KEY}", "${KEY}"),
            ("<${KEY}>", "<a${B}$$>"),
            ("${NONE:-x}", "x"),
            ("${NONE:-}", ""),
            ("${EMPTY:-x}", "x"),
            ("${EMPTY}", ""),
            ("${NONE:-a:-b}", "a:-b"),
        ] {
            assert_eq!(expanded(text).as_deref(), Ok(result), "{text}");
        }
    }

    #[test]
    fn unset_and_malformed_references_are_errors() {
        assert_eq!(expanded("${NONE}"), Err(ExpandError::Unset("NONE".to_owned())));
        for text in ["${", "${}", "${1A}", "${A B}", "${A-b}", "x${KEY"] {
            assert_eq!(expanded(text), Err(ExpandError::Malformed), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_expanded_or_refused(text in "[$\\{\\}:A-]{0,20}|\\PC*") {
            let _ = expand(&text, &env);
        }

        #[test]
        fn a_doubled_dollar_protects_any_text(text: String) {
            prop_assert_eq!(expanded(&text.replace('$', "$$")), Ok(text));
        }
    }
}
