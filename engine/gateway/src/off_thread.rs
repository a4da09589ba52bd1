//! Work that is too long for a worker's thread: it would stall every stream that the worker serves.

use actix_web::web;
use tollgate_core::{Refusal, RefusalKind};

/// Bodies from this size on are read and written off the worker's thread (reading runs at about 1 GB/s,
/// translating at a twentieth of that).
pub(crate) const LARGE_BYTES: usize = 128 * 1024;

/// Does `work` on a thread for such work.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let died = |_| Refusal::new(RefusalKind::Internal, "a large body could not be worked on");
    web::block(work).await.map_err(died)
}
