//! Small differences that turn a question into another: a capital, a confusable word, a verb that reverses what follows,
//! a tense, leave against duty. What guards look at beyond the words themselves.

use super::guards::{Evidence, evidence, joined};
use super::lexicon::{Lexicon, hash};
use super::pair::{Odd, Pair};
use super::words::{Analysis, Casing, Word};

/// A word that is a name, or an abbreviation, with capitals in `of`, and an ordinary one without in `other`.
pub(super) fn cased_otherwise<'a>(of: &'a Analysis, other: &Analysis) -> Option<&'a str> {
    let lexicon = Lexicon::built_in();
    let count = |of: &Analysis, text: &str, casing: Casing| {
        let same = |word: &&Word| word.casing == casing && of.text(word) == text;
        of.words.iter().filter(same).count()
    };
    let named = of
        .words
        .iter()
        .filter(|word| word.casing != Casing::Unsaid && word.casing != Casing::Small);
    let mut texts = named.map(|word| (word.casing, of.text(word)));
    texts.find_map(|(casing, text)| {
        let facts = lexicon.facts(hash(text));
        let tells = facts.cased || (facts.abbreviated && casing == Casing::Capitals);
        let differs = || {
            count(other, text, Casing::Small) > count(of, text, Casing::Small)
                && count(of, text, casing) > count(other, text, casing)
        };
        (tells && differs()).then_some(text)
    })
}

/// The only topic that each has alone is like the other's by its letters, and a word of its own. In questions that differ
/// by more it may well be misspelt.
pub(super) fn confused(pair: &Pair<'_>) -> Option<Evidence> {
    let word = |odd: &Odd<'_>, of: &Analysis| match &*odd.topics {
        [topic] => of.words.get(usize::from(topic.word)).copied(),
        _ => None,
    };
    let (left, right) = (word(&pair.only_a, pair.a)?, word(&pair.only_b, pair.b)?);
    let confused = pair.lexicon.confused(left.form, right.form);
    confused.then(|| evidence(pair.a.text(&left), pair.b.text(&right)))
}

/// All that `of` is about beyond the other is a word like `fail`, and the other is about nothing more.
pub(super) fn reversed(only: &Odd<'_>, other: &Odd<'_>, of: &Analysis) -> Option<Evidence> {
    let lexicon = Lexicon::built_in();
    let reverses = |word: &&&Word| lexicon.facts(word.form).reverses;
    let fires =
        other.topics.is_empty() && only.topics.len() == 1 && only.words.iter().filter(reverses).count() == 1;
    fires.then(|| {
        evidence(
            joined(only.words.iter().filter(reverses).map(|word| of.text(word))),
            "",
        )
    })
}

/// Of questions about the very same, one is about what was, the other about what is or will be.
pub(super) fn tense(pair: &Pair<'_>) -> Option<Evidence> {
    const PRESENT: u32 = 1;
    const PAST: u32 = 1 << 1;
    const FUTURE: u32 = 1 << 2;
    if !(pair.only_a.topics.is_empty() && pair.only_b.topics.is_empty()) {
        return None;
    }
    // "Why have you …" is about what was, "what do you have" is not.
    let perfect = |of: &Analysis| {
        let forms = ["has", "have", "having"].map(hash);
        of.words.iter().any(|word| forms.contains(&word.form))
    };
    if perfect(pair.a) || perfect(pair.b) {
        return None;
    }
    let name = |tenses: u32| match tenses {
        PAST => "past",
        FUTURE => "future",
        _ => "present",
    };
    // Of "what will happen if it is …" it is the will that counts.
    let main = |of: &Analysis| match of.tenses {
        tenses if tenses & FUTURE > 0 && tenses & PAST == 0 => FUTURE,
        other => other,
    };
    let (x, y) = (main(pair.a), main(pair.b));
    let fires = (x == PAST && matches!(y, PRESENT | FUTURE)) || (y == PAST && matches!(x, PRESENT | FUTURE));
    fires.then(|| evidence(name(x), name(y)))
}

/// One asks whether it may be done, the other whether it ought to, or has to.
pub(super) fn permission(may: &Analysis, must: &Analysis) -> Option<Evidence> {
    const CAN: u32 = 1 | 1 << 3;
    const SHOULD: u32 = 1 << 1 | 1 << 4;
    if may.asking != Analysis::YES_OR_NO || must.asking != Analysis::YES_OR_NO {
        return None;
    }
    let [have, to] = ["have", "to"].map(hash);
    let has_to = |of: &Analysis| {
        let next = of.words.iter().skip(1);
        of.words
            .iter()
            .zip(next)
            .any(|(word, next)| word.form == have && next.form == to)
    };
    let ought = |of: &Analysis| of.modals & SHOULD > 0 || has_to(of);
    let fires = may.modals & CAN > 0 && !ought(may) && ought(must) && must.modals & CAN == 0;
    fires.then(|| evidence("may", "ought to"))
}
