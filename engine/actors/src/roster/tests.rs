//! The roster: who is on it, and what it hears from them.

use super::*;
use crate::testing::{CONFIG, Crew, published, settings_of};

#[actix_rt::test]
async fn routers_say_which_epoch_they_use() {
    let crew = Crew::idle(None);
    let published = published(&crew.board);
    for _ in 0..3 {
        crew.roster.enlist(Router::new(&published).start());
    }
    assert_eq!(crew.roster.adopt(1).await, Adopted { applied: 3, of: 3 });
    assert_eq!(crew.roster.adopt(2).await, Adopted { applied: 0, of: 3 });
    published.replace(Live::new(settings_of(CONFIG, &crew.board, 2)));
    assert_eq!(crew.roster.adopt(2).await, Adopted { applied: 3, of: 3 });
}

#[actix_rt::test]
async fn a_router_that_does_not_answer_is_counted_and_not_waited_for() {
    let crew = Crew::idle(None);
    let published = published(&crew.board);
    // A worker whose thread does not get round to anything.
    let arbiter = actix_rt::Arbiter::new();
    let (hold, held) = std::sync::mpsc::sync_channel::<()>(0);
    let stuck = {
        let published = published.clone();
        Router::start_in_arbiter(&arbiter.handle(), move |_| Router::new(&published))
    };
    let (started, is_started) = tokio::sync::oneshot::channel();
    arbiter.spawn_fn(move || {
        let _ = started.send(());
        let _ = held.recv();
    });
    is_started.await.unwrap();
    crew.roster.enlist(stuck);
    crew.roster.enlist(Router::new(&published).start());
    let asked = Clock.now();
    assert_eq!(crew.roster.adopt(1).await, Adopted { applied: 1, of: 2 });
    assert!(asked.elapsed() < Duration::from_secs(5));
    drop(hold);
    arbiter.stop();
    let _ = arbiter.join();
    assert_eq!(
        crew.roster.adopt(1).await,
        Adopted { applied: 1, of: 1 },
        "it is gone"
    );
}

#[actix_rt::test]
async fn all_actors_are_named_and_alive() {
    let crew = Crew::of(CONFIG, None);
    let published = published(&crew.board);
    crew.roster.enlist(Router::new(&published).start());
    let actors = crew.roster.actors().await;
    let names: Vec<&str> = actors.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        names,
        ["router/0", "health/a", "breaker/a", "health/b", "breaker/b"]
    );
    assert!(actors.iter().all(|it| it.is_alive && it.answered_in_us.is_some()));
    assert_eq!(actors[1].outcomes_dropped, Some(0));
    assert_eq!(actors[0].outcomes_dropped, None);
}

#[actix_rt::test]
async fn outcomes_that_found_no_room_are_counted() {
    let crew = Crew::of(CONFIG, None);
    let ring = crew.board.outcomes("a");
    let cell = crew.cell("a", "m1");
    // More than the ring holds, before its reader gets a turn.
    let admit = || cell.admit(&ring, Clock.moment(), tollgate_routing::Urgency::Ordinary);
    for _ in 0..20_000 {
        drop(admit().unwrap());
    }
    let dropped = ring.dropped();
    assert!(dropped > 0);
    let actors = crew.roster.actors().await;
    assert_eq!(actors[0].outcomes_dropped, Some(dropped));
}

#[actix_rt::test]
async fn providers_that_go_have_their_actors_stopped() {
    let crew = Crew::of(CONFIG, None);
    let pair = crew.roster.providers().remove("b").unwrap();
    assert!(pair.health.connected() && pair.breaker.connected());
    let without_b = CONFIG
        .replace(
            "  b: { kind: openai, base_url: \"http://127.0.0.1:9/v1\", api_key: kc }\n",
            "",
        )
        .replace(", { provider: b, model: m2 }", "");
    crew.follow(&without_b);
    crate::testing::until(|| !pair.health.connected() && !pair.breaker.connected()).await;
    let names: Vec<_> = crew.roster.providers().into_keys().collect();
    assert_eq!(names, ["a".into()]);
}
