//! A cache as small as can be, that knows what must come back, what may, and what must not.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tollgate_cache::persist::{Loader, Log, Record, Room, Settings, Snapshot, StoredEntry};
use tollgate_cache::store::{Selection, Worth};
use tollgate_core::{Digest, Digester, Nanodollars, Timestamp};

use super::faulty::Faulty;

pub(crate) const NOW: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);

#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// A new entry, of one of three tenants and two tags.
    Put(u8),
    /// A new version of an entry.
    Replace(u8),
    /// Evicted: it may come back.
    Evict(u8),
    Remove(u8),
    Invalidate(u8),
    Condemn(u8),
    Sync,
    Begin,
    Fill(u8),
    Commit,
    Compact,
    /// The process is killed, and a new one opens the folder.
    Restart,
    /// So many entries are loaded.
    Load(u8),
    LoadAll,
}

pub(crate) fn settings() -> Settings {
    Settings {
        model: "model-1".to_owned(),
        limit_bytes: 1 << 30,
        sync_every: Duration::from_secs(1),
    }
}

pub(crate) fn digest(text: &str) -> Digest {
    Digester::new("test").field(text.as_bytes()).finish()
}

/// Entry `id` in its `version`, told apart from all others by any of its parts.
pub(crate) fn entry(id: u64, version: u64, kind: u8) -> StoredEntry {
    let text = format!("{id}/{version}");
    StoredEntry {
        id,
        exact: digest(&text),
        folded: kind.is_multiple_of(2).then(|| digest("folded")),
        partition: digest(if kind > 9 { "partition" } else { "another" }),
        tenant: format!("tenant-{}", kind % 3).into(),
        route: format!("route-{}", kind % 2).into(),
        tags: (0..kind % 4).map(|tag| format!("tag-{tag}").into()).collect(),
        words: (!kind.is_multiple_of(5)).then(|| format!("what is {text}?").into()),
        codes: (kind % 5 > 1).then(|| text.bytes().map(u8::cast_signed).collect()),
        answer: Bytes::from(format!("It is {text}.").repeat(usize::from(kind % 3))),
        worth: Worth {
            cost: Nanodollars(id * 1000),
            latency_us: 40,
            prompt_tokens: u32::try_from(version).unwrap(),
            output_tokens: 3,
        },
        created: Timestamp::from_unix_millis(NOW.unix_millis() + id),
        expires: Timestamp::from_unix_millis(NOW.unix_millis() + 1_000_000),
        condemned: false,
    }
}

/// Versions of an entry are told apart by their worth.
pub(crate) fn version_of(entry: &StoredEntry) -> u64 {
    entry.worth.prompt_tokens.into()
}

/// What a selection means, said once more.
fn selects(selection: &Selection, entry: &StoredEntry) -> bool {
    let Selection {
        tenant,
        route,
        tag,
        created_before,
        partition,
    } = selection;
    tenant.as_deref().is_none_or(|it| it == &*entry.tenant)
        && route.as_deref().is_none_or(|it| it == &*entry.route)
        && tag
            .as_deref()
            .is_none_or(|it| entry.tags.iter().any(|tag| it == &**tag))
        && created_before.is_none_or(|it| entry.created.unix_millis() < it.unix_millis())
        && partition.is_none_or(|it| it == entry.partition)
}

fn selection(number: u8) -> Selection {
    let mut selection = Selection::default();
    match number % 6 {
        0 => selection.tenant = Some("tenant-1".into()),
        1 => selection.tag = Some("tag-1".into()),
        2 => {
            selection.tag = Some("tag-0".into());
            selection.tenant = Some("tenant-2".into());
        }
        5 => selection.partition = Some(digest("partition")),
        3 => selection.route = Some("route-1".into()),
        _ => selection.created_before = Some(Timestamp::from_unix_millis(NOW.unix_millis() + 4)),
    }
    selection
}

/// What is known about the entries, beyond the life of a process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Truth {
    /// All that were ever put, by id and version.
    pub(crate) put: BTreeMap<(u64, u64), StoredEntry>,
    /// Acknowledged as gone.
    pub(crate) forbidden: HashSet<(u64, u64)>,
    /// Durable: they must come back, in this version.
    pub(crate) safe: BTreeMap<u64, StoredEntry>,
}

impl Truth {
    /// A restored entry is one that was put, and that nothing acknowledged has taken away.
    pub(crate) fn check(&self, entry: &StoredEntry) {
        self.check_content(entry);
        let version = (entry.id, version_of(entry));
        assert!(
            !self.forbidden.contains(&version),
            "{version:?} was gone and is back"
        );
    }

    pub(crate) fn check_content(&self, entry: &StoredEntry) {
        assert_eq!(*entry, self.put[&(entry.id, version_of(entry))]);
    }

    pub(crate) fn check_all(&self, restored: &BTreeMap<u64, StoredEntry>) {
        for entry in restored.values() {
            self.check(entry);
        }
        for (id, safe) in &self.safe {
            let version = restored.get(id).map(version_of);
            assert_eq!(version, Some(version_of(safe)), "entry {id} was safe");
        }
    }
}

pub(crate) struct Keeper {
    files: Faulty,
    log: Log,
    loader: Option<Loader>,
    snapshot: Option<(Snapshot, u64)>,
    memory: BTreeMap<u64, StoredEntry>,
    pub(crate) truth: Truth,
    versions: u64,
    next_id: u64,
}

impl Keeper {
    pub(crate) fn open(files: &Faulty, truth: Truth) -> Self {
        let (log, loader) = Log::open(Arc::new(files.clone()), settings(), NOW);
        Self {
            files: files.clone(),
            next_id: log.first_id(),
            log,
            loader: Some(loader),
            snapshot: None,
            memory: BTreeMap::new(),
            versions: truth.put.len() as u64,
            truth,
        }
    }

