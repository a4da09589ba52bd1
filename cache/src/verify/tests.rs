//! Checks over pairs of questions: what each guard stops and what it lets pass, and that order does not matter.

use proptest::prelude::*;

use super::*;
use crate::embed::Embedder as _;

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

fn fires(guard: Guard, a: &str, b: &str) -> bool {
    let there = explained(a, b).fired.iter().any(|fired| fired.guard == guard);
    let back = explained(b, a).fired.iter().any(|fired| fired.guard == guard);
    assert_eq!(there, back, "{guard:?} depends on the order: {a} / {b}");
    there
}

#[track_caller]
fn check(guard: Guard, apart: &[(&str, &str)], one: &[(&str, &str)]) {
    for (a, b) in apart {
        assert!(fires(guard, a, b), "{guard:?} is silent: {a} / {b}");
    }
    for (a, b) in one {
        assert!(
            !fires(guard, a, b),
            "{guard:?} fires: {a} / {b}: {:?}",
            explained(a, b).fired
        );
    }
}

#[test]
fn numbers_must_be_the_same_however_they_are_written() {
    check(
        Guard::Number,
        &[
            ("How many is 2 million dollars?", "How many is 2 billion dollars?"),
            ("What is 15% of 80?", "What is 15% of 90?"),
            ("Who won the third prize?", "Who won the fourth prize?"),
            ("Who was the first president?", "Who was the second president?"),
            ("What is new in Python 3.1?", "What is new in Python 3.10?"),
            ("What is new in Python 3.1.1?", "What is new in Python 3.1.2?"),
            ("Is -5 even?", "Is 5 even?"),
            (
                "What happened in World War II?",
                "What happened in World War III?",
            ),
            (
                "Where to invest two hundred thousand?",
                "Where to invest two hundred and five thousand?",
            ),
            ("What opens at 5:30?", "What opens at 6:30?"),
            (
                "How do I cook for twenty-one guests?",
                "How do I cook for twenty-two guests?",
            ),
            ("How do I cook for guests?", "How do I cook for 20 guests?"),
        ],
        &[
            (
                "How do I earn 1,000,000 rupees?",
                "How do I earn one million rupees?",
            ),
            (
                "How do I earn 1.5 million rupees?",
                "How do I earn 1500000 rupees?",
            ),
            ("What is a 10k loan?", "What is a 10,000 loan?"),
            ("Who won the 3rd prize?", "Who won the third prize?"),
            (
                "Who was the twenty-first president?",
                "Who was the 21st president?",
            ),
            ("How does one learn Rust?", "How do you learn Rust?"),
            ("What should I do first in Rome?", "What should I do in Rome?"),
            ("What happened in World War II?", "What happened in World War 2?"),
            ("Is a dozen eggs enough?", "Is 12 eggs enough?"),
            ("Is one mile far?", "Is 1 mile far?"),
        ],
    );
}

#[test]
fn units_must_not_exclude_each_other() {
    check(
        Guard::Unit,
        &[
            ("How long are 5 km?", "How long are 5 miles?"),
            ("What is $100 worth?", "What is €100 worth?"),
            ("Is 30 °C hot?", "Is 30 F hot?"),
            ("Is 30 C hot?", "Is 30 F hot?"),
            ("What is 5 percent of it?", "What is 5 dollars of it?"),
            ("Is 5 to 7 hours a day enough?", "Is 5 to 7 days a day enough?"),
            ("Is it open at 5pm?", "Is it open at 5am?"),
        ],
        &[
            ("How long are 5 km?", "How long are 5 kilometers?"),
            ("How long are 5km?", "How long are 5 kilometres?"),
            ("What is $100 worth?", "What is 100 dollars worth?"),
            ("What is 5% of it?", "What is 5 percent of it?"),
            ("Is 5 hours enough?", "Is it enough, 5 hrs?"),
            ("What grade is a C?", "What grade is a F?"),
        ],
    );
}

