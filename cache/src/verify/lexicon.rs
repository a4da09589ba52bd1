//! What is known of a word beforehand: its class, its kind, its opposites, how rare it is. One table, built on first use
//! from [`super::lists`] and from the data that ship with the model.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use rapidhash::fast::RandomState;
use rapidhash::v3::rapidhash_v3;

use super::{lemma::lemma, lists, opposites};

/// `lemma TAB idf`, from the texts that the model was taught with. What is absent has [`Lexicon::UNKNOWN`].
pub(super) const IDF: &str = include_str!("../../model/idf.tsv");
/// `word TAB opposite`, from `WordNet` 3.0.
pub(super) const ANTONYMS: &str = include_str!("../../model/antonyms.tsv");

/// The number that stands for a word everywhere here. Fixed: the same in every process.
pub(super) fn hash(word: &str) -> u64 {
    rapidhash_v3(word.as_bytes())
}

/// A word's value where it is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numeral {
    /// Below twenty.
    Digit(u64),
    /// Twenty, thirty, … ninety.
    Ten(u64),
    /// Hundred, thousand, million: multiplies what is before it.
    Scale(u64),
    /// First, second, …: the value, and whether a digit may precede it (`twenty-first`).
    Ordinal(u64),
    /// Twentieth, thirtieth, …
    OrdinalTen(u64),
}

/// Where a numbered class of a word is kept.
type Field = fn(&mut Facts) -> &mut u8;

/// What is known of one word. Zero means "none" in every numbered class.
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that do not exclude each other"
)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    pub(super) grammar: bool,
    pub(super) negation: bool,
    /// The word that stands for all with this meaning, and how rare it is.
    pub(super) canonical: Option<u64>,
    /// Members of a kind exclude each other: 1-based place in [`lists::KINDS`].
    pub(super) kind: u8,
    /// 1-based place in [`lists::UNITS`].
    pub(super) unit: u8,
    /// It is that unit only right after a number.
    pub(super) unit_after_number: bool,
    pub(super) numeral: Option<Numeral>,
    pub(super) time: u8,
    pub(super) modal: u8,
    pub(super) quantifier: u8,
    pub(super) tense: u8,
    /// 1-based place in [`lists::PREPOSITIONS`].
    pub(super) preposition: u8,
    /// 1-based place in [`lists::PERSONS`].
    pub(super) person: u8,
    /// The person owns something.
    pub(super) owns: bool,
    /// Begins a question answered by yes or no.
    pub(super) auxiliary: bool,
    /// Some words after it make one meaning with it.
    pub(super) pairs: bool,
    /// 1-based place in [`lists::ASKING`], for questions of one word.
    pub(super) asking: u8,
    /// Turns round what comes after it.
    pub(super) reverses: bool,
    /// Means another thing with a capital.
    pub(super) cased: bool,
    /// Means another thing in capitals.
    pub(super) abbreviated: bool,
    /// The word that this form belongs to: replaces what the rules would say.
    pub(super) base: Option<&'static str>,
}

/// The table.
#[derive(Debug)]
pub(super) struct Lexicon {
    facts: HashMap<u64, Facts, RandomState>,
    idf: HashMap<u64, f32, RandomState>,
    opposites: HashMap<u64, Vec<u64>, RandomState>,
    confused: HashSet<(u64, u64), RandomState>,
    directions: Vec<(u8, u8)>,
    out: u8,
    /// Two words that are one, by the hash of both with a space between.
    pairs: HashMap<u64, Facts, RandomState>,
    polite: Vec<Vec<u64>>,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(Lexicon::new);

impl Lexicon {
    /// The idf of a word that no table has: rarer than all that are there.
    pub(super) const UNKNOWN: f32 = 10.96;

    /// The one that ships.
    pub(super) fn built_in() -> &'static Self {
        &LEXICON
    }

    /// What is known of `word`: lower case, without apostrophes.
    pub(super) fn facts(&self, word: u64) -> Facts {
        self.facts.get(&word).copied().unwrap_or_default()
    }

    /// What is known of two words together. `None`: nothing, they are two words.
    pub(super) fn pair(&self, first: &str, second: &str) -> Option<Facts> {
        let mut joined = String::with_capacity(first.len() + second.len() + 1);
        joined.push_str(first);
        joined.push(' ');
        joined.push_str(second);
        self.pairs.get(&hash(&joined)).copied()
    }

