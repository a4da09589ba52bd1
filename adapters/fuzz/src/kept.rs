//! Answers that are kept, to be told again.
//!
//! Input: one byte for the way (0: the rest is what was stored; 1: a whole answer; 2: a stream) and the surface (bit 2:
//! messages, else chat completions), and the rest.

use tollgate_adapters::{Fresh, KeepPolicy, Kept, Shape, sse};
use tollgate_core::{Surface, Timestamp};

use super::cutting::settings;
use super::grammar;
use super::parties::request_id;
use super::wire::assert_object;

/// What is kept is stored and read back as it was, and is told in every dialect and shape that it can be told in.
pub(crate) fn check(data: &[u8]) {
    let Some(([way], rest)) = settings::<1>(data) else {
        return;
    };
    let surface = match way & 4 {
        0 => Surface::ChatCompletions,
        _ => Surface::Messages,
    };
    let policy = KeepPolicy {
        tool_calls: true,
        refusals: true,
        length: true,
    };
    let kept = match way & 3 {
        0 => return stored(rest),
        1 => Kept::of_whole(surface, rest, policy).ok(),
        _ => Kept::of_stream(surface, rest, policy).ok(),
    };
    let Some(kept) = kept else {
        return;
    };
    assert_eq!(Kept::from_bytes(&kept.to_bytes()).as_ref(), Ok(&kept));
    told(&kept);
    // Told again as what it was, it is what it was; but that calls have other ids, and of several answers one may be left.
    let shape = match way & 3 {
        1 => Shape::Whole,
        _ => Shape::Stream {
            include_usage: true,
            piece_bytes: 3,
        },
    };
    let Some(body) = kept.render(surface, shape, fresh()) else {
        return;
    };
    let again = match shape {
        Shape::Whole => Kept::of_whole(surface, &body, policy),
        Shape::Stream { .. } => Kept::of_stream(surface, &body, policy),
    };
    let again = again.unwrap_or_else(|fault| panic!("{fault}: {}", String::from_utf8_lossy(&body)));
    assert_eq!(
        again.text(),
        kept.text(),
        "it says something else when it is told again"
    );
    assert_eq!(
        again.choices().first().map(|choice| choice.finish),
        kept.choices().first().map(|choice| choice.finish)
    );
}

/// Bytes that somebody stored.
fn stored(bytes: &[u8]) {
    if let Ok(kept) = Kept::from_bytes(bytes) {
        assert_eq!(Kept::from_bytes(&kept.to_bytes()), Ok(kept.clone()));
        told(&kept);
    }
}

fn fresh() -> Fresh<'static> {
    Fresh {
        request_id: request_id(),
        now: Timestamp::from_unix_millis(1_700_000_000_000),
        model: None,
    }
}

fn told(kept: &Kept) {
    for surface in [Surface::ChatCompletions, Surface::Messages] {
        if let Some(body) = kept.render(surface, Shape::Whole, fresh()) {
            assert_object(&body, "a kept answer");
        }
        for piece_bytes in [0, 1, 64] {
            let shape = Shape::Stream {
                include_usage: true,
                piece_bytes,
            };
            if let Some(body) = kept
                .render(surface, shape, fresh())
                .filter(|body| body.len() < sse::MAX_EVENT_BYTES)
            {
                grammar::check(surface.dialect(), &body);
            }
        }
    }
}
