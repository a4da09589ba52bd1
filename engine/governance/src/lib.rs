//! Governance: who may use what.
//!
//! Today virtual keys and the models they may use. Budgets, rate limits, roles and the ledger move in here.

mod keys;

pub use keys::{KeyDenied, KeyHash, Keyring, VirtualKey};
