//! What can be chosen: routes, their targets and the providers behind them, as one immutable snapshot.

mod targets;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use tollgate_core::{Account, Capabilities, Pattern, Price, ProviderKind, Surface, Whom, fnv1a};

use crate::{
    Board, Credential, CredentialCell, HealthCell, Limits, Policy, Provider, RetryBudget, RetryLimits,
};

pub use targets::{RouteTargets, TargetName};

/// One epoch of everything that routing may choose from. Published as a whole, never changed.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Rises with each snapshot that is published.
    pub epoch: u64,
    providers: Vec<Arc<Provider>>,
    exact: HashMap<Arc<str>, Arc<Route>>,
    /// Most specific first.
    wildcards: Vec<Arc<Route>>,
    models: Option<Arc<dyn ModelBook>>,
    /// What providers keep for their accounts, those of one kind in the order of the configuration.
    accounts: Vec<(Account, Arc<Route>)>,
}

/// Looks models up by name, for targets that are not bound to one.
pub trait ModelBook: fmt::Debug + Send + Sync {
    /// What is known of a model at a kind of provider; `None`: nothing.
    fn facts(&self, kind: ProviderKind, model: &str) -> Option<ModelFacts>;
}

/// What is known of a model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelFacts {
    /// What it costs; `None`: unknown.
    pub price: Option<Arc<Price>>,
    /// Prompt tokens at most; `None`: unknown.
    pub context_tokens: Option<u32>,
    /// Answer tokens at most; `None`: unknown.
    pub max_output_tokens: Option<u32>,
    /// What it can do; `None`: unknown, and nothing is held against it.
    pub capabilities: Option<Capabilities>,
}

/// A name that clients ask for, and who may answer.
#[derive(Debug, Clone)]
pub struct Route {
    /// The name, or a pattern of names.
    pub pattern: Pattern,
    /// The pattern as text.
    pub name: Arc<str>,
    /// The route that this is another name for; `None`: it is itself.
    pub alias_of: Option<Arc<str>>,
    /// Who may answer.
    pub targets: RouteTargets,
    /// Where to go when all targets failed: tried in order.
    pub fallbacks: Vec<Fallback>,
    /// Whether a request that cannot be carried to a target in full is refused instead of trimmed.
    pub strict: bool,
    /// Attempts at most, over all targets and fallbacks.
    pub max_attempts: usize,
    /// How it chooses.
    pub policy: Policy,
    /// What a request may take and cost.
    pub limits: Limits,
    /// Further attempts that its requests may make together.
    pub retry_budget: Arc<RetryBudget>,
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
    /// A canary gets this share of the requests first, `0.0..=1.0`, and the others only when all else fails;
    /// `None`: an ordinary target.
    pub canary: Option<f32>,
}

