//! How texts come apart into words, numbers, signs and quotations.

use super::{MAX_BYTES, MAX_TOKENS, Scan};

fn words(text: &str) -> Vec<String> {
    let scan = Scan::of(text);
    scan.tokens
        .iter()
        .map(|token| scan.word(token).to_owned())
        .collect()
}

fn code(text: &str) -> Vec<String> {
    let scan = Scan::of(text);
    let code = scan.tokens.iter().filter(|token| token.shape.code);
    code.map(|token| scan.word(token).to_owned()).collect()
}

#[test]
fn words_numbers_and_units_come_apart() {
    assert_eq!(
        words("It's 1,000,000km, isn’t it?"),
        ["it's", "1000000", "km", "isn't", "it"]
    );
    assert_eq!(words("$5 or 5%"), ["dollar", "5", "or", "5", "percent"]);
    assert_eq!(words("1,2,3 and 12,345,678"), ["1", "2", "3", "and", "12345678"]);
    assert_eq!(
        words("from 2010-2012 at 5:30"),
        ["from", "2010", "2012", "at", "5:30"]
    );
    assert_eq!(
        words("Python 3.11.2 at -5.5°"),
        ["python", "3.11.2", "at", "-5.5", "degree"]
    );
    assert_eq!(
        words("the U.S. and e.g. this.What"),
        ["the", "us", "and", "eg", "this", "what"]
    );
    assert_eq!(words("用Python写"), ["用", "python", "写"]);
}

#[test]
fn identifiers_are_seen_by_their_shape() {
    assert_eq!(
        code("Does np.zeros call get_user() in camelCase or HashMap with --force -d -D in /etc/hosts?"),
        [
            "np.zeros",
            "get_user",
            "camelcase",
            "hashmap",
            "--force",
            "-d",
            "-D",
            "/etc/hosts"
        ]
    );
    assert_eq!(
        code("C++ or C# or sha256 in file.txt"),
        ["c++", "c#", "sha256", "file.txt"]
    );
    assert_eq!(
        code("Is it well-known - or not? e.g. this, and/or that."),
        [""; 0]
    );
    assert_eq!(
        code("see https://example.com/a-b?x=1 now"),
        ["https://example.com/a-b?x=1"]
    );
}

#[test]
fn signs_that_matter_are_kept() {
    assert_eq!(Scan::of("What is 5 + 3?").signs, ['+']);
    assert_eq!(Scan::of("What is 5 - 3?").signs, ['-']);
    assert_eq!(Scan::of("What does 😂 mean?").signs, ['😂']);
    assert_eq!(Scan::of("Well-known, *bold* and (so) on…").signs, []);
}

#[test]
fn quotations_and_sentences_are_found() {
    let scan = Scan::of("What does “carpe diem” mean? And `x y`?");
    assert_eq!(scan.quoted, [(2, 4), (6, 8)]);
    assert_eq!(scan.questions, 2);
    let opens: Vec<bool> = scan.tokens.iter().map(|token| token.shape.opens).collect();
    assert_eq!(opens, [true, false, false, false, false, true, false, false]);
}

#[test]
fn no_more_is_read_than_is_allowed() {
    let scan = Scan::of(&"é ".repeat(1_000_000));
    assert!(!scan.complete && scan.tokens.len() <= MAX_TOKENS);
    assert!(!Scan::of(&"é".repeat(MAX_BYTES)).complete);
    assert!(Scan::of("").complete);
}
