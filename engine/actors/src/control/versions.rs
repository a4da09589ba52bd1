//! The history of run-time changes: who changed what, when, why, and what became of it.
//!
//! Numbers rise by one and are never used again, also after a restart. Exactly one version is live, or none: then it
//! is number 0, the file as it is. At most one is staged, and it is the newest. Pure: time is an argument.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tollgate_core::Timestamp;

use super::overlay;

/// Who acts where nobody does.
pub(super) const GATEWAY: &str = "tollgate";
/// Versions that are remembered.
const KEPT: usize = 200;

/// One version of the run-time changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// Its number, from 1.
    pub number: u64,
    /// When it was made.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// Who made it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// The whole document of changes to the file, not the patch that led to it.
    pub overlay: Value,
    /// How it came about.
    pub origin: Origin,
    /// What has become of it.
    pub state: VersionState,
    /// Who took it back; `None`: nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_back: Option<TakenBack>,
}

/// How a version was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenBack {
    /// When.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// Whether the gateway did it by itself: the version was staged, and did not keep to its SLO.
    pub automatic: bool,
    /// Who did it.
    pub author: String,
    /// Why: the figures, where it was the gateway.
    pub reason: String,
}

/// How a version came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Origin {
    /// Somebody changed something.
    Change,
    /// Somebody went back to an earlier version.
    Rollback {
        /// That version; 0: the file as it is.
        to: u64,
    },
}

/// What has become of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    /// It is in force.
    Live,
    /// A share of the requests sees it.
    Staged,
    /// It was taken back.
    RolledBack,
    /// A later one has taken its place.
    Superseded,
}

/// What is said of a version when it is made.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) at: Timestamp,
    pub(super) author: String,
    pub(super) reason: String,
    pub(super) overlay: Value,
    pub(super) origin: Origin,
}

/// The history, oldest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Versions {
    entries: VecDeque<Version>,
    last: u64,
}

