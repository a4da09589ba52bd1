//! The history of changes.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);

fn entry(cost: u64, origin: Origin) -> Entry {
    Entry {
        at: NOW,
        author: "ada".to_owned(),
        reason: "try".to_owned(),
        overlay: json!({"routes": {"fast": {"weights": {"cost": cost}}}}),
        origin,
    }
}

fn change(cost: u64) -> Entry {
    entry(cost, Origin::Change)
}

fn back(versions: &Versions, to: u64) -> Entry {
    Entry {
        overlay: versions.overlay(to).unwrap(),
        ..entry(0, Origin::Rollback { to })
    }
}

fn taken_back() -> TakenBack {
    TakenBack {
        at: NOW,
        automatic: true,
        author: GATEWAY.to_owned(),
        reason: "too many errors".to_owned(),
    }
}

fn states(versions: &Versions) -> Vec<VersionState> {
    versions.entries().iter().map(|it| it.state).collect()
}

#[test]
fn without_changes_the_file_is_live() {
    let versions = Versions::default();
    assert_eq!(
        (versions.live(), versions.staged(), versions.before_live()),
        (0, None, None)
    );
    assert_eq!(versions.live_overlay(), json!({}));
    assert_eq!(versions.overlay(1), None);
}

#[test]
fn a_change_takes_the_place_of_the_one_before() {
    let mut versions = Versions::default();
    assert_eq!(versions.go_live(change(1)), 1);
    assert_eq!(versions.go_live(change(2)), 2);
    assert_eq!(states(&versions), [VersionState::Superseded, VersionState::Live]);
    assert_eq!(versions.live_overlay(), change(2).overlay);
    assert_eq!(versions.before_live(), Some(1));
}

#[test]
fn undoing_again_and_again_leads_back_to_the_file() {
    let mut versions = Versions::default();
    (1..=3).for_each(|cost| _ = versions.go_live(change(cost)));
    let mut seen = Vec::new();
    while let Some(to) = versions.before_live() {
        seen.push(to);
        let entry = back(&versions, to);
        versions.go_live(entry);
    }
    assert_eq!(seen, [2, 1, 0]);
    assert_eq!((versions.live(), versions.live_overlay()), (6, json!({})));
    let taken_back = versions.entries()[2].taken_back.clone().unwrap();
    assert!(!taken_back.automatic);
    assert_eq!(taken_back.author, "ada");
}

#[test]
fn a_change_after_an_undo_can_be_undone_too() {
    let mut versions = Versions::default();
    (1..=2).for_each(|cost| _ = versions.go_live(change(cost)));
    let entry = back(&versions, 1);
    assert_eq!(versions.go_live(entry), 3);
    assert_eq!(versions.go_live(change(4)), 4);
    assert_eq!(versions.before_live(), Some(3));
    assert_eq!(versions.overlay(3), Some(change(1).overlay));
}

#[test]
fn a_staged_version_is_live_when_it_is_promoted() {
    let mut versions = Versions::default();
    versions.go_live(change(1));
    assert_eq!(versions.stage(change(2)), 2);
    assert_eq!((versions.live(), versions.staged()), (1, Some(2)));
    assert_eq!(versions.promote(), Some(2));
    assert_eq!((versions.live(), versions.staged()), (2, None));
    assert_eq!(versions.promote(), None);
}

#[test]
fn a_staged_version_that_is_taken_back_says_why() {
    let mut versions = Versions::default();
    versions.go_live(change(1));
    versions.stage(change(2));
    assert_eq!(versions.drop_staged(taken_back()), Some(2));
    assert_eq!((versions.live(), versions.staged()), (1, None));
    let dropped = &versions.entries()[1];
    assert_eq!(
        (dropped.state, dropped.taken_back.clone()),
        (VersionState::RolledBack, Some(taken_back()))
    );
    assert_eq!(versions.drop_staged(taken_back()), None);
    assert_eq!(versions.go_live(change(3)), 3, "its number is not used again");
}

#[test]
fn the_oldest_are_forgotten_but_never_the_live_one() {
    let mut versions = Versions::default();
    versions.go_live(change(1));
    for _ in 0..500 {
        versions.stage(change(2));
        versions.drop_staged(taken_back());
    }
    assert_eq!(versions.entries().len(), KEPT);
    assert_eq!(versions.live(), 1);
    (0..500).for_each(|cost| _ = versions.go_live(change(cost)));
    assert_eq!((versions.entries().len(), versions.live()), (KEPT, 1_001));
    assert_eq!(versions.overlay(1), None);
    assert_eq!(versions.overlay(0), Some(json!({})));
}

