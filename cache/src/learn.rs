//! Learning from use: which scores have proven right, where, and which have not.
//!
//! A score says how likely two questions ask for the same; the threshold that each mode ships with was chosen on
//! pairs of other people. What is asked here may be easier or harder. So answers that would have been given by meaning
//! are compared with those that came instead (rechecks, shadowing), clients say what was wrong, and thresholds follow:
//! up as soon as it shows that what is promised does not hold, down only once it is proven that it would hold there
//! too. How, is told in `learn/evidence.rs`.
//!
//! Evidence is gathered by *class*: the route and the tenant (a virtual key, or the space that is shared). A partition
//! would be too small for that: each system prompt is one, and hundreds of verdicts are needed before anything can be
//! said. A route would be too large: one tenant's bad luck, or ill will, would move the thresholds of all others. There
//! are at most [`MOST_CLASSES`] classes of tenants, and none is ever forgotten, for forgetting would open what has
//! been closed. Tenants that come later share a class of their route, and beyond [`MOST_ROUTES`] of those, one for
//! all. A tenant without evidence of its own goes by that class too, once there is one.
//!
//! Only the keeper of the cache writes; workers read a number that is there already. It starts anew with each process.

mod confidence;
mod evidence;
mod recent;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use dashmap::DashMap;
use parking_lot::Mutex;
use rapidhash::fast::RandomState;
use tollgate_core::{Digest, fnv1a};

use crate::verify::Thresholds;
use crate::{EntryId, Mode};
use evidence::{Evidence, MODES, Scale, at};
use recent::Recent;

pub use evidence::Bin;
pub use recent::Seen;

/// Classes of tenants. Each takes about a kilobyte.
pub const MOST_CLASSES: usize = 4_096;
/// Classes of routes, for tenants that have none of their own.
pub const MOST_ROUTES: usize = 1_024;

/// What a comparison of two answers came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// They say the same.
    Same,
    /// They are about the same, but may differ in a number, a name, a negation.
    Unclear,
    /// They are about something else.
    Other,
}

/// Who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The answer that came instead.
    Comparison,
    /// A client that was served.
    Client,
}

/// Whose evidence belongs together: a route and a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClassId(u64);

impl ClassId {
    /// The class of a tenant on a route.
    pub fn of(route: &str, tenant: &str) -> Self {
        // No text has a byte of 255 in it.
        Self(fnv1a(route.bytes().chain([255]).chain(tenant.bytes())))
    }

    fn of_route(route: &str) -> Self {
        Self(fnv1a(route.bytes().chain([255, 255])))
    }

    fn of_all() -> Self {
        Self(fnv1a([255, 255, 255]))
    }
}

/// What was learned from use.
#[derive(Debug)]
pub struct Experience {
    scale: Scale,
    classes: DashMap<ClassId, Arc<Class>, RandomState>,
    /// Classes of tenants, and of routes. Written by the keeper.
    tenants: AtomicUsize,
    routes: AtomicUsize,
    recent: Recent,
    tally: Tally,
}

/// A class, in use.
#[derive(Debug)]
struct Class {
    /// `None`: that of all.
    route: Option<Arc<str>>,
    /// `None`: those of the route that have none of their own.
    tenant: Option<Arc<str>>,
    evidence: Mutex<Evidence>,
    /// By mode, as bits; infinite: nothing is served by meaning. Written by the keeper.
    thresholds: [AtomicU32; MODES.len()],
}

/// Counts verdicts. Written by the keeper.
#[derive(Debug, Default)]
struct Tally {
    same: [AtomicU64; 2],
    unclear: [AtomicU64; 2],
    other: [AtomicU64; 2],
    condemned: AtomicU64,
}

/// A class, as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassReport {
    /// `None`: all routes that have no class of their own.
    pub route: Option<Arc<str>>,
    /// `None`: all tenants that have no class of their own.
    pub tenant: Option<Arc<str>>,
    /// By mode, from strict to loose.
    pub thresholds: Vec<LearnedThreshold>,
    /// What there is in evidence, by score, from low to high.
    pub bins: Vec<Bin>,
}

