//! An incremental framer of AWS event streams (`application/vnd.amazon.eventstream`), and a writer of them.
//!
//! A message is binary: its length, the length of its headers and a checksum of both; headers; a payload; a
//! checksum of everything before. Frames keep their exact bytes, and what is read from one is an
//! [`Event`] as server-sent events have it, so that readers need not know how a stream was framed: its name is the
//! type of the event or of the exception, its data the payload.
//!
//! Only as much as one message is ever held. A message that is too long, or whose checksums or headers are wrong, is
//! a fault: behind it nothing can be found any more.

use crate::sse::{Event, Frame};

/// The most bytes that one message may have: as many as one server-sent event.
pub const MAX_MESSAGE_BYTES: usize = crate::sse::MAX_EVENT_BYTES;

/// The name under which an error that the stream itself reports is told; exceptions keep their own.
pub const ERROR_EVENT: &str = "error";

/// Total length, length of the headers, and the checksum of the two.
const PRELUDE_BYTES: usize = 12;
/// The checksum at the end.
const CHECKSUM_BYTES: usize = 4;
/// The most bytes of headers, as AWS limits them.
const MAX_HEADER_BYTES: usize = 128 << 10;
/// What stands for a payload that is empty.
const NOTHING: &[u8] = b"{}";
/// The type of a header that is a string.
const STRING: u8 = 7;

/// Why a stream cannot be followed any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A message is longer than [`MAX_MESSAGE_BYTES`], or the limit given.
    #[error("a message of the stream is longer than {limit} bytes")]
    Oversize {
        /// The limit.
        limit: usize,
    },
    /// A message is not what its checksums, lengths or headers say.
    #[error("a message of the stream is damaged: its {what} is wrong")]
    Damaged {
        /// The part of it.
        what: &'static str,
    },
}

/// Cuts a stream into messages. After a fault it swallows everything.
#[derive(Debug)]
pub struct Framer {
    /// The beginning of a message whose end has not come yet.
    carry: Vec<u8>,
    /// An error that had to be put into JSON.
    told: Vec<u8>,
    limit: usize,
    faulted: bool,
}

impl Default for Framer {
    fn default() -> Self {
        Self::with_limit(MAX_MESSAGE_BYTES)
    }
}

impl Framer {
    /// A framer that takes messages of at most `limit` bytes.
    pub const fn with_limit(limit: usize) -> Self {
        Self {
            carry: Vec::new(),
            told: Vec::new(),
            limit,
            faulted: false,
        }
    }

