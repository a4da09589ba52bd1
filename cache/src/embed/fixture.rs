//! Model files made by hand, right and wrong ones: the library would refuse to write the latter.

/// A tensor with a header that says whatever it is told to.
pub(super) struct Tensor {
    name: &'static str,
    kind: &'static str,
    shape: Vec<i64>,
    bytes: Vec<u8>,
}

impl Tensor {
    pub(super) fn new(name: &'static str, kind: &'static str, shape: &[i64], bytes: Vec<u8>) -> Self {
        let shape = shape.to_vec();
        Self {
            name,
            kind,
            shape,
            bytes,
        }
    }
}

pub(super) fn bytes_of<T: Copy, const N: usize>(values: &[T], bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|value| bytes(*value)).collect()
}

pub(super) fn safetensors(tensors: &[Tensor]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for tensor in tensors {
        let start = data.len();
        data.extend_from_slice(&tensor.bytes);
        let entry = serde_json::json!({ "dtype": tensor.kind, "shape": tensor.shape, "data_offsets": [start, data.len()] });
        header.insert(tensor.name.to_owned(), entry);
    }
    let header = serde_json::Value::from(header).to_string();
    let length = u64::try_from(header.len()).unwrap();
    [&length.to_le_bytes()[..], header.as_bytes(), &data].concat()
}
