//! Models: names and aliases, targets with prices, fallbacks.

mod accounts;
mod names;
mod targets;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tollgate_core::{Account, Pattern};
use tollgate_routing::{Board, Fallback, Limits, RetryLimits, Route, RouteTarget};

use self::names::Names;
use self::targets::Targets;
use super::providers::Providers;
use super::{Context, policy};
use crate::PriceBook;
use crate::check::nearest;
use crate::place::Place;
use crate::raw::{Config, Model};

/// Attempts at most, unless configured.
const DEFAULT_MAX_ATTEMPTS: usize = 8;

/// A model as it stands in the file.
#[derive(Clone, Copy)]
struct Written<'c> {
    /// `models` or `routes`.
    section: &'static str,
    name: &'c str,
    model: &'c Model,
}

/// A route, and how many further attempts its requests may make: its budget is not yet that of the board.
pub(super) struct Resolved {
    /// The route.
    pub route: Route,
    /// The limits of its budget.
    retry: RetryLimits,
}

impl Resolved {
    /// The route with its budget, which it shares with those of the same name before it and after it. The limits
    /// hold at once, also for those before it: only for a file without problems.
    pub(super) fn with_budget(self, board: &Board) -> Route {
        let owner = self.route.alias_of.as_deref().unwrap_or(&self.route.name);
        Route {
            retry_budget: board.retry_budget(owner, self.retry),
            ..self.route
        }
    }
}

/// What clients may ask for.
pub(super) struct Open {
    /// Models.
    pub routes: Vec<Resolved>,
    /// What providers keep for their accounts.
    pub accounts: Vec<(Account, Resolved)>,
}

/// Resolves all models and their aliases to routes, and what is open beside them. One with a problem may be missing or
/// half right.
pub(super) fn resolve(
    context: Context<'_>,
    config: &Config,
    providers: &Providers,
    prices: &PriceBook,
) -> Open {
    let mut targets = Targets::new(context, config, providers, prices);
    Open {
        routes: models(context, config, providers, &mut targets),
        accounts: accounts::resolve(context, config, &mut targets),
    }
}

fn models(
    context: Context<'_>,
    config: &Config,
    providers: &Providers,
    targets: &mut Targets<'_>,
) -> Vec<Resolved> {
    if config.models.is_none() && config.routes.is_none() {
        return providers
            .keys()
            .filter_map(|name| whole_provider(context, name, targets))
            .collect();
    }
    let mut written = Vec::new();
    for (section, models) in [("models", &config.models), ("routes", &config.routes)] {
        let models = models.iter().flatten();
        written.extend(models.map(|(name, model)| Written { section, name, model }));
    }
    let names = Names::new(context, &written);
    let mut routes = Vec::new();
    for written in &written {
        let section = Place::ROOT.key(written.section);
        let place = section.key(written.name);
        let Some(route) = route(context, *written, &names, targets, place) else {
            continue;
        };
        let retry = policy::retry_limits(context, written.model, place);
        let aliases = written.model.aliases.iter().flatten().flatten();
        let aliases: Vec<Route> = aliases.filter_map(|alias| renamed(&route, alias)).collect();
        let all = [route].into_iter().chain(aliases);
        routes.extend(all.map(|route| Resolved { route, retry }));
    }
    if routes.is_empty() && written.is_empty() {
        context.report.problem(
            Place::ROOT.key("models"),
            "empty",
            "at least one model, or no such key",
        );
    }
    routes
}

/// `PROVIDER/*`, where the file names no models.
fn whole_provider(context: Context<'_>, name: &Arc<str>, targets: &mut Targets<'_>) -> Option<Resolved> {
    let silent = Model::default();
    let route = Route::new(&format!("{name}/*"), vec![targets.whole_provider(name)?])?;
    Some(Resolved {
        route: Route {
            policy: policy::policy(context, &silent, Place::ROOT),
            limits: policy::limits(context, &silent, Place::ROOT),
            ..route
        },
        retry: policy::retry_limits(context, &silent, Place::ROOT),
    })
}

/// The same route under another name. Targets and their ids are shared.
fn renamed(route: &Route, name: &str) -> Option<Route> {
    Some(Route {
        pattern: Pattern::parse(name)?,
        name: name.into(),
        alias_of: Some(route.name.clone()),
        ..route.clone()
    })
}

