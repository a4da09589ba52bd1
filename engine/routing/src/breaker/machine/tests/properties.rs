//! Any sequence of events, with a real cell and real permits between the breaker and its traffic.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::breaker::backoff::doubled;
use crate::{HealthCell, OutcomeRing, Permit, Stage, Urgency};

#[derive(Debug, Clone)]
enum Event {
    /// Time passes, and timers ring in time.
    Pass(u64),
    /// A request comes.
    Ask(Urgency),
    /// A request that was let in ends.
    End(usize, OutcomeClass),
    /// A request that was let in is dropped.
    Drop(usize),
    Force(Force),
}

fn events(forces: bool) -> impl Strategy<Value = Vec<Event>> {
    let class = prop::sample::select(vec![
        OutcomeClass::Success,
        OutcomeClass::Success,
        OutcomeClass::Reset,
        OutcomeClass::ServerError,
        OutcomeClass::Overloaded,
        OutcomeClass::ModelNotFound,
        OutcomeClass::RateLimited,
        OutcomeClass::InvalidRequest,
    ]);
    let force = prop::sample::select(vec![Force::Open, Force::Closed, Force::Drain, Force::Auto]);
    let event = prop_oneof![
        2 => (0u64..3_000).prop_map(Event::Pass),
        1 => (0u64..200_000).prop_map(Event::Pass),
        10 => Just(Event::Ask(Urgency::Ordinary)),
        2 => Just(Event::Ask(Urgency::NobodyElse)),
        8 => (any::<usize>(), class).prop_map(|(which, class)| Event::End(which, class)),
        1 => any::<usize>().prop_map(Event::Drop),
        u32::from(forces) => force.prop_map(Event::Force),
    ];
    prop::collection::vec(event, 0..400)
}

/// A target with its traffic.
struct Scene {
    breaker: Breaker,
    cell: Arc<HealthCell>,
    ring: Arc<OutcomeRing>,
    now: Moment,
    permits: Vec<(Moment, Permit)>,
    /// Probes that were let in and not given back, by generation.
    probes: HashMap<u16, u32>,
    jitter: f64,
}

impl Scene {
    fn new(settings: BreakerSettings, jitter: f64) -> Self {
        Self {
            breaker: Breaker::new(settings, at(0)),
            cell: Arc::new(HealthCell::new(0)),
            ring: Arc::new(OutcomeRing::new(64)),
            now: at(0),
            permits: Vec::new(),
            probes: HashMap::new(),
            jitter,
        }
    }

    fn happens(&mut self, event: &Event) {
        match *event {
            Event::Pass(millis) => self.pass(self.now + Duration::from_millis(millis)),
            Event::Ask(urgency) => self.ask(urgency),
            Event::End(which, class) if !self.permits.is_empty() => {
                let (sent, permit) = self.permits.swap_remove(which % self.permits.len());
                let total_us = u32::try_from(self.now.since(sent).as_micros()).unwrap_or(u32::MAX);
                permit.ended(
                    self.now,
                    Ended {
                        total_us,
                        ..ended(class)
                    },
                );
            }
            Event::Drop(which) if !self.permits.is_empty() => {
                self.permits.swap_remove(which % self.permits.len());
            }
            Event::Force(force) => {
                let changed = self.breaker.force(self.now, force);
                self.follow(changed);
            }
            Event::End(..) | Event::Drop(_) => {}
        }
        self.drain();
    }

