//! Snapshots: what is there now, in a file of its own, so that older logs can go.
//!
//! A snapshot begins with a new log. Entries can come and go while it is written, even on another thread: the log tells
//! of that, and is read after it. Before it has its name, the older files count; from then on they do not.

use std::io;

use tollgate_core::Timestamp;

use super::{Clear, Log, MAX_NUMBER, MOST_LOGS, State, WORTH_A_SNAPSHOT_BYTES, begin_log};
use crate::persist::files::Files;
use crate::persist::frame::{FrameWriter, Framed, Header};
use crate::persist::names::{Kind, Name};
use crate::persist::record::StoredEntry;
use crate::persist::wire::Wire;

/// A snapshot in the making. Dropped, it is abandoned.
pub struct Snapshot {
    file: FrameWriter,
    number: u64,
    entries: u64,
    most_bytes: u64,
    failed: Option<io::Error>,
}

/// Whether more can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// There is room.
    Left,
    /// It is full, or cannot be written: further entries are not taken.
    None,
}

impl Snapshot {
    /// Writes an entry; the ones that are worth most come first, if there may not be room for all. One beyond what a
    /// record can hold (32 MiB) is passed over.
    pub fn put(&mut self, entry: &StoredEntry) -> Room {
        if self.failed.is_some() || self.file.bytes() + entry.bytes() > self.most_bytes {
            return Room::None;
        }
        match self.file.write(&Wire::Put(Box::new(entry.into()))) {
            Ok(Framed::Written) => self.entries += 1,
            Ok(Framed::TooLarge) => {}
            Err(error) => {
                self.failed = Some(error);
                return Room::None;
            }
        }
        Room::Left
    }

    fn finish(mut self) -> io::Result<u64> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.file.write(&Wire::End(self.entries))?;
        self.file.sync()?;
        Ok(self.file.bytes())
    }
}

impl Log {
    /// Whether the logs have become long enough for a snapshot to be worth its while.
    pub fn wants_snapshot(&self) -> bool {
        let State::On(open) = &self.state else {
            return false;
        };
        let worth_it = WORTH_A_SNAPSHOT_BYTES.max(open.snapshot_bytes);
        let worth_it = worth_it.min(self.settings.limit_bytes / 6).max(4096);
        let is_long = open.log_bytes() > worth_it || open.number - open.oldest > MOST_LOGS;
        self.since_start.is_none() && open.unfinished.is_none() && is_long
    }

    /// Begins a snapshot, and a new log. Every record before must have taken effect in the cache; entries may be put
    /// into the snapshot at leisure. `None`: the log is off, or loading has not been finished.
    pub fn begin_snapshot(&mut self, now: Timestamp) -> Option<Snapshot> {
        if self.since_start.is_some() {
            return None;
        }
        match self.try_begin(now) {
            Ok(snapshot) => snapshot,
            Err(error) => {
                self.switch_off(&error.to_string(), Clear::Yes);
                None
            }
        }
    }

    fn try_begin(&mut self, now: Timestamp) -> io::Result<Option<Snapshot>> {
        let State::On(open) = &mut self.state else {
            return Ok(None);
        };
        let number = open.number + 1;
        if number >= MAX_NUMBER {
            return Err(io::Error::other("its files' numbers have run out"));
        }
        if let Some(abandoned) = open.unfinished.take() {
            let name = Name::new(Kind::Unfinished, abandoned);
            self.files.remove(&name.to_string())?;
        }
        open.log.sync()?;
        let log = begin_log(&*self.files, number, now, &self.settings.model)?;
        open.older_bytes += open.log.bytes();
        open.log = log;
        open.marks = None;
        open.number = number;
        let name = Name::new(Kind::Unfinished, number);
        let header = Header::new(name, now, &self.settings.model);
        let file = FrameWriter::create(&*self.files, name, &header)?;
        open.unfinished = Some(number);
        Ok(Some(Snapshot {
            file,
            number,
            entries: 0,
            most_bytes: self.settings.limit_bytes / 3,
            failed: None,
        }))
    }

    /// Puts the snapshot in place of all that is older. One that is not the latest that was begun is abandoned.
    pub fn commit(&mut self, snapshot: Snapshot) {
        if let Err(error) = self.try_commit(snapshot) {
            self.switch_off(&error.to_string(), Clear::Yes);
        }
    }

    fn try_commit(&mut self, snapshot: Snapshot) -> io::Result<()> {
        let State::On(open) = &mut self.state else {
            return Ok(());
        };
        if open.unfinished != Some(snapshot.number) {
            return Ok(());
        }
        let number = snapshot.number;
        open.snapshot_bytes = snapshot.finish()?;
        let [from, to] = [Kind::Unfinished, Kind::Snapshot].map(|kind| Name::new(kind, number).to_string());
        self.files.rename(&from, &to)?;
        self.files.sync_folder()?;
        open.unfinished = None;
        open.older_bytes = 0;
        open.oldest = number;
        remove_older(&*self.files, number)
    }

    /// All of it in one go.
    pub fn compact<'e>(&mut self, entries: impl IntoIterator<Item = &'e StoredEntry>, now: Timestamp) {
        let Some(mut snapshot) = self.begin_snapshot(now) else {
            return;
        };
        for entry in entries {
            if snapshot.put(entry) == Room::None {
                break;
            }
        }
        self.commit(snapshot);
    }
}

/// Removes what a snapshot has made superfluous.
fn remove_older(files: &dyn Files, number: u64) -> io::Result<()> {
    let names = files.list()?;
    for name in names.iter().filter_map(|file| Name::parse(&file.name)) {
        if name.number < number {
            files.remove(&name.to_string())?;
        }
    }
    Ok(())
}
