//! The price book: what models cost and how long their prompts may be, by kind of provider and name.

mod book;
mod names;

pub use book::{PriceBook, PriceBookError};
