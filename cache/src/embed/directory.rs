//! A model2vec directory: `model.safetensors` beside `tokenizer.json` or `vocab.txt`.
//!
//! `config.json` is not needed: what it says of normalising is lost in a direction (see [`table`](super::table)), and
//! how many dimensions there are is the table's own affair. Of tokenizers, uncased BERT's is built in, and nothing is
//! embedded with a tokenizer that is only nearly the one a model was made for: every setting that would split texts
//! otherwise is an error.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::table::Table;
use super::tensors::TableError;
use crate::text::{Vocabulary, VocabularyError, WordPiece};

/// Numbers without a piece that a vocabulary may have, beside as many as it has pieces.
const MOST_GAPS: usize = 1024;

const SUPPORTED: &str = "uncased BERT's WordPiece (model WordPiece with prefix ## and [UNK], normalizer BertNormalizer with \
    lowercase, pre-tokenizer BertPreTokenizer) is supported; choose a model2vec model that was distilled with one";

/// Why a directory is no embedder.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}; a model2vec directory holds model.safetensors, and tokenizer.json or vocab.txt", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The table is none.
    #[error("{}: {source}", path.display())]
    Table {
        /// Of which file.
        path: PathBuf,
        /// Why.
        source: TableError,
    },
    /// The tokenizer file is not one.
    #[error("{}: not the JSON of a tokenizer: {source}", path.display())]
    TokenizerJson {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The tokenizer splits texts another way.
    #[error("{}: {setting} is {found}; {SUPPORTED}", path.display())]
    Tokenizer {
        /// Of which file.
        path: PathBuf,
        /// Where in it.
        setting: &'static str,
        /// What stands there.
        found: String,
    },
    /// The vocabulary cannot be used.
    #[error("{}: {source}", path.display())]
    Vocabulary {
        /// Of which file.
        path: PathBuf,
        /// Why.
        source: VocabularyError,
    },
}

impl Table {
    /// From a model2vec directory. If it has both `tokenizer.json` and `vocab.txt`, the former counts; a `vocab.txt`
    /// alone is taken for that of an uncased model. Reads whole files: for the start of the program.
    pub fn from_directory(path: &Path) -> Result<Self, LoadError> {
        let tokenizer = Arc::new(tokenizer(path)?);
        let path = path.join("model.safetensors");
        let file = read(&path)?;
        Self::of_safetensors("model2vec", &file.into(), tokenizer)
            .map_err(|source| LoadError::Table { path, source })
    }
}

fn tokenizer(directory: &Path) -> Result<WordPiece, LoadError> {
    let path = directory.join("tokenizer.json");
    let vocabulary = if path.exists() {
        let file: TokenizerFile = match serde_json::from_slice(&read(&path)?) {
            Ok(file) => file,
            Err(source) => return Err(LoadError::TokenizerJson { path, source }),
        };
        file.vocabulary(path)?
    } else {
        let path = directory.join("vocab.txt");
        let text = String::from_utf8(read(&path)?).map_err(|error| LoadError::Read {
            path: path.clone(),
            source: std::io::Error::new(std::io::ErrorKind::InvalidData, error),
        })?;
        Vocabulary::of_lines(text).map_err(|source| LoadError::Vocabulary { path, source })?
    };
    Ok(WordPiece::new(vocabulary))
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    std::fs::read(path).map_err(|source| LoadError::Read {
        path: path.to_owned(),
        source,
    })
}

/// What counts of a `tokenizer.json`, every setting of which may be of any kind.
#[derive(Deserialize)]
struct TokenizerFile {
    #[serde(default)]
    normalizer: Settings,
    #[serde(default)]
    pre_tokenizer: Settings,
    model: Settings,
}

type Settings = serde_json::Value;

impl TokenizerFile {
    fn vocabulary(&self, path: PathBuf) -> Result<Vocabulary, LoadError> {
        if let Some((setting, found)) = self.unsupported() {
            let found = found.to_string();
            return Err(LoadError::Tokenizer { path, setting, found });
        }
        let Some(pieces) = pieces(self.model.get("vocab")) else {
            return Err(LoadError::Tokenizer {
                path,
                setting: "model.vocab",
                found: "not a map of pieces to numbers of their own".to_owned(),
            });
        };
        Vocabulary::of_pieces(pieces).map_err(|source| LoadError::Vocabulary { path, source })
    }

    /// The first setting that would split texts otherwise than we do, with its value.
    fn unsupported(&self) -> Option<(&'static str, &Settings)> {
        let text = Settings::from;
        let as_bert = |value: &Settings, expected: &[Settings]| expected.contains(value);
        let checks = [
            ("model.type", &self.model, "type", vec![text("WordPiece")]),
            (
                "model.continuing_subword_prefix",
                &self.model,
                "continuing_subword_prefix",
                vec![text("##")],
            ),
            ("model.unk_token", &self.model, "unk_token", vec![text("[UNK]")]),
            (
                "model.max_input_chars_per_word",
                &self.model,
                "max_input_chars_per_word",
                vec![100.into()],
            ),
            (
                "normalizer.type",
                &self.normalizer,
                "type",
                vec![text("BertNormalizer")],
            ),
            (
                "normalizer.lowercase",
                &self.normalizer,
                "lowercase",
                vec![true.into()],
            ),
            (
                "normalizer.clean_text",
                &self.normalizer,
                "clean_text",
                vec![true.into()],
            ),
            (
                "normalizer.handle_chinese_chars",
                &self.normalizer,
                "handle_chinese_chars",
                vec![true.into()],
            ),
            (
                "normalizer.strip_accents",
                &self.normalizer,
                "strip_accents",
                vec![Settings::Null, true.into()],
            ),
            (
                "pre_tokenizer.type",
                &self.pre_tokenizer,
                "type",
                vec![text("BertPreTokenizer")],
            ),
        ];
        checks.into_iter().find_map(|(name, of, key, expected)| {
            let value = of.get(key).unwrap_or(&Settings::Null);
            (!as_bert(value, &expected)).then_some((name, value))
        })
    }
}

/// The pieces in the order of their numbers, which may have gaps. `None`: it is something else.
fn pieces(vocab: Option<&Settings>) -> Option<Vec<&str>> {
    let numbers: HashMap<usize, &str> = vocab?
        .as_object()?
        .iter()
        .map(|(piece, number)| Some((usize::try_from(number.as_u64()?).ok()?, piece.as_str())))
        .collect::<Option<_>>()?;
    let count = numbers.keys().max()?.checked_add(1)?;
    let unique = numbers.len() == vocab?.as_object()?.len();
    (unique && count / 2 <= numbers.len() + MOST_GAPS).then(|| {
        let piece = |number| numbers.get(&number).copied().unwrap_or_default();
        (0..count).map(piece).collect()
    })
}

#[cfg(test)]
mod tests;