    /// How rare `lemma` is: natural logarithm of one over the share of texts that have it.
    pub(super) fn idf(&self, lemma: u64) -> f32 {
        self.idf.get(&lemma).copied().unwrap_or(Self::UNKNOWN)
    }

    /// The opposites of a word or lemma.
    pub(super) fn opposites(&self, word: u64) -> &[u64] {
        self.opposites.get(&word).map_or(&[], Vec::as_slice)
    }

    /// Whether `a w` and `b w` cannot mean the same, for two prepositions.
    pub(super) fn contrary(&self, a: u8, b: u8) -> bool {
        self.directions.contains(&(a, b))
    }

    /// Whether the two are easily taken for each other, though they mean other things.
    pub(super) fn confused(&self, a: u64, b: u64) -> bool {
        self.confused.contains(&(a, b))
    }

    /// The number of the preposition `out`.
    pub(super) fn out(&self) -> Option<u8> {
        Some(self.out).filter(|out| *out > 0)
    }

    /// How many of `words` are a polite phrase at their beginning. 0: none.
    pub(super) fn polite_head(&self, words: &[u64]) -> usize {
        self.polite
            .iter()
            .find(|phrase| words.starts_with(phrase))
            .map_or(0, Vec::len)
    }

    /// How many of `words` are thanks or a please at their end. 0: none.
    pub(super) fn polite_tail(&self, words: &[u64]) -> usize {
        self.polite
            .iter()
            .zip(lists::POLITE)
            .filter(|(_, text)| text.starts_with("thank") || text.starts_with("pl"))
            .find(|(phrase, _)| words.ends_with(phrase))
            .map_or(0, |(phrase, _)| phrase.len())
    }

    fn new() -> Self {
        let mut lexicon = Self {
            facts: HashMap::default(),
            idf: pairs_of(IDF.lines(), '\t')
                .filter_map(|(word, idf)| Some((hash(word), idf.parse().ok()?)))
                .collect(),
            opposites: HashMap::default(),
            confused: HashSet::default(),
            directions: Vec::new(),
            out: 0,
            pairs: HashMap::default(),
            polite: lists::POLITE
                .iter()
                .map(|phrase| phrase.split(' ').map(|word| hash(&plain(word))).collect())
                .collect(),
        };
        lexicon.add_classes();
        lexicon.add_kinds();
        lexicon.add_units();
        lexicon.add_numerals();
        lexicon.add_opposites();
        lexicon
    }

    fn entry(&mut self, word: &str) -> &mut Facts {
        self.facts.entry(hash(word)).or_default()
    }

    fn add_classes(&mut self) {
        for word in lists::GRAMMAR.split_whitespace() {
            self.entry(word).grammar = true;
        }
        for word in lists::NEGATIONS.split_whitespace() {
            self.entry(word).negation = true;
        }
        for (form, base) in pairs_of(lists::IRREGULAR.split_whitespace(), ':') {
            self.entry(form).base = Some(base);
        }
        for word in opposites::CASED.split_whitespace() {
            self.entry(word).cased = true;
        }
        for word in opposites::REVERSING.split_whitespace() {
            self.entry(word).reverses = true;
        }
        for word in opposites::ABBREVIATED.split_whitespace() {
            self.entry(word).abbreviated = true;
        }
        for word in lists::AUXILIARIES.split_whitespace() {
            self.entry(word).auxiliary = true;
        }
        for (number, word) in (1..).zip(lists::PREPOSITIONS.split_whitespace()) {
            self.entry(word).preposition = number;
        }
        for (number, &(word, sort)) in (1..).zip(lists::ASKING) {
            let number = (1..)
                .zip(lists::ASKING)
                .find(|it| it.1.1 == sort)
                .map_or(number, |it| it.0);
            match word.split_once(' ') {
                Some((first, _)) => {
                    self.entry(first).pairs = true;
                    self.pairs.insert(
                        hash(word),
                        Facts {
                            asking: number,
                            ..Facts::default()
                        },
                    );
                }
                None => self.entry(word).asking = number,
            }
        }
        for (number, &(acting, owning)) in (1..).zip(lists::PERSONS) {
            for (words, owns) in [(acting, false), (owning, true)] {
                for word in words.split(' ') {
                    let facts = self.entry(word);
                    (facts.person, facts.owns) = (number, owns);
                }
            }
        }
        let classes: [(&[&str], Field); 4] = [
            (lists::TIMES, |facts| &mut facts.time),
            (lists::MODALS, |facts| &mut facts.modal),
            (lists::QUANTIFIERS, |facts| &mut facts.quantifier),
            (lists::TENSES, |facts| &mut facts.tense),
        ];
        for (lines, field) in classes {
            for (number, line) in (1..).zip(lines) {
                for word in line.split(' ') {
                    *field(self.entry(word)) = number;
                }
            }
        }
    }

