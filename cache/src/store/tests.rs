//! The store against a naive model.
