//! Two analysed questions side by side: what they share, what only one has. Made once per comparison; guards and
//! features read it. Everything here is the same with the two exchanged, but for left and right.

use std::cell::OnceCell;

use super::lexicon::{Lexicon, hash};
use super::opposites::contrary_parts;
use super::words::{Analysis, Topic, Word};

/// No more topics than this are looked at for their order, and no more words for their common sequence.
const MAX_ORDER: usize = 32;
const MAX_SEQUENCE: usize = 64;

/// What one of the two has and the other lacks.
#[derive(Debug, Default)]
pub(super) struct Odd<'a> {
    pub(super) topics: Vec<&'a Topic>,
    /// Words that the other has not, neither form nor lemma, or not as often.
    pub(super) words: Vec<&'a Word>,
    /// Names the other lacks, even as initials.
    pub(super) names: Vec<&'a Word>,
}

/// Two questions.
#[derive(Debug)]
pub(super) struct Pair<'a> {
    pub(super) lexicon: &'static Lexicon,
    pub(super) a: &'a Analysis,
    pub(super) b: &'a Analysis,
    pub(super) shared: Vec<(&'a Topic, &'a Topic)>,
    pub(super) only_a: Odd<'a>,
    pub(super) only_b: Odd<'a>,
    /// For the topics both have, in the order of `a`: their rank in `b`.
    pub(super) ranks: Vec<usize>,
    /// Their lemmas.
    ranked: Vec<u64>,
    /// Two shared topics that have changed places around the same words, so that each does what the other did.
    pub(super) exchanged: Option<(u64, u64)>,
    opposites: OnceCell<Vec<(&'a Word, &'a Word)>>,
}

impl<'a> Pair<'a> {
    pub(super) fn new(a: &'a Analysis, b: &'a Analysis) -> Self {
        let (mut shared, mut only_a, mut only_b) = (Vec::new(), odd(a, b), odd(b, a));
        let (mut left, mut right) = (a.topics.iter().peekable(), b.topics.iter().peekable());
        loop {
            match (left.peek(), right.peek()) {
                (Some(x), Some(y)) if x.lemma == y.lemma => shared.extend(left.next().zip(right.next())),
                (Some(x), Some(y)) if x.lemma < y.lemma => only_a.topics.extend(left.next()),
                (Some(_) | None, Some(_)) => only_b.topics.extend(right.next()),
                (Some(_), None) => only_a.topics.extend(left.next()),
                (None, None) => break,
            }
        }
        let (x, y) = (leading(&a.order), leading(&b.order));
        let order: Vec<u64> = y.iter().copied().filter(|lemma| x.contains(lemma)).collect();
        let (ranked, ranks) = x
            .iter()
            .filter_map(|lemma| Some((*lemma, order.iter().position(|it| it == lemma)?)))
            .unzip();
        let mut pair = Self {
            lexicon: Lexicon::built_in(),
            a,
            b,
            shared,
            only_a,
            only_b,
            ranks,
            ranked,
            exchanged: None,
            opposites: OnceCell::new(),
        };
        pair.exchanged = pair.exchange();
        pair
    }

    /// Pairs of shared topics that follow each other differently.
    pub(super) fn inversions(&self) -> usize {
        self.rank_pairs().filter(|((_, x), (_, y))| x > y).count()
    }

    fn exchange(&self) -> Option<(u64, u64)> {
        let mut swaps = self.rank_pairs().filter(|((i, x), (j, y))| x == j && y == i);
        let swap = swaps.find_map(|((i, _), (j, _))| {
            let pair = (*self.ranked.get(i)?, *self.ranked.get(j)?);
            self.around_the_same(pair).then_some(pair)
        });
        swap.or_else(|| self.crossed())
    }

    fn around_the_same(&self, (left, right): (u64, u64)) -> bool {
        let find = |lemma: u64| self.shared.iter().find(|topic| topic.0.lemma == lemma);
        let (Some(left), Some(right)) = (find(left), find(right)) else {
            return false;
        };
        let a = between(self.a, left.0.word, right.0.word);
        let b = between(self.b, left.1.word, right.1.word);
        let topics = |words: &[Word]| {
            words
                .iter()
                .filter(|word| word.topic)
                .map(|word| word.lemma)
                .collect::<Vec<_>>()
        };
        let (x, y) = (topics(a), topics(b));
        if x.is_empty() && y.is_empty() {
            return a.iter().map(|word| word.form).eq(b.iter().map(|word| word.form));
        }
        x == y
    }

