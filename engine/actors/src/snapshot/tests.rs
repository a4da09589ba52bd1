//! What a snapshot promises to those who read it.

use std::sync::Arc;

use tollgate_routing::Board;

use super::*;
use crate::testing::{CONFIG, settings_of};

fn staged(share: f32) -> Live {
    let live = Live::new(settings_of(CONFIG, &Board::default(), 1));
    let staged = Staged {
        catalog: Arc::new(live.catalog.unchanged(2)),
        share,
        version: 5,
        watch: Arc::default(),
    };
    Live {
        staged: Some(Arc::new(staged)),
        ..live
    }
}

fn taken(share: f32) -> usize {
    let live = staged(share);
    (0..100_000)
        .filter(|seed| live.catalog_for(*seed).epoch == 2)
        .count()
}

#[test]
fn a_staged_change_is_seen_by_its_share_of_the_requests() {
    assert_eq!(taken(0.0), 0);
    assert!((9_500..10_500).contains(&taken(0.1)), "{}", taken(0.1));
    assert_eq!(taken(1.0), 100_000);
}

#[test]
fn whoever_sees_a_small_share_also_sees_a_larger_one() {
    let (small, large) = (staged(0.1), staged(0.3));
    let seeds = (0..10_000).filter(|seed| small.catalog_for(*seed).epoch == 2);
    assert!(seeds.into_iter().all(|seed| large.catalog_for(seed).epoch == 2));
}

#[test]
fn requests_are_counted_where_their_plan_came_from() {
    let live = staged(0.5);
    live.cohort(2).unwrap().observe(true, None);
    live.cohort(1).unwrap().observe(false, None);
    live.cohort(1).unwrap().observe(true, None);
    assert!(live.cohort(3).is_none(), "a plan of another snapshot");
    let watch = &live.staged.as_ref().unwrap().watch;
    assert_eq!(watch.staged.figures().requests, 1);
    assert_eq!(
        (watch.rest.figures().requests, watch.rest.figures().errors),
        (2, 1)
    );
}

#[test]
fn nothing_is_counted_where_nothing_is_staged() {
    let live = Live::new(settings_of(CONFIG, &Board::default(), 1));
    assert!(live.cohort(1).is_none());
    assert_eq!(live.catalog_for(7).epoch, 1);
    assert_eq!((live.epoch(), live.version), (1, 0));
}

#[test]
fn the_settings_can_be_read_through_it() {
    let live = Live::new(settings_of(CONFIG, &Board::default(), 1));
    assert_eq!(live.admin.listen, live.settings.admin.listen);
    assert_eq!(live.catalog.providers().len(), 2);
    assert!(live.catalog.find("fast").is_some());
}
