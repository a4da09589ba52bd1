//! The answer to what passes through: small ones are read to their end, all others flow.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use tollgate_adapters::{Answer, Told};
use tollgate_core::{OutcomeClass, Through};

use super::failed::Unanswered;
use super::reading::{Clocks, is_event_stream, next};
use crate::exchange::answered::{Answered, Passing};
use crate::exchange::leg::Leg;
use crate::exchange::passed::Passed;
use crate::runtime_clock::runtime_now;
use crate::upstream::UpstreamBody;

/// JSON up to this size is read before the client is answered: its cost can be told in a header then, and another target
/// can be asked if it breaks.
const SMALL_BYTES: usize = 256 << 10;

/// Reads an answer with a 2xx status as far as must be known before the client is told anything.
pub(super) async fn receive(
    through: Through,
    (status, headers): (u16, &HeaderMap),
    mut body: UpstreamBody,
    clocks: Clocks,
    leg: &mut Leg,
) -> Result<Answered, Unanswered> {
    let passed = Passed::from_provider(headers).with_content(headers);
    let len = body.stated_len();
    let late = OutcomeClass::FirstByteTimeout;
    let mut first = next(&mut body, clocks.first_byte, clocks.total, late)
        .await?
        .unwrap_or_default();
    if is_event_stream(headers) {
        leg.first_token();
    } else if status == 200 && is_json(headers) {
        let (read, is_whole) = read_small(first, &mut body, clocks).await?;
        if is_whole {
            let mut told = Told::of(through);
            told.push(&read);
            let report = told.report(true);
            return Ok(Answered::Whole(Answer { body: read, report }, passed));
        }
        first = read;
    }
    Ok(Answered::Passing(Box::new(Passing {
        status,
        first,
        body,
        len,
        told: Told::of(through),
        idle: clocks.idle,
        deadline: clocks.total,
        passed,
    })))
}

/// What comes, up to a limit; whether that was all.
async fn read_small(
    first: Bytes,
    body: &mut UpstreamBody,
    clocks: Clocks,
) -> Result<(Bytes, bool), Unanswered> {
    let mut read = BytesMut::from(&*first);
    while read.len() <= SMALL_BYTES {
        let pause_ends = runtime_now() + clocks.idle;
        match next(body, pause_ends, clocks.total, OutcomeClass::IdleTimeout).await? {
            Some(piece) => read.extend_from_slice(&piece),
            None => return Ok((read.freeze(), true)),
        }
    }
    Ok((read.freeze(), false))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = kind.unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}
