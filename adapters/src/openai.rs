//! OpenAI's Chat Completions, as OpenAI and everybody who is compatible to it speak it.

pub(crate) mod answer;
pub(crate) mod carried;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod events;
pub(crate) mod messages;
pub(crate) mod quirks;
pub(crate) mod render;
pub(crate) mod stream;
mod tools;
pub(crate) mod turns;
