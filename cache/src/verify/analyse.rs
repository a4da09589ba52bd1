//! From a text to its [`Analysis`]: polite words go, numbers are read, each word gets what is known of it.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

use super::canonical::{Said, canonical};
use super::lemma::lemma;
use super::lexicon::{self, Facts, Lexicon, hash, plain};
use super::numbers::{self, Piece};
use super::order::{order, spoken};
use super::scan::{Scan, Shape, Token};
use super::words::{Analysis, Casing, Number, Topic, Word};

/// Takes `text` apart; `pieces` gives the rows of what is left of it without polite words.
pub(super) fn analyse(text: &str, pieces: impl FnOnce(&str) -> Box<[u16]>) -> Analysis {
    let lexicon = Lexicon::built_in();
    let text = &*visible(text);
    let scan = Scan::of(text);
    let parts: Vec<Piece<'_>> = scan
        .tokens
        .iter()
        .map(|token| piece(&scan, token, lexicon, text))
        .collect();
    let (first, last) = kept(&parts, lexicon);
    let from = scan.tokens.get(first).map_or(0, |token| token.from);
    let to = last
        .checked_sub(1)
        .and_then(|at| scan.tokens.get(at))
        .map_or(0, |token| token.to);
    let mut building = Building {
        lexicon,
        visible: text,
        scan: &scan,
        parts: &parts,
        places: vec![u16::MAX; parts.len() + 1],
        words: Vec::with_capacity(last - first),
        shapes: Vec::with_capacity(last - first),
        done: Analysis::empty(),
        preposition: 0,
        foreign: String::new(),
    };
    building.walk(first, last);
    building.done.pieces = pieces(text.get(from..to).unwrap_or_default());
    building.finish()
}

/// `text` with letters and their accents in one, and without what takes no room: `1\u{200b}0` is `10`.
fn visible(text: &str) -> Cow<'_, str> {
    let odd = |c: char| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}');
    let accent = |c: char| matches!(c, '\u{300}'..='\u{36f}');
    if text.is_ascii() || !text.chars().any(|c| odd(c) || accent(c)) {
        return text.into();
    }
    text.chars().filter(|c| !odd(*c)).nfc().collect::<String>().into()
}

fn piece<'a>(scan: &'a Scan, token: &Token, lexicon: &Lexicon, original: &str) -> Piece<'a> {
    let bytes = || {
        let written = original.get(token.from..token.to);
        written.is_some_and(|it| it.ends_with("Bps"))
    };
    let text = match scan.word(token) {
        // The pronoun is never in capitals in the middle of other words, the country always is.
        "us" if token.shape.capitals => "usa",
        // Eight times as fast, for a capital.
        "kbps" if bytes() => "kbyteps",
        "mbps" if bytes() => "mbyteps",
        "gbps" if bytes() => "gbyteps",
        other => other,
    };
    let form = hash(&plain(text));
    let mut facts = lexicon.facts(form);
    if let Some((head, tail)) = text.split_once('\'') {
        facts.negation |= tail == "t";
        if tail != "s" || facts.base.is_none() {
            let of = lexicon.facts(hash(head));
            facts.grammar |= of.grammar;
            (facts.person, facts.owns) = (of.person, of.owns && tail != "s");
            (facts.asking, facts.auxiliary) = (of.asking, facts.auxiliary || of.auxiliary);
        }
    }
    Piece {
        text,
        form,
        shape: token.shape,
        facts,
    }
}

/// The pieces that are left without polite words at both ends: first and one after the last.
fn kept(parts: &[Piece<'_>], lexicon: &Lexicon) -> (usize, usize) {
    let forms: Vec<u64> = parts.iter().map(|part| part.form).collect();
    let (mut first, mut last) = (0, forms.len());
    loop {
        let rest = forms.get(first..last).unwrap_or_default();
        let (head, tail) = (lexicon.polite_head(rest), lexicon.polite_tail(rest));
        // Nothing but politeness is a text of its own.
        if head + tail == 0 || head.max(tail) >= rest.len() {
            return (first, last);
        }
        if head > 0 {
            first += head;
        } else {
            last -= tail;
        }
    }
}

/// An analysis under way.
struct Building<'a> {
    lexicon: &'static Lexicon,
    /// The text, as far as it can be seen.
    visible: &'a str,
    scan: &'a Scan,
    parts: &'a [Piece<'a>],
    /// Where each token went among the words; `MAX`: into one before it, or nowhere.
    places: Vec<u16>,
    words: Vec<Word>,
    shapes: Vec<Shape>,
    done: Analysis,
    preposition: u8,
    /// All words of other scripts.
    foreign: String,
}

