//! AWS Bedrock's Converse and `ConverseStream`: one dialect for models of many makers, which differ in what they take.

pub(crate) mod additional;
pub(crate) mod answer;
pub(crate) mod blocks;
pub(crate) mod carried;
pub(crate) mod decode;
pub(crate) mod embed;
pub(crate) mod encode;
pub(crate) mod error;
pub(crate) mod events;
pub(crate) mod observe;
pub(crate) mod quirks;
pub(crate) mod render;
pub(crate) mod settings;
pub(crate) mod stream;
pub(crate) mod tools;
pub(crate) mod turns;
pub(crate) mod usage;

#[cfg(test)]
mod tests;
