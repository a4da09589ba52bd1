//! The metrics: the only room that names one.
//!
//! One call counts a settled request: [`Meters::settle`]. It finds handles that were made the first time a
//! combination of labels came up, makes no label text afterwards, and reads the same record that becomes the log
//! line. No global recorder is involved: each [`Meters`] has a registry of its own, so that tests do not meet.
//!
//! What must stay true: a label value is a name from the configuration, an enumeration, or a text that was
//! admitted under a cap ([`family::Names`]). What a client writes is never a label by itself.
//!
//! Histograms keep samples in blocks until [`Exposition::upkeep`] or [`Exposition::render`] folds them into
//! buckets: 16 bytes a sample, up to seven samples a request (measured: 115 bytes and 0.11 allocations a request, and
//! no others). Call `upkeep` every second or so, or memory grows. What the gateway tells beside settlements
//! ([`routing`]) allocates nothing once its handles are made.

mod cache;
mod embedding;
mod family;
mod identity;
mod names;
mod provider;
mod registry;
mod route;
mod routing;
mod signs;
mod target;

use std::fmt;
use std::sync::Arc;

use hashbrown::Equivalent;
use metrics::{Counter, Gauge, Histogram};
use metrics_exporter_prometheus::PrometheusHandle;
use tollgate_core::{OutcomeClass, RefusalKind, Surface};

use crate::{Ending, RequestRecord};
use cache::{CacheCounters, CacheKey};
use embedding::EmbeddingMeters;
use family::{Family, Names};
use provider::ProviderMeters;
use registry::Registry;
use route::RouteMeters;

pub use cache::{CacheFigures, CacheLessons, CacheUse};
pub use embedding::LongLookup;
pub use identity::IdentityMeters;
pub use provider::UpstreamMeters;
pub use routing::RolloutResult;
pub use target::TargetMeters;

/// Fields named in `tollgate_translation_loss_total`.
const MAX_LOSS_FIELDS: usize = 64;

/// All meters of a gateway. Cheap to clone; a clone counts into the same metrics.
#[derive(Debug, Clone)]
pub struct Meters {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    registry: Arc<Registry>,
    routes: Family<Box<str>, Arc<RouteMeters>>,
    targets: Family<TargetKey, Arc<TargetMeters>>,
    providers: Family<Box<str>, Arc<ProviderMeters>>,
    refusals: Family<RefusalKind, Counter>,
    losses: Family<Box<str>, Counter>,
    loss_fields: Names,
    reloads: Family<(ReloadedBy, ReloadResult), Counter>,
    overhead: Histogram,
    inflight: Gauge,
    epoch: Gauge,
    rollouts: Family<RolloutResult, Counter>,
    route_version: Gauge,
    cache_results: Family<CacheKey, CacheCounters>,
    cache_withheld: Family<(Box<str>, &'static str), Counter>,
    embeddings: EmbeddingMeters,
    journal: JournalMeters,
    decision_journal: JournalMeters,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TargetKey {
    route: Box<str>,
    provider: Box<str>,
    model: Box<str>,
    surface: Surface,
}

/// A [`TargetKey`] that owns nothing: the fields and their order must be the same, for the hash.
#[derive(Hash)]
struct TargetQuery<'a> {
    route: &'a str,
    provider: &'a str,
    model: &'a str,
    surface: Surface,
}

impl Equivalent<TargetKey> for TargetQuery<'_> {
    fn equivalent(&self, key: &TargetKey) -> bool {
        (self.surface, self.model, self.provider, self.route)
            == (key.surface, &*key.model, &*key.provider, &*key.route)
    }
}

/// The text that Prometheus scrapes. Cheap to clone.
#[derive(Clone)]
pub struct Exposition {
    handle: PrometheusHandle,
}

/// What had the configuration read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReloadedBy {
    /// The file has changed.
    File,
    /// A request of the admin API.
    Request,
    /// SIGHUP.
    Signal,
}