#[test]
fn not_makes_another_question() {
    check(
        Guard::Negation,
        &[
            ("Why does it work?", "Why doesn’t it work?"),
            ("Is water wet?", "Is water not wet?"),
            ("Can I pay with cash?", "Can I pay without cash?"),
            ("Is never not an answer?", "Is never an answer?"),
            ("Kann ich das essen?", "Kann ich das nicht essen?"),
        ],
        &[
            ("Why can't I sleep?", "Why can I not sleep?"),
            ("Why isn't it on?", "Why is it not on?"),
        ],
    );
}

#[test]
fn opposites_and_members_of_a_kind_exclude_each_other() {
    check(
        Guard::Antonym,
        &[
            ("How do I enable caching?", "How do I disable caching?"),
            ("Is it legal to fish?", "Is it illegal to fish?"),
            ("What is the best phone?", "What is the worst phone?"),
            ("Is it linear here?", "Is it nonlinear here?"),
            ("What are the pros of dating?", "What are the cons of dating?"),
            (
                "Why does liquid turn to solid?",
                "Why does liquid turn to liquid?",
            ),
            ("Are men from Mars?", "Are women from Mars?"),
        ],
        &[
            ("How do I enable caching?", "How can caching be enabled?"),
            ("What is the best phone?", "Which phone is the best?"),
            ("Is it hot or cold?", "Is it cold or hot?"),
        ],
    );
    check(
        Guard::Kind,
        &[
            ("What is open on monday?", "What is open on tuesday?"),
            ("What is the capital of france?", "What is the capital of spain?"),
            (
                "How do I sort a list in python?",
                "How do I sort a list in javascript?",
            ),
            ("How do I exit vim on a mac?", "How do I exit vim on windows?"),
            ("Is my mother right?", "Is my father right?"),
            (
                "How tall is the president of the United States?",
                "How tall is the president of India?",
            ),
        ],
        &[
            (
                "What do I need to know in js?",
                "What do I need to know in JavaScript?",
            ),
            (
                "Who is the president of the US?",
                "Who is the president of the United States?",
            ),
            ("Is my mom right?", "Is my mother right?"),
            ("Is it red?", "Is it?"),
        ],
    );
}

#[test]
fn names_must_not_exclude_each_other() {
    check(
        Guard::Name,
        &[
            ("Who is Ada Lovelace?", "Who is Alan Turing?"),
            (
                "How far is Springfield from Shelbyville?",
                "How far is Springfield from Ogdenville?",
            ),
            ("What does NASA do?", "What does NATO do?"),
        ],
        &[
            ("Who is ada lovelace?", "Who is Ada Lovelace?"),
            ("What is the United Nations?", "What is the UN?"),
            (
                "What Is The Best Way To Learn?",
                "What Is The Easiest Way To Study?",
            ),
            ("How is Rust?", "What about Rust?"),
        ],
    );
}

#[test]
fn code_and_quotations_must_be_on_both_sides() {
    check(
        Guard::Code,
        &[
            ("What does get_user do?", "What does get_users do?"),
            ("What does useState do?", "What does useEffect do?"),
            ("What is git branch -d?", "What is git branch -D?"),
            ("How do I run it with --force?", "How do I run it with --dry-run?"),
            ("What is in /etc/hosts?", "What is in /etc/passwd?"),
            ("Is sha1 safe?", "Is sha256 safe?"),
            ("How do I learn C++?", "How do I learn C#?"),
            ("What does parse() do?", "What does it do?"),
        ],
        &[
            ("What does get_user do?", "What is it that get_user does?"),
            ("What is the iPhone7?", "What is the iphone 7?"),
            ("Who made YouTube?", "Who made youtube?"),
            ("Well-known, and/or e.g. this.", "Well known and or eg this"),
        ],
    );
    check(
        Guard::Quote,
        &[
            (
                "What does \"carpe diem\" mean?",
                "What does \"memento mori\" mean?",
            ),
            ("What is “x y”?", "What is it?"),
        ],
        &[("What does “carpe diem” mean?", "What does carpe diem mean?")],
    );
}

