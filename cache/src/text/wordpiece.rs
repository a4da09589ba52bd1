//! A text as the pieces of a vocabulary: uncased BERT's way, number by number what the models were trained with.
//!
//! A text is cleaned of control characters, lower-cased, robbed of its accents and parted at white space, at
//! punctuation and around ideographs ([`chars`](super::chars)); each word is then taken apart greedily into the longest
//! pieces there are (Wu et al. 2016). One pass, one small buffer, no text in between: ASCII bytes are looked up in a
//! table, what is beyond goes through Unicode decomposition character by character. Reordering of marks is left out:
//! it changes the order of marks only, and those are dropped.
//!
//! The categories of characters are those of today's Unicode. The `tokenizers` library stopped at Unicode 8.0: of all
//! characters it treats 693 otherwise (a newer mark is a letter to it, say), none of which the built-in vocabulary knows.
//!
//! What looks like a special piece, such as `[CLS]`, is text like any other: nobody can write one into a question.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use unicode_normalization::char::decompose_canonical;

use super::chars::{self, Class};
use super::vocabulary::{TokenId, Vocabulary, VocabularyError};

/// Words of more characters are unknown, as in BERT.
const LONGEST_WORD_CHARS: usize = 100;

/// A tokenizer: see the module.
#[derive(Debug)]
pub struct WordPiece {
    vocabulary: Vocabulary,
}

/// A word of a text, with its pieces. Punctuation marks and ideographs are words of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Where it stands in the text, in bytes: from its first to its last character, accents included.
    pub bytes: Range<usize>,
    /// Which tokens are its own. Never empty.
    pub tokens: Range<usize>,
}

impl WordPiece {
    /// With the vocabulary that ships with the program: uncased BERT's, 30,522 pieces. Built when first asked for.
    pub fn built_in() -> &'static Arc<Self> {
        static BUILT_IN: LazyLock<Arc<WordPiece>> = LazyLock::new(|| {
            let tokenizer = WordPiece::of_lines(include_str!("../../model/vocab.txt"));
            Arc::new(tokenizer.unwrap_or_else(|error| unreachable!("the built-in vocabulary: {error}")))
        });
        &BUILT_IN
    }

    /// With the vocabulary of a `vocab.txt`.
    pub fn of_lines(text: impl Into<std::borrow::Cow<'static, str>>) -> Result<Self, VocabularyError> {
        Vocabulary::of_lines(text).map(Self::new)
    }

    /// With a vocabulary.
    pub fn new(vocabulary: Vocabulary) -> Self {
        Self { vocabulary }
    }

    /// Its vocabulary.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The number of what stands for a word that cannot be put together.
    pub fn unknown(&self) -> TokenId {
        self.vocabulary.unknown()
    }

    /// Adds the pieces of `text`, in order, to `into`. None are added before or after (no `[CLS]`, no `[SEP]`).
    pub fn tokens(&self, text: &str, into: &mut Vec<TokenId>) {
        split(text, |word, _| self.take_apart(word, |id| into.push(id)));
    }

    /// Calls `each` with the pieces of `text`, in order.
    #[inline]
    pub(crate) fn for_each(&self, text: &str, mut each: impl FnMut(TokenId)) {
        split(text, |word, _| self.take_apart(word, &mut each));
    }

    /// Adds the pieces of `text` to `tokens` and its words to `words`: each with its place in `text` and in `tokens`.
    pub fn words(&self, text: &str, tokens: &mut Vec<TokenId>, words: &mut Vec<Word>) {
        split(text, |word, bytes| {
            let first = tokens.len();
            self.take_apart(word, |id| tokens.push(id));
            words.push(Word {
                bytes,
                tokens: first..tokens.len(),
            });
        });
    }

    /// A word that is not whole in the pieces is one unknown, not some pieces and an unknown.
    #[inline]
    fn take_apart(&self, word: Letters<'_>, mut each: impl FnMut(TokenId)) {
        let Letters::Of(word) = word else {
            return each(self.unknown());
        };
        let Some((first, length)) = self.vocabulary.longest_beginning(word) else {
            return each(self.unknown());
        };
        let rest = word.get(length..).unwrap_or_default();
        if rest.is_empty() {
            return each(first);
        }
        let mut pieces = [first; LONGEST_WORD_CHARS];
        match self.continuations(rest, &mut pieces) {
            Some(count) => pieces.iter().take(count).copied().for_each(each),
            None => each(self.unknown()),
        }
    }

    /// Fills `pieces` from the second on; how many there are then. `None`: something is not known.
    fn continuations(&self, mut rest: &[u8], pieces: &mut [TokenId]) -> Option<usize> {
        let mut count = 1;
        while !rest.is_empty() {
            let (id, length) = self.vocabulary.longest_continuation(rest)?;
            *pieces.get_mut(count)? = id;
            count += 1;
            rest = rest.get(length..)?;
        }
        Some(count)
    }
}

