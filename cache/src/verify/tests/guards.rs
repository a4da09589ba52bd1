//! What each guard stops, and what it lets pass.

use super::*;

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
