//! Every interleaving of the lock-free parts, tried one by one.
//!
//! The cell is tried itself: each of its operations is a single atomic read-modify-write, so the orders of operations
//! are all there is to try. The ring's wake-up takes several steps on either side; they are written out as a model
//! here, step by step as in `ring.rs`, and every reachable state of it is visited.

use std::collections::HashSet;
use std::sync::Arc;

use tollgate_core::Moment;

use super::{Gate, GateMode, HealthCell, OutcomeRing, Permit, Urgency};

/// What one thread does, in its own order.
type Script = &'static [Step];

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A worker wants in.
    Ask,
    /// The breaker opens its half-open period of this generation, with this many probes.
    HalfOpen(u16, u8),
    /// The breaker publishes the same period once more.
    Again(u16, u8),
    /// The breaker gives a probe of this generation back.
    Return(u16),
    /// The breaker closes the target off.
    Open,
}

/// Runs `scripts` in every order that keeps each one's own, and calls `check` with the probes granted by generation.
fn every_order(scripts: &[Script], check: &mut impl FnMut(&[Step], &[u16])) {
    fn extend(
        scripts: &[Script],
        at: &mut Vec<usize>,
        order: &mut Vec<Step>,
        check: &mut impl FnMut(&[Step], &[u16]),
    ) {
        let mut is_complete = true;
        for thread in 0..scripts.len() {
            let Some(step) = scripts[thread].get(at[thread]) else {
                continue;
            };
            is_complete = false;
            at[thread] += 1;
            order.push(*step);
            extend(scripts, at, order, check);
            order.pop();
            at[thread] -= 1;
        }
        if is_complete {
            check(order, &run(order));
        }
    }
    extend(scripts, &mut vec![0; scripts.len()], &mut Vec::new(), check);
}

/// Runs one order on a real cell: the generations of the probes that were granted.
fn run(order: &[Step]) -> Vec<u16> {
    let (cell, ring) = (Arc::new(HealthCell::new(0)), Arc::new(OutcomeRing::new(64)));
    let half_open = |generation, probes| Gate {
        mode: GateMode::HalfOpen,
        probes,
        generation,
        ..Gate::CLOSED
    };
    cell.set_gate(Gate {
        mode: GateMode::Open,
        ..Gate::CLOSED
    });
    let mut granted = Vec::new();
    let mut permits: Vec<Permit> = Vec::new();
    for step in order {
        match *step {
            Step::Ask => {
                let generation = cell.gate(Moment::ZERO).generation;
                if let Ok(permit) = cell.admit(&ring, Moment::ZERO, Urgency::Ordinary) {
                    assert!(permit.is_probe());
                    granted.push(generation);
                    permits.push(permit);
                }
            }
            Step::HalfOpen(generation, probes) | Step::Again(generation, probes) => {
                cell.set_gate(half_open(generation, probes));
            }
            Step::Return(generation) => cell.return_probe(generation, Moment::ZERO),
            Step::Open => cell.set_gate(Gate {
                mode: GateMode::Open,
                ..Gate::CLOSED
            }),
        }
    }
    assert_eq!(cell.in_flight() as usize, permits.len());
    granted
}

#[test]
fn no_order_of_asking_and_publishing_grants_more_probes_than_there_are() {
    const ASK: Script = &[Step::Ask];
    const BREAKER: Script = &[
        Step::HalfOpen(1, 2),
        Step::Again(1, 2),
        Step::Return(1),
        Step::Open,
        Step::HalfOpen(2, 1),
        Step::Return(1),
    ];
    let mut orders = 0;
    let mut most = [0; 3];
    every_order(&[BREAKER, ASK, ASK, ASK, ASK], &mut |order, granted| {
        orders += 1;
        let of = |generation| granted.iter().filter(|it| **it == generation).count();
        // Two and the one given back; one, for what comes back late counts for nothing.
        assert!(of(1) <= 3 && of(2) <= 1, "{order:?}: {granted:?}");
        most = [0, most[1].max(of(1)), most[2].max(of(2))];
    });
    assert_eq!(orders, 5_040, "10! / 6! interleavings");
    assert_eq!(most, [0, 3, 1], "and every probe can be had");
}

/// Where a writer stands in `post`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Writer {
    Push,
    Arm,
    Wake,
    Done,
}

/// Where the reader stands in `poll_posted` and behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reader {
    Register,
    Disarm,
    Drain,
    Asleep,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    writers: Vec<Writer>,
    reader: Reader,
    queued: u8,
    is_armed: bool,
    is_registered: bool,
    /// The executor was told to poll again.
    is_woken: bool,
}

impl State {
    /// Every state that is one step away.
    fn successors(&self) -> Vec<Self> {
        let by_writer = (0..self.writers.len()).filter_map(|number| self.write(number));
        by_writer.chain(self.read()).collect()
    }

    fn write(&self, number: usize) -> Option<Self> {
        let mut next = self.clone();
        next.writers[number] = match self.writers[number] {
            Writer::Push => {
                next.queued += 1;
                Writer::Arm
            }
            Writer::Arm => {
                next.is_armed = true;
                if self.is_armed { Writer::Done } else { Writer::Wake }
            }
            Writer::Wake => {
                next.is_woken |= self.is_registered;
                next.is_registered = false;
                Writer::Done
            }
            Writer::Done => return None,
        };
        Some(next)
    }

    fn read(&self) -> Option<Self> {
        let mut next = self.clone();
        next.reader = match self.reader {
            Reader::Register => {
                next.is_registered = true;
                Reader::Disarm
            }
            Reader::Disarm => {
                next.is_armed = false;
                if self.is_armed {
                    Reader::Drain
                } else {
                    Reader::Asleep
                }
            }
            Reader::Drain if self.queued > 0 => {
                next.queued -= 1;
                Reader::Drain
            }
            Reader::Drain => Reader::Register,
            Reader::Asleep if self.is_woken => {
                next.is_woken = false;
                Reader::Register
            }
            Reader::Asleep => return None,
        };
        Some(next)
    }
}

#[test]
fn no_order_of_posting_and_reading_leaves_an_outcome_with_a_sleeping_reader() {
    let first = State {
        writers: vec![Writer::Push; 4],
        reader: Reader::Register,
        queued: 0,
        is_armed: false,
        is_registered: false,
        is_woken: false,
    };
    let mut seen = HashSet::from([first.clone()]);
    let mut ahead = vec![first];
    let mut ends = 0;
    while let Some(state) = ahead.pop() {
        let successors = state.successors();
        if successors.is_empty() {
            ends += 1;
            assert_eq!(state.queued, 0, "lost: {state:?}");
        }
        ahead.extend(successors.into_iter().filter(|next| seen.insert(next.clone())));
    }
    assert!(
        ends > 0 && seen.len() > 1_000,
        "{} states, {ends} ends",
        seen.len()
    );
}
