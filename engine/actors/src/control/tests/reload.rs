//! The file is read again, while changes are in force or on trial.

use serde_json::json;

use super::*;

#[actix_rt::test]
async fn a_new_file_keeps_the_changes_that_fit_and_names_those_that_do_not() {
    let rig = Rig::new();
    rig.live(cost(2)).await;
    rig.live(json!({"routes": {"slow": {"sticky": true}}})).await;
    let without_slow = CONFIG.replace("  slow: { targets: [ { provider: a, model: m3 } ] }\n", "");
    let reloaded = rig.reload(&without_slow).await.unwrap();
    assert!(reloaded.changed);
    assert_eq!(reloaded.needs_restart, ["admin.state"]);
    let paths: Vec<&str> = reloaded.set_aside.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["routes.slow"]);
    assert_eq!((rig.cost(), rig.published.load().epoch()), (2.0, reloaded.epoch));
    assert!(rig.reloads.lock()[0].contains("routes.slow"));

    // It keeps nobody from changing something else, and can be taken away.
    let applied = rig.live(cost(4)).await;
    assert_eq!(applied.set_aside[0].path, "routes.slow");
    assert_eq!(applied.overlay["routes"]["slow"], json!({"sticky": true}));
    let again = rig
        .ask(
            json!({"routes": {"slow": {"sticky": false}}}),
            None,
            ApplyMode::Live,
        )
        .await;
    assert!(
        matches!(again, Err(ChangeRefused::Invalid(_))),
        "whoever names it is told"
    );

    // When the route is back, so is the change.
    assert_eq!(rig.reload(CONFIG).await.unwrap().set_aside, []);
    let live = rig.published.load();
    assert!(live.catalog.find("slow").unwrap().route.policy.sticky);
    assert!(!live.settings.catalog.find("slow").unwrap().route.policy.sticky);
    assert_eq!(rig.live(json!({"routes": {"slow": null}})).await.overlay, cost(4));
}

#[actix_rt::test]
async fn a_bad_file_leaves_everything_as_it_is() {
    let rig = Rig::new();
    rig.live(cost(2)).await;
    let before = rig.published.load();
    assert!(rig.reload("providers: 3").await.is_err());
    assert!(Arc::ptr_eq(&before, &rig.published.load()));
    assert!(rig.reloads.lock()[0].starts_with("Asked Err"));
}

#[actix_rt::test]
async fn the_same_file_again_publishes_nothing() {
    let rig = Rig::new();
    let reloaded = rig.control.send(Reload).await.unwrap().unwrap();
    assert_eq!((reloaded.changed, reloaded.epoch), (false, 1));
    rig.live(cost(2)).await;
    let reloaded = rig.control.send(Reload).await.unwrap().unwrap();
    assert_eq!((reloaded.changed, reloaded.epoch), (false, 2));
}

#[actix_rt::test]
async fn a_new_file_does_not_end_a_rollout() {
    let rig = Rig::new();
    rig.stage(cost(2), LONG).await;
    rig.staged_saw(true, 7);
    rig.reload(&format!("{CONFIG}# touched\n")).await.unwrap();
    let live = rig.published.load();
    let staged = live.staged.as_ref().unwrap();
    assert!(staged.catalog.epoch > live.epoch());
    assert_eq!(staged.watch.staged.figures().requests, 7);
    rig.staged_saw(false, 20);
    until(|| rig.published.load().staged.is_none()).await;
}
