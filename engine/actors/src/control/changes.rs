//! Control's answers to those who change routes while the gateway runs.
//!
//! Each change is checked as a whole before anything happens, is published, and then written down.

use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context, Handler, MessageResult};
use serde_json::Value;
use tollgate_core::Clock;
use tollgate_routing::{Catalog, ChangeProblem, Changes};

use super::difference::difference;
use super::messages::{
    Applied, ApplyMode, ChangeRefused, ChangeRoutes, EndRollout, Ending, ListVersions, Rollback, RolloutNow,
    VersionList,
};
use super::rollout::{Rollout, RolloutStatus, StagePlan, Verdict};
use super::versions::{Entry, GATEWAY, Origin, TakenBack};
use super::{Control, Notice, overlay};

/// How often a rollout is judged.
const JUDGE_EVERY: Duration = Duration::from_millis(100);
/// Longer names and reasons are not kept, bytes.
const MAX_TEXT_BYTES: usize = 4_096;

/// A change that has been checked.
struct Draft {
    overlay: Value,
    changes: Changes,
    catalog: Catalog,
    set_aside: Vec<ChangeProblem>,
}

impl Control {
    fn change(
        &mut self,
        change: ChangeRoutes,
        context: &mut Context<Self>,
    ) -> Result<Applied, ChangeRefused> {
        self.expect_live(change.if_match)?;
        let draft = self.draft(&change)?;
        if change.mode == ApplyMode::DryRun {
            return Ok(self.would_apply(draft));
        }
        if let Some(rollout) = &self.rollout {
            return Err(ChangeRefused::Busy {
                version: rollout.version,
            });
        }
        // Compared as understood: 2 is 2.0.
        if Ok(&draft.changes) == overlay::read(&self.versions.live_overlay()).as_ref() {
            return Ok(self.would_apply(draft));
        }
        let entry = Entry {
            at: Clock.wall(),
            author: change.author.clone(),
            reason: change.reason.clone(),
            overlay: draft.overlay.clone(),
            origin: Origin::Change,
        };
        let (author, reason) = (change.author, change.reason);
        if let ApplyMode::Staged(plan) = change.mode {
            let version = self.stage(entry, plan, context);
            self.notice(&Notice::Staged {
                version,
                author,
                reason,
            });
            Ok(self.applied(version, draft))
        } else {
            let version = self.versions.go_live(entry);
            let applied = self.applied(version, draft);
            self.notice(&Notice::Changed {
                version,
                author,
                reason,
            });
            Ok(applied)
        }
    }

    /// Merges a change into what is live, and checks it.
    fn draft(&self, change: &ChangeRoutes) -> Result<Draft, ChangeRefused> {
        let live = self.live();
        let file = &live.settings.catalog;
        let mut document = self.versions.live_overlay();
        overlay::merge(&mut document, &change.patch);
        let changes = overlay::read(&document).map_err(ChangeRefused::Invalid)?;
        // What others changed earlier, and no longer fits the file, is no fault of this change.
        let mut problems: Vec<_> = overlay::named(&change.patch)
            .filter_map(|name| overlay::fit(file, name, changes.get(name)?).err())
            .flatten()
            .collect();
        if let ApplyMode::Staged(plan) = change.mode {
            problems.extend(plan.problems());
        }
        for (path, text) in [("author", &change.author), ("reason", &change.reason)] {
            if text.len() > MAX_TEXT_BYTES {
                problems.push(ChangeProblem {
                    path: path.to_owned(),
                    found: format!("{} bytes", text.len()),
                    expected: format!("{MAX_TEXT_BYTES} bytes at most"),
                });
            }
        }
        if !problems.is_empty() {
            return Err(ChangeRefused::Invalid(problems));
        }
        overlay::prune(&mut document);
        Ok(Self::drafted(file, document, self.epoch + 1))
    }

    fn drafted(file: &Catalog, overlay: Value, epoch: u64) -> Draft {
        let changes = overlay::read(&overlay).unwrap_or_default();
        let laid = overlay::lay(file, &changes, epoch);
        Draft {
            overlay,
            changes,
            catalog: laid.catalog,
            set_aside: laid.set_aside,
        }
    }

    /// A reply for a change that leaves everything as it is.
    fn would_apply(&self, draft: Draft) -> Applied {
        let live = self.live();
        Applied {
            version: live.version,
            epoch: live.epoch(),
            diff: difference(&live.catalog, &draft.catalog),
            overlay: draft.overlay,
            changes: draft.changes,
            set_aside: draft.set_aside,
            persistent: self.state.is_some(),
        }
    }

    /// Publishes the history as it is now, and writes it down.
    fn applied(&mut self, version: u64, draft: Draft) -> Applied {
        let before = self.live();
        let set_aside = self.publish(before.settings.clone());
        Applied {
            version,
            epoch: self.live().epoch(),
            diff: difference(&before.catalog, &draft.catalog),
            overlay: draft.overlay,
            changes: draft.changes,
            set_aside,
            persistent: self.save(),
        }
    }

    fn stage(&mut self, entry: Entry, plan: StagePlan, context: &mut Context<Self>) -> u64 {
        let version = self.versions.stage(entry);
        self.rollout = Some(Rollout {
            version,
            plan,
            since: Clock.moment(),
            watch: Arc::default(),
        });
        Self::judge_later(version, context);
        version
    }

