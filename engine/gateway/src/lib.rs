//! The gateway: HTTP in front, stages in line, providers behind.
//!
//! [`serve`](crate) is the line that every request walks; its stages have a file each, in that order:
//! `authenticate`, `accept`, `recall`, `plan`, `attempt`, `relay`, `settle`.

mod accept;
mod address;
mod admin;
mod answered;
mod app;
mod attempt;
mod authenticate;
mod bounds;
mod call;
mod carry;
mod count_tokens;
mod embedding;
mod explain;
mod feedback;
mod health;
mod identity;
mod in_array;
mod incoming;
mod kept;
mod ledger;
mod leg;
mod lifecycle;
mod models;
mod off_thread;
mod passage;
mod passed;
mod plan;
mod probe;
mod recall;
mod relay;
mod respond;
mod runtime_clock;
mod scrub;
mod serve;
mod server;
mod settle;
mod tls;
mod upload;
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
