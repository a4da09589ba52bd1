//! What tells two questions apart for certain: where one of these fires, no cosine and no score makes them one.
//!
//! Each is a pure function of the two analyses and does not depend on which comes first. They err on the side of
//! silence about likeness: a guard that fires wrongly costs one call, one that stays silent wrongly an answer that is
//! wrong.

use serde::{Deserialize, Serialize};

use super::contrasts::{cased_otherwise, confused, permission, reversed, tense};
use super::lexicon::{kind_name, unit_name};
use super::lists::{ASKING, TIME_GROUPS};
use super::pair::{Odd, Pair};
use super::words::{Analysis, Persons, Word};

/// A reason why two questions are not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// One is much longer, or too long to have been read to its end.
    Length,
    /// Words of scripts other than Latin differ.
    Script,
    /// Operators, emoji or other signs differ.
    Sign,
    /// A number of one is not in the other.
    Number,
    /// Each has a unit that the other lacks.
    Unit,
    /// One says not.
    Negation,
    /// Each has a word that is the opposite of one of the other's.
    Antonym,
    /// Each has a member of the same kind (weekdays, countries, colours, …).
    Kind,
    /// Each has a name that the other lacks.
    Name,
    /// An identifier, path or flag of one is not in the other.
    Code,
    /// What one quotes is not in the other.
    Quote,
    /// One asks when, the other where; and the like.
    Asking,
    /// My and your, his and her; who does it to whom.
    Pronoun,
    /// Yesterday and tomorrow; often and seldom.
    Time,
    /// The same words, but two of them have changed places.
    Order,
    /// To and from, before and after the same word.
    Direction,
    /// One asks for what the other does, and for more.
    Superset,
}

/// The words that made a guard fire, of either side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Of the first question.
    pub a: String,
    /// Of the second.
    pub b: String,
}

impl Guard {
    /// All of them, the cheapest and most frequent first.
    pub const ALL: [Self; 17] = [
        Self::Length,
        Self::Script,
        Self::Sign,
        Self::Number,
        Self::Unit,
        Self::Negation,
        Self::Name,
        Self::Kind,
        Self::Antonym,
        Self::Code,
        Self::Quote,
        Self::Asking,
        Self::Pronoun,
        Self::Time,
        Self::Direction,
        Self::Order,
        Self::Superset,
    ];

    /// The name of the feature that says whether it would fire.
    pub(super) fn feature(self) -> &'static str {
        match self {
            Self::Length => "guard_length",
            Self::Script => "guard_script",
            Self::Sign => "guard_sign",
            Self::Number => "guard_number",
            Self::Unit => "guard_unit",
            Self::Negation => "guard_negation",
            Self::Antonym => "guard_antonym",
            Self::Kind => "guard_kind",
            Self::Name => "guard_name",
            Self::Code => "guard_code",
            Self::Quote => "guard_quote",
            Self::Asking => "guard_asking",
            Self::Pronoun => "guard_pronoun",
            Self::Time => "guard_time",
            Self::Order => "guard_order",
            Self::Direction => "guard_direction",
            Self::Superset => "guard_superset",
        }
    }
}

/// The first guard that tells the two apart. `None`: none does.
pub(super) fn first(pair: &Pair<'_>) -> Option<Guard> {
    Guard::ALL.into_iter().find(|guard| check(*guard, pair).is_some())
}

/// Of each guard, whether it fires.
pub(super) fn all(pair: &Pair<'_>) -> [bool; Guard::ALL.len()] {
    Guard::ALL.map(|guard| check(guard, pair).is_some())
}

