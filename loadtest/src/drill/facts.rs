//! What the gateway's configuration is, as its admin API tells, and why a drill cannot pass with it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::calls::provider_of;
use super::table::{Drill, Fault};
use crate::load::units;

/// What a drill must know of a configuration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// The route that is drilled.
    pub route: String,
    /// The model name that clients ask for: the route's name, with its `*` filled in.
    pub model: String,
    /// Its targets that have a share of the traffic, then those of its fallbacks: `provider/model`.
    pub targets: Vec<String>,
    /// How many of these are the route's own.
    pub own_targets: usize,
    /// Routes with one provider only: they go down with it. The drilled one is not among them.
    pub alone: Vec<String>,
    /// Attempts at most.
    pub max_attempts: u64,
    /// Time for a request. `None`: no limit.
    pub deadline: Option<Duration>,
    /// Whether a late attempt is helped by another.
    pub hedges: bool,
    /// Whether a stream that breaks is continued.
    pub continues: bool,
    /// Whether targets are chosen by how they fare.
    pub is_scored: bool,
    /// How providers are watched, by name.
    pub providers: BTreeMap<String, Watch>,
    /// How long a gateway that ends goes on accepting.
    pub drain_delay: Duration,
}

/// How a provider is watched.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Watch {
    /// Until the first byte of an answer.
    pub first_byte: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
    /// Whether there is a breaker.
    pub has_breaker: bool,
    /// Whether slowness trips it.
    pub minds_slowness: bool,
    /// How long it stays open at most.
    pub max_open: Duration,
    /// By what part of that it may be longer.
    pub jitter: f64,
    /// How long the return takes after that.
    pub ramp: Duration,
}

/// The configuration does not have the model that is to be drilled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no model '{wanted}' in the configuration; there are: {known}")]
pub struct UnknownModel {
    wanted: String,
    known: String,
}

impl Facts {
    /// From `GET /admin/v1/routes` and `GET /admin/v1/config`. `model`: what is to be drilled; `None`: the first route
    /// that more than one provider can serve, else the first.
    ///
    /// # Errors
    /// There is no such route.
    pub fn read(routes: &Value, config: &Value, model: Option<&str>) -> Result<Self, UnknownModel> {
        let routes: Vec<&Value> = array(routes, "/routes").collect();
        let providers_of = |route: &Value| -> BTreeSet<String> {
            let targets = all_targets(route, &routes);
            targets
                .iter()
                .filter_map(|it| provider_of(it))
                .map(str::to_owned)
                .collect()
        };
        let route = if let Some(model) = model {
            serving(model, &routes)
        } else {
            let several = routes.iter().copied().find(|it| providers_of(it).len() > 1);
            several.or_else(|| routes.first().copied())
        };
        let Some(route) = route else {
            let known: Vec<_> = routes.iter().filter_map(|it| it["route"].as_str()).collect();
            return Err(UnknownModel {
                wanted: model.unwrap_or("any").to_owned(),
                known: known.join(", "),
            });
        };
        let name = route["route"].as_str().unwrap_or_default().to_owned();
        let alone = routes.iter().copied().filter(|it| it["route"] != name.as_str());
        let alone = alone.filter(|it| providers_of(it).len() == 1);
        Ok(Self {
            model: model.map_or_else(|| name.replace('*', "drill"), str::to_owned),
            targets: all_targets(route, &routes),
            own_targets: targets(route).count(),
            alone: alone
                .filter_map(|it| Some(it["route"].as_str()?.to_owned()))
                .collect(),
            max_attempts: route
                .pointer("/limits/max_attempts")
                .and_then(Value::as_u64)
                .unwrap_or(1),
            deadline: route
                .pointer("/limits/deadline_ms")
                .and_then(Value::as_u64)
                .map(Duration::from_millis),
            hedges: route.pointer("/limits/hedge").is_some_and(|it| !it.is_null()),
            continues: route.pointer("/limits/continue_streams") == Some(&Value::Bool(true)),
            is_scored: route
                .pointer("/settings/strategy")
                .is_some_and(|it| it == "scored"),
            providers: providers(config),
            drain_delay: span(config, "/settings/server/drain/delay/value"),
            route: name,
        })
    }

