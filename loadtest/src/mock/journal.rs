//! The journal: a bounded ring of the requests received and of what became of each. Entries are updated in place
//! by the exchange that owns them, through atomics, so that a stream does not take the lock for every chunk.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU64, AtomicUsize, Ordering};

use actix_web::http::header::HeaderMap;
use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::dice::hash_bytes;

/// At most this many headers of a request are kept.
const MOST_HEADERS: usize = 100;

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It has not ended yet.
    Open,
    /// The whole answer was handed to the connection.
    Done,
    /// A programmed cut or reset ended it.
    Faulted,
    /// The peer vanished (or cancelled the stream) before the end.
    ClientGone,
}

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Counts from 1, never reused.
    pub seq: u64,
    /// Arrival, milliseconds since the server started.
    pub at_ms: u64,
    /// HTTP method.
    pub method: String,
    /// Path as received, with its query.
    pub path: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// The simulated provider that was addressed.
    pub provider: String,
    /// The model asked for, with its behaviour words; empty when the body could not be read.
    pub model: String,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Headers in the order received, names in lower case, credentials redacted (see [`redact_credential`]).
    pub headers: Vec<(String, String)>,
    /// The body, cut to the configured size, with invalid UTF-8 replaced.
    pub body: String,
    /// Size of the whole body.
    pub body_bytes: u64,
    /// Status answered; 0 until there is a head.
    pub status: u16,
    /// Events (or pieces) of the body sent so far.
    pub chunks: u64,
    /// How it ended.
    pub ending: Ending,
    /// The peer vanished before the end; same as `ending == client_gone`.
    pub client_gone: bool,
    /// Milliseconds from arrival to the end; `None` while it is open.
    pub elapsed_ms: Option<f64>,
}

impl JournalEntry {
    /// The value of the first header with this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What a request looked like on arrival.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) at_ms: u64,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) version: String,
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    pub(crate) body_bytes: u64,
}

/// The part of an entry that changes. Written by the exchange that owns it, read by whoever looks at the journal.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    status: AtomicU16,
    chunks: AtomicU64,
    /// 0 open, 1 done, 2 faulted, 3 client gone. Release on write: publishes `elapsed_us`.
    ending: AtomicU8,
    elapsed_us: AtomicU64,
}

impl Progress {
    pub(crate) fn set_status(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    pub(crate) fn count_chunk(&self) {
        self.chunks.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn end(&self, ending: Ending, elapsed_us: u64) {
        let code = match ending {
            Ending::Open => 0,
            Ending::Done => 1,
            Ending::Faulted => 2,
            Ending::ClientGone => 3,
        };
        self.elapsed_us.store(elapsed_us, Ordering::Relaxed);
        self.ending.store(code, Ordering::Release);
    }

    fn ending(&self) -> Ending {
        match self.ending.load(Ordering::Acquire) {
            0 => Ending::Open,
            1 => Ending::Done,
            2 => Ending::Faulted,
            _ => Ending::ClientGone,
        }
    }
}

#[derive(Debug)]
struct Slot {
    seq: u64,
    arrival: Arrival,
    progress: Arc<Progress>,
}

impl Slot {
    fn entry(&self) -> JournalEntry {
        let Arrival { at_ms, stream, .. } = self.arrival;
        let ending = self.progress.ending();
        let micros = self.progress.elapsed_us.load(Ordering::Relaxed);
        let elapsed_ms = f64::from(u32::try_from(micros).unwrap_or(u32::MAX)) / 1000.0;
        JournalEntry {
            seq: self.seq,
            at_ms,
            method: self.arrival.method.clone(),
            path: self.arrival.path.clone(),
            version: self.arrival.version.clone(),
            provider: self.arrival.provider.clone(),
            model: self.arrival.model.clone(),
            stream,
            headers: self.arrival.headers.clone(),
            body: String::from_utf8_lossy(&self.arrival.body).into_owned(),
            body_bytes: self.arrival.body_bytes,
            status: self.progress.status.load(Ordering::Relaxed),
            chunks: self.progress.chunks.load(Ordering::Relaxed),
            ending,
            client_gone: ending == Ending::ClientGone,
            elapsed_ms: (ending != Ending::Open).then_some(elapsed_ms),
        }
    }
}

#[derive(Debug, Default)]
struct Ring {
    slots: VecDeque<Slot>,
    last_seq: u64,
}

/// The ring and those who wait for it to change.
#[derive(Debug)]
pub(crate) struct Journal {
    ring: Mutex<Ring>,
    capacity: usize,
    body_limit: usize,
    changed: Notify,
    /// How many wait; written by the waiters. Changes are announced only when someone listens.
    waiting: AtomicUsize,
}

impl Journal {
    /// A journal of the last `capacity` requests (0: none), each with at most `body_limit` bytes of body.
    pub(crate) fn new(capacity: usize, body_limit: usize) -> Self {
        Self {
            ring: Mutex::default(),
            capacity,
            body_limit,
            changed: Notify::new(),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Whether anything is kept: spares the caller from collecting what would be thrown away.
    pub(crate) fn is_kept(&self) -> bool {
        self.capacity > 0
    }

    /// The part of a body that is kept. Copied when cut, so that a large body is not held for its beginning.
    pub(crate) fn keep(&self, body: &Bytes) -> Bytes {
        match body.get(..self.body_limit) {
            Some(beginning) => Bytes::copy_from_slice(beginning),
            None => body.clone(),
        }
    }

    /// Adds a request; the oldest makes room.
    pub(crate) fn record(&self, arrival: Arrival, progress: Arc<Progress>) {
        if self.is_kept() {
            let mut ring = self.ring.lock();
            ring.last_seq += 1;
            let seq = ring.last_seq;
            if ring.slots.len() >= self.capacity {
                ring.slots.pop_front();
            }
            ring.slots.push_back(Slot {
                seq,
                arrival,
                progress,
            });
        }
        self.announce();
    }

    /// Tells those who wait that something changed.
    pub(crate) fn announce(&self) {
        // SeqCst pairs with `listen`: either the waiter sees the change, or we see the waiter.
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.changed.notify_waiters();
        }
    }

    /// Registers a waiter until the guard is dropped.
    pub(crate) fn listen(&self) -> Listening<'_> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Listening(self)
    }

    /// At most `limit` entries with a number above `since`, oldest first.
    pub(crate) fn entries(&self, since: u64, limit: usize) -> Vec<JournalEntry> {
        let ring = self.ring.lock();
        let newer = ring.slots.iter().filter(|slot| slot.seq > since);
        newer.take(limit).map(Slot::entry).collect()
    }

    /// Forgets every entry; numbers go on.
    pub(crate) fn clear(&self) {
        self.ring.lock().slots.clear();
    }
}

/// A registered waiter.
#[derive(Debug)]
pub(crate) struct Listening<'a>(&'a Journal);

impl Listening<'_> {
    /// Resolves at the next change after the future was enabled.
    pub(crate) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.0.changed.notified()
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The headers of a request as the journal keeps them.
pub(crate) fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let kept = headers.iter().take(MOST_HEADERS).map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        let value = match name.as_str() {
            "authorization"
            | "x-api-key"
            | "api-key"
            | "x-goog-api-key"
            | "proxy-authorization"
            | "cookie" => redact_credential(&value),
            _ => value.into_owned(),
        };
        (name.as_str().to_owned(), value)
    });
    kept.collect()
}

