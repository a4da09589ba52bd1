//! Numbers as they stand in a model file: little-endian, of several widths.

use half::{bf16, f16};
use safetensors::Dtype;

/// The numbers of `bytes`. `None`: `dtype` is none that is read as floating point. What does not fit is infinite.
pub(super) fn read(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounded to the precision that is worked with"
    )]
    Some(match dtype {
        Dtype::F64 => each(bytes, |it| f64::from_le_bytes(it) as f32),
        Dtype::F32 => each(bytes, f32::from_le_bytes),
        Dtype::F16 => each(bytes, |it| f16::from_le_bytes(it).to_f32()),
        Dtype::BF16 => each(bytes, |it| bf16::from_le_bytes(it).to_f32()),
        _ => return None,
    })
}

/// The whole numbers of `bytes`, -1 in place of what does not fit. `None`: `dtype` is none of whole numbers.
pub(super) fn read_whole(dtype: Dtype, bytes: &[u8]) -> Option<Vec<i64>> {
    Some(match dtype {
        Dtype::I64 => each(bytes, i64::from_le_bytes),
        Dtype::I32 => each(bytes, |it| i32::from_le_bytes(it).into()),
        Dtype::U32 => each(bytes, |it| u32::from_le_bytes(it).into()),
        Dtype::U64 => each(bytes, |it| u64::from_le_bytes(it).try_into().unwrap_or(-1)),
        _ => return None,
    })
}

fn each<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|chunk| read(*chunk)).collect()
}
