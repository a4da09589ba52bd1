//! Wire dialects, sans-IO: bytes in, bytes out, no client, no clock, no async.
//!
//! - [`read_head`]: what the gateway must know of a request, in one pass that leaves the body untouched.
//! - [`encode`]: the request for one target, and the [`Reader`] of its answer: whole ([`Reader::read`]), failed
//!   ([`Reader::read_failure`]) or streamed ([`Reader::stream`]).
//! - [`encode_continuation`], [`StreamReader::continue_with`]: another target goes on with an answer that broke off.
//! - [`Report`]: what an answer told: usage, end, errors. [`settled_usage`]: what it is billed for.
//! - [`profile()`], [`base_url`], [`request_headers`]: what is known of each kind of provider beforehand.
//! - [`ArrayWriter`]: a stream of events as a JSON array.
//! - [`sign_request`]: the signature that AWS wants instead of a key.
//! - [`encode_carried`], [`FormScan`], [`Told`]: what passes through without being held: where it goes, whose model a
//!   form names, what the answer tells of its use.
//! - [`render_refusal`], [`render_stream_error`]: every error in the client's own dialect.

mod anthropic;
mod bedrock;
mod chat;
mod classify;
mod cohere;
mod continuation;
mod dialects;
mod egress;
mod embedding;
mod encode;
mod error_words;
mod estimate;
pub mod eventstream;
mod form;
mod framing;
mod gemini;
mod head;
mod headers;
mod json;
mod json_array;
mod loss;
mod openai;
mod passthrough;
mod patch;
mod percent;
mod profile;
mod reader;
mod recall;
mod render;
mod report;
mod responses;
mod resume;
mod sigv4;
pub mod sse;
mod streaming;
#[cfg(test)]
mod testing;
mod told;
mod translate;
mod usage;

pub use classify::ProviderFailure;
pub use continuation::{encode_continuation, render_seam};
pub use egress::Egress;
pub use encode::{Encoded, encode, encode_carried};
pub use estimate::{estimate_usage, settled_usage};
pub use form::{Absent, FormScan, ModelField};
pub use head::{Address, Head, Scratch, read_head, read_head_at};
pub use headers::{error_header, request_headers, stream_type, takes_comments};
pub use json_array::ArrayWriter;
pub use loss::Loss;
pub use profile::{AuthScheme, Profile, Quirks, base_url, profile};
pub use reader::{Answer, Reader, StreamReader};
pub use recall::{
    Asked, Fresh, KeepPolicy, Kept, KeptChoice, KeptContent, KeptPart, NotKept, Shape, Traits, Unreadable,
    asked,
};
pub use render::{render_refusal, render_stream_error};
pub use report::{Malformed, Report, StreamEnd, StreamFault};
pub use resume::Partial;
pub use sigv4::{BEDROCK, NotSigned, Payload, Signer, sign_request};
pub use told::Told;
