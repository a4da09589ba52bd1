//! Entries across restarts: a log that is appended to, and now and then a snapshot, in a folder of the cache's own.
//!
//! [`Log::open`] gives the writing side to the keeper of the cache and a [`Loader`] to whoever reads the entries of
//! earlier runs back, while the cache is in use already. What must stay true, whatever is lost, cut off or damaged:
//!
//! - An entry comes back as it was written, or not at all.
//! - What [`Log::append_durable`] has taken away does not come back.
//! - The cache does not stop for its files: they are given up instead, with one line that says why.
//!
//! That holds for a loss of power at any time, and for damage to any one file. It does not hold if whole files are
//! put back from a copy. Answers are private, so only the owner can read the files; they are not encrypted.
//!
//! A change of the model (embedder, verifier) costs the vectors, not the entries: those are still found by sameness,
//! and can be embedded again from their words. A change of the format costs the entries.

mod files;
mod frame;
mod load;
mod log;
mod names;
mod record;
mod undone;
mod wire;

pub use files::{Disk, FileWriter, Files, Listed};
pub use frame::{Consequence, Damage, Skipped};
pub use load::{LoadReport, Loader};
pub use log::{Log, LogStats, NotDurable, Notice, Room, Settings, Snapshot};
pub use record::{Record, StoredEntry};
