//! Addresses and secrets in a text: what makes it somebody's own.
//!
//! Signs, not proof: this keeps a text out of sharing by meaning, it does not redact. An address or a key is told from
//! its like by single characters, which no likeness of meaning sees.

/// What keys of well-known services begin with.
const KEY_PREFIXES: [&str; 16] = [
    "sk-",
    "pk_live_",
    "sk_live_",
    "rk_live_",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "ASIA",
    "AIza",
    "eyJ",
    "hf_",
];

/// A key is no shorter, whatever it begins with.
const SHORTEST_KEY: usize = 12;

/// A run of letters and digits without a known beginning is taken for a key from this length on.
const LONG_RUN: usize = 20;

/// Digits of a card or account number, and of most telephone numbers with their country.
const DIGITS: std::ops::RangeInclusive<usize> = 11..=34;

/// Whether `text` holds an address of the web or of mail.
pub(super) fn holds_address(text: &str) -> bool {
    // Most texts have none of the signs without which there is none.
    let signs = |byte: &u8| matches!(byte, b':' | b'@' | b'.');
    text.as_bytes().iter().any(signs) && text.split_whitespace().any(is_address)
}

fn is_address(word: &str) -> bool {
    let lower = |prefix: &str| {
        word.get(..prefix.len())
            .is_some_and(|it| it.eq_ignore_ascii_case(prefix))
    };
    word.contains("://") || lower("www.") || lower("mailto:") || is_mail(word)
}

fn is_mail(word: &str) -> bool {
    let Some((name, host)) = word.rsplit_once('@') else {
        return false;
    };
    let named = name.ends_with(|c: char| c.is_alphanumeric() || "_-+.".contains(c));
    let hosted = host.split_once('.').is_some_and(|(first, rest)| {
        let begins = |part: &str| part.starts_with(char::is_alphanumeric);
        begins(first) && begins(rest)
    });
    named && hosted
}

/// Whether `text` holds what looks like a key, a token, a card or an account number.
pub(super) fn holds_secret(text: &str) -> bool {
    text.contains("-----BEGIN ") || text.split(parts_words).any(is_key) || holds_long_number(text)
}

fn parts_words(c: char) -> bool {
    matches!(
        c,
        '"' | '\'' | '`' | ',' | ';' | ':' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '='
    ) || c.is_whitespace()
}

fn is_key(word: &str) -> bool {
    if word.len() < SHORTEST_KEY {
        return false;
    }
    let known = KEY_PREFIXES.iter().any(|prefix| word.starts_with(prefix));
    let any = |of: fn(&u8) -> bool| word.bytes().any(|byte| of(&byte));
    let plain = word
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_-+/.".contains(&byte));
    let digit = any(u8::is_ascii_digit);
    let mixed = any(u8::is_ascii_lowercase) && any(u8::is_ascii_uppercase);
    let hex = word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    known && digit || word.len() >= LONG_RUN && digit && plain && (mixed || hex)
}

/// Digits with single blanks, dots or hyphens between them.
fn holds_long_number(text: &str) -> bool {
    let (mut digits, mut gap) = (0, 0);
    for c in text.chars().chain(['\n', '\n']) {
        match c {
            '0'..='9' => (digits, gap) = (digits + 1, 0),
            ' ' | '-' | '.' | '/' if gap == 0 => gap = 1,
            _ if DIGITS.contains(&digits) => return true,
            _ => (digits, gap) = (0, 0),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_seen() {
        for text in [
            "see https://example.org/a",
            "FTP://x",
            "at www.example.org",
            "mail a.b+c@example.org.",
            "mailto:bob",
        ] {
            assert!(holds_address(text), "{text}");
        }
        for text in [
            "",
            "an @ sign",
            "@override methods",
            "user@host",
            "Is 3://2 odd? no".get(..4).unwrap_or_default(),
            "e.g. this",
            "a@.b",
        ] {
            assert!(!holds_address(text), "{text}");
        }
    }

    #[test]
    fn secrets_are_seen() {
        for text in [
            "my key is sk-abc123def456ghi",
            "token=ghp_0123456789abcdef",
            "AKIA0123456789ABCDEF",
            "-----BEGIN PRIVATE KEY-----",
            "what is d41d8cd98f00b204e9800998ecf8427e",
            "use \"Zm9vYmFyQmF6UXV4MTIzNDU2\"",
            "card 4111 1111 1111 1111 declined",
            "IBAN 89 3704 0044 0532 0130 00",
            "call +49 30 1234 56789",
            "550e8400-e29b-41d4-a716-446655440000",
            "id 12345678901",
        ] {
            assert!(holds_secret(text), "{text}");
        }
        for text in [
            "",
            "What is the capital of Peru?",
            "internationalization of applications",
            "sk-learn",
            "in 2024 and 2025",
            "1 2 3 4 5",
            "1,000,000,000,000",
            "AbstractSingletonProxyFactoryBean",
            "3.14159265",
            "2024-02-29",
            "eyJ",
            "state-of-the-art-techniques-today",
        ] {
            assert!(!holds_secret(text), "{text}");
        }
    }
}
