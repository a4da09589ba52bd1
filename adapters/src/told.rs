//! What an answer that passes through tells of its use: its end is listened to, and nothing else is kept.
//!
//! Answers of these surfaces may be large (pictures in base64), binary (speech) or a stream of events, and are never
//! held. Where they tell what was used, they do so in an object near their end (`usage`, Cohere's `meta.billed_units`,
//! Google's `usageMetadata`), of a stream in its last events; a transcript tells its `duration` at its beginning.

use memchr::memmem;
use tollgate_core::{Through, Units, Usage, UsageSource};

use crate::json::{Fields, after_colon, value_span};
use crate::report::Report;
use crate::usage;

/// So much of the end is kept, at least; twice that at the most.
const KEPT: usize = 8 << 10;
/// And so much of the beginning.
const BEGINNING: usize = 512;

/// Listens to an answer.
#[derive(Debug)]
pub struct Told {
    through: Through,
    beginning: Vec<u8>,
    end: Vec<u8>,
    bytes: u64,
    images: Images,
}

impl Told {
    /// Of an answer of this surface.
    pub fn of(through: Through) -> Self {
        Self {
            through,
            beginning: Vec::new(),
            end: Vec::new(),
            bytes: 0,
            images: Images::default(),
        }
    }

    /// A piece goes by.
    pub fn push(&mut self, piece: &[u8]) {
        self.bytes = self
            .bytes
            .saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        let room = (BEGINNING - self.beginning.len()).min(piece.len());
        self.beginning
            .extend_from_slice(piece.get(..room).unwrap_or_default());
        if self.makes_images() {
            self.images.push(piece);
        }
        let last = piece.len().saturating_sub(KEPT);
        self.end.extend_from_slice(piece.get(last..).unwrap_or_default());
        if self.end.len() > 2 * KEPT {
            self.end.drain(..self.end.len() - KEPT);
        }
    }

    /// What is known. `is_whole`: the answer has come to its end.
    pub fn report(&self, is_whole: bool) -> Report {
        Report {
            usage: self.usage(),
            has_content: self.bytes > 0,
            complete: is_whole,
            ..Report::default()
        }
    }

    fn usage(&self) -> Option<Usage> {
        if let Some(told) = last_object(&self.end, "usage").and_then(|found| of_usage(&found)) {
            return Some(told);
        }
        if let Some(units) = last_object(&self.end, "billed_units") {
            return Some(of_billed_units(&units));
        }
        if let Some(found) = last_object(&self.end, "usageMetadata") {
            return Some(reported(Usage {
                input: found.count("promptTokenCount")?,
                ..Usage::default()
            }));
        }
        let units = match self.through {
            Through::Transcriptions | Through::Translations => Units {
                audio_ms: duration_ms(&self.beginning)?,
                ..Units::default()
            },
            _ if self.makes_images() && self.images.count() > 0 => Units {
                images: self.images.count(),
                ..Units::default()
            },
            _ => return None,
        };
        Some(reported(Usage {
            units,
            ..Usage::default()
        }))
    }

    const fn makes_images(&self) -> bool {
        matches!(
            self.through,
            Through::ImageGenerations | Through::ImageEdits | Through::ImageVariations
        )
    }
}

fn reported(usage: Usage) -> Usage {
    Usage {
        source: UsageSource::Reported,
        ..usage
    }
}

/// `usage` of the dialects of `OpenAI`: tokens, or seconds of sound; Jina's, a total alone.
fn of_usage(found: &Fields<'_>) -> Option<Usage> {
    if let Some(seconds) = found.raw("seconds") {
        let units = Units {
            audio_ms: thousandths(seconds)?,
            ..Units::default()
        };
        return Some(reported(Usage {
            units,
            ..Usage::default()
        }));
    }
    if let Some(told) = usage::openai(found, false) {
        // Transcripts have a spelling of their own.
        let audio = found
            .object("input_token_details")
            .and_then(|details| details.count("audio_tokens"))
            .map_or(0, |audio| audio.min(told.input));
        return Some(Usage {
            input: told.input - audio,
            audio_input: told.audio_input.saturating_add(audio),
            ..told
        });
    }
    Some(reported(Usage {
        input: found.count("total_tokens")?,
        ..Usage::default()
    }))
}

