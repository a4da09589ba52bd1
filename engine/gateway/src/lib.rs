//! The gateway: HTTP in front, stages in line, providers behind.
//!
//! `serve.rs` is the line that every request walks. Its stages are in `stages/`, what they give each other is in
//! `exchange/`, and the connections to providers are in `upstream/`.

mod admin;
mod app;
mod count_tokens;
mod embedding;
mod exchange;
mod explain;
mod feedback;
mod health;
mod identity;
mod in_array;
mod kept;
mod lifecycle;
mod models;
mod off_thread;
mod probe;
mod runtime_clock;
mod scrub;
mod serve;
mod server;
mod stages;
mod tls;
mod upstream;
mod worker;

#[doc(hidden)]
pub mod bench;
pub mod cli;

pub use explain::{AttemptOutcome, DecisionRecord, TargetName};
pub use server::Gateway;

/// Tells the operator something: one line on standard error, where the access log is not.
pub(crate) fn say(line: std::fmt::Arguments<'_>) {
    use std::io::Write as _;
    // Nobody left to tell: nothing to do about it.
    let _ = writeln!(std::io::stderr().lock(), "tollgate: {line}");
}
