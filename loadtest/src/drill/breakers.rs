//! What the circuit breakers and the credentials of a provider did, from looks at the admin API.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A change of a breaker, or of a credential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Seconds since the fault; before it, negative.
    pub at: f64,
    /// The target, as `provider/model`; of one of its credentials, `provider/model key NAME`.
    pub of: String,
    /// The new state.
    pub state: String,
    /// Why. `None`: it is not told.
    pub why: Option<String>,
}

/// Looks at a provider's breakers, and writes down what has changed.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    /// The state, and how often it has tripped: between two looks a probe may have been sent and have failed.
    states: BTreeMap<String, (String, u64)>,
    pub(crate) changes: Vec<(Duration, Change)>,
}

impl Looks {
    /// Takes an answer of `GET /admin/v1/breakers` at `now`.
    pub(crate) fn take(&mut self, now: Duration, answer: &Value) {
        for breaker in answer
            .pointer("/breakers")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let Some(target) = breaker["target"].as_str() else {
                continue;
            };
            let trips = breaker["trips"].as_u64().unwrap_or(0);
            let why = breaker.pointer("/last_trip/reason").and_then(Value::as_str);
            self.note(now, target.to_owned(), &breaker["state"], trips, why);
            for credential in breaker["credentials"].as_array().into_iter().flatten() {
                let name = credential["name"].as_str().unwrap_or_default();
                let of = format!("{target} key {name}");
                self.note(now, of, &credential["state"], 0, credential["cause"].as_str());
            }
        }
    }

    fn note(&mut self, now: Duration, of: String, state: &Value, trips: u64, why: Option<&str>) {
        let Some(state) = state.as_str() else { return };
        let before = self.states.insert(of.clone(), (state.to_owned(), trips));
        let is_at_rest = matches!(state, "closed" | "usable");
        let is_again = before
            .as_ref()
            .is_some_and(|(was, had)| was == state && *had < trips);
        let is_news = before.map_or(!is_at_rest, |(was, _)| was != state);
        if !is_news && !is_again {
            return;
        }
        let is_for_that = !is_at_rest && state != "half_open";
        let change = Change {
            at: 0.0,
            of,
            state: if is_again {
                format!("{state} again")
            } else {
                state.to_owned()
            },
            why: why.filter(|_| is_for_that).map(str::to_owned),
        };
        self.changes.push((now, change));
    }

    /// The changes at a provider, with their times as of `fault`.
    pub(crate) fn of(&self, provider: &str, fault: Duration) -> Vec<Change> {
        let since = |at: Duration| at.as_secs_f64() - fault.as_secs_f64();
        let is_its = |change: &Change| {
            let rest = change.of.strip_prefix(provider);
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        let its = self.changes.iter().filter(|(_, change)| is_its(change));
        its.map(|(at, change)| Change {
            at: since(*at),
            ..change.clone()
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn look(state: &str, credential: &str) -> Value {
        json!({"breakers": [
            {"target": "a/m", "state": state, "last_trip": {"reason": "5 failures in a row"},
             "credentials": [{"name": "default", "state": credential, "cause": "rate_limited"}]},
            {"target": "b/m", "state": "open", "last_trip": null, "credentials": []},
        ]})
    }

    #[test]
    fn a_probe_that_failed_between_two_looks_is_noticed() {
        let mut looks = Looks::default();
        let look = |state: &str, trips: u64| json!({"breakers": [{"target": "a/m", "state": state, "trips": trips, "last_trip": {"reason": "a probe failed"}}]});
        for (second, state, trips) in [
            (1, "open", 1),
            (2, "open", 1),
            (3, "open", 2),
            (4, "half_open", 2),
        ] {
            looks.take(Duration::from_secs(second), &look(state, trips));
        }
        let told = looks.of("a", Duration::ZERO);
        let states: Vec<_> = told
            .iter()
            .map(|it| (it.state.as_str(), it.why.is_some()))
            .collect();
        assert_eq!(
            states,
            [("open", true), ("open again", true), ("half_open", false)]
        );
    }

    #[test]
    fn changes_of_a_provider_are_told_with_their_reasons_as_of_the_fault() {
        let mut looks = Looks::default();
        let seconds = Duration::from_secs;
        looks.take(seconds(1), &look("closed", "usable"));
        looks.take(seconds(2), &look("open", "usable"));
        looks.take(seconds(3), &look("open", "cooling"));
        looks.take(seconds(9), &look("closed", "usable"));
        looks.take(seconds(10), &json!({"breakers": "nonsense"}));
        let told: Vec<_> = looks
            .of("a", seconds(2))
            .into_iter()
            .map(|it| (it.at, it.of, it.state, it.why))
            .collect();
        let text = |text: &str| text.to_owned();
        assert_eq!(
            told,
            [
                (0.0, text("a/m"), text("open"), Some(text("5 failures in a row"))),
                (
                    1.0,
                    text("a/m key default"),
                    text("cooling"),
                    Some(text("rate_limited"))
                ),
                (7.0, text("a/m"), text("closed"), None),
                (7.0, text("a/m key default"), text("usable"), None),
            ]
        );
        assert_eq!(looks.of("b", seconds(0)).len(), 1);
        assert_eq!(looks.of("c", seconds(0)), []);
    }
}
