//! The catalog: providers, and what each of their models costs and can do.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Map, Value, json};
use tollgate_core::{Clock, PicodollarsPerToken, Price, Rates, Timestamp, UnitPrices};
use tollgate_routing::{Catalog, HttpVersion, Identity, ModelFacts, Provider};

use super::{Admin, Answer};
use crate::identity::of_credential;

/// Everything that can be chosen. No secret.
pub(super) async fn catalog(admin: Data<Admin>) -> Answer {
    let live = admin.shared.published.load();
    let providers: Vec<_> = live.catalog.providers().iter().map(|it| provider(it)).collect();
    Ok(HttpResponse::Ok().json(json!({
        "epoch": live.epoch(),
        "providers": providers,
        "targets": targets(&live.catalog),
    })))
}

fn provider(provider: &Provider) -> Value {
    let credentials = provider.credentials.iter();
    let credentials: Vec<_> = credentials
        .map(|it| {
            let identity = of_credential(it).map(|identity| identity_of(identity));
            json!({ "name": &*it.name, "weight": it.weight, "identity": identity })
        })
        .collect();
    json!({
        "provider": &*provider.name,
        "kind": provider.kind.name(),
        "base_url": provider.base_url.to_string(),
        "region": provider.region.as_deref(),
        "auth": provider.auth.name(),
        "credentials": credentials,
        "http": match provider.http {
            HttpVersion::Http1 => 1,
            HttpVersion::Http2 => 2,
        },
        "probed": provider.probe.is_some(),
    })
}

/// An identity at a cloud, and whether there is a key for it.
fn identity_of(identity: &Identity) -> Value {
    let standing = identity.standing();
    let text = |at: Timestamp| at.to_string();
    let expires_at = standing.minted.as_ref().and_then(|minted| minted.expires_at);
    json!({
        "name": identity.described().name(),
        "is_usable": identity.key(Clock.wall()).is_some(),
        "expires_at": expires_at.map(text),
        "trouble": standing.trouble.as_ref().map(|trouble| json!({
            "what": &*trouble.what,
            "since": text(trouble.since),
            "failures": trouble.failures,
        })),
    })
}

/// Each target once, with the routes that lead to it.
fn targets(catalog: &Catalog) -> Vec<Value> {
    let mut found: Vec<(String, Map<String, Value>, Vec<String>)> = Vec::new();
    for route in catalog.routes().filter(|it| it.alias_of.is_none()) {
        for entry in &route.targets {
            let name = entry.target.name();
            if let Some((_, _, routes)) = found.iter_mut().find(|(known, _, _)| *known == name) {
                routes.push(route.name.to_string());
                continue;
            }
            let target = &entry.target;
            let mut members = Map::from_iter([
                ("target".to_owned(), json!(name)),
                ("provider".to_owned(), json!(&*target.provider.name)),
                ("model".to_owned(), json!(target.model.as_deref())),
                ("region".to_owned(), json!(target.provider.region.as_deref())),
            ]);
            if let Value::Object(known) = known(&target.facts) {
                members.extend(known);
            }
            found.push((name, members, vec![route.name.to_string()]));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let described = found.into_iter().map(|(_, mut members, mut routes)| {
        routes.dedup();
        members.insert("routes".to_owned(), json!(routes));
        Value::Object(members)
    });
    described.collect()
}

/// What is known of a model; `null`: nothing.
pub(super) fn known(facts: &ModelFacts) -> Value {
    json!({
        "price": facts.price.as_deref().map(price),
        "context_tokens": facts.context_tokens,
        "max_output_tokens": facts.max_output_tokens,
        "capabilities": facts.capabilities.map(|it| it.names().collect::<Vec<_>>()),
    })
}

fn price(price: &Price) -> Value {
    let tiers = price.tiers.iter().map(|tier| {
        json!({ "above_prompt_tokens": tier.above_prompt_tokens, "usd_per_million_tokens": rates(&tier.rates) })
    });
    json!({
        "usd_per_million_tokens": rates(&price.base),
        "tiers": tiers.collect::<Vec<_>>(),
        "flex": price.flex.as_ref().map(rates),
        "priority": price.priority.as_ref().map(rates),
        "usd_per_unit": units(price.units),
    })
}

/// What is not counted in tokens, where its price is known.
fn units(prices: UnitPrices) -> Value {
    let known = [
        ("search", prices.search),
        ("image", prices.image),
        ("minute", prices.minute),
    ];
    let told = known
        .into_iter()
        .filter_map(|(name, price)| Some((name.to_owned(), json!(price?.to_string()))));
    Value::Object(told.collect())
}

/// The rates that are priced apart.
fn rates(rates: &Rates) -> Value {
    let apart = [
        ("input", Some(rates.input)),
        ("output", Some(rates.output)),
        ("cache_read", rates.cache_read),
        ("cache_write", rates.cache_write),
        ("cache_write_1h", rates.cache_write_1h),
        ("reasoning", rates.reasoning),
        ("audio_input", rates.audio_input),
        ("audio_output", rates.audio_output),
    ];
    let told = apart
        .into_iter()
        .filter_map(|(name, rate)| Some((name.to_owned(), json!(per_million(rate?)))));
    Value::Object(told.collect())
}

/// Dollars per million tokens, exactly: `0.15`.
fn per_million(rate: PicodollarsPerToken) -> String {
    let text = format!("{}.{:06}", rate.0 / 1_000_000, rate.0 % 1_000_000);
    let short = text.trim_end_matches('0');
    short.strip_suffix('.').unwrap_or(short).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_told_exactly_and_only_where_they_are_apart() {
        let rate = |text: &str| PicodollarsPerToken::parse_per_million(text).unwrap();
        let told = rates(&Rates {
            input: rate("0.15"),
            output: rate("10"),
            cache_read: Some(rate("0.000001")),
            ..Rates::default()
        });
        assert_eq!(
            told,
            json!({"input": "0.15", "output": "10", "cache_read": "0.000001"})
        );
    }
}