fn route(
    context: Context<'_>,
    written: Written<'_>,
    names: &Names<'_>,
    targets: &mut Targets<'_>,
    place: Place<'_>,
) -> Option<Route> {
    let model = written.model;
    let pattern = Pattern::parse(written.name)?;
    let list = place.key("targets");
    let mut candidates: Vec<RouteTarget> = Vec::new();
    for (index, target) in model.targets.iter().flatten().enumerate() {
        candidates.extend(targets.resolve(target, written.name, &pattern, list.item(index)));
    }
    let listed = model.targets.as_deref().unwrap_or_default();
    if !listed.is_empty() && listed.iter().all(|target| target.weight == Some(0)) {
        context
            .report
            .problem(list, "only targets of weight 0", "one target in use at least");
    }
    let fallbacks = fallbacks(context, written, names, place.key("fallbacks"));
    let limits = policy::limits(context, model, place);
    warn_of(context, &limits, &candidates, !fallbacks.is_empty(), place);
    Some(Route {
        fallbacks,
        strict: model.strict.unwrap_or(false),
        max_attempts: model.max_attempts.unwrap_or(DEFAULT_MAX_ATTEMPTS),
        policy: policy::policy(context, model, place),
        limits,
        ..Route::new(written.name, candidates)?
    })
}

/// What may be meant, and has no effect.
fn warn_of(
    context: Context<'_>,
    limits: &Limits,
    targets: &[RouteTarget],
    has_fallbacks: bool,
    place: Place<'_>,
) {
    let report = context.report;
    if limits.hedge.is_some() && targets.len() < 2 && !has_fallbacks {
        let warning = "there is no second target to hedge with";
        report.warn(place.key("hedge"), warning);
    }
    let is_within = |region: &Arc<str>| {
        let of = |entry: &RouteTarget| entry.target.provider.region.as_ref() == Some(region);
        targets.iter().any(of)
    };
    if let Some(regions) = &limits.regions
        && !regions.iter().any(is_within)
    {
        let warning = "no target of this model is in any of these regions";
        report.warn(place.key("regions"), warning);
    }
    let mut canaries: BTreeMap<u32, f32> = BTreeMap::new();
    for entry in targets {
        *canaries.entry(entry.priority).or_default() += entry.canary.unwrap_or(0.0);
    }
    // Shares are decimal fractions in binary: ten times 10% is not quite one.
    for (priority, _) in canaries.iter().filter(|(_, share)| **share > 1.000_1) {
        let warning = format!("the canaries of priority {priority} have shares of more than 100% together");
        report.warn(place.key("targets"), warning);
    }
}

fn fallbacks(
    context: Context<'_>,
    written: Written<'_>,
    names: &Names<'_>,
    place: Place<'_>,
) -> Vec<Fallback> {
    let mut fallbacks = Vec::new();
    let mut seen = HashSet::new();
    for (index, name) in written.model.fallbacks.iter().flatten().enumerate() {
        let Some(name) = name else { continue };
        let place = place.item(index);
        let found = if names.same_model(name, written.name) {
            format!("{}: the model itself", context.report.named(place, name))
        } else if name.contains('*') {
            format!("{}: a pattern", context.report.named(place, name))
        } else if !names.exists(name) {
            unknown(context, name, names, place);
            continue;
        } else if !seen.insert(name.as_str()) {
            format!("{} a second time", context.report.named(place, name))
        } else {
            let model = name.as_str().into();
            fallbacks.push(Fallback { model });
            continue;
        };
        context.report.problem(place, found, "the name of another model");
    }
    fallbacks
}

fn unknown(context: Context<'_>, name: &str, names: &Names<'_>, place: Place<'_>) {
    if context.report.is_full() {
        return;
    }
    let found = format!("no such model: {}", context.report.named(place, name));
    let expected = "a name from models";
    match nearest(name, names.all()) {
        Some(near) => {
            context
                .report
                .problem_with_hint(place, found, expected, format!("did you mean \"{near}\"?"));
        }
        None => context.report.problem(place, found, expected),
    }
}
