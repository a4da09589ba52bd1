//! The static embedder: the vector of a text is the mean of the rows of its word pieces.
//!
//! A model2vec-like model (Tulkens & van Dongen 2024): no transformer runs, the table was made by one. Rows are bytes
//! with a scale each. The mean is not divided out: a [`Vector`] is a direction, and the length of the sum is lost
//! anyway; so is whether the model asks for normalised vectors.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use tollgate_core::Digester;
use zerocopy::FromBytes as _;

use super::Embedder;
use super::tensors::{self, TableError};
use crate::Vector;
use crate::text::{TokenId, WordPiece};

/// A static model.
pub struct Table {
    id: Box<str>,
    tokenizer: Arc<WordPiece>,
    rows: Rows,
}

/// The rows of a model, by token.
pub(super) struct Rows {
    /// Two's complement, row after row.
    pub(super) codes: Bytes,
    /// How many codes a row has. Not 0.
    pub(super) dimensions: usize,
    /// What to multiply a row with, for each token. Finite.
    pub(super) scales: Box<[f32]>,
    /// Which row a token has. `None`: the one of the same number.
    pub(super) row_of_token: Option<Box<[u32]>>,
}

/// The row of a token: its part in the vector of a text.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    codes: &'a [i8],
    scale: f32,
}

impl<'a> Row<'a> {
    /// The components, in order, divided by [`scale`](Self::scale).
    pub fn codes(self) -> &'a [i8] {
        self.codes
    }

    /// What to multiply the codes with. Finite.
    pub fn scale(self) -> f32 {
        self.scale
    }
}

impl Table {
    /// The model that ships with the program: 128 dimensions, 30,522 pieces. Made ready when first asked for, which
    /// takes a few milliseconds: not on a thread that has requests waiting. Its rows stay where the program was mapped.
    pub fn built_in() -> &'static Arc<Self> {
        static BUILT_IN: LazyLock<Arc<Table>> = LazyLock::new(|| {
            let file = Bytes::from_static(include_bytes!("../../model/embedder.safetensors"));
            let table = Table::of_safetensors("built-in", &file, Arc::clone(WordPiece::built_in()));
            Arc::new(table.unwrap_or_else(|error| unreachable!("the built-in embedder: {error}")))
        });
        &BUILT_IN
    }

    /// From the content of a model2vec `model.safetensors` and the tokenizer that numbers its rows. `name` begins the
    /// [id](Embedder::id).
    pub fn of_safetensors(name: &str, file: &Bytes, tokenizer: Arc<WordPiece>) -> Result<Self, TableError> {
        let rows = tensors::rows(file, tokenizer.vocabulary().len())?;
        let digest = Digester::new("embedding table")
            .field(file)
            .field(tokenizer.vocabulary().lines().as_bytes())
            .finish();
        let id = format!("{name}-{}-{digest}", rows.dimensions).into();
        Ok(Self { id, tokenizer, rows })
    }

    /// The tokenizer that numbers its rows.
    pub fn tokenizer(&self) -> &Arc<WordPiece> {
        &self.tokenizer
    }

    /// The row of a token. `None`: there is no such token, or it is the one for what is not known.
    #[inline]
    pub fn row(&self, token: TokenId) -> Option<Row<'_>> {
        (token != self.tokenizer.unknown()).then(|| self.rows.of(token))?
    }

    /// The vector of tokens that this table's tokenizer made. `None` as in [`embed`](Embedder::embed).
    pub fn embed_tokens(&self, tokens: &[TokenId]) -> Option<Vector> {
        let mut sum = vec![0.0; self.rows.dimensions];
        for token in tokens {
            self.add(*token, &mut sum);
        }
        Vector::of(&sum)
    }

    #[inline]
    fn add(&self, token: TokenId, sum: &mut [f32]) {
        if let Some(row) = self.row(token) {
            add_scaled(row.codes, row.scale, sum);
        }
    }
}

impl Embedder for Table {
    fn id(&self) -> &str {
        &self.id
    }

    fn dimensions(&self) -> usize {
        self.rows.dimensions
    }

    fn embed(&self, text: &str) -> Option<Vector> {
        let mut sum = vec![0.0; self.rows.dimensions];
        self.tokenizer.for_each(text, |token| self.add(token, &mut sum));
        Vector::of(&sum)
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Rows {
    #[inline]
    fn of(&self, token: TokenId) -> Option<Row<'_>> {
        let token = usize::try_from(token).ok()?;
        let scale = *self.scales.get(token)?;
        let row = match &self.row_of_token {
            Some(rows) => usize::try_from(*rows.get(token)?).ok()?,
            None => token,
        };
        let start = row * self.dimensions;
        let bytes = self.codes.get(start..start + self.dimensions)?;
        let codes = <[i8]>::ref_from_bytes(bytes).ok()?;
        Some(Row { codes, scale })
    }
}

/// Plain, for the compiler to make vector instructions of: cut into chunks, it vectorises across them, 20 times slower.
#[inline]
fn add_scaled(codes: &[i8], scale: f32, sum: &mut [f32]) {
    for (code, sum) in codes.iter().zip(sum) {
        *sum += f32::from(*code) * scale;
    }
}

#[cfg(test)]
mod tests;