    fn add_kinds(&mut self) {
        for (number, (_, members)) in (1..).zip(lists::KINDS) {
            for member in members.split(',') {
                let first = member.split_whitespace().next().unwrap_or_default();
                let canonical = Some(hash(&lemma(first)));
                for word in member.split_whitespace() {
                    if let Some((first, second)) = word.split_once('_') {
                        let facts = Facts {
                            kind: number,
                            canonical,
                            ..Facts::default()
                        };
                        self.entry(first).pairs = true;
                        self.pairs.insert(hash(&format!("{first} {second}")), facts);
                        continue;
                    }
                    let facts = self.entry(word);
                    if facts.kind == 0 {
                        (facts.kind, facts.canonical) = (number, canonical);
                    }
                }
            }
        }
    }

    fn add_units(&mut self) {
        for (number, (_, words)) in (1..).zip(lists::UNITS) {
            for word in words.split(' ') {
                let bare = word.trim_start_matches('~');
                let facts = self.entry(bare);
                (facts.unit, facts.unit_after_number) = (number, bare.len() < word.len());
            }
        }
    }

    fn add_numerals(&mut self) {
        for (value, word) in (0..).zip(lists::DIGITS.split_whitespace()) {
            self.entry(word).numeral = Some(Numeral::Digit(value));
        }
        for (value, word) in (2..).zip(lists::TENS.split_whitespace()) {
            self.entry(word).numeral = Some(Numeral::Ten(value * 10));
        }
        for &(word, value) in lists::SCALES {
            self.entry(word).numeral = Some(Numeral::Scale(value));
        }
        for (value, word) in (1..).zip(lists::ORDINALS.split_whitespace()) {
            self.entry(word).numeral = Some(Numeral::Ordinal(value));
        }
        for (value, word) in (2..).zip(lists::ORDINAL_TENS.split_whitespace()) {
            self.entry(word).numeral = Some(Numeral::OrdinalTen(value * 10));
        }
    }

    fn add_opposites(&mut self) {
        let shipped = pairs_of(ANTONYMS.lines(), '\t');
        let ours = pairs_of(opposites::OPPOSITES.split_whitespace(), ':');
        for (a, b) in shipped.chain(ours) {
            for (a, b) in [(a, b), (b, a)] {
                let (word, other) = (hash(a), hash(b));
                let others = self.opposites.entry(word).or_default();
                if !others.contains(&other) {
                    others.push(other);
                }
            }
        }
        let confused = pairs_of(opposites::CONFUSED.split_whitespace(), ':');
        self.confused = confused
            .flat_map(|(a, b)| [(hash(a), hash(b)), (hash(b), hash(a))])
            .collect();
        for (a, b) in pairs_of(opposites::DIRECTIONS.split_whitespace(), ':') {
            let pair = (self.entry(a).preposition, self.entry(b).preposition);
            debug_assert!(pair.0 > 0 && pair.1 > 0, "no prepositions: {a} {b}");
            self.directions.push(pair);
        }
        self.out = self.entry("out").preposition;
    }
}

/// The name of a kind, for people.
pub(super) fn kind_name(kind: u8) -> &'static str {
    lists::KINDS
        .get(usize::from(kind).wrapping_sub(1))
        .map_or("", |it| it.0)
}

/// The name of a unit, for people.
pub(super) fn unit_name(unit: u8) -> &'static str {
    lists::UNITS
        .get(usize::from(unit).wrapping_sub(1))
        .map_or("", |it| it.0)
}

/// `word` without apostrophes: how it is looked up.
pub(super) fn plain(word: &str) -> std::borrow::Cow<'_, str> {
    if word.contains('\'') {
        word.replace('\'', "").into()
    } else {
        word.into()
    }
}

fn pairs_of<'a>(
    lines: impl Iterator<Item = &'a str>,
    between: char,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    lines.filter_map(move |line| line.trim().split_once(between))
}
