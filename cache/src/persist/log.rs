//! Writes the cache's history: a log that is appended to, and snapshots that let older logs go.
//!
//! What was acknowledged as undone must not come back: [`Log::append_durable`] returns when the log is on disk and so
//! is a mark that says how long it must be. If anything fails, the log switches itself off and removes its files,
//! since they would bring back what is undone from then on; the cache goes on in memory.

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tollgate_core::{Moment, Timestamp};

use super::files::Files;
use super::frame::{FrameWriter, Framed, Header};
use super::load::Loader;
use super::names::{Chain, Kind, LOCK, MAX_NUMBER, Name};
use super::record::{Record, StoredEntry};
use super::undone::Undone;
use super::wire::Wire;

mod snapshot;

pub use snapshot::{Room, Snapshot};

/// Logs shorter than this are not worth a snapshot.
const WORTH_A_SNAPSHOT_BYTES: u64 = 1 << 20;
/// More logs than this are.
const MOST_LOGS: u64 = 32;

/// How the cache is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The embedder and the verifier: vectors of others are not restored.
    pub model: String,
    /// The most that all files take together. A third of it is the most that entries can take: while a snapshot is
    /// made, the one before and the logs since then are still there.
    pub limit_bytes: u64,
    /// How often what was appended is made durable: the most that a loss of power takes away.
    pub sync_every: Duration,
}

/// The writing side. It has one owner: the only writer of the cache.
pub struct Log {
    files: Arc<dyn Files>,
    settings: Settings,
    state: State,
    /// Not yet told.
    notice: Option<Notice>,
    /// What was undone since the start. `None`: nothing is being loaded any more.
    since_start: Option<Undone>,
    first_number: u64,
    /// Given back when dropped.
    lock: Option<Box<dyn Any + Send + Sync>>,
}

enum State {
    On(Box<Open>),
    Off { why: Notice, is_cleared: bool },
}

struct Open {
    log: FrameWriter,
    /// `None`: nothing of this log was made durable on purpose yet.
    marks: Option<FrameWriter>,
    number: u64,
    /// The first log that is needed.
    oldest: u64,
    /// All logs before this one.
    older_bytes: u64,
    snapshot_bytes: u64,
    unfinished: Option<u64>,
    dropped: u64,
    synced: Moment,
}

/// Why the cache is not kept on disk: one line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice(Arc<str>);

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// It is done in memory, but what is on disk may come back with the next start.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("entries on disk may come back with the next start: {0}")]
pub struct NotDurable(pub Notice);

/// The state of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogStats {
    /// Whether the cache is kept on disk.
    pub is_on: bool,
    /// What the logs take.
    pub log_bytes: u64,
    /// What the last snapshot takes.
    pub snapshot_bytes: u64,
    /// Entries that were not written since there was no room for them.
    pub dropped: u64,
}

impl Log {
    /// Takes possession of the folder and begins a new log in it; what is there already is read by the loader. Without
    /// possession or upon an error the log is off, the loader is empty, and [`Self::take_notice`] says why.
    ///
    /// Takes a few milliseconds, for the disk; the loader reads nothing yet.
    pub fn open(files: Arc<dyn Files>, settings: Settings, now: Timestamp) -> (Self, Loader) {
        let mut log = Self {
            state: State::Off {
                why: Notice("it is being opened".into()),
                is_cleared: false,
            },
            notice: None,
            since_start: None,
            first_number: 0,
            lock: None,
            settings,
            files,
        };
        let chain = log.try_open(now).unwrap_or_else(|why| {
            log.switch_off(&why.to_string(), Clear::No);
            Chain::default()
        });
        if !chain.is_empty() {
            log.since_start = Some(Undone::default());
        }
        let loader = Loader::new(Arc::clone(&log.files), log.settings.model.clone(), now, chain);
        (log, loader)
    }

