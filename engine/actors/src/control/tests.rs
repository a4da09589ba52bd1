//! Control, as the admin API and the file system use it.

use std::path::PathBuf;

use actix::Addr;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::*;
use crate::CohortFigures;
use crate::testing::{CONFIG, Crew, Scratch, until};

mod reload;
mod restarts;

/// Control over a file of its own.
struct Rig {
    scratch: Scratch,
    crew: Crew,
    published: Published,
    control: Addr<Control>,
    notices: Arc<Mutex<Vec<Notice>>>,
    reloads: Arc<Mutex<Vec<String>>>,
}

impl Rig {
    fn new() -> Self {
        Self::of(
            Scratch::new(),
            &format!("{CONFIG}admin: {{ state: state.json }}\n"),
        )
    }

    fn of(scratch: Scratch, text: &str) -> Self {
        let path = scratch.file("tollgate.yaml");
        std::fs::write(&path, text).unwrap();
        let crew = Crew::idle(None);
        let source = ConfigSource::File(path);
        let published = Published::new(source.load(1, &crew.board).unwrap());
        let (notices, reloads) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let (heard, told) = (notices.clone(), reloads.clone());
        let control = Control::new(ControlParts {
            source,
            published: published.clone(),
            board: crew.board.clone(),
            roster: crew.roster.clone(),
            on_reload: Box::new(move |cause, it| told.lock().push(format!("{cause:?} {it:?}"))),
            on_notice: Box::new(move |it| heard.lock().push(it.clone())),
            on_death: Arc::new(|name| eprintln!("{name} died")),
        });
        Self {
            scratch,
            crew,
            published,
            control: control.start(),
            notices,
            reloads,
        }
    }

    /// The same file and state, in another life.
    async fn restarted(self) -> Self {
        let text = std::fs::read_to_string(self.config()).unwrap();
        Self::of(self.scratch, &text)
    }

    fn config(&self) -> PathBuf {
        self.scratch.file("tollgate.yaml")
    }

    async fn ask(
        &self,
        patch: Value,
        if_match: Option<u64>,
        mode: ApplyMode,
    ) -> Result<Applied, ChangeRefused> {
        let change = ChangeRoutes {
            patch,
            author: "ada".to_owned(),
            reason: "to see".to_owned(),
            if_match,
            mode,
        };
        self.control.send(change).await.unwrap()
    }

    async fn live(&self, patch: Value) -> Applied {
        self.ask(patch, None, ApplyMode::Live).await.unwrap()
    }

    async fn stage(&self, patch: Value, hold: Duration) -> Applied {
        let slo = Slo {
            error_ratio: Some(0.5),
            min_requests: 10,
            ..Slo::default()
        };
        let plan = StagePlan {
            share: 0.2,
            hold,
            slo,
        };
        self.ask(patch, None, ApplyMode::Staged(plan)).await.unwrap()
    }

    async fn back(&self, to: Option<u64>) -> Result<Applied, ChangeRefused> {
        let back = Rollback {
            to,
            author: "bob".to_owned(),
            reason: "worse".to_owned(),
            if_match: None,
        };
        self.control.send(back).await.unwrap()
    }

    async fn end(&self, ending: Ending) -> Result<Applied, ChangeRefused> {
        let end = EndRollout {
            ending,
            author: "bob".to_owned(),
            reason: "enough".to_owned(),
        };
        self.control.send(end).await.unwrap()
    }

    async fn versions(&self) -> VersionList {
        self.control.send(ListVersions).await.unwrap()
    }

    /// The file says something else.
    async fn reload(&self, text: &str) -> Result<Reloaded, ReloadError> {
        std::fs::write(self.config(), text).unwrap();
        self.control.send(Reload).await.unwrap()
    }

    /// The live weight of the price on route `fast`.
    fn cost(&self) -> f32 {
        let live = self.published.load();
        live.catalog.find("fast").unwrap().route.policy.weights.cost
    }

    /// Requests that see the staged change.
    fn staged_saw(&self, ok: bool, times: usize) {
        let live = self.published.load();
        let staged = live.staged.as_ref().unwrap();
        let cohort = live.cohort(staged.catalog.epoch).unwrap();
        (0..times).for_each(|_| cohort.observe(ok, None));
    }

