//! Checks over questions and pairs of them: what is said of a pair, of any length, and that order does not matter.

use proptest::prelude::*;

use super::*;
use crate::embed::Embedder as _;

mod guards;

fn verifier() -> &'static Verifier {
    Verifier::built_in()
}

fn cosine(a: &str, b: &str) -> f32 {
    let table = Table::built_in();
    table
        .embed(a)
        .zip(table.embed(b))
        .map_or(0.0, |(a, b)| a.cosine(&b))
}

fn explained(a: &str, b: &str) -> Explanation {
    let verifier = verifier();
    verifier.explain(&verifier.analyse(a), &verifier.analyse(b), cosine(a, b))
}

#[test]
fn politeness_says_nothing() {
    for polite in [
        "Please tell me: how do I exit vim?",
        "Hi there! Could you tell me how do I exit vim?",
        "How do I exit vim? Thanks in advance!",
        "Hello, how do I please exit vim? Thank you.",
    ] {
        let explained = explained(polite, "How do I exit vim?");
        assert_eq!(
            (explained.a.as_str(), explained.guard),
            ("how do i exit vim", None),
            "{polite}"
        );
    }
    let short = explained("Please tell me: how do I exit vim?", "How do I exit vim?");
    assert!(short.score > 0.8, "{short:?}");
    assert_eq!(explained("Thanks", "Thank you").a, "thanks");
}

#[test]
fn the_same_text_scores_high_and_another_low() {
    for text in [
        "How do I exit vim?",
        "What is the capital of France?",
        "wie geht das",
        "2 + 2",
    ] {
        let same = explained(text, text);
        assert!(same.score > 0.95 && same.guard.is_none(), "{text} {same:?}");
    }
    let other = explained("How do I exit vim?", "Which cheese goes well with wine?");
    assert!(other.score_without_guards < 0.1, "{other:?}");
}

#[test]
fn an_explanation_names_all_that_counted() {
    let explained = explained("Can I pay 5 dollars?", "Can I pay 6 dollars?");
    assert_eq!(explained.guard, Some(Guard::Number));
    assert!(explained.score == 0.0 && explained.score_without_guards > 0.0);
    let json = serde_json::to_value(&explained).unwrap();
    assert_eq!(json["guard"], "number");
    assert_eq!(
        json["fired"][0],
        serde_json::json!({"guard": "number", "a": "5", "b": "6"})
    );
    assert_eq!(
        json["features"].as_array().unwrap().len(),
        FEATURES + verifier().nets.len()
    );
    assert_eq!(json["features"][0]["name"], "topic_jaccard");
}

#[test]
fn features_have_names_of_their_own() {
    let names = verifier().names();
    let mut once = names.clone();
    once.sort();
    once.dedup();
    assert_eq!((names.len(), once.len()), (FEATURES, FEATURES));
    assert!(names.iter().all(|name| !name.is_empty()));
}

#[test]
fn a_model_of_another_shape_is_refused() {
    let table = || Arc::clone(Table::built_in());
    assert!(Verifier::of(table(), b"").is_err());
    assert!(Verifier::of(table(), &MODEL[..MODEL.len() / 2]).is_err());
    let verifier = Verifier::of(table(), MODEL).unwrap();
    assert_eq!(verifier.id(), super::tests::verifier().id());
}

#[test]
fn a_megabyte_takes_no_longer_than_a_page() {
    let page = verifier().analyse(&"why ".repeat(2_100));
    for text in [
        "why ".repeat(262_144),
        "a".repeat(1 << 20),
        "é1\"".repeat(1 << 18),
        "- -- ".repeat(1 << 18),
    ] {
        let analysis = verifier().analyse(&text);
        assert!(
            !analysis.complete && analysis.bytes() <= page.bytes() * 4,
            "{}",
            analysis.bytes()
        );
        let again = verifier().judge(&analysis, &analysis, 1.0);
        assert_eq!(again.guard, Some(Guard::Length));
    }
}

fn question() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "what",
        "is",
        "the",
        "not",
        "best",
        "worst",
        "Paris",
        "London",
        "2",
        "two",
        "million",
        "km",
        "miles",
        "my",
        "your",
        "I",
        "you",
        "and",
        "how",
        "python",
        "C++",
        "get_user",
        "from",
        "to",
        "before",
        "after",
        "?",
        ",",
        "\"",
        "dogs",
        "cats",
        "eat",
        "today",
        "tomorrow",
        "please",
        "$5",
        "50%",
        "狗",
        "😂",
        "II",
        "twenty-first",
        "--x",
    ]);
    prop::collection::vec(word, 0..14).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn the_order_of_a_pair_does_not_matter(a in question(), b in question(), cosine in -1.0f32..1.0) {
        let verifier = verifier();
        let (x, y) = (verifier.analyse(&a), verifier.analyse(&b));
        prop_assert_eq!(verifier.features(&x, &y, cosine), verifier.features(&y, &x, cosine));
        prop_assert_eq!(verifier.judge(&x, &y, cosine), verifier.judge(&y, &x, cosine));
        prop_assert_eq!(verifier.opinions(&x, &y, cosine), verifier.opinions(&y, &x, cosine));
    }

    #[test]
    fn no_guard_fires_between_a_question_and_itself(a in question()) {
        let analysis = verifier().analyse(&a);
        prop_assume!(!analysis.words.is_empty());
        prop_assert_eq!(verifier().judge(&analysis, &analysis, 1.0).guard, None);
    }

    #[test]
    fn a_shortcut_never_changes_the_outcome(a in question(), b in question(), least in 0.0f32..1.0) {
        let verifier = verifier();
        let (x, y) = (verifier.analyse(&a), verifier.analyse(&b));
        let (full, quick) = (verifier.judge(&x, &y, 0.9), verifier.judge_at(&x, &y, 0.9, least));
        prop_assert_eq!(full.score >= least, quick.score >= least);
        prop_assert_eq!(full.guard, quick.guard);
    }

    #[test]
    fn any_text_can_be_judged(a in any::<String>(), b in "\\PC{0,80}", cosine in any::<f32>()) {
        let verifier = verifier();
        let (x, y) = (verifier.analyse(&a), verifier.analyse(&b));
        let score = verifier.judge(&x, &y, cosine).score;
        prop_assert!((0.0..=1.0).contains(&score), "{}", score);
        let features = verifier.features(&x, &y, 0.5);
        prop_assert!(features.iter().all(|feature| feature.is_finite()));
        verifier.explain(&x, &y, cosine);
    }
}
