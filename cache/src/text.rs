//! Words and their pieces, folded text, and what a text is like.
//!
//! - [`WordPiece`]: the pieces an embedder and a verifier know, with the words they come from.

mod chars;
mod vocabulary;
mod wordpiece;

pub use vocabulary::{TokenId, Vocabulary, VocabularyError};
pub use wordpiece::{Word, WordPiece};
