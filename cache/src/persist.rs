//! Entries across restarts.
