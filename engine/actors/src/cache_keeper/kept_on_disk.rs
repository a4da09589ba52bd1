//! The keeper's files: what it writes of the cache, and what it reads back.

use std::sync::Arc;

use bytes::Bytes;
use tollgate_cache::persist::{self, Loader, Log, Record, Room, Snapshot, StoredEntry, StoredWorth};
use tollgate_cache::{Cache, Entry, EntryId, Filled, Inserted, Key, Labels, Selection, Worth};
use tollgate_core::{Clock, Timestamp};

/// Entries that are written into a snapshot at a time: fills come in between.
const WRITTEN_AT_A_TIME: usize = 1_024;

/// A cache's files, open.
pub struct KeptOnDisk {
    log: Log,
    /// `None` once all is read.
    loader: Option<Loader>,
    /// A snapshot on its way, with what is still to be written into it.
    snapshot: Option<(Snapshot, Vec<Arc<Entry>>)>,
    notice: Option<String>,
}

impl KeptOnDisk {
    /// What [`Log::open`] gave.
    pub fn new(log: Log, loader: Loader) -> Self {
        Self {
            log,
            loader: Some(loader),
            snapshot: None,
            notice: None,
        }
    }

    /// Entries that come from now on have this id or a greater one.
    pub fn first_id(&self) -> EntryId {
        EntryId(self.log.first_id().max(1))
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
            let Some(mut stored) = loader.next() else {
                let report = self.loader.take().map(|loader| told(loader.report()));
                self.notice = report.flatten();
                self.log.finish_loading();
                return false;
            };
            if self.log.admits(&mut stored) && !stored.condemned {
                let id = EntryId(stored.id);
                let entry = cache.entry(filled(stored, cache));
                cache.store().restore(id, entry, now);
            }
        }
        true
    }

    /// An entry has come, and others have gone for it.
    pub(super) fn put(&mut self, inserted: &Inserted) {
        if let Inserted::Stored { entry, gone } = inserted {
            self.removed(gone);
            self.log.append(&Record::Put(stored(entry)));
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
        let text = |it: &Option<Box<str>>| it.as_deref().map(str::to_owned);
        let selection = persist::Selection {
            tenant: text(&selection.tenant),
            route: text(&selection.route),
            tag: text(&selection.tag),
            created_before: selection.created_before,
        };
        let durable = self.log.append_durable(&Record::Invalidate(selection));
        durable.map_err(|error| error.to_string())
    }

    /// This one was wrong.
    pub(super) fn condemned(&mut self, entry: EntryId) {
        self.log.append(&Record::Condemn(entry.0));
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
                    .any(|entry| snapshot.put(&stored(&entry)) == Room::None);
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

/// One line on what was read; `None`: there was nothing.
fn told(report: &persist::LoadReport) -> Option<String> {
    let persist::LoadReport {
        restored,
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
    (!lines.is_empty()).then(|| lines.join("; "))
}

fn stored(entry: &Entry) -> StoredEntry {
    let question = entry.question.as_ref();
    let Worth {
        cost,
        latency_us,
        prompt_tokens,
        output_tokens,
    } = entry.worth;
    StoredEntry {
        id: entry.id.0,
        exact: entry.key.exact,
        folded: entry.key.folded,
        partition: entry.key.partition,
        tenant: entry.labels.tenant.to_string(),
        route: entry.labels.route.to_string(),
        tags: entry.labels.tags.iter().map(ToString::to_string).collect(),
        words: question.map(|it| it.words.to_string()),
        codes: question.map(|it| it.vector.codes().into()),
        answer: entry.answer.clone(),
        worth: StoredWorth {
            cost,
            latency: std::time::Duration::from_micros(u64::from(latency_us)),
            tokens: u64::from(prompt_tokens) << 32 | u64::from(output_tokens),
        },
        created: entry.created,
        expires: entry.expires,
        condemned: entry.is_condemned(),
    }
}

fn filled(stored: StoredEntry, cache: &Cache) -> Filled {
    let half = |tokens: u64| u32::try_from(tokens & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    Filled {
        key: Key {
            exact: stored.exact,
            folded: stored.folded,
            partition: stored.partition,
        },
        labels: Labels {
            tenant: stored.tenant.into(),
            route: stored.route.into(),
            tags: stored.tags.into_iter().map(Into::into).collect(),
        },
        // Vectors and analyses are made anew: that is quick, and right whatever the model is now.
        words: stored.words.map(Into::into),
        answer: Bytes::from(stored.answer),
        worth: Worth {
            cost: stored.worth.cost,
            latency_us: u32::try_from(stored.worth.latency.as_micros()).unwrap_or(u32::MAX),
            prompt_tokens: half(stored.worth.tokens >> 32),
            output_tokens: half(stored.worth.tokens),
        },
        created: stored.created,
        ttl: stored.expires.since(stored.created),
        begun: cache.store().begin(),
    }
}
