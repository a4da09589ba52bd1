//! The keeper's files: what it writes of the cache, and what it reads back.

use std::sync::Arc;

use tollgate_cache::embed::Space;
use tollgate_cache::persist::{self, Loader, Log, Record, Room, Snapshot};
use tollgate_cache::{Begun, Cache, Entry, EntryId, Inserted, Made, Selection};
use tollgate_core::{Clock, Timestamp};

/// Entries that are written into a snapshot at a time: fills come in between.
const WRITTEN_AT_A_TIME: usize = 1_024;

/// A cache's files, open.
pub struct KeptOnDisk {
    log: Log,
    /// `None` once all is read.
    loader: Option<Loader>,
    /// Before anything was read: what is invalidated meanwhile stays out.
    begun: Begun,
    /// A snapshot on its way, with what is still to be written into it.
    snapshot: Option<(Snapshot, Vec<Arc<Entry>>)>,
    notice: Option<String>,
}

impl KeptOnDisk {
    /// What [`Log::open`] gave.
    pub fn new(log: Log, loader: Loader, begun: Begun) -> Self {
        Self {
            log,
            loader: Some(loader),
            begun,
            snapshot: None,
            notice: None,
        }
    }

    /// Something that an operator should know.
    pub(super) fn take_notice(&mut self) -> Option<String> {
        self.notice
            .take()
            .or_else(|| Some(self.log.take_notice()?.to_string()))
    }

    /// Reads up to so many entries of earlier runs. Whether there are more.
    pub(super) fn load(&mut self, cache: &Cache, most: usize, now: Timestamp) -> bool {
        let Some(loader) = &mut self.loader else {
            return false;
        };
        for _ in 0..most {
            let Some(stored) = loader.next() else {
                let is_remote = cache.space().is_some_and(Space::is_remote);
                let report = self.loader.take().map(|loader| told(loader.report(), is_remote));
                self.notice = report.flatten();
                self.log.finish_loading();
                return false;
            };
            if self.log.admits(&stored) && !stored.condemned {
                let made = Made {
                    brought: stored.vector(),
                    ..Made::default()
                };
                let question = stored
                    .words
                    .clone()
                    .and_then(|words| cache.question(&stored.partition, words, made));
                let (id, entry) = stored.into_new(question, self.begun);
                cache.store().restore(id, entry, now);
            }
        }
        true
    }

    /// An entry has come, and others have gone for it.
    pub(super) fn put(&mut self, inserted: &Inserted) {
        if let Inserted::Stored { entry, gone } = inserted {
            self.removed(gone);
            self.log.append(&Record::Put((&**entry).into()));
        }
    }

    /// These have gone.
    pub(super) fn removed(&mut self, gone: &[EntryId]) {
        for id in gone {
            self.log.append(&Record::Remove(id.0));
        }
    }

    /// Makes sure that what was taken away does not come back.
    pub(super) fn invalidated(&mut self, selection: &Selection) -> Result<(), String> {
        let durable = self.log.append_durable(&Record::Invalidate(selection.clone()));
        durable.map_err(|error| error.to_string())
    }

    /// This one was wrong.
    pub(super) fn condemned(&mut self, entry: EntryId) {
        self.log.append(&Record::Condemn(entry.0));
    }

    /// The same, and makes sure that it does not come back.
    pub(super) fn condemned_for_good(&mut self, entry: EntryId) -> Result<(), String> {
        let durable = self.log.append_durable(&Record::Condemn(entry.0));
        durable.map_err(|error| error.to_string())
    }

    /// Does what is due: writes, and goes on with a snapshot.
    pub(super) fn tick(&mut self, cache: &Cache) {
        self.log.tick(Clock.moment());
        if self.loader.is_some() {
            return;
        }
        match self.snapshot.take() {
            Some((mut snapshot, mut rest)) => {
                let from = rest.len().saturating_sub(WRITTEN_AT_A_TIME);
                let is_full = rest
                    .drain(from..)
                    .any(|entry| snapshot.put(&(&*entry).into()) == Room::None);
                if rest.is_empty() || is_full {
                    self.log.commit(snapshot);
                } else {
                    self.snapshot = Some((snapshot, rest));
                }
            }
            None if self.log.wants_snapshot() => {
                let snapshot = self.log.begin_snapshot(Clock.wall());
                self.snapshot = snapshot.map(|snapshot| (snapshot, cache.store().iter().collect()));
            }
            None => {}
        }
    }

    /// The process ends.
    pub(super) fn close(&mut self) {
        self.log.sync();
    }
}

/// One line on what was read; `None`: there was nothing. `is_remote`: vectors that are not there cannot be made again
/// here.
fn told(report: &persist::LoadReport, is_remote: bool) -> Option<String> {
    let persist::LoadReport {
        restored,
        without_vector,
        expired,
        skipped,
        ..
    } = report;
    let mut lines: Vec<String> = skipped.iter().map(ToString::to_string).collect();
    if *restored > 0 || *expired > 0 {
        lines.push(format!(
            "cache: {restored} entries restored, {expired} had expired"
        ));
    }
    if is_remote && *without_vector > 0 {
        lines.push(format!(
            "cache: {without_vector} of them have no vector of the embedder that is configured (they were kept with \
             another one, or while it did not answer): they are found by the built-in one"
        ));
    }
    (!lines.is_empty()).then(|| lines.join("; "))
}