    fn notices(&self) -> Vec<String> {
        self.notices.lock().iter().map(ToString::to_string).collect()
    }
}

fn cost(weight: impl Into<Value>) -> Value {
    json!({"routes": {"fast": {"weights": {"cost": weight.into()}}}})
}

const LONG: Duration = Duration::from_secs(600);

#[actix_rt::test]
async fn a_change_is_live_at_once_with_its_version_and_epoch() {
    let rig = Rig::new();
    let applied = rig.live(cost(2)).await;
    assert_eq!((applied.version, applied.epoch), (1, 2));
    assert!(applied.persistent);
    assert_eq!(applied.overlay, cost(2));
    assert_eq!(applied.changes["fast"].weights.cost, Some(2.0));
    let changed = Difference {
        path: "routes.fast.weights.cost".to_owned(),
        from: json!(1.0),
        to: json!(2.0),
    };
    assert_eq!(applied.diff, [changed]);
    let live = rig.published.load();
    assert_eq!((live.epoch(), live.version, rig.cost()), (2, 1, 2.0));
    assert_eq!(live.settings.catalog.epoch, 1, "the file is as it was");
    let version = &rig.versions().await.versions[0];
    assert_eq!(
        (version.author.as_str(), version.reason.as_str()),
        ("ada", "to see")
    );
    assert_eq!(version.origin, Origin::Change);
}

#[actix_rt::test]
async fn changes_add_up_and_null_takes_one_away() {
    let rig = Rig::new();
    rig.live(cost(2)).await;
    let second = json!({"routes": {"fast": {"targets": {"a/m1": {"weight": 3}}}}});
    assert_eq!(rig.live(second).await.changes["fast"].weights.cost, Some(2.0));
    let applied = rig.live(cost(Value::Null)).await;
    assert_eq!(
        applied.overlay,
        json!({"routes": {"fast": {"targets": {"a/m1": {"weight": 3}}}}})
    );
    assert!((rig.cost() - 1.0).abs() < f32::EPSILON);
    assert_eq!(rig.live(json!({"routes": null})).await.overlay, json!({}));
}

#[actix_rt::test]
async fn whoever_saw_an_older_version_is_told_so() {
    let rig = Rig::new();
    assert!(rig.ask(cost(2), Some(0), ApplyMode::Live).await.is_ok());
    for mode in [ApplyMode::Live, ApplyMode::DryRun] {
        let refused = rig.ask(cost(3), Some(0), mode).await.unwrap_err();
        assert_eq!(refused, ChangeRefused::Conflict { current: 1 });
    }
    assert!(rig.ask(cost(3), Some(1), ApplyMode::Live).await.is_ok());
}

#[actix_rt::test]
async fn a_change_with_a_problem_changes_nothing() {
    let rig = Rig::new();
    let bad = [
        (json!(null), "(document)"),
        (json!({"rutes": {}}), "rutes"),
        (json!({"routes": {"fsat": {"sticky": true}}}), "routes.fsat"),
        (cost("dear"), "routes.fast.weights.cost"),
        (cost(-1), "routes.fast.weights.cost"),
        (cost(1e39), "routes.fast.weights.cost"),
        (
            json!({"routes": {"fast": {"targets": {"a/m9": {"weight": 1}}}}}),
            "routes.fast.targets.a/m9",
        ),
        (
            json!({"routes": {"fast": {"targets": {"a/m1": {"weight": 0}, "b/m2": {"weight": 0}}}}}),
            "routes.fast.targets",
        ),
    ];
    for (patch, path) in bad {
        let Err(ChangeRefused::Invalid(problems)) = rig.ask(patch.clone(), None, ApplyMode::Live).await
        else {
            panic!("{patch} was accepted");
        };
        assert_eq!(problems[0].path, path, "{patch}");
    }
    assert_eq!(
        (rig.published.load().epoch(), rig.versions().await.versions.len()),
        (1, 0)
    );
}

