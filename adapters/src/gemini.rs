//! Google's generateContent, as the Gemini API and Vertex AI speak it.
//!
//! Fields are read in camel case and in snake case, as Google reads them, and written in camel case; paths in
//! losses and refusals name them in camel case.

pub(crate) mod answer;
pub(crate) mod decode;
pub(crate) mod embed;
pub(crate) mod encode;
pub(crate) mod error;
pub(crate) mod events;
mod lenient;
pub(crate) mod observe;
mod partial;
pub(crate) mod parts;
pub(crate) mod quirks;
pub(crate) mod render;
mod response;
pub(crate) mod schema;
pub(crate) mod settings;
pub(crate) mod signature;
pub(crate) mod stream;
pub(crate) mod turns;
pub(crate) mod usage;

#[cfg(test)]
mod tests;
