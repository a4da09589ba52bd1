//! Who behaves how: behaviours by key, and one lane per provider and model with its request counter and figures.
//!
//! A request finds its behaviour under, in this order: `provider/model` and `model` with the behaviour words of the
//! name, the same without them, `provider/*`, the default. The words are then laid over what was found. The counter
//! of a lane starts at 0 when the behaviour it follows is set, so that `fail_first` and the dice do, too.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use super::behaviour::Behaviour;
use super::suffix;

/// Lanes kept before they all start afresh: a bound on what made-up model names can occupy.
const MOST_LANES: usize = 10_000;

/// The behaviours in force, as shown by `GET /mock/behaviour`; `tollgate mock --behaviours` reads the same.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BehaviourTable {
    /// What models without a behaviour of their own do.
    pub default: Behaviour,
    /// By `model`, `provider/model` or `provider/*`.
    pub models: BTreeMap<String, Behaviour>,
}

/// Figures since the server started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Of all requests to the simulated providers.
    #[serde(flatten)]
    pub total: ModelStats,
    /// By `provider/model`, behaviour words included.
    pub models: BTreeMap<String, ModelStats>,
}

/// Figures of one model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelStats {
    /// Requests received.
    pub requests: u64,
    /// Of these, not yet ended.
    pub in_flight: u64,
    /// Answered to the end, errors included.
    pub completed: u64,
    /// Ended by a programmed cut or reset.
    pub faulted: u64,
    /// Abandoned by the peer.
    pub client_gone: u64,
}

/// The counters behind [`ModelStats`]; written by the exchanges of the lane.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) requests: AtomicU64,
    pub(crate) completed: AtomicU64,
    pub(crate) faulted: AtomicU64,
    pub(crate) client_gone: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self) -> ModelStats {
        // Ends are read before starts, so that a request between the two reads cannot make in_flight negative.
        let completed = self.completed.load(Ordering::SeqCst);
        let faulted = self.faulted.load(Ordering::SeqCst);
        let client_gone = self.client_gone.load(Ordering::SeqCst);
        let requests = self.requests.load(Ordering::SeqCst);
        ModelStats {
            requests,
            in_flight: requests.saturating_sub(completed + faulted + client_gone),
            completed,
            faulted,
            client_gone,
        }
    }
}

/// One provider's model: its behaviour and how many requests it has seen.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) behaviour: Behaviour,
    /// Why the behaviour words of the name cannot be followed.
    pub(crate) complaint: Option<String>,
    /// The key the behaviour was found under; `None`: the default.
    source: Option<String>,
    pub(crate) since: Instant,
    /// The next request's number; written by the exchanges.
    pub(crate) next: AtomicU64,
    pub(crate) counters: Arc<Counters>,
}

/// Behaviours and lanes.
#[derive(Debug, Default)]
pub(crate) struct Table(RwLock<Content>);

#[derive(Debug, Default)]
struct Content {
    default: Behaviour,
    models: BTreeMap<String, Behaviour>,
    /// By provider, then model: looked up for every request without building a key.
    lanes: HashMap<String, HashMap<String, Arc<Lane>>>,
    lane_count: usize,
}

impl Table {
    pub(crate) fn new(default: Behaviour) -> Self {
        Self(RwLock::new(Content {
            default,
            ..Content::default()
        }))
    }

    /// The lane of a provider's model, made on first sight.
    pub(crate) fn lane(&self, provider: &str, model: &str, now: Instant) -> Arc<Lane> {
        let known = self.0.read().find(provider, model);
        known.unwrap_or_else(|| self.0.write().open(provider, model, now))
    }

    /// Sets what `key` does; `None`: the default. Lanes that follow it count from 0.
    pub(crate) fn set(&self, key: Option<&str>, behaviour: Behaviour, now: Instant) {
        let mut content = self.0.write();
        match key {
            None => content.default = behaviour,
            Some(key) => {
                content.models.insert(key.to_owned(), behaviour);
            }
        }
        content.refresh(key, now);
    }

    /// Removes what was set for `key`; false: nothing was.
    pub(crate) fn unset(&self, key: &str, now: Instant) -> bool {
        let mut content = self.0.write();
        let existed = content.models.remove(key).is_some();
        content.refresh(Some(key), now);
        existed
    }

    /// Back to these and nothing else.
    pub(crate) fn reset(&self, behaviours: BehaviourTable, now: Instant) {
        let mut content = self.0.write();
        content.default = behaviours.default;
        content.models = behaviours.models;
        content.refresh_all(now, |_, _| true);
    }

    pub(crate) fn behaviours(&self) -> BehaviourTable {
        let content = self.0.read();
        BehaviourTable {
            default: content.default.clone(),
            models: content.models.clone(),
        }
    }

    pub(crate) fn stats(&self) -> BTreeMap<String, ModelStats> {
        let content = self.0.read();
        let lanes = content.lanes.iter().flat_map(|(provider, models)| {
            models
                .iter()
                .map(move |(model, lane)| (format!("{provider}/{model}"), lane.counters.read()))
        });
        lanes.collect()
    }
}