/// Why `guard` tells the two apart. `None`: it does not.
pub(super) fn check(guard: Guard, pair: &Pair<'_>) -> Option<Evidence> {
    let (a, b) = (pair.a, pair.b);
    match guard {
        Guard::Length => length(a, b),
        Guard::Script => (a.foreign != b.foreign).then(|| evidence("", "")),
        Guard::Sign => (a.signs != b.signs).then(|| evidence(signs(a), signs(b))),
        Guard::Number => number(a, b),
        Guard::Unit => unit(pair),
        Guard::Negation => negation(pair),
        Guard::Antonym => pair
            .opposites()
            .first()
            .copied()
            .map(|words| of_words(pair, words))
            .or_else(|| confused(pair)),
        Guard::Kind => pair.kinds().map(|words| kind(pair, words)),
        Guard::Name => name(pair),
        Guard::Code => literal(a, b, true),
        Guard::Quote => literal(a, b, false),
        Guard::Asking => asks_otherwise(a, b)
            .then(|| evidence(asking(a), asking(b)))
            .or_else(|| permission(a, b).or_else(|| permission(b, a))),
        Guard::Pronoun => persons_differ(a, b).then(|| evidence(pronouns(a), pronouns(b))),
        Guard::Time => time(a, b).or_else(|| tense(pair)),
        Guard::Order => order(pair),
        Guard::Direction => pair.turned().next().map(|words| of_words(pair, words)),
        Guard::Superset => superset(pair),
    }
}

pub(super) fn evidence(a: impl Into<String>, b: impl Into<String>) -> Evidence {
    Evidence {
        a: a.into(),
        b: b.into(),
    }
}

fn of_words(pair: &Pair<'_>, (left, right): (&Word, &Word)) -> Evidence {
    let with = |of: &Analysis, word: &Word| of.phrase(word);
    evidence(with(pair.a, left), with(pair.b, right))
}

fn length(a: &Analysis, b: &Analysis) -> Option<Evidence> {
    let (x, y) = (a.words.len(), b.words.len());
    // Nothing, and what has not been read to its end, is like nothing else.
    let fires = !(a.complete && b.complete) || x == 0 || y == 0 || x.max(y) > 2 * x.min(y) + 3;
    fires.then(|| evidence(format!("{x} words"), format!("{y} words")))
}

fn signs(of: &Analysis) -> String {
    of.signs.iter().collect()
}

/// How many numbers of `of` the other lacks.
pub(super) fn lost_numbers(of: &Analysis, other: &Analysis) -> usize {
    lost(of, other, false).count()
}

fn lost(of: &Analysis, other: &Analysis, soft: bool) -> impl Iterator<Item = u16> {
    let has = |key: u64| other.numbers.iter().any(|number| number.key == key);
    of.numbers
        .iter()
        .filter(move |number| number.soft == soft && !has(number.key))
        .map(|number| number.word)
}

fn number(a: &Analysis, b: &Analysis) -> Option<Evidence> {
    let words =
        |of: &Analysis, other: &Analysis, soft| joined(lost(of, other, soft).map(|at| of.text_at(at)));
    let (x, y) = (words(a, b, false), words(b, a, false));
    if !(x.is_empty() && y.is_empty()) {
        return Some(evidence(x, y));
    }
    // First against second is a difference, first against nothing is none.
    let (x, y) = (words(a, b, true), words(b, a, true));
    (!x.is_empty() && !y.is_empty()).then(|| evidence(x, y))
}

pub(super) fn joined<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut all = String::new();
    for word in words {
        if !all.is_empty() {
            all.push_str(", ");
        }
        all.push_str(word);
    }
    all
}

fn unit(pair: &Pair<'_>) -> Option<Evidence> {
    let names = |odd: &Odd<'_>| {
        joined(
            odd.words
                .iter()
                .filter(|word| word.unit > 0)
                .map(|word| unit_name(word.unit)),
        )
    };
    let (x, y) = (names(&pair.only_a), names(&pair.only_b));
    (!x.is_empty() && !y.is_empty()).then(|| evidence(x, y))
}

