//! Configuration: one YAML file in, all of its problems or valid [`Settings`] out.
//!
//! A file goes through [`load`]: YAML to a tree with line numbers (`tree`), variables (`expand`), the schema
//! (`check`, generated from `raw`), meaning and references (`resolve`). Each step reports into one list and
//! hands on what is usable, so that one run finds everything. Reads the files it is pointed to, and nothing else:
//! environment variables come as a function, and there is no clock.

mod address;
mod check;
mod document;
mod effective;
mod environment;
mod expand;
mod file;
mod place;
mod prices;
mod problem;
mod raw;
mod reference;
mod report;
mod resolve;
mod schema;
mod settings;
mod source;
mod tree;
mod units;
mod words;

#[cfg(test)]
mod tests;

pub use document::document;
pub use environment::zero_config;
pub use expand::{Env, expanded, literal};
pub use prices::{PriceBook, PriceBookError};
pub use problem::{Problem, Problems};
pub use reference::{reference_markdown, starter};
pub use schema::json_schema;
pub use settings::{
    AccessLog, Admin, AuthMode, Cache, Decisions, Drain, Embedder, EmbeddingEndpoint, Passthrough, Server,
    Settings, Telemetry, Tls,
};
pub use source::{Source, load};
pub use units::duration;
