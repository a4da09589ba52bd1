//! What the embedder's table knows of word pieces, with the length of each row, which comparing needs again and again.

use std::sync::Arc;

use crate::embed::{Embedder, Row, Table};

/// Word pieces as rows of numbers.
#[derive(Debug)]
pub(super) struct Pieces {
    table: Arc<Table>,
    /// Of each piece's row; 0 where there is none.
    lengths: Box<[f32]>,
    /// The mean of all lengths.
    mean_length: f32,
}

impl Pieces {
    /// Those of `table`. Measures every row: some milliseconds.
    pub(super) fn of(table: Arc<Table>) -> Self {
        let count = u32::try_from(table.tokenizer().vocabulary().len())
            .unwrap_or(u32::MAX)
            .min(1 << 16);
        let length = |piece| {
            table.row(piece).map_or(0.0, |row| {
                let square: i32 = row.codes().iter().map(|code| i32::from(*code).pow(2)).sum();
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a sum of squares of bytes, rounded at the seventh digit"
                )]
                let length = (square as f32).sqrt() * row.scale();
                length
            })
        };
        let lengths: Box<[f32]> = (0..count).map(length).collect();
        #[expect(clippy::cast_precision_loss, reason = "a count of pieces")]
        let mean_length =
            lengths.iter().map(|length| length.max(1e-6)).sum::<f32>() / (lengths.len().max(1) as f32);
        Self {
            table,
            lengths,
            mean_length,
        }
    }

    /// The pieces of `text`, in order, at most `most`; unknown ones left out.
    pub(super) fn split(&self, text: &str, most: usize) -> Box<[u16]> {
        let (tokenizer, mut tokens) = (self.table.tokenizer(), Vec::new());
        tokenizer.tokens(text, &mut tokens);
        let known = tokens.into_iter().filter(|token| *token != tokenizer.unknown());
        known
            .filter_map(|token| u16::try_from(token).ok())
            .take(most)
            .collect()
    }

    /// The row of a piece. `None`: it has none.
    pub(super) fn row(&self, piece: u16) -> Option<Row<'_>> {
        self.table.row(piece.into())
    }

    /// The length of that row. 0: it has none.
    pub(super) fn length(&self, piece: u16) -> f32 {
        self.lengths.get(usize::from(piece)).copied().unwrap_or(0.0)
    }

    /// The mean length of all rows.
    pub(super) fn mean_length(&self) -> f32 {
        self.mean_length
    }

    /// How many pieces there are.
    pub(super) fn count(&self) -> usize {
        self.lengths.len()
    }

    /// How long each row is.
    pub(super) fn dimensions(&self) -> usize {
        self.table.dimensions()
    }

    /// Names the table.
    pub(super) fn id(&self) -> &str {
        self.table.id()
    }
}
