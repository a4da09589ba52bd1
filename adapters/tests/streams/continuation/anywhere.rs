//! Streams that are cut anywhere, made up and real, and gone on with.

use bytes::Bytes;
use proptest::prelude::*;
use tollgate_core::{Dialect, ProviderKind, Surface};

use super::{KINDS, answer, check_form, joined, next, overloaded, push_in_pieces, text};
use crate::support::{PAIRS, push, reader, spoken_by};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// Wherever a stream is cut, and in whatever pieces the two arrive: the texts join.
    #[test]
    fn the_clients_text_is_that_of_both(
        first in prop::collection::vec("[a-z \"\\\\é🦀\n]{1,6}", 0..5),
        second in prop::collection::vec("[a-z \"\\\\é🦀\n]{1,6}", 1..5),
        pair in prop::sample::select(PAIRS.to_vec()),
        begun_by in prop::sample::select(KINDS.to_vec()),
        cut: prop::sample::Index,
        size in 1..80_usize,
        has_error: bool,
    ) {
        let (surface, kind) = pair;
        let texts: Vec<&str> = first.iter().map(String::as_str).collect();
        let mut bytes = answer(spoken_by(begun_by), &texts, false).into_bytes();
        bytes.truncate(cut.index(bytes.len() + 1));
        let mut broken = reader(surface, begun_by).collecting();
        let (mut told, mut out) = (Vec::new(), Vec::new());
        for piece in bytes.chunks(size) {
            broken.push(Bytes::copy_from_slice(piece), &mut out);
        }
        if has_error && bytes.ends_with(b"\n\n") {
            broken.push(overloaded(spoken_by(begun_by)).into(), &mut out);
        }
        told.extend(out.concat());
        let said = text(std::str::from_utf8(&told).unwrap());
        prop_assert_eq!(broken.partial().unwrap().text(), &*said);
        let mut joined = next(surface, kind, &broken);
        let texts: Vec<&str> = second.iter().map(String::as_str).collect();
        push_in_pieces(&mut joined, &answer(spoken_by(kind), &texts, true), size, &mut told);
        let told = String::from_utf8(told).unwrap();
        check_form(surface, &told);
        // White space that was not sent to the second provider comes back but once.
        let mut rest = &*second.concat();
        if kind == ProviderKind::Anthropic {
            for space in said[said.trim_end().len()..].chars() {
                let Some(next) = rest.strip_prefix(space) else { break };
                rest = next;
            }
        }
        prop_assert_eq!(text(&told), said + rest);
        prop_assert_eq!(joined.partial().unwrap().text(), text(&told));
    }

    /// Streams of nonsense, joined anywhere, end.
    #[test]
    fn nonsense_is_survived(
        first in "[{}\\[\\]\":,a-z\n]{0,60}", second in "[{}\\[\\]\":,a-z\n]{0,60}",
        pair in prop::sample::select(PAIRS.to_vec()), begun_by in prop::sample::select(KINDS.to_vec()),
    ) {
        let (surface, kind) = pair;
        let begun = answer(spoken_by(begun_by), &["x"], false) + "data: " + &first + "\n\n";
        let mut broken = reader(surface, begun_by).collecting();
        push(&mut broken, &begun);
        if broken.partial().unwrap().obstacle().is_none() {
            let (told, _) = joined(surface, [begun_by, kind], &begun, &format!("data: {second}\n\n"), 11);
            let has_ended = told.ends_with("data: [DONE]\n\n") || told.contains("event: error");
            prop_assert!(has_ended, "{}", told);
        }
    }
}

/// The recorded streams of real providers, each with its surface and kind.
fn recordings() -> Vec<(Surface, ProviderKind, String)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recorded");
    let mut found = Vec::new();
    for provider in std::fs::read_dir(root).unwrap().map(Result::unwrap) {
        let name = provider.file_name().into_string().unwrap();
        let kind = ProviderKind::from_name(&name).unwrap_or(ProviderKind::OpenAi);
        if !provider.path().is_dir() {
            continue;
        }
        for case in std::fs::read_dir(provider.path()).unwrap().map(Result::unwrap) {
            let name = case.file_name().into_string().unwrap();
            let surface = match () {
                () if name.starts_with("chat-stream") => Surface::ChatCompletions,
                () if name.starts_with("messages-stream") => Surface::Messages,
                () => continue,
            };
            let stream = std::fs::read_to_string(case.path().join("response.sse")).unwrap();
            found.push((surface, kind, stream));
        }
    }
    assert!(found.len() > 8, "{}", found.len());
    found
}

#[test]
fn real_streams_can_be_cut_anywhere_and_gone_on_with() {
    let rest = answer(Dialect::OpenAi, &[" And so on."], true);
    let (mut continued, mut refused) = (0, 0);
    for (own, kind, stream) in recordings() {
        let events: Vec<&str> = stream.split_inclusive("\n\n").collect();
        for surface in [Surface::ChatCompletions, Surface::Messages] {
            if kind == ProviderKind::Anthropic && own != Surface::Messages {
                continue;
            }
            for length in 0..events.len() {
                let mut broken = reader(surface, kind).collecting();
                let mut told = push(&mut broken, &events[..length].concat());
                let mut plain = reader(surface, kind);
                let told_plainly = push(&mut plain, &events[..length].concat());
                if plain.report().error.is_none() {
                    assert_eq!(told, told_plainly, "collecting changes nothing");
                }
                let partial = broken.partial().unwrap().clone();
                if partial.obstacle().is_some() {
                    refused += 1;
                    continue;
                }
                continued += 1;
                let mut joined = next(surface, ProviderKind::OpenAi, &broken);
                told += &push(&mut joined, &rest);
                assert!(joined.report().complete);
                assert_eq!(text(&told), format!("{} And so on.", partial.text()), "{told}");
                assert_eq!(
                    told.matches("[DONE]").count() + told.matches("event: message_stop").count(),
                    1
                );
            }
        }
    }
    assert!(continued > 100 && refused > 100, "{continued} {refused}");
}
