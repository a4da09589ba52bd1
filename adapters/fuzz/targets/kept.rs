//! See `src/kept.rs`.

#![no_main]

mod mutation;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use mutation::{Json, mutate};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(Json::InLinesBehind(1), data, size, max_size, seed)
});

fuzz_target!(|data: &[u8]| tollgate_fuzz::check("kept", data));