impl Versions {
    /// A history that was written down.
    ///
    /// # Errors
    /// Why it cannot be one, in words.
    pub(super) fn restored(entries: Vec<Version>, now: Timestamp) -> Result<Self, String> {
        let rising = entries
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if a.number < b.number));
        if !rising || entries.first().is_some_and(|first| first.number == 0) {
            return Err("the numbers of its versions do not rise from 1".to_owned());
        }
        if entries.iter().any(|it| it.origin.back_to() >= Some(it.number)) {
            return Err("a version goes back to one that is no earlier".to_owned());
        }
        let live = entries.iter().filter(|it| it.state == VersionState::Live);
        if live.count() > 1 {
            return Err("several versions are live".to_owned());
        }
        for version in &entries {
            if let Err(problems) = overlay::read(&version.overlay) {
                let problem = problems.first().map(ToString::to_string).unwrap_or_default();
                return Err(format!("version {}: {problem}", version.number));
            }
        }
        let last = entries.last().map_or(0, |last| last.number);
        let mut versions = Self {
            entries: entries.into(),
            last,
        };
        // The process ended during a rollout: nobody has judged it.
        versions.drop_staged(TakenBack {
            at: now,
            automatic: true,
            author: GATEWAY.to_owned(),
            reason: "the gateway was restarted during the rollout".to_owned(),
        });
        Ok(versions)
    }

    /// All versions, oldest first.
    pub(super) fn entries(&self) -> &VecDeque<Version> {
        &self.entries
    }

    /// The number of the live version; 0: the file as it is.
    pub(super) fn live(&self) -> u64 {
        self.find_state(VersionState::Live).map_or(0, |it| it.number)
    }

    /// The number of the staged version.
    pub(super) fn staged(&self) -> Option<u64> {
        self.find_state(VersionState::Staged).map(|it| it.number)
    }

    /// The changes of a version; `None`: it is not remembered.
    pub(super) fn overlay(&self, number: u64) -> Option<Value> {
        if number == 0 {
            return Some(overlay::nothing());
        }
        self.find(number).map(|it| it.overlay.clone())
    }

    /// The changes that are in force.
    pub(super) fn live_overlay(&self) -> Value {
        let live = self.find_state(VersionState::Live);
        live.map_or_else(overlay::nothing, |it| it.overlay.clone())
    }

    /// The version that an undo goes back to: the one that was live before the change that is now in force; `None`:
    /// there is nothing to undo. Undoing twice goes two changes back.
    pub(super) fn before_live(&self) -> Option<u64> {
        let base = self.base(self.live());
        let earlier = |it: &&Version| it.number < base && it.state == VersionState::Superseded;
        let found = self.entries.iter().rev().find(earlier).map(|it| it.number);
        // What is no longer remembered cannot be gone back to, and the file as it is would be a leap.
        let is_forgotten = self.entries.front().is_some_and(|oldest| oldest.number > 1);
        found.or((base > 0 && !is_forgotten).then_some(0))
    }

    /// The change that a version carries: of one that went back, the one it went back to.
    fn base(&self, number: u64) -> u64 {
        let mut base = number;
        // Numbers fall at each step.
        while let Some(to) = self.find(base).and_then(|it| it.origin.back_to()) {
            base = to;
        }
        base
    }

    /// Adds a version that is live at once. One that goes back takes the live one back.
    pub(super) fn go_live(&mut self, entry: Entry) -> u64 {
        let taken_back = matches!(entry.origin, Origin::Rollback { .. }).then(|| TakenBack {
            at: entry.at,
            automatic: false,
            author: entry.author.clone(),
            reason: entry.reason.clone(),
        });
        self.retire_live(taken_back);
        self.add(entry, VersionState::Live)
    }

    /// Adds a version that a share of the requests sees. The live one stays.
    pub(super) fn stage(&mut self, entry: Entry) -> u64 {
        self.add(entry, VersionState::Staged)
    }

    /// Makes the staged version the live one.
    pub(super) fn promote(&mut self) -> Option<u64> {
        let staged = self.staged()?;
        self.retire_live(None);
        if let Some(version) = self.find_mut(staged) {
            version.state = VersionState::Live;
        }
        Some(staged)
    }

    /// Takes the staged version back. The live one stays.
    pub(super) fn drop_staged(&mut self, taken_back: TakenBack) -> Option<u64> {
        let staged = self.staged()?;
        if let Some(version) = self.find_mut(staged) {
            version.state = VersionState::RolledBack;
            version.taken_back = Some(taken_back);
        }
        Some(staged)
    }

    fn retire_live(&mut self, taken_back: Option<TakenBack>) {
        let live = self.live();
        let Some(version) = self.find_mut(live) else {
            return;
        };
        version.state = if taken_back.is_some() {
            VersionState::RolledBack
        } else {
            VersionState::Superseded
        };
        version.taken_back = taken_back;
    }

    fn add(&mut self, entry: Entry, state: VersionState) -> u64 {
        self.last += 1;
        self.entries.push_back(Version {
            number: self.last,
            at: entry.at,
            author: entry.author,
            reason: entry.reason,
            overlay: entry.overlay,
            origin: entry.origin,
            state,
            taken_back: None,
        });
        self.forget();
        self.last
    }

    /// Forgets the oldest, but never one that is in force.
    fn forget(&mut self) {
        while self.entries.len() > KEPT {
            let past = |it: &Version| !matches!(it.state, VersionState::Live | VersionState::Staged);
            let Some(oldest) = self.entries.iter().position(past) else {
                return;
            };
            self.entries.remove(oldest);
        }
    }

    fn find(&self, number: u64) -> Option<&Version> {
        self.entries.iter().find(|it| it.number == number)
    }

    fn find_mut(&mut self, number: u64) -> Option<&mut Version> {
        self.entries.iter_mut().find(|it| it.number == number)
    }

    fn find_state(&self, state: VersionState) -> Option<&Version> {
        self.entries.iter().rev().find(|it| it.state == state)
    }
}

impl Origin {
    fn back_to(&self) -> Option<u64> {
        match self {
            Self::Change => None,
            Self::Rollback { to } => Some(*to),
        }
    }
}

/// A timestamp as people read it.
mod rfc3339 {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};
    use tollgate_core::Timestamp;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
    pub(super) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(at)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(from)?;
        Timestamp::parse_rfc3339(&text).ok_or_else(|| D::Error::custom("no RFC 3339 time"))
    }
}

#[cfg(test)]
mod tests;
