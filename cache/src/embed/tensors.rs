//! The rows of a model, from a `model.safetensors`.
//!
//! What is read: `embeddings` (or `embedding.weight`) of shape [rows, dimensions]; `weights`, if there, a factor per
//! token; `mapping`, if there, the row of each token where tokens share rows. Bytes are taken as they are and stay
//! where they are; floating point is made bytes of, row by row.

use bytes::Bytes;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::floats;
use super::table::Rows;

/// More dimensions than any embedding has: a file of more is not what it is taken for.
const MOST_DIMENSIONS: usize = 16_384;

/// Why a file is no table of embeddings for a tokenizer.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file is torn, or something else.
    #[error("not a safetensors file, or not a whole one: {0}; fetch it again")]
    Format(String),
    /// It is a model of another kind.
    #[error("no tensor `embeddings` but {found:?}: not a static model; distil it with model2vec first")]
    NoEmbeddings {
        /// Names of some tensors that are there.
        found: Vec<String>,
    },
    /// A tensor has a type that is not read.
    #[error(
        "tensor `{tensor}` is of type {found:?}, and {expected} can be read; save the model as one of these"
    )]
    Type {
        /// Its name.
        tensor: &'static str,
        /// Its type.
        found: Dtype,
        /// What types can be read.
        expected: &'static str,
    },
    /// A tensor has a shape that makes no sense.
    #[error("tensor `{tensor}` has the shape {found:?}, expected {expected}")]
    Shape {
        /// Its name.
        tensor: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// What it should be.
        expected: String,
    },
    /// A number that nothing can be computed with, or a mapping to a row that is not there.
    #[error("tensor `{tensor}` holds a value that cannot be used at row {row}")]
    Value {
        /// Its name.
        tensor: &'static str,
        /// From 0.
        row: usize,
    },
}

/// The rows for a tokenizer of `tokens` pieces. Bytes are shared with `file`.
pub(super) fn rows(file: &Bytes, tokens: usize) -> Result<Rows, TableError> {
    let tensors = SafeTensors::deserialize(file).map_err(|error| TableError::Format(error.to_string()))?;
    let embeddings = embeddings(&tensors)?;
    let &[count, dimensions] = embeddings.shape() else {
        return Err(shape(EMBEDDINGS, &embeddings, "[rows, dimensions]".to_owned()));
    };
    if count == 0 || !(1..=MOST_DIMENSIONS).contains(&dimensions) {
        let expected = format!("at least 1 row, and 1 to {MOST_DIMENSIONS} dimensions");
        return Err(shape(EMBEDDINGS, &embeddings, expected));
    }
    let row_of_token = match tensors.tensor(MAPPING) {
        Ok(mapping) => Some(row_of_token(&mapping, tokens, count)?),
        Err(_) if count != tokens => {
            let expected = format!("[{tokens}, dimensions], a row for each piece of the tokenizer");
            return Err(shape(EMBEDDINGS, &embeddings, expected));
        }
        Err(_) => None,
    };
    let mut scales = match tensors.tensor(WEIGHTS) {
        Ok(weights) => weights_of(&weights, tokens)?,
        Err(_) => vec![1.0; tokens],
    };
    let codes = match embeddings.dtype() {
        Dtype::I8 => file.slice_ref(embeddings.data()),
        _ => quantised(&embeddings, dimensions, row_of_token.as_deref(), &mut scales)?,
    };
    Ok(Rows {
        codes,
        dimensions,
        scales: scales.into(),
        row_of_token,
    })
}

const EMBEDDINGS: &str = "embeddings";
const WEIGHTS: &str = "weights";
const MAPPING: &str = "mapping";

fn embeddings<'a>(tensors: &SafeTensors<'a>) -> Result<TensorView<'a>, TableError> {
    let named = |name| tensors.tensor(name).ok();
    named(EMBEDDINGS)
        .or_else(|| named("embedding.weight"))
        .ok_or_else(|| {
            let mut found: Vec<_> = tensors.names().into_iter().map(str::to_owned).collect();
            found.sort_unstable();
            found.truncate(3);
            TableError::NoEmbeddings { found }
        })
}

