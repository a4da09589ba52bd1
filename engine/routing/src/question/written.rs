//! A question as it is written: the name of each candidate stands beside what is known of it.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Facts, Group, Names, Question};
use crate::TargetName;

#[derive(Serialize)]
struct Telling<'q> {
    #[serde(with = "hex")]
    seed: u64,
    #[serde(skip_serializing_if = "Option::is_none", with = "optional_hex")]
    session: Option<u64>,
    output_tokens: f32,
    groups: &'q [Group],
    candidates: Vec<Told<'q>>,
}

#[derive(Serialize)]
struct Told<'q> {
    provider: &'q str,
    model: &'q str,
    #[serde(flatten)]
    facts: &'q Facts,
}

#[derive(Deserialize)]
struct Reading {
    #[serde(with = "hex")]
    seed: u64,
    #[serde(default, with = "optional_hex")]
    session: Option<u64>,
    output_tokens: f32,
    groups: Vec<Group>,
    candidates: Vec<Read>,
}

#[derive(Deserialize)]
struct Read {
    provider: Arc<str>,
    model: Arc<str>,
    #[serde(flatten)]
    facts: Facts,
}

impl Serialize for Question {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let told = |facts| {
            let (provider, model) = self.names(facts);
            Told {
                provider,
                model,
                facts,
            }
        };
        Telling {
            seed: self.seed,
            session: self.session,
            output_tokens: self.output_tokens,
            groups: &self.groups,
            candidates: self.candidates.iter().map(told).collect(),
        }
        .serialize(to)
    }
}

impl<'de> Deserialize<'de> for Question {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let read = Reading::deserialize(from)?;
        let mut names = vec![Vec::new(); read.groups.len()];
        let mut candidates = Vec::with_capacity(read.candidates.len());
        for Read {
            provider,
            model,
            mut facts,
        } in read.candidates
        {
            // Of a group that is not there nothing is known, not even a name.
            if let Some(names) = names.get_mut(usize::from(facts.fallback)) {
                facts.entry = u16::try_from(names.len()).unwrap_or(u16::MAX);
                names.push(TargetName {
                    provider,
                    model: Some(model),
                });
            }
            candidates.push(facts);
        }
        let mut groups = read.groups;
        for (group, targets) in groups.iter_mut().zip(names) {
            group.names = Names {
                targets: targets.into(),
                asked: None,
            };
        }
        Ok(Self {
            seed: read.seed,
            session: read.session,
            output_tokens: read.output_tokens,
            groups,
            candidates,
        })
    }
}

/// 64 bits that are written as text: JSON numbers are 53 bits wide to most readers.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Hex(#[serde(with = "hex")] u64);

mod optional_hex {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::Hex;

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(value: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
        value.map(Hex).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
        Ok(Option::<Hex>::deserialize(from)?.map(|hex| hex.0))
    }
}

pub(super) mod hex {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(in super::super) fn serialize<S: Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{value:016x}"))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let text = String::deserialize(from)?;
        u64::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Policy;

    /// Journals of decisions are read by later versions, and by other programs.
    #[test]
    fn provider_and_model_stand_beside_what_is_known_of_a_candidate() {
        let facts = json!({
            "fallback": 0, "priority": 1, "weight": 2, "key": "00000000000000ff", "cost": 1000, "ttft_us": 2.5,
            "age_ms": 3, "per_token_us": null, "in_flight": 4, "load": 0.5, "error_ratio": 0.25, "samples": 5,
            "gate": "all",
        });
        let mut named = json!({ "provider": "p", "model": "m" });
        named
            .as_object_mut()
            .unwrap()
            .extend(facts.as_object().unwrap().clone());
        let written = json!({
            "seed": "000000000000000a", "session": "000000000000000b", "output_tokens": 1.5,
            "groups": [{ "route": "r", "policy": Policy::default() }], "candidates": [named],
        });
        let question: Question = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(question.name(&question.candidates[0]), "p/m");
        assert_eq!(serde_json::to_value(&question).unwrap(), written);
    }

    #[test]
    fn a_target_without_a_model_of_its_own_is_written_with_the_one_asked_for() {
        let facts: Facts = serde_json::from_value(json!({
            "fallback": 0, "priority": 0, "weight": 1, "key": "0", "cost": null, "ttft_us": null, "age_ms": 0,
            "per_token_us": null, "in_flight": 0, "load": 0.0, "error_ratio": 0.0, "samples": 0, "gate": "all",
        }))
        .unwrap();
        let unbound = TargetName {
            provider: "p".into(),
            model: None,
        };
        let question = Question {
            groups: vec![Group {
                route: "r/*".into(),
                policy: Policy::default(),
                names: Names {
                    targets: [unbound].into(),
                    asked: Some("llama".into()),
                },
            }],
            candidates: vec![facts],
            ..Question::default()
        };
        let written = serde_json::to_value(&question).unwrap();
        assert_eq!(written["candidates"][0]["model"], "llama", "{written}");
        let read: Question = serde_json::from_value(written).unwrap();
        assert_eq!(read.name(&read.candidates[0]), "p/llama");
    }
}
