//! The built-in table and hand-made ones, whole and broken.

use super::*;
use crate::embed::fixture::{Tensor, bytes_of, safetensors};
use proptest::prelude::*;

/// Pieces of a tiny vocabulary: numbers 0 to 3.
fn tiny() -> Arc<WordPiece> {
    Arc::new(WordPiece::of_lines("[UNK]\ncat\ndog\n##s\n").unwrap())
}

fn table(tensors: &[Tensor]) -> Result<Table, TableError> {
    Table::of_safetensors("tiny", &safetensors(tensors).into(), tiny())
}

fn i8_rows() -> Tensor {
    let codes: [i8; 12] = [9, 9, 9, 127, 0, 0, 0, 127, 0, 0, 0, -127];
    Tensor::new("embeddings", "I8", &[4, 3], codes.map(i8::cast_unsigned).to_vec())
}

fn f32_tensor(name: &'static str, shape: &[i64], values: &[f32]) -> Tensor {
    Tensor::new(name, "F32", shape, bytes_of(values, f32::to_le_bytes))
}

fn cosine(table: &Table, a: &str, b: &str) -> f32 {
    table.embed(a).unwrap().cosine(&table.embed(b).unwrap())
}

#[test]
fn the_built_in_table_knows_what_is_alike() {
    let table = Table::built_in();
    assert_eq!(table.dimensions(), 128);
    assert!(table.id().starts_with("built-in-128-"), "{}", table.id());
    let question = "How do I reset my password?";
    let alike = cosine(table, question, "How can I change my forgotten password?");
    let other = cosine(table, question, "What is the capital of Peru?");
    assert!(alike > 0.7 && other < 0.4, "{alike} {other}");
    assert!(cosine(table, question, "HOW DO I RESET MY PASSWORD ?") > 0.95);
}

#[test]
fn a_vector_is_the_mean_of_the_scaled_rows() {
    let weights = f32_tensor("weights", &[4], &[1.0, 3.0, 4.0, 0.5]);
    let table = table(&[i8_rows(), weights]).unwrap();
    let expected = |components: &[f32]| Vector::of(components);
    assert_eq!(table.embed("cat dog"), expected(&[3.0, 4.0, 0.0]));
    assert_eq!(table.embed("dogs"), expected(&[0.0, 4.0, -0.5]));
    assert_eq!(table.embed("cat zebra cat?"), expected(&[6.0, 0.0, 0.0]));
    let mut tokens = Vec::new();
    table.tokenizer().tokens("dogs, cat", &mut tokens);
    assert_eq!(table.embed_tokens(&tokens), table.embed("dogs, cat"));
    let row = table.row(3).unwrap();
    assert_eq!(row.codes(), [0, 0, -127]);
    assert!((row.scale() - 0.5).abs() < f32::EPSILON);
    assert!(table.row(0).is_none(), "what is not known has no part");
    assert!(table.row(4).is_none());
    assert_eq!(table.embed_tokens(&[0, 4, u32::MAX]), None);
}

#[test]
fn what_nothing_is_known_of_has_no_vector() {
    let built_in = Table::built_in();
    for text in [
        "",
        " \n\t",
        "\u{0}\u{7}",
        "\u{3400}\u{ac01}\u{1f9ff}",
        "[UNK]a".get(..0).unwrap(),
    ] {
        assert_eq!(built_in.embed(text), None, "{text:?}");
    }
    assert_eq!(table(&[i8_rows()]).unwrap().embed("zebra ?"), None);
    assert_eq!(built_in.embed(&"x".repeat(1 << 20)), None);
}

#[test]
fn a_megabyte_has_a_vector_and_it_is_that_of_its_words() {
    let table = Table::built_in();
    let long = "reset my password ".repeat((1 << 20) / 18);
    let cosine = cosine(table, &long, "reset my password");
    assert!(cosine > 0.999, "{cosine}");
}

#[test]
fn floating_point_of_each_width_makes_the_same_vectors() {
    let rows: Vec<f32> = [9.0, 9.0, 9.0, 0.5, -0.25, 0.125, 3.0, 2.0, 1.0, 0.0, 0.0, 0.0].to_vec();
    let of = |kind, bytes| table(&[Tensor::new("embeddings", kind, &[4, 3], bytes)]).unwrap();
    let tables = [
        of("F64", bytes_of(&rows, |it| f64::from(it).to_le_bytes())),
        of("F32", bytes_of(&rows, f32::to_le_bytes)),
        of("F16", bytes_of(&rows, |it| half::f16::from_f32(it).to_le_bytes())),
        of(
            "BF16",
            bytes_of(&rows, |it| half::bf16::from_f32(it).to_le_bytes()),
        ),
    ];
    for table in &tables {
        let cat = table.embed("cat").unwrap();
        assert!(cat.cosine(&Vector::of(&[0.5, -0.25, 0.125]).unwrap()) > 0.9999);
        let both = table.embed("cat dog").unwrap();
        assert!(both.cosine(&Vector::of(&[3.5, 1.75, 1.125]).unwrap()) > 0.9999);
        assert_eq!(
            table.embed("cat dogs"),
            table.embed("cat dog"),
            "a row of zeros has no part"
        );
    }
    let ids: std::collections::HashSet<_> = tables.iter().map(|it| it.id().to_owned()).collect();
    assert_eq!(ids.len(), 4, "each file has an id of its own");
}

