//! The cache: its memory, and how the answers of each model are kept. What a model does not say is as in
//! `cache.policy`.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use tollgate_cache::{Mode, Policy, Scope};

use super::providers::Providers;
use super::{Context, embedder};
use crate::PriceBook;
use crate::place::Place;
use crate::raw::{self, Config, SizeText};
use crate::settings::Cache;
use crate::units;

/// Memory for entries, unless configured.
const MAX_BYTES: usize = 256 << 20;
/// The largest answer that is kept, unless configured.
const MAX_ENTRY_BYTES: usize = 256 << 10;

/// The cache, and the policy of each model by its names.
pub(super) fn resolve(
    context: Context<'_>,
    config: &Config,
    providers: &Providers,
    prices: &PriceBook,
) -> Cache {
    let none = raw::Cache::default();
    let section = Place::ROOT.key("cache");
    let written = config.cache.as_ref().unwrap_or(&none);
    let max_bytes = size(
        context,
        written.max_size.as_ref(),
        section.key("max_size"),
        MAX_BYTES,
    );
    let largest = section.key("max_entry_size");
    let max_entry_bytes = size(context, written.max_entry_size.as_ref(), largest, MAX_ENTRY_BYTES);
    if max_entry_bytes > max_bytes {
        let expected = "at most max_size";
        context.report.problem(largest, "more than max_size", expected);
    }
    let common = match &written.policy {
        Some(written) => policy(
            (context, config),
            written,
            Policy::default(),
            Shadow::default(),
            section.key("policy"),
        ),
        None => Policy::default(),
    };
    let shadow = written.policy.as_ref().map(|it| Shadow::default().or(it));
    let shadow = shadow.unwrap_or_default();
    let mut policies = HashMap::new();
    for (section, models) in [("models", &config.models), ("routes", &config.routes)] {
        for (name, model) in models.iter().flatten() {
            let place = Place::ROOT.key(section);
            let place = place.key(name);
            let policy = match &model.cache {
                Some(written) => policy(
                    (context, config),
                    written,
                    common.clone(),
                    shadow,
                    place.key("cache"),
                ),
                None => common.clone(),
            };
            let aliases = model.aliases.iter().flatten().flatten();
            for name in aliases.chain([name]) {
                policies.insert(Arc::from(name.as_str()), policy.clone());
            }
        }
    }
    Cache {
        max_bytes,
        max_entry_bytes,
        directory: written.directory.as_deref().map(|path| context.path(path)),
        embedder: written
            .embedder
            .as_ref()
            .and_then(|it| embedder::resolve(context, it, config, providers, prices)),
        common,
        policies,
    }
}

/// The two ways to say that nothing is given by meaning. Each is inherited by itself.
#[derive(Debug, Clone, Copy, Default)]
struct Shadow {
    /// By the mode of that name.
    by_mode: bool,
    /// By the field of that name.
    by_field: bool,
}

impl Shadow {
    fn or(self, written: &raw::CachePolicy) -> Self {
        Self {
            by_mode: written
                .mode
                .as_ref()
                .map_or(self.by_mode, |it| it.0 == Mode::SHADOW),
            by_field: written.shadow.unwrap_or(self.by_field),
        }
    }
}

/// What is written at `place`, over `base`. Whoever writes of a cache wants one.
fn policy(
    (context, config): (Context<'_>, &Config),
    written: &raw::CachePolicy,
    base: Policy,
    shadow: Shadow,
    place: Place<'_>,
) -> Policy {
    let mode = written.mode.as_ref().and_then(|it| match &*it.0 {
        Mode::SHADOW => Some(Mode::Safe),
        name => Mode::of_name(name),
    });
    let shadow = shadow.or(written);
    let unsaid = if base.mode == Mode::Off {
        Mode::Safe
    } else {
        base.mode
    };
    let mode = mode.unwrap_or(unsaid);
    if written.shadow == Some(true) && !mode.is_semantic() {
        let warning = format!("shadow has no effect with mode {}", mode.name());
        context.report.warn(place.key("shadow"), warning);
    }
    if written.shadow == Some(false) && shadow.by_mode {
        let warning = "shadow: false has no effect with mode shadow";
        context.report.warn(place.key("shadow"), warning);
    }
    let max_temperature = written.max_temperature.map_or(base.max_temperature, f64::from);
    let tags = written.tags.as_ref().map(|tags| {
        let tags = tags.iter().flatten().filter(|tag| !tag.is_empty());
        tags.map(|tag| tag.as_str().into()).collect()
    });
    Policy {
        mode,
        ttl: context.duration(written.ttl.as_ref(), place.key("ttl"), base.ttl),
        scope: scope((context, config), written, base.scope, place),
        max_temperature,
        recheck: context.share(written.recheck.as_ref(), place.key("recheck"), 1.0, base.recheck),
        shadow: shadow.by_mode || shadow.by_field,
        tool_calls: written.tool_calls.unwrap_or(base.tool_calls),
        truncated: written.truncated.unwrap_or(base.truncated),
        pace: written.pace.map_or(base.pace, NonZeroU32::new),
        tags: tags.unwrap_or(base.tags),
    }
}

/// Who shares with whom. Nobody does by accident: a namespace alone shares nothing, and what is shared has a name, which
/// is no key's: entries are known by the name of whose they are.
fn scope(
    (context, config): (Context<'_>, &Config),
    written: &raw::CachePolicy,
    base: Scope,
    place: Place<'_>,
) -> Scope {
    let is_shared = match &written.scope {
        Some(said) => said.0 == "shared",
        None => base != Scope::Key,
    };
    let place = place.key("namespace");
    if !is_shared {
        if written.namespace.is_some() {
            let warning = "a namespace has no effect with scope key";
            context.report.warn(place, warning);
        }
        return Scope::Key;
    }
    let keys = || config.keys.iter().flatten();
    if let Some(name) = &written.namespace
        && keys().any(|key| key.name.as_ref() == Some(name))
    {
        let found = format!("'{name}', which is also a key's name");
        context.report.problem(place, found, "a name of its own");
    }
    let found = match (&written.namespace, base) {
        (Some(name), _) if !name.trim().is_empty() => return Scope::Shared(name.as_str().into()),
        (None, Scope::Shared(name)) => return Scope::Shared(name),
        (Some(_), _) => "empty",
        (None, Scope::Key) => "missing",
    };
    let expected = "the name of what is shared, with scope shared";
    context.report.problem(place, found, expected);
    Scope::Key
}

fn size(context: Context<'_>, written: Option<&SizeText>, place: Place<'_>, default: usize) -> usize {
    let Some(SizeText(text)) = written else {
        return default;
    };
    let size = units::size_bytes(text).filter(|size| (1 << 10..=1 << 40).contains(size));
    size.and_then(|size| usize::try_from(size).ok())
        .unwrap_or_else(|| {
            let expected = "a size from 1KiB to 1024GiB such as \"256MiB\"";
            context
                .report
                .problem(place, context.report.quoted(place, text), expected);
            default
        })
}
