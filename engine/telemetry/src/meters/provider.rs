//! What is counted for a provider: attempts by model and outcome, connections, probes; and which models are labels.

use std::sync::{Arc, OnceLock};

use metrics::{Counter, Gauge};
use tollgate_core::OutcomeClass;

use super::family::{Family, Names};
use super::names;
use super::registry::Registry;
use super::signs::VitalSigns;

/// Models of one provider that become labels. A wildcard route lets clients choose the name.
const MAX_MODELS: usize = 128;

#[derive(Debug)]
pub(super) struct ProviderMeters {
    name: Box<str>,
    registry: Arc<Registry>,
    models: Names,
    attempts: Family<Box<str>, Family<OutcomeClass, Counter>>,
    signs: Family<Box<str>, Arc<VitalSigns>>,
    probes: Family<OutcomeClass, Counter>,
    outcomes_dropped: OnceLock<Counter>,
}

/// What the connections towards a provider count. Cheap to clone.
#[derive(Debug, Clone)]
pub struct UpstreamMeters {
    connected: Counter,
    failed: Counter,
    open: Gauge,
}

impl ProviderMeters {
    pub(super) fn new(name: &str, registry: Arc<Registry>) -> Self {
        Self {
            name: name.into(),
            registry,
            models: Names::new(MAX_MODELS),
            attempts: Family::default(),
            signs: Family::default(),
            probes: Family::default(),
            outcomes_dropped: OnceLock::new(),
        }
    }

    /// The model's name, or `other` past the cap. A name that the provider has just disowned does not use up
    /// room: else a client that makes up names would.
    pub(super) fn model_label<'m>(&self, model: &'m str, class: OutcomeClass) -> &'m str {
        match class {
            OutcomeClass::ModelNotFound | OutcomeClass::InvalidRequest => self.models.known(model),
            _ => self.models.admit(model),
        }
    }

    pub(super) fn count_attempt(&self, model: &str, outcome: OutcomeClass) {
        let model = self.model_label(model, outcome);
        let count = |by_outcome: &Family<OutcomeClass, Counter>| {
            let make = || {
                let labels = [&*self.name, model, outcome.name()];
                self.registry.counter(&names::ATTEMPTS, &labels)
            };
            by_outcome.with(outcome, make, |counter| counter.increment(1));
        };
        if self.attempts.existing(model, count).is_none() {
            self.attempts.with(model.into(), Family::default, count);
        }
    }

    /// The vital signs of a configured target; those past the cap share one.
    pub(super) fn signs(&self, model: &str) -> Arc<VitalSigns> {
        let model = self.models.admit(model);
        let found = self.signs.existing(model, Arc::clone);
        found.unwrap_or_else(|| {
            let make = || Arc::new(VitalSigns::new(&self.name, model, self.registry.clone()));
            self.signs.with(model.into(), make, Arc::clone)
        })
    }

    /// The same, if they were ever shown.
    pub(super) fn known_signs(&self, model: &str) -> Option<Arc<VitalSigns>> {
        self.signs.existing(self.models.known(model), Arc::clone)
    }

    pub(super) fn probed(&self, result: OutcomeClass) {
        let make = || {
            self.registry
                .counter(&names::PROBES, &[&self.name, result.name()])
        };
        self.probes.with(result, make, |counter| counter.increment(1));
    }

    pub(super) fn outcomes_dropped(&self, total: u64) {
        self.outcomes_dropped
            .get_or_init(|| self.registry.counter(&names::OUTCOMES_DROPPED, &[&self.name]))
            .absolute(total);
    }

    pub(super) fn upstream(&self) -> UpstreamMeters {
        let connects = |result| {
            self.registry
                .counter(&names::UPSTREAM_CONNECTS, &[&self.name, result])
        };
        UpstreamMeters {
            connected: connects("connected"),
            failed: connects("failed"),
            open: self.registry.gauge(&names::UPSTREAM_CONNECTIONS, &[&self.name]),
        }
    }
}

impl UpstreamMeters {
    /// A connection is open. [`UpstreamMeters::closed`] must follow.
    pub fn connected(&self) {
        self.connected.increment(1);
        self.open.increment(1.0);
    }

    /// A connection could not be opened.
    pub fn failed(&self) {
        self.failed.increment(1);
    }

    /// A connection that was open is no more.
    pub fn closed(&self) {
        self.open.decrement(1.0);
    }
}
