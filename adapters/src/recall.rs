//! What a cache must know of a request, and how it keeps and tells an answer.
//!
//! - [`asked`]: the question, as what must be the same and what may be said in other words.
//! - [`Kept`]: an answer without its dialect: taken from the bytes that a client was sent ([`Kept::of_whole`],
//!   [`Kept::of_stream`]), stored ([`Kept::to_bytes`]), and told to another ([`Kept::render`]).
//!
//! Two rules. A question is the same only if nothing differs that could change its answer: what is not known to be
//! harmless counts. An answer is kept only if it can be told again without a loss: what is not known is not kept.

mod canon;
mod fields;
mod foreign;
mod keep;
mod kept;
mod model;
mod question;
mod shapes;
mod tell;

pub use keep::{KeepPolicy, NotKept};
pub use kept::{Kept, KeptChoice, KeptContent, KeptPart, Unreadable};
pub use question::{Asked, Traits, asked};
pub use tell::{Fresh, Shape};