#[test]
fn the_sort_of_answer_must_be_the_same() {
    check(
        Guard::Asking,
        &[
            ("When was Mozart born?", "Where was Mozart born?"),
            ("Who broke it?", "Why did it break?"),
            ("How old is the earth?", "How many is the earth?"),
            ("How long is a marathon?", "How often is a marathon?"),
        ],
        &[
            ("When was Mozart born?", "What year was Mozart born?"),
            ("How come it broke?", "Why did it break?"),
            ("What is the way to learn?", "How do I learn?"),
        ],
    );
    check(
        Guard::Superset,
        &[
            ("What is cheese?", "What is cheese and how is it made?"),
            ("Is it safe?", "Is it safe? When was it tested?"),
        ],
        &[
            ("On Snapchat, what happens?", "On Snapchat what happens"),
            (
                "If I move, can I keep my number?",
                "Can I keep my number if I move?",
            ),
            ("Is Emirates good? Why?", "Is Emirates good? Why"),
        ],
    );
}

#[test]
fn persons_times_and_places_in_the_sentence_matter() {
    check(
        Guard::Pronoun,
        &[
            ("What is my name?", "What is your name?"),
            ("Is his car red?", "Is her car red?"),
            ("Can I sue you?", "Can you sue me?"),
        ],
        &[
            ("How do I change my password?", "How do you change your password?"),
            ("How can I learn?", "How does one learn?"),
            ("Can you tell me how I sleep?", "How do I sleep?"),
        ],
    );
    check(
        Guard::Time,
        &[
            ("What is on tv today?", "What is on tv tomorrow?"),
            ("Who won last week?", "Who won next week?"),
        ],
        &[
            ("What is the weather now?", "What is the weather currently?"),
            ("Is it on?", "Is it on today?"),
        ],
    );
    check(
        Guard::Order,
        &[
            ("Does a dog chase a cat?", "Does a cat chase a dog?"),
            ("Is Rust faster than Go?", "Is Go faster than Rust?"),
            ("How do I convert json to xml?", "How do I convert xml to json?"),
            ("Why do Poles dislike Russians?", "Why do Russians dislike Poles?"),
        ],
        &[
            ("How do cats and dogs differ?", "How do dogs and cats differ?"),
            ("Is tea or coffee better?", "Is coffee or tea better?"),
            ("In India, what is cheap?", "What is cheap in India?"),
            ("What is a job portal?", "What is a portal for a job?"),
        ],
    );
    check(
        Guard::Direction,
        &[
            ("How much are flights to Oslo?", "How much are flights from Oslo?"),
            ("What do I eat before a run?", "What do I eat after a run?"),
        ],
        &[("What is cheap in Oslo?", "What is cheap at Oslo?")],
    );
}

#[test]
fn signs_scripts_and_lengths_matter() {
    check(
        Guard::Sign,
        &[
            ("What is 5 + 3?", "What is 5 - 3?"),
            ("What does 😂 mean?", "What does 😭 mean?"),
            ("Is x > y?", "Is x < y?"),
        ],
        &[
            ("What is a 64-bit chip?", "What is a 64 bit chip?"),
            ("Is *this* bold?", "Is this bold!"),
            ("Is it 500 & 1000?", "Is it 500 and 1000?"),
        ],
    );
    check(
        Guard::Script,
        &[
            ("狗咬人吗？", "人咬狗吗？"),
            ("Что это?", "Кто это?"),
            ("What is 水?", "What is 火?"),
        ],
        &[
            ("狗咬人吗？", "狗咬人吗"),
            ("What is café?", "What is a café?"),
            ("Что это?", "что это"),
        ],
    );
    let long = "word ".repeat(20);
    check(
        Guard::Length,
        &[("What is it?", &long), ("", ""), ("", "What?"), ("???", "???")],
        &[("What is it?", "What is it then, my dear?")],
    );
    let huge = "word ".repeat(10_000);
    assert!(
        fires(Guard::Length, &huge, &huge),
        "what has not been read to its end is like nothing else"
    );
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