/// A credential as the journal shows it: scheme, last four characters (of keys of 12 or more) and a fingerprint to
/// compare by, e.g. `Bearer …4f2a #1b6e0c9d`.
pub fn redact_credential(value: &str) -> String {
    let (scheme, key) = match value.split_once(' ') {
        Some((scheme, key)) => (format!("{scheme} "), key),
        None => (String::new(), value),
    };
    let key = key.trim();
    let tail_at = key.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
    let tail = if key.chars().count() >= 12 {
        key.get(tail_at..).unwrap_or("")
    } else {
        ""
    };
    let fingerprint = hash_bytes(key.as_bytes()) >> 32;
    format!("{scheme}…{tail} #{fingerprint:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(body: &str) -> Arrival {
        Arrival {
            at_ms: 0,
            method: "POST".to_owned(),
            path: "/".to_owned(),
            version: String::new(),
            provider: String::new(),
            model: String::new(),
            stream: false,
            headers: Vec::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            body_bytes: 0,
        }
    }

    #[test]
    fn the_oldest_entry_makes_room_and_numbers_go_on() {
        let journal = Journal::new(2, 10);
        for body in ["a", "b", "c"] {
            journal.record(arrival(body), Arc::default());
        }
        let kept: Vec<_> = journal
            .entries(0, 10)
            .into_iter()
            .map(|entry| (entry.seq, entry.body))
            .collect();
        assert_eq!(kept, [(2, "b".to_owned()), (3, "c".to_owned())]);
        assert_eq!(journal.entries(2, 10).len(), 1);
        assert_eq!(journal.entries(0, 1).len(), 1);
        journal.clear();
        journal.record(arrival("d"), Arc::default());
        assert_eq!(journal.entries(0, 10).first().map(|entry| entry.seq), Some(4));
    }

    #[test]
    fn long_bodies_are_cut_and_broken_text_is_replaced() {
        let journal = Journal::new(1, 4);
        assert_eq!(journal.keep(&Bytes::from_static(b"abcdef")), "abcd");
        assert_eq!(journal.keep(&Bytes::from_static(b"abc")), "abc");
        let mut broken = arrival("");
        broken.body = Bytes::from_static(b"a\xff");
        journal.record(broken, Arc::default());
        assert_eq!(
            journal.entries(0, 1).first().map(|entry| entry.body.clone()),
            Some("a\u{fffd}".to_owned())
        );
    }

    #[test]
    fn credentials_are_shown_by_their_end_and_fingerprint_only() {
        let shown = redact_credential("Bearer sk-very-secret-4f2a");
        assert!(shown.starts_with("Bearer …4f2a #"), "{shown}");
        assert!(!shown.contains("secret"));
        assert!(redact_credential("short").starts_with("… #"));
        assert_ne!(
            redact_credential("key-one-1111-aaaa"),
            redact_credential("key-two-1111-aaaa")
        );
        assert!(redact_credential("ключключключё€").contains("чё€"));
    }
}
