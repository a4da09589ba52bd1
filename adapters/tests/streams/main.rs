//! Streams as the gateway drives them, seen from outside of the crate, for every pair of dialects.
//!
//! - `beginnings`: what is known of a stream before its first token, and that nothing of it need reach the client.
//! - `continuation`: one answer by several providers.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the whole crate is a test; its helpers stand outside of the functions that say so"
)]

mod beginnings;
mod continuation;
mod support;