#[test]
fn nobody_is_led_past_what_is_forgotten() {
    let mut versions = Versions::default();
    (0..300).for_each(|cost| _ = versions.go_live(change(cost)));
    let mut steps = 0;
    while let Some(to) = versions.before_live() {
        assert_ne!(to, 0);
        let entry = back(&versions, to);
        versions.go_live(entry);
        steps += 1;
        assert!(steps <= KEPT);
    }
}

fn written(versions: &Versions) -> Vec<Version> {
    let json = serde_json::to_string(versions.entries()).unwrap();
    serde_json::from_str(&json).unwrap()
}

#[test]
fn a_rollout_does_not_survive_a_restart() {
    let mut versions = Versions::default();
    versions.go_live(change(1));
    versions.stage(change(2));
    let restored = Versions::restored(written(&versions), NOW).unwrap();
    assert_eq!((restored.live(), restored.staged()), (1, None));
    let reason = &restored.entries()[1].taken_back.as_ref().unwrap().reason;
    assert!(reason.contains("restarted"), "{reason}");
}

#[test]
fn what_cannot_be_a_history_is_refused() {
    let mut versions = Versions::default();
    (1..=2).for_each(|cost| _ = versions.go_live(change(cost)));
    let entries = written(&versions);
    let refused = |spoil: &dyn Fn(&mut Vec<Version>)| {
        let mut entries = entries.clone();
        spoil(&mut entries);
        Versions::restored(entries, NOW).unwrap_err()
    };
    assert!(refused(&|it| it.reverse()).contains("do not rise"));
    assert!(refused(&|it| it[0].number = 0).contains("do not rise"));
    assert!(refused(&|it| it[1].number = 1).contains("do not rise"));
    assert!(refused(&|it| it[0].state = VersionState::Live).contains("several versions"));
    assert!(refused(&|it| it[1].origin = Origin::Rollback { to: 2 }).contains("no earlier"));
    assert!(refused(&|it| it[1].overlay = json!({"routes": {"x": 1}})).contains("version 2: routes.x"));
    assert!(refused(&|it| it[1].overlay = json!(null)).contains("version 2"));
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Change,
    Undo,
    BackTo(u64),
    Stage,
    Promote,
    Drop,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Change),
        2 => Just(Step::Undo),
        1 => (0u64..30).prop_map(Step::BackTo),
        2 => Just(Step::Stage),
        1 => Just(Step::Promote),
        1 => Just(Step::Drop),
    ]
}

fn take(versions: &mut Versions, step: Step, cost: u64) {
    match step {
        Step::Change if versions.staged().is_none() => _ = versions.go_live(change(cost)),
        Step::Stage if versions.staged().is_none() => _ = versions.stage(change(cost)),
        Step::Promote => _ = versions.promote(),
        Step::Drop => _ = versions.drop_staged(taken_back()),
        Step::Undo | Step::BackTo(_) if versions.staged().is_none() => {
            let to = match step {
                Step::BackTo(to) => Some(to),
                _ => versions.before_live(),
            };
            if let Some(to) = to.filter(|to| versions.overlay(*to).is_some()) {
                let entry = back(versions, to);
                versions.go_live(entry);
                assert_eq!(versions.live_overlay(), versions.overlay(to).unwrap());
            }
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn at_most_one_is_live_and_numbers_rise(steps in proptest::collection::vec(step(), 0..300)) {
        let mut versions = Versions::default();
        for (cost, step) in (0..).zip(steps) {
            take(&mut versions, step, cost);
            let of = |state| versions.entries().iter().filter(|it| it.state == state).count();
            prop_assert!(of(VersionState::Live) <= 1 && of(VersionState::Staged) <= 1);
            prop_assert!(versions.entries().len() <= KEPT);
            let numbers: Vec<u64> = versions.entries().iter().map(|it| it.number).collect();
            prop_assert!(numbers.is_sorted_by(|a, b| a < b));
            for version in versions.entries() {
                prop_assert_eq!(version.taken_back.is_some(), version.state == VersionState::RolledBack);
            }
        }
        versions.drop_staged(taken_back());
        prop_assert_eq!(Versions::restored(written(&versions), NOW), Ok(versions));
    }
}
