//! What request number n is: kind, key, question, size, whether it streams, whether it is given up. Chosen by the
//! seed and the number alone, so that each contestant of a comparison is asked the same; only the words of questions that
//! are not repeated differ from run to run.

use super::number::{float, index, whole};
use super::scenario::{CancelWhen, LEAST_DISTINCT, PromptSize, RequestKind, Scenario, Surface};
use crate::dice::Dice;

const SALT_KIND: u64 = 1;
const SALT_KEY: u64 = 2;
const SALT_STREAM: u64 = 3;
const SALT_REPEAT: u64 = 4;
const SALT_QUESTION: u64 = 5;
const SALT_CANCEL: u64 = 6;
const SALT_SIZE: u64 = 7;
const SALT_SIZE_CHOICE: u64 = 8;

/// A request to send.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ask {
    /// Which kind, by its place in the scenario.
    pub(crate) kind: usize,
    /// Which key, by its place in the scenario. `None`: the scenario has none.
    pub(crate) key: Option<usize>,
    pub(crate) streamed: bool,
    pub(crate) cancel: Option<CancelWhen>,
    pub(crate) body: Vec<u8>,
}

/// Makes requests.
#[derive(Debug)]
pub(crate) struct Mix {
    scenario: Scenario,
    /// The models' names as JSON.
    models: Vec<String>,
    kinds: Weights,
    keys: Weights,
    /// Makes questions that are not repeated differ from those of other runs.
    novelty: u64,
}

impl Mix {
    /// `novelty` should differ from run to run: a server's cache may outlive a run.
    pub(crate) fn new(scenario: &Scenario, novelty: u64) -> Self {
        let model = |(kind, _): &(RequestKind, f64)| serde_json::Value::from(kind.model.as_str()).to_string();
        Self {
            models: scenario.requests.iter().map(model).collect(),
            kinds: Weights::new(scenario.requests.iter().map(|(_, weight)| *weight)),
            keys: Weights::new(scenario.keys.iter().map(|(_, weight)| *weight)),
            scenario: scenario.clone(),
            novelty,
        }
    }

    /// The kind that an [`Ask`] names. `None` only for one of another mix.
    pub(crate) fn kind(&self, ask: &Ask) -> Option<&RequestKind> {
        self.scenario.requests.get(ask.kind).map(|(kind, _)| kind)
    }

    /// Request number `number`. `None` only where the scenario sends nothing.
    pub(crate) fn ask(&self, number: u64) -> Option<Ask> {
        let dice = Dice::new(self.scenario.seed, &["load"], number);
        let place = self.kinds.pick(dice.unit(SALT_KIND))?;
        let (kind, _) = self.scenario.requests.get(place)?;
        let repeats = self.scenario.repeats;
        let (question, sized_by) = if dice.unit(SALT_REPEAT) < repeats.share {
            let asked = dice.roll(SALT_QUESTION) % repeats.questions;
            let question = Dice::new(self.scenario.seed, &["again"], asked);
            (question, question)
        } else {
            // Its words differ from run to run, its size does not: all contestants and rounds carry the same bytes.
            (Dice::new(self.novelty, &["new"], number), dice)
        };
        let size = self.size(kind, sized_by);
        let streamed = dice.unit(SALT_STREAM) < kind.stream;
        let cancelled = dice.unit(SALT_CANCEL) < self.scenario.cancels.share;
        let model = self.models.get(place)?;
        Some(Ask {
            kind: place,
            key: self.keys.pick(dice.unit(SALT_KEY)),
            streamed,
            cancel: cancelled.then_some(self.scenario.cancels.when),
            body: body(kind, model, streamed, &prompt(question, size)),
        })
    }

    /// Bytes of the prompt: of a repeated question by the question, so that it is the same text.
    fn size(&self, kind: &RequestKind, dice: Dice) -> usize {
        let size = match kind.prompt.as_ref().unwrap_or(&self.scenario.prompt) {
            PromptSize::Fixed(bytes) => *bytes,
            PromptSize::Between(least, most) => {
                least + dice.roll(SALT_SIZE) % (most - least).saturating_add(1)
            }
            PromptSize::LogNormal { median, sigma, most } => {
                let size = whole(float(*median) * (sigma * dice.normal(SALT_SIZE)).exp());
                // Where it matters which questions were asked before, none is cut within its words.
                let least = if self.scenario.repeats.share > 0.0 {
                    LEAST_DISTINCT
                } else {
                    0
                };
                size.max(least).min(*most)
            }
            PromptSize::OneOf(sizes) => {
                let weights = Weights::new(sizes.iter().map(|(_, weight)| *weight));
                let place = weights.pick(dice.unit(SALT_SIZE_CHOICE));
                place.and_then(|it| sizes.get(it)).map_or(0, |(bytes, _)| *bytes)
            }
        };
        index(size)
    }
}

