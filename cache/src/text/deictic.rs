//! Texts that point at something outside of them.
//!
//! "Translate that into French" means another thing each time. When in doubt, a text points: what is lost is a hit,
//! not an answer's truth. English in some depth, since that is what the built-in embedder reads; of other languages the
//! words that mostly point. Lists are words with a blank between.

use std::sync::{LazyLock, OnceLock};

use hashbrown::HashSet;

/// Words that point wherever they stand.
static POINTING: List = List::of("this these above below aforementioned foregoing again attached previously");

/// Words that point if one of the others comes next.
const POINTING_WITH: [(&str, &str); 21] = [
    ("what", "else about"),
    ("how", "else about"),
    ("who", "else"),
    ("where", "else"),
    ("anything", "else"),
    ("something", "else"),
    (
        "your",
        "last previous earlier prior answer response reply explanation suggestion",
    ),
    (
        "you",
        "said wrote mentioned gave suggested listed told described meant",
    ),
    (
        "just",
        "said wrote mentioned gave suggested listed told described meant",
    ),
    ("the", "following former latter above same rest aforementioned"),
    (
        "last",
        "one ones answer response message reply point option suggestion",
    ),
    (
        "previous",
        "one ones answer response message reply point option suggestion",
    ),
    (
        "next",
        "one ones answer response message reply point option suggestion",
    ),
    (
        "first",
        "one ones answer response message reply point option suggestion",
    ),
    (
        "second",
        "one ones answer response message reply point option suggestion",
    ),
    (
        "third",
        "one ones answer response message reply point option suggestion",
    ),
    (
        "other",
        "one ones answer response message reply point option suggestion",
    ),
    ("same", "thing but for with question"),
    ("once", "more"),
    ("wrong", "here"),
    ("about", "it them him her"),
];

/// Words that a text begins with which goes on from something.
static GOING_ON: List = List::of(
    "continue proceed elaborate and but or so also then instead rephrase more it its they he she that",
);

/// The same, if one of the others comes next.
const GOING_ON_WITH: [(&str, &str); 8] = [
    ("go", "on ahead"),
    ("carry", "on"),
    ("keep", "going"),
    ("why", "not so"),
    ("how", "so"),
    ("one", "more one example way"),
    ("another", "more one example way"),
    ("any", "other others more alternatives"),
];

/// Words that answer something, at the beginning of a text of few words.
static REPLIES: List = List::of("no yes ok okay thanks actually");

/// So many, then.
const FEW_WORDS: usize = 12;

/// Orders that are complete with an object only, which then must not be a pronoun.
static ORDERS: List = List::of(
    "translate explain fix do redo make rewrite rephrase reword summarize summarise shorten expand convert \
    improve describe simplify try run use write format correct check review debug refactor change update repeat say put test \
    finish complete extend clarify tell give show",
);

/// Words that stand for something else where an order's object should be.
static PRONOUNS: List = List::of("it that them those one both all him her");

/// Words that stand for someone or something named before.
static NAMED_BEFORE: List = List::of("they he she them its their his hers");

/// What comes before a `that` which is no conjunction.
const BEFORE_THAT: &str = "about like of than with from did does is was";

/// What comes after a `that` which is an order's object.
const AFTER_THAT: &str = "in into to for please as more better with code text and";

/// Things that a text would hold itself if it were whole: "summarize the article", and what may come after them.
const SUPPLIED: &str = "text passage paragraph sentence snippet article attachment screenshot conversation chat transcript excerpt";
const AFTER_SUPPLIED: &str = "into in to for please and";

/// Words that say nothing alone. A text of nothing but these answers something that was said before.
static FILLERS: List = List::of(
    "a again agree ahead also and anything at bit but correct detail details else example examples exactly \
    go good great how in little longer many more next no not of ok okay on please really right shorter so sure thanks the \
    then why wrong yes you",
);

/// Words of other languages that point, here and mostly.
static ELSEWHERE: List = List::of(
    "dies diese dieser dieses diesen diesem oben unten nochmal folgende folgenden folgendes obige obigen \
    weiter ceci cela ça celui suivant suivante précédent précédente esto eso anterior siguiente arriba abajo continúa questo \
    quello isto isso это этот",
);

