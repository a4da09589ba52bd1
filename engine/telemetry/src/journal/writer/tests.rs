//! Everything that was posted is written once, whatever the sink does; and a stalled sink stalls nobody else.

use std::io::{self, Write};

use crossbeam::channel::Sender;
use parking_lot::Mutex;
use tollgate_core::{RequestId, Timestamp};

use super::*;
use crate::{Exposition, Meters};

const PATIENCE: Duration = Duration::from_secs(30);

/// A writer whose bytes can be looked at, and which fails as often as it is told to.
#[derive(Clone, Default)]
struct Paper {
    bytes: Arc<Mutex<Vec<u8>>>,
    failures: Arc<Mutex<u32>>,
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut failures = self.failures.lock();
        if *failures > 0 && bytes.len() > 1 {
            *failures -= 1;
            self.bytes.lock().extend_from_slice(&bytes[..bytes.len() / 2]);
            return Err(io::Error::other("disk full"));
        }
        self.bytes.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn numbers(&self) -> Vec<u64> {
        let text = String::from_utf8(self.bytes.lock().clone()).unwrap();
        let number =
            |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?["request_bytes"].as_u64();
        text.lines().filter_map(number).collect()
    }
}

/// A writer that tells when it is entered, and then waits to be let go.
struct Stall {
    entered: Sender<()>,
    release: Receiver<()>,
}

impl Write for Stall {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.entered.try_send(());
        let _ = self.release.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn record(number: u64) -> Box<RequestRecord> {
    let at = Timestamp::from_unix_millis(0);
    let mut record = RequestRecord::new(RequestId::new(at, 0), at);
    record.request_bytes = number;
    Box::new(record)
}

fn spawn(capacity: usize, sink: Sink) -> (JournalHandle, Exposition) {
    let (meters, exposition) = Meters::install();
    let options = JournalOptions {
        capacity,
        ..JournalOptions::default()
    };
    (
        Journal::spawn(options, sink, meters.journal()).unwrap(),
        exposition,
    )
}

#[test]
fn closing_writes_out_what_was_posted_from_every_worker() {
    let paper = Paper::default();
    let (handle, exposition) = spawn(100_000, Sink::writer(paper.clone()));
    thread::scope(|scope| {
        for worker in 0..4 {
            let journal = handle.journal();
            scope.spawn(move || {
                for number in 0..5_000 {
                    let posted = journal.post(record(worker * 5_000 + number));
                    assert_ne!(posted, Posted::Dropped);
                }
            });
        }
    });
    handle.close(PATIENCE).unwrap();
    let mut numbers = paper.numbers();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..20_000));
    assert!(exposition.render().contains("tollgate_log_lines_total 20000"));
}

#[test]
fn a_sink_that_stalls_costs_lines_and_neither_posts_nor_the_shutdown() {
    let (entered, was_entered) = bounded(1);
    let (release, let_go) = bounded::<()>(1);
    let stall = Stall {
        entered,
        release: let_go,
    };
    let (handle, exposition) = spawn(4, Sink::writer(stall));
    let journal = handle.journal();
    journal.post(record(0));
    was_entered.recv_timeout(PATIENCE).unwrap();
    let posted: Vec<_> = (0..6).map(|n| journal.post(record(n))).collect();
    assert_eq!(posted.iter().filter(|&&it| it == Posted::Dropped).count(), 2);
    assert!(exposition.render().contains("tollgate_log_dropped_total 2"));
    let closed = handle.close(Duration::from_millis(20));
    assert_eq!(closed, Err(CloseError::TimedOut { waiting: 4 }));
    drop(release);
}

#[test]
fn after_a_failed_write_the_next_line_is_whole() {
    let paper = Paper::default();
    *paper.failures.lock() = 1;
    let (entered, was_entered) = bounded(8);
    let (handle, exposition) = spawn(8, Sink::writer(Told(paper.clone(), entered)));
    handle.journal().post(record(1));
    was_entered.recv_timeout(PATIENCE).unwrap();
    handle.journal().post(record(2));
    handle.close(PATIENCE).unwrap();
    assert_eq!(
        paper.numbers(),
        [2],
        "the first line is torn, the second is on a line of its own"
    );
    assert!(exposition.render().contains("tollgate_log_dropped_total 1"));
}

/// A writer that tells of each attempt to write, after it.
struct Told(Paper, Sender<()>);

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.write(bytes);
        let _ = self.1.try_send(());
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_file_that_was_rotated_away_is_opened_anew() {
    let folder = std::env::temp_dir().join(format!("tollgate-journal-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (path, rotated) = (folder.join("access.log"), folder.join("access.log.1"));
    let (first, _) = spawn(8, Sink::file(&path).unwrap());
    first.journal().post(record(1));
    first.close(PATIENCE).unwrap();

    let (second, _) = spawn(8, Sink::file(&path).unwrap());
    std::fs::rename(&path, &rotated).unwrap();
    second.journal().reopen();
    second.journal().post(record(2));
    second.close(PATIENCE).unwrap();
    let lines = |path| std::fs::read_to_string(path).unwrap();
    assert!(lines(&rotated).contains("\"request_bytes\":1,"));
    assert!(lines(&path).contains("\"request_bytes\":2,"));
    assert!(Sink::file(folder.join("no/such/folder")).is_err());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_null_sink_empties_the_ring_all_the_same() {
    let (handle, exposition) = spawn(8, Sink::null());
    handle.journal().post(record(1));
    handle.close(PATIENCE).unwrap();
    assert!(exposition.render().contains("tollgate_log_dropped_total 0"));
}

/// A record of another kind. 13 cannot be written.
#[derive(Debug)]
struct Count(u64);

impl Line for Count {
    fn write_line(&self, out: &mut Vec<u8>) {
        if self.0 != 13 {
            writeln!(out, "{{\"request_bytes\":{}}}", self.0).unwrap();
        }
    }
}

#[test]
fn two_journals_of_different_kinds_run_side_by_side() {
    let (requests, counts) = (Paper::default(), Paper::default());
    let (first, _) = spawn(64, Sink::writer(requests.clone()));
    let (meters, exposition) = Meters::install();
    let options = JournalOptions {
        name: "counts",
        ..JournalOptions::default()
    };
    let second = Journal::spawn(options, Sink::writer(counts.clone()), meters.journal()).unwrap();
    for number in 10..16 {
        first.journal().post(record(number));
        second.journal().post(Box::new(Count(number)));
    }
    first.close(PATIENCE).unwrap();
    second.close(PATIENCE).unwrap();
    assert_eq!(requests.numbers(), [10, 11, 12, 13, 14, 15]);
    assert_eq!(counts.numbers(), [10, 11, 12, 14, 15]);
    let text = exposition.render();
    assert!(text.contains("tollgate_log_lines_total 5"), "{text}");
    assert!(
        text.contains("tollgate_log_dropped_total 1"),
        "what left no line is missing from the log"
    );
}
