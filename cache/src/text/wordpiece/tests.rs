//! The tokenizer against the recorded numbers of another implementation, and against itself.

use super::*;
use proptest::prelude::*;

#[derive(serde::Deserialize)]
struct Golden {
    text: String,
    ids: Vec<TokenId>,
}

fn golden() -> Vec<Golden> {
    let lines = include_str!("../../../tests/golden/wordpiece.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn tokens(text: &str) -> Vec<TokenId> {
    let mut into = Vec::new();
    WordPiece::built_in().tokens(text, &mut into);
    into
}

fn words(text: &str) -> (Vec<TokenId>, Vec<Word>) {
    let (mut tokens, mut words) = Default::default();
    WordPiece::built_in().words(text, &mut tokens, &mut words);
    (tokens, words)
}

fn slices<'a>(text: &'a str, words: &[Word]) -> Vec<&'a str> {
    words.iter().map(|word| &text[word.bytes.clone()]).collect()
}

#[test]
fn the_numbers_are_those_that_models_were_trained_with() {
    let golden = golden();
    assert!(golden.len() >= 300);
    for Golden { text, ids } in golden {
        assert_eq!(tokens(&text), ids, "{text:?}");
    }
}

/// Where a file with a line for each character is at hand, as `wordpiece.py` would write it: too large to keep.
#[test]
#[ignore = "needs TOLLGATE_WORDPIECE_GOLDEN, a file like tests/golden/wordpiece.jsonl"]
fn the_numbers_are_those_of_a_larger_file() {
    let file = std::fs::read_to_string(std::env::var("TOLLGATE_WORDPIECE_GOLDEN").unwrap()).unwrap();
    let mut different = 0;
    for line in file.lines() {
        let Golden { text, ids } = serde_json::from_str(line).unwrap();
        if tokens(&text) != ids {
            different += 1;
            println!("{text:?} {:x?}", text.chars().map(u32::from).collect::<Vec<_>>());
        }
    }
    assert_eq!(different, 0);
}

#[test]
fn words_know_where_they_stand() {
    let text = "Réset  my\u{200b}self, 北京 TODAY!";
    let (_, words) = words(text);
    assert_eq!(
        slices(text, &words),
        ["Réset", "my\u{200b}self", ",", "北", "京", "TODAY", "!"]
    );
    let text = "unbelievably so";
    let (tokens, words) = self::words(text);
    let pieces = |word: &Word| -> Vec<&str> {
        let ids = &tokens[word.tokens.clone()];
        ids.iter()
            .map(|id| WordPiece::built_in().vocabulary().piece(*id).unwrap())
            .collect()
    };
    assert_eq!(pieces(&words[0]), ["un", "##bel", "##ie", "##va", "##bly"]);
    assert_eq!(pieces(&words[1]), ["so"]);
}

#[test]
fn nobody_can_write_a_special_piece() {
    let vocabulary = WordPiece::built_in().vocabulary();
    let pieces: Vec<_> = tokens("[CLS] [MASK]")
        .iter()
        .map(|id| vocabulary.piece(*id).unwrap())
        .collect();
    assert_eq!(pieces, ["[", "cl", "##s", "]", "[", "mask", "]"]);
}

#[test]
fn a_megabyte_is_no_trouble() {
    assert_eq!(tokens(&"a".repeat(1 << 20)), [WordPiece::built_in().unknown()]);
    assert_eq!(tokens(&"é".repeat(1 << 19)), [WordPiece::built_in().unknown()]);
    assert_eq!(tokens(&"a ".repeat(1 << 19)).len(), 1 << 19);
    assert!(tokens(&"\u{301}".repeat(1 << 19)).is_empty());
}

#[test]
fn a_vocabulary_that_cannot_serve_says_why() {
    let error = |text: &'static str| WordPiece::of_lines(text).unwrap_err();
    assert_eq!(error(""), VocabularyError::NoUnknown);
    assert_eq!(error("a\nb\n"), VocabularyError::NoUnknown);
    let twice = VocabularyError::Twice {
        piece: "##a".to_owned(),
        first: 1,
        second: 3,
    };
    assert_eq!(error("[UNK]\n##a\na\n##a"), twice);
    let broken = Vocabulary::of_pieces(["[UNK]", "a\nb"]).unwrap_err();
    assert_eq!(broken, VocabularyError::LineBreak { id: 1 });
}

#[test]
fn lines_are_numbers_whatever_ends_them() {
    for text in [
        "[UNK]\n\na\n##b",
        "[UNK]\r\n\r\na\r\n##b\r\n",
        "[UNK]\n\na\n##b\n",
    ] {
        let tokenizer = WordPiece::of_lines(text).unwrap();
        assert_eq!(tokenizer.vocabulary().len(), 4, "{text:?}");
        let mut into = vec![9];
        tokenizer.tokens("ab a b aBB", &mut into);
        assert_eq!(into, [9, 2, 3, 2, 0, 2, 3, 3], "{text:?}");
        assert_eq!(tokenizer.vocabulary().piece(3), Some("##b"));
        assert_eq!(tokenizer.vocabulary().piece(4), None);
    }
}

proptest! {
    #[test]
    fn words_are_in_order_whole_and_hold_every_token(text in any::<String>()) {
        let (all, words) = words(&text);
        prop_assert_eq!(&all, &tokens(&text));
        let (mut byte, mut token) = (0, 0);
        for word in words {
            // Characters such as U+0F77 may come apart into words that stand in the same place.
            prop_assert!(word.bytes.start >= byte || word.bytes.end == byte, "{:?}", word);
            prop_assert!(text.get(word.bytes.clone()).is_some_and(|it| !it.is_empty()));
            prop_assert_eq!(word.tokens.start, token);
            prop_assert!(!word.tokens.is_empty());
            (byte, token) = (word.bytes.end, word.tokens.end);
        }
        prop_assert_eq!(token, all.len());
    }

    #[test]
    fn case_and_accents_make_no_difference(text in "[a-zé ,.?]{0,60}") {
        prop_assert_eq!(tokens(&text), tokens(&text.to_uppercase()));
        prop_assert_eq!(tokens(&text), tokens(&text.replace('é', "e")));
    }
}
