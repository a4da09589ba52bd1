//! A kept answer in the words of the client that asks now.

use std::time::Duration;

use bytes::Bytes;
use tollgate_adapters::{Fresh, Kept, Shape};
use tollgate_cache::{Found, Layer};
use tollgate_core::{FinishReason, RequestId, Surface, Timestamp};
use tollgate_telemetry::{CacheRecord, CacheResult};

use super::pace::Pace;
use crate::exchange::answered::Recalled;
use crate::exchange::call::Call;
use crate::off_thread::off_thread;
use crate::stages::settle::Settlement;

/// An answer of more pieces is told off the worker's thread: each takes some 0.3 µs.
const MOST_PIECES: usize = 256;

/// What there is to say, and how.
struct Errand {
    answer: Bytes,
    surface: Surface,
    shape: Shape,
    request_id: RequestId,
    now: Timestamp,
}

/// The answer in the client's words. `None`: it cannot be told there.
pub(super) async fn tell(
    call: &Call,
    found: &Found,
    pace: Option<Pace>,
    settlement: &mut Settlement,
) -> Option<Recalled> {
    let (entry, now) = (&found.entry, settlement.arrived());
    let piece_bytes = pace.map_or(Shape::PIECE_BYTES, |_| Pace::PIECE_BYTES);
    let errand = Errand {
        answer: entry.answer.clone(),
        surface: call.surface,
        shape: if call.head.stream {
            Shape::Stream {
                include_usage: call.head.include_usage,
                piece_bytes,
            }
        } else {
            Shape::Whole
        },
        request_id: settlement.id(),
        now,
    };
    let (body, finish) = if entry.answer.len() > MOST_PIECES * piece_bytes {
        off_thread(move || errand.told()).await.ok()?
    } else {
        errand.told()
    }?;
    settlement.cached(CacheRecord {
        score: found.score,
        age: Some(now.since(entry.created)),
        entry: Some(entry.id.0),
        saved: Some(entry.worth.cost).filter(|cost| cost.0 > 0),
        saved_time: Some(Duration::from_micros(entry.worth.latency_us.into())),
        ..CacheRecord::of(match found.layer {
            Layer::Exact => CacheResult::Hit,
            Layer::Folded => CacheResult::HitFolded,
            Layer::Semantic => CacheResult::HitSemantic,
        })
    });
    Some(Recalled {
        body,
        is_stream: call.head.stream,
        finish,
        pace,
    })
}

impl Errand {
    /// The bytes, and how the answer ended.
    fn told(&self) -> Option<(Bytes, Option<FinishReason>)> {
        let kept = Kept::from_bytes(&self.answer).ok()?;
        let fresh = Fresh {
            request_id: self.request_id,
            now: self.now,
            model: None,
        };
        let body = kept.render(self.surface, self.shape, fresh)?;
        Some((body, kept.choices().first().map(|choice| choice.finish)))
    }
}
