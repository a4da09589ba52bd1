//! Anthropic's Messages.

pub(crate) mod answer;
pub(crate) mod blocks;
pub(crate) mod carried;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod events;
pub(crate) mod quirks;
pub(crate) mod render;
pub(crate) mod settings;
pub(crate) mod stream;
pub(crate) mod turns;
pub(crate) mod vertex;
