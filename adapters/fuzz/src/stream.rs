//! Streams of providers on the way to clients.
//!
//! Input: one byte for the provider, one for the flags (bit 0: the client asked for usage; bit 1: the answer may be gone
//! on with; bit 2: the connection broke; bit 3, for AWS's framing: the rest is lines that are to be framed, see
//! [`compose`]), [`CUTS`] bytes that say how to cut, and the stream.

use bytes::Bytes;
use tollgate_adapters::{Report, StreamEnd, eventstream, sse};
use tollgate_core::{Dialect, OutcomeClass, ProviderKind, Surface};

use super::answer::assert_countable;
use super::cutting::{CUTS, chunks, settings};
use super::grammar;
use super::parties::{CLIENTS, PROVIDERS, reader};
use super::wire::compose;

/// The most bytes that a client gets for one of the provider's, and those besides.
const MOST_FOR_A_BYTE: usize = 256;
const MOST_BESIDES: usize = 16 << 10;

/// How one stream is read.
#[derive(Debug, Clone, Copy)]
struct Reading {
    client: Surface,
    kind: ProviderKind,
    model: &'static str,
    include_usage: bool,
    may_go_on: bool,
    end: StreamEnd,
}

/// Every client gets the same however the stream is cut: of about its size, in the grammar of its dialect, ended once.
pub(crate) fn check(data: &[u8]) {
    let Some(([provider, flags], data)) = settings::<2>(data) else {
        return;
    };
    let Some((cuts, stream)) = settings::<CUTS>(data) else {
        return;
    };
    let (kind, model) = PROVIDERS[usize::from(provider) % PROVIDERS.len()];
    let is_composed = kind == ProviderKind::Bedrock && flags & 8 != 0;
    let stream = if is_composed { &compose(stream) } else { stream };
    for client in CLIENTS {
        let reading = Reading {
            client,
            kind,
            model,
            include_usage: flags & 1 != 0,
            may_go_on: flags & 2 != 0,
            end: match flags & 4 {
                0 => StreamEnd::Eof,
                _ => StreamEnd::Broken(OutcomeClass::IdleTimeout),
            },
        };
        let (whole, report) = reading.read(std::iter::once(stream));
        let (cut, cut_report) = reading.read(chunks(stream, &cuts));
        let shown = String::from_utf8_lossy;
        assert!(
            whole == cut,
            "it matters how the stream is cut:\n{}\n{}",
            shown(&whole),
            shown(&cut)
        );
        assert_eq!(
            report, cut_report,
            "it matters for the report how the stream is cut"
        );
        assert_countable(&report);
        let most = stream.len() * MOST_FOR_A_BYTE + MOST_BESIDES;
        assert!(
            whole.len() <= most,
            "{} bytes became {}",
            stream.len(),
            whole.len()
        );
        reading.check(stream, &whole, &report);
    }
}

impl Reading {
    /// What the client gets, and what is known of it at the end.
    fn read<'a>(&self, chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, Report) {
        let reader = reader(self.client, true, self.include_usage, self.kind, self.model);
        let mut reader = reader.stream();
        if self.may_go_on {
            reader = reader.collecting();
        }
        let mut out = Vec::new();
        for chunk in chunks {
            let (was_over, had) = (reader.is_over(), out.len());
            reader.push(Bytes::copy_from_slice(chunk), &mut out);
            assert!(!was_over || out.len() == had, "something comes behind the end");
        }
        reader.finish(self.end, &mut out);
        assert!(out.iter().all(|piece| !piece.is_empty()), "a piece of nothing");
        (out.concat(), reader.report().clone())
    }

    fn check(&self, stream: &[u8], out: &[u8], report: &Report) {
        let client = self.client.dialect();
        let is_strict = tollgate_adapters::profile(self.kind).quirks.is_strict;
        if self.kind.dialect_for(self.client) != client || is_strict && client == Dialect::OpenAi {
            return grammar::check(client, out);
        }
        // In the provider's own dialect; chunks of OpenAI's may be mended, and usage that nobody asked for is dropped.
        let is_sound = report.complete && report.error.is_none();
        if client != Dialect::OpenAi && is_sound && self.end == StreamEnd::Eof {
            // Half an event behind the end is not passed on; an end that is missing is put there.
            let whole = whole_frames(client, stream);
            assert_eq!(
                out.get(..whole),
                stream.get(..whole),
                "an answer in the client's dialect was changed"
            );
        }
    }
}

/// How many bytes the frames have that are whole.
fn whole_frames(dialect: Dialect, stream: &[u8]) -> usize {
    let mut length = 0;
    let each = |frame: sse::Frame<'_>| length += frame.raw.len();
    match dialect {
        Dialect::Bedrock => eventstream::Framer::default().push(stream, each).ok(),
        _ => sse::Framer::default().push(stream, each).ok(),
    };
    length
}