/// The score that a mode wants in a class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearnedThreshold {
    /// Which mode.
    pub mode: Mode,
    /// What it ships with.
    pub shipped: f32,
    /// What is in force. `None`: nothing is served by meaning.
    pub current: Option<f32>,
}

/// What has been learned, in numbers, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lessons {
    /// By comparison of answers.
    pub compared: Verdicts,
    /// By clients.
    pub told: Verdicts,
    /// Entries that were found wrong.
    pub condemned: u64,
    /// Classes with any evidence.
    pub classes: u64,
    /// Classes in which some mode serves nothing by meaning.
    pub closed: u64,
    /// Classes in which some mode wants more than it ships with.
    pub raised: u64,
    /// Classes in which some mode wants less than it ships with.
    pub lowered: u64,
}

/// Verdicts, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verdicts {
    /// Right.
    pub same: u64,
    /// Perhaps.
    pub unclear: u64,
    /// Wrong.
    pub other: u64,
}

impl Experience {
    /// None yet: each mode wants what it ships with.
    pub fn new(shipped: Thresholds) -> Self {
        Self {
            scale: Scale::new(shipped),
            classes: DashMap::with_hasher(RandomState::default()),
            tenants: AtomicUsize::new(0),
            routes: AtomicUsize::new(0),
            recent: Recent::default(),
            tally: Tally::default(),
        }
    }

    /// The least score that counts as the same. Infinite: none does. `None`: in this mode meaning does not count.
    pub fn threshold(&self, route: &str, tenant: &str, mode: Mode) -> Option<f32> {
        let place = place(mode)?;
        Some(
            self.learned(route, tenant, place)
                .unwrap_or_else(|| self.scale.shipped(place)),
        )
    }

    /// The score that the mode ships with. `None`: in this mode meaning does not count.
    pub fn shipped(&self, mode: Mode) -> Option<f32> {
        place(mode).map(|place| self.scale.shipped(place))
    }

    /// The least score that a mode can come down to: what the next looser one ships with.
    pub fn floor(&self, mode: Mode) -> Option<f32> {
        place(mode).map(|place| self.scale.floor(place))
    }

    fn learned(&self, route: &str, tenant: &str, place: usize) -> Option<f32> {
        // Mostly nothing has been learned of anybody. Tenants have classes before anything else has.
        if self.tenants.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let own = self.classes.get(&ClassId::of(route, tenant));
        let class = own
            .or_else(|| self.classes.get(&ClassId::of_route(route)))
            .or_else(|| self.classes.get(&ClassId::of_all()))?;
        let bits = class.thresholds.get(place)?.load(Ordering::Relaxed);
        Some(f32::from_bits(bits))
    }

    /// An answer was, or would have been, given at this score, and this is what it was worth. For the keeper.
    pub fn judged(
        &self,
        route: &Arc<str>,
        tenant: &Arc<str>,
        score: f32,
        agreement: Agreement,
        source: Source,
    ) {
        self.tally.count(agreement, source);
        let Some(bin) = self.scale.bin(score) else { return };
        let class = self.class(route, tenant);
        let mut evidence = class.evidence.lock();
        evidence.add(bin, agreement);
        for (place, threshold) in class.thresholds.iter().enumerate() {
            let learned = self.scale.edge(evidence.threshold(place));
            threshold.store(learned.to_bits(), Ordering::Relaxed);
        }
    }

    /// The class of a tenant, made if need be.
    fn class(&self, route: &Arc<str>, tenant: &Arc<str>) -> Arc<Class> {
        let own = ClassId::of(route, tenant);
        let of_route = ClassId::of_route(route);
        if let Some(class) = self.classes.get(&own) {
            return Arc::clone(&class);
        }
        if self.tenants.load(Ordering::Relaxed) < MOST_CLASSES {
            self.tenants.fetch_add(1, Ordering::Relaxed);
            return self.made(own, Some(route), Some(tenant));
        }
        if let Some(class) = self.classes.get(&of_route) {
            return Arc::clone(&class);
        }
        if self.routes.load(Ordering::Relaxed) < MOST_ROUTES {
            self.routes.fetch_add(1, Ordering::Relaxed);
            return self.made(of_route, Some(route), None);
        }
        self.made(ClassId::of_all(), None, None)
    }

