//! Reads a stream of server-sent events as far as a measurement needs: how many carry content, whether it is
//! complete, whether it tells of an error. Looks for a few words instead of reading JSON, as it must cost less than
//! what it measures; pieces may be cut anywhere.

use memchr::memchr;
use memchr::memmem::Finder;

/// The most of an unfinished line that is kept; what is longer has long shown what it is.
const LONGEST_LINE: usize = 64 * 1024;

/// What a stream has shown so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Events {
    /// Events with content.
    pub(crate) content: u64,
    /// It said that it is complete.
    pub(crate) is_complete: bool,
    /// It told of an error.
    pub(crate) has_error: bool,
    /// It did so in the form of the Anthropic dialect.
    pub(crate) is_error_typed: bool,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
}

/// The words that are looked for. Of those that are keys, the value that follows decides; servers differ in where they
/// put blanks.
#[derive(Debug)]
pub(crate) struct Words {
    content: Finder<'static>,
    tool_calls: Finder<'static>,
    delta: Finder<'static>,
    stop: Finder<'static>,
    error: Finder<'static>,
    kind: Finder<'static>,
}

impl Words {
    pub(crate) fn new() -> Self {
        Self {
            content: Finder::new(r#""content""#),
            tool_calls: Finder::new(r#""tool_calls""#),
            delta: Finder::new(r#""content_block_delta""#),
            stop: Finder::new(r#""message_stop""#),
            error: Finder::new(r#""error""#),
            kind: Finder::new(r#""type""#),
        }
    }

    fn has_content(&self, event: &[u8]) -> bool {
        let is_text = |value: &[u8]| matches!(value, [b'"', next, ..] if *next != b'"');
        let is_list =
            |value: &[u8]| matches!(value, [b'[', rest @ ..] if !rest.trim_ascii_start().starts_with(b"]"));
        self.delta.find(event).is_some()
            || values(&self.tool_calls, event).any(is_list)
            || values(&self.content, event).any(is_text)
    }

    /// Whether it tells of an error as the Anthropic dialect does.
    fn is_error_typed(&self, event: &[u8]) -> bool {
        values(&self.kind, event).any(|value| value.starts_with(br#""error""#))
    }

    fn has_error(&self, event: &[u8]) -> bool {
        values(&self.error, event).any(|value| value.starts_with(b"{"))
    }
}

/// What follows each place where `key` is one: the text from the start of its value on.
fn values<'a>(key: &'a Finder<'static>, event: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let value = |at: usize| {
        let after = event.get(at + key.needle().len()..)?.trim_ascii_start();
        after.strip_prefix(b":").map(<[u8]>::trim_ascii_start)
    };
    key.find_iter(event).filter_map(value)
}

impl Events {
    /// Takes the next piece. Returns how many events with content it completed.
    pub(crate) fn feed(&mut self, words: &Words, mut piece: &[u8]) -> u64 {
        let before = self.content;
        while let Some(end) = memchr(b'\n', piece) {
            let (line, rest) = piece.split_at(end);
            if self.line.is_empty() {
                self.read(words, line);
            } else {
                self.keep(line);
                let line = std::mem::take(&mut self.line);
                self.read(words, &line);
                self.line = line;
                self.line.clear();
            }
            piece = rest.get(1..).unwrap_or_default();
        }
        self.keep(piece);
        self.content - before
    }

    fn keep(&mut self, part: &[u8]) {
        let room = LONGEST_LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(part.get(..room).unwrap_or(part));
    }

    fn read(&mut self, words: &Words, line: &[u8]) {
        let Some(event) = line.strip_prefix(b"data:") else {
            return;
        };
        let event = event.trim_ascii();
        if event == b"[DONE]" || words.stop.find(event).is_some() {
            self.is_complete = true;
        } else if words.has_content(event) {
            self.content += 1;
        } else {
            let is_typed = words.is_error_typed(event);
            self.has_error |= is_typed || words.has_error(event);
            self.is_error_typed |= is_typed;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OPENAI: &str = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\r\n\r\n\
        data: {\"choices\": [{\"delta\": {\"content\": \"the \\\"content\\\":\\\"\\\"\"}}]}\n\n\
        data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0}]}}]}\n\n\
        data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    const ANTHROPIC: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"content\":[]}}\n\n\
        event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"a\"}}\n\n\
        event: ping\ndata: {\"type\": \"ping\"}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

    fn read(pieces: &[&[u8]]) -> (u64, bool, bool) {
        let (words, mut events) = (Words::new(), Events::default());
        let told: u64 = pieces.iter().map(|piece| events.feed(&words, piece)).sum();
        assert_eq!(told, events.content);
        (events.content, events.is_complete, events.has_error)
    }

    #[test]
    fn both_dialects_are_counted() {
        assert_eq!(read(&[OPENAI.as_bytes()]), (3, true, false));
        assert_eq!(read(&[ANTHROPIC.as_bytes()]), (1, true, false));
    }

    #[test]
    fn a_stream_without_its_end_mark_is_not_complete() {
        let cut = OPENAI.split("data: [DONE]").next().unwrap();
        assert_eq!(read(&[cut.as_bytes()]), (3, false, false));
        assert_eq!(read(&[b"data: [DONE]"]), (0, false, false), "the line has no end");
        assert_eq!(read(&[]), (0, false, false));
    }

    #[test]
    fn errors_within_a_stream_are_seen_and_whose_form_they_have() {
        for (event, is_typed) in [
            ("data: {\"error\":{\"message\":\"x\"}}\n", false),
            ("data: {\"error\" : {\"message\": \"x\"}}\n", false),
            (
                "data: {\"type\": \"error\", \"error\": {\"type\": \"overloaded_error\"}}\n",
                true,
            ),
            ("event: error\ndata: {\"type\":\"error\",\"error\":{}}\n", true),
        ] {
            assert_eq!(read(&[event.as_bytes()]), (0, false, true), "{event}");
            let mut events = Events::default();
            events.feed(&Words::new(), event.as_bytes());
            assert_eq!(events.is_error_typed, is_typed, "{event}");
        }
    }

    #[test]
    fn blanks_between_key_and_value_do_not_matter_and_empty_values_are_no_content() {
        for (event, content) in [
            (r#"data: {"delta": {"tool_calls": [{"index": 0}]}}"#, 1),
            (r#"data: {"delta": {"content" : "Hi"}}"#, 1),
            (r#"data: {"delta": {"content": "", "tool_calls": [ ]}}"#, 0),
            (r#"data: {"delta": {"content": null}, "error": null}"#, 0),
        ] {
            assert_eq!(
                read(&[event.as_bytes(), b"\n"]),
                (content, false, false),
                "{event}"
            );
        }
    }

    #[test]
    fn a_line_without_end_is_bounded() {
        let (words, mut events) = (Words::new(), Events::default());
        for _ in 0..100 {
            events.feed(&words, &[b'x'; 10_000]);
        }
        assert!(events.line.len() <= LONGEST_LINE);
        assert_eq!(events.feed(&words, b"\ndata: [DONE]\n"), 0);
        assert!(events.is_complete);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_pieces_are_cut(cuts in prop::collection::vec(0usize..600, 0..20)) {
            let text = format!("{OPENAI}{ANTHROPIC}");
            let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut <= text.len()).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(read(&pieces), (4, true, false));
        }
    }
}