    /// Takes the next chunk and calls `each` for every message that is complete now, in order. Each has an event.
    ///
    /// # Errors
    /// What cannot be followed; messages before it have been handed out.
    pub fn push(&mut self, chunk: &[u8], mut each: impl FnMut(Frame<'_>)) -> Result<(), Fault> {
        if self.faulted {
            return Ok(());
        }
        let cut = self.cut(chunk, &mut each);
        if cut.is_err() {
            self.faulted = true;
            self.carry = Vec::new();
        }
        cut
    }

    fn cut(&mut self, chunk: &[u8], each: &mut impl FnMut(Frame<'_>)) -> Result<(), Fault> {
        let mut start = 0;
        if !self.carry.is_empty() {
            let held = self.carry.len();
            // First its length, then no more than belongs to it: what follows need not be copied.
            start = self.fill(chunk, 0, PRELUDE_BYTES);
            let Some(length) = self.length(&self.carry)? else {
                return Ok(());
            };
            start = self.fill(chunk, start, length);
            debug_assert_eq!(self.carry.len(), held + start, "nothing is skipped");
            if self.carry.len() < length {
                return Ok(());
            }
            let mut carry = std::mem::take(&mut self.carry);
            each(self.frame(&carry, start, true)?);
            carry.clear();
            self.carry = carry;
        }
        loop {
            let rest = chunk.get(start..).unwrap_or_default();
            let whole = self.length(rest)?.and_then(|length| rest.get(..length));
            let Some(raw) = whole else {
                self.carry.extend_from_slice(rest);
                return Ok(());
            };
            start += raw.len();
            each(self.frame(raw, start, false)?);
        }
    }

    /// The stream has ended: calls `each` with the beginning of a message, if there is one. It has no event.
    pub fn finish(&mut self, each: impl FnOnce(Frame<'_>)) {
        let carry = std::mem::take(&mut self.carry);
        if !carry.is_empty() && !self.faulted {
            each(Frame {
                raw: &carry,
                event: None,
                end: 0,
                began_earlier: true,
            });
        }
    }

    /// Moves bytes of `chunk` from `start` on into the carry until it has `wanted`; returns where they end.
    fn fill(&mut self, chunk: &[u8], start: usize, wanted: usize) -> usize {
        let rest = chunk.get(start..).unwrap_or_default();
        let taken = rest.len().min(wanted.saturating_sub(self.carry.len()));
        self.carry
            .extend_from_slice(rest.get(..taken).unwrap_or_default());
        start + taken
    }

    /// The length of the message that begins here. `None`: too little of it is there to tell.
    fn length(&self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let Some((prelude, _)) = bytes.split_at_checked(PRELUDE_BYTES) else {
            return Ok(None);
        };
        let damaged = |what| Fault::Damaged { what };
        let (lengths, checksum) = prelude.split_at_checked(8).unwrap_or_default();
        if number(checksum, 0) != Some(crc32fast::hash(lengths)) {
            return Err(damaged("prelude"));
        }
        let (total, headers) = (size(lengths, 0), size(lengths, 4));
        let (Some(total), Some(headers)) = (total, headers) else {
            return Err(damaged("length"));
        };
        if total > self.limit {
            return Err(Fault::Oversize { limit: self.limit });
        }
        let least = headers.saturating_add(PRELUDE_BYTES + CHECKSUM_BYTES);
        if headers > MAX_HEADER_BYTES || total < least {
            return Err(damaged("length"));
        }
        Ok(Some(total))
    }

    fn frame<'a>(&'a mut self, raw: &'a [u8], end: usize, began_earlier: bool) -> Result<Frame<'a>, Fault> {
        let damaged = |what| Fault::Damaged { what };
        let body = raw.len().checked_sub(CHECKSUM_BYTES);
        let (message, checksum) = body
            .and_then(|body| raw.split_at_checked(body))
            .ok_or(damaged("length"))?;
        if number(checksum, 0) != Some(crc32fast::hash(message)) {
            return Err(damaged("checksum"));
        }
        let headers = size(message, 4).unwrap_or(0);
        let (headers, payload) = message
            .get(PRELUDE_BYTES..)
            .and_then(|rest| rest.split_at_checked(headers))
            .ok_or(damaged("length"))?;
        let known = Known::read(headers).ok_or(damaged("header"))?;
        Ok(Frame {
            raw,
            event: Some(known.event(payload, &mut self.told)),
            end,
            began_earlier,
        })
    }
}

/// The headers that say what a message is.
#[derive(Debug, Default)]
struct Known<'a> {
    message: &'a str,
    event: Option<&'a str>,
    exception: Option<&'a str>,
    code: Option<&'a str>,
    words: Option<&'a str>,
}

impl<'a> Known<'a> {
    /// Reads headers, each a name and a typed value; `None` if they are not well formed.
    fn read(mut rest: &'a [u8]) -> Option<Self> {
        let mut known = Self::default();
        while let Some((length, after)) = rest.split_first() {
            let (name, after) = after.split_at_checked(usize::from(*length))?;
            let (kind, after) = after.split_first()?;
            let (length, after) = match kind {
                0 | 1 => (0, after),
                2 => (1, after),
                3 => (2, after),
                4 => (4, after),
                5 | 8 => (8, after),
                6 | 7 => {
                    let (length, after) = after.split_first_chunk::<2>()?;
                    (usize::from(u16::from_be_bytes(*length)), after)
                }
                9 => (16, after),
                _ => return None,
            };
            let (value, after) = after.split_at_checked(length)?;
            rest = after;
            if *kind != STRING {
                continue;
            }
            let value = std::str::from_utf8(value).ok()?;
            match name {
                b":message-type" => known.message = value,
                b":event-type" => known.event = Some(value),
                b":exception-type" => known.exception = Some(value),
                b":error-code" => known.code = Some(value),
                b":error-message" => known.words = Some(value),
                _ => {}
            }
        }
        Some(known)
    }

    fn event<'e>(&self, payload: &'e [u8], told: &'e mut Vec<u8>) -> Event<'e>
    where
        'a: 'e,
    {
        let data = if payload.is_empty() { NOTHING } else { payload };
        match self.message {
            "error" => {
                told.clear();
                let words = serde_json::json!({ "code": self.code, "message": self.words });
                // Writing to memory has no way to fail.
                let _ = serde_json::to_writer(&mut *told, &words);
                Event {
                    name: Some(ERROR_EVENT),
                    data: told,
                }
            }
            "exception" => Event {
                name: Some(self.exception.unwrap_or(ERROR_EVENT)),
                data,
            },
            _ => Event {
                name: self.event,
                data,
            },
        }
    }
}

/// Writes an event of this type with a JSON payload.
pub fn write(event: &str, json: &[u8], out: &mut Vec<u8>) {
    message([":event-type", ":message-type"], [event, "event"], json, out);
}

/// Writes an exception of this type with a JSON payload.
pub fn write_exception(exception: &str, json: &[u8], out: &mut Vec<u8>) {
    let names = [":exception-type", ":message-type"];
    message(names, [exception, "exception"], json, out);
}

/// Writes a message. One that is longer than its lengths can say is left out: there is no way to send it.
fn message(names: [&str; 2], values: [&str; 2], json: &[u8], out: &mut Vec<u8>) {
    let mut headers = Vec::with_capacity(96);
    for (name, value) in names.into_iter().zip(values) {
        header(name, value, &mut headers);
    }
    header(":content-type", "application/json", &mut headers);
    let total = PRELUDE_BYTES + headers.len() + json.len() + CHECKSUM_BYTES;
    let (Ok(total_length), Ok(header_length)) = (u32::try_from(total), u32::try_from(headers.len())) else {
        return;
    };
    out.reserve(total);
    let start = out.len();
    out.extend_from_slice(&total_length.to_be_bytes());
    out.extend_from_slice(&header_length.to_be_bytes());
    seal(start, out);
    out.extend_from_slice(&headers);
    out.extend_from_slice(json);
    seal(start, out);
}

/// Writes a header that is a string, if it is not too long to be one: none of ours is.
fn header(name: &str, value: &str, out: &mut Vec<u8>) {
    let (Ok(name_length), Ok(value_length)) = (u8::try_from(name.len()), u16::try_from(value.len())) else {
        return;
    };
    out.push(name_length);
    out.extend_from_slice(name.as_bytes());
    out.push(STRING);
    out.extend_from_slice(&value_length.to_be_bytes());
    out.extend_from_slice(value.as_bytes());
}

/// Writes the checksum of everything since `start`.
fn seal(start: usize, out: &mut Vec<u8>) {
    let checksum = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&checksum.to_be_bytes());
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*four))
}

fn size(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(number(bytes, at)?).ok()
}

#[cfg(test)]
mod tests;
