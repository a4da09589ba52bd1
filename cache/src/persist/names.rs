//! The names of the files, and which of them make up the cache.
//!
//! Number n of a log is given once. Snapshot n holds what was there when log n began; so the cache is the snapshot of
//! the highest number, then all logs from that number on.

use super::files::Listed;

/// Who holds it, holds the folder.
pub(super) const LOCK: &str = "cache.lock";
/// Numbers from here on do not leave enough bits for the ids of entries.
pub(super) const MAX_NUMBER: u64 = 1 << 24;

/// In the order in which those of one number have to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A snapshot in the making.
    Unfinished,
    Snapshot,
    Log,
    /// How much of the log was made durable.
    Marks,
}

impl Kind {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Unfinished, "snapshot-new"),
        (Self::Snapshot, "snapshot"),
        (Self::Log, "log"),
        (Self::Marks, "marks"),
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) number: u64,
    pub(super) kind: Kind,
}

impl Name {
    pub(super) fn new(kind: Kind, number: u64) -> Self {
        Self { number, kind }
    }

    /// `None`: it is not one of ours.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (number, ending) = text.strip_prefix("cache-")?.split_once('.')?;
        let (kind, _) = Kind::ALL.into_iter().find(|(_, it)| *it == ending)?;
        let is_canonical = number.len() == 8 && number.bytes().all(|it| it.is_ascii_digit());
        let number = number
            .parse()
            .ok()
            .filter(|it| is_canonical && *it < MAX_NUMBER)?;
        Some(Self { number, kind })
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ending = Kind::ALL.iter().find(|(kind, _)| *kind == self.kind);
        write!(f, "cache-{:08}.{}", self.number, ending.map_or("", |(_, it)| it))
    }
}

/// Which files make up the cache.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Chain {
    pub(super) snapshot: Option<u64>,
    /// Consecutive; some may not be there.
    pub(super) logs: std::ops::Range<u64>,
    /// The sum of the lengths of the logs.
    pub(super) log_bytes: u64,
    pub(super) snapshot_bytes: u64,
}

impl Chain {
    pub(super) fn of(listed: &[Listed]) -> Self {
        let names: Vec<(Name, u64)> = listed
            .iter()
            .filter_map(|file| Some((Name::parse(&file.name)?, file.bytes)))
            .collect();
        let of_kind = |kind: Kind| names.iter().filter(move |(name, _)| name.kind == kind);
        let snapshot = of_kind(Kind::Snapshot).max();
        let number = snapshot.map(|(name, _)| name.number);
        // Marks without a log tell of a log that is missing.
        let logs = names
            .iter()
            .filter(|(name, _)| matches!(name.kind, Kind::Log | Kind::Marks));
        let logs = logs.map(|(name, _)| name.number);
        let first = number.or(logs.clone().min()).unwrap_or(0);
        let end = logs
            .max()
            .map_or(first, |last| last + 1)
            .max(first + u64::from(number.is_some()));
        let in_use = of_kind(Kind::Log).filter(|(name, _)| name.number >= first);
        Self {
            snapshot: number,
            logs: first..end,
            log_bytes: in_use.map(|(_, bytes)| bytes).sum(),
            snapshot_bytes: snapshot.map_or(0, |(_, bytes)| *bytes),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }
}