    fn try_open(&mut self, now: Timestamp) -> io::Result<Chain> {
        self.lock = self.files.lock(LOCK)?;
        if self.lock.is_none() {
            return Err(io::Error::other("another process has it"));
        }
        let listed = self.files.list()?;
        let chain = Chain::of(&listed);
        let names = listed.iter().filter_map(|file| Name::parse(&file.name));
        let number = names.clone().map(|name| name.number + 1).max().unwrap_or(1);
        if number >= MAX_NUMBER {
            return Err(io::Error::other("its files' numbers have run out; remove them"));
        }
        for name in names.filter(|name| name.kind == Kind::Unfinished) {
            self.files.remove(&name.to_string())?;
        }
        let open = Open {
            log: begin_log(&*self.files, number, now, &self.settings.model)?,
            marks: None,
            number,
            oldest: if chain.is_empty() {
                number
            } else {
                chain.logs.start
            },
            older_bytes: chain.log_bytes,
            snapshot_bytes: chain.snapshot_bytes,
            unfinished: None,
            dropped: 0,
            synced: Moment::ZERO,
        };
        self.first_number = number;
        self.state = State::On(Box::new(open));
        Ok(chain)
    }

    /// No entry of an earlier run has this id or a greater one; 2^40 follow that no other run uses.
    pub fn first_id(&self) -> u64 {
        self.first_number << 40
    }

    /// Why the cache is not kept on disk, if that has come about since the last time this was asked.
    pub fn take_notice(&mut self) -> Option<Notice> {
        self.notice.take()
    }

    /// Sizes, for people.
    pub fn stats(&self) -> LogStats {
        match &self.state {
            State::On(open) => LogStats {
                is_on: true,
                log_bytes: open.log_bytes(),
                snapshot_bytes: open.snapshot_bytes,
                dropped: open.dropped,
            },
            State::Off { .. } => LogStats::default(),
        }
    }

    /// Writes a record. It is on disk after the next [`Self::tick`] that syncs.
    pub fn append(&mut self, record: &Record) {
        self.note(record);
        if let State::On(open) = &mut self.state
            && let Err(error) = open.append(record, self.settings.limit_bytes)
        {
            self.switch_off(&error.to_string(), Clear::Yes);
        }
    }

    /// Writes a record that must not be lost: what it undoes does not come back, whatever happens.
    ///
    /// # Errors
    /// That cannot be promised. The cache itself can go on.
    pub fn append_durable(&mut self, record: &Record) -> Result<(), NotDurable> {
        self.append(record);
        if let State::On(open) = &mut self.state
            && let Err(error) = open.mark_durable(&*self.files, &self.settings.model)
        {
            self.switch_off(&error.to_string(), Clear::Yes);
        }
        match &mut self.state {
            State::On(_) | State::Off { is_cleared: true, .. } => Ok(()),
            State::Off { why, is_cleared } => {
                // What failed may work by now. Without the lock, the files are another's.
                *is_cleared = self.lock.is_some() && clear(&*self.files).is_ok();
                if *is_cleared {
                    Ok(())
                } else {
                    Err(NotDurable(why.clone()))
                }
            }
        }
    }

    /// Makes what was appended durable, if it is time to. To be called every now and then.
    pub fn tick(&mut self, now: Moment) {
        let every = self.settings.sync_every;
        if let State::On(open) = &mut self.state
            && now.since(open.synced) >= every
        {
            open.synced = now;
            if let Err(error) = open.log.sync() {
                self.switch_off(&error.to_string(), Clear::Yes);
            }
        }
    }

    /// Makes what was appended durable: before the process ends.
    pub fn sync(&mut self) {
        if let State::On(open) = &mut self.state
            && let Err(error) = open.log.sync()
        {
            self.switch_off(&error.to_string(), Clear::Yes);
        }
    }

