//! What a text is like, as far as it decides whether it may be answered by meaning.

use std::sync::LazyLock;

use hashbrown::HashSet;
use unicode_script::{Script, UnicodeScript as _};

use super::deictic::{among, is_deictic, words, words_of};
use super::{WordPiece, secrets};

/// What a text is like. All of it is found by signs: the text is not understood.
#[expect(
    clippy::struct_excessive_bools,
    reason = "signs that are there or not, independent of each other"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// Word pieces, unknown ones included.
    pub tokens: usize,
    /// Word pieces that are unknown: a word each.
    pub unknown: usize,
    /// Whose letters it is written in.
    pub scripts: Scripts,
    /// It holds program text: a fence, an inline span in backticks, or lines that end like statements.
    pub code: bool,
    /// It holds an address of the web or of mail.
    pub address: bool,
    /// It holds what looks like a key, a token, a card or an account number.
    pub secret: bool,
    /// Its answer depends on when it is asked.
    pub timely: bool,
    /// It cannot be understood without its surroundings, see [`deictic`](super::deictic).
    pub deictic: bool,
}

impl Traits {
    /// Those of `text`, with the pieces that `tokenizer` makes. Takes time in proportion to its length: check that first.
    pub fn of(text: &str, tokenizer: &WordPiece) -> Self {
        let (mut tokens, mut unknown) = (0, 0);
        tokenizer.for_each(text, |token| {
            tokens += 1;
            unknown += usize::from(token == tokenizer.unknown());
        });
        let lower = text.to_lowercase();
        let words = words(&lower);
        Self {
            tokens,
            unknown,
            scripts: Scripts::of(text),
            code: holds_code(text),
            address: secrets::holds_address(text),
            secret: secrets::holds_secret(text),
            timely: is_timely(&words),
            deictic: is_deictic(&lower, &words),
        }
    }

    /// The share of word pieces that are unknown: 0 ..= 1. 1 if there are none at all: nothing is known of such a text.
    pub fn unknown_share(&self) -> f32 {
        if self.tokens == 0 {
            return 1.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a share, to a few digits")]
        let share = self.unknown as f32 / self.tokens as f32;
        share
    }
}

/// A set of scripts. Those of the world's larger languages are told apart, all others are one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scripts(u16);

impl Scripts {
    /// The Latin script alone.
    pub const LATIN: Self = Self(1);

    /// Those that the letters of `text` belong to. Digits, punctuation, symbols and marks belong to none.
    pub fn of(text: &str) -> Self {
        let ascii = text.bytes().any(|byte| byte.is_ascii_alphabetic());
        let beyond = text.chars().filter(|c| !c.is_ascii());
        beyond.fold(Self(u16::from(ascii)), |all, c| Self(all.0 | bit(c.script())))
    }