/// Tells targets apart: an index into the snapshot's targets.
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
    /// What is known of its model, from the file or the price catalogue; for a target without a fixed model only
    /// what the file says, the rest is looked up by name.
    pub facts: ModelFacts,
    /// Its health, which all routes that lead to this model of this provider share.
    pub cell: Arc<HealthCell>,
    /// The state of the provider's credentials as used here, in their order there.
    pub credentials: Vec<Arc<CredentialCell>>,
    /// Tells it from others in draws, on every node alike: a hash of provider and model.
    pub key: u64,
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
        Self::of(epoch, providers, routes.into_iter().map(Arc::new).collect())
    }

    fn of(epoch: u64, providers: Vec<Arc<Provider>>, routes: Vec<Arc<Route>>) -> Self {
        let (wildcards, exact): (Vec<_>, Vec<_>) =
            routes.into_iter().partition(|route| route.pattern.is_wildcard());
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
            models: None,
            accounts: Vec::new(),
        }
    }

    /// With a book in which models are looked up that routes do not name.
    #[must_use]
    pub fn with_models(mut self, models: Arc<dyn ModelBook>) -> Self {
        self.models = Some(models);
        self
    }

    /// With what providers keep for their accounts: routes named `PROVIDER/ACCOUNT`, each with one target.
    #[must_use]
    pub fn with_accounts(mut self, accounts: Vec<(Account, Arc<Route>)>) -> Self {
        self.accounts = accounts;
        self
    }

    /// The providers at which this may be used, in the order of the configuration, each with its route.
    pub fn accounts(&self, account: Account) -> impl Iterator<Item = (&Arc<Provider>, &Arc<Route>)> {
        let of = self.accounts.iter().filter(move |(it, _)| *it == account);
        of.filter_map(|(_, route)| Some((&route.targets.first()?.target.provider, route)))
    }

    /// The same providers and models under other routes.
    pub(crate) fn with_routes(&self, epoch: u64, routes: Vec<Arc<Route>>) -> Self {
        Self {
            models: self.models.clone(),
            accounts: self.accounts.clone(),
            ..Self::of(epoch, self.providers.clone(), routes)
        }
    }

    /// What is known of `model` at `target`: what the target says, else what the book says.
    pub fn facts<'t>(&self, target: &'t Target, model: &str) -> Cow<'t, ModelFacts> {
        let is_bound = target.model.is_some();
        let known = || self.models.as_ref()?.facts(target.provider.kind, model);
        let Some(known) = (!is_bound).then(known).flatten() else {
            return Cow::Borrowed(&target.facts);
        };
        let own = &target.facts;
        Cow::Owned(ModelFacts {
            price: own.price.clone().or(known.price),
            context_tokens: own.context_tokens.or(known.context_tokens),
            max_output_tokens: own.max_output_tokens.or(known.max_output_tokens),
            capabilities: own.capabilities.or(known.capabilities),
        })
    }

    /// The route for a name: an exact one first, else the most specific pattern.
    pub fn find<'n>(&self, name: &'n str) -> Option<Match<'n>> {
        let (route, model) = self.find_ref(name)?;
        let route = route.clone();
        Some(Match { route, model })
    }

    /// The route for what a request of `surface` asks for.
    pub(crate) fn find_for<'n>(&self, surface: Surface, name: &'n str) -> Option<Match<'n>> {
        let Some(Whom::Account(account)) = surface.through().map(|through| through.row().whom) else {
            return self.find(name);
        };
        let (_, route) = self.accounts(account).find(|(_, route)| *route.name == *name)?;
        let route = route.clone();
        Some(Match { route, model: name })
    }

    pub(crate) fn find_ref<'n>(&self, name: &'n str) -> Option<(&Arc<Route>, &'n str)> {
        if let Some(route) = self.exact.get(name) {
            return Some((route, name));
        }
        self.wildcards.iter().find_map(|route| {
            let captured = route.pattern.capture(name)?;
            (!captured.is_empty()).then_some((route, captured))
        })
    }

    /// All providers.
    pub fn providers(&self) -> &[Arc<Provider>] {
        &self.providers
    }

    /// All targets, each once.
    pub fn targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        let mut seen = std::collections::HashSet::new();
        let accounts = self.accounts.iter().map(|(_, route)| route);
        let all = self.exact.values().chain(&self.wildcards).chain(accounts);
        all.flat_map(|route| &route.targets)
            .map(|entry| &entry.target)
            .filter(move |target| seen.insert(target.id))
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

impl RouteTarget {
    /// A target of weight 1 and priority 0.
    pub fn new(target: Arc<Target>) -> Self {
        Self {
            target,
            weight: 1,
            priority: 0,
            canary: None,
        }
    }
}

impl Target {
    /// A provider's model, or (`None`) all of its models, with its cells from the board.
    pub fn new(
        id: TargetId,
        provider: Arc<Provider>,
        model: Option<Arc<str>>,
        facts: ModelFacts,
        board: &Board,
    ) -> Self {
        let name = model.as_deref().unwrap_or("*");
        let credential =
            |it: &Credential| board.credential(&provider.name, name, &it.name, it.proof.fingerprint());
        Self {
            id,
            cell: board.target(&provider.name, name),
            credentials: provider.credentials.iter().map(credential).collect(),
            key: Self::key_of(&provider.name, name),
            provider,
            model,
            facts,
        }
    }

    /// `provider/model`, as operators name it; `*` stands for a model that the client names.
    pub fn name(&self) -> String {
        format!("{}/{}", self.provider.name, self.model.as_deref().unwrap_or("*"))
    }

    /// The [`Target::key`] of a provider's model: FNV-1a of `provider/model`.
    pub fn key_of(provider: &str, model: &str) -> u64 {
        fnv1a(provider.bytes().chain([b'/']).chain(model.bytes()))
    }
}

impl Route {
    /// A route as it is where nothing is said of it. `None`: this is no name of a route.
    pub fn new(name: &str, targets: Vec<RouteTarget>) -> Option<Self> {
        Some(Self {
            pattern: Pattern::parse(name)?,
            name: name.into(),
            alias_of: None,
            targets: targets.into(),
            fallbacks: Vec::new(),
            strict: false,
            max_attempts: 8,
            policy: Policy::default(),
            limits: Limits::default(),
            retry_budget: Arc::new(RetryBudget::new(RetryLimits::default())),
        })
    }

    /// Whether any target could serve `surface`.
    pub fn serves(&self, surface: Surface) -> bool {
        self.targets
            .iter()
            .any(|it| it.target.provider.kind.serves(surface))
    }
}
