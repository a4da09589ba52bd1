//! One target's health as every worker sees it: 64 bytes of atomics, each with one writer.
//!
//! Readers may see the latency of one moment beside the error ratio of the next: each is true, and no decision
//! needs them to be of the same instant. What must be seen together stands in one word.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tollgate_core::Moment;

use super::gate::{Gate, GateMode, high_half, near, wrapped_millis};
use super::permit::{NotAdmitted, Permit};
use crate::OutcomeRing;

/// What health has measured of a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Vitals {
    /// Peak-EWMA of the time to first token, microseconds, as of `measured_at`; `None`: never measured.
    pub ttft_us: Option<f32>,
    /// When it was measured last. To the millisecond.
    pub measured_at: Moment,
    /// Peak-EWMA of the time per output token after the first, microseconds; `None`: never measured.
    pub per_token_us: Option<f32>,
    /// 95th percentile of the time to first token, microseconds; `None`: too few samples.
    pub p95_ttft_us: Option<f32>,
    /// Mean number of other requests in flight while these times were measured.
    pub load: f32,
    /// Failures over requests in the window, `0.0..=1.0`.
    pub error_ratio: f32,
    /// Requests in the window that say something about the target.
    pub samples: u32,
    /// Mean length of an answer in tokens; `None`: never measured.
    pub output_tokens: Option<f32>,
    /// Prompt tokens that the provider reports, over those that the gateway estimated.
    pub prompt_ratio: f32,
}

impl Default for Vitals {
    fn default() -> Self {
        Self {
            ttft_us: None,
            measured_at: Moment::ZERO,
            per_token_us: None,
            p95_ttft_us: None,
            load: 0.0,
            error_ratio: 0.0,
            samples: 0,
            output_tokens: None,
            prompt_ratio: 1.0,
        }
    }
}

/// The health of one target.
#[derive(Debug)]
#[repr(align(64))]
pub struct HealthCell {
    /// A packed [`Gate`]. Written by the breaker; workers take probes out of it.
    gate: AtomicU64,
    /// `ttft_us` and when it was measured. Written by health.
    ttft: AtomicU64,
    /// `per_token_us` and `p95_ttft_us`. Written by health.
    pace: AtomicU64,
    /// `error_ratio` and `load`. Written by health.
    reliability: AtomicU64,
    /// `output_tokens` and `prompt_ratio`. Written by health.
    tokens: AtomicU64,
    /// Written by health.
    samples: AtomicU32,
    /// Requests at the target now. Written by every worker at once, so that a burst is seen before its outcomes.
    in_flight: AtomicU32,
    slot: u32,
}

/// `None` as a number: no measured value is it.
const NONE: f32 = f32::NAN;

impl HealthCell {
    /// A target of which nothing is known.
    pub fn new(slot: u32) -> Self {
        let cell = Self {
            gate: AtomicU64::new(Gate::CLOSED.pack()),
            ttft: AtomicU64::default(),
            pace: AtomicU64::default(),
            reliability: AtomicU64::default(),
            tokens: AtomicU64::default(),
            samples: AtomicU32::default(),
            in_flight: AtomicU32::default(),
            slot,
        };
        cell.publish(&Vitals::default());
        cell
    }

    /// Tells the cells of one board apart.
    pub fn slot(&self) -> u32 {
        self.slot
    }

    /// What is known of the target; `now` is needed to read its clock, which wraps after 49 days.
    pub fn vitals(&self, now: Moment) -> Vitals {
        let ttft = self.ttft.load(Ordering::Relaxed);
        let (per_token, p95) = floats(self.pace.load(Ordering::Relaxed));
        let (error_ratio, load) = floats(self.reliability.load(Ordering::Relaxed));
        let (output_tokens, prompt_ratio) = floats(self.tokens.load(Ordering::Relaxed));
        let known = |value: f32| (!value.is_nan()).then_some(value);
        Vitals {
            ttft_us: known(low_float(ttft)),
            measured_at: near(now, high_half(ttft)).min(now),
            per_token_us: known(per_token),
            p95_ttft_us: known(p95),
            load,
            error_ratio,
            samples: self.samples.load(Ordering::Relaxed),
            output_tokens: known(output_tokens),
            prompt_ratio,
        }
    }

