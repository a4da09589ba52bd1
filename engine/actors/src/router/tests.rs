//! The router, asked as a worker asks it.

use actix::{Actor as _, Addr};
use tollgate_routing::{Board, Filter};

use super::*;
use crate::testing::{CONFIG, published, settings_of};
use crate::{Live, Staged};

fn ask(model: &str, seed: u64) -> Ask {
    Ask {
        surface: Surface::ChatCompletions,
        model: model.into(),
        needs: Capabilities::NONE,
        prompt_tokens: 10,
        max_output_tokens: None,
        stream: false,
        session: None,
        prefix: None,
        time_left: None,
        max_cost: None,
        regions: None,
        targets: Arc::new([]),
        seed,
    }
}

fn start() -> (Arc<Board>, Published, Addr<Router>) {
    let board = Arc::new(Board::default());
    let published = published(&board);
    let router = Router::new(&published).start();
    (board, published, router)
}

#[actix_rt::test]
async fn a_plan_names_every_candidate() {
    let (_, _, router) = start();
    let plan = router.send(ask("fast", 1)).await.unwrap().unwrap();
    let mut names: Vec<_> = plan.contenders().map(|it| it.target.name()).collect();
    names.sort();
    assert_eq!(names, ["a/m1", "b/m2"]);
    assert_eq!(plan.epoch, 1);
}

#[actix_rt::test]
async fn the_same_seed_gets_the_same_plan() {
    let (_, _, router) = start();
    let first = |plan: Plan| plan.contender(0).unwrap().target.name();
    let mut firsts = Vec::new();
    for seed in 0..40 {
        let once = first(router.send(ask("fast", seed)).await.unwrap().unwrap());
        let again = first(router.send(ask("fast", seed)).await.unwrap().unwrap());
        assert_eq!(once, again);
        firsts.push(once);
    }
    assert!(firsts.contains(&"a/m1".to_owned()) && firsts.contains(&"b/m2".to_owned()));
}

#[actix_rt::test]
async fn what_the_caller_may_not_use_is_filtered_out() {
    let (_, _, router) = start();
    let targets = Arc::new([Pattern::parse("b/*").unwrap()]);
    let plan = router
        .send(Ask {
            targets,
            ..ask("fast", 1)
        })
        .await
        .unwrap()
        .unwrap();
    assert_eq!(plan.contenders().count(), 1);
    let candidates = &plan.decision.question.candidates;
    assert!(candidates.iter().any(|it| it.filter == Some(Filter::NotAllowed)));
}

#[actix_rt::test]
async fn an_unknown_model_is_named_with_its_likes() {
    let (_, _, router) = start();
    let error = router.send(ask("fastt", 1)).await.unwrap().unwrap_err();
    assert_eq!(
        error,
        PlanError::UnknownModel {
            near: vec!["fast".into()]
        }
    );
}

#[actix_rt::test]
async fn the_next_question_sees_what_has_been_published() {
    let (board, published, router) = start();
    assert_eq!(router.send(Adopt).await.unwrap(), 1);
    published.replace(Live::new(settings_of(CONFIG, &board, 2)));
    assert_eq!(router.send(ask("fast", 1)).await.unwrap().unwrap().epoch, 2);
    assert_eq!(router.send(Adopt).await.unwrap(), 2);
}

#[actix_rt::test]
async fn a_staged_change_decides_for_its_share_alone() {
    let (_, published, router) = start();
    let now = published.load();
    let staged = Staged {
        catalog: Arc::new(now.catalog.unchanged(9)),
        share: 0.25,
        version: 1,
        watch: Arc::default(),
    };
    published.replace(Live {
        settings: now.settings.clone(),
        catalog: now.catalog.clone(),
        staged: Some(Arc::new(staged)),
        version: 0,
    });
    let mut of_staged = 0;
    for seed in 0..1_000 {
        let plan = router.send(ask("fast", seed)).await.unwrap().unwrap();
        of_staged += u32::from(plan.epoch == 9);
    }
    assert!((200..300).contains(&of_staged), "{of_staged}");
}

#[actix_rt::test]
async fn a_warm_prompt_is_known_to_the_router_that_saw_it() {
    let board = Arc::new(Board::default());
    let mut router = Router::new(&published(&board));
    let slot = board.target("b", "m2").slot();
    let mut context = Context::new();
    let seen = Observe {
        prefix: 77,
        slot,
        prompt_tokens: 800,
    };
    router.handle(seen, &mut context);
    let warm = router.warmth.of(Clock.moment(), 77).unwrap();
    assert_eq!((warm.slot, warm.tokens), (slot, 800));
}