impl Building<'_> {
    fn walk(&mut self, first: usize, last: usize) {
        let parts = self.parts;
        let mut at = first;
        let mut numbers = Vec::new();
        while let Some(part) = parts.get(at..last).and_then(<[_]>::first) {
            if matches!(part.text, "please" | "pls" | "plz" | "kindly") {
                at += 1;
                continue;
            }
            let place = u16::try_from(self.words.len()).unwrap_or(u16::MAX);
            if let Some(slot) = self.places.get_mut(at) {
                *slot = place;
            }
            let rest = parts.get(at..last).unwrap_or_default();
            let before = at.checked_sub(1).and_then(|at| parts.get(at));
            if let Some(number) = numbers::read(rest, before) {
                numbers.push(Number {
                    key: number.key,
                    word: place,
                    soft: number.soft,
                });
                self.number(at, number);
                at += number.pieces.max(1);
                continue;
            }
            at += self.word(
                at,
                last,
                numbers.last().is_some_and(|number| number.word + 1 == place),
            );
        }
        self.done.numbers = numbers.into();
    }

    fn number(&mut self, at: usize, number: numbers::Reading) {
        let (Some(part), Some(token)) = (self.parts.get(at), self.scan.tokens.get(at)) else {
            return;
        };
        let end = self.scan.tokens.get(at + number.pieces - 1).unwrap_or(token).end;
        let own = hash(part.text);
        let preposition = std::mem::take(&mut self.preposition);
        self.push(
            Word {
                start: offset(token.start),
                end: offset(end),
                form: own,
                lemma: number.key,
                idf: self.lexicon.idf(own),
                preposition,
                topic: !(number.soft && part.text == "one"),
                ..Word::default()
            },
            part.shape,
        );
    }

    /// Takes the word at `at`, or the two that are one. Returns how many.
    fn word(&mut self, at: usize, last: usize, after_number: bool) -> usize {
        let (Some(part), Some(token)) = (self.parts.get(at), self.scan.tokens.get(at)) else {
            return 1;
        };
        let next = self.parts.get(at + 1..last).and_then(<[_]>::first);
        let pair = next
            .filter(|_| part.facts.pairs)
            .and_then(|next| self.lexicon.pair(part.text, next.text));
        let merged = pair.is_some_and(|pair| pair.kind > 0);
        let mut facts = if merged {
            pair.unwrap_or_default()
        } else {
            part.facts
        };
        if let Some(pair) = pair.filter(|pair| pair.asking > 0) {
            facts.asking = pair.asking;
        }
        let count = if merged { 2 } else { 1 };
        let end = self.scan.tokens.get(at + count - 1).unwrap_or(token).end;
        self.classes(part, &facts);
        let word = self.facts(part, &facts, (token.start, end), after_number || part.shape.sign);
        self.push(word, part.shape);
        self.preposition = match facts.preposition {
            0 if matches!(part.text, "a" | "an" | "the") => self.preposition,
            // "Out of" is no "of".
            of if part.text == "of" => self
                .lexicon
                .out()
                .filter(|out| *out == self.preposition)
                .unwrap_or(of),
            other => other,
        };
        count
    }

    /// Notes what classes a word is of.
    fn classes(&mut self, part: &Piece<'_>, facts: &Facts) {
        let bit = |class: u8| {
            if class == 0 {
                0
            } else {
                1_u32 << (class - 1).min(31)
            }
        };
        let done = &mut self.done;
        done.times |= bit(facts.time);
        done.modals |= bit(facts.modal);
        done.quantifiers |= bit(facts.quantifier);
        done.tenses |= bit(facts.tense);
        done.negations = done.negations.saturating_add(facts.negation.into());
        let opening = self.words.is_empty();
        if done.asking == 0 && facts.asking > 0 {
            done.asking = facts.asking;
        } else if opening && facts.auxiliary {
            done.asking = Analysis::YES_OR_NO;
        }
        if facts.person > 0 {
            let bit = 1_u8 << facts.person.min(7);
            if facts.owns {
                done.possessed |= self.words.len() == 1;
                done.persons.owning |= bit;
            } else {
                done.persons.acting |= bit;
                done.persons.order = done.persons.order << 4 | u64::from(facts.person);
            }
        }
        if part.shape.foreign {
            self.foreign.push_str(part.text);
        }
    }

    fn facts(&mut self, part: &Piece<'_>, facts: &Facts, span: (usize, usize), after_number: bool) -> Word {
        let (bare, form) = match part.text.strip_suffix("'s") {
            Some(owner) => (plain(owner), hash(&plain(owner))),
            None => (plain(part.text), part.form),
        };
        let ruled = hash(&lemma(&bare));
        let based = facts.base.map_or(ruled, |base| hash(&lemma(base)));
        let unit = if facts.unit_after_number && !after_number {
            0
        } else {
            facts.unit
        };
        if unit > 0 {
            self.done.units |= 1 << unit.min(127);
        }
        let lemma = match (facts.canonical, unit) {
            (Some(canonical), _) => canonical,
            (None, 1..) => hash(lexicon::unit_name(unit)),
            (None, 0) => based,
        };
        let grammar = facts.grammar || self.lexicon.facts(ruled).grammar;
        let shape = part.shape;
        Word {
            start: offset(span.0),
            end: offset(span.1),
            form,
            lemma,
            idf: self.lexicon.idf(ruled).min(self.lexicon.idf(based)),
            kind: facts.kind,
            unit,
            preposition: self.preposition,
            topic: !(grammar || facts.negation) || unit > 0 || facts.kind > 0,
            name: shape.capital && (!shape.opens || shape.capitals) && !grammar && part.text != "i",
            code: shape.code,
            negation: facts.negation,
            casing: Casing::Unsaid,
        }
    }

    fn push(&mut self, word: Word, shape: Shape) {
        self.words.push(word);
        self.shapes.push(shape);
    }

    fn finish(self) -> Analysis {
        let topics = topics(&self.words);
        let order = order(&self.words, &self.shapes);
        let canonical = canonical(&self.said(), self.visible);
        let clauses = self.clauses();
        let literal = self.literal();
        let mut bigrams: Vec<u32> = self
            .words
            .iter()
            .zip(self.words.iter().skip(1))
            .map(|(a, b)| mix(a.lemma, b.lemma))
            .collect();
        sort(&mut bigrams);
        let text = match (self.words.first(), self.words.last()) {
            (Some(first), Some(last)) => self
                .scan
                .text
                .get(first.start as usize..last.end as usize)
                .unwrap_or_default(),
            _ => "",
        };
        let base = self.words.first().map_or(0, |word| word.start);
        let titled = self.titled();
        let cased = !titled && self.cased();
        let mut words = self.words;
        let mut known = Vec::with_capacity(words.len() * 2);
        for (word, shape) in words.iter_mut().zip(&self.shapes) {
            if cased {
                word.casing = casing(*shape);
            }
            (word.start, word.end) = (word.start - base, word.end - base);
            word.name &= !titled;
            known.extend([word.form, word.lemma]);
        }
        known.sort_unstable();
        known.dedup();
        let mut signs = self.scan.signs.clone();
        signs.truncate(64);
        Analysis {
            trigrams: trigrams(text),
            text: text.into(),
            words: words.into(),
            topics,
            known: known.into(),
            order,
            bigrams: bigrams.into(),
            canonical,
            literal,
            signs: signs.into(),
            foreign: if self.foreign.is_empty() {
                0
            } else {
                hash(&self.foreign)
            },
            clauses,
            complete: self.scan.complete,
            ..self.done
        }
    }

    /// The words as [`canonical`] reads them.
    fn said(&self) -> Vec<Said<'_>> {
        let number = |at: usize| {
            let mut numbers = self.done.numbers.iter();
            numbers
                .find(|number| usize::from(number.word) == at)
                .map(|number| number.key)
        };
        let said = |at: usize| {
            let (word, shape) = (self.words.get(at)?, self.shapes.get(at)?);
            Some(Said {
                text: self.scan.text.get(word.start as usize..word.end as usize)?,
                value: number(at).or((word.unit > 0).then_some(word.lemma)),
                name: shape.capital && !shape.opens,
                after_stop: shape.after_stop,
            })
        };
        spoken(&self.shapes).into_iter().filter_map(said).collect()
    }

    /// Every Word Has A Capital: then capitals name nothing.
    fn titled(&self) -> bool {
        let inner = self.words.iter().zip(&self.shapes).filter(|(word, shape)| {
            !word.topic && !shape.opens && !shape.number && word.end - word.start > 1
        });
        let (mut all, mut capital) = (0, 0);
        for (_, shape) in inner {
            all += 1;
            capital += usize::from(shape.capital);
        }
        capital * 2 > all
    }

    /// Some words have capitals, most have not: so whether one has says something.
    fn cased(&self) -> bool {
        let capital = self.shapes.iter().filter(|shape| shape.capital).count();
        let capitals = self.shapes.iter().filter(|shape| shape.capitals).count();
        capital > 0 && capitals * 2 < self.shapes.len()
    }

    /// Quotations and identifiers, as ranges of words.
    fn literal(&self) -> Box<[(u16, u16)]> {
        let place = |at: usize| self.places.get(at).copied().filter(|at| *at != u16::MAX);
        let quoted = self.scan.quoted.iter().filter_map(|&(first, last)| {
            let words = (first..last).filter_map(place);
            Some((words.clone().min()?, words.max()? + 1))
        });
        let code = (0..)
            .zip(&self.words)
            .filter(|(_, word)| word.code)
            .map(|(at, _)| (at, at + 1));
        quoted.chain(code).take(64).collect()
    }

    /// How many things are asked: clauses that begin like a question, at the beginning of a sentence, after `and`, or
    /// after a comma where something has been asked before.
    fn clauses(&self) -> u8 {
        let joins = ["and", "also", "or", "but", "then", "plus"].map(hash);
        let mut clauses = 0_u8;
        let mut before = None;
        for (word, shape) in self.words.iter().zip(&self.shapes) {
            let facts = self.lexicon.facts(word.form);
            let joined = before.is_some_and(|before: u64| joins.contains(&before));
            let begins = before.is_none() || shape.opens || (joined || shape.after_stop) && clauses > 0;
            if begins && (facts.asking > 0 || facts.auxiliary) {
                clauses = clauses.saturating_add(1);
            }
            before = Some(word.form);
        }
        clauses.max(1)
    }
}