fn of_billed_units(units: &Fields<'_>) -> Usage {
    let count = |name| units.count(name).unwrap_or(0);
    reported(Usage {
        input: count("input_tokens"),
        output: count("output_tokens"),
        units: Units {
            searches: count("search_units"),
            images: 0,
            audio_ms: 0,
        },
        ..Usage::default()
    })
}

/// The last object under this name. What stands in a string of the answer is none: its quotes are escaped there.
fn last_object<'a>(json: &'a [u8], name: &str) -> Option<Fields<'a>> {
    let quoted = format!("\"{name}\"");
    let finder = memmem::FinderRev::new(&quoted);
    let mut before = json.len();
    while let Some(at) = finder.rfind(json.get(..before)?) {
        before = at;
        let is_escaped = at.checked_sub(1).and_then(|at| json.get(at)) == Some(&b'\\');
        let value = after_colon(json, at + 1).and_then(|start| value_span(json, start));
        let text = value
            .filter(|_| !is_escaped)
            .and_then(|span| std::str::from_utf8(json.get(span)?).ok());
        if let Some(fields) = text.and_then(Fields::of) {
            return Some(fields);
        }
    }
    None
}

/// `"duration":8.47`, seconds, at the beginning of a transcript.
fn duration_ms(json: &[u8]) -> Option<u64> {
    let at = memmem::find(json, b"\"duration\"")?;
    let span = value_span(json, after_colon(json, at + 1)?)?;
    thousandths(std::str::from_utf8(json.get(span)?).ok()?)
}

/// A decimal number in thousandths, rounded up; `None` for anything else.
fn thousandths(text: &str) -> Option<u64> {
    let text = text.trim_matches('"');
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    let rest = fraction
        .get(3..)
        .is_some_and(|rest| rest.bytes().any(|b| b != b'0'));
    let thousandths = whole.parse::<u64>().ok()?.checked_mul(1000)?;
    thousandths.checked_add(digits.parse::<u64>().ok()? + u64::from(rest))
}

/// Counts pictures by the keys under which they stand.
#[derive(Debug, Default)]
struct Images {
    /// The end of what has gone by: shorter than a key.
    seam: Vec<u8>,
    packed: u64,
    linked: u64,
}

impl Images {
    const PACKED: &'static [u8] = b"\"b64_json\"";
    const LINKED: &'static [u8] = b"\"url\"";

    fn push(&mut self, piece: &[u8]) {
        for (key, is_packed) in [(Self::PACKED, true), (Self::LINKED, false)] {
            let within = memmem::find_iter(piece, key).count();
            // What begins before this piece and ends in it.
            let before = self.seam.get(self.seam.len().saturating_sub(key.len() - 1)..);
            let behind = piece.get(..piece.len().min(key.len() - 1));
            let seam = [before.unwrap_or_default(), behind.unwrap_or_default()].concat();
            let found = u64::try_from(within + memmem::find_iter(&seam, key).count()).unwrap_or(0);
            let count = if is_packed {
                &mut self.packed
            } else {
                &mut self.linked
            };
            *count = count.saturating_add(found);
        }
        let most = Self::PACKED.len() - 1;
        self.seam
            .extend_from_slice(piece.get(piece.len().saturating_sub(most)..).unwrap_or_default());
        self.seam.drain(..self.seam.len().saturating_sub(most));
    }