impl Content {
    fn find(&self, provider: &str, model: &str) -> Option<Arc<Lane>> {
        self.lanes.get(provider)?.get(model).cloned()
    }

    fn open(&mut self, provider: &str, model: &str, now: Instant) -> Arc<Lane> {
        if let Some(lane) = self.find(provider, model) {
            return lane;
        }
        if self.lane_count >= MOST_LANES {
            self.lanes.clear();
            self.lane_count = 0;
        }
        let lane = Arc::new(self.resolve(provider, model, now, Arc::default()));
        let models = self.lanes.entry(provider.to_owned()).or_default();
        models.insert(model.to_owned(), Arc::clone(&lane));
        self.lane_count += 1;
        lane
    }

    fn resolve(&self, provider: &str, model: &str, now: Instant, counters: Arc<Counters>) -> Lane {
        let (bare, words) = suffix::split(model);
        let keys = [
            format!("{provider}/{model}"),
            model.to_owned(),
            format!("{provider}/{bare}"),
            bare.to_owned(),
            format!("{provider}/*"),
        ];
        let found = keys.into_iter().find_map(|key| {
            let behaviour = self.models.get(&key)?.clone();
            Some((key, behaviour))
        });
        let (source, mut behaviour) = match found {
            Some((key, behaviour)) => (Some(key), behaviour),
            None => (None, self.default.clone()),
        };
        let complaint = suffix::overlay(&mut behaviour, words).err();
        Lane {
            behaviour,
            complaint,
            source,
            since: now,
            next: AtomicU64::new(0),
            counters,
        }
    }

    /// Resolves anew the lanes that follow `key`, or would now.
    fn refresh(&mut self, key: Option<&str>, now: Instant) {
        self.refresh_all(now, |old, new| {
            old.source.as_deref() == key || new.source.as_deref() == key
        });
    }

    fn refresh_all(&mut self, now: Instant, concerned: impl Fn(&Lane, &Lane) -> bool) {
        let mut lanes = std::mem::take(&mut self.lanes);
        for (provider, models) in &mut lanes {
            for (model, lane) in models {
                let fresh = self.resolve(provider, model, now, Arc::clone(&lane.counters));
                if concerned(lane, &fresh) {
                    *lane = Arc::new(fresh);
                }
            }
        }
        self.lanes = lanes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::behaviour::Latency;
    use tollgate_core::Clock;

    fn slow(ms: f64) -> Behaviour {
        Behaviour {
            latency: Latency::Fixed { ms },
            ..Behaviour::default()
        }
    }

    #[test]
    fn the_most_specific_behaviour_is_found() {
        let (table, now) = (Table::default(), Clock.now());
        let find = |provider: &str, model: &str| table.lane(provider, model, now).behaviour.latency.clone();
        let fixed = |ms| Latency::Fixed { ms };
        table.set(None, slow(1.0), now);
        assert_eq!(find("east", "gpt"), fixed(1.0));
        table.set(Some("east/*"), slow(2.0), now);
        assert_eq!(find("east", "gpt"), fixed(2.0));
        table.set(Some("gpt"), slow(3.0), now);
        assert_eq!(
            (find("east", "gpt"), find("west", "gpt")),
            (fixed(3.0), fixed(3.0))
        );
        table.set(Some("east/gpt"), slow(4.0), now);
        assert_eq!(
            (find("east", "gpt"), find("west", "gpt")),
            (fixed(4.0), fixed(3.0))
        );
        assert_eq!(find("east", "gpt--tokens3"), fixed(4.0));
        assert_eq!(find("east", "gpt--latency9"), fixed(9.0));
        assert!(table.unset("east/gpt", now));
        assert!(!table.unset("east/gpt", now));
        assert_eq!(find("east", "gpt"), fixed(3.0));
        let behaviours = BehaviourTable {
            default: slow(7.0),
            ..BehaviourTable::default()
        };
        table.reset(behaviours, now);
        assert_eq!(find("east", "gpt"), fixed(7.0));
    }

    #[test]
    fn setting_a_behaviour_restarts_the_count_of_its_lanes_only() {
        let (table, now) = (Table::default(), Clock.now());
        for model in ["a", "b"] {
            table.lane("p", model, now).next.store(5, Ordering::Relaxed);
        }
        table.set(Some("a"), slow(1.0), now);
        let next = |model| table.lane("p", model, now).next.load(Ordering::Relaxed);
        assert_eq!((next("a"), next("b")), (0, 5));
        table.set(None, slow(2.0), now);
        assert_eq!(next("b"), 0);
    }

    #[test]
    fn made_up_names_do_not_pile_up() {
        let (table, now) = (Table::default(), Clock.now());
        for number in 0..=MOST_LANES {
            table.lane("p", &number.to_string(), now);
        }
        assert_eq!(table.stats().len(), 1);
    }
}