/// The same in scripts without blanks between words.
const UNSPACED: [&str; 10] = [
    "这个", "那个", "上面", "以上", "下面", "以下", "继续", "これ", "それ", "上記",
];

/// Words that point or do not, by what stands around them in ways of their own.
const BY_THEIR_PLACE: &str = "those the option point step item too instead though same here that it";

/// All words that [`points`] looks at twice: most words are none, and cost one look-up.
static POINTERS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let [pointing, pronouns, named, elsewhere] =
        [&POINTING, &PRONOUNS, &NAMED_BEFORE, &ELSEWHERE].map(|list| list.words);
    words_of(
        &[pointing, pronouns, named, elsewhere, BY_THEIR_PLACE],
        &POINTING_WITH,
    )
});

/// Whether `text` cannot be understood without what was said, shown or answered before. Of nothing at all: yes.
pub fn deictic(text: &str) -> bool {
    let lower = text.to_lowercase();
    is_deictic(&lower, &words(&lower))
}

/// The words of a text: runs of letters and digits.
pub(super) fn words(text: &str) -> Vec<&str> {
    let parts = text.split(|c: char| !c.is_alphanumeric());
    parts.filter(|word| !word.is_empty()).collect()
}

/// [`deictic`] of a text in lower case, and its words.
pub(super) fn is_deictic(lower: &str, words: &[&str]) -> bool {
    words.iter().all(|word| FILLERS.has(word))
        || (!lower.is_ascii() && UNSPACED.iter().any(|part| lower.contains(part)))
        || goes_on(words)
        || (words.iter().enumerate())
            .filter(|(_, word)| POINTERS.contains(**word))
            .any(|(at, _)| points(&Place { words, at }))
}

/// A word among others.
struct Place<'a> {
    words: &'a [&'a str],
    at: usize,
}

impl<'a> Place<'a> {
    fn word(&self) -> &'a str {
        self.after(0)
    }

    /// Empty: there are not so many.
    fn after(&self, by: usize) -> &'a str {
        self.words.get(self.at + by).copied().unwrap_or_default()
    }

    /// Empty: there are not so many.
    fn before(&self, by: usize) -> &'a str {
        let at = self.at.checked_sub(by);
        at.and_then(|at| self.words.get(at)).copied().unwrap_or_default()
    }

    fn is_last(&self) -> bool {
        self.at + 1 == self.words.len()
    }

    /// Whether no more than three words came before: too few to have named what is meant.
    fn is_early(&self) -> bool {
        self.at <= 3
    }

    fn is_object_of_order(&self) -> bool {
        ORDERS.has(self.before(1))
    }
}

fn goes_on(words: &[&str]) -> bool {
    let place = Place { words, at: 0 };
    GOING_ON.has(place.word())
        || among_pairs(&GOING_ON_WITH, &place)
        || (REPLIES.has(place.word()) && words.len() <= FEW_WORDS)
}

/// Of [`POINTERS`] only.
fn points(place: &Place<'_>) -> bool {
    let word = place.word();
    let by_others = match word {
        "those" => !among("who that with of in", place.after(1)),
        "the" => supplies_nothing(place),
        "option" | "point" | "step" | "item" => place.after(1).parse::<u32>().is_ok(),
        "too" | "instead" | "though" | "same" | "here" => place.is_last(),
        "that" => is_thing(place),
        "it" => is_unnamed(place),
        _ => NAMED_BEFORE.has(word) && place.is_early(),
    };
    by_others
        || POINTING.has(word)
        || among_pairs(&POINTING_WITH, place)
        || (PRONOUNS.has(word) && place.is_object_of_order() && place.is_early() && word != "that")
        || ELSEWHERE.has(word)
}

/// Whether `the` is that of a text which is not here.
fn supplies_nothing(place: &Place<'_>) -> bool {
    among(SUPPLIED, place.after(1)) && (place.after(2).is_empty() || among(AFTER_SUPPLIED, place.after(2)))
}

/// Whether `that` stands for a thing: it is no conjunction.
fn is_thing(place: &Place<'_>) -> bool {
    place.is_last()
        || among(BEFORE_THAT, place.before(1))
        || (place.is_object_of_order() && among(AFTER_THAT, place.after(1)))
}

