//! What a cell holds, and that it gives out what it has and no more.

use std::thread;

use proptest::prelude::*;

use super::*;

fn half_open(probes: u8, generation: u16) -> Gate {
    Gate {
        mode: GateMode::HalfOpen,
        probes,
        generation,
        ..Gate::CLOSED
    }
}

fn cell() -> (Arc<HealthCell>, Arc<OutcomeRing>) {
    (Arc::new(HealthCell::new(7)), Arc::new(OutcomeRing::new(64)))
}

#[test]
fn a_cell_is_one_cache_line() {
    assert_eq!((size_of::<HealthCell>(), align_of::<HealthCell>()), (64, 64));
}

#[test]
fn nothing_is_known_of_a_new_target() {
    let (cell, _) = cell();
    assert_eq!(cell.vitals(Moment::ZERO), Vitals::default());
    assert_eq!(cell.gate(Moment::ZERO), Gate::CLOSED);
}

#[test]
fn an_open_gate_admits_nobody_unless_there_is_nobody_else() {
    let (cell, ring) = cell();
    let admitted = |urgency| cell.admit(&ring, Moment::ZERO, urgency).is_ok();
    for (mode, in_need) in [
        (GateMode::Open, true),
        (GateMode::ForcedOpen, false),
        (GateMode::Drained, false),
        (GateMode::HalfOpen, true),
    ] {
        cell.set_gate(Gate { mode, ..Gate::CLOSED });
        assert!(!admitted(Urgency::Ordinary), "{mode:?}");
        assert_eq!(admitted(Urgency::NobodyElse), in_need, "{mode:?}");
    }
    assert_eq!(cell.in_flight(), 0, "permits were dropped");
}

#[test]
fn a_half_open_gate_gives_exactly_its_probes_to_any_number_of_threads() {
    for round in 0..200 {
        let (cell, ring) = cell();
        cell.set_gate(half_open(3, round));
        let ask = || cell.admit(&ring, Moment::ZERO, Urgency::Ordinary).is_ok();
        let admitted: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..4).filter(|_| ask()).count()))
                .collect();
            threads.into_iter().map(|it| it.join().unwrap()).sum()
        });
        assert_eq!(admitted, 3);
    }
}

#[test]
fn publishing_the_same_half_open_period_again_gives_no_probe_twice() {
    let (cell, ring) = cell();
    cell.set_gate(half_open(2, 5));
    let _permit = cell.admit(&ring, Moment::ZERO, Urgency::Ordinary).unwrap();
    cell.set_gate(half_open(2, 5));
    assert_eq!(cell.gate(Moment::ZERO).probes, 1);
    cell.set_gate(half_open(2, 6));
    assert_eq!(cell.gate(Moment::ZERO).probes, 2);
}

#[test]
fn a_probe_goes_back_only_to_its_own_generation() {
    let (cell, ring) = cell();
    cell.set_gate(half_open(1, 5));
    let permit = cell.admit(&ring, Moment::ZERO, Urgency::Ordinary).unwrap();
    assert_eq!(cell.gate(Moment::ZERO).probes, 0);
    cell.return_probe(4, Moment::ZERO);
    assert_eq!(cell.gate(Moment::ZERO).probes, 0);
    cell.return_probe(5, Moment::ZERO);
    assert_eq!(cell.gate(Moment::ZERO), half_open(1, 5));
    cell.set_gate(Gate::CLOSED);
    cell.return_probe(5, Moment::ZERO);
    assert_eq!(cell.gate(Moment::ZERO), Gate::CLOSED);
    drop(permit);
}

proptest! {
    #[test]
    fn what_is_published_is_read(
        ttft in proptest::option::of(0f32..1e9), per_token in proptest::option::of(0f32..1e9),
        p95 in proptest::option::of(0f32..1e9), load in 0f32..1e5, error_ratio in 0f32..=1.0, samples: u32,
        output in proptest::option::of(0f32..1e6), now in 0u64..1 << 40, ago in 0u64..1_000_000,
    ) {
        let (cell, _) = cell();
        let vitals = Vitals {
            ttft_us: ttft,
            measured_at: Moment::from_millis(now.saturating_sub(ago)),
            per_token_us: per_token,
            p95_ttft_us: p95,
            load,
            error_ratio,
            samples,
            output_tokens: output,
            prompt_ratio: 1.25,
        };
        cell.publish(&vitals);
        prop_assert_eq!(cell.vitals(Moment::from_millis(now)), vitals);
    }
}
