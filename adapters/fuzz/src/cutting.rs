//! How a stream is cut into chunks: the fuzzer says where, over and over.

/// How many bytes of the input say where to cut.
pub(crate) const CUTS: usize = 4;

/// `bytes` in chunks, each as long as the next of `cuts` says, and one longer: no chunk is empty.
pub(crate) fn chunks<'a>(bytes: &'a [u8], cuts: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut sizes = cuts.iter().map(|cut| usize::from(*cut) + 1).cycle();
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let size = sizes.next().unwrap_or(1).min(rest.len());
        let (chunk, after) = rest.split_at(size);
        rest = after;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// Takes `count` bytes from the front; `None`: there are not as many.
pub(crate) fn settings<const COUNT: usize>(data: &[u8]) -> Option<([u8; COUNT], &[u8])> {
    let (settings, rest) = data.split_first_chunk::<COUNT>()?;
    Some((*settings, rest))
}
