//! From a form to its word, by rule: endings of number, tense and person go, so that `cats` meets `cat` and `running`
//! meets `run`. Not a dictionary: what matters is that forms of one word meet, not what they are called.

use std::borrow::Cow;

/// Few, sure rules. `word` is lower case. Words that are not ASCII stay as they are.
///
/// The table of idf was counted with these very rules: change both or none.
pub(super) fn lemma(word: &str) -> Cow<'_, str> {
    let word = word.strip_suffix("'s").unwrap_or(word);
    if word.contains('\'') {
        let bare = word.replace('\'', "");
        return Cow::Owned(ruled(&bare).into_owned());
    }
    ruled(word)
}

fn ruled(word: &str) -> Cow<'_, str> {
    let length = word.len();
    if !word.is_ascii() || length < 4 {
        return word.into();
    }
    if length == 4 {
        let plural = word.ends_with('s') && !word.ends_with("ss");
        return head(word, usize::from(plural)).into();
    }
    if word.ends_with("ies") {
        return format!("{}y", head(word, 3)).into();
    }
    if ["sses", "shes", "ches", "xes"]
        .iter()
        .any(|end| word.ends_with(end))
    {
        return head(word, 2).into();
    }
    if word.ends_with("ing") && length > 5 {
        return stem(head(word, 3)).into();
    }
    if word.ends_with("ed") {
        return stem(head(word, 2)).into();
    }
    let singular = if word.ends_with('s') && !["ss", "us", "is"].iter().any(|end| word.ends_with(end)) {
        head(word, 1)
    } else {
        word
    };
    if singular.len() > 4 {
        singular.trim_end_matches('e').into()
    } else {
        singular.into()
    }
}

/// Without a doubled consonant (`runn`) and without an `e` at the end.
fn stem(word: &str) -> &str {
    let doubled = match word.as_bytes() {
        [_, .., a, b] => a == b && !b"lsz".contains(b),
        _ => false,
    };
    head(word, usize::from(doubled)).trim_end_matches('e')
}

/// `word` without its last `dropped` bytes; ASCII only.
fn head(word: &str, dropped: usize) -> &str {
    word.get(..word.len().saturating_sub(dropped)).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::lemma;

    #[test]
    fn forms_of_a_word_meet() {
        for forms in [
            ["cat", "cats", "cat's"],
            ["city", "cities", "city's"],
            ["box", "boxes", "box"],
            ["stop", "stopped", "stopping"],
            ["improve", "improved", "improving"],
            ["class", "classes", "class"],
            ["dont", "don't", "dont"],
        ] {
            let [a, b, c] = forms.map(lemma);
            assert!(a == b && b == c, "{a} {b} {c}");
        }
    }

    #[test]
    fn other_words_stay_apart() {
        for (a, b) in [("this", "thin"), ("bus", "but"), ("straße", "strasse"), ("", "s")] {
            assert_ne!(lemma(a), lemma(b));
        }
    }
}
