//! The decision, as one pure function: a question in, an order with reasons out.
//!
//! Candidates stand in groups (the route, then its fallbacks; within each by priority). Within a group a policy
//! decides: by static weights, or by a score of cost, latency and availability. Nothing is read but the
//! [`Question`], so the same question gets the same answer to the bit, today in the router and tomorrow in a replay.

mod draw;
mod score;

use serde::{Deserialize, Serialize};

use crate::question::{Admission, Facts, Group, Question};
use crate::{OnNoCandidates, Policy, Strategy};
use draw::{Lot, chance, exponential};

pub use score::Terms;

/// One place in the order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// Which of [`Question::candidates`].
    pub candidate: u16,
    /// What put it there.
    pub place: Place,
    /// Its score and the terms of it. Where weights decide, they are told all the same.
    pub terms: Terms,
}

/// What put a candidate where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A half-open breaker wants to know whether it works again.
    Probe,
    /// A canary's share of the requests.
    Canary,
    /// Nothing has been heard of it for a while.
    Explored,
    /// The session stays where it is.
    Sticky,
    /// The less busy of two drawn from those that are about as good as the best.
    Sampled,
    /// By its score.
    Score,
    /// By a draw in which each has its static weight.
    Weight,
    /// It is being re-admitted, and this request is not among its share; or a canary's other requests.
    Reserve,
    /// Nobody is healthy, and somebody must be asked.
    LastResort,
}

impl Place {
    /// The name in decisions and the admin API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Canary => "canary",
            Self::Explored => "explored",
            Self::Sticky => "sticky",
            Self::Sampled => "sampled",
            Self::Score => "score",
            Self::Weight => "weight",
            Self::Reserve => "reserve",
            Self::LastResort => "last_resort",
        }
    }
}

/// Memory that one router uses for one decision after the other.
#[derive(Debug, Default)]
pub struct Ranking {
    order: Vec<Ranked>,
    shape: Shape,
    scratch: Scratch,
}

/// What most questions are, seen while their candidates are collected: then whole passes over them are not needed.
#[derive(Debug, Clone, Copy, Default)]
struct Shape {
    /// All are of one route and one priority.
    is_one_group: bool,
    /// None is a canary, a probe or being re-admitted.
    is_plain: bool,
}

/// Lists that are empty between decisions, kept for their memory.
#[derive(Debug, Default)]
struct Scratch {
    /// Medians are found in here.
    values: Vec<f32>,
    /// Sorting by something that is dear to compute.
    lots: Vec<(f64, Ranked)>,
    /// Positions of those about as good as the best.
    near: Vec<usize>,
    /// Scores with positions: sorting them moves eight bytes, not all of a [`Ranked`].
    keys: Vec<u64>,
    /// A group in its order.
    sorted: Vec<Ranked>,
}

/// Nothing heard for this long makes a candidate worth exploring, milliseconds.
const STALE_MS: u32 = 1_000;

impl Ranking {
    /// Orders the candidates of `question` that may be asked, best first. In panic mode
    /// ([`OnNoCandidates::TryAnyway`]) those whom only their health forbids.
    ///
    /// Allocates nothing once its memory has grown to the largest question.
    pub fn rank(&mut self, question: &Question) -> &[Ranked] {
        self.collect(question, |facts| facts.filter.is_none());
        if self.order.is_empty() && tries_anyway(question) {
            self.collect(question, |facts| {
                facts.filter.is_some_and(crate::Filter::is_health)
            });
            self.order_groups(question);
            for ranked in &mut self.order {
                ranked.place = Place::LastResort;
            }
        } else {
            self.order_groups(question);
        }
        &self.order
    }

    fn collect(&mut self, question: &Question, may_be_asked: impl Fn(&Facts) -> bool) {
        self.order.clear();
        let place_of = |it: &Facts| (it.fallback, it.priority);
        let first = question.candidates.first().map(place_of);
        let mut shape = Shape {
            is_one_group: true,
            is_plain: true,
        };
        for (candidate, facts) in (0u16..).zip(&question.candidates) {
            if !may_be_asked(facts) {
                continue;
            }
            shape.is_one_group &= first == Some(place_of(facts));
            shape.is_plain &= facts.gate == Admission::All && facts.canary.is_none();
            self.order.push(Ranked {
                candidate,
                place: Place::Score,
                terms: Terms::default(),
            });
        }
        self.shape = shape;
    }

