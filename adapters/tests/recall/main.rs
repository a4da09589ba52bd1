//! Questions and kept answers, seen from outside of the crate.
//!
//! - `answer`: what is kept of an answer, and how it is told again.
//! - `question`: what makes two requests the same question, and what does not.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the whole crate is a test; its helpers stand outside of the functions that say so"
)]

mod answer;
mod question;
mod support;
