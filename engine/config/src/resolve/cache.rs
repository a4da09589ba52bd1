//! The cache: its memory, and how the answers of each model are kept. What a model does not say is as in
//! `cache.policy`.

use std::collections::HashMap;
use std::sync::Arc;

use tollgate_cache::{Mode, Policy, Scope};

use super::Context;
use crate::place::Place;
use crate::raw::{self, Config, SizeText};
use crate::settings::Cache;
use crate::units;

/// Memory for entries, unless configured.
const MAX_BYTES: usize = 256 << 20;
/// The largest answer that is kept, unless configured.
const MAX_ENTRY_BYTES: usize = 256 << 10;

/// The cache, and the policy of each model by its names.
pub(super) fn resolve(context: Context<'_>, config: &Config) -> Cache {
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
        Some(written) => policy(context, written, Policy::default(), section.key("policy")),
        None => Policy::default(),
    };
    let mut policies = HashMap::new();
    for (section, models) in [("models", &config.models), ("routes", &config.routes)] {
        for (name, model) in models.iter().flatten() {
            let place = Place::ROOT.key(section);
            let place = place.key(name);
            let policy = match &model.cache {
                Some(written) => policy(context, written, common.clone(), place.key("cache")),
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
        common,
        policies,
    }
}

/// What is written at `place`, over `base`. Whoever writes of a cache wants one.
fn policy(context: Context<'_>, written: &raw::CachePolicy, base: Policy, place: Place<'_>) -> Policy {
    let mode = written.mode.as_ref().and_then(|it| Mode::of_name(&it.0));
    let unsaid = if base.mode == Mode::Off {
        Mode::Safe
    } else {
        base.mode
    };
    let scope = match (&written.scope, &written.namespace) {
        (None, None) => base.scope,
        (Some(scope), _) if scope.0 == "key" => Scope::Key,
        (_, namespace) => Scope::Shared(namespace.as_deref().unwrap_or_default().into()),
    };
    if written.namespace.is_some() && scope == Scope::Key {
        let warning = "a namespace has no effect with scope key";
        context.report.warn(place.key("namespace"), warning);
    }
    let max_temperature = written.max_temperature.map_or(base.max_temperature, f64::from);
    let tags = written.tags.as_ref().map(|tags| {
        let tags = tags.iter().flatten().filter(|tag| !tag.is_empty());
        tags.map(|tag| tag.as_str().into()).collect()
    });
    Policy {
        mode: mode.unwrap_or(unsaid),
        ttl: context.duration(written.ttl.as_ref(), place.key("ttl"), base.ttl),
        scope,
        max_temperature,
        recheck: context.share(written.recheck.as_ref(), place.key("recheck"), 1.0, base.recheck),
        tool_calls: written.tool_calls.unwrap_or(base.tool_calls),
        tags: tags.unwrap_or(base.tags),
    }
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
