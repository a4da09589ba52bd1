//! The index against a scan.