    /// Publishes what health has measured. To be called by the target's health alone.
    pub fn publish(&self, vitals: &Vitals) {
        let ttft = u64::from(vitals.ttft_us.unwrap_or(NONE).to_bits());
        let measured_at = u64::from(wrapped_millis(vitals.measured_at)) << 32;
        self.ttft.store(measured_at | ttft, Ordering::Relaxed);
        let pace = pair(
            vitals.per_token_us.unwrap_or(NONE),
            vitals.p95_ttft_us.unwrap_or(NONE),
        );
        self.pace.store(pace, Ordering::Relaxed);
        self.reliability
            .store(pair(vitals.error_ratio, vitals.load), Ordering::Relaxed);
        let tokens = pair(vitals.output_tokens.unwrap_or(NONE), vitals.prompt_ratio);
        self.tokens.store(tokens, Ordering::Relaxed);
        self.samples.store(vitals.samples, Ordering::Relaxed);
    }

    /// What the breaker lets through.
    pub fn gate(&self, now: Moment) -> Gate {
        Gate::unpack(self.gate.load(Ordering::Acquire), now)
    }

    /// Publishes what the breaker lets through. To be called by the target's breaker alone.
    ///
    /// A gate of the same half-open generation keeps the probes that workers have taken meanwhile.
    pub fn set_gate(&self, gate: Gate) {
        let now = gate.until;
        let change = |word| {
            let held = Gate::unpack(word, now);
            let goes_on = held.mode == GateMode::HalfOpen
                && gate.mode == GateMode::HalfOpen
                && held.generation == gate.generation;
            let probes = if goes_on { held.probes } else { gate.probes };
            Some(Gate { probes, ..gate }.pack())
        };
        // Release: who sees the new state sees what led to it.
        let _ = self
            .gate
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, change);
    }

    /// Gives one probe back: what was sent said nothing about the target. To be called by the breaker alone.
    pub fn return_probe(&self, generation: u16, now: Moment) {
        let back = |word| {
            let gate = Gate::unpack(word, now);
            let same = gate.mode == GateMode::HalfOpen && gate.generation == generation;
            same.then(|| {
                Gate {
                    probes: gate.probes.saturating_add(1),
                    ..gate
                }
                .pack()
            })
        };
        let _ = self.gate.fetch_update(Ordering::AcqRel, Ordering::Acquire, back);
    }

    /// Requests at the target now.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Lets a request in, if the gate does, and counts it until the permit is dropped. The outcome is posted to
    /// `ring`.
    ///
    /// # Errors
    /// The state in which the gate lets nobody in. What an operator has forced holds whatever the urgency.
    pub fn admit(
        self: &Arc<Self>,
        ring: &Arc<OutcomeRing>,
        now: Moment,
        urgency: Urgency,
    ) -> Result<Permit, NotAdmitted> {
        let word = self.gate.load(Ordering::Acquire);
        let mode = Gate::unpack(word, now).mode;
        let probe = match (mode, urgency) {
            (GateMode::Closed | GateMode::ForcedClosed, _) | (GateMode::Open, Urgency::NobodyElse) => None,
            (GateMode::HalfOpen, _) => match (self.take_probe(), urgency) {
                (Some(generation), _) => Some(generation),
                (None, Urgency::NobodyElse) => None,
                (None, Urgency::Ordinary) => return Err(NotAdmitted(mode)),
            },
            _ => return Err(NotAdmitted(mode)),
        };
        let others = self.enter();
        Ok(Permit::new(self.clone(), ring.clone(), now, others, probe))
    }

    /// Takes a probe out of a half-open gate: its generation.
    fn take_probe(&self) -> Option<u16> {
        let taken = self
            .gate
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, Gate::without_probe);
        taken
            .ok()
            .map(|before| Gate::unpack(before, Moment::ZERO).generation)
    }

    /// Counts one more in flight: how many others there are.
    pub(super) fn enter(&self) -> u32 {
        self.in_flight.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether there is somebody else to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// There is: an open breaker means no.
    Ordinary,
    /// All breakers of the route are open, and it says that somebody must be asked all the same.
    NobodyElse,
}

fn pair(low: f32, high: f32) -> u64 {
    (u64::from(high.to_bits()) << 32) | u64::from(low.to_bits())
}

fn low_float(word: u64) -> f32 {
    f32::from_bits(u32::try_from(word & u64::from(u32::MAX)).unwrap_or(0))
}

fn floats(word: u64) -> (f32, f32) {
    (low_float(word), f32::from_bits(high_half(word)))
}

#[cfg(test)]
mod tests;
