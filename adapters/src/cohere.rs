//! Cohere's chat and embeddings, version 2.

pub(crate) mod answer;
pub(crate) mod decode;
pub(crate) mod embed;
pub(crate) mod encode;
pub(crate) mod error;
pub(crate) mod events;
pub(crate) mod messages;
pub(crate) mod observe;
pub(crate) mod quirks;
pub(crate) mod render;
pub(crate) mod schema;
pub(crate) mod stream;
pub(crate) mod turns;
pub(crate) mod usage;

#[cfg(test)]
mod tests;
