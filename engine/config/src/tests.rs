//! The promises of this crate, on whole files.

mod bad_files;
mod cache;
mod clouds;
mod embedder;
mod generated;
mod good_files;
mod lookups;
mod nonsense;
mod routing;

use crate::{Problems, Settings, Source, load};
use tollgate_routing::Board;

/// The variables that example files refer to.
fn env(name: &str) -> Option<String> {
    match name {
        "UNSET" => None,
        "EMPTY" => Some(String::new()),
        "WORKERS" => Some("3".to_owned()),
        "AZURE_OPENAI_ENDPOINT" => Some("https://res.openai.azure.com/".to_owned()),
        _ => Some(format!("very-secret-{name}")),
    }
}

fn read(text: &str) -> Result<Settings, Problems> {
    let name = "t.yaml";
    load(Source::Text { name, text }, &env, 7, &Board::default())
}

/// The problems of a text, one a line.
fn problems(text: &str) -> String {
    read(text).expect_err("the text has problems").to_string()
}
