//! Who finds neighbours in the cache, beside the table in the binary.

use std::sync::Arc;
use std::time::Duration;

use tollgate_cache::embed::Table;
use tollgate_core::{Dialect, Surface};

use super::Context;
use super::providers::Providers;
use crate::PriceBook;
use crate::check::nearest;
use crate::place::Place;
use crate::raw::{self, Config};
use crate::settings::{Embedder, EmbeddingEndpoint};

/// How long a question waits for its vector, unless configured.
const TIMEOUT: Duration = Duration::from_millis(150);
/// Calls at once, unless configured.
const MAX_IN_FLIGHT: usize = 32;

/// `None`: nobody, or it cannot be used and that is reported.
pub(super) fn resolve(
    context: Context<'_>,
    written: &raw::Embedder,
    config: &Config,
    providers: &Providers,
    prices: &PriceBook,
) -> Option<Embedder> {
    let section = Place::ROOT.key("cache");
    let place = section.key("embedder");
    match (&written.directory, &written.provider) {
        (Some(_), Some(_)) => {
            let expected = "one of them";
            context
                .report
                .problem(place.key("provider"), "both directory and provider", expected);
            None
        }
        (Some(path), None) => {
            only_with_a_provider(context, written, place);
            directory(context, path, place.key("directory"))
        }
        (None, Some(name)) => {
            let endpoint = endpoint(context, written, name, config, providers, place)?;
            let kind = providers.get(&**name)?.kind;
            let is_priced = prices
                .find(kind, &endpoint.model)
                .is_some_and(|it| it.price.is_some());
            if !is_priced {
                let warning = "its price is not known: what it costs will not be counted";
                context.report.warn(place.key("model"), warning);
            }
            Some(Embedder::Endpoint(endpoint))
        }
        (None, None) => {
            only_with_a_provider(context, written, place);
            None
        }
    }
}

fn directory(context: Context<'_>, path: &str, place: Place<'_>) -> Option<Embedder> {
    let path = context.path(path);
    match Table::from_directory(&path) {
        Ok(table) => Some(Embedder::Directory {
            path,
            table: Arc::new(table),
        }),
        Err(error) => {
            let expected = "a model2vec directory";
            context.report.problem(place, error.to_string(), expected);
            None
        }
    }
}

/// What is said of an endpoint where there is none.
fn only_with_a_provider(context: Context<'_>, written: &raw::Embedder, place: Place<'_>) {
    let said = [
        ("model", written.model.is_some()),
        ("dimensions", written.dimensions.is_some()),
        ("timeout", written.timeout.is_some()),
        ("max_in_flight", written.max_in_flight.is_some()),
    ];
    for (key, _) in said.into_iter().filter(|(_, is_said)| *is_said) {
        let found = format!("{key} without a provider");
        context
            .report
            .problem(place.key(key), found, "a provider, or no such key");
    }
}

fn endpoint(
    context: Context<'_>,
    written: &raw::Embedder,
    name: &str,
    config: &Config,
    providers: &Providers,
    place: Place<'_>,
) -> Option<EmbeddingEndpoint> {
    let timeout = context.duration(written.timeout.as_ref(), place.key("timeout"), TIMEOUT);
    let model = written.model.as_deref().filter(|it| !it.trim().is_empty());
    if model.is_none() {
        let expected = "the name of an embedding model such as \"text-embedding-3-small\"";
        let found = if written.model.is_some() {
            "empty"
        } else {
            "missing"
        };
        context.report.problem(place.key("model"), found, expected);
    }
    let here = place.key("provider");
    let Some(provider) = providers.get(name) else {
        unknown_provider(context, name, config, here);
        return None;
    };
    if provider.kind.dialect_for(Surface::Embeddings) != Dialect::OpenAi {
        let found = format!("a provider of kind {}", provider.kind);
        let expected = "one with an OpenAI-compatible /embeddings";
        context.report.problem(here, found, expected);
        return None;
    }
    Some(EmbeddingEndpoint {
        provider: provider.name.clone(),
        base_url: provider.base_url.clone(),
        model: model?.into(),
        dimensions: written.dimensions,
        timeout,
        max_in_flight: written.max_in_flight.unwrap_or(MAX_IN_FLIGHT),
    })
}

/// Of a provider that is there, but broken, enough is known.
fn unknown_provider(context: Context<'_>, name: &str, config: &Config, place: Place<'_>) {
    let known = config.providers.iter().flatten().map(|(known, _)| known.as_str());
    if known.clone().any(|known| known == name) {
        return;
    }
    let found = format!("no such provider: {}", context.report.named(place, name));
    match nearest(name, known) {
        Some(near) => {
            let hint = format!("did you mean \"{near}\"?");
            context
                .report
                .problem_with_hint(place, found, "a name from providers", hint);
        }
        None => context.report.problem(place, found, "a name from providers"),
    }
}