fn negation(pair: &Pair<'_>) -> Option<Evidence> {
    let (a, b) = (pair.a, pair.b);
    // Between questions about the very same, each "not" counts; otherwise only whether there is any.
    let same = pair.only_a.topics.is_empty() && pair.only_b.topics.is_empty();
    let fires = (a.negations > 0) != (b.negations > 0) || (same && a.negations != b.negations);
    if !fires {
        return reversed(&pair.only_a, &pair.only_b, a).or_else(|| reversed(&pair.only_b, &pair.only_a, b));
    }
    let words = |of: &Analysis| {
        joined(
            of.words
                .iter()
                .filter(|word| word.negation)
                .map(|word| of.text(word)),
        )
    };
    fires.then(|| evidence(words(a), words(b)))
}

fn kind(pair: &Pair<'_>, (left, right): (&Word, &Word)) -> Evidence {
    let kind = kind_name(left.kind);
    evidence(
        format!("{} ({kind})", pair.a.text(left)),
        format!("{} ({kind})", pair.b.text(right)),
    )
}

fn name(pair: &Pair<'_>) -> Option<Evidence> {
    let words = |odd: &Odd<'_>, of: &Analysis| joined(odd.names.iter().map(|word| of.text(word)));
    let fires = !pair.only_a.names.is_empty() && !pair.only_b.names.is_empty();
    if fires {
        return Some(evidence(words(&pair.only_a, pair.a), words(&pair.only_b, pair.b)));
    }
    let cased = |word: &str| evidence(word, word);
    cased_otherwise(pair.a, pair.b)
        .or_else(|| cased_otherwise(pair.b, pair.a))
        .map(cased)
}

/// How many quotations and identifiers of `of` the other lacks.
pub(super) fn lost_literals(of: &Analysis, other: &Analysis) -> usize {
    of.literal
        .iter()
        .filter(|range| !contains(other, &squeezed(of, **range)))
        .count()
}

fn literal(a: &Analysis, b: &Analysis, code: bool) -> Option<Evidence> {
    let lost = |of: &Analysis, other: &Analysis| {
        let sort = of.literal.iter().filter(|range| is_code(of, **range) == code);
        let mut lost = sort
            .map(|range| squeezed(of, *range))
            .filter(|text| !contains(other, text));
        lost.next().unwrap_or_default()
    };
    let (x, y) = (lost(a, b), lost(b, a));
    (!(x.is_empty() && y.is_empty())).then(|| evidence(x, y))
}

fn is_code(of: &Analysis, (first, end): (u16, u16)) -> bool {
    end - first == 1 && of.words.get(usize::from(first)).is_some_and(|word| word.code)
}

/// The letters of some words without anything between: `get_user` is `get user`.
fn squeezed(of: &Analysis, (first, end): (u16, u16)) -> String {
    let words = of
        .words
        .get(usize::from(first)..usize::from(end))
        .unwrap_or_default();
    words.iter().map(|word| bare(of.text(word))).collect()
}

/// Without what is no letter; but a flag of one letter keeps all it has.
fn bare(word: &str) -> String {
    let letters: String = word
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, '+' | '#'))
        .collect();
    if letters.chars().count() > 1 {
        letters
    } else {
        word.to_owned()
    }
}

/// Whether consecutive words of `of` spell `text`.
fn contains(of: &Analysis, text: &str) -> bool {
    let bare: Vec<String> = of.words.iter().map(|word| bare(of.text(word))).collect();
    (0..bare.len()).any(|first| {
        let mut rest = text;
        for word in bare.iter().skip(first) {
            match rest.strip_prefix(&**word) {
                Some("") => return true,
                Some(left) => rest = left,
                None => return false,
            }
        }
        false
    })
}

/// Questions that want a thing of a certain sort, and not of the same.
pub(super) fn asks_otherwise(a: &Analysis, b: &Analysis) -> bool {
    a.asking != b.asking && definite(a) && definite(b)
}

fn asking(of: &Analysis) -> &'static str {
    ASKING
        .get(usize::from(of.asking).wrapping_sub(1))
        .map_or("", |it| it.1)
}

