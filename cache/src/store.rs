//! The entries, their budget, their end.
