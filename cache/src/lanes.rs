//! The widest vector instructions that the processor has, found out when the program runs: what ships is compiled for the
//! oldest of its kind.

/// Does `work` compiled for them: loops whose lanes are written out, in functions that are inlined. Whole numbers, and
/// floats whose order of addition is written out, come out the same on every processor.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "what is not inlined is compiled for the oldest"
)]
pub(crate) fn widest<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}
