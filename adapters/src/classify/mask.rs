//! Keys in texts that came from elsewhere: masked before anybody sees them.

use std::borrow::Cow;

/// What keys begin with. Providers repeat a refused key in their message, often in part.
const PREFIXES: [&str; 10] = [
    "sk-", "sk_", "gsk_", "xai-", "pplx-", "tgp_", "fw_", "AIza", "key-", "Bearer ",
];
/// Shorter than this, what follows a prefix is a word and no key.
const SHORTEST_KEY: usize = 8;
/// Shorter than this, a word with a digit in it is no key either.
const SHORTEST_TOKEN: usize = 16;

/// `text` with every key replaced by `***`; `None` if there is none in it.
pub(crate) fn masked(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((start, end)) = next_key(rest) {
        out.push_str(rest.get(..start)?);
        out.push_str("***");
        rest = rest.get(end..)?;
    }
    if out.is_empty() {
        return None;
    }
    out.push_str(rest);
    Some(out)
}

/// `text` without anything that could be a key, whatever it begins with: long words that hold a digit. For
/// messages about refused keys; elsewhere, ids would be lost.
pub(super) fn without_tokens(text: &str) -> String {
    let is_token =
        |word: &str| word.len() >= SHORTEST_TOKEN && word.bytes().any(|byte| byte.is_ascii_digit());
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let length = rest.find(|c: char| !is_key_character(c)).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(length);
        out.push_str(if is_token(word) { "***" } else { word });
        let mut characters = tail.chars();
        out.extend(characters.next());
        rest = characters.as_str();
    }
    out
}

/// `text`, masked where it must be.
pub(super) fn mask(text: Cow<'_, str>) -> Cow<'_, str> {
    match masked(&text) {
        Some(masked) => Cow::Owned(masked),
        None => text,
    }
}

fn next_key(text: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let rest = text.get(from..)?;
        let (offset, prefix) = PREFIXES
            .iter()
            .filter_map(|prefix| Some((rest.find(prefix)?, *prefix)))
            .min()?;
        let start = from + offset;
        let begins_word = !text
            .get(..start)?
            .ends_with(|before: char| before.is_alphanumeric());
        let secret = start + prefix.len();
        let tail = text.get(secret..)?;
        let length = tail.find(|c: char| !is_key_character(c)).unwrap_or(tail.len());
        if begins_word && length >= SHORTEST_KEY {
            return Some((start, secret + length));
        }
        from = secret;
    }
}

/// Letters, digits and what stands between them; `*`, for keys that are masked in part already.
fn is_key_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_masked_and_words_are_not() {
        let text =
            "Incorrect API key provided: sk-proj-abcd****wxyz. See task-oriented docs (gsk_0123456789abc)";
        let expected = "Incorrect API key provided: *** See task-oriented docs (***)";
        assert_eq!(masked(text).as_deref(), Some(expected));
        for plain in [
            "",
            "disk-performance-issue",
            "use sk-... keys",
            "the key-value store",
            "xai-",
            "é sk-é",
        ] {
            assert_eq!(masked(plain), None, "{plain}");
        }
    }

    #[test]
    fn long_words_with_digits_are_taken_for_keys_where_keys_are_spoken_of() {
        let text =
            "Invalid key é Zx81aaaaaaaaaaaaaaaaaaaaaaa for organisation unauthorizedorganisation, code 401";
        let expected = "Invalid key é *** for organisation unauthorizedorganisation, code 401";
        assert_eq!(without_tokens(text), expected);
    }

    proptest! {
        #[test]
        fn no_key_survives(before in "[a-z é\"]{0,20} ", key in "[A-Za-z0-9]{12,40}", after in "[ \",é].{0,20}") {
            let text = format!("{before}sk-{key}{after}");
            prop_assert!(!masked(&text).unwrap().contains(&key));
        }

        #[test]
        fn any_text_is_taken(text: String) {
            let _ = (masked(&text), without_tokens(&text));
        }
    }
}
