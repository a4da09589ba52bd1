//! What the promises are tested with: a gateway on loopback in front of simulated providers, and clients that
//! can do what SDKs never do, such as stop reading or leave in the middle of a word.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::disallowed_methods,
    reason = "a harness fails by panicking, and waits by the real clock"
)]

mod bodies;
mod http2;
mod metrics;
mod on_time;
mod process;
mod routes;
mod scripted;
mod signatures;
mod stack;
mod wire;

pub use bodies::{chat, chat_stream, data, messages, messages_stream, text_of_chat, text_of_messages};
pub use http2::Http2;
pub use metrics::Metrics;
pub use on_time::on_time;
pub use process::{Finished, Process, binary, run, run_and, run_within, spawn};
pub use routes::{broken, failing, slow, tally};
pub use scripted::{Scripted, is_whole, json_answer, refusing};
pub use signatures::{Signature, verified};
pub use stack::{BEARER, KEY, Stack, eventually, scratch_file};
pub use wire::{Cut, Response, Wire, get, post};
