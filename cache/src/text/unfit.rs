//! Which words cannot stand for themselves, so that no other question is ever taken for them.

use super::{Traits, WordPiece};

/// Longer texts are seldom asked again in other words, and seldom mean quite the same.
pub(crate) const LONGEST_BYTES: usize = 2_000;
/// The least and most word pieces of a question that can be compared.
const PIECES: std::ops::RangeInclusive<usize> = 2..=400;
/// The largest share of pieces that the model need not know.
const MOST_UNKNOWN: f32 = 0.2;

/// Why `words` are not compared by meaning, in a word; `None`: they are. `tokenizer`: whose pieces are counted.
pub fn unfit(words: &str, tokenizer: &WordPiece) -> Option<&'static str> {
    if words.len() > LONGEST_BYTES {
        return Some("long");
    }
    let traits = Traits::of(words, tokenizer);
    let signs = [
        (!PIECES.contains(&traits.tokens), "length"),
        (traits.unknown_share() > MOST_UNKNOWN, "unknown_words"),
        (traits.code, "code"),
        (traits.address, "address"),
        (traits.secret, "secret"),
        (traits.timely, "timely"),
        (traits.deictic, "deictic"),
    ];
    signs
        .into_iter()
        .find(|(holds, _)| *holds)
        .map(|(_, reason)| reason)
}
