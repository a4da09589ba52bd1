//! The simulated providers over real sockets: what they answer, how they break, what they write down.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, also in the client that its module shares"
)]

#[path = "simulated/wire.rs"]
mod wire;

#[path = "simulated/answers.rs"]
mod answers;
#[path = "simulated/bedrock.rs"]
mod bedrock;
#[path = "simulated/cohere.rs"]
mod cohere;
#[path = "simulated/control.rs"]
mod control;
#[path = "simulated/faults.rs"]
mod faults;
#[path = "simulated/google.rs"]
mod google;
#[path = "simulated/responses.rs"]
mod responses;
#[path = "simulated/spoken.rs"]
mod spoken;
#[path = "simulated/traffic.rs"]
mod traffic;
