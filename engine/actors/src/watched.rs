//! The targets of each provider, as its health and its breaker follow them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tollgate_routing::{Catalog, CredentialCell, HealthCell, Provider};

/// A provider and its targets.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) provider: Arc<Provider>,
    /// Each cell once, however many routes lead to it.
    pub(crate) targets: Vec<WatchedTarget>,
}

/// A target.
#[derive(Debug, Clone)]
pub(crate) struct WatchedTarget {
    /// `provider/model`.
    pub(crate) name: Arc<str>,
    pub(crate) cell: Arc<HealthCell>,
    /// In the order of the provider's credentials.
    pub(crate) credentials: Vec<Arc<CredentialCell>>,
}

/// All providers of a catalog, by name, with the targets that its routes lead to.
pub(crate) fn watched(catalog: &Catalog) -> BTreeMap<Arc<str>, Watched> {
    let mut all: BTreeMap<Arc<str>, Watched> = BTreeMap::new();
    for provider in catalog.providers() {
        let watched = Watched {
            provider: provider.clone(),
            targets: Vec::new(),
        };
        all.insert(provider.name.clone(), watched);
    }
    for entry in catalog.routes().flat_map(|route| &route.targets) {
        let target = &entry.target;
        let Some(watched) = all.get_mut(&target.provider.name) else {
            continue;
        };
        watched.targets.push(WatchedTarget {
            name: target.name().into(),
            cell: target.cell.clone(),
            credentials: target.credentials.clone(),
        });
    }
    for watched in all.values_mut() {
        watched.targets.sort_by_key(|it| it.cell.slot());
        watched.targets.dedup_by_key(|it| it.cell.slot());
    }
    all
}
