//! Messages are found wherever chunks are cut, and nothing that is damaged passes.

use proptest::prelude::*;

use super::*;

type Told = (Option<String>, Vec<u8>, bool);

/// The events that a framer finds in chunks of this size, and whether it gave up.
fn told(bytes: &[u8], size: usize, limit: usize) -> (Vec<Told>, Option<Fault>, usize) {
    let mut framer = Framer::with_limit(limit);
    let (mut events, mut fault) = (Vec::new(), None);
    for chunk in bytes.chunks(size.max(1)) {
        let mut end = 0;
        let cut = framer.push(chunk, |frame| {
            assert!(frame.end > end && frame.end <= chunk.len());
            assert_eq!(frame.began_earlier, frame.raw.len() > frame.end - end);
            end = frame.end;
            let event = frame.event.unwrap();
            events.push((
                event.name.map(str::to_owned),
                event.data.to_vec(),
                frame.began_earlier,
            ));
        });
        fault = fault.or(cut.err());
    }
    let mut left = 0;
    framer.finish(|frame| left = frame.raw.len());
    (events, fault, left)
}

fn stream() -> Vec<u8> {
    let mut out = Vec::new();
    write("messageStart", br#"{"role":"assistant"}"#, &mut out);
    write(
        "contentBlockDelta",
        "{\"text\":\"\u{1f50e}\"}".as_bytes(),
        &mut out,
    );
    write("messageStop", b"", &mut out);
    write_exception("throttlingException", br#"{"message":"slow down"}"#, &mut out);
    out
}

#[test]
fn a_message_is_written_as_the_format_has_it() {
    let mut out = Vec::new();
    write("ab", b"{}", &mut out);
    assert_eq!(out.len(), usize::try_from(number(&out, 0).unwrap()).unwrap());
    assert_eq!(number(&out, 8), Some(crc32fast::hash(&out[..8])));
    assert_eq!(
        number(&out, out.len() - 4),
        Some(crc32fast::hash(&out[..out.len() - 4]))
    );
    assert_eq!(&out[12..28], b"\x0b:event-type\x07\x00\x02a");
}

#[test]
fn messages_are_found_whole_and_in_pieces() {
    let bytes = stream();
    for size in 1..=bytes.len() {
        let (events, fault, left) = told(&bytes, size, MAX_MESSAGE_BYTES);
        assert_eq!((fault, left), (None, 0));
        let names: Vec<_> = events
            .iter()
            .map(|(name, _, _)| name.as_deref().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "messageStart",
                "contentBlockDelta",
                "messageStop",
                "throttlingException"
            ]
        );
        assert_eq!(events[1].1, "{\"text\":\"\u{1f50e}\"}".as_bytes());
        assert_eq!(events[2].1, b"{}", "a payload that is empty says nothing");
    }
}

#[test]
fn an_error_of_the_stream_itself_is_an_event_with_its_words() {
    let mut headers = Vec::new();
    header(":message-type", "error", &mut headers);
    header(":error-code", "InternalError", &mut headers);
    header(":error-message", "say \"sorry\"", &mut headers);
    // Headers of all other types are passed over.
    for (kind, value) in [
        (0, &b""[..]),
        (2, b"1"),
        (3, b"12"),
        (4, b"1234"),
        (6, b"\x00\x01x"),
        (8, b"12345678"),
    ] {
        headers.extend_from_slice(&[1, b'x', kind]);
        headers.extend_from_slice(value);
    }
    let mut out = Vec::new();
    let total = u32::try_from(headers.len() + 16).unwrap();
    out.extend_from_slice(&total.to_be_bytes());
    out.extend_from_slice(&u32::try_from(headers.len()).unwrap().to_be_bytes());
    seal(0, &mut out);
    out.extend_from_slice(&headers);
    seal(0, &mut out);
    let (events, fault, _) = told(&out, out.len(), MAX_MESSAGE_BYTES);
    assert_eq!(fault, None);
    assert_eq!(events[0].0.as_deref(), Some("error"));
    assert_eq!(
        events[0].1,
        br#"{"code":"InternalError","message":"say \"sorry\""}"#
    );
}

#[test]
fn the_beginning_of_a_message_is_left_at_the_end() {
    let bytes = stream();
    let (events, fault, left) = told(&bytes[..bytes.len() - 3], 7, MAX_MESSAGE_BYTES);
    assert_eq!((events.len(), fault), (3, None));
    assert!(left > 0);
}

#[test]
fn a_message_that_is_too_long_is_a_fault_as_soon_as_its_length_is_known() {
    let mut bytes = Vec::new();
    write("contentBlockDelta", &[b'x'; 300], &mut bytes);
    let fault = Fault::Oversize { limit: 200 };
    assert_eq!(told(&bytes[..12], 5, 200), (Vec::new(), Some(fault), 0));
}

proptest! {
    #[test]
    fn a_damaged_byte_never_passes(at: prop::sample::Index, with in 1..=255_u8, size in 1..200_usize) {
        let mut bytes = stream();
        let at = at.index(bytes.len());
        bytes[at] ^= with;
        let (events, fault, left) = told(&bytes, size, MAX_MESSAGE_BYTES);
        prop_assert!(fault.is_some() || left > 0);
        let (good, _, _) = told(&stream(), stream().len(), MAX_MESSAGE_BYTES);
        for (event, good) in events.iter().zip(&good) {
            prop_assert_eq!((&event.0, &event.1), (&good.0, &good.1));
        }
    }

    #[test]
    fn any_bytes_are_messages_or_a_fault(bytes: Vec<u8>, size in 1..40_usize) {
        let _ = told(&bytes, size, 1000);
    }

    #[test]
    fn headers_of_any_bytes_are_read_or_refused(headers: Vec<u8>, payload: Vec<u8>) {
        let mut out = Vec::new();
        out.extend_from_slice(&u32::try_from(headers.len() + payload.len() + 16).unwrap().to_be_bytes());
        out.extend_from_slice(&u32::try_from(headers.len()).unwrap().to_be_bytes());
        seal(0, &mut out);
        out.extend_from_slice(&headers);
        out.extend_from_slice(&payload);
        seal(0, &mut out);
        let _ = told(&out, 9, MAX_MESSAGE_BYTES);
    }
}
