//! The text within the arguments `{"input": "…"}`, taken out while they come piece by piece.
//!
//! Models are asked for exactly these arguments, and mostly give them. Then the text is told as it comes, unescaped.
//! Where something else comes (another field first, no object at all), nothing can be told before the end; there, the
//! text is the field `input` wherever it stands, else all that the model wrote.

use crate::json::Fields;

/// Space may stand between the tokens before the text, but not for ever.
const LONGEST_OPENING: usize = 256;

/// The text within whole arguments.
pub(crate) fn input(arguments: &str) -> String {
    let mut reader = InputReader::default();
    let text = reader.push(arguments);
    text + &reader.finish()
}

/// Takes the text out of arguments that come piece by piece.
#[derive(Debug, Clone, Default)]
pub(crate) struct InputReader {
    at: At,
    /// What has come and cannot be told yet.
    held: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum At {
    /// Before the text.
    #[default]
    Opening,
    /// Within the text; of an escape that is cut, the beginning is held.
    Text,
    /// Behind the text: the rest says nothing.
    Behind,
    /// These are other arguments: all is held, to be read at the end.
    Otherwise,
}

impl InputReader {
    /// Takes the next piece of the arguments, cut anywhere; what it tells of the text.
    pub(crate) fn push(&mut self, json: &str) -> String {
        if self.at == At::Behind {
            return String::new();
        }
        self.held.push_str(json);
        if self.at == At::Opening {
            match opening_end(&self.held) {
                Opening::Complete(end) => {
                    self.held.drain(..end);
                    self.at = At::Text;
                }
                Opening::Cut => {}
                Opening::Other => self.at = At::Otherwise,
            }
        }
        match self.at {
            At::Text => self.unescape(),
            _ => String::new(),
        }
    }

    /// Whether the text is complete.
    pub(crate) fn is_complete(&self) -> bool {
        self.at == At::Behind
    }

    /// Nothing more comes: what has not been told of the text. An escape that was cut off says nothing.
    pub(crate) fn finish(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        match std::mem::replace(&mut self.at, At::Behind) {
            At::Text | At::Behind => String::new(),
            At::Opening | At::Otherwise => otherwise(&held),
        }
    }