/// What became of a reload of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReloadResult {
    /// It is in force.
    Applied,
    /// It had problems: the one before stays in force.
    Refused,
}

/// Counts a request as being in flight until it is dropped.
#[derive(Debug)]
pub struct InFlight {
    gauge: Gauge,
}

/// What a journal counts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct JournalMeters {
    lines: Counter,
    dropped: Counter,
}

impl Meters {
    /// A registry with every metric described, the meters that count into it, and its exposition.
    pub fn install() -> (Self, Exposition) {
        let registry = Arc::new(Registry::new());
        let handle = registry.handle();
        registry
            .gauge(&names::BUILD_INFO, &[env!("CARGO_PKG_VERSION")])
            .set(1.0);
        let shared = Shared {
            routes: Family::default(),
            targets: Family::default(),
            providers: Family::default(),
            refusals: Family::default(),
            losses: Family::default(),
            loss_fields: Names::new(MAX_LOSS_FIELDS),
            reloads: Family::default(),
            overhead: registry.histogram(&names::OVERHEAD_SECONDS, &[]),
            inflight: registry.gauge(&names::INFLIGHT, &[]),
            epoch: registry.gauge(&names::CONFIG_EPOCH, &[]),
            rollouts: Family::default(),
            route_version: registry.gauge(&names::ROUTE_VERSION, &[]),
            cache_results: Family::default(),
            cache_withheld: Family::default(),
            embeddings: EmbeddingMeters::new(&registry),
            journal: JournalMeters {
                lines: registry.counter(&names::LOG_LINES, &[]),
                dropped: registry.counter(&names::LOG_DROPPED, &[]),
            },
            decision_journal: JournalMeters {
                lines: registry.counter(&names::DECISION_LINES, &[]),
                dropped: registry.counter(&names::DECISIONS_DROPPED, &[]),
            },
            registry,
        };
        let meters = Self {
            shared: Arc::new(shared),
        };
        (meters, Exposition { handle })
    }

    /// Counts a request that has arrived, until the guard is dropped.
    pub fn request_arrived(&self) -> InFlight {
        let gauge = self.shared.inflight.clone();
        gauge.increment(1.0);
        InFlight { gauge }
    }

    /// Counts a settled request: once for each, with the record that goes to the journal.
    pub fn settle(&self, record: &RequestRecord) {
        let route = record.route.as_deref().unwrap_or_default();
        self.route(route, |route| route.settle(record));
        self.shared.overhead.record(record.timings.overhead.as_secs_f64());
        if let Ending::Refused(kind) = record.ending {
            self.count_refusal(kind);
        }
        for attempt in &record.attempts {
            self.provider(&attempt.provider, |provider| {
                provider.count_attempt(&attempt.model, attempt.outcome);
            });
        }
        if let (Some(served), Some(surface)) = (&record.served, record.surface) {
            let class = match record.ending {
                Ending::Relayed(class) => class,
                Ending::Refused(_) => OutcomeClass::InvalidRequest,
            };
            self.target(route, &served.provider, &served.model, surface, class)
                .record(record);
        }
        for path in &record.loss {
            self.count_loss(path);
        }
        if let Some(cache) = &record.cache {
            self.cached(route, cache);
        }
        if let Some(embedding) = &record.embedding {
            self.embedding(embedding);
        }
    }

    /// The handles of a target as reached by a route, made if need be. [`Meters::settle`] finds them by
    /// itself; asking for them when a configuration is applied spares the first request the making.
    pub fn route_target(
        &self,
        route: &str,
        provider: &str,
        model: &str,
        surface: Surface,
    ) -> Arc<TargetMeters> {
        self.target(route, provider, model, surface, OutcomeClass::Success)
    }

    /// What the connections towards a provider count.
    pub fn upstream(&self, provider: &str) -> UpstreamMeters {
        self.provider(provider, ProviderMeters::upstream)
    }

    /// What the access log's journal counts.
    pub fn journal(&self) -> JournalMeters {
        self.shared.journal.clone()
    }