    /// Whether an entry from the loader may be put into the cache: nothing that happened since the start has undone
    /// it. To be asked by the owner of the log at the time it puts the entry in.
    pub fn admits(&self, entry: &StoredEntry) -> bool {
        let undone = self.since_start.as_ref();
        undone.is_none_or(|it| it.spares(entry, (0, 0)))
    }

    /// The loader has handed out its last entry, and all of them have been put in: snapshots can be made.
    pub fn finish_loading(&mut self) {
        self.since_start = None;
    }

    fn note(&mut self, record: &Record) {
        let Some(undone) = &mut self.since_start else {
            return;
        };
        let after_all = (u64::MAX, u64::MAX);
        match record {
            Record::Put(entry) => undone.replace(entry.id, after_all),
            Record::Remove(id) | Record::Condemn(id) => undone.replace(*id, after_all),
            Record::Invalidate(selection) => undone.invalidate(selection.clone(), after_all),
        }
    }

    fn switch_off(&mut self, error: &str, clear_files: Clear) {
        let folder = self.files.path("");
        let is_cleared = clear_files == Clear::Yes && clear(&*self.files).is_ok();
        let rest = if is_cleared {
            "; what was there has been removed"
        } else {
            ""
        };
        let line = format!("the cache is not kept in {}: {error}{rest}", folder.display());
        let why = Notice(line.into());
        self.notice = Some(why.clone());
        self.state = State::Off { why, is_cleared };
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Clear {
    Yes,
    No,
}

impl Open {
    fn log_bytes(&self) -> u64 {
        self.older_bytes + self.log.bytes()
    }

    fn append(&mut self, record: &Record, limit_bytes: u64) -> io::Result<()> {
        match record {
            Record::Put(entry) => {
                let fits = self.log_bytes() + entry.bytes() <= limit_bytes / 4;
                if !fits || self.log.write(&record.into())? == Framed::TooLarge {
                    self.dropped += 1;
                    // The one it replaces is gone nonetheless.
                    self.log.write(&Wire::Remove(entry.id))?;
                }
            }
            _ if self.log.write(&record.into())? == Framed::TooLarge => {
                return Err(io::Error::other("an invalidation is too long to be written"));
            }
            _ => {}
        }
        if self.log_bytes() > limit_bytes / 3 {
            return Err(io::Error::other(format!(
                "the logs have outgrown its {limit_bytes} bytes"
            )));
        }
        Ok(())
    }

    /// The log first, then the mark: so a mark never speaks of what is not there.
    fn mark_durable(&mut self, files: &dyn Files, model: &str) -> io::Result<()> {
        self.log.sync()?;
        let durable = Wire::Durable(self.log.bytes());
        if let Some(marks) = &mut self.marks {
            marks.write(&durable)?;
            return marks.sync();
        }
        let name = Name::new(Kind::Marks, self.number);
        let epoch = Timestamp::from_unix_millis(0);
        let mut marks = FrameWriter::create(files, name, &Header::new(name, epoch, model))?;
        marks.write(&durable)?;
        marks.sync()?;
        files.sync_folder()?;
        self.marks = Some(marks);
        Ok(())
    }
}

/// A new log, empty and durable.
fn begin_log(files: &dyn Files, number: u64, now: Timestamp, model: &str) -> io::Result<FrameWriter> {
    let name = Name::new(Kind::Log, number);
    let mut log = FrameWriter::create(files, name, &Header::new(name, now, model))?;
    log.sync()?;
    files.sync_folder()?;
    Ok(log)
}

/// Removes all files. Snapshots before the logs that undo what is in them, older logs before newer ones, each durably:
/// wherever it is interrupted, nothing that was undone is left without what undid it.
fn clear(files: &dyn Files) -> io::Result<()> {
    let mut names: Vec<Name> = files
        .list()?
        .iter()
        .filter_map(|file| Name::parse(&file.name))
        .collect();
    names.sort_unstable();
    for name in names {
        files.remove(&name.to_string())?;
        files.sync_folder()?;
    }
    Ok(())
}
