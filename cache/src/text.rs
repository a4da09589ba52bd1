//! Words and their pieces, folded text, and what a text is like.
//!
//! - [`WordPiece`]: the pieces an embedder and a verifier know, with the words they come from.
//! - [`fold`]: what is left of a text when nothing is taken away but what cannot carry meaning.
//! - [`Traits`]: what decides whether a text may be answered by meaning at all; [`deictic`] is one of them;
//!   [`unfit`] says which of them decided.

mod chars;
mod deictic;
mod fold;
mod secrets;
mod traits;
mod unfit;
mod vocabulary;
mod wordpiece;

pub use deictic::deictic;
pub use fold::fold;
pub use traits::{Scripts, Traits};
pub(crate) use unfit::LONGEST_BYTES;
pub use unfit::unfit;
pub use vocabulary::{TokenId, Vocabulary, VocabularyError};
pub use wordpiece::{Word, WordPiece};
