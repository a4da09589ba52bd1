//! What folds together, what must not, and what holds for any text.

use super::*;
use proptest::prelude::*;

#[test]
fn the_same_question_written_twice_folds_together() {
    for (a, b) in [
        ("What is the capital of Peru?", "what is the capital of Peru"),
        (
            "What is the capital of Peru?",
            "  What  is the capital   of Peru ?  ",
        ),
        ("What's a monad?", "what's a monad"),
        ("Is Java faster than Go?", "is Java faster than Go?\n"),
        ("Explain recursion.", "explain  recursion"),
        (
            "Please translate \"Good  day.\" into French.",
            "please  translate \"Good  day.\" into French.",
        ),
        (
            "I use Linux. How do I find my IP address?",
            "I use Linux.  how do I find my IP address",
        ),
        ("Sort this:\n  b\n  a", "\n\nSort  this: \n  b\n  a\n\n"),
    ] {
        assert_eq!(fold(a), fold(b));
    }
    assert_eq!(
        fold(" What is  the capital of Peru ? "),
        "what is the capital of Peru"
    );
}

#[test]
fn what_differs_in_meaning_does_not_fold_together() {
    for (a, b) in [
        ("Can you tell us about visas?", "Can you tell US about visas?"),
        ("Polish furniture", "polish furniture"),
        ("does WHO recommend it", "does who recommend it"),
        ("WHO recommends it", "Who recommends it"),
        ("What is IT", "What is it"),
        ("Will Smith movies", "will Smith movies"),
        ("May deadlines", "may deadlines"),
        ("Which vitamin? A", "Which vitamin? a"),
        ("What is an apple?", "What is an Apple?"),
        ("You are sure?", "You are sure."),
        ("You are sure?", "You are sure"),
        ("Do the dishes", "Do the dishes?"),
        ("What is 5!", "What is 5"),
        ("explain sort!", "explain sort"),
        ("explain empty?", "explain empty"),
        ("What does C# ??", "What does C# ?"),
        ("What is String??", "What is String?"),
        ("What is $?", "What is $"),
        ("what does the operator ?", "what does the operator"),
        ("What does C++ mean?", "What does C mean?"),
        ("What is fig.", "What is fig"),
        ("What is .NET", "What is NET"),
        ("Wait...", "Wait"),
        ("Is 1.5 more than 15", "Is 15 more than 15"),
        ("Is -5 negative", "Is 5 negative"),
        ("echo \"a  b\"", "echo \"a b\""),
        ("echo 'a  b'", "echo 'a b'"),
        ("run `ls  -a`", "run `ls -a`"),
        ("What is \"The Who?\"", "What is \"the who\""),
        ("fix\n```\nif a:\n  b\n  c", "fix\n```\nif a:\n b\n c"),
        ("fix\nif a:\n  b\nc", "fix\nif a:\n  b\n  c"),
        ("  a:\n  b:", "a:\n  b:"),
        ("one\ntwo", "one two"),
        ("a\tb", "a b"),
        ("say “What  now?”", "say “what now”"),
        ("say «a  b» and «c", "say «a b» and «c"),
    ] {
        assert_ne!(fold(a), fold(b), "{a:?} {b:?}");
    }
}

#[test]
fn nothing_stays_nothing() {
    for text in ["", " ", "\n \t\n", "?", ".", "\"", "'"] {
        assert_eq!(fold(text), text.trim(), "{text:?}");
    }
}

#[test]
fn a_megabyte_is_folded_in_one_go() {
    let folded = fold(&"What  is it? ".repeat(1 << 16));
    let expected = "what is it? ".repeat(1 << 16);
    assert!(
        Some(folded.as_str()) == expected.strip_suffix("? "),
        "{} bytes",
        folded.len()
    );
}

/// Texts of what the rules look at.
fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "What",
        "what",
        "is",
        "Is",
        "US",
        "recursion",
        "a",
        "5",
        "?",
        "??",
        ".",
        "!",
        " ",
        "  ",
        "\n",
        "\n  ",
        "\t",
        "\"",
        "'",
        "`",
        "```",
        "“",
        "”",
        "’",
        "~~~",
        "é",
        "北",
        "\r\n",
        "-",
        "+",
        "#",
        ",",
        "Please",
        "the",
        "\u{a0}",
    ]);
    prop_oneof![
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat()),
        any::<String>()
    ]
}

fn kept(text: &str, keep: impl Fn(&char) -> bool) -> String {
    text.chars().filter(keep).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn folding_again_changes_nothing(text in text()) {
        let folded = fold(&text);
        prop_assert_eq!(fold(&folded), folded);
    }

    #[test]
    fn only_blanks_case_and_the_last_mark_are_touched(text in text()) {
        let letters = |text: &str| kept(text, |c| !c.is_whitespace()).to_ascii_lowercase();
        let (all, folded) = (letters(&text), letters(&fold(&text)));
        let lost = all.strip_prefix(&folded);
        prop_assert!(matches!(lost, Some("" | "?" | ".")), "{lost:?}");
    }

    #[test]
    fn digits_and_signs_stay_in_order(text in text()) {
        let signs = |text: &str| kept(text, |c| c.is_numeric() || "+-#!,".contains(*c));
        prop_assert_eq!(signs(&text), signs(&fold(&text)));
    }

    #[test]
    fn what_is_quoted_stays_as_it_is(before in "[a-zA-Z ?.]{0,12}", quoted in "[a-zA-Z0-9 ?.!\n\t]{0,24}", after in "[a-zA-Z ?.]{0,12}",
                                     marks in prop::sample::select(vec![("\"", "\""), ("`", "`"), ("```\n", "\n```"), ("“", "”"), ("«", "»")])) {
        let span = format!("{}{quoted}{}", marks.0, marks.1);
        let folded = fold(&format!("{before}{span}{after}"));
        prop_assert!(folded.contains(&span), "{folded:?}");
    }
}