    /// Sorts by group, then orders each.
    fn order_groups(&mut self, question: &Question) {
        let place_of = |it: &Ranked| facts(question, it).map(|facts| (facts.fallback, facts.priority));
        if !self.shape.is_one_group && !self.order.is_sorted_by_key(place_of) {
            self.order.sort_unstable_by_key(|it| (place_of(it), it.candidate));
        }
        let mut start = 0;
        while let Some(first) = self.order.get(start) {
            let place = place_of(first);
            let rest = self.order.get(start..).unwrap_or_default();
            let end = if self.shape.is_one_group {
                self.order.len()
            } else {
                start + rest.iter().take_while(|it| place_of(it) == place).count()
            };
            let policy = facts(question, first)
                .and_then(|facts| question.groups.get(usize::from(facts.fallback)))
                .map_or_else(Policy::default, |group: &Group| group.policy);
            self.order_group(question, &policy, start..end);
            start = end;
        }
        if !self.shape.is_plain {
            self.hold_back(question);
        }
    }

    /// Whoever is being re-admitted, and not with this request, comes after the other priorities of its route, too.
    fn hold_back(&mut self, question: &Question) {
        let held = |it: &Ranked| {
            facts(question, it).map(|facts| {
                let is_held = matches!(facts.gate, Admission::Share(_)) && it.place == Place::Reserve;
                (facts.fallback, is_held)
            })
        };
        if !self.order.is_sorted_by_key(held) {
            sort_by_lot(&mut self.order, &mut self.scratch.lots, |position, it| {
                let (fallback, is_held) = held(it).unwrap_or_default();
                let place = 2.0 * f64::from(fallback) + f64::from(u8::from(is_held));
                place * f64::from(u16::MAX) + f64::from(position)
            });
        }
    }

    fn order_group(&mut self, question: &Question, policy: &Policy, group: std::ops::Range<usize>) {
        let Some(members) = self.order.get_mut(group) else {
            return;
        };
        score::score(question, policy.weights, members, &mut self.scratch.values);
        match policy.strategy {
            Strategy::Weighted => by_weight(question, policy, members, &mut self.scratch.lots),
            Strategy::Scored => by_score(question, policy, members, &mut self.scratch),
        }
        if !self.shape.is_plain {
            by_admission(question, members, &mut self.scratch.lots);
        }
    }
}

fn tries_anyway(question: &Question) -> bool {
    question
        .groups
        .first()
        .is_some_and(|group| group.policy.on_no_candidates == OnNoCandidates::TryAnyway)
}

fn facts<'q>(question: &'q Question, ranked: &Ranked) -> Option<&'q Facts> {
    question.candidates.get(usize::from(ranked.candidate))
}

/// A weighted draw without replacement (Efraimidis and Spirakis 2006, "Weighted random sampling with a
/// reservoir": rank by −ln(u)/w), so that the first place falls to each target in proportion to its weight, and
/// so does every later one among those left. For a session, u is a hash of it and the target (weighted rendezvous
/// hashing): every worker and node draws the same.
fn by_weight(question: &Question, policy: &Policy, members: &mut [Ranked], lots: &mut Vec<(f64, Ranked)>) {
    let lot = Lot::order(question, policy.sticky);
    sort_by_lot(members, lots, |_, it| {
        let drawn = |facts: &Facts| exponential(lot, facts.key, f64::from(facts.weight));
        facts(question, it).map_or(f64::INFINITY, drawn)
    });
    let is_session = policy.sticky && question.session.is_some();
    for (position, member) in members.iter_mut().enumerate() {
        member.place = match position {
            0 if is_session => Place::Sticky,
            _ => Place::Weight,
        };
    }
}

/// By score; but the first place goes to one of those about as good as the best, so that workers who all see the
/// same averages do not all run to the same target: of two drawn at random the one with fewer requests in flight
/// (Mitzenmacher 2001, "The power of two choices in randomized load balancing"), or the session's own.
fn by_score(question: &Question, policy: &Policy, members: &mut [Ranked], scratch: &mut Scratch) {
    sort_by_score(members, scratch);
    let near = &mut scratch.near;
    if let Some(position) = explored(question, policy, members) {
        promote(members, position, Place::Explored);
        return;
    }
    let Some(best) = members.first().map(|it| it.terms.score) else {
        return;
    };
    near.clear();
    let admits = |it: &Ranked| facts(question, it).is_some_and(|facts| is_ordinary(question, facts));
    near.extend(
        (0..members.len())
            .zip(members.iter())
            .filter(|(_, it)| it.terms.score <= best + policy.near_best && admits(it))
            .map(|(position, _)| position),
    );
    if near.len() < 2 {
        return;
    }
    if policy.sticky && question.session.is_some() {
        let lot = |position: &usize| -> f64 {
            let facts = members.get(*position).and_then(|it| facts(question, it));
            facts.map_or(f64::INFINITY, |it| {
                exponential(Lot::Session(question.session), it.key, 1.0)
            })
        };
        let chosen = near.iter().copied().min_by(|a, b| lot(a).total_cmp(&lot(b)));
        promote(members, chosen.unwrap_or(0), Place::Sticky);
    } else {
        let first = draw::below(question.seed, 1, near.len());
        let second = (first + 1 + draw::below(question.seed, 2, near.len() - 1)) % near.len();
        let in_flight = |drawn: usize| -> u32 {
            let member = near.get(drawn).and_then(|position| members.get(*position));
            let facts = member.and_then(|it| facts(question, it));
            facts.map_or(u32::MAX, |it| it.in_flight)
        };
        // By their scores the worst of three would never be the better of two.
        let is_less_busy = in_flight(second) < in_flight(first);
        let chosen = near.get(if is_less_busy { second } else { first }).copied();
        promote(members, chosen.unwrap_or(0), Place::Sampled);
    }
}

