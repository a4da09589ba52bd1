//! The stages of the line that every request walks ([`crate::serve`]), and the bodies of its responses.
//!
//! In their order: [`authenticate`], [`accept`] (for what passes through unread: [`carry`]), [`bounds`], [`recall`],
//! [`plan`], [`attempt`], [`respond`] (whose bodies are those of [`relay`] and [`passage`]), and beside all of them
//! [`settle`].

pub(crate) mod accept;
pub(crate) mod attempt;
pub(crate) mod authenticate;
pub(crate) mod bounds;
pub(crate) mod carry;
pub(crate) mod passage;
pub(crate) mod plan;
pub(crate) mod recall;
pub(crate) mod relay;
pub(crate) mod respond;
pub(crate) mod settle;