    fn pass(&mut self, until: Moment) {
        while let Some(next) = self.breaker.next_tick().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            let changed = self.breaker.tick(self.now);
            assert_ne!(
                changed,
                Changed::Nothing,
                "a timer that rings for nothing rings for ever"
            );
            self.follow(changed);
        }
        self.now = until;
    }

    fn ask(&mut self, urgency: Urgency) {
        let gate = self.breaker.gate();
        let answer = self.cell.admit(&self.ring, self.now, urgency);
        let is_let_in = answer.is_ok();
        let is_probe = answer.as_ref().is_ok_and(Permit::is_probe);
        let is_urgent = urgency == Urgency::NobodyElse;
        match gate.mode {
            GateMode::Open => assert_eq!((is_let_in, is_probe), (is_urgent, false), "{gate:?}"),
            GateMode::ForcedOpen | GateMode::Drained => assert!(!is_let_in, "{gate:?}"),
            GateMode::Closed | GateMode::ForcedClosed => assert!(is_let_in && !is_probe, "{gate:?}"),
            GateMode::HalfOpen => {
                let taken = self.probes.entry(gate.generation).or_default();
                let has_more = *taken < u32::from(gate.probes);
                assert_eq!(
                    (is_let_in, is_probe),
                    (has_more || is_urgent, has_more),
                    "{taken} of {gate:?}"
                );
                *taken += u32::from(is_probe);
            }
        }
        self.permits.extend(answer.ok().map(|permit| (self.now, permit)));
    }

    fn drain(&mut self) {
        while let Some(seen) = self.ring.pop() {
            let Stage::Ended(ended) = seen.stage else { continue };
            let before = self.breaker.report(self.now);
            let changed = self.breaker.observe(seen.at, &ended, self.jitter);
            if changed == Changed::State && self.breaker.gate().mode == GateMode::Open {
                self.has_opened(before.trips_in_a_row);
            }
            if before.trips_in_a_row > self.breaker.trips_in_a_row() {
                assert_eq!(
                    (before.state, before.admission, ended.class),
                    ("closed", 1.0, OutcomeClass::Success)
                );
            }
            self.follow(changed);
        }
    }

    /// The time it opens for is that of its place in the row of trips, as far as jitter goes.
    fn has_opened(&self, trips_before: u32) {
        let settings = self.breaker.settings();
        let base = doubled(settings.open_for, trips_before, settings.max_open_for).as_secs_f64();
        let open_for = self.breaker.gate().until.since(self.now).as_secs_f64();
        let jitter = f64::from(settings.jitter);
        let (least, most) = (base * (1.0 - jitter), base * (1.0 + jitter));
        assert!(
            (least - 1e-5..=most + 1e-5).contains(&open_for),
            "{least} <= {open_for} <= {most}"
        );
        assert_eq!(self.breaker.trips_in_a_row(), trips_before + 1);
    }

    fn follow(&mut self, changed: Changed) {
        match changed {
            Changed::Nothing => {}
            Changed::Gate | Changed::State => self.cell.set_gate(self.breaker.gate()),
            Changed::ReturnProbe(generation) => {
                self.cell.return_probe(generation, self.now);
                *self.probes.get_mut(&generation).unwrap() -= 1;
            }
        }
        let (published, wanted) = (self.cell.gate(self.now), self.breaker.gate());
        assert_eq!(
            (published.mode, published.admission),
            (wanted.mode, wanted.admission)
        );
    }

    /// From here on all goes well: how long until everything is let through again?
    fn heals(&mut self) -> Duration {
        let (healed_at, force) = (self.now, Event::Force(Force::Auto));
        self.happens(&force);
        for _ in 0..1_000 {
            let gate = self.breaker.gate();
            if gate.mode == GateMode::Closed && gate.admission == u8::MAX {
                return self.now.since(healed_at);
            }
            self.happens(&Event::Ask(Urgency::Ordinary));
            while !self.permits.is_empty() {
                self.happens(&Event::End(0, OutcomeClass::Success));
            }
            self.pass(self.now + Duration::from_millis(100));
            let next = self.breaker.next_tick().unwrap_or(self.now);
            if self.breaker.gate().mode != GateMode::HalfOpen {
                self.pass(self.now.max(next));
            }
        }
        panic!("stuck: {:?}", self.breaker);
    }
}

fn settings() -> impl Strategy<Value = BreakerSettings> {
    (
        0u32..7,
        0.0f32..1.2,
        0u32..30,
        0u64..20_000,
        0u64..90_000,
        0.0f32..1.0,
        0u8..6,
        0u64..20_000,
    )
        .prop_map(
            |(
                consecutive_failures,
                error_ratio,
                min_requests,
                open_ms,
                max_open_ms,
                jitter,
                probes,
                ramp_ms,
            )| {
                BreakerSettings {
                    consecutive_failures,
                    error_ratio,
                    min_requests,
                    open_for: Duration::from_millis(open_ms),
                    max_open_for: Duration::from_millis(max_open_ms),
                    jitter,
                    half_open_probes: probes,
                    ramp: Duration::from_millis(ramp_ms),
                    ..BreakerSettings::default()
                }
            },
        )
}

proptest! {
    /// Never lets in while open, exactly its probes while half-open, opens for the right time, comes back.
    #[test]
    fn whatever_happens_it_keeps_its_word_and_comes_back(
        settings in prop_oneof![Just(BreakerSettings::default()), settings()],
        jitter in 0.0..1.0f64,
        events in prop_oneof![events(false), events(true)],
    ) {
        let mut scene = Scene::new(settings, jitter);
        for event in events {
            scene.happens(&event);
        }
        let longest = settings.max_open_for.max(settings.open_for).mul_f64(2.0) + settings.ramp;
        // Probes still out are answered as well; beside them it takes the time it is open, and the ramp.
        let took = scene.heals();
        prop_assert!(took <= longest + Duration::from_secs(20), "{took:?}");
    }

    #[test]
    fn the_base_of_its_time_only_grows_until_it_is_well(trips in 1usize..40, jitter in 0.0..1.0f64) {
        let mut breaker = opened(0);
        let mut last = Duration::ZERO;
        for _ in 0..trips {
            let until = breaker.gate().until;
            let _ = breaker.tick(until);
            let failed = probe(OutcomeClass::Reset, breaker.gate().generation);
            let _ = breaker.observe(until, &failed, jitter);
            let open_for = breaker.gate().until.since(until);
            prop_assert!(open_for.as_secs_f64() >= 8.0 - 1e-9 && open_for.as_secs_f64() <= 72.0 + 1e-9);
            prop_assert!(open_for >= last, "the same chance, and never shorter");
            last = open_for;
        }
    }
}
