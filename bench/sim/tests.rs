//! What routing promises, in virtual time.

use super::*;

fn story(name: &str) -> Scenario {
    scenarios()
        .into_iter()
        .find(|it| it.name == name)
        .expect("a story of this name")
}

fn figures(scenario: &Scenario, kind: Kind) -> Figures {
    simulate(scenario, kind, 7).expect("a run").figures
}

/// Everybody is served whoever fails, and the 99th percentile and the cost are within a tenth of those of somebody who
/// knows the truth.
#[test]
fn one_providers_trouble_is_no_clients_and_costs_no_more_than_a_tenth() {
    for name in ["brown-out", "outage", "errors", "flapping", "429 storm"] {
        let scenario = story(name).until(75);
        let (ours, oracle) = (figures(&scenario, Kind::Ours), figures(&scenario, Kind::Oracle));
        assert_eq!(ours.client_errors, 0, "{name}");
        assert!(
            ours.converged_p99_s <= oracle.converged_p99_s * 1.1,
            "{name}: {ours:?} against {oracle:?}"
        );
        assert!(
            ours.converged_cost <= oracle.converged_cost * 1.1,
            "{name}: {ours:?} against {oracle:?}"
        );
    }
}

#[test]
fn a_target_ten_times_slower_loses_its_traffic_within_two_seconds_and_has_it_back_within_thirty() {
    let ours = figures(&story("brown-out").until(125), Kind::Ours);
    assert!(ours.shift_s.is_some_and(|it| it <= 2.0), "{:?}", ours.shift_s);
    assert!(ours.troubled_share <= 0.05, "{}", ours.troubled_share);
    assert!(ours.return_s.is_some_and(|it| it <= 30.0), "{:?}", ours.return_s);
    let outage = figures(&story("outage").until(125), Kind::Ours);
    assert!(
        outage.return_s.is_some_and(|it| it <= 30.0),
        "{:?}",
        outage.return_s
    );
}

#[test]
fn a_run_is_the_same_each_time() {
    let scenario = story("flapping").until(40);
    assert_eq!(figures(&scenario, Kind::Ours), figures(&scenario, Kind::Ours));
}
