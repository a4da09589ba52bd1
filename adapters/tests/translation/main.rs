//! Requests and answers that cross from one dialect into the other, seen from outside of the crate.
//!
//! - `golden`: what each kind of request, answer and stream must become, pinned in snapshots.
//! - `recorded`: real traffic of real providers, translated and compared with an account of its own.
//! - `lint`: what providers are known to refuse.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the whole crate is a test; its helpers stand outside of the functions that say so"
)]

mod account;
mod golden;
mod lint;
mod recorded;
mod support;