/// Chooses by weight.
#[derive(Debug)]
struct Weights(Vec<f64>);

impl Weights {
    fn new(weights: impl Iterator<Item = f64>) -> Self {
        let sums = weights.scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self(sums.collect())
    }

    /// The place that `unit` (`0.0..1.0`) falls on. `None`: there is nothing to choose from.
    fn pick(&self, unit: f64) -> Option<usize> {
        let at = self.0.last()? * unit;
        self.0.iter().position(|sum| at < *sum)
    }
}

const WORDS: [&str; 32] = [
    "harbour", "pencil", "rabbit", "copper", "island", "velvet", "mirror", "garden", "anchor", "pepper",
    "window", "basket", "tunnel", "candle", "ladder", "spoon", "bridge", "kettle", "meadow", "falcon",
    "marble", "engine", "lantern", "orchard", "pigeon", "quarry", "ribbon", "saddle", "timber", "valley",
    "walnut", "zephyr",
];
const FILLER: &str =
    "and what else would one have to know about that before deciding, given the usual limits ";

/// A question: words that tell it from others (60 bits of them), filled up to `size` bytes of plain ASCII.
fn prompt(question: Dice, size: usize) -> String {
    let mut text = String::with_capacity(size.max(128));
    text.push_str("how do these relate:");
    let mut bits = question.roll(SALT_QUESTION);
    for _ in 0..12 {
        let word = WORDS.get(index(bits % 32)).copied().unwrap_or_default();
        text.push(' ');
        text.push_str(word);
        bits /= 32;
    }
    text.push(' ');
    while text.len() < size {
        text.push_str(FILLER);
    }
    text.truncate(size);
    text
}

