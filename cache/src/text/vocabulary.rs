//! The pieces that a model knows, and which number each has.
//!
//! The text of the vocabulary is kept as it is; two open-addressing tables hold nothing but numbers of its lines, so
//! that the 30,522 pieces of the built-in vocabulary cost some 0.5 MB of heap beside it and are ready in a
//! millisecond or two.

use std::borrow::Cow;
use std::ops::Range;

use hashbrown::HashTable;
use rapidhash::v3::{DEFAULT_RAPID_SECRETS, rapidhash_v3_nano_inline};

/// The number of a piece: its line in the vocabulary, from 0.
pub type TokenId = u32;

/// What a vocabulary writes before a piece that continues a word.
const CONTINUES: &str = "##";

/// What stands for a word that cannot be put together from the pieces.
const UNKNOWN: &str = "[UNK]";

/// Why a vocabulary cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VocabularyError {
    /// There is no piece for what is not known.
    #[error("the vocabulary has no piece {UNKNOWN}: it is not that of a BERT-like model")]
    NoUnknown,
    /// A piece stands on two lines.
    #[error("the vocabulary has the piece {piece:?} twice, as number {first} and as number {second}")]
    Twice {
        /// What stands there.
        piece: String,
        /// Where it stands first, from 0.
        first: TokenId,
        /// Where it stands again.
        second: TokenId,
    },
    /// A piece that goes over the end of a line.
    #[error("the vocabulary's piece number {id} holds a line break")]
    LineBreak {
        /// Its number.
        id: TokenId,
    },
    /// It has 4 GiB or more.
    #[error("the vocabulary is of {bytes} bytes: 4 GiB and more are not supported")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

/// The pieces of a model.
pub struct Vocabulary {
    /// A piece per line.
    text: Cow<'static, str>,
    /// Where each line ends, its line feed not counted.
    ends: Box<[u32]>,
    /// Pieces that begin a word.
    beginnings: Pieces,
    /// Pieces that continue one, without their `##`.
    continuations: Pieces,
    unknown: TokenId,
}

#[derive(Default)]
struct Pieces {
    ids: HashTable<TokenId>,
    /// Of the longest, in bytes.
    longest: usize,
    /// How many bytes stand before what a word is compared with: those of `##`, or none.
    prefix: usize,
}

impl Vocabulary {
    /// From the text of a `vocab.txt`: a piece per line, its number is that of the line, from 0. Empty lines count, and
    /// are no pieces.
    pub fn of_lines(text: impl Into<Cow<'static, str>>) -> Result<Self, VocabularyError> {
        let mut text = text.into();
        if text.contains('\r') {
            text = Cow::Owned(text.replace("\r\n", "\n"));
        }
        if u32::try_from(text.len()).is_err() {
            return Err(VocabularyError::TooLarge { bytes: text.len() });
        }
        let ends = ends_of_lines(&text);
        let mut vocabulary = Self {
            text,
            beginnings: Pieces::default(),
            continuations: Pieces::default(),
            ends,
            unknown: 0,
        };
        vocabulary.fill()?;
        let unknown = vocabulary.find(&vocabulary.beginnings, UNKNOWN.as_bytes());
        vocabulary.unknown = unknown.ok_or(VocabularyError::NoUnknown)?;
        Ok(vocabulary)
    }