#[actix_rt::test]
async fn a_stage_plan_and_a_reason_are_checked_too() {
    let rig = Rig::new();
    let plan = StagePlan {
        share: 0.0,
        hold: LONG,
        slo: Slo::default(),
    };
    let refused = rig.ask(cost(2), None, ApplyMode::Staged(plan)).await.unwrap_err();
    assert!(matches!(refused, ChangeRefused::Invalid(problems) if problems[0].path == "stage.share"));
    let endless = ChangeRoutes {
        patch: cost(2),
        author: "ada".to_owned(),
        reason: "x".repeat(5_000),
        if_match: None,
        mode: ApplyMode::Live,
    };
    let refused = rig.control.send(endless).await.unwrap().unwrap_err();
    assert!(matches!(refused, ChangeRefused::Invalid(problems) if problems[0].path == "reason"));
}

#[actix_rt::test]
async fn a_dry_run_says_what_would_change_and_changes_nothing() {
    let rig = Rig::new();
    let would = rig.ask(cost(2), None, ApplyMode::DryRun).await.unwrap();
    assert_eq!((would.version, would.epoch, would.diff.len()), (0, 1, 1));
    assert_eq!(
        (rig.published.load().epoch(), rig.versions().await.versions.len()),
        (1, 0)
    );
    assert!(rig.notices().is_empty());
}

#[actix_rt::test]
async fn a_change_of_nothing_makes_no_version() {
    let rig = Rig::new();
    rig.live(cost(2)).await;
    for patch in [json!({}), cost(2), cost(2.0), json!({"routes": {"fast": {}}})] {
        let applied = rig.live(patch).await;
        assert_eq!((applied.version, applied.epoch), (1, 2));
    }
}

#[actix_rt::test]
async fn a_staged_change_is_live_after_its_trial() {
    let rig = Rig::new();
    let applied = rig.stage(cost(2), Duration::from_millis(150)).await;
    assert_eq!(applied.version, 1);
    assert_eq!(applied.diff.len(), 1);
    let live = rig.published.load();
    assert_eq!(
        (live.version, rig.cost(), live.epoch(), applied.epoch),
        (0, 1.0, 2, 2)
    );
    let staged = live.staged.clone().unwrap();
    assert_eq!((staged.version, staged.catalog.epoch), (1, 3));
    rig.staged_saw(true, 9);
    actix_rt::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(rig.published.load().version, 0, "too few requests");
    rig.staged_saw(true, 1);
    until(|| rig.published.load().version == 1).await;
    let live = rig.published.load();
    assert!(live.staged.is_none() && live.epoch() > 3);
    assert!((rig.cost() - 2.0).abs() < f32::EPSILON);
    assert_eq!(rig.control.send(RolloutNow).await.unwrap(), None);
    assert_eq!(
        rig.notices().last().unwrap(),
        "version 1 is live for all requests"
    );
}

#[actix_rt::test]
async fn a_staged_change_that_breaks_its_slo_is_taken_back_by_itself() {
    let rig = Rig::new();
    rig.live(cost(3)).await;
    rig.stage(cost(2), LONG).await;
    rig.staged_saw(true, 4);
    rig.staged_saw(false, 6);
    until(|| rig.published.load().staged.is_none()).await;
    assert_eq!((rig.published.load().version, rig.cost()), (1, 3.0));
    let list = rig.versions().await;
    assert_eq!((list.live, list.staged), (1, None));
    let dropped = &list.versions[0];
    assert_eq!((dropped.number, dropped.state), (2, VersionState::RolledBack));
    let taken_back = dropped.taken_back.as_ref().unwrap();
    assert!(taken_back.automatic);
    assert_eq!(
        taken_back.reason,
        "6 of 10 requests failed (60.00 %), 50.00 % are allowed"
    );
    let said = rig.notices().pop().unwrap();
    assert!(
        said.starts_with("version 2 was rolled back automatically: 6 of 10"),
        "{said}"
    );
    assert_eq!(rig.live(cost(4)).await.version, 3);
}

#[actix_rt::test]
async fn while_a_change_is_tried_nobody_makes_another() {
    let rig = Rig::new();
    rig.stage(cost(2), LONG).await;
    let refused = rig.ask(cost(3), None, ApplyMode::Live).await.unwrap_err();
    assert_eq!(refused, ChangeRefused::Busy { version: 1 });
    assert!(rig.ask(cost(3), None, ApplyMode::DryRun).await.is_ok());
    let status = rig.control.send(RolloutNow).await.unwrap().unwrap();
    assert_eq!(
        (status.version, status.min_requests, status.hold_ms),
        (1, 10, 600_000)
    );
    assert_eq!(status.staged, CohortFigures::default());
}

