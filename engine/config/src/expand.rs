//! Environment variables in texts: `${NAME}` and `${NAME:-default}`; `$$` stands for one `$`.
//!
//! Done after YAML is parsed, so that a variable's value is a value and can never be syntax.

use crate::place::Place;
use crate::tree::{Node, Value};

/// Looks up an environment variable.
pub type Env<'e> = &'e dyn Fn(&str) -> Option<String>;

/// A text as the config file's reader understands it. `None`: a variable is not set, or the text is malformed.
pub fn expanded(text: &str, env: Env<'_>) -> Option<String> {
    expand(text, env).ok().map(|it| it.text)
}

/// A text that the reader understands as this one.
pub fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

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
        Value::Text {
            text,
            expanded,
            variables,
        } if text.contains('$') => match expand(text, env) {
            Ok(result) => {
                *text = result.text;
                *expanded = result.has_references;
                *variables = result.variables;
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

/// A text with its variables replaced.
#[derive(Debug, Default, PartialEq, Eq)]
struct Expanded {
    text: String,
    /// Whether it referred to any variable.
    has_references: bool,
    /// The variables that are in it; where a default was taken instead, there is none.
    variables: Vec<String>,
}

/// Replaces the variables. A `$` that starts neither `$$` nor `${` stands for itself, so that `$1.00` needs no
/// escape.
fn expand(text: &str, env: Env<'_>) -> Result<Expanded, ExpandError> {
    let mut result = Expanded::default();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        result.text.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            result.text.push('$');
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let (reference, after) = after.split_once('}').ok_or(ExpandError::Malformed)?;
            result.refer_to(reference, env)?;
            rest = after;
        } else {
            result.text.push('$');
            rest = after;
        }
    }
    result.text.push_str(rest);
    Ok(result)
}

impl Expanded {
    fn refer_to(&mut self, reference: &str, env: Env<'_>) -> Result<(), ExpandError> {
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
        self.has_references = true;
        match (env(name), default) {
            (None, None) => return Err(ExpandError::Unset(name.to_owned())),
            (Some(value), None) => self.take(name, &value),
            (Some(value), Some(_)) if !value.is_empty() => self.take(name, &value),
            (_, Some(default)) => self.text.push_str(default),
        }
        Ok(())
    }

    fn take(&mut self, name: &str, value: &str) {
        self.text.push_str(value);
        if !self.variables.iter().any(|known| known == name) {
            self.variables.push(name.to_owned());
        }
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
        expand(text, &env).map(|it| it.text)
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

    #[test]
    fn the_variables_in_a_text_are_named_once_each() {
        let named = |text| expand(text, &env).map(|it| (it.has_references, it.variables.join(" ")));
        for (text, has_references, variables) in [
            ("plain $1", false, ""),
            ("$${KEY}", false, ""),
            ("${KEY} ${EMPTY} ${KEY}", true, "KEY EMPTY"),
            ("${NONE:-x}${EMPTY:-y}", true, ""),
        ] {
            assert_eq!(named(text), Ok((has_references, variables.to_owned())), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_expanded_or_refused(text in "[$\\{\\}:A-]{0,20}|\\PC*") {
            let _ = expand(&text, &env);
        }

        #[test]
        fn a_doubled_dollar_protects_any_text(text: String) {
            prop_assert_eq!(super::expanded(&literal(&text), &env), Some(text));
        }
    }
}
