//! An incremental framer of server-sent events.
//!
//! Takes the stream in whatever pieces it arrives and cuts it into *frames*: an event with everything around
//! it, up to and including the blank line that ends it. Frames keep their exact bytes, so that forwarding all
//! of them reproduces the stream, whatever its line ends (LF, CRLF, CR), comments and odd spacing.
//!
//! Follows the WHATWG HTML standard, section 9.2.6, with two differences: an unterminated last event is still
//! reported (by [`Framer::finish`]; providers do end so), and `id` and `retry` are not interpreted.
//! Only as much as one event is ever held; a longer one than the limit is a fault.

use memchr::{memchr, memchr2};

/// The most bytes that one event may have. Images come base64-encoded inside of events: hence so much.
pub const MAX_EVENT_BYTES: usize = 16 << 20;

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The `event` field, if there is one and it is UTF-8.
    pub name: Option<&'a str>,
    /// The `data` field; several lines of it are joined by `\n`. Never empty. Not known to be UTF-8.
    pub data: &'a [u8],
}

/// A piece of the stream that ends where an event ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The bytes as they came.
    pub raw: &'a [u8],
    /// The event in them; `None`: only comments, blank lines or unknown fields.
    pub event: Option<Event<'a>>,
    /// Where in the chunk just pushed the frame ends. It begins where the one before it ended (at 0, if it is
    /// the first one) or in an earlier chunk.
    pub end: usize,
    /// Whether it began in an earlier chunk.
    pub began_earlier: bool,
}

/// An event is longer than [`MAX_EVENT_BYTES`], or the limit given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is longer than {limit} bytes")]
pub struct Oversize {
    /// The limit.
    pub limit: usize,
}

/// Cuts a stream into frames. After a fault it swallows everything.
#[derive(Debug)]
pub struct Framer {
    /// The beginning of a frame whose end has not come yet.
    carry: Vec<u8>,
    scan: Scan,
    joined: Vec<u8>,
    limit: usize,
    /// Whether a frame has been cut: from then on, no byte order mark is expected.
    begun: bool,
    faulted: bool,
}

/// How far the frame that is being assembled has been searched for its end.
#[derive(Debug, Default, Clone, Copy)]
struct Scan {
    line_start: usize,
    searched: usize,
}

impl Default for Framer {
    fn default() -> Self {
        Self::with_limit(MAX_EVENT_BYTES)
    }
}

impl Framer {
    /// A framer that takes events of at most `limit` bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            carry: Vec::new(),
            scan: Scan::default(),
            joined: Vec::new(),
            limit,
            begun: false,
            faulted: false,
        }
    }

    /// Takes the next chunk and calls `each` for every frame that is complete now, in order.
    pub fn push(&mut self, chunk: &[u8], mut each: impl FnMut(Frame<'_>)) -> Result<(), Oversize> {
        if self.faulted {
            return Ok(());
        }
        let mut start = 0;
        if !self.carry.is_empty() {
            let held = self.carry.len();
            self.carry.extend_from_slice(chunk);
            let Some(end) = self.scan.frame_end(&self.carry) else {
                return self.check(self.carry.len());
            };
            let carry = std::mem::take(&mut self.carry);
            let raw = carry.get(..end).unwrap_or_default();
            start = end.saturating_sub(held);
            self.check(raw.len())?;
            each(self.frame(raw, start, true));
            self.carry = carry;
            self.carry.clear();
        }
        loop {
            let rest = chunk.get(start..).unwrap_or_default();
            let Some(length) = self.scan.frame_end(rest) else {
                self.carry.extend_from_slice(rest);
                return self.check(self.carry.len());
            };
            self.check(length)?;
            start += length;
            each(self.frame(rest.get(..length).unwrap_or_default(), start, false));
        }
    }

    /// The stream has ended: calls `each` with what is left, if anything is.
    pub fn finish(&mut self, each: impl FnOnce(Frame<'_>)) {
        let carry = std::mem::take(&mut self.carry);
        self.scan = Scan::default();
        if !carry.is_empty() && !self.faulted {
            each(self.frame(&carry, 0, true));
        }
    }

    fn check(&mut self, length: usize) -> Result<(), Oversize> {
        if length <= self.limit {
            return Ok(());
        }
        self.faulted = true;
        self.carry = Vec::new();
        Err(Oversize { limit: self.limit })
    }

    fn frame<'a>(&'a mut self, raw: &'a [u8], end: usize, began_earlier: bool) -> Frame<'a> {
        let text = if self.begun {
            raw
        } else {
            raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw)
        };
        self.begun = true;
        Frame {
            raw,
            event: read_event(text, &mut self.joined),
            end,
            began_earlier,
        }
    }
}

impl Scan {
    /// Where the first frame of `bytes` ends: behind its first empty line. A CR at the very end waits for the
    /// next byte, which may be the LF that belongs to it.
    fn frame_end(&mut self, bytes: &[u8]) -> Option<usize> {
        loop {
            let rest = bytes.get(self.searched..).unwrap_or_default();
            let Some(found) = memchr2(b'\n', b'\r', rest) else {
                self.searched = bytes.len();
                return None;
            };
            let at = self.searched + found;
            let next = if rest.get(found) == Some(&b'\n') {
                at + 1
            } else {
                match bytes.get(at + 1) {
                    Some(b'\n') => at + 2,
                    Some(_) => at + 1,
                    None => {
                        self.searched = at;
                        return None;
                    }
                }
            };
            let is_blank = at == self.line_start;
            self.line_start = next;
            self.searched = next;
            if is_blank {
                *self = Self::default();
                return Some(next);
            }
        }
    }
}

/// The lines of `text`, without their ends.
fn lines(mut text: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let end = memchr2(b'\n', b'\r', text).unwrap_or(text.len());
        let (line, rest) = text.split_at_checked(end)?;
        text = rest
            .strip_prefix(b"\r\n")
            .or_else(|| rest.get(1..))
            .unwrap_or_default();
        Some(line)
    })
}

/// The event in a frame. `joined` is where several `data` lines are put together.
fn read_event<'a>(frame: &'a [u8], joined: &'a mut Vec<u8>) -> Option<Event<'a>> {
    let mut name = None;
    let mut first: Option<&[u8]> = None;
    let mut several = false;
    for line in lines(frame) {
        let (field, value) = match memchr(b':', line) {
            Some(colon) => (line.get(..colon)?, line.get(colon + 1..)?),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match (field, first) {
            (b"event", _) => name = std::str::from_utf8(value).ok(),
            (b"data", None) => first = Some(value),
            (b"data", Some(first)) => {
                if !several {
                    joined.clear();
                    joined.extend_from_slice(first);
                    several = true;
                }
                joined.push(b'\n');
                joined.extend_from_slice(value);
            }
            _ => {}
        }
    }
    let data = if several { joined.as_slice() } else { first? };
    (!data.is_empty()).then_some(Event { name, data })
}

#[cfg(test)]
mod tests;