    /// The same topics as often, some more than once, two of them crosswise.
    fn crossed(&self) -> Option<(u64, u64)> {
        let (x, y) = (&self.a.order, &self.b.order);
        if x.len() != y.len() || x.len() == self.a.topics.len() {
            return None;
        }
        let mut differ = x.iter().zip(y).filter(|(x, y)| x != y);
        let (first, second) = (differ.next()?, differ.next()?);
        let crosswise = first.0 == second.1 && first.1 == second.0 && differ.next().is_none();
        crosswise.then_some((*first.0, *second.0))
    }

    /// All pairs of places in `a`, each with its rank in `b`.
    fn rank_pairs(&self) -> impl Iterator<Item = ((usize, usize), (usize, usize))> + '_ {
        let places = || self.ranks.iter().copied().enumerate();
        places().flat_map(move |left| places().skip(left.0 + 1).map(move |right| (left, right)))
    }

    /// Opposites, one on each side: each word of `a` that has one among those only `b` has.
    pub(super) fn opposites(&self) -> &[(&'a Word, &'a Word)] {
        self.opposites.get_or_init(|| {
            let (left, right) = (&self.only_a.words, &self.only_b.words);
            let pairs = left
                .iter()
                .flat_map(|left| right.iter().map(move |right| (*left, *right)));
            pairs.filter(|(left, right)| self.contrary(left, right)).collect()
        })
    }

    fn contrary(&self, left: &Word, right: &Word) -> bool {
        let is = |other: u64| other == right.form || other == right.lemma;
        let listed = [left.form, left.lemma]
            .iter()
            .any(|word| self.lexicon.opposites(*word).iter().any(|it| is(*it)));
        let (left, right) = (self.a.text(left), self.b.text(right));
        listed || contrary_parts(left, right) || self.compared(left, right)
    }

    /// Opposites in the same degree of comparison: `larger` and `smaller`, `easiest` and `hardest`.
    fn compared(&self, left: &str, right: &str) -> bool {
        let opposed = |left: &str, right: &str| self.lexicon.opposites(hash(left)).contains(&hash(right));
        ["er", "est"].iter().any(|degree| {
            let of = |word: &str| positives(word.strip_suffix(degree)?);
            of(left).zip(of(right)).is_some_and(|(left, right)| {
                left.iter()
                    .any(|left| right.iter().any(|right| opposed(left, right)))
            })
        })
    }

    /// Members of one kind, one on each side.
    pub(super) fn kinds(&self) -> Option<(&'a Word, &'a Word)> {
        let mut members = self.only_a.words.iter().filter(|word| word.kind > 0);
        members.find_map(|left| {
            let right = self.only_b.words.iter().find(|right| right.kind == left.kind)?;
            Some((*left, *right))
        })
    }

    /// Shared topics before which the two have prepositions that cannot stand for each other.
    pub(super) fn turned(&self) -> impl Iterator<Item = (&'a Word, &'a Word)> + '_ {
        let words = self.shared.iter().filter_map(|(x, y)| {
            Some((
                self.a.words.get(usize::from(x.word))?,
                self.b.words.get(usize::from(y.word))?,
            ))
        });
        words.filter(|(x, y)| self.lexicon.contrary(x.preposition, y.preposition))
    }

    /// How many words the two have in common in the same sequence (longest common subsequence of lemmas).
    pub(super) fn in_sequence(&self) -> usize {
        let lemmas = |it: &'a Analysis| -> Vec<u64> {
            it.words
                .iter()
                .take(MAX_SEQUENCE)
                .map(|word| word.lemma)
                .collect()
        };
        let (a, b) = (lemmas(self.a), lemmas(self.b));
        // A common beginning and a common end are in some longest one.
        let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
        let (a, b) = (
            a.get(head..).unwrap_or_default(),
            b.get(head..).unwrap_or_default(),
        );
        let tail = a
            .iter()
            .rev()
            .zip(b.iter().rev())
            .take_while(|(x, y)| x == y)
            .count();
        let inner = |of: &[u64]| of.len() - tail;
        let (a, b) = (
            a.get(..inner(a)).unwrap_or_default(),
            b.get(..inner(b)).unwrap_or_default(),
        );
        let mut row = [0_usize; MAX_SEQUENCE + 1];
        for x in a {
            let (mut corner, mut left) = (0, 0);
            for (y, cell) in b.iter().zip(row.iter_mut().skip(1)) {
                let best = if x == y { corner + 1 } else { left.max(*cell) };
                (corner, left) = (*cell, best);
                *cell = best;
            }
        }
        head + row.into_iter().max().unwrap_or(0) + tail
    }

    /// The words of each that are left when the same beginning and the same end are taken away.
    pub(super) fn middles(&self) -> (usize, usize) {
        let lemmas = |it: &'a Analysis| it.words.iter().map(|word| word.lemma);
        let (x, y) = (self.a.words.len(), self.b.words.len());
        let most = x.min(y);
        let head = lemmas(self.a)
            .zip(lemmas(self.b))
            .take_while(|(x, y)| x == y)
            .count();
        let tail = lemmas(self.a)
            .rev()
            .zip(lemmas(self.b).rev())
            .take_while(|(x, y)| x == y)
            .count();
        let tail = tail.min(most - head);
        (x - head - tail, y - head - tail)
    }
}