    /// Some servers name both keys for each picture, one of them empty.
    fn count(&self) -> u64 {
        self.packed.max(self.linked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(through: Through, answer: &str, size: usize) -> Option<Usage> {
        let mut told = Told::of(through);
        for piece in answer.as_bytes().chunks(size) {
            told.push(piece);
        }
        told.report(true).usage
    }

    #[test]
    fn what_each_surface_tells_is_read() {
        let usage = |through, answer: &str| told(through, answer, 50).unwrap();
        let drawn = usage(
            Through::ImageGenerations,
            r#"{"created":1,"data":[{"b64_json":"AAAA"}],"usage":{"total_tokens":150,"input_tokens":50,
            "output_tokens":100,"input_tokens_details":{"text_tokens":10,"image_tokens":40}}}"#,
        );
        assert_eq!(
            (drawn.input, drawn.output, drawn.units),
            (50, 100, Units::default())
        );
        let heard = usage(
            Through::Transcriptions,
            r#"{"text":"hi","usage":{"type":"tokens","input_tokens":14,
            "input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":2,"total_tokens":16}}"#,
        );
        assert_eq!((heard.input, heard.audio_input, heard.output), (4, 10, 2));
        let timed = usage(
            Through::Transcriptions,
            r#"{"text":"hi","usage":{"type":"duration","seconds":9}}"#,
        );
        assert_eq!(timed.units.audio_ms, 9_000);
        let verbose = usage(
            Through::Transcriptions,
            r#"{"task":"transcribe","duration":8.4700,"text":"hi"}"#,
        );
        assert_eq!(verbose.units.audio_ms, 8_470);
        let ranked = usage(
            Through::CohereRerank,
            r#"{"results":[],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":2}}}"#,
        );
        assert_eq!((ranked.units.searches, ranked.input), (2, 0));
        let jina = usage(
            Through::Rerank,
            r#"{"model":"j","usage":{"total_tokens":77},"results":[]}"#,
        );
        assert_eq!((jina.input, jina.source), (77, UsageSource::Reported));
        let stream = "data: {\"type\":\"transcript.text.delta\",\"delta\":\"hi\"}\n\n\
             data: {\"type\":\"transcript.text.done\",\"text\":\"hi\",\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}\n\n\
             data: [DONE]\n\n";
        assert_eq!(usage(Through::Transcriptions, stream).input, 3);
    }

    #[test]
    fn what_tells_nothing_is_none_and_words_are_no_usage() {
        assert_eq!(told(Through::Speech, "\u{1}binary", 3), None);
        let quoted = r#"{"text":"the \"usage\":{\"input_tokens\":9} of"}"#;
        assert_eq!(told(Through::Moderations, quoted, 9), None);
        assert_eq!(told(Through::Moderations, r#"{"usage":null}"#, 9), None);
    }

    #[test]
    fn pictures_are_counted_where_no_tokens_are_told() {
        let big = "A".repeat(40_000);
        let answer = format!(r#"{{"data":[{{"b64_json": "{big}"}},{{"b64_json":"{big}"}}]}}"#);
        for size in [1, 7, 9, 4096, 100_000] {
            assert_eq!(
                told(Through::ImageEdits, &answer, size).unwrap().units.images,
                2,
                "{size}"
            );
        }
        let linked = r#"{"data":[{"url":"https://x"},{"url":"https://y"}]}"#;
        assert_eq!(told(Through::ImageVariations, linked, 5).unwrap().units.images, 2);
    }

    #[test]
    fn a_large_answer_keeps_little() {
        let mut told = Told::of(Through::ImageGenerations);
        let piece = vec![b'A'; 64 << 10];
        for _ in 0..100 {
            told.push(&piece);
        }
        told.push(br#""}],"usage":{"input_tokens":1,"output_tokens":2}}"#);
        assert!(told.end.capacity() <= 8 * KEPT && told.beginning.len() == BEGINNING);
        assert_eq!(told.report(true).usage.unwrap().output, 2);
    }

    proptest! {
        #[test]
        fn anything_may_go_by(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..20)) {
            let mut told = Told::of(Through::ImageEdits);
            for piece in &pieces {
                told.push(piece);
            }
            let _ = told.report(false);
        }
    }
}
