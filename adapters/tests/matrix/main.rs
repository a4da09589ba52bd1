//! Every client dialect against every kind of provider, seen from outside of the crate.
//!
//! - `requests`, `answers`: the same conversation and the same answers, written once for each dialect
//!   (`tests/fixtures/matrix`), across each pair: pinned in snapshots, and compared with an account of its own.
//! - `turns`: an answer that goes back to its provider with the client's next request.
//! - `custom`: custom tools, which are functions elsewhere, in answers.
//! - `complaints`: what went wrong elsewhere.
//! - `account`: what becomes of each field of each dialect, as `docs/reference/translation.md` tells it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the whole crate is a test; its helpers stand outside of the functions that say so"
)]

mod account;
mod answers;
mod complaints;
mod custom;
mod requests;
mod said;
mod support;
mod turns;
