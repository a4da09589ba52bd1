//! The targets of a route, and their names for everybody who tells of them.

use std::ops::Deref;
use std::sync::Arc;

use super::RouteTarget;

/// The targets of a route, in their order, with their names beside them.
#[derive(Debug, Clone, Default)]
pub struct RouteTargets {
    entries: Vec<RouteTarget>,
    names: Arc<[TargetName]>,
}

/// How a target is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetName {
    /// The provider's name.
    pub provider: Arc<str>,
    /// The model's name there; `None`: what was asked for.
    pub model: Option<Arc<str>>,
}

impl RouteTargets {
    /// The names, in the same order: one piece of memory, whoever keeps it. A decision tells of all targets; if each
    /// name had an owner more for as long, workers would wait for each other's counts of owners, at every name.
    pub fn names(&self) -> &Arc<[TargetName]> {
        &self.names
    }
}

impl From<Vec<RouteTarget>> for RouteTargets {
    fn from(entries: Vec<RouteTarget>) -> Self {
        let name = |entry: &RouteTarget| TargetName {
            provider: entry.target.provider.name.clone(),
            model: entry.target.model.clone(),
        };
        Self {
            names: entries.iter().map(name).collect(),
            entries,
        }
    }
}

impl Deref for RouteTargets {
    type Target = [RouteTarget];

    fn deref(&self) -> &[RouteTarget] {
        &self.entries
    }
}

impl<'t> IntoIterator for &'t RouteTargets {
    type Item = &'t RouteTarget;
    type IntoIter = std::slice::Iter<'t, RouteTarget>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}
