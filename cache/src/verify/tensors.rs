//! Arrays of numbers from a safetensors file, copied out where they are aligned as Rust wants them.
//!
//! A torn or foreign file is an error and never a panic.

use safetensors::{Dtype, SafeTensorError, SafeTensors};
use thiserror::Error;

/// Why a model cannot be used.
#[derive(Debug, Error)]
pub enum ModelError {
    /// It is no safetensors file, is torn, or lacks an array.
    #[error("the model file cannot be read: {0}")]
    File(#[from] SafeTensorError),
    /// An array is of another type or size, or has numbers that make no sense.
    #[error("array `{name}` is {problem}")]
    Array {
        /// Its name in the file.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
}

/// A safetensors file in memory.
#[derive(Debug)]
pub(super) struct Tensors<'a>(SafeTensors<'a>);

impl<'a> Tensors<'a> {
    /// Reads the header of `bytes`.
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, ModelError> {
        Ok(Self(SafeTensors::deserialize(bytes)?))
    }

    /// Whether an array is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.tensor(name).is_ok()
    }

    /// The sizes of an array in each direction.
    pub(super) fn shape(&self, name: &str) -> Result<Vec<usize>, ModelError> {
        Ok(self.0.tensor(name)?.shape().to_vec())
    }

    /// An array of `F32`, all of them finite.
    pub(super) fn f32s(&self, name: &str) -> Result<Vec<f32>, ModelError> {
        let numbers = self.array(name, Dtype::F32, f32::from_le_bytes)?;
        if numbers.iter().any(|number| !number.is_finite()) {
            return Err(wrong(name, "not finite everywhere"));
        }
        Ok(numbers)
    }

    /// An array of `I32`.
    pub(super) fn i32s(&self, name: &str) -> Result<Vec<i32>, ModelError> {
        self.array(name, Dtype::I32, i32::from_le_bytes)
    }

    /// An array of `F32` with exactly `count` numbers.
    pub(super) fn exactly(&self, name: &str, count: usize) -> Result<Vec<f32>, ModelError> {
        let numbers = self.f32s(name)?;
        if numbers.len() == count {
            Ok(numbers)
        } else {
            Err(wrong(name, "of another size"))
        }
    }

    fn array<T, const SIZE: usize>(
        &self,
        name: &str,
        dtype: Dtype,
        read: fn([u8; SIZE]) -> T,
    ) -> Result<Vec<T>, ModelError> {
        let view = self.0.tensor(name)?;
        if view.dtype() != dtype {
            return Err(wrong(name, "of another type"));
        }
        let chunks = view.data().as_chunks::<SIZE>().0;
        Ok(chunks.iter().map(|chunk| read(*chunk)).collect())
    }
}

/// What the header of a file says beside its arrays. `None`: nothing under this name.
pub(super) fn remark(bytes: &[u8], name: &str) -> Result<Option<String>, ModelError> {
    let (_, metadata) = SafeTensors::read_metadata(bytes)?;
    Ok(metadata
        .metadata()
        .as_ref()
        .and_then(|remarks| remarks.get(name).cloned()))
}

pub(super) fn wrong(name: &str, problem: &'static str) -> ModelError {
    ModelError::Array {
        name: name.to_owned(),
        problem,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A file with the given arrays of `F32` and `I32`.
    pub(in super::super) fn file(
        floats: &[(&str, Vec<usize>, Vec<f32>)],
        whole: &[(&str, Vec<i32>)],
    ) -> Vec<u8> {
        let mut data = Vec::new();
        let mut header = serde_json::Map::new();
        for (name, shape, numbers) in floats {
            let from = data.len();
            data.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
            let place =
                serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [from, data.len()]});
            header.insert((*name).to_owned(), place);
        }
        for (name, numbers) in whole {
            let from = data.len();
            data.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
            let place = serde_json::json!({"dtype": "I32", "shape": [numbers.len()], "data_offsets": [from, data.len()]});
            header.insert((*name).to_owned(), place);
        }
        header.insert("__metadata__".to_owned(), serde_json::json!({"format": "pt"}));
        let header = serde_json::to_vec(&header).unwrap();
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header);
        bytes.extend(data);
        bytes
    }

    #[test]
    fn arrays_come_back_as_they_were() {
        let bytes = file(&[("x", vec![2, 1], vec![1.5, -2.0])], &[("y", vec![3, -4])]);
        let tensors = Tensors::of(&bytes).unwrap();
        assert_eq!(tensors.f32s("x").unwrap(), [1.5, -2.0]);
        assert_eq!(tensors.shape("x").unwrap(), [2, 1]);
        assert_eq!(tensors.i32s("y").unwrap(), [3, -4]);
        assert!(tensors.has("x") && !tensors.has("z"));
        assert!(tensors.i32s("x").is_err() && tensors.f32s("z").is_err());
        assert!(tensors.exactly("x", 2).is_ok() && tensors.exactly("x", 3).is_err());
    }

    #[test]
    fn a_torn_file_is_an_error_wherever_it_is_torn() {
        let bytes = file(&[("x", vec![2], vec![1.5, 2.0])], &[]);
        for end in 0..bytes.len() {
            let read = Tensors::of(&bytes[..end]).and_then(|tensors| tensors.f32s("x"));
            assert!(read.is_err(), "{end}");
        }
        let mut huge = bytes.clone();
        huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(Tensors::of(&huge).is_err());
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        let bytes = file(
            &[
                ("x", vec![1], vec![f32::NAN]),
                ("y", vec![1], vec![f32::INFINITY]),
            ],
            &[],
        );
        let tensors = Tensors::of(&bytes).unwrap();
        assert!(tensors.f32s("x").is_err() && tensors.f32s("y").is_err());
    }
}
