//! What must hold whatever bytes come: one function for each reader of foreign bytes.
//!
//! Each takes what a fuzzer made up, and panics where something does not hold. The first bytes decide how the rest is
//! used; they are told in the function's module. Two things run these functions: the targets beside this folder, with
//! libFuzzer, and `adapters/tests/corpus.rs`, with what libFuzzer has found so far.

mod answer;
mod array;
mod carried;
mod continued;
mod cutting;
mod eventstream;
mod grammar;
mod kept;
mod parties;
mod request;
mod sse;
mod stream;
mod wire;

/// A target: its name, and what must hold.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 9] = [
    ("sse", sse::check),
    ("eventstream", eventstream::check),
    ("array", array::check),
    ("request", request::check),
    ("answer", answer::check),
    ("stream", stream::check),
    ("continued", continued::check),
    ("carried", carried::check),
    ("kept", kept::check),
];

/// Runs the target of this name.
///
/// # Panics
/// Where something does not hold, or there is no such target.
pub fn check(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, check) = target.expect("a known target");
    check(data);
}
