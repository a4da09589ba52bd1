//! Virtual keys.

use std::collections::HashSet;
use std::sync::Arc;

use tollgate_core::{Account, Pattern, Timestamp};
use tollgate_governance::{KeyHash, VirtualKey};
use tollgate_routing::Catalog;

use super::Context;
use crate::place::Place;
use crate::raw::{Config, Key};

/// Shorter keys can be guessed.
pub(super) const SHORTEST_KEY: usize = 8;

/// Resolves all keys. One with a problem may be missing.
pub(super) fn resolve(context: Context<'_>, config: &Config, catalog: &Catalog) -> Vec<VirtualKey> {
    let list = Place::ROOT.key("keys");
    let mut names = HashSet::new();
    let mut hashes = HashSet::new();
    let mut keys = Vec::new();
    for (index, written) in config.keys.iter().flatten().enumerate() {
        let place = list.item(index);
        let name = written.name.as_deref().unwrap_or_default();
        check_name(context, name, written, place);
        if !name.is_empty() && !names.insert(name) {
            context.report.problem(
                place.key("name"),
                "a name that another key has",
                "a name of its own",
            );
        }
        let hash = hash(context, written, place);
        let models = models(context, written, catalog, place.key("models"));
        let regions = context.regions(written.regions.as_ref(), place.key("regions"));
        let targets = targets(context, written, catalog, place.key("targets"));
        if let Some(regions) = &regions {
            warn_of_regions(context, regions, catalog, place.key("regions"));
        }
        let expires_at = expires_at(context, written, place.key("expires_at"));
        let Some(hash) = hash else { continue };
        if !hashes.insert(hash) {
            let member = if written.key.is_some() { "key" } else { "key_hash" };
            context
                .report
                .problem(place.key(member), "the key of another entry", "a key of its own");
        }
        keys.push(VirtualKey {
            name: name.into(),
            hash,
            models,
            expires_at,
            regions,
            targets: targets.into(),
            max_cost: context.amount(written.max_cost.as_ref(), place.key("max_cost")),
        });
    }
    keys
}

fn check_name(context: Context<'_>, name: &str, written: &Key, place: Place<'_>) {
    let is_usable = !name.is_empty() && name.len() <= 128 && !name.contains(char::is_control);
    if written.name.is_some() && !is_usable {
        context.report.problem(
            place.key("name"),
            "a name that cannot be used",
            "1 to 128 characters",
        );
    }
}

fn hash(context: Context<'_>, written: &Key, place: Place<'_>) -> Option<KeyHash> {
    match (&written.key, &written.key_hash) {
        (Some(_), Some(_)) => {
            context
                .report
                .problem(place.key("key_hash"), "both key and key_hash", "one of them");
            None
        }
        (Some(key), None) => {
            let secret = context.secret(key, place.key("key"), SHORTEST_KEY)?;
            Some(KeyHash::of(secret.expose()))
        }
        (None, Some(hash)) => {
            let hash = KeyHash::parse_hex(hash.0.trim());
            if hash.is_none() {
                let expected = "64 hex digits: the SHA-256 of the key";
                context
                    .report
                    .problem(place.key("key_hash"), "not a SHA-256", expected);
            }
            hash
        }
        (None, None) => {
            if !context.report.is_broken(place.key("key")) && !context.report.is_broken(place.key("key_hash"))
            {
                context
                    .report
                    .problem(place.key("key"), "missing", "key or key_hash");
            }
            None
        }
    }
}

fn models(context: Context<'_>, written: &Key, catalog: &Catalog, place: Place<'_>) -> Vec<Pattern> {
    let Some(listed) = &written.models else {
        return Pattern::parse("*").into_iter().collect();
    };
    let mut patterns = Vec::new();
    for (index, text) in listed.iter().enumerate() {
        let Some(text) = text else { continue };
        let place = place.item(index);
        match Pattern::parse(text) {
            Some(_) if text.is_empty() => context.report.problem(place, "empty", "a model's name"),
            None => context
                .report
                .problem(place, "more than one *", "a name with at most one *"),
            Some(pattern) => {
                let mut accounts = Account::ALL.into_iter().flat_map(|it| catalog.accounts(it));
                let is_account = accounts.any(|(_, route)| *route.name == **text);
                if !pattern.is_wildcard() && !is_account && catalog.find(text).is_none() {
                    context.report.warn(
                        place,
                        format!("there is no model {}", context.report.named(place, text)),
                    );
                }
                patterns.push(pattern);
            }
        }
    }
    patterns
}

/// Patterns of `provider/model`.
fn targets(context: Context<'_>, written: &Key, catalog: &Catalog, place: Place<'_>) -> Vec<Pattern> {
    let report = context.report;
    let mut patterns = Vec::new();
    for (index, text) in written.targets.iter().flatten().enumerate() {
        let Some(text) = text else { continue };
        let place = place.item(index);
        let Some(pattern) = Pattern::parse(text).filter(|_| text.contains(['/', '*'])) else {
            let expected = "provider/model, with at most one * such as \"claude/*\"";
            report.problem(place, report.quoted(place, text), expected);
            continue;
        };
        let provider = text.split_once('/').map(|(provider, _)| provider);
        let is_known = |name: &str| catalog.providers().iter().any(|it| &*it.name == name);
        if let Some(name) = provider.filter(|name| !name.contains('*') && !is_known(name)) {
            report.warn(
                place,
                format!("there is no provider {}", report.named(place, name)),
            );
        }
        patterns.push(pattern);
    }
    patterns
}

/// Regions are the operator's own words: a misspelt one is like no region at all.
fn warn_of_regions(context: Context<'_>, regions: &[Arc<str>], catalog: &Catalog, place: Place<'_>) {
    let is_there = |region: &Arc<str>| {
        catalog
            .providers()
            .iter()
            .any(|it| it.region.as_ref() == Some(region))
    };
    if !regions.iter().any(is_there) {
        context
            .report
            .warn(place, "no provider is in any of these regions");
    }
}

fn expires_at(context: Context<'_>, written: &Key, place: Place<'_>) -> Option<Timestamp> {
    let text = written.expires_at.as_deref()?;
    let moment = Timestamp::parse_rfc3339(text);
    if moment.is_none() {
        let expected = "a date such as \"2027-01-31\" or \"2027-01-31T12:00:00Z\"";
        context
            .report
            .problem(place, context.report.quoted(place, text), expected);
    }
    moment
}
