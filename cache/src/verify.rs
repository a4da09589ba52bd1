//! Whether two questions ask for the same, with the reasons.