    /// Counts a reload.
    pub fn config_reloaded(&self, by: ReloadedBy, result: ReloadResult) {
        let cause = match by {
            ReloadedBy::File => "file",
            ReloadedBy::Request => "request",
            ReloadedBy::Signal => "signal",
        };
        let name = match result {
            ReloadResult::Applied => "applied",
            ReloadResult::Refused => "refused",
        };
        let make = || {
            self.shared
                .registry
                .counter(&names::CONFIG_RELOADS, &[cause, name])
        };
        self.shared
            .reloads
            .with((by, result), make, |counter| counter.increment(1));
    }

    /// Says which snapshot of the configuration is in force.
    pub fn config_epoch(&self, epoch: u64) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a count of reloads stays far below 2^53"
        )]
        self.shared.epoch.set(epoch as f64);
    }

    fn count_refusal(&self, kind: RefusalKind) {
        let make = || self.shared.registry.counter(&names::REFUSALS, &[kind.name()]);
        self.shared
            .refusals
            .with(kind, make, |counter| counter.increment(1));
    }

    /// Allocates: a request that loses a field is rare, and has been translated at far greater cost.
    fn count_loss(&self, path: &str) {
        let field = without_indices(path);
        let field = self.shared.loss_fields.admit(&field);
        let make = || self.shared.registry.counter(&names::TRANSLATION_LOSS, &[field]);
        self.shared
            .losses
            .with(field.into(), make, |counter| counter.increment(1));
    }

    fn route(&self, name: &str, using: impl FnOnce(&RouteMeters)) {
        let route = self.shared.routes.existing(name, Arc::clone);
        let route = route.unwrap_or_else(|| {
            let make = || Arc::new(RouteMeters::new(name, self.shared.registry.clone()));
            self.shared.routes.with(name.into(), make, Arc::clone)
        });
        using(&route);
    }

    fn provider<R>(&self, name: &str, using: impl FnOnce(&ProviderMeters) -> R) -> R {
        let provider = self.shared.providers.existing(name, Arc::clone);
        let provider = provider.unwrap_or_else(|| {
            let make = || Arc::new(ProviderMeters::new(name, self.shared.registry.clone()));
            self.shared.providers.with(name.into(), make, Arc::clone)
        });
        using(&provider)
    }

    fn target(
        &self,
        route: &str,
        provider: &str,
        model: &str,
        surface: Surface,
        class: OutcomeClass,
    ) -> Arc<TargetMeters> {
        let model = self.provider(provider, |provider| provider.model_label(model, class));
        let query = TargetQuery {
            route,
            provider,
            model,
            surface,
        };
        let found = self.shared.targets.existing(&query, Arc::clone);
        found.unwrap_or_else(|| {
            let key = TargetKey {
                route: route.into(),
                provider: provider.into(),
                model: model.into(),
                surface,
            };
            let make = || {
                Arc::new(TargetMeters::new(
                    &self.shared.registry,
                    route,
                    provider,
                    model,
                    surface,
                ))
            };
            self.shared.targets.with(key, make, Arc::clone)
        })
    }
}

impl Exposition {
    /// All metrics in the Prometheus text format (`text/plain; version=0.0.4`). Takes about a microsecond a
    /// line: not for a worker's thread on a large configuration.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds the samples of histograms into their buckets and frees them. To be called every second or so.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

impl fmt::Debug for Exposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exposition")
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.gauge.decrement(1.0);
    }
}

impl JournalMeters {
    pub(crate) fn written(&self, lines: u64) {
        self.lines.increment(lines);
    }

    pub(crate) fn dropped(&self, records: u64) {
        self.dropped.increment(records);
    }
}

/// `messages[2].content[0].detail` as `messages[].content[].detail`.
fn without_indices(path: &str) -> String {
    let mut inside = false;
    let keep = |c: &char| {
        let is_kept = !inside || *c == ']';
        inside = *c == '[' || (inside && *c != ']');
        is_kept
    };
    path.chars().take(256).filter(keep).collect()
}

#[cfg(test)]
mod tests;
