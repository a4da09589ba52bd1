//! What a restart finds of the changes, and what is said where there is no place for them.

use super::*;

#[actix_rt::test]
async fn changes_survive_a_restart() {
    let rig = Rig::new();
    rig.live(cost(2)).await;
    rig.stage(cost(3), LONG).await;
    let rig = rig.restarted().await;
    assert_eq!((rig.cost(), rig.published.load().version), (2.0, 1));
    assert!(rig.published.load().staged.is_none());
    assert_eq!(rig.notices(), ["run-time changes are in force: version 1"]);
    assert_eq!(rig.versions().await.versions.len(), 2);
    assert_eq!(rig.live(cost(5)).await.version, 3);
}

#[actix_rt::test]
async fn without_a_state_file_nothing_is_said_to_be_persistent() {
    let rig = Rig::of(Scratch::new(), CONFIG);
    assert!(!rig.live(cost(2)).await.persistent);
    let rig = rig.restarted().await;
    assert_eq!((rig.cost(), rig.notices().len()), (1.0, 0));
}

#[actix_rt::test]
async fn a_state_file_that_is_broken_is_reported_and_does_not_stop_the_gateway() {
    let scratch = Scratch::new();
    std::fs::write(scratch.file("state.json"), "{ \"format\": \"tollg").unwrap();
    let rig = Rig::of(scratch, &format!("{CONFIG}admin: {{ state: state.json }}\n"));
    assert!(
        rig.notices()[0].contains("holds no state that can be used"),
        "{:?}",
        rig.notices()
    );
    assert!(rig.live(cost(2)).await.persistent);
    assert_eq!(rig.restarted().await.published.load().version, 1);
}

#[actix_rt::test]
async fn a_place_that_cannot_be_written_to_is_reported_and_the_change_is_live() {
    let rig = Rig::of(
        Scratch::new(),
        &format!("{CONFIG}admin: {{ state: none/state.json }}\n"),
    );
    let applied = rig.live(cost(2)).await;
    assert!(!applied.persistent);
    assert!((rig.cost() - 2.0).abs() < f32::EPSILON);
    assert!(
        rig.notices()
            .iter()
            .any(|it| it.contains("will not survive a restart"))
    );
}
