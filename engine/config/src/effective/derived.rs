//! What follows from other values or from the price catalogue: it stands in no file and in no schema, so it is
//! taken from the settings themselves.

use std::sync::Arc;

use serde_json::{Map, Value as Json};
use tollgate_core::{Nanodollars, PicodollarsPerToken};
use tollgate_routing::{ModelFacts, Provider, Route, RouteTarget};

use super::{DEFAULT, View, leaf};
use crate::Settings;
use crate::units::duration_text;

/// The origin of what comes from the price catalogue.
const CATALOG: &str = "catalog";

/// Fills in what the tree does not say.
pub(super) fn fill(tree: &mut Json, settings: &Settings, view: View<'_>) {
    for (section, listen) in [
        ("server", settings.server.listen),
        ("admin", settings.admin.listen),
    ] {
        // Shown also where it came from a variable: it has been read, it is no secret.
        if let Some(Json::Object(leaf)) = at(tree, &[section, "listen"]) {
            if leaf.get("value").is_some_and(Json::is_null) {
                leaf.insert("origin".to_owned(), DEFAULT.into());
            }
            leaf.insert("value".to_owned(), listen.to_string().into());
        }
    }
    for provider in settings.catalog.providers() {
        self::provider(tree, provider);
    }
    for route in settings.catalog.routes().filter(|route| route.alias_of.is_none()) {
        self::route(tree, route, view);
    }
}

fn provider(tree: &mut Json, provider: &Provider) {
    let Some(tree) = at(tree, &["providers", &provider.name]) else {
        return;
    };
    set(tree, &["base_url"], provider.base_url.to_string(), DEFAULT);
    set(tree, &["auth"], provider.auth.name(), DEFAULT);
    let first_token = duration_text(provider.timeouts.first_token);
    set(tree, &["timeouts", "first_token"], first_token, DEFAULT);
}

fn route(tree: &mut Json, route: &Route, view: View<'_>) {
    let written = ["models", "routes"]
        .into_iter()
        .find(|section| at(tree, &[section, &route.name]).is_some());
    // Without any models in the file, there is one for each provider.
    let section = written.unwrap_or_else(|| {
        unwritten(tree, route, view);
        "models"
    });
    let Some(tree) = at(tree, &[section, &route.name]) else {
        return;
    };
    set(tree, &["strategy"], route.policy.strategy.name(), DEFAULT);
    for (index, entry) in route.targets.iter().enumerate() {
        if let Some(tree) = at(tree, &["targets", &index.to_string()]) {
            target(tree, route, entry);
        }
    }
}

/// A model that the file does not mention: all defaults, with the targets it has.
fn unwritten(tree: &mut Json, route: &Route, view: View<'_>) {
    let models = view.schema.properties().and_then(|known| known.get("models"));
    let Some(of_model) = models.and_then(|models| view.schema.at(models).values()) else {
        return;
    };
    let of_target = of_model.properties().and_then(|known| known.get("targets"));
    let Some(of_target) = of_target.and_then(|targets| view.schema.at(targets).items()) else {
        return;
    };
    let target = |entry: &RouteTarget| {
        let mut target = view.section(of_target, |_| (None, None));
        set(&mut target, &["provider"], &*entry.target.provider.name, DEFAULT);
        target
    };
    let mut model = view.section(of_model, |_| (None, None));
    if let (Json::Object(tree), Json::Object(model_members)) = (tree, &mut model) {
        let targets = route.targets.iter().map(target).collect();
        model_members.insert("targets".to_owned(), targets);
        let models = tree.entry("models").or_insert_with(|| Map::new().into());
        if let Json::Object(models) = models {
            models.insert(route.name.to_string(), model);
        }
    }
}

fn target(tree: &mut Json, route: &Route, entry: &RouteTarget) {
    if !route.pattern.is_wildcard() {
        set(tree, &["model"], &*route.name, DEFAULT);
    }
    let ModelFacts {
        price,
        context_tokens,
        max_output_tokens,
        capabilities,
    } = &entry.target.facts;
    for (key, tokens) in [
        ("context_tokens", context_tokens),
        ("max_output_tokens", max_output_tokens),
    ] {
        if let Some(tokens) = tokens {
            set(tree, &[key], *tokens, CATALOG);
        }
    }
    if let Some(capabilities) = capabilities {
        set(
            tree,
            &["capabilities"],
            capabilities.names().collect::<Vec<_>>(),
            CATALOG,
        );
    }
    if let (Some(price), Some(slot)) = (price.as_ref().map(Arc::as_ref), unset(tree, &["price"])) {
        let rates = [
            ("input", Some(price.base.input)),
            ("output", Some(price.base.output)),
            ("cache_read", price.base.cache_read),
            ("cache_write", price.base.cache_write),
            ("cache_write_1h", price.base.cache_write_1h),
            ("reasoning", price.base.reasoning),
            ("audio_input", price.base.audio_input),
            ("audio_output", price.base.audio_output),
        ];
        let rate = |(key, rate): (&str, Option<PicodollarsPerToken>)| {
            Some((key.to_owned(), leaf(dollars_per_million(rate?), CATALOG)))
        };
        let units = [
            ("per_search", price.units.search),
            ("per_image", price.units.image),
            ("per_minute", price.units.minute),
        ];
        let unit = |(key, price): (&str, Option<Nanodollars>)| {
            Some((key.to_owned(), leaf(format!("${}", price?), CATALOG)))
        };
        let rates = rates.into_iter().filter_map(rate);
        *slot = Json::Object(rates.chain(units.into_iter().filter_map(unit)).collect());
    }
}

/// `$0.15`, exactly: a picodollar a token is a millionth of a dollar for a million.
pub(super) fn dollars_per_million(rate: PicodollarsPerToken) -> String {
    let (dollars, millionths) = (rate.0 / 1_000_000, rate.0 % 1_000_000);
    let fraction = format!("{millionths:06}");
    let fraction = match fraction.trim_end_matches('0') {
        "" => "00".to_owned(),
        digit if digit.len() == 1 => format!("{digit}0"),
        digits => digits.to_owned(),
    };
    format!("${dollars}.{fraction}")
}

/// Sets a value that is `null` so far.
fn set(tree: &mut Json, path: &[&str], value: impl Into<Json>, origin: &str) {
    if let Some(slot) = unset(tree, path) {
        *slot = leaf(value, origin);
    }
}

/// The place of a value that is `null` so far.
fn unset<'t>(tree: &'t mut Json, path: &[&str]) -> Option<&'t mut Json> {
    at(tree, path).filter(|slot| slot.get("value").is_some_and(Json::is_null))
}

fn at<'t>(tree: &'t mut Json, path: &[&str]) -> Option<&'t mut Json> {
    path.iter().try_fold(tree, |tree, step| match tree {
        Json::Object(members) => members.get_mut(*step),
        Json::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    })
}