/// Now and then, somebody of whom nothing has been heard for a while.
fn explored(question: &Question, policy: &Policy, members: &[Ranked]) -> Option<usize> {
    if members.len() < 2 || chance(question.seed, 3) >= f64::from(policy.explore) {
        return None;
    }
    let is_stale = |it: &Ranked| {
        facts(question, it).is_some_and(|facts| {
            let unheard = facts.age_ms >= STALE_MS || facts.ttft_us.is_none();
            unheard && facts.in_flight == 0 && is_ordinary(question, facts)
        })
    };
    let stale = members.iter().filter(|it| is_stale(it)).count();
    if stale == 0 {
        return None;
    }
    let wanted = draw::below(question.seed, 4, stale);
    let mut positions = (0..members.len()).zip(members).filter(|(_, it)| is_stale(it));
    positions.nth(wanted).map(|(position, _)| position)
}

/// Neither a canary, nor on probation, nor left out of a share that is re-admitted.
fn is_ordinary(question: &Question, facts: &Facts) -> bool {
    let admitted = match facts.gate {
        Admission::All => true,
        Admission::Share(share) => chance(question.seed ^ facts.key, 5) < f64::from(share) / 255.0,
        Admission::Probe => false,
    };
    admitted && facts.canary.is_none()
}

/// Probes and canaries whose turn it is go first, those who are held back go last.
fn by_admission(question: &Question, members: &mut [Ranked], lots: &mut Vec<(f64, Ranked)>) {
    for member in members.iter_mut() {
        let Some(facts) = facts(question, member) else {
            continue;
        };
        if facts.gate == Admission::Probe {
            member.place = Place::Probe;
        } else if let Some(share) = facts.canary {
            let lot = Lot::order(question, true).mixed(facts.key);
            let is_turn = chance(lot, 6) < f64::from(share);
            member.place = if is_turn { Place::Canary } else { Place::Reserve };
        } else if !is_ordinary(question, facts) {
            member.place = Place::Reserve;
        }
    }
    let turn = |it: &Ranked| match it.place {
        Place::Probe => 0,
        Place::Canary => 1,
        Place::Reserve => 3,
        _ => 2,
    };
    if members.iter().any(|it| turn(it) != 2) {
        sort_by_lot(members, lots, |position, it| {
            f64::from(turn(it)) * f64::from(u16::MAX) + f64::from(position)
        });
    }
}

/// Sorts by score; of equals, who stood first stays first.
fn sort_by_score(members: &mut [Ranked], scratch: &mut Scratch) {
    let Scratch { keys, sorted, .. } = scratch;
    keys.clear();
    let key =
        |(position, it): (u32, &Ranked)| (u64::from(ascending(it.terms.score)) << 32) | u64::from(position);
    keys.extend((0u32..).zip(members.iter()).map(key));
    keys.sort_unstable();
    let position = |key: &u64| usize::try_from(key & u64::from(u32::MAX)).unwrap_or(usize::MAX);
    sorted.clear();
    sorted.extend(keys.iter().filter_map(|key| members.get(position(key))));
    for (member, sorted) in members.iter_mut().zip(&*sorted) {
        *member = *sorted;
    }
}

/// A number that rises with `value`, in the order of [`f32::total_cmp`].
fn ascending(value: f32) -> u32 {
    let bits = value.to_bits();
    if value.is_sign_negative() {
        !bits
    } else {
        bits | (1 << 31)
    }
}

/// Sorts by a key that is computed once for each; `key` gets each one's position.
fn sort_by_lot(members: &mut [Ranked], lots: &mut Vec<(f64, Ranked)>, key: impl Fn(u16, &Ranked) -> f64) {
    lots.clear();
    lots.extend(
        (0u16..)
            .zip(members.iter())
            .map(|(position, it)| (key(position, it), *it)),
    );
    lots.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.candidate.cmp(&b.1.candidate)));
    for (member, (_, sorted)) in members.iter_mut().zip(&*lots) {
        *member = *sorted;
    }
}

/// Moves one to the front; the others keep their order.
fn promote(members: &mut [Ranked], position: usize, place: Place) {
    if let Some(front) = members.get_mut(..=position) {
        front.rotate_right(1);
    }
    if let Some(first) = members.first_mut() {
        first.place = place;
    }
}

#[cfg(test)]
mod tests;