    /// From pieces in the order of their numbers. An empty one is a number without a piece.
    pub fn of_pieces<'a>(pieces: impl IntoIterator<Item = &'a str>) -> Result<Self, VocabularyError> {
        let mut text = String::new();
        for (id, piece) in (0..).zip(pieces) {
            if piece.contains('\n') {
                return Err(VocabularyError::LineBreak { id });
            }
            text.push_str(piece);
            text.push('\n');
        }
        Self::of_lines(text)
    }

    /// All pieces, one per line.
    pub fn lines(&self) -> &str {
        &self.text
    }

    /// How many numbers there are; the largest is one less.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none. (There always is one, see [`unknown`](Self::unknown).)
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// What stands for a word that cannot be put together from the pieces.
    pub fn unknown(&self) -> TokenId {
        self.unknown
    }

    /// What has this number, with its `##`. `None`: nothing has.
    pub fn piece(&self, id: TokenId) -> Option<&str> {
        self.text.get(self.line(id)?)
    }

    /// The longest piece that a word begins with: its number and its length in bytes.
    #[inline]
    pub(super) fn longest_beginning(&self, word: &[u8]) -> Option<(TokenId, usize)> {
        self.longest(&self.beginnings, word)
    }

    /// The longest piece that the rest of a word begins with: its number and its length in bytes.
    #[inline]
    pub(super) fn longest_continuation(&self, rest: &[u8]) -> Option<(TokenId, usize)> {
        self.longest(&self.continuations, rest)
    }

    #[inline]
    fn longest(&self, among: &Pieces, text: &[u8]) -> Option<(TokenId, usize)> {
        // A piece is valid UTF-8: one that matches ends where a character does, so lengths may be tried byte by byte.
        (1..=text.len().min(among.longest)).rev().find_map(|length| {
            let id = self.find(among, text.get(..length)?)?;
            Some((id, length))
        })
    }

    #[inline]
    fn find(&self, among: &Pieces, bare: &[u8]) -> Option<TokenId> {
        let same = |id: &TokenId| self.bare(*id, among.prefix) == Some(bare);
        among.ids.find(hash(bare), same).copied()
    }

    /// A piece without its prefix.
    #[inline]
    fn bare(&self, id: TokenId, prefix: usize) -> Option<&[u8]> {
        let line = self.line(id)?;
        self.text.as_bytes().get(line.start + prefix..line.end)
    }

    /// Where a piece stands in the text.
    #[inline]
    fn line(&self, id: TokenId) -> Option<Range<usize>> {
        let index = usize::try_from(id).ok()?;
        let end = usize::try_from(*self.ends.get(index)?).ok()?;
        let start = match index.checked_sub(1) {
            Some(before) => usize::try_from(*self.ends.get(before)?).ok()? + 1,
            None => 0,
        };
        Some(start..end)
    }

    fn fill(&mut self) -> Result<(), VocabularyError> {
        let mut beginnings = Pieces::for_about(self.ends.len(), 0);
        let mut continuations = Pieces::for_about(self.ends.len() / 4, CONTINUES.len());
        for (id, piece) in (0..).zip(self.text.split('\n')).take(self.ends.len()) {
            let (pieces, bare) = match continuation(piece) {
                Some(bare) => (&mut continuations, bare),
                None if piece.is_empty() => continue,
                None => (&mut beginnings, piece),
            };
            if let Some(first) = self.find(pieces, bare.as_bytes()) {
                let piece = piece.to_owned();
                return Err(VocabularyError::Twice {
                    piece,
                    first,
                    second: id,
                });
            }
            pieces.longest = pieces.longest.max(bare.len());
            let hash_of = |id: &TokenId| hash(self.bare(*id, pieces.prefix).unwrap_or_default());
            pieces.ids.insert_unique(hash(bare.as_bytes()), id, hash_of);
        }
        (self.beginnings, self.continuations) = (beginnings, continuations);
        Ok(())
    }
}

impl Pieces {
    fn for_about(count: usize, prefix: usize) -> Self {
        Self {
            ids: HashTable::with_capacity(count),
            longest: 0,
            prefix,
        }
    }
}

impl std::fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vocabulary")
            .field("pieces", &self.len())
            .finish_non_exhaustive()
    }
}

/// What comes after the `##`. `None`: there is none, or nothing after it.
#[inline]
fn continuation(piece: &str) -> Option<&str> {
    piece.strip_prefix(CONTINUES).filter(|bare| !bare.is_empty())
}

fn ends_of_lines(text: &str) -> Box<[u32]> {
    let ended = text.bytes().zip(0_u32..).filter(|(byte, _)| *byte == b'\n');
    let ends = ended.map(|(_, at)| at);
    let open = u32::try_from(text.len())
        .ok()
        .filter(|_| !text.is_empty() && !text.ends_with('\n'));
    ends.chain(open).collect()
}

/// The keys are the vocabulary's own, so nobody can send ones that collide: the hash needs no secret.
#[inline]
fn hash(bare: &[u8]) -> u64 {
    rapidhash_v3_nano_inline::<true, false>(bare, &DEFAULT_RAPID_SECRETS)
}
