//! Words and their pieces.
