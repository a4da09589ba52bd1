//! Who is near in a partition.