    /// Whether there are none: no letters.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` are among these.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

fn bit(script: Script) -> u16 {
    let place = match script {
        Script::Common | Script::Inherited | Script::Unknown => return 0,
        Script::Latin => 0,
        Script::Greek => 1,
        Script::Cyrillic => 2,
        Script::Armenian => 3,
        Script::Georgian => 4,
        Script::Hebrew => 5,
        Script::Arabic => 6,
        Script::Devanagari => 7,
        Script::Bengali => 8,
        Script::Tamil => 9,
        Script::Thai => 10,
        Script::Hangul => 11,
        Script::Hiragana | Script::Katakana => 12,
        Script::Han => 13,
        Script::Ethiopic => 14,
        _ => 15,
    };
    1 << place
}

/// Lines that end like statements, from which on a text holds code.
const STATEMENTS: usize = 2;

fn holds_code(text: &str) -> bool {
    let statement = |line: &&str| line.trim_end().ends_with([';', '{', '}']);
    text.contains('`')
        || text.contains("~~~")
        || text.lines().filter(statement).take(STATEMENTS).count() == STATEMENTS
}

/// Words after which an answer is of its day. Words with a blank between.
const OF_ITS_DAY: &str = "today todays tonight tomorrow yesterday now nowadays currently current presently latest newest recent \
    recently lately upcoming ongoing breaking news headlines weather forecast temperature trending ago heute gestern morgen \
    jetzt aktuell aujourd hier maintenant actuellement hoy ayer ahora";

/// The same, if one of the others comes next.
const OF_ITS_DAY_WITH: [(&str, &str); 15] = [
    ("this", SPANS),
    ("last", SPANS),
    ("next", SPANS),
    ("past", SPANS),
    ("what", "time day date year"),
    ("price", "of"),
    ("prices", "of"),
    ("cost", "of"),
    ("stock", RATES),
    ("share", RATES),
    ("exchange", RATES),
    ("interest", RATES),
    ("live", "score scores results stream"),
    ("so", "far"),
    ("as", "of"),
];
const SPANS: &str = "minute hour morning evening week weekend month quarter season year decade";
const RATES: &str = "price prices rate rates market";

static TIMELY: LazyLock<HashSet<&str>> = LazyLock::new(|| words_of(&[OF_ITS_DAY], &OF_ITS_DAY_WITH));

fn is_timely(words: &[&str]) -> bool {
    let mut candidates = words
        .iter()
        .enumerate()
        .filter(|(_, word)| TIMELY.contains(**word));
    candidates.any(|(at, word)| {
        let next = words.get(at + 1).copied().unwrap_or_default();
        let with = |(first, others): &(&str, &str)| first == word && among(others, next);
        among(OF_ITS_DAY, word) || OF_ITS_DAY_WITH.iter().any(with)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traits(text: &str) -> Traits {
        Traits::of(text, WordPiece::built_in())
    }

    #[test]
    fn a_plain_question_has_no_traits_but_its_length() {
        let expected = Traits {
            tokens: 7,
            unknown: 0,
            scripts: Scripts::LATIN,
            code: false,
            address: false,
            secret: false,
            timely: false,
            deictic: false,
        };
        assert_eq!(traits("What is the capital of Peru?"), expected);
    }

    #[test]
    fn what_is_not_known_is_counted() {
        let traits = traits("What does \u{3400}\u{3401} mean?");
        assert_eq!((traits.tokens, traits.unknown), (6, 2));
        assert!((traits.unknown_share() - 2.0 / 6.0).abs() < 1e-6);
        assert!((self::traits("").unknown_share() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn scripts_are_those_of_the_letters() {
        let latin = |text| Scripts::of(text) == Scripts::LATIN;
        assert!(latin("naïve café, 3 €!") && latin("e\u{301} 😀"));
        assert!(Scripts::of("1 + 2 = 3 — ☕").is_empty());
        assert_ne!(Scripts::of("Москва"), Scripts::of("Αθήνα"));
        assert_ne!(Scripts::of("paypal"), Scripts::of("pаypal"), "a Cyrillic а");
        let mixed = Scripts::of("Rust は何ですか");
        assert!(
            mixed.contains(Scripts::LATIN)
                && mixed.contains(Scripts::of("何"))
                && !mixed.contains(Scripts::of("한"))
        );
        assert_eq!(Scripts::of("ひらがな"), Scripts::of("カタカナ"));
        assert!(!Scripts::of("ᏣᎳᎩ").is_empty());
    }

    #[test]
    fn code_is_seen() {
        for text in [
            "run `ls`",
            "```\nx\n```",
            "~~~\nx\n~~~",
            "int a;\nint b;",
            "if (a) {\n}",
        ] {
            assert!(traits(text).code, "{text:?}");
        }
        for text in [
            "",
            "What is a list; what is a tuple",
            "First, this.\nSecond, that;",
        ] {
            assert!(!traits(text).code, "{text:?}");
        }
    }

    #[test]
    fn what_is_of_its_day_is_seen() {
        for text in [
            "What is the weather in Paris?",
            "latest Rust version",
            "Who won today?",
            "price of gold",
            "Tesla stock price",
            "what time is it in Tokyo",
            "events next week",
            "elections this year",
            "who is the CURRENT president of France",
            "two days ago",
            "Wie wird das Wetter heute?",
        ] {
            assert!(traits(text).timely, "{text:?}");
        }
        for text in [
            "",
            "What is the capital of Peru?",
            "How do I know whether it is known?",
            "What does nowhere mean?",
            "Is a share a bond?",
        ] {
            assert!(!traits(text).timely, "{text:?}");
        }
    }
}
