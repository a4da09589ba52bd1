//! What Cohere's models take and refuse, told by their names.

use std::borrow::Cow;

use crate::chat::names::legal;

/// The longest name of a tool.
const LONGEST_NAME: usize = 64;

/// What a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Takes {
    /// It can think, and takes `thinking` and thoughts in the history.
    pub(crate) thinking: bool,
    /// `tool_choice` (since Command R7B).
    pub(crate) tool_choice: bool,
}

/// What `model` takes. Of a name that does not tell, nothing is assumed that the first of the family lacked.
pub(crate) fn takes(model: &str) -> Takes {
    let model = model.rsplit('/').next().unwrap_or(model);
    let is_old = model == "command"
        || ["command-light", "command-nightly", "c4ai-"]
            .iter()
            .any(|name| model.starts_with(name))
        || (model.starts_with("command-r") && !model.starts_with("command-r7b"));
    Takes {
        thinking: model.contains("reasoning") || model.contains("command-a-plus"),
        tool_choice: !is_old,
    }
}

/// The name of a tool as it may be sent: letters, digits and `_`, and no digit first. Different names stay different.
pub(crate) fn tool_name(name: &str) -> Cow<'_, str> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts_well = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    if starts_well && name.len() <= LONGEST_NAME && name.bytes().all(is_legal) {
        return Cow::Borrowed(name);
    }
    // A character that is legal nowhere: there will be a hash in the name.
    let marked = format!("{name}\u{0}");
    let hashed = legal(&marked, LONGEST_NAME - 1).replace('-', "_");
    let starts_with_digit = hashed.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    Cow::Owned(if starts_with_digit {
        format!("_{hashed}")
    } else {
        hashed
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn models_are_known_by_their_names() {
        assert!(takes("command-a-reasoning-08-2025").thinking && takes("command-a-plus-05-2026").thinking);
        assert!(!takes("command-a-03-2025").thinking && !takes("unheard-of").thinking);
        assert!(takes("command-r7b-12-2024").tool_choice && takes("command-a-03-2025").tool_choice);
        assert!(!takes("command-r-08-2024").tool_choice && !takes("command-r-plus-08-2024").tool_choice);
        assert!(takes("unheard-of").tool_choice);
    }

    #[test]
    fn legal_names_stay_and_others_differ_from_each_other() {
        assert_eq!(tool_name("get_weather2"), "get_weather2");
        assert_ne!(tool_name("a-b"), tool_name("a.b"));
        assert_ne!(tool_name("a-b"), "a_b");
        assert!(tool_name("2go").starts_with("_2go"));
    }

    proptest! {
        #[test]
        fn sent_names_are_legal(name: String) {
            let sent = tool_name(&name);
            prop_assert!(sent.len() <= LONGEST_NAME && !sent.is_empty());
            prop_assert!(sent.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
            prop_assert!(!sent.starts_with(|c: char| c.is_ascii_digit()));
            prop_assert_eq!(tool_name(&sent), &*sent);
        }
    }
}