    pub(crate) fn run(files: &Faulty, ops: &[Op]) -> Self {
        let mut keeper = Self::open(files, Truth::default());
        for op in ops {
            keeper = keeper.perform(op);
        }
        keeper
    }

    pub(crate) fn is_on(&self) -> bool {
        self.log.stats().is_on
    }

    fn perform(mut self, op: &Op) -> Self {
        match *op {
            Op::Put(kind) => {
                let id = self.next_id;
                self.next_id += 1;
                self.put(id, kind);
            }
            Op::Replace(nth) => self.nth(nth).into_iter().for_each(|id| self.put(id, nth)),
            Op::Evict(nth) => self.nth(nth).into_iter().for_each(|id| {
                self.memory.remove(&id);
                self.truth.safe.remove(&id);
                self.log.append(&Record::Remove(id));
            }),
            Op::Remove(nth) => self
                .nth(nth)
                .into_iter()
                .for_each(|id| self.undo(&Record::Remove(id))),
            Op::Invalidate(number) => self.undo(&Record::Invalidate(selection(number))),
            Op::Condemn(nth) => self
                .nth(nth)
                .into_iter()
                .for_each(|id| self.undo(&Record::Condemn(id))),
            Op::Sync => {
                self.log.sync();
                let memory = self.memory.iter().map(|(id, entry)| (*id, entry.clone()));
                self.truth.safe.extend(memory);
            }
            Op::Begin => self.snapshot = self.log.begin_snapshot(NOW).map(|it| (it, 0)),
            Op::Fill(most) => self.fill(usize::from(most)),
            Op::Commit => self.commit(),
            Op::Compact => self.log.compact(self.memory.values(), NOW),
            Op::Restart => {
                let Self {
                    files, truth, log, ..
                } = self;
                drop(log);
                return Self::open(&files, truth);
            }
            Op::Load(most) => self.load(usize::from(most)),
            Op::LoadAll => self.load(usize::MAX),
        }
        if !self.is_on() {
            self.truth.safe.clear();
        }
        self
    }

    fn nth(&self, nth: u8) -> Option<u64> {
        let count = self.memory.len().max(1);
        self.memory.keys().nth(usize::from(nth) % count).copied()
    }

    fn put(&mut self, id: u64, kind: u8) {
        self.versions += 1;
        let entry = entry(id, self.versions, kind);
        self.truth.put.insert((id, self.versions), entry.clone());
        self.truth.safe.remove(&id);
        self.log.append(&Record::Put(entry.clone()));
        self.memory.insert(id, entry);
    }

    fn undo(&mut self, record: &Record) {
        let is_meant = |entry: &StoredEntry| match record {
            Record::Invalidate(selection) => selects(selection, entry),
            Record::Remove(id) | Record::Condemn(id) => entry.id == *id,
            Record::Put(_) => false,
        };
        self.memory.retain(|_, entry| !is_meant(entry));
        self.truth.safe.retain(|_, entry| !is_meant(entry));
        if self.log.append_durable(record).is_ok() {
            let meant = self.truth.put.iter().filter(|(_, entry)| is_meant(entry));
            self.truth.forbidden.extend(meant.map(|(version, _)| *version));
        }
    }

    /// Writes the next entries that are there by now into the snapshot.
    fn fill(&mut self, most: usize) {
        let Some((snapshot, next)) = &mut self.snapshot else {
            return;
        };
        for (id, entry) in self.memory.range(*next..).take(most) {
            *next = id + 1;
            if snapshot.put(entry) == Room::None {
                break;
            }
        }
    }

    fn commit(&mut self) {
        self.fill(usize::MAX);
        if let Some((snapshot, _)) = self.snapshot.take() {
            self.log.commit(snapshot);
        }
    }

    fn load(&mut self, most: usize) {
        let Some(mut loader) = self.loader.take() else {
            return;
        };
        for _ in 0..most {
            let Some(entry) = loader.next() else {
                self.log.finish_loading();
                if self.is_on() && self.files.is_alive() {
                    self.truth.check_all(&self.memory);
                } else {
                    // What cannot be read is skipped, and is not in the next snapshot.
                    self.truth.safe.retain(|id, _| self.memory.contains_key(id));
                }
                return;
            };
            if self.log.admits(&entry) {
                self.truth.check(&entry);
                self.memory.insert(entry.id, entry);
            }
        }
        self.loader = Some(loader);
    }
}

/// All that a new process restores.
pub(crate) fn restore(files: &Faulty) -> (BTreeMap<u64, StoredEntry>, Vec<String>) {
    let (log, mut loader) = Log::open(Arc::new(files.clone()), settings(), NOW);
    assert!(log.stats().is_on);
    let restored = loader.by_ref().map(|entry| (entry.id, entry)).collect();
    let lines = loader.report().skipped.iter().map(ToString::to_string);
    (restored, lines.collect())
}

/// The next process finds what it should, and so does the one after that, whatever is undone in between.
pub(crate) fn check_restarts(files: &Faulty, truth: &Truth) {
    let ops = [Op::Load(2), Op::Invalidate(1), Op::Put(7), Op::LoadAll, Op::Sync];
    let (restored, _) = restore(&files.after_kill());
    truth.check_all(&restored);
    let mut keeper = Keeper::open(files, truth.clone());
    for op in &ops {
        keeper = keeper.perform(op);
    }
    assert!(keeper.is_on());
    let (restored, lines) = restore(&files.after_kill());
    keeper.truth.check_all(&restored);
    let (again, _) = restore(&files.after_kill());
    assert_eq!(again, restored, "{lines:?}");
}
