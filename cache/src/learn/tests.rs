//! Classes: who learns from whom, and how many there are.

use super::*;
use Agreement::{Other, Same};

fn experience() -> Experience {
    Experience::new(Thresholds {
        safe: 0.9,
        balanced: 0.8,
        aggressive: 0.7,
    })
}

fn name(text: &str) -> Arc<str> {
    text.into()
}

fn fail(experience: &Experience, route: &str, tenant: &str) {
    for _ in 0..10 {
        experience.judged(&name(route), &name(tenant), 0.99, Other, Source::Comparison);
    }
}

#[test]
fn each_class_learns_by_itself() {
    let learned = experience();
    fail(&learned, "faq", "a");
    let of = |route, tenant| learned.threshold(route, tenant, Mode::Safe);
    assert_eq!(of("faq", "a"), Some(f32::INFINITY));
    for (route, tenant) in [("faq", "b"), ("chat", "a"), ("faqa", ""), ("", "faqa")] {
        assert_eq!(of(route, tenant), Some(0.9), "{route}/{tenant}");
    }
    assert_eq!(learned.threshold("faq", "a", Mode::Exact), None);
    assert_eq!(learned.threshold("faq", "a", Mode::Off), None);
}

#[test]
fn beyond_the_most_classes_tenants_share_those_of_their_route() {
    let learned = experience();
    for number in 0..MOST_CLASSES {
        let tenant = name(&number.to_string());
        learned.judged(&name("faq"), &tenant, 0.95, Same, Source::Comparison);
    }
    fail(&learned, "faq", "late");
    let of = |route, tenant| learned.threshold(route, tenant, Mode::Safe);
    assert_eq!(of("faq", "late"), Some(f32::INFINITY));
    assert_eq!(of("faq", "later"), Some(f32::INFINITY), "it has none of its own");
    assert_eq!(of("faq", "7"), Some(0.9), "it has one of its own");
    assert_eq!(of("chat", "late"), Some(0.9));
    for number in 0..2 * MOST_ROUTES {
        fail(&learned, &format!("route {number}"), "late");
    }
    assert_eq!(
        learned.report().len(),
        MOST_CLASSES + MOST_ROUTES + 1,
        "bounded, whatever comes"
    );
    assert_eq!(
        of("another", "late"),
        Some(f32::INFINITY),
        "those beyond share one for all"
    );
    assert_eq!(of("faq", "7"), Some(0.9));
}

#[test]
fn what_is_no_score_counts_for_nothing() {
    let learned = experience();
    for score in [f32::NAN, -1.0, 0.0, 0.69] {
        for _ in 0..50 {
            learned.judged(&name("faq"), &name("a"), score, Other, Source::Client);
        }
    }
    assert_eq!(learned.threshold("faq", "a", Mode::Aggressive), Some(0.7));
    assert!(learned.report().is_empty());
    assert_eq!(learned.lessons().told.other, 200, "they were given all the same");
}

#[test]
fn the_report_tells_what_holds_and_why() {
    let learned = experience();
    for _ in 0..400 {
        learned.judged(&name("faq"), &name("a"), 0.89, Same, Source::Comparison);
    }
    fail(&learned, "faq", "b");
    let mut report = learned.report();
    report.sort_by(|a, b| a.tenant.cmp(&b.tenant));
    let [a, b] = &report[..] else { panic!("{report:?}") };
    let safe = a.thresholds[0];
    assert_eq!((safe.mode, safe.shipped), (Mode::Safe, 0.9));
    assert!(safe.current.unwrap() < 0.9 && safe.current.unwrap() > 0.8);
    assert_eq!(
        b.thresholds.iter().map(|it| it.current).collect::<Vec<_>>(),
        [None; 3]
    );
    assert!(a.bins.is_sorted_by(|a, b| a.from < b.from));
    assert!(a.bins.iter().map(|bin| bin.same).sum::<f64>() > 300.0);
    let lessons = learned.lessons();
    assert_eq!(
        (lessons.classes, lessons.closed, lessons.lowered, lessons.raised),
        (2, 1, 1, 0)
    );
    assert_eq!((lessons.compared.same, lessons.compared.other), (400, 10));
}

#[test]
fn workers_look_while_the_keeper_learns() {
    let learned = experience();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for number in 0..20_000 {
                    let tenant = (number % 50).to_string();
                    let threshold = learned.threshold("faq", &tenant, Mode::Safe).unwrap();
                    assert!(threshold >= 0.8, "{threshold}");
                }
            });
        }
        for number in 0..5_000_i16 {
            let tenant = name(&(number % 50).to_string());
            let agreement = if number % 3 == 0 { Other } else { Same };
            learned.judged(
                &name("faq"),
                &tenant,
                0.85 + 0.0001 * f32::from(number % 1000),
                agreement,
                Source::Comparison,
            );
        }
    });
    assert_eq!(learned.lessons().classes, 50);
}