    /// Tells what is held, up to the closing quote or an escape that is cut.
    fn unescape(&mut self) -> String {
        let mut text = String::with_capacity(self.held.len());
        let mut rest = self.held.as_str();
        loop {
            let plain = rest.find(['"', '\\']).unwrap_or(rest.len());
            let (before, marked) = rest.split_at_checked(plain).unwrap_or((rest, ""));
            text.push_str(before);
            match mark(marked) {
                Mark::Quote => {
                    self.at = At::Behind;
                    rest = "";
                    break;
                }
                Mark::Cut => {
                    rest = marked;
                    break;
                }
                Mark::Char(said, length) => {
                    text.push(said);
                    rest = marked.get(length..).unwrap_or_default();
                }
            }
        }
        self.held = rest.to_owned();
        text
    }
}

enum Opening {
    /// The text begins at this byte.
    Complete(usize),
    /// So far it fits.
    Cut,
    Other,
}

/// Where the text begins in arguments that begin as they should.
fn opening_end(json: &str) -> Opening {
    let mut rest = json;
    for token in ["{", r#""input""#, ":", "\""] {
        rest = rest.trim_ascii_start();
        match rest.strip_prefix(token) {
            Some(behind) => rest = behind,
            None if token.starts_with(rest) && json.len() <= LONGEST_OPENING => return Opening::Cut,
            None => return Opening::Other,
        }
    }
    Opening::Complete(json.len() - rest.len())
}

/// What stands at the beginning of a text behind its plain characters.
enum Mark {
    /// The text ends.
    Quote,
    /// What it is, the next piece tells.
    Cut,
    /// A character, and how many bytes stand for it.
    Char(char, usize),
}

fn mark(marked: &str) -> Mark {
    let mut chars = marked.chars();
    let (first, second) = (chars.next(), chars.next());
    if first == Some('"') {
        return Mark::Quote;
    }
    let said = match second {
        None => return Mark::Cut,
        Some('u') => return unicode(marked),
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some(said @ ('"' | '\\' | '/')) => said,
        Some(_) => return NO_ESCAPE,
    };
    Mark::Char(said, 2)
}

/// What is no escape is a backslash: models forget to escape those of regular expressions.
const NO_ESCAPE: Mark = Mark::Char('\\', 1);

/// An escape such as `\u00e9`, or two of them that are a surrogate pair. Half a pair is no character.
fn unicode(marked: &str) -> Mark {
    let high = match unit(marked) {
        Unit::Is(high @ 0xd800..=0xdbff) => high,
        Unit::Is(code) => {
            return Mark::Char(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 6);
        }
        Unit::Cut => return Mark::Cut,
        Unit::Not => return NO_ESCAPE,
    };
    match unit(marked.get(6..).unwrap_or_default()) {
        Unit::Is(low @ 0xdc00..=0xdfff) => {
            let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            Mark::Char(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
        }
        Unit::Cut => Mark::Cut,
        Unit::Is(_) | Unit::Not => Mark::Char(char::REPLACEMENT_CHARACTER, 6),
    }
}

/// A UTF-16 code unit that is written as `\u` and four hexadecimal digits.
enum Unit {
    Is(u32),
    Cut,
    Not,
}

fn unit(text: &str) -> Unit {
    let mut bytes = text.bytes();
    for expected in [b'\\', b'u'] {
        match bytes.next() {
            Some(byte) if byte == expected => {}
            Some(_) => return Unit::Not,
            None => return Unit::Cut,
        }
    }
    let mut value = 0;
    for _ in 0..4 {
        let Some(byte) = bytes.next() else {
            return Unit::Cut;
        };
        let Some(digit) = char::from(byte).to_digit(16) else {
            return Unit::Not;
        };
        value = value * 16 + digit;
    }
    Unit::Is(value)
}

/// The text of arguments that are not as they should be.
fn otherwise(arguments: &str) -> String {
    let written = arguments.trim_ascii();
    if let Ok(fields) = Fields::parse(written.as_bytes()) {
        match fields.text("input") {
            Some(text) => return text.into_owned(),
            None if fields.iter().next().is_none() => return String::new(),
            None => {}
        }
    }
    serde_json::from_str(written).unwrap_or_else(|_| written.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::super::arguments;
    use super::*;

    /// The text, told in pieces as the arguments are cut.
    fn in_pieces(arguments: &str, cuts: &[Index]) -> String {
        let mut places: Vec<usize> = cuts
            .iter()
            .map(|cut| cut.index(arguments.len() + 1))
            .filter(|place| arguments.is_char_boundary(*place))
            .collect();
        places.sort_unstable();
        places.push(arguments.len());
        let (mut reader, mut told, mut from) = (InputReader::default(), String::new(), 0);
        for place in places {
            told += &reader.push(&arguments[from..place]);
            from = place;
        }
        told + &reader.finish()
    }

    #[test]
    fn text_is_told_as_it_comes() {
        let mut reader = InputReader::default();
        let told: Vec<_> = [
            "{\"inp",
            "ut\" : ",
            "\"*** Be",
            "gin\\",
            "n\\ud83d",
            "\\ude00 \\\"x\\\"",
            "\"",
            "}",
        ]
        .into_iter()
        .map(|piece| reader.push(piece))
        .collect();
        assert_eq!(told, ["", "", "*** Be", "gin", "\n", "😀 \"x\"", "", ""]);
        assert!(reader.is_complete());
        assert_eq!(reader.finish(), "");
    }

    #[test]
    fn a_long_piece_is_told_at_once_and_endless_space_is_not_waited_for() {
        let long = "x".repeat(2 * LONGEST_OPENING);
        assert_eq!(
            InputReader::default().push(&format!("{{\"input\":\"{long}")),
            long
        );
        let mut reader = InputReader::default();
        assert_eq!(reader.push(&" ".repeat(LONGEST_OPENING + 1)), "");
        assert_eq!(reader.push(r#"{"input":"x"}"#), "", "told at the end");
        assert_eq!(reader.finish(), "x");
    }

    #[test]
    fn other_arguments_are_told_at_the_end() {
        let cases = [
            ("", ""),
            (" {} ", ""),
            (r#"{"why":"so","input":"x\n"}"#, "x\n"),
            (r#"{"patch":"x"}"#, r#"{"patch":"x"}"#),
            (r#"{"input":["x"]}"#, r#"{"input":["x"]}"#),
            (r#""all of it""#, "all of it"),
            ("*** Begin Patch", "*** Begin Patch"),
            (r#"{"inp"#, r#"{"inp"#),
        ];
        for (arguments, text) in cases {
            assert_eq!(input(arguments), text, "{arguments}");
            let mut reader = InputReader::default();
            assert_eq!(reader.push(arguments), "", "{arguments}");
        }
    }

    #[test]
    fn what_is_cut_or_wrong_within_the_text_costs_no_more_than_itself() {
        let cases = [
            (r#"{"input":"so far"#, "so far"),
            (r#"{"input":"so far\u00e"#, "so far"),
            (r#"{"input":"a\ud83d b"}"#, "a\u{fffd} b"),
            (r#"{"input":"a\ude00b"}"#, "a\u{fffd}b"),
            (r#"{"input":"\d+\u{41}\."}"#, r"\d+\u{41}\."),
            ("{\"input\":\"a\nb\"}", "a\nb"),
            (r#"{"input":"x","more":"y"}"#, "x"),
        ];
        for (arguments, text) in cases {
            assert_eq!(input(arguments), text, "{arguments}");
        }
    }

    /// A string of JSON in which each character is written as an escape.
    fn all_escaped(text: &str) -> String {
        let units = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
        format!("\"{}\"", units.collect::<String>())
    }

    proptest! {
        #[test]
        fn the_text_comes_out_wherever_it_is_cut(
            text in "([\\PC\"\\\\\\x00-\\x1f🦀]{0,12})",
            space in "[ \n]{0,3}",
            escapes: bool,
            cuts in proptest::collection::vec(any::<Index>(), 0..8),
        ) {
            let quoted = if escapes { all_escaped(&text) } else { serde_json::to_string(&text).unwrap() };
            let json = format!("{space}{{{space}\"input\"{space}:{space}{quoted}{space}}}");
            prop_assert_eq!(in_pieces(&json, &cuts), &*text);
            prop_assert_eq!(in_pieces(&arguments(&text), &cuts), text);
        }

        #[test]
        fn whatever_comes_is_the_same_in_pieces(
            json in r#"(\{"input":)?["\\ud83e0-9{}:, \.é🦀n]{0,24}"#,
            cuts in proptest::collection::vec(any::<Index>(), 0..8),
        ) {
            prop_assert_eq!(in_pieces(&json, &cuts), input(&json));
        }
    }
}
