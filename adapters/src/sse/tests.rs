//! Events are found wherever a stream is cut, and never without bound.

use super::*;
use proptest::prelude::*;

type Seen = (Option<String>, Option<Vec<u8>>);

/// The frames of `chunks`: name and data of each event, and all raw bytes in a row.
fn cut(chunks: &[&[u8]], limit: usize) -> (Vec<Seen>, Vec<u8>, Result<(), Oversize>) {
    let mut framer = Framer::with_limit(limit);
    let (mut seen, mut raw, mut result) = (Vec::new(), Vec::new(), Ok(()));
    let mut note = |frame: Frame<'_>| {
        raw.extend_from_slice(frame.raw);
        let name = frame.event.and_then(|event| event.name.map(str::to_owned));
        seen.push((name, frame.event.map(|event| event.data.to_vec())));
    };
    for chunk in chunks {
        let mut last = 0;
        let pushed = framer.push(chunk, |frame| {
            assert!(frame.end >= last && frame.end <= chunk.len());
            if !frame.began_earlier {
                assert_eq!(frame.raw, &chunk[last..frame.end]);
            }
            last = frame.end;
            note(frame);
        });
        if let Err(fault) = pushed {
            result = Err(fault);
        }
    }
    framer.finish(note);
    (seen, raw, result)
}

fn events(text: &str) -> Vec<(Option<String>, String)> {
    let (seen, raw, result) = cut(&[text.as_bytes()], 1 << 20);
    assert_eq!((raw.as_slice(), result), (text.as_bytes(), Ok(())));
    seen.into_iter()
        .filter_map(|(name, data)| Some((name, String::from_utf8(data?).unwrap())))
        .collect()
}

fn unnamed(data: &[&str]) -> Vec<(Option<String>, String)> {
    data.iter().map(|data| (None, (*data).to_owned())).collect()
}

#[test]
fn every_kind_of_line_end_is_understood() {
    assert_eq!(events("data: a\n\ndata: b\n\n"), unnamed(&["a", "b"]));
    assert_eq!(events("data: a\r\n\r\ndata: b\r\n\r\n"), unnamed(&["a", "b"]));
    assert_eq!(events("data: a\r\rdata: b\r\r"), unnamed(&["a", "b"]));
    assert_eq!(events("data: a\n\r\ndata: b\r\n\n"), unnamed(&["a", "b"]));
}

#[test]
fn comments_unknown_fields_and_missing_spaces_are_understood() {
    assert_eq!(events(": ping\n\ndata:x\nid: 7\nretry\n\n:\n"), unnamed(&["x"]));
    assert_eq!(events("event: ping\n\n"), unnamed(&[]));
    assert_eq!(events("data\n\ndata:\n\n"), unnamed(&[]));
    assert_eq!(events("data:  two spaces \n\n"), unnamed(&[" two spaces "]));
}

#[test]
fn several_data_lines_are_one_event() {
    assert_eq!(
        events("data: {\ndata:  \"a\":1\ndata: }\n\n"),
        unnamed(&["{\n \"a\":1\n}"])
    );
}

#[test]
fn a_name_stays_with_its_event() {
    let expected = vec![
        (Some("error".to_owned()), "{}".to_owned()),
        (None, "x".to_owned()),
    ];
    assert_eq!(events("event: error\ndata: {}\n\ndata: x\n\n"), expected);
}

#[test]
fn a_byte_order_mark_is_skipped_once() {
    assert_eq!(events("\u{feff}data: a\n\n\u{feff}data: b\n\n"), unnamed(&["a"]));
}

#[test]
fn an_unterminated_last_event_is_reported_at_the_end() {
    assert_eq!(events("data: a\n\ndata: b"), unnamed(&["a", "b"]));
    assert_eq!(events("data: a\n\ndata: b\r"), unnamed(&["a", "b"]));
}

#[test]
fn an_event_beyond_the_limit_is_a_fault_and_nothing_is_held() {
    let long = [b'x'; 100];
    let mut framer = Framer::with_limit(64);
    assert_eq!(
        framer.push(&long, |_| panic!("no frame")),
        Err(Oversize { limit: 64 })
    );
    assert_eq!(framer.carry.capacity(), 0);
    framer.push(b"data: a\n\n", |_| panic!("swallowed")).unwrap();
    framer.finish(|_| panic!("swallowed"));
}

proptest! {
    #[test]
    fn the_result_does_not_depend_on_where_chunks_end(
        text in "(data: ?|event: |: c|[é\u{1F980}a:]|\r|\n|\r\n|\n\n|\u{feff}){0,60}",
        cuts in prop::collection::vec(0usize..200, 0..12),
    ) {
        let bytes = text.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let whole = cut(&[bytes], 1 << 20);
        prop_assert_eq!(&whole.1, bytes);
        prop_assert_eq!(cut(&chunks, 1 << 20), whole);
    }

    #[test]
    fn any_bytes_are_framed_without_loss(bytes: Vec<u8>, limit in 1usize..40) {
        let (_, raw, result) = cut(&[&bytes], limit);
        prop_assert!(result.is_err() || raw == bytes);
    }
}
