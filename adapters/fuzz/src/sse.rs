//! The framer of server-sent events.
//!
//! Input: one byte for the limit of an event (0: the framer's own, else sixteen times as many bytes), [`CUTS`] bytes
//! that say how to cut, and the stream.

use tollgate_adapters::sse::{Frame, Framer, MAX_EVENT_BYTES};

use super::cutting::{CUTS, chunks, settings};

/// A frame, taken away.
#[derive(Debug, PartialEq, Eq)]
struct Taken {
    raw: Vec<u8>,
    event: Option<Told>,
}

/// An event: its name and its data.
type Told = (Option<String>, Vec<u8>);

/// Frames are the same however the stream is cut, hold every byte once, are what the standard says, and no more is
/// held than one of them.
pub(crate) fn check(data: &[u8]) {
    let Some(([limit], data)) = settings::<1>(data) else {
        return;
    };
    let Some((cuts, stream)) = settings::<CUTS>(data) else {
        return;
    };
    let limit = match limit {
        0 => MAX_EVENT_BYTES,
        limit => usize::from(limit) * 16,
    };
    let (whole, is_whole_sound) = frames(std::iter::once(stream), limit);
    let (cut, is_cut_sound) = frames(chunks(stream, &cuts), limit);
    assert_eq!(whole, cut, "it matters how the stream is cut");
    assert_eq!(
        is_whole_sound, is_cut_sound,
        "it matters for a fault how the stream is cut"
    );
    let raw: Vec<u8> = whole.iter().flat_map(|frame| frame.raw.iter().copied()).collect();
    assert!(stream.starts_with(&raw), "frames are not what came");
    assert!(!is_whole_sound || raw.len() == stream.len(), "bytes were lost");
    let told: Vec<Told> = whole.into_iter().filter_map(|frame| frame.event).collect();
    assert_eq!(told, by_the_standard(&raw));
}

/// All frames, and whether no fault came.
fn frames<'a>(chunks: impl Iterator<Item = &'a [u8]>, limit: usize) -> (Vec<Taken>, bool) {
    let mut framer = Framer::with_limit(limit);
    let (mut taken, mut is_sound, mut held) = (Vec::new(), true, 0);
    for chunk in chunks {
        held += chunk.len();
        let mut behind = 0;
        let cut = framer.push(chunk, |frame| {
            assert!(is_sound, "a frame behind a fault");
            assert!(
                behind <= frame.end && frame.end <= chunk.len(),
                "a frame ends outside of its chunk"
            );
            if frame.began_earlier {
                assert_eq!(behind, 0, "only the first frame can have begun earlier");
            } else {
                assert_eq!(
                    frame.raw,
                    &chunk[behind..frame.end],
                    "a frame is not where it says"
                );
            }
            behind = frame.end;
            held -= frame.raw.len();
            assert!(frame.raw.len() <= limit, "a frame beyond the limit");
            taken.push(take(&frame));
        });
        is_sound &= cut.is_ok();
        assert!(!is_sound || held <= limit, "more is held than one frame may have");
    }
    framer.finish(|frame| {
        assert!(is_sound, "a frame behind a fault");
        taken.push(take(&frame));
    });
    framer.finish(|_| panic!("a stream ends once"));
    (taken, is_sound)
}

fn take(frame: &Frame<'_>) -> Taken {
    assert!(!frame.raw.is_empty(), "a frame of nothing");
    Taken {
        raw: frame.raw.to_vec(),
        event: frame
            .event
            .map(|event| (event.name.map(str::to_owned), event.data.to_vec())),
    }
}

/// The events of a stream, read as the standard tells it, line by line and without a thought for speed.
fn by_the_standard(stream: &[u8]) -> Vec<Told> {
    let mut text = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let mut events = Vec::new();
    let mut name: Option<String> = None;
    let mut data: Option<Vec<u8>> = None;
    loop {
        let end = text.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let line = &text[..end.unwrap_or(text.len())];
        if line.is_empty() {
            let (name, data) = (name.take(), data.take().unwrap_or_default());
            if !data.is_empty() {
                events.push((name, data));
            }
        } else {
            let colon = line.iter().position(|byte| *byte == b':');
            let (field, value) = match colon {
                Some(colon) => (&line[..colon], &line[colon + 1..]),
                None => (line, &line[line.len()..]),
            };
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match (field, &mut data) {
                (b"event", _) => name = String::from_utf8(value.to_vec()).ok(),
                (b"data", None) => data = Some(value.to_vec()),
                (b"data", Some(data)) => {
                    data.push(b'\n');
                    data.extend(value);
                }
                _ => {}
            }
        }
        let Some(end) = end else {
            // An event that lacks its blank line counts here, as providers do end so.
            events.extend(data.filter(|data| !data.is_empty()).map(|data| (name, data)));
            return events;
        };
        let is_pair = text[end..].starts_with(b"\r\n");
        text = &text[end + if is_pair { 2 } else { 1 }..];
    }
}
