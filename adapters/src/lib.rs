//! Wire dialects, sans-IO: bytes in, bytes out, no client, no clock, no async.

mod egress;
mod loss;
mod report;
pub mod sse;

pub use egress::Egress;
pub use loss::Loss;
pub use report::{Malformed, Report, StreamEnd, StreamFault};