/// What a word's case says in a text where it says something.
fn casing(shape: Shape) -> Casing {
    match shape {
        Shape { capitals: true, .. } => Casing::Capitals,
        Shape { capital: false, .. } => Casing::Small,
        Shape { opens: false, .. } => Casing::Capital,
        _ => Casing::Unsaid,
    }
}

fn topics(words: &[Word]) -> Box<[Topic]> {
    let mut topics: Vec<Topic> = (0..)
        .zip(words)
        .filter(|(_, word)| word.topic)
        .map(|(at, word)| Topic {
            lemma: word.lemma,
            idf: word.idf,
            word: at,
        })
        .collect();
    // Stable: the first word with a lemma stays.
    topics.sort_by_key(|topic| topic.lemma);
    topics.dedup_by_key(|topic| topic.lemma);
    topics.into()
}

fn trigrams(text: &str) -> Box<[u32]> {
    let bytes = text.as_bytes().windows(3);
    let mut trigrams: Vec<u32> = bytes
        .map(|three| three.iter().fold(0, |hash, byte| hash << 8 | u32::from(*byte)))
        .collect();
    sort(&mut trigrams);
    trigrams.into()
}

fn sort(hashes: &mut Vec<u32>) {
    hashes.sort_unstable();
    hashes.dedup();
}

#[expect(clippy::cast_possible_truncation, reason = "the upper half of a hash")]
fn mix(a: u64, b: u64) -> u32 {
    (a.rotate_left(17) ^ b)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .rotate_left(32) as u32
}

/// Texts are cut far below 4 GiB.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
