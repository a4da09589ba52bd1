//! What can be chosen: routes, their targets and the providers behind them, as one immutable snapshot.

use std::collections::HashMap;
use std::sync::Arc;

use tollgate_core::{Pattern, Price, Surface};

use crate::Provider;

/// One epoch of everything that routing may choose from. Published as a whole, never changed.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Rises with each snapshot that is published.
    pub epoch: u64,
    providers: Vec<Arc<Provider>>,
    exact: HashMap<Arc<str>, Arc<Route>>,
    /// Most specific first.
    wildcards: Vec<Arc<Route>>,
}

/// A name that clients ask for, and who may answer.
#[derive(Debug)]
pub struct Route {
    /// The name, or a pattern of names.
    pub pattern: Pattern,
    /// The pattern as text.
    pub name: Arc<str>,
    /// Who may answer.
    pub targets: Vec<RouteTarget>,
    /// Where to go when all targets failed: tried in order.
    pub fallbacks: Vec<Fallback>,
    /// Whether a request that cannot be carried to a target in full is refused instead of trimmed.
    pub strict: bool,
    /// Attempts at most, over all targets and fallbacks.
    pub max_attempts: usize,
}

/// A route named as another's fallback.
#[derive(Debug, Clone)]
pub struct Fallback {
    /// The name to look up: a route's name, or any name that a wildcard route matches.
    pub model: Arc<str>,
}

/// A target in a route.
#[derive(Debug, Clone)]
pub struct RouteTarget {
    /// What may be chosen.
    pub target: Arc<Target>,
    /// Its share among the targets of the same priority; 0 takes it out of use.
    pub weight: u32,
    /// Lower is tried first; targets of equal priority share by weight.
    pub priority: u32,
}

/// Tells targets apart in metrics and health cells: an index into the snapshot's targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetId(pub u32);

/// A provider's model, priced: what a candidate is.
#[derive(Debug)]
pub struct Target {
    /// Its index in the snapshot.
    pub id: TargetId,
    /// Who serves it.
    pub provider: Arc<Provider>,
    /// The model's name there; `None`: the name the client asked for (what the route's wildcard stands for).
    pub model: Option<Arc<str>>,
    /// What it costs; `None`: unknown, or (for a target without a fixed model) to be looked up by name.
    pub price: Option<Arc<Price>>,
    /// Answer tokens at most; the default for dialects that must state a limit.
    pub max_output_tokens: Option<u32>,
    /// Prompt tokens at most.
    pub context_tokens: Option<u32>,
}

/// A route that matches a name.
#[derive(Debug, Clone)]
pub struct Match<'n> {
    /// The route.
    pub route: Arc<Route>,
    /// What its wildcard stands for; the whole name where it has none.
    pub model: &'n str,
}

impl Catalog {
    /// Builds a snapshot. Of two routes with the same name the last one wins (the config refuses such a pair).
    pub fn new(epoch: u64, providers: Vec<Arc<Provider>>, routes: Vec<Route>) -> Self {
        let (wildcards, exact): (Vec<_>, Vec<_>) = routes
            .into_iter()
            .map(Arc::new)
            .partition(|route| route.pattern.is_wildcard());
        let mut wildcards = wildcards;
        wildcards.sort_by_key(|route| std::cmp::Reverse(route.pattern.specificity()));
        let exact = exact
            .into_iter()
            .map(|route| (route.name.clone(), route))
            .collect();
        Self {
            epoch,
            providers,
            exact,
            wildcards,
        }
    }

    /// The route for a name: an exact one first, else the most specific pattern.
    pub fn find<'n>(&self, name: &'n str) -> Option<Match<'n>> {
        if let Some(route) = self.exact.get(name) {
            return Some(Match {
                route: route.clone(),
                model: name,
            });
        }
        self.wildcards.iter().find_map(|route| {
            let captured = route.pattern.capture(name)?;
            (!captured.is_empty()).then(|| Match {
                route: route.clone(),
                model: captured,
            })
        })
    }

    /// All providers.
    pub fn providers(&self) -> &[Arc<Provider>] {
        &self.providers
    }

    /// All routes: exact names in alphabetical order, then patterns, most specific first.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        let mut exact: Vec<_> = self.exact.values().collect();
        exact.sort_by(|a, b| a.name.cmp(&b.name));
        exact.into_iter().chain(&self.wildcards)
    }

    /// Up to three names close to one that does not exist, nearest first.
    pub fn suggestions(&self, name: &str) -> Vec<Arc<str>> {
        let near = |route: &Arc<Route>| {
            let likeness = strsim::jaro_winkler(&route.name, name);
            (likeness > 0.75).then(|| (likeness, route.name.clone()))
        };
        let mut found: Vec<_> = self.routes().filter_map(near).collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        found.into_iter().take(3).map(|(_, name)| name).collect()
    }
}

impl Route {
    /// Whether any target could serve `surface`.
    pub fn serves(&self, surface: Surface) -> bool {
        self.targets
            .iter()
            .any(|it| surface.servable_by(it.target.provider.kind.dialect()))
    }
}