    fn made(&self, id: ClassId, route: Option<&Arc<str>>, tenant: Option<&Arc<str>>) -> Arc<Class> {
        let class = self.classes.entry(id).or_insert_with(|| {
            Arc::new(Class {
                route: route.cloned(),
                tenant: tenant.cloned(),
                evidence: Mutex::default(),
                thresholds: std::array::from_fn(|place| AtomicU32::new(self.scale.shipped(place).to_bits())),
            })
        });
        Arc::clone(&class)
    }

    /// An entry was given to a key by meaning: it may say what it thinks of it.
    pub fn served(&self, entry: EntryId, key: &str, seen: Seen) {
        self.recent.served(entry, key, seen);
    }

    /// Whether this entry was given to this key by meaning, not long ago.
    pub fn was_served(&self, entry: EntryId, key: &str) -> bool {
        self.recent.was_served(entry, key)
    }

    /// What is to be judged, the first time that this key speaks of this entry. `None`: it was not given to it by
    /// meaning, or too long ago, or it has spoken before.
    pub fn heard(&self, entry: EntryId, key: &str) -> Option<Seen> {
        self.recent.heard(entry, key)
    }

    /// An answer to the one question was wrong for the other: from now on neither is answered by the other's.
    pub fn part(&self, one: Digest, other: Digest) {
        self.recent.part(one, other);
    }

    /// Whether one's answer was wrong for the other.
    pub fn are_parted(&self, one: Digest, other: Digest) -> bool {
        self.recent.are_parted(one, other)
    }

    /// An entry was found wrong.
    pub fn condemned(&self) {
        self.tally.condemned.fetch_add(1, Ordering::Relaxed);
    }

    /// All classes with evidence, in no order.
    pub fn report(&self) -> Vec<ClassReport> {
        let classes: Vec<Arc<Class>> = self.classes.iter().map(|it| Arc::clone(&it)).collect();
        classes.iter().map(|class| self.shown(class)).collect()
    }

    fn shown(&self, class: &Class) -> ClassReport {
        let thresholds = MODES.iter().enumerate().rev().map(|(place, mode)| {
            let current = class.thresholds.get(place);
            let current = current.map(|it| f32::from_bits(it.load(Ordering::Relaxed)));
            LearnedThreshold {
                mode: *mode,
                shipped: self.scale.shipped(place),
                current: current.filter(|it| it.is_finite()),
            }
        });
        ClassReport {
            route: class.route.clone(),
            tenant: class.tenant.clone(),
            thresholds: thresholds.collect(),
            bins: class.evidence.lock().bins(&self.scale),
        }
    }

    /// What has been learned, in numbers.
    pub fn lessons(&self) -> Lessons {
        let mut lessons = self.tally.lessons();
        for class in &self.classes {
            let current = |place: usize| {
                let bits = class.thresholds.get(place)?.load(Ordering::Relaxed);
                Some((f32::from_bits(bits), self.scale.shipped(place)))
            };
            let any = |holds: fn((f32, f32)) -> bool| (0..MODES.len()).filter_map(current).any(holds);
            lessons.classes += 1;
            lessons.closed += u64::from(any(|(now, _)| now.is_infinite()));
            lessons.raised += u64::from(any(|(now, shipped)| now > shipped && now.is_finite()));
            lessons.lowered += u64::from(any(|(now, shipped)| now < shipped));
        }
        lessons
    }
}

/// Where the mode stands among those that count by meaning.
fn place(mode: Mode) -> Option<usize> {
    MODES.iter().position(|it| *it == mode)
}

impl Tally {
    fn count(&self, agreement: Agreement, source: Source) {
        let [compared, told] = match agreement {
            Agreement::Same => &self.same,
            Agreement::Unclear => &self.unclear,
            Agreement::Other => &self.other,
        };
        let count = match source {
            Source::Comparison => compared,
            Source::Client => told,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn lessons(&self) -> Lessons {
        let of = |place: usize| Verdicts {
            same: at(&self.same, place),
            unclear: at(&self.unclear, place),
            other: at(&self.other, place),
        };
        Lessons {
            compared: of(0),
            told: of(1),
            condemned: self.condemned.load(Ordering::Relaxed),
            ..Lessons::default()
        }
    }
}