    /// The providers that may serve the route.
    pub fn serving(&self) -> BTreeSet<&str> {
        self.targets.iter().filter_map(|it| provider_of(it)).collect()
    }

    /// How long it may take at most until a provider is back after an outage.
    pub fn longest_return(&self) -> Duration {
        self.longest(|it| it.max_open.mul_f64(1.0 + it.jitter) + it.ramp)
    }

    fn longest(&self, of: impl Fn(&Watch) -> Duration) -> Duration {
        let serving = self.serving();
        let watched = self
            .providers
            .iter()
            .filter(|(name, _)| serving.contains(name.as_str()));
        watched.map(|(_, watch)| of(watch)).max().unwrap_or_default()
    }

    fn every(&self, of: impl Fn(&Watch) -> bool) -> bool {
        let serving = self.serving();
        self.providers
            .iter()
            .filter(|(name, _)| serving.contains(name.as_str()))
            .all(|(_, it)| of(it))
    }

    /// Why the drill cannot pass, a sentence each with what to change; empty where it can. `patience`: how long clients
    /// wait; `lasts`: the fault.
    pub fn obstacles(&self, drill: &Drill, patience: Duration, lasts: Duration) -> Vec<String> {
        let mut found = Vec::new();
        let route = &self.route;
        if !drill.fault.is_upstream() {
            return found;
        }
        let serving = self.serving();
        if serving.len() < 2 {
            let only = serving.first().copied().unwrap_or("none");
            let what = match self.targets.len() {
                0 | 1 => "has a single target".to_owned(),
                many => format!("has {many} targets, all of them at {only}"),
            };
            found.push(format!(
                "model {route} {what}: there is nothing to shift to. Add a target at another provider, or `fallbacks`"
            ));
        }
        if self.max_attempts < 2 {
            found.push(format!(
                "model {route} has `max_attempts: 1`: a request that meets the fault is not tried elsewhere. Allow 2"
            ));
        }
        if !self.every(|it| it.has_breaker) && drill.fail_if.iter().any(|it| it.starts_with("shift")) {
            found.push(
                "a provider has `breaker.enabled: false`: requests would go on trying it first. Switch it on"
                    .to_owned(),
            );
        }
        let limit = self.deadline.unwrap_or(patience).min(patience);
        let (name, clock) = match stall(drill) {
            Some(Stall::BeforeHead) => ("first_byte", self.longest(|it| it.first_byte)),
            Some(Stall::MidStream) => ("idle", self.longest(|it| it.idle)),
            None => return found,
        };
        if !(self.hedges && name == "first_byte") && clock >= limit {
            found.push(format!(
                "`timeouts.{name}` is {clock:?} and the time of a request {limit:?}: whoever meets the stall fails before \
                 the gateway gives up waiting. Set it to a few seconds{}",
                if name == "first_byte" { ", or `hedge`" } else { "" }
            ));
        } else if clock >= lasts {
            found.push(format!(
                "`timeouts.{name}` is {clock:?} and the fault lasts {lasts:?}: no breaker can open in that time. Set it \
                 to a few seconds, or let the drill last longer (--for)"
            ));
        }
        found
    }

    /// What one should know before the drill begins, and does not fail it by itself.
    pub fn remarks(&self, drill: &Drill) -> Vec<String> {
        let mut found = Vec::new();
        if drill.fault.is_upstream() && !self.alone.is_empty() {
            found.push(format!(
                "not drilled, and down together with the only provider of each: {}",
                self.alone.join(", ")
            ));
        }
        let notices = self.is_scored || self.hedges || self.every(|it| it.minds_slowness);
        if matches!(drill.fault, Fault::Behave(text) if text.contains("write_pause_ms")) && !notices {
            found.push(format!(
                "nothing in the configuration notices slowness: traffic of {} stays where it is. `breaker.slow_after`, \
                 `hedge` or `weights` would",
                self.route
            ));
        }
        if drill.fault == Fault::Roll && self.drain_delay.is_zero() {
            found.push(
                "`server.drain.delay` is 0: a balancer learns of a drain when connections are refused"
                    .to_owned(),
            );
        }
        found
    }
}

/// Where answers stop.
enum Stall {
    BeforeHead,
    MidStream,
}

