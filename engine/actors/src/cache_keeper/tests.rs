//! The keeper, when more comes than it can keep.

use std::sync::mpsc;

use tollgate_cache::StoreSettings;
use tollgate_core::Digester;

use super::*;
use crate::testing::until;

const ANSWER: &str = r#"{"id":"a","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hello."}}]}"#;

fn fill(cache: &Cache, number: usize, on_done: Arc<()>) -> Fill {
    let digest = |kind: &str| Digester::new(kind).number(number as u64).finish();
    Fill {
        key: Key {
            exact: digest("exact"),
            folded: None,
            partition: digest("partition"),
        },
        labels: Labels {
            tenant: "t".into(),
            route: "r".into(),
            tags: [].into(),
        },
        words: None,
        by_meaning: false,
        made: Made::default(),
        surface: Surface::ChatCompletions,
        is_stream: false,
        sent: vec![Bytes::from_static(ANSWER.as_bytes())],
        worth: Worth::default(),
        created: Clock.wall(),
        ttl: Duration::from_secs(3_600),
        keeps: KeepPolicy::default(),
        rechecks: None,
        begun: cache.store().begin(),
        on_done: Box::new(on_done),
    }
}

/// A keeper that does nothing until what is returned with it is dropped.
fn stuck(cache: &Arc<Cache>) -> (Addr<CacheKeeper>, mpsc::SyncSender<()>) {
    let (begins, stuck) = mpsc::sync_channel(1);
    let (go_on, gate) = mpsc::sync_channel::<()>(1);
    let is_stuck = move |_: &Cache| {
        let _ = begins.try_send(());
        // Until the other side is dropped; from then on it is no obstacle.
        let _ = gate.recv();
    };
    let keeper = CacheKeeper::new(cache.clone(), None, Box::new(|_| {}), Box::new(is_stuck));
    let arbiter = actix_rt::Arbiter::new();
    let keeper = CacheKeeper::start_in_arbiter(&arbiter.handle(), |_| keeper);
    stuck
        .recv_timeout(Duration::from_secs(20))
        .expect("it never ticks");
    (keeper, go_on)
}

#[actix_rt::test]
async fn large_answers_do_not_pile_up_before_a_keeper_that_is_slow() {
    const LARGE: usize = 1 << 20;
    let cache = Arc::new(Cache::new(StoreSettings {
        budget_bytes: 80 << 20,
        ..StoreSettings::default()
    }));
    let (keeper, go_on) = stuck(&cache);
    let (waits, large) = (Arc::new(()), Bytes::from(vec![b' '; LARGE]));
    for number in 0..100 {
        let mut fill = fill(&cache, number, waits.clone());
        fill.sent = vec![large.clone()];
        fill.hand_to(&keeper, &cache);
    }
    assert_eq!(cache.store().statistics().dropped, 80);
    assert_eq!(Arc::strong_count(&waits) - 1, 20, "a quarter of the budget");
    drop(go_on);
    until(|| Arc::strong_count(&waits) == 1).await;
    fill(&cache, 0, waits.clone()).hand_to(&keeper, &cache);
    until(|| cache.store().statistics().entries == 1).await;
    assert_eq!(cache.store().statistics().dropped, 80);
}

#[actix_rt::test]
async fn a_keeper_with_too_much_to_do_keeps_less_and_nobody_waits_for_it() {
    const MORE: usize = 500;
    let cache = Arc::new(Cache::new(StoreSettings::default()));
    let (keeper, go_on) = stuck(&cache);

    let waits = Arc::new(());
    for number in 0..MAILBOX + MORE {
        fill(&cache, number, waits.clone()).hand_to(&keeper, &cache);
    }
    let dropped = cache.store().statistics().dropped;
    // A sender may have one more than there is room for.
    assert!((MORE as u64 - 2..=MORE as u64).contains(&dropped), "{dropped}");
    let kept = MAILBOX + MORE - usize::try_from(dropped).unwrap();
    let waiting = Arc::strong_count(&waits) - 1;
    assert_eq!(
        waiting, kept,
        "whoever waited for what was dropped waits no longer"
    );
    assert_eq!(cache.store().statistics().entries, 0);

    drop(go_on);
    until(|| cache.store().statistics().entries == kept).await;
    until(|| Arc::strong_count(&waits) == 1).await;
    // It is as well as before.
    fill(&cache, usize::MAX, waits.clone()).hand_to(&keeper, &cache);
    until(|| cache.store().statistics().entries == kept + 1).await;
    let taken = keeper.send(Invalidate(Selection::default())).await.unwrap();
    assert_eq!(taken, Ok(kept + 1));
    assert_eq!(cache.store().statistics().dropped, dropped);
}