/// `model` is JSON already; the prompt needs no escaping.
fn body(kind: &RequestKind, model: &str, streamed: bool, prompt: &str) -> Vec<u8> {
    let tokens = kind.answer_tokens;
    let stream = match (streamed, kind.surface) {
        (true, Surface::Chat) => r#","stream":true,"stream_options":{"include_usage":true}"#,
        (true, Surface::Messages) => r#","stream":true"#,
        _ => "",
    };
    let text = match kind.surface {
        Surface::Embeddings => format!(r#"{{"model":{model},"input":"{prompt}"}}"#),
        Surface::Chat | Surface::Messages => format!(
            r#"{{"model":{model},"messages":[{{"role":"user","content":"{prompt}"}}],"max_tokens":{tokens}{stream}}}"#
        ),
    };
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use serde_json::Value;

    use super::*;
    use crate::load::scenario::Outside;

    fn mix(text: &str, novelty: u64) -> Mix {
        let outside = Outside {
            env: &|_| None,
            file: &|_| Err(std::io::ErrorKind::NotFound.into()),
        };
        let scenario = Scenario::parse(&format!("arrival: closed\n{text}"), &outside).unwrap();
        Mix::new(&scenario, novelty)
    }

    fn question(ask: &Ask) -> String {
        let body: Value = serde_json::from_slice(&ask.body).unwrap();
        body["messages"][0]["content"].as_str().unwrap().to_owned()
    }

    #[test]
    fn kinds_keys_streams_and_cancels_come_in_their_shares() {
        let mix = mix(
            "requests:\n  - { model: a, weight: 3, stream: 50% }\n  - { model: b, weight: 1, surface: messages }\n  \
             - { model: never, weight: 0 }\nkeys: [ { key: x, weight: 9 }, { key: y } ]\ncancels: { share: 10% }\n",
            1,
        );
        let mut kinds = BTreeMap::new();
        let (mut streams, mut cancels, mut second_key) = (0, 0, 0);
        for ask in (0..10_000).map(|number| mix.ask(number).unwrap()) {
            *kinds.entry(ask.kind).or_insert(0) += 1;
            streams += u32::from(ask.streamed);
            cancels += u32::from(ask.cancel.is_some());
            second_key += u32::from(ask.key == Some(1));
        }
        assert!((7300..7700).contains(&kinds[&0]), "{kinds:?}");
        assert_eq!(kinds.get(&2), None);
        assert!((3550..3950).contains(&streams), "{streams}");
        assert!((900..1100).contains(&cancels), "{cancels}");
        assert!((900..1100).contains(&second_key), "{second_key}");
    }

    #[test]
    fn repeated_questions_repeat_and_new_ones_are_new_in_every_run() {
        let text =
            "requests: [ { model: m } ]\nrepeats: { share: 60%, questions: 20 }\nprompt: { median: 500B }\n";
        let first: Vec<_> = (0..1000)
            .map(|it| question(&mix(text, 1).ask(it).unwrap()))
            .collect();
        let again: Vec<_> = (0..1000)
            .map(|it| question(&mix(text, 1).ask(it).unwrap()))
            .collect();
        assert_eq!(first, again);
        let distinct: HashSet<_> = first.iter().collect();
        assert!((380..460).contains(&distinct.len()), "{}", distinct.len());
        let later: Vec<_> = (0..1000)
            .map(|it| question(&mix(text, 2).ask(it).unwrap()))
            .collect();
        let common: HashSet<_> = later.iter().filter(|it| distinct.contains(it)).collect();
        assert!(common.len() <= 20, "only the repeated ones: {}", common.len());
    }

    #[test]
    fn the_words_that_tell_questions_apart_fit_into_the_least_prompt() {
        let longest = WORDS.iter().map(|word| word.len()).max().unwrap();
        let words = "how do these relate:".len() + 12 * (longest + 1);
        assert!(words <= index(LEAST_DISTINCT), "{words}");
    }

    #[test]
    fn every_contestant_is_sent_prompts_of_the_same_sizes() {
        let text = "requests: [ { model: m } ]\nrepeats: { share: 30%, questions: 20 }\nprompt: { median: 1KiB, sigma: 1.5 }\n";
        let sizes = |novelty| {
            let mix = mix(text, novelty);
            (0..200)
                .map(|it| mix.ask(it).unwrap().body.len())
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes(1), sizes(2));
        let distinct: HashSet<_> = sizes(1).into_iter().collect();
        assert!(distinct.len() > 100, "{}", distinct.len());
    }

    #[test]
    fn prompts_are_as_large_as_asked_and_bodies_are_json() {
        let mix = mix(
            "requests:\n  - { model: 'say \"a\"', prompt: 1000B }\n  - { model: e, surface: embeddings, prompt: { from: 10B, to: \
             20B } }\n  - { model: l, prompt: { median: 4KiB, sigma: 1.5, to: 8KiB } }\n  - { model: s, prompt: [ { size: 0B }, \
             { size: 3KiB } ] }\n",
            1,
        );
        let mut seen = HashSet::new();
        for ask in (0..500).map(|number| mix.ask(number).unwrap()) {
            let body: Value = serde_json::from_slice(&ask.body).unwrap();
            let text = body["input"]
                .as_str()
                .unwrap_or_else(|| body["messages"][0]["content"].as_str().unwrap());
            match ask.kind {
                0 => assert_eq!((text.len(), &body["model"]), (1000, &Value::from("say \"a\""))),
                1 => assert!((10..=20).contains(&text.len())),
                2 => assert!(text.len() <= 8192),
                _ => assert!([0, 3072].contains(&text.len())),
            }
            seen.insert((ask.kind, text.len()));
        }
        assert!(seen.len() > 80, "{}", seen.len());
    }

    #[test]
    fn streams_ask_for_usage_in_the_dialect_that_knows_it() {
        let chat = mix("requests: [ { model: m, stream: 100% } ]\n", 1)
            .ask(0)
            .unwrap();
        let body: Value = serde_json::from_slice(&chat.body).unwrap();
        assert_eq!(
            (&body["stream"], &body["stream_options"]["include_usage"]),
            (&true.into(), &true.into())
        );
        let message = mix("requests: [ { model: m, stream: 100%, surface: messages } ]\n", 1)
            .ask(0)
            .unwrap();
        let body: Value = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(
            (&body["stream"], body.get("stream_options")),
            (&true.into(), None)
        );
    }
}