/// The words between two.
fn between(of: &Analysis, left: u16, right: u16) -> &[Word] {
    let (first, last) = (usize::from(left.min(right)), usize::from(left.max(right)));
    of.words.get(first + 1..last).unwrap_or_default()
}

fn leading(order: &[u64]) -> Vec<u64> {
    let mut first = Vec::with_capacity(order.len().min(MAX_ORDER));
    for lemma in order.iter().take(MAX_ORDER) {
        if !first.contains(lemma) {
            first.push(*lemma);
        }
    }
    first
}

fn odd<'a>(of: &'a Analysis, other: &Analysis) -> Odd<'a> {
    let often = of.words.len().max(other.words.len()) <= MAX_SEQUENCE;
    let odd = |(at, word): &(usize, &Word)| !other.knows(word) || (often && beyond(of, *at, word, other));
    let words: Vec<&Word> = of.words.iter().enumerate().filter(odd).map(|it| it.1).collect();
    let names = words.iter().copied().filter(|word| word.name);
    let mut names: Vec<&Word> = names.collect();
    if !names.is_empty() {
        let initials: String = other
            .words
            .iter()
            .filter_map(|word| other.text(word).chars().next())
            .collect();
        let abbreviates = |name: &str| (2..=5).contains(&name.len()) && initials.contains(name);
        names.retain(|word| !abbreviates(of.text(word)));
    }
    Odd {
        topics: Vec::new(),
        words,
        names,
    }
}

/// Whether `word`, the `at`-th, is one more with its lemma than `other` has.
fn beyond(of: &Analysis, at: usize, word: &Word, other: &Analysis) -> bool {
    let same = |it: &&Word| it.lemma == word.lemma;
    let before = of.words.iter().take(at).filter(same).count();
    // Most words are there once.
    before > 0 && before + 1 > other.words.iter().filter(same).count().max(1)
}

/// What an adjective may be without its degree of comparison: `larg` of `larger` is `large`, `easi` `easy`, `bigg` `big`.
fn positives(stem: &str) -> Option<[String; 4]> {
    let letters = stem
        .strip_suffix(char::is_alphabetic)
        .filter(|rest| rest.len() >= 2)?;
    let ending = |end: &str| format!("{letters}{end}");
    Some([
        stem.to_owned(),
        format!("{stem}e"),
        ending("y"),
        letters.to_owned(),
    ])
}

/// Whether two words are likely forms or spellings of one: a long common beginning, or one letter's difference.
pub(super) fn alike(a: &str, b: &str) -> bool {
    let longest = a.len().max(b.len());
    let common = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    if common >= 4 && common * 10 >= longest * 6 {
        return true;
    }
    let rest = |text: &str| text.len() - common;
    let (x, y) = (rest(a), rest(b));
    if longest < 5 || x.abs_diff(y) > 1 {
        return false;
    }
    let end = a
        .bytes()
        .rev()
        .zip(b.bytes().rev())
        .take_while(|(x, y)| x == y)
        .count();
    // All but one letter, or two neighbours exchanged.
    end + 1 >= x.max(y) || (x == y && end + 2 == x && swapped(a, b, common))
}

fn swapped(a: &str, b: &str, at: usize) -> bool {
    let two = |text: &str| Some((*text.as_bytes().get(at)?, *text.as_bytes().get(at + 1)?));
    two(a)
        .zip(two(b))
        .is_some_and(|((p, q), (r, s))| p == s && q == r)
}

#[cfg(test)]
mod tests {
    use super::alike;

    #[test]
    fn forms_and_misspellings_are_alike() {
        for (a, b) in [
            ("economy", "economic"),
            ("definitely", "definately"),
            ("recieve", "receive"),
            ("color", "colour"),
        ] {
            assert!(alike(a, b) && alike(b, a), "{a} {b}");
        }
        for (a, b) in [
            ("java", "javascript"),
            ("cat", "car"),
            ("london", "lisbon"),
            ("", ""),
            ("é", "e"),
            ("iran", "iraq"),
        ] {
            assert!(!alike(a, b) && !alike(b, a), "{a} {b}");
        }
    }
}
