//! Wire dialects, sans-IO: bytes in, bytes out, no client, no clock, no async.

mod classify;
mod egress;
mod encode;
mod estimate;
mod head;
mod headers;
mod json;
mod loss;
mod passthrough;
mod patch;
mod profile;
mod render;
mod report;
pub mod sse;
mod usage;

pub use classify::ProviderFailure;
pub use egress::Egress;
pub use encode::{Answer, Encoded, Reader, StreamReader, encode};
pub use estimate::{estimate_usage, settled_usage};
pub use head::{Head, Scratch, read_head};
pub use headers::request_headers;
pub use loss::Loss;
pub use profile::{AuthScheme, Profile, Quirks, base_url, profile};
pub use render::{render_refusal, render_stream_error};
pub use report::{Malformed, Report, StreamEnd, StreamFault};
