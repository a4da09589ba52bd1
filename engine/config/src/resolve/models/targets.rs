//! Targets: a provider's models, priced.

use std::collections::HashMap;
use std::sync::Arc;

use tollgate_core::{Account, Capabilities, Pattern, Price, ProviderKind, Rates, UnitPrices};
use tollgate_routing::{ModelFacts, Provider, RouteTarget, Target, TargetId};

use crate::PriceBook;
use crate::check::nearest;
use crate::place::Place;
use crate::raw::{self, Config};
use crate::resolve::Context;
use crate::resolve::providers::Providers;
use crate::resolve::url;

/// Resolves targets, and numbers them.
pub(super) struct Targets<'c> {
    context: Context<'c>,
    config: &'c Config,
    providers: &'c Providers,
    prices: &'c PriceBook,
    /// Ids by provider and model.
    ids: HashMap<(Arc<str>, Option<Arc<str>>), TargetId>,
}

impl<'c> Targets<'c> {
    /// Begins with target 0.
    pub(super) fn new(
        context: Context<'c>,
        config: &'c Config,
        providers: &'c Providers,
        prices: &'c PriceBook,
    ) -> Self {
        Self {
            context,
            config,
            providers,
            prices,
            ids: HashMap::new(),
        }
    }

    /// All models of a provider.
    pub(super) fn whole_provider(&mut self, name: &str) -> Option<RouteTarget> {
        let target = raw::Target {
            provider: Some(name.to_owned()),
            ..raw::Target::default()
        };
        self.resolve(&target, "*", &Pattern::parse("*")?, Place::ROOT)
    }

    /// What a provider keeps for its account.
    pub(super) fn account(&mut self, name: &str, account: Account, place: Place<'_>) -> Option<RouteTarget> {
        let provider = self.provider(name, place)?;
        let model: Option<Arc<str>> = Some(account.name().into());
        let id = self.id(&provider, model.as_ref());
        let target = Target::new(id, provider, model, ModelFacts::default(), self.context.board);
        Some(RouteTarget::new(Arc::new(target)))
    }

    fn id(&mut self, provider: &Provider, model: Option<&Arc<str>>) -> TargetId {
        let next = TargetId(u32::try_from(self.ids.len()).unwrap_or(u32::MAX));
        let key = (provider.name.clone(), model.cloned());
        *self.ids.entry(key).or_insert(next)
    }

    /// A target of the route `name`. `None`: its provider has a problem of its own, or does not exist.
    pub(super) fn resolve(
        &mut self,
        written: &raw::Target,
        name: &str,
        pattern: &Pattern,
        place: Place<'_>,
    ) -> Option<RouteTarget> {
        let provider = self.provider(written.provider.as_deref()?, place.key("provider"));
        let price = self.price(written.price.as_ref(), place.key("price"));
        let provider = provider?;
        let model: Option<Arc<str>> = match written.model.as_deref() {
            Some(model) => {
                self.check_model(model, provider.kind, place.key("model"));
                Some(model.into())
            }
            None if pattern.is_wildcard() => None,
            None => Some(name.into()),
        };
        let known = model
            .as_ref()
            .and_then(|model| self.prices.find(provider.kind, model));
        let price = price.or_else(|| known?.price.clone());
        if let (Some(model), None, false) = (&model, &price, url::is_private(&provider.base_url)) {
            let warning = format!(
                "no price is known for {}: its cost counts as nothing",
                self.context.report.named(place.key("model"), model)
            );
            self.context
                .report
                .warn(place, format!("{warning}; give it a price"));
        }
        let facts = ModelFacts {
            price,
            context_tokens: written.context_tokens.or_else(|| known?.context_tokens),
            max_output_tokens: written.max_output_tokens.or_else(|| known?.max_output_tokens),
            capabilities: capabilities(written).or_else(|| known?.capabilities),
        };
        let id = self.id(&provider, model.as_ref());
        let target = Target::new(id, provider, model, facts, self.context.board);
        Some(RouteTarget {
            weight: written.weight.unwrap_or(1),
            priority: written.priority.unwrap_or(0),
            canary: written
                .canary
                .as_ref()
                .map(|share| self.context.share(Some(share), place.key("canary"), 1.0, 0.0)),
            ..RouteTarget::new(Arc::new(target))
        })
    }

    fn check_model(&self, model: &str, kind: ProviderKind, place: Place<'_>) {
        if model.is_empty() || model.len() > 256 || model.contains(char::is_control) {
            self.context
                .report
                .problem(place, "no name of a model", "1 to 256 characters");
        } else if model.contains('*') {
            let expected = "a model's full name, or none for what the * of the route stands for";
            self.context.report.problem(place, "a pattern", expected);
        } else if kind == ProviderKind::Vertex && model.starts_with("claude") {
            let expected =
                "a provider of kind vertex-anthropic, which asks for Claude as it wants to be asked";
            self.context
                .report
                .problem(place, "a Claude model, at a provider of kind vertex", expected);
        }
    }

    fn provider(&self, name: &str, place: Place<'_>) -> Option<Arc<Provider>> {
        if let Some(provider) = self.providers.get(name) {
            return Some(provider.clone());
        }
        let known = self
            .config
            .providers
            .iter()
            .flatten()
            .map(|(name, _)| name.as_str());
        let providers = Place::ROOT.key("providers");
        // Defined, but with a problem that is reported at its definition: or all definitions are unreadable.
        if known.clone().any(|it| it == name)
            || known.clone().count() == 0 && self.context.report.is_broken(providers)
        {
            return None;
        }
        let report = self.context.report;
        if report.is_full() {
            return None;
        }
        let found = format!("no such provider: {}", report.named(place, name));
        if let Some(near) = nearest(name, known.clone()) {
            let hint = format!("did you mean \"{near}\"?");
            report.problem_with_hint(place, found, "a name from providers", hint);
        } else {
            let known: Vec<&str> = known.take(20).collect();
            report.problem(place, found, format!("one of {}", known.join(", ")));
        }
        None
    }

    fn price(&self, written: Option<&raw::Price>, place: Place<'_>) -> Option<Arc<Price>> {
        let written = written?;
        let money = |amount: &Option<_>, key| self.context.money(amount.as_ref(), place.key(key));
        let base = Rates {
            input: money(&written.input, "input").unwrap_or_default(),
            output: money(&written.output, "output").unwrap_or_default(),
            cache_read: money(&written.cache_read, "cache_read"),
            cache_write: money(&written.cache_write, "cache_write"),
            cache_write_1h: money(&written.cache_write_1h, "cache_write_1h"),
            reasoning: money(&written.reasoning, "reasoning"),
            audio_input: money(&written.audio_input, "audio_input"),
            audio_output: money(&written.audio_output, "audio_output"),
        };
        let unit = |amount: &Option<_>, key| self.context.amount(amount.as_ref(), place.key(key));
        let units = UnitPrices {
            search: unit(&written.per_search, "per_search"),
            image: unit(&written.per_image, "per_image"),
            minute: unit(&written.per_minute, "per_minute"),
        };
        Some(Arc::new(Price {
            base,
            units,
            ..Price::default()
        }))
    }
}

/// What the file says that a target can do; `None`: it does not say.
fn capabilities(written: &raw::Target) -> Option<Capabilities> {
    let named = written.capabilities.as_ref()?.iter().flatten();
    let known = named.filter_map(|name| Capabilities::from_name(&name.0));
    Some(known.fold(Capabilities::NONE, Capabilities::union))
}