#[actix_rt::test]
async fn a_rollout_can_be_ended_by_hand() {
    let rig = Rig::new();
    assert_eq!(rig.end(Ending::Abort).await, Err(ChangeRefused::NoRollout));
    assert_eq!(rig.end(Ending::Promote).await, Err(ChangeRefused::NoRollout));
    rig.stage(cost(2), LONG).await;
    let aborted = rig.end(Ending::Abort).await.unwrap();
    assert_eq!((aborted.version, rig.cost()), (0, 1.0));
    assert!(rig.published.load().staged.is_none());
    rig.stage(cost(3), LONG).await;
    let promoted = rig.end(Ending::Promote).await.unwrap();
    assert_eq!((promoted.version, rig.cost()), (2, 3.0));
    assert_eq!(promoted.diff[0].to, json!(3.0));
    let states: Vec<_> = rig.versions().await.versions.iter().map(|it| it.state).collect();
    assert_eq!(states, [VersionState::Live, VersionState::RolledBack]);
}

#[actix_rt::test]
async fn going_back_restores_an_earlier_version() {
    let rig = Rig::new();
    for weight in 2..=4 {
        rig.live(cost(weight)).await;
    }
    let applied = rig.back(None).await.unwrap();
    assert_eq!((applied.version, rig.cost()), (4, 3.0));
    let back = rig.back(Some(1)).await.unwrap();
    assert_eq!((back.version, rig.cost()), (5, 2.0));
    assert_eq!(
        rig.versions().await.versions[0].origin,
        Origin::Rollback { to: 1 }
    );
    assert_eq!(rig.back(Some(0)).await.unwrap().overlay, json!({}));
    assert!((rig.cost() - 1.0).abs() < f32::EPSILON);
    assert_eq!(rig.back(Some(77)).await, Err(ChangeRefused::UnknownVersion));
    assert_eq!(
        rig.back(None).await,
        Err(ChangeRefused::UnknownVersion),
        "there is nothing left to undo"
    );
}

#[actix_rt::test]
async fn going_back_ends_a_rollout() {
    let rig = Rig::new();
    rig.live(cost(2)).await;
    rig.stage(cost(3), LONG).await;
    assert_eq!(rig.back(None).await.unwrap().version, 1);
    assert_eq!((rig.published.load().staged.is_some(), rig.cost()), (false, 2.0));
    rig.stage(cost(3), LONG).await;
    assert_eq!(rig.back(Some(0)).await.unwrap().version, 4);
    assert_eq!((rig.published.load().staged.is_some(), rig.cost()), (false, 1.0));
    assert_eq!(rig.control.send(RolloutNow).await.unwrap(), None);
}

#[actix_rt::test]
async fn epochs_only_rise_and_no_two_catalogs_share_one() {
    let rig = Rig::new();
    let mut seen = vec![rig.published.load().epoch()];
    let mut note = || {
        let live = rig.published.load();
        let staged = live.staged.as_ref().map(|it| it.catalog.epoch);
        for epoch in [Some(live.epoch()), staged].into_iter().flatten() {
            assert!(seen.iter().all(|it| *it < epoch), "{epoch} after {seen:?}");
            seen.push(epoch);
        }
    };
    rig.live(cost(2)).await;
    note();
    rig.stage(cost(3), LONG).await;
    note();
    rig.reload(&format!("{CONFIG}# touched\n")).await.unwrap();
    note();
    rig.end(Ending::Promote).await.unwrap();
    note();
    rig.stage(cost(4), LONG).await;
    note();
    rig.end(Ending::Abort).await.unwrap();
    note();
    rig.back(None).await.unwrap();
    note();
}

#[actix_rt::test]
async fn providers_have_their_actors_as_soon_as_control_has_charge() {
    let rig = Rig::new();
    let targets: Vec<_> = rig
        .crew
        .roster
        .health()
        .await
        .into_iter()
        .map(|it| it.target)
        .collect();
    assert_eq!(targets, ["a/m1".into(), "a/m3".into(), "b/m2".into()]);
}
