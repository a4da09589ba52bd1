//! The framer of AWS event streams, and the writer of them.
//!
//! Input: one byte for the way the rest is used, [`CUTS`] bytes that say how to cut, and the rest:
//!
//! - 0: it is the stream.
//! - 1: its lines are events, written by our own writer (see [`compose`]): they must read back.
//! - 2: the same, and one bit of the stream is wrong: the two bytes in front of the lines say which.
//! - 3: it is one message's headers and payload, the first byte being the length of the headers; the lengths and
//!   checksums around them are put right, so that a fuzzer gets behind them.

use tollgate_adapters::eventstream::{Fault, Framer, MAX_MESSAGE_BYTES};

use super::cutting::{CUTS, chunks, settings};
use super::wire::{compose, composed};

/// An event: its name and its data.
type Told = (Option<String>, Vec<u8>);

/// Messages are the same however the stream is cut, hold every byte once, and no damaged one is handed out.
pub(crate) fn check(data: &[u8]) {
    let Some(([way], data)) = settings::<1>(data) else {
        return;
    };
    let Some((cuts, rest)) = settings::<CUTS>(data) else {
        return;
    };
    match way % 4 {
        0 => {
            both_ways(rest, cuts);
        }
        1 => {
            let (told, fault) = both_ways(&compose(rest), cuts);
            assert_eq!(
                (told, fault),
                (composed(rest), None),
                "what was written is not what was read"
            );
        }
        2 => {
            let Some((place, lines)) = settings::<2>(rest) else {
                return;
            };
            damaged(usize::from(u16::from_be_bytes(place)), lines, cuts);
        }
        _ => {
            let Some(([headers], message)) = settings::<1>(rest) else {
                return;
            };
            both_ways(&sealed(usize::from(headers), message), cuts);
        }
    }
}

/// A stream with one wrong bit: what comes before it is read, and the message that has it is a fault.
fn damaged(place: usize, lines: &[u8], cuts: [u8; CUTS]) {
    let mut stream = compose(lines);
    let bits = stream.len() * 8;
    if bits == 0 {
        return;
    }
    let bit = place % bits;
    stream[bit / 8] ^= 1 << (bit % 8);
    let expected = composed(lines);
    let (told, fault) = both_ways(&stream, cuts);
    assert!(
        matches!(fault, Some(Fault::Damaged { .. })),
        "a wrong bit was overlooked: {fault:?}"
    );
    assert!(
        told.len() < expected.len() && expected.starts_with(&told),
        "more was told than was sound"
    );
}

/// Reads a stream whole and cut, which must come to the same.
fn both_ways(stream: &[u8], cuts: [u8; CUTS]) -> (Vec<Told>, Option<Fault>) {
    let whole = read(std::iter::once(stream), stream);
    let cut = read(chunks(stream, &cuts), stream);
    assert_eq!(whole, cut, "it matters how the stream is cut");
    whole
}

/// The events of a stream, which comes in chunks, and the fault in it.
fn read<'a>(chunks: impl Iterator<Item = &'a [u8]>, stream: &[u8]) -> (Vec<Told>, Option<Fault>) {
    let mut framer = Framer::default();
    let (mut told, mut raw) = (Vec::new(), Vec::new());
    let (mut fault, mut pushed) = (None, 0);
    for chunk in chunks {
        pushed += chunk.len();
        let mut behind = 0;
        let cut = framer.push(chunk, |frame| {
            assert!(
                behind < frame.end && frame.end <= chunk.len(),
                "a message ends outside of its chunk"
            );
            if !frame.began_earlier {
                assert_eq!(
                    frame.raw,
                    &chunk[behind..frame.end],
                    "a message is not where it says"
                );
            }
            behind = frame.end;
            raw.extend_from_slice(frame.raw);
            let event = frame.event.expect("every message has an event");
            assert!(!event.data.is_empty(), "an event of nothing");
            told.push((event.name.map(str::to_owned), event.data.to_vec()));
        });
        assert!(
            fault.is_none() || (cut.is_ok() && behind == 0),
            "something comes behind a fault"
        );
        fault = fault.or(cut.err());
        assert!(
            fault.is_some() || pushed - raw.len() <= MAX_MESSAGE_BYTES,
            "more is held than one message may have"
        );
    }
    framer.finish(|frame| {
        assert!(
            fault.is_none() && frame.event.is_none(),
            "half a message has no event"
        );
        raw.extend_from_slice(frame.raw);
    });
    assert!(stream.starts_with(&raw), "messages are not what came");
    assert!(fault.is_some() || raw.len() == stream.len(), "bytes were lost");
    (told, fault)
}

/// A message around headers and a payload that may be anything.
fn sealed(headers: usize, message: &[u8]) -> Vec<u8> {
    let length = |length: usize| u32::try_from(length).expect("inputs are small").to_be_bytes();
    let mut out = [length(message.len() + 16), length(headers)].concat();
    out.extend(crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(message);
    out.extend(crc32fast::hash(&out).to_be_bytes());
    out
}
