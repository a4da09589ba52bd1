//! OpenAI's Responses.

pub(crate) mod answer;
pub(crate) mod carried;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod error;
pub(crate) mod events;
mod items;
pub(crate) mod observe;
mod output;
pub(crate) mod render;
pub(crate) mod stream;
#[cfg(test)]
mod tests;
mod tools;
mod turns;