    fn judge_later(version: u64, context: &mut Context<Self>) {
        context.run_later(JUDGE_EVERY, move |control, context| {
            control.judge();
            if control.rollout.as_ref().is_some_and(|it| it.version == version) {
                Self::judge_later(version, context);
            }
        });
    }

    fn judge(&mut self) {
        let verdict = self.rollout.as_ref().map(|it| it.judge(Clock.moment()));
        match verdict {
            None | Some(Verdict::Wait) => {}
            Some(Verdict::Promote) => drop(self.promote()),
            Some(Verdict::Breach(breach)) => drop(self.take_back(true, GATEWAY.to_owned(), breach)),
        }
    }

    /// Makes the staged change live for all.
    fn promote(&mut self) -> Result<Applied, ChangeRefused> {
        let version = self.versions.promote().ok_or(ChangeRefused::NoRollout)?;
        self.rollout = None;
        let draft = self.draft_of_live();
        let applied = self.applied(version, draft);
        self.notice(&Notice::Promoted { version });
        Ok(applied)
    }

    /// Takes the staged change back.
    fn take_back(
        &mut self,
        automatic: bool,
        author: String,
        reason: String,
    ) -> Result<Applied, ChangeRefused> {
        self.drop_staged(automatic, author, reason)
            .ok_or(ChangeRefused::NoRollout)?;
        let draft = self.draft_of_live();
        Ok(self.applied(self.versions.live(), draft))
    }

    fn drop_staged(&mut self, automatic: bool, author: String, reason: String) -> Option<u64> {
        self.rollout = None;
        let version = self.versions.drop_staged(TakenBack {
            at: Clock.wall(),
            automatic,
            author,
            reason: reason.clone(),
        })?;
        self.notice(&Notice::TakenBack {
            version,
            automatic,
            reason,
        });
        Some(version)
    }

    fn draft_of_live(&self) -> Draft {
        let overlay = self.versions.live_overlay();
        Self::drafted(&self.live().settings.catalog, overlay, self.epoch + 1)
    }

    fn roll_back(&mut self, back: Rollback) -> Result<Applied, ChangeRefused> {
        self.expect_live(back.if_match)?;
        if back.to.is_none() && self.rollout.is_some() {
            return self.take_back(false, back.author, back.reason);
        }
        let to = back.to.or_else(|| self.versions.before_live());
        let to = to.ok_or(ChangeRefused::UnknownVersion)?;
        let overlay = self.versions.overlay(to).ok_or(ChangeRefused::UnknownVersion)?;
        self.drop_staged(false, back.author.clone(), back.reason.clone());
        let draft = Self::drafted(&self.live().settings.catalog, overlay.clone(), self.epoch + 1);
        let left = self.versions.live();
        if to == left {
            return Ok(self.applied(left, draft));
        }
        let version = self.versions.go_live(Entry {
            at: Clock.wall(),
            author: back.author.clone(),
            reason: back.reason.clone(),
            overlay,
            origin: Origin::Rollback { to },
        });
        let applied = self.applied(version, draft);
        self.notice(&Notice::Changed {
            version,
            author: back.author,
            reason: back.reason,
        });
        Ok(applied)
    }

    fn expect_live(&self, expected: Option<u64>) -> Result<(), ChangeRefused> {
        let current = self.versions.live();
        match expected {
            Some(expected) if expected != current => Err(ChangeRefused::Conflict { current }),
            _ => Ok(()),
        }
    }

    /// Writes the history down, if there is a place for it: whether it will survive a restart.
    fn save(&mut self) -> bool {
        let Some(state) = &mut self.state else {
            return false;
        };
        let saved = state.save(&self.versions);
        if let Err(error) = &saved {
            self.notice(&Notice::NotSaved {
                text: error.to_string(),
            });
        }
        saved.is_ok()
    }
}

impl Handler<ChangeRoutes> for Control {
    type Result = Result<Applied, ChangeRefused>;

    fn handle(&mut self, change: ChangeRoutes, context: &mut Self::Context) -> Self::Result {
        self.change(change, context)
    }
}

impl Handler<Rollback> for Control {
    type Result = Result<Applied, ChangeRefused>;

    fn handle(&mut self, back: Rollback, _: &mut Self::Context) -> Self::Result {
        self.roll_back(back)
    }
}

impl Handler<EndRollout> for Control {
    type Result = Result<Applied, ChangeRefused>;

    fn handle(&mut self, end: EndRollout, _: &mut Self::Context) -> Self::Result {
        match end.ending {
            Ending::Promote => self.promote(),
            Ending::Abort => self.take_back(false, end.author, end.reason),
        }
    }
}

impl Handler<ListVersions> for Control {
    type Result = MessageResult<ListVersions>;

    fn handle(&mut self, _: ListVersions, _: &mut Self::Context) -> Self::Result {
        MessageResult(VersionList {
            live: self.versions.live(),
            staged: self.versions.staged(),
            versions: self.versions.entries().iter().rev().cloned().collect(),
        })
    }
}

impl Handler<RolloutNow> for Control {
    type Result = Option<RolloutStatus>;

    fn handle(&mut self, _: RolloutNow, _: &mut Self::Context) -> Self::Result {
        let rollout = self.rollout.as_ref()?;
        Some(rollout.status(Clock.moment()))
    }
}