/// Whether `it` stands for a thing that has not been named. "Is it legal to own a fox" and "what time is it in Tokyo" need
/// nothing before them; "is it legal" does.
fn is_unnamed(place: &Place<'_>) -> bool {
    let of_time = among("time day date year", place.before(2)) && place.before(1) == "is";
    place.after(2).is_empty() && place.is_early() && !of_time
}

/// A list that is long, or that many words are looked up in.
struct List {
    words: &'static str,
    set: OnceLock<HashSet<&'static str>>,
}

impl List {
    const fn of(words: &'static str) -> Self {
        let set = OnceLock::new();
        Self { words, set }
    }

    fn has(&self, word: &str) -> bool {
        let set = self
            .set
            .get_or_init(|| self.words.split_ascii_whitespace().collect());
        set.contains(word)
    }
}

/// Whether `word` is one of a short list.
pub(super) fn among(list: &str, word: &str) -> bool {
    !word.is_empty() && list.split_ascii_whitespace().any(|it| it == word)
}

/// All words of `lists`, and the first ones of `pairs`.
pub(super) fn words_of(lists: &[&'static str], pairs: &[(&'static str, &str)]) -> HashSet<&'static str> {
    let lists = lists.iter().flat_map(|list| list.split_ascii_whitespace());
    lists.chain(pairs.iter().map(|(first, _)| *first)).collect()
}

fn among_pairs(pairs: &[(&str, &str)], place: &Place<'_>) -> bool {
    let word = place.word();
    let mut pairs = pairs.iter().filter(|(first, _)| *first == word);
    pairs.any(|(_, next)| among(next, place.after(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_point_are_found() {
        for text in [
            "",
            "?",
            "continue",
            "Go on.",
            "keep going",
            "why?",
            "Why not?",
            "and in French?",
            "yes",
            "Thanks!",
            "more examples please",
            "What about it?",
            "How about Berlin?",
            "what else",
            "Translate that into French",
            "Explain this",
            "Can you explain this code?",
            "Summarize the following:",
            "Summarize the article",
            "fix it",
            "Make it shorter",
            "make them rhyme",
            "what is it?",
            "is the above correct?",
            "See below.",
            "do it again",
            "try once more",
            "Your last answer was wrong",
            "your previous response",
            "you said Rust was fast",
            "As you just mentioned, why?",
            "the second one please",
            "What is the latter used for?",
            "the same for Python",
            "explain option 2",
            "What does that mean?",
            "Why is that?",
            "Who is he?",
            "Are they expensive?",
            "where did he live",
            "It does not compile",
            "another example",
            "any other ideas?",
            "What does it do?",
            "Rewrite the paragraph in plain words",
            "what's wrong here?",
            "Übersetze dies",
            "Traduis ceci en anglais",
            "Explica esto",
            "继续",
            "これは何ですか",
            "What’s this?",
            "no, in Python",
            "Tell me more about it",
            "now in Spanish too",
        ] {
            assert!(deictic(text), "{text:?}");
        }
    }

    #[test]
    fn whole_questions_do_not_point() {
        for text in [
            "What is the capital of Peru?",
            "How do I reset my password?",
            "Is it legal to own a fox in Ohio?",
            "how long does it take to boil an egg",
            "What time is it in Tokyo?",
            "Explain that the earth is round to a child",
            "Write a poem about autumn",
            "Who said that knowledge is power?",
            "How do I install Docker and run it?",
            "What is the difference between a list and a tuple?",
            "I know that cats sleep a lot; how long do they sleep?",
            "Give me an example of a monad",
            "What happened in the following decades of Rome",
            "Why do people who follow diets fail?",
            "translate good morning to French",
            "Can those who are colour-blind drive?",
            "How do I make bread?",
            "Next.js routing",
            "what does idempotent mean?",
            "Is there life on Mars?",
            "Wie hoch ist der Eiffelturm?",
            "Quelle est la capitale du Pérou ?",
            "List all prime numbers below",
        ] {
            // "the following decades" and "below" are doubtful: they may point.
            let doubtful = text.contains("following") || text.contains("below");
            assert_eq!(deictic(text), doubtful, "{text:?}");
        }
    }

    #[test]
    fn a_megabyte_is_looked_through() {
        assert!(!deictic(&"What is the capital of Peru? ".repeat(1 << 15)));
    }
}