#[test]
fn tokens_may_share_rows() {
    let shared = f32_tensor("embeddings", &[2, 2], &[1.0, 0.0, 0.0, 2.0]);
    let mapping = Tensor::new(
        "mapping",
        "I64",
        &[4],
        bytes_of(&[0_i64, 1, 0, 1], i64::to_le_bytes),
    );
    let weights = f32_tensor("weights", &[4], &[1.0, 1.0, 4.0, 1.0]);
    let table = table(&[shared, mapping, weights]).unwrap();
    assert_eq!(table.embed("cat dog"), Vector::of(&[4.0, 2.0]));
}

#[test]
fn the_id_changes_with_the_vocabulary() {
    let file = safetensors(&[i8_rows()]);
    let other = Arc::new(WordPiece::of_lines("[UNK]\ndog\ncat\n##s\n").unwrap());
    let other = Table::of_safetensors("tiny", &file.into(), other).unwrap();
    assert_ne!(other.id(), table(&[i8_rows()]).unwrap().id());
}

#[test]
fn a_broken_file_is_told_from_a_foreign_one() {
    let message = |tensors: &[Tensor]| table(tensors).unwrap_err().to_string();
    let rows = |shape: &[i64], count: usize| Tensor::new("embeddings", "I8", shape, vec![1; count]);
    let ones = |count: usize| f32_tensor("weights", &[i64::try_from(count).unwrap()], &vec![1.0; count]);
    for (tensors, expected) in [
        (vec![], "no tensor `embeddings` but []"),
        (
            vec![f32_tensor("encoder.0", &[1], &[0.0])],
            "no tensor `embeddings` but [\"encoder.0\"]",
        ),
        (
            vec![rows(&[12], 12)],
            "has the shape [12], expected [rows, dimensions]",
        ),
        (
            vec![rows(&[3, 4], 12)],
            "expected [4, dimensions], a row for each piece",
        ),
        (vec![rows(&[4, 0], 0)], "at least 1 row, and 1 to"),
        (vec![rows(&[0, 4], 0)], "at least 1 row, and 1 to"),
        (vec![rows(&[4, 20_000], 80_000)], "at least 1 row, and 1 to"),
        (vec![rows(&[4, -3], 12)], "not a safetensors file"),
        (vec![rows(&[4, i64::MAX], 12)], "not a safetensors file"),
        (vec![rows(&[4, 3], 11)], "not a safetensors file"),
        (
            vec![Tensor::new("embeddings", "U8", &[4, 3], vec![1; 12])],
            "is of type U8, and I8, F16",
        ),
        (
            vec![i8_rows(), ones(3)],
            "`weights` has the shape [3], expected [4]",
        ),
        (
            vec![i8_rows(), Tensor::new("weights", "I8", &[4], vec![1; 4])],
            "`weights` is of type I8",
        ),
        (
            vec![i8_rows(), f32_tensor("weights", &[4], &[1.0, f32::NAN, 1.0, 1.0])],
            "cannot be used at row 1",
        ),
        (
            vec![f32_tensor("embeddings", &[4, 1], &[1.0, 1.0, f32::INFINITY, 1.0])],
            "cannot be used at row 2",
        ),
        (
            vec![f32_tensor("embeddings", &[4, 1], &[1.0, 1.0, 1.0, f32::NAN])],
            "cannot be used at row 3",
        ),
        (
            vec![i8_rows(), Tensor::new("mapping", "U32", &[4], vec![9; 16])],
            "`mapping` holds a value",
        ),
        (
            vec![i8_rows(), Tensor::new("mapping", "I32", &[4], vec![255; 16])],
            "`mapping` holds a value",
        ),
        (
            vec![i8_rows(), ones(4), f32_tensor("mapping", &[4], &[0.0; 4])],
            "`mapping` is of type F32",
        ),
    ] {
        let message = message(&tensors);
        assert!(message.contains(expected), "{message}, not {expected}");
    }
}

#[test]
fn a_file_torn_anywhere_is_refused() {
    let whole = safetensors(&[i8_rows(), f32_tensor("weights", &[4], &[1.0; 4])]);
    for length in 0..whole.len() {
        let torn = Bytes::copy_from_slice(&whole[..length]);
        let error = Table::of_safetensors("torn", &torn, tiny()).unwrap_err();
        assert!(matches!(error, TableError::Format(_)), "{length}: {error}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(at in 0usize..300, byte in any::<u8>(), cut in 0usize..300) {
        let mut file = safetensors(&[i8_rows(), f32_tensor("weights", &[4], &[1.0; 4])]);
        file.truncate(file.len().saturating_sub(cut / 2));
        if let Some(old) = file.get_mut(at) {
            *old = byte;
        }
        if let Ok(table) = Table::of_safetensors("changed", &file.into(), tiny()) {
            let _ = table.embed("cats and dogs");
        }
    }

    #[test]
    fn the_order_of_words_does_not_matter(mut words in prop::collection::vec("[a-z]{1,8}", 1..12)) {
        let table = Table::built_in();
        let forth = table.embed(&words.join(" "));
        words.reverse();
        let back = table.embed(&words.join(" "));
        match (forth, back) {
            (Some(forth), Some(back)) => prop_assert!(forth.cosine(&back) > 0.9995),
            (forth, back) => prop_assert_eq!(forth, back),
        }
    }
}