fn stall(drill: &Drill) -> Option<Stall> {
    match drill.fault {
        Fault::Behave(text) if text.contains("\"hang\"") => Some(if text.contains("before_head") {
            Stall::BeforeHead
        } else {
            Stall::MidStream
        }),
        _ => None,
    }
}

fn array<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// The targets of a route that get requests.
fn targets(route: &Value) -> impl Iterator<Item = String> + use<'_> {
    let used = array(route, "/targets").filter(|it| it["weight"].as_u64() != Some(0));
    used.filter_map(|it| Some(it["target"].as_str()?.to_owned()))
}

/// Those of its fallbacks as well.
fn all_targets(route: &Value, routes: &[&Value]) -> Vec<String> {
    let mut all: Vec<String> = targets(route).collect();
    for fallback in array(route, "/fallbacks") {
        let found = fallback.as_str().and_then(|name| serving(name, routes));
        all.extend(found.into_iter().flat_map(targets));
    }
    all
}

/// The route that serves a model: of that name or alias, else the first whose pattern covers it.
fn serving<'a>(model: &str, routes: &[&'a Value]) -> Option<&'a Value> {
    let is_named =
        |route: &Value| route["route"] == model || array(route, "/aliases").any(|alias| alias == model);
    let named = routes.iter().find(|it| is_named(it));
    named
        .or_else(|| routes.iter().find(|it| covers(it, model)))
        .copied()
}

/// Whether the pattern of a route matches a model.
fn covers(route: &Value, model: &str) -> bool {
    let pattern = route["route"].as_str().and_then(|name| name.split_once('*'));
    pattern.is_some_and(|(start, end)| {
        model.len() >= start.len() + end.len() && model.starts_with(start) && model.ends_with(end)
    })
}

fn providers(config: &Value) -> BTreeMap<String, Watch> {
    let written = config.pointer("/settings/providers").and_then(Value::as_object);
    let watch = |provider: &Value| Watch {
        first_byte: span(provider, "/timeouts/first_byte/value"),
        idle: span(provider, "/timeouts/idle/value"),
        has_breaker: provider.pointer("/breaker/enabled/value") != Some(&Value::Bool(false)),
        minds_slowness: provider
            .pointer("/breaker/slow_after/value")
            .is_some_and(|it| !it.is_null()),
        max_open: span(provider, "/breaker/max_open_for/value")
            .max(span(provider, "/breaker/open_for/value")),
        jitter: share(provider, "/breaker/jitter/value"),
        ramp: span(provider, "/breaker/ramp/value"),
    };
    written
        .into_iter()
        .flatten()
        .map(|(name, it)| (name.clone(), watch(it)))
        .collect()
}

/// A share as config files write it, `20%` or `0.2`; zero where there is none.
fn share(value: &Value, pointer: &str) -> f64 {
    let found = value.pointer(pointer);
    let text = match found {
        Some(Value::Number(number)) => return number.as_f64().unwrap_or_default(),
        found => found.and_then(Value::as_str).unwrap_or_default(),
    };
    match text.strip_suffix('%') {
        Some(percent) => units::number(percent).map_or(0.0, |it| it / 100.0),
        None => units::number(text).unwrap_or(0.0),
    }
}

