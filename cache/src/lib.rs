//! The cache of answers: exact first, then by meaning, and never a wrong one.
//!
//! - [`Cache`]: all of it together: is there an answer to this question?
//! - [`text`]: words and their pieces, folded text, what cannot be understood without its surroundings.
//! - [`embed`]: text to [`Vector`], by a static model that ships with the program, or another one.
//! - [`verify`]: whether two questions ask for the same, with the reasons.
//! - [`index`]: who is near in a partition: a scan while it is small, a graph beyond.
//! - [`Policy`]: which questions count as the same, for how long, among whom.
//! - [`store`]: the entries, their budget, their end.
//! - [`learn`]: what use has shown of the thresholds.
//! - [`persist`]: entries across restarts.

mod cache;
pub mod embed;
pub mod index;
mod lanes;
pub mod learn;
pub mod persist;
mod policy;
pub mod store;
pub mod text;
mod vector;
pub mod verify;

pub use cache::{Apart, Cache, Comparison, Filled, Found, Layer, Looked, Made, Sought, Withheld};
pub use index::{IndexSettings, Patience};
pub use policy::{Mode, Policy, Scope};
pub use store::{
    Begun, Entry, EntryId, Inserted, Key, Labels, NewEntry, Selection, Store, StoreSettings, Worth,
};
pub use vector::Vector;