/// Asks for a reason, time, place, person or measure, and for nothing else.
fn definite(of: &Analysis) -> bool {
    !matches!(asking(of), "" | "what" | "which" | "how")
}

/// Whether the two speak of other persons, or of the same in other roles.
fn persons_differ(a: &Analysis, b: &Analysis) -> bool {
    const HE_AND_SHE: u8 = 1 << 3 | 1 << 4;
    let (left, right) = (a.persons, b.persons);
    if left == right || (anyone(a) && anyone(b)) {
        return false;
    }
    let exclude = |one: u8, other: u8| one & !other > 0 && other & !one > 0;
    let sexes = |persons: Persons| (persons.acting | persons.owning) & HE_AND_SHE;
    let (mut one, mut other) = (nibbles(left.order), nibbles(right.order));
    let same_order = one == other;
    one.sort_unstable();
    other.sort_unstable();
    let roles = one == other && !same_order;
    roles || exclude(left.owning, right.owning) || exclude(sexes(left), sexes(right))
}

fn nibbles(order: u64) -> Vec<u64> {
    (0..16)
        .map(|at| order >> (4 * at) & 15)
        .filter(|person| *person > 0)
        .collect()
}

/// `How do I find my …` and `how do you find your …`: either means anyone.
fn anyone(of: &Analysis) -> bool {
    const I_YOU_WE: [u8; 3] = [1 << 1, 1 << 2, 1 << 6];
    let persons = of.persons;
    let one = I_YOU_WE.contains(&(persons.acting | persons.owning));
    one && (persons.acting > 0 || asking(of) == "how" || (of.asking == Analysis::YES_OR_NO && !of.possessed))
}

fn pronouns(of: &Analysis) -> String {
    let lexicon = super::lexicon::Lexicon::built_in();
    joined(
        of.words
            .iter()
            .filter(|word| lexicon.facts(word.form).person > 0)
            .map(|word| of.text(word)),
    )
}

fn time(a: &Analysis, b: &Analysis) -> Option<Evidence> {
    let groups = |of: &Analysis| {
        (0_u8..)
            .zip(TIME_GROUPS)
            .filter(|it| of.times & it.1 > 0)
            .fold(0, |set, it| set | 1_u32 << it.0)
    };
    let (x, y) = (groups(a), groups(b));
    let lexicon = super::lexicon::Lexicon::built_in();
    let words = |of: &Analysis| {
        joined(
            of.words
                .iter()
                .filter(|word| lexicon.facts(word.form).time > 0)
                .map(|word| of.text(word)),
        )
    };
    (x & !y > 0 && y & !x > 0).then(|| evidence(words(a), words(b)))
}

fn order(pair: &Pair<'_>) -> Option<Evidence> {
    let odd = pair.only_a.topics.len() + pair.only_b.topics.len();
    if odd > 1 {
        return None;
    }
    let (left, right) = pair.exchanged?;
    let words = |of: &Analysis| {
        let place = |lemma: u64| of.words.iter().position(|word| word.lemma == lemma);
        let mut both: Vec<usize> = [left, right].into_iter().filter_map(place).collect();
        both.sort_unstable();
        joined(
            both.into_iter()
                .filter_map(|at| of.words.get(at))
                .map(|word| of.text(word)),
        )
    };
    Some(evidence(words(pair.a), words(pair.b)))
}

fn superset(pair: &Pair<'_>) -> Option<Evidence> {
    let (a, b) = (pair.a, pair.b);
    let more = |odd: &Odd<'_>, of: &Analysis| joined(odd.topics.iter().map(|topic| of.text_at(topic.word)));
    let (x, y) = (more(&pair.only_a, a), more(&pair.only_b, b));
    // "And why?" adds no topic: that is left to the score.
    let fires = (a.clauses > b.clauses && y.is_empty() && !x.is_empty())
        || (b.clauses > a.clauses && x.is_empty() && !y.is_empty());
    fires.then(|| evidence(x, y))
}