/// A duration as config files write it; zero where there is none.
fn span(value: &Value, pointer: &str) -> Duration {
    let text = value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let mut sum = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let number = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = rest.get(number..).unwrap_or_default();
        let end = number
            + unit
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(unit.len());
        let Some((piece, after)) = rest.split_at_checked(end) else {
            break;
        };
        let Some(more) = units::duration(piece) else { break };
        sum += more;
        rest = after;
    }
    sum
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::drill::table::drill;

    fn target(name: &str, weight: u64) -> Value {
        json!({"target": name, "weight": weight})
    }

    fn routes() -> Value {
        let limits =
            json!({"max_attempts": 8, "hedge": null, "continue_streams": false, "deadline_ms": null});
        json!({"routes": [
            {"route": "embed", "limits": limits, "fallbacks": [], "targets": [target("a/embed", 1)]},
            {"route": "fast", "aliases": ["quick"], "limits": limits, "fallbacks": [],
             "targets": [target("a/m", 1), target("b/m", 1), target("c/m", 0)]},
            {"route": "smart", "limits": limits, "fallbacks": ["fast"], "targets": [target("a/s", 1)]},
            {"route": "spare", "limits": limits, "fallbacks": ["quick"], "targets": [target("l/s", 1)]},
            {"route": "odd", "limits": limits, "fallbacks": ["local/any"], "targets": [target("a/o", 1)]},
            {"route": "local/*", "limits": {"max_attempts": 1}, "targets": [target("l/*", 1)]},
        ]})
    }

    fn config(first_byte: &str) -> Value {
        let provider = json!({
            "timeouts": {"first_byte": {"value": first_byte}, "idle": {"value": "60s"}},
            "breaker": {"enabled": {"value": true}, "open_for": {"value": "5s"}, "max_open_for": {"value": "10s"},
                        "jitter": {"value": "50%"}, "ramp": {"value": "5s"}, "slow_after": {"value": null}}});
        json!({"settings": {"providers": {"a": provider, "b": provider, "l": provider},
                            "server": {"drain": {"delay": {"value": "1h30m"}}}}})
    }

    fn facts(model: Option<&str>) -> Facts {
        Facts::read(&routes(), &config("120s"), model).unwrap()
    }

    #[test]
    fn the_first_route_with_several_providers_is_drilled() {
        let facts = facts(None);
        assert_eq!((facts.route.as_str(), facts.model.as_str()), ("fast", "fast"));
        assert_eq!(facts.targets, ["a/m", "b/m"], "one of weight 0 gets nothing");
        assert_eq!(facts.alone, ["embed", "local/*"]);
        assert_eq!(facts.drain_delay, Duration::from_secs(90 * 60));
        assert_eq!(
            facts.longest_return(),
            Duration::from_secs(20),
            "half as long again, and the ramp"
        );
    }

    #[test]
    fn a_model_is_found_by_name_alias_and_pattern_and_fallbacks_count() {
        assert_eq!(facts(Some("quick")).route, "fast");
        assert_eq!(facts(Some("smart")).targets, ["a/s", "a/m", "b/m"]);
        assert_eq!(facts(Some("spare")).targets, ["l/s", "a/m", "b/m"], "by an alias");
        assert_eq!(facts(Some("odd")).targets, ["a/o", "l/*"], "by a pattern");
        let local = facts(Some("local/llama"));
        assert_eq!(
            (local.route.as_str(), local.model.as_str()),
            ("local/*", "local/llama")
        );
        let error = Facts::read(&routes(), &config("1s"), Some("fsat"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("'fsat'") && error.contains("smart"), "{error}");
        assert!(Facts::read(&json!({}), &json!(null), None).is_err());
    }

    #[test]
    fn what_cannot_pass_is_told_with_its_reason_and_what_to_change() {
        let (patience, lasts) = (Duration::from_secs(30), Duration::from_secs(15));
        let told = |model, name: &str| {
            facts(Some(model))
                .obstacles(drill(name).unwrap(), patience, lasts)
                .join(" ")
        };
        assert_eq!(told("fast", "kill-primary"), "");
        assert!(
            told("embed", "kill-primary").contains("embed has a single target: there is nothing to shift to")
        );
        assert!(told("local/x", "storm-529").contains("max_attempts: 1"));
        assert!(told("fast", "stall-before-headers").contains("`timeouts.first_byte` is 120s"));
        assert!(told("fast", "stall-mid-stream").contains("`timeouts.idle` is 60s"));
        assert_eq!(told("embed", "rolling-restart"), "");
        let quick = Facts::read(&routes(), &config("20s"), Some("fast")).unwrap();
        let told = quick
            .obstacles(drill("stall-before-headers").unwrap(), patience, lasts)
            .join(" ");
        assert!(told.contains("no breaker can open in that time"), "{told}");
        let quick = Facts::read(&routes(), &config("2s"), Some("fast")).unwrap();
        assert!(
            quick
                .obstacles(drill("stall-before-headers").unwrap(), patience, lasts)
                .is_empty()
        );
    }

    #[test]
    fn slowness_that_nothing_notices_is_remarked() {
        let remarks = facts(Some("fast")).remarks(drill("slow-drip").unwrap()).join(" ");
        assert!(
            remarks.contains("nothing in the configuration notices slowness"),
            "{remarks}"
        );
        assert!(remarks.contains("embed, local/*"), "{remarks}");
    }
}
