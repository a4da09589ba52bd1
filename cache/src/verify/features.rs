//! What the trees see of two questions: numbers that do not depend on which of the two comes first. This file is the
//! only definition of them: the trees are grown on what it computes.

use super::alignment::Alignment;
use super::guards::{self, Guard};
use super::pair::{Odd, Pair, alike};
use super::words::{Analysis, Topic};

/// A feature's name and value.
pub(super) type Named = (&'static str, f32);

const TOPICS: usize = 15;
const SHAPES: usize = 15;
const GUARDS: usize = Guard::ALL.len();
const COUNTS: usize = 13;
const MANNERS: usize = 16;
const PIECES: usize = 14;

/// How many features there are.
pub const N: usize = TOPICS + SHAPES + GUARDS + COUNTS + MANNERS + PIECES;

/// All features with their names. `cosine` is that of the two questions' vectors; `fired` says of each of [`Guard::ALL`]
/// whether it fires.
pub(super) fn named(
    pair: &Pair<'_>,
    alignment: &Alignment,
    cosine: f32,
    fired: [bool; GUARDS],
) -> [Named; N] {
    let mut all = [("", 0.0); N];
    let sections = topics(pair)
        .into_iter()
        .chain(shapes(pair))
        .chain(guarded(fired))
        .chain(counts(pair))
        .chain(manners(pair))
        .chain(pieces(alignment, cosine));
    for (slot, feature) in all.iter_mut().zip(sections) {
        *slot = feature;
    }
    all
}

/// What the two are about: topics shared and not, weighed by how rare they are.
fn topics(pair: &Pair<'_>) -> [Named; TOPICS] {
    let sum = |topics: &[&Topic]| topics.iter().map(|topic| topic.idf).sum::<f32>();
    let most = |topics: &[&Topic]| topics.iter().map(|topic| topic.idf).fold(0.0, f32::max);
    // Both have the word; its rarity is that of the form that is more common.
    let shared: f32 = pair.shared.iter().map(|(x, y)| x.idf.min(y.idf)).sum();
    let (only_a, only_b) = (&pair.only_a.topics, &pair.only_b.topics);
    let (idf_lo, idf_hi) = ordered(sum(only_a), sum(only_b));
    let (max_lo, max_hi) = ordered(most(only_a), most(only_b));
    let (n_lo, n_hi) = ordered(count(only_a.len()), count(only_b.len()));
    let (new_lo, new_hi) = ordered(
        strange((pair.a, only_a), (pair.b, only_b)),
        strange((pair.b, only_b), (pair.a, only_a)),
    );
    let all = pair.shared.len() + only_a.len() + only_b.len();
    [
        ("topic_jaccard", ratio(count(pair.shared.len()), count(all))),
        ("topic_shared_n", count(pair.shared.len())),
        ("topic_shared_idf", shared),
        ("topic_overlap", ratio(shared, shared + idf_lo + idf_hi)),
        ("topic_odd_idf_lo", idf_lo),
        ("topic_odd_idf_hi", idf_hi),
        ("topic_odd_max_lo", max_lo),
        ("topic_odd_max_hi", max_hi),
        ("topic_odd_product", max_lo * max_hi),
        ("topic_odd_n_lo", n_lo),
        ("topic_odd_n_hi", n_hi),
        ("topic_subset", truth(n_lo == 0.0)),
        ("topic_same", truth(n_hi == 0.0)),
        ("topic_strange_lo", new_lo),
        ("topic_strange_hi", new_hi),
    ]
}

/// The rarity of topics that the other side has not even in another form or spelling.
fn strange((mine, odd): (&Analysis, &[&Topic]), (theirs, others): (&Analysis, &[&Topic])) -> f32 {
    let has_like = |topic: &&&Topic| {
        let text = mine.text_at(topic.word);
        let digits = text.bytes().any(|byte| byte.is_ascii_digit());
        !digits
            && others
                .iter()
                .take(32)
                .any(|other| alike(text, theirs.text_at(other.word)))
    };
    odd.iter()
        .filter(|topic| !has_like(topic))
        .map(|topic| topic.idf)
        .sum()
}

/// How alike the two are on the surface.
fn shapes(pair: &Pair<'_>) -> [Named; SHAPES] {
    let (a, b) = (pair.a, pair.b);
    let (len_lo, len_hi) = ordered(count(a.words.len()), count(b.words.len()));
    let grammar = |odd: &Odd<'_>| count(odd.words.iter().filter(|word| !word.topic).count());
    let (odd_lo, odd_hi) = ordered(grammar(&pair.only_a), grammar(&pair.only_b));
    let (middle_a, middle_b) = pair.middles();
    let (middle_lo, middle_hi) = ordered(count(middle_a), count(middle_b));
    let inversions = count(pair.inversions());
    let ranked = count(pair.ranks.len());
    let same_words = a.words.len() == b.words.len() && a.known == b.known;
    [
        ("known_jaccard", jaccard(&a.known, &b.known)),
        ("bigram_jaccard", jaccard(&a.bigrams, &b.bigrams)),
        ("trigram_jaccard", jaccard(&a.trigrams, &b.trigrams)),
        ("words_lo", len_lo),
        ("words_hi", len_hi),
        ("words_ratio", ratio(len_lo, len_hi)),
        ("grammar_odd_lo", odd_lo),
        ("grammar_odd_hi", odd_hi),
        ("sequence", ratio(count(pair.in_sequence()), len_hi)),
        ("middle_lo", middle_lo),
        ("middle_hi", middle_hi),
        ("inversions", inversions),
        (
            "inversion_share",
            ratio(inversions, (ranked * (ranked - 1.0) / 2.0).max(1.0)),
        ),
        ("exchanged", truth(pair.exchanged.is_some())),
        ("same_words_other_order", truth(same_words && inversions > 0.0)),
    ]
}

/// Which guards fire.
fn guarded(fired: [bool; GUARDS]) -> [Named; GUARDS] {
    let mut named = [("", 0.0); GUARDS];
    for ((slot, guard), fired) in named.iter_mut().zip(Guard::ALL).zip(fired) {
        *slot = (guard.feature(), truth(fired));
    }
    named
}

/// How much there is of what guards look at.
fn counts(pair: &Pair<'_>) -> [Named; COUNTS] {
    let (a, b) = (pair.a, pair.b);
    let (names_lo, names_hi) = ordered(count(pair.only_a.names.len()), count(pair.only_b.names.len()));
    let (missing_lo, missing_hi) = ordered(
        count(guards::lost_numbers(a, b)),
        count(guards::lost_numbers(b, a)),
    );
    let (literal_lo, literal_hi) = ordered(
        count(guards::lost_literals(a, b)),
        count(guards::lost_literals(b, a)),
    );
    let (unit_lo, unit_hi) = ordered(bits(a.units & !b.units), bits(b.units & !a.units));
    [
        ("names_odd_lo", names_lo),
        ("names_odd_hi", names_hi),
        ("numbers_odd_lo", missing_lo),
        ("numbers_odd_hi", missing_hi),
        (
            "numbers_any",
            truth(!(a.numbers.is_empty() && b.numbers.is_empty())),
        ),
        ("literal_odd_lo", literal_lo),
        ("literal_odd_hi", literal_hi),
        ("units_odd_lo", unit_lo),
        ("units_odd_hi", unit_hi),
        (
            "negation_difference",
            f32::from(a.negations.abs_diff(b.negations)),
        ),
        ("negation_any", truth(a.negations + b.negations > 0)),
        ("opposites", count(pair.opposites().len())),
        ("turned", count(pair.turned().count())),
    ]
}

/// In what manner it is asked: question word, persons, times, modals.
fn manners(pair: &Pair<'_>) -> [Named; MANNERS] {
    let (a, b) = (pair.a, pair.b);
    let differ = |of: fn(&Analysis) -> u32| bits((of(a) ^ of(b)).into());
    let both = |of: fn(&Analysis) -> u32| truth(of(a) & !of(b) > 0 && of(b) & !of(a) > 0);
    let (clauses_lo, clauses_hi) = ordered(f32::from(a.clauses), f32::from(b.clauses));
    [
        ("asking_same", truth(a.asking == b.asking)),
        ("asking_conflict", truth(guards::asks_otherwise(a, b))),
        (
            "asking_yes_no",
            truth(a.asking == Analysis::YES_OR_NO) + truth(b.asking == Analysis::YES_OR_NO),
        ),
        ("clauses_lo", clauses_lo),
        ("clauses_hi", clauses_hi),
        ("acting_odd", bits((a.persons.acting ^ b.persons.acting).into())),
        ("owning_odd", bits((a.persons.owning ^ b.persons.owning).into())),
        ("persons_order", truth(a.persons.order != b.persons.order)),
        ("times_odd", differ(|it| it.times)),
        ("times_both", both(|it| it.times)),
        ("modals_odd", differ(|it| it.modals)),
        ("modals_both", both(|it| it.modals)),
        ("quantifiers_odd", differ(|it| it.quantifiers)),
        ("quantifiers_both", both(|it| it.quantifiers)),
        ("tenses_odd", differ(|it| it.tenses)),
        ("tenses_both", both(|it| it.tenses)),
    ]
}

/// What the vectors and the pieces say.
fn pieces(alignment: &Alignment, cosine: f32) -> [Named; PIECES] {
    [
        ("cosine", cosine),
        ("piece_cosine", alignment.cosine),
        ("rest_cosine", alignment.rest_cosine),
        ("rest_lo", alignment.rest.0),
        ("rest_hi", alignment.rest.1),
        ("rest_sum", alignment.rest.0 + alignment.rest.1),
        ("worst_lo", alignment.worst.0),
        ("worst_hi", alignment.worst.1),
        ("unaligned_lo", alignment.unaligned.0),
        ("unaligned_hi", alignment.unaligned.1),
        ("unaligned_sum", alignment.unaligned.0 + alignment.unaligned.1),
        ("heaviest", alignment.heaviest),
        ("distance", alignment.distance),
        ("piece_jaccard", alignment.jaccard),
    ]
}

/// Of two sorted sets: how many they share, of all.
fn jaccard<T: Ord>(a: &[T], b: &[T]) -> f32 {
    let (mut x, mut y) = (a.iter().peekable(), b.iter().peekable());
    let mut shared = 0;
    while let (Some(left), Some(right)) = (x.peek(), y.peek()) {
        match left.cmp(right) {
            std::cmp::Ordering::Less => _ = x.next(),
            std::cmp::Ordering::Greater => _ = y.next(),
            std::cmp::Ordering::Equal => {
                shared += 1;
                _ = (x.next(), y.next());
            }
        }
    }
    ratio(count(shared), count(a.len() + b.len() - shared))
}

fn ordered(a: f32, b: f32) -> (f32, f32) {
    (a.min(b), a.max(b))
}

/// Nothing of nothing is all of it.
fn ratio(of: f32, to: f32) -> f32 {
    if to > 0.0 { of / to } else { 1.0 }
}

fn truth(it: bool) -> f32 {
    f32::from(u8::from(it))
}

fn bits(set: u128) -> f32 {
    count(set.count_ones() as usize)
}

#[expect(clippy::cast_precision_loss, reason = "a count of words")]
fn count(number: usize) -> f32 {
    number as f32
}