fn weights_of(tensor: &TensorView<'_>, tokens: usize) -> Result<Vec<f32>, TableError> {
    one_per_token(WEIGHTS, tensor, tokens)?;
    let weights = floats::read(tensor.dtype(), tensor.data()).ok_or_else(|| kind(WEIGHTS, tensor, FLOATS))?;
    match weights.iter().position(|weight| !weight.is_finite()) {
        Some(row) => Err(TableError::Value { tensor: WEIGHTS, row }),
        None => Ok(weights),
    }
}

fn row_of_token(tensor: &TensorView<'_>, tokens: usize, rows: usize) -> Result<Box<[u32]>, TableError> {
    one_per_token(MAPPING, tensor, tokens)?;
    let mapping = floats::read_whole(tensor.dtype(), tensor.data());
    let mapping = mapping.ok_or_else(|| kind(MAPPING, tensor, "I32, I64, U32 and U64"))?;
    let row = |(token, row): (usize, i64)| {
        let in_table = |row: &u32| usize::try_from(*row).is_ok_and(|row| row < rows);
        let error = TableError::Value {
            tensor: MAPPING,
            row: token,
        };
        u32::try_from(row).ok().filter(in_table).ok_or(error)
    };
    mapping.into_iter().enumerate().map(row).collect()
}

/// Rows of floating point as bytes, of which the largest is 127; what that divides by goes into `scales`.
fn quantised(
    embeddings: &TensorView<'_>,
    dimensions: usize,
    row_of_token: Option<&[u32]>,
    scales: &mut [f32],
) -> Result<Bytes, TableError> {
    let data = embeddings.data();
    let mut codes = Vec::with_capacity(data.len() / 2);
    let mut steps = Vec::with_capacity(scales.len());
    let bytes_per_row = data.len() / embeddings.shape().first().copied().unwrap_or(1).max(1);
    for (row, bytes) in data.chunks_exact(bytes_per_row.max(1)).enumerate() {
        let row_of_floats = floats::read(embeddings.dtype(), bytes)
            .ok_or_else(|| kind(EMBEDDINGS, embeddings, "I8, F16, BF16, F32 and F64"))?;
        debug_assert_eq!(row_of_floats.len(), dimensions);
        let step = step(&row_of_floats).ok_or(TableError::Value {
            tensor: EMBEDDINGS,
            row,
        })?;
        steps.push(step);
        codes.extend(row_of_floats.iter().map(|component| code(*component, step)));
    }
    for (token, scale) in scales.iter_mut().enumerate() {
        let row = row_of_token
            .and_then(|rows| usize::try_from(*rows.get(token)?).ok())
            .unwrap_or(token);
        *scale *= steps.get(row).copied().unwrap_or_default();
    }
    Ok(codes.into())
}

/// What a code of 1 is worth in this row. `None`: a component is not finite.
fn step(row: &[f32]) -> Option<f32> {
    let largest = row.iter().fold(0.0_f32, |most, it| most.max(it.abs()));
    (largest.is_finite() && !row.iter().any(|it| it.is_nan())).then_some(largest / 127.0)
}

fn code(component: f32, step: f32) -> u8 {
    let code = if step > 0.0 { component / step } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, reason = "within ±127, or cut off there")]
    (code.round().clamp(-127.0, 127.0) as i8).cast_unsigned()
}

const FLOATS: &str = "F16, BF16, F32 and F64";

fn one_per_token(name: &'static str, tensor: &TensorView<'_>, tokens: usize) -> Result<(), TableError> {
    if tensor.shape() == [tokens] {
        return Ok(());
    }
    let expected = format!("[{tokens}], one for each piece of the tokenizer");
    Err(shape(name, tensor, expected))
}

fn shape(name: &'static str, tensor: &TensorView<'_>, expected: String) -> TableError {
    TableError::Shape {
        tensor: name,
        found: tensor.shape().to_vec(),
        expected,
    }
}

fn kind(name: &'static str, tensor: &TensorView<'_>, expected: &'static str) -> TableError {
    TableError::Type {
        tensor: name,
        found: tensor.dtype(),
        expected,
    }
}
