//! Texts that nobody meant as a config file: refused, quickly, and never with a panic.

use proptest::prelude::*;

use super::good_files::SMALL;
use super::{problems, read};

#[test]
fn aliases_cannot_grow_without_bound() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        text = format!("{text}a{level}: &a{level} [{before}]\n");
    }
    assert!(problems(&text).contains("too large with its aliases expanded"));
}

#[test]
fn long_texts_cannot_be_multiplied_by_aliases() {
    let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a, ".repeat(100));
    assert!(problems(&text).contains("too large with its aliases expanded"));
}

#[test]
fn nesting_is_bounded() {
    assert!(problems(&"[".repeat(100)).contains("nested too deeply"));
    assert!(problems(&"- ".repeat(10_000)).contains("nested too deeply"));
    for unit in ["{a: ", "- ", "[", "? ", "- - a:\n", "&a [", "!!seq ["] {
        assert!(super::read(&unit.repeat(100_000)).is_err(), "{unit}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*|[\\[\\]{}:,&*!|>'\"%@`#? \\n-]{0,80}") {
        let _ = read(&text);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let _ = read(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_good_file_with_damage_is_read_or_refused(at in 0..SMALL.len(), cut in 0..40usize, put in "[a-z:*&{}\\[\\]\" \\n$-]{0,6}") {
        let end = (at + cut).min(SMALL.len());
        let damaged = format!("{}{put}{}", &SMALL[..at], &SMALL[end..]);
        if let Err(problems) = read(&damaged) {
            prop_assert!(!problems.to_string().contains("very-secret"));
        }
    }
}