/// What a word is made of, lower-cased and without accents.
#[derive(Clone, Copy)]
enum Letters<'a> {
    Of(&'a [u8]),
    TooMany,
}

/// Calls `each` with every word of `text` and where it stands.
#[inline]
fn split(text: &str, each: impl FnMut(Letters<'_>, Range<usize>)) {
    let mut splitter = Splitter {
        letters: Vec::with_capacity(LONGEST_WORD_CHARS),
        chars: 0,
        start: 0,
        end: 0,
        each,
    };
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at = match chars::of_ascii(*byte) {
            Some(Class::Letter) => splitter.ascii_letters(bytes, at),
            Some(class) => splitter.ascii(class, *byte, at),
            None => splitter.beyond_ascii(text, at),
        };
    }
    splitter.flush();
}

/// The word that is being read.
struct Splitter<F> {
    letters: Vec<u8>,
    /// How many characters there are in `letters`, or were before they became too many.
    chars: usize,
    start: usize,
    end: usize,
    each: F,
}

impl<F: FnMut(Letters<'_>, Range<usize>)> Splitter<F> {
    /// Each method takes what stands at `at`, and says where the next stands.
    #[inline]
    fn ascii_letters(&mut self, bytes: &[u8], at: usize) -> usize {
        let from = bytes.get(at..).unwrap_or_default();
        let is_letter = |byte: &u8| chars::of_ascii(*byte) == Some(Class::Letter);
        let run = from
            .iter()
            .position(|byte| !is_letter(byte))
            .unwrap_or(from.len());
        if self.chars == 0 {
            self.start = at;
        }
        let room = LONGEST_WORD_CHARS.saturating_sub(self.chars);
        let letters = from.iter().take(run.min(room)).map(u8::to_ascii_lowercase);
        self.letters.extend(letters);
        self.chars += run;
        self.end = at + run;
        self.end
    }

    #[inline]
    fn ascii(&mut self, class: Class, byte: u8, at: usize) -> usize {
        match class {
            Class::Space => self.flush(),
            Class::Alone => {
                self.flush();
                (self.each)(Letters::Of(&[byte]), at..at + 1);
            }
            Class::Dropped | Class::Letter => {}
        }
        at + 1
    }

    fn beyond_ascii(&mut self, text: &str, at: usize) -> usize {
        let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else {
            return text.len();
        };
        let end = at + c.len_utf8();
        match chars::of_raw(c) {
            Class::Dropped => {}
            Class::Space => self.flush(),
            Class::Alone => {
                self.flush();
                decompose_canonical(c, |part| self.letter(part, at..end));
                self.flush();
            }
            Class::Letter => decompose_canonical(c, |part| {
                if !chars::is_accent(part) {
                    part.to_lowercase().for_each(|lower| self.part(lower, at..end));
                }
            }),
        }
        end
    }

    /// A character that another came apart into.
    fn part(&mut self, c: char, bytes: Range<usize>) {
        match chars::of_decomposed(c) {
            Class::Dropped => {}
            Class::Space => self.flush(),
            Class::Letter => self.letter(c, bytes),
            Class::Alone => {
                self.flush();
                self.letter(c, bytes);
                self.flush();
            }
        }
    }

    fn letter(&mut self, c: char, bytes: Range<usize>) {
        if self.chars == 0 {
            self.start = bytes.start;
        }
        if self.chars < LONGEST_WORD_CHARS {
            self.letters
                .extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.chars += 1;
        self.end = bytes.end;
    }

    #[inline]
    fn flush(&mut self) {
        if self.chars == 0 {
            return;
        }
        let letters = if self.chars > LONGEST_WORD_CHARS {
            Letters::TooMany
        } else {
            Letters::Of(&self.letters)
        };
        (self.each)(letters, self.start..self.end);
        self.letters.clear();
        self.chars = 0;
    }
}

#[cfg(test)]
mod tests;
