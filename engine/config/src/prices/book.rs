//! Reads price catalogues and looks models up in them.
//!
//! A price is packed: 466 models take well under a megabyte, parsed once, about a millisecond.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use thiserror::Error;
use tollgate_core::{
    Capabilities, Nanodollars, PicodollarsPerToken, Price, PriceTier, ProviderKind, Rates, UnitPrices,
};
use tollgate_routing::{ModelBook, ModelFacts};

use super::names;

const SHIPPED: &str = include_str!("../../data/catalog.json");

/// A model in the catalogue.
#[derive(Debug)]
struct Listed {
    facts: ModelFacts,
    /// Whether the gateway can serve it: chat, completion or embedding, not one of the Responses API only.
    is_servable: bool,
}

/// Prices of many models.
#[derive(Debug, Default)]
pub struct PriceBook {
    /// By provider as the catalogue names it, then by model. Aliases are entries of their own.
    providers: HashMap<Box<str>, BTreeMap<Box<str>, Arc<Listed>>>,
}

/// Why a text is not a price catalogue.
#[derive(Debug, Error)]
pub enum PriceBookError {
    /// Not JSON, or not of the catalogue's form.
    #[error("not a price catalogue: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The prices are in another unit than ours.
    #[error("prices in \"{0}\" instead of \"picodollars per token\"")]
    Unit(String),
}

#[derive(Deserialize)]
struct CatalogFile {
    unit: String,
    /// The abilities of which it speaks, by provider: of others, a model's list says nothing. A provider that is
    /// not there has complete lists.
    #[serde(default)]
    abilities: HashMap<Box<str>, Vec<Ability>>,
    models: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    provider: Box<str>,
    model: Box<str>,
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    aliases: Vec<Box<str>>,
    #[serde(default)]
    context: Option<u32>,
    #[serde(default)]
    max_output: Option<u32>,
    #[serde(default)]
    capabilities: Option<Vec<Ability>>,
    price: RawRates,
    #[serde(default)]
    tiers: Vec<RawTier>,
    #[serde(default)]
    flex: Option<RawRates>,
    #[serde(default)]
    priority: Option<RawRates>,
    #[serde(default)]
    per_unit: RawUnits,
}

/// Nanodollars for one of what is not counted in tokens.
#[derive(Default, Deserialize)]
#[serde(default)]
struct RawUnits {
    search: Option<u64>,
    image: Option<u64>,
    minute: Option<u64>,
}

/// The name of a capability.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "Box<str>")]
struct Ability(Capabilities);

#[derive(Deserialize)]
struct RawTier {
    above: u64,
    #[serde(flatten)]
    rates: RawRates,
}

#[derive(Deserialize)]
struct RawRates {
    input: u64,
    output: u64,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_1h: Option<u64>,
    reasoning: Option<u64>,
    audio_input: Option<u64>,
    audio_output: Option<u64>,
}

impl PriceBook {
    /// The catalogue in the binary: read at the first call, shared from then on.
    pub fn shipped() -> Arc<Self> {
        static BOOK: OnceLock<Arc<PriceBook>> = OnceLock::new();
        // A test reads the shipped catalogue: the default cannot happen.
        let read = || Arc::new(Self::default().with_json(SHIPPED).unwrap_or_default());
        BOOK.get_or_init(read).clone()
    }

    /// The shipped catalogue with the entries of another one, in the same form, in place of its own.
    pub fn from_json(text: &str) -> Result<Self, PriceBookError> {
        let shipped = Self {
            providers: Self::shipped().providers.clone(),
        };
        shipped.with_json(text)
    }

    fn with_json(mut self, text: &str) -> Result<Self, PriceBookError> {
        let file: CatalogFile = serde_json::from_str(text)?;
        if file.unit != "picodollars per token" {
            return Err(PriceBookError::Unit(file.unit));
        }
        for entry in file.models {
            let spoken_of = file.abilities.get(&entry.provider);
            let unknown = spoken_of.map_or(Capabilities::NONE, |spoken_of| {
                Capabilities::ALL.missing(all(spoken_of))
            });
            let listed = Arc::new(entry.listed(unknown));
            let models = self.providers.entry(entry.provider).or_default();
            for alias in entry.aliases {
                models.insert(alias, listed.clone());
            }
            models.insert(entry.model, listed);
        }
        Ok(self)
    }

    /// What is known of `model` at a provider of `kind`. `None`: nothing.
    ///
    /// Tolerant of how names are written: by its own name, without a date (`-2024-07-18`, `-20251001`) or
    /// `-latest`, with a vendor before it (`openai/gpt-4o` at OpenRouter). Models served by Ollama and vLLM
    /// cost nothing unless the catalogue says otherwise.
    pub fn find(&self, kind: ProviderKind, model: &str) -> Option<&ModelFacts> {
        names::candidates(kind, model)
            .find_map(|(provider, name)| self.providers.get(provider)?.get(&*name))
            .map(|listed| &listed.facts)
            .or_else(|| names::is_free(kind, model).then(free))
    }

    /// The names of the models that a provider of `kind` can serve, aliases included, in alphabetical order.
    pub fn models(&self, kind: ProviderKind) -> impl Iterator<Item = &str> {
        let models = self.providers.get(names::listed_as(kind));
        models
            .into_iter()
            .flatten()
            .filter(move |(name, listed)| listed.is_servable && names::is_of(kind, name))
            .map(|(name, _)| &**name)
    }
}

/// Of models that cost nothing.
fn free() -> &'static ModelFacts {
    static FREE: OnceLock<ModelFacts> = OnceLock::new();
    FREE.get_or_init(|| ModelFacts {
        price: Some(Arc::default()),
        ..ModelFacts::default()
    })
}

impl ModelBook for PriceBook {
    fn facts(&self, kind: ProviderKind, model: &str) -> Option<ModelFacts> {
        self.find(kind, model).cloned()
    }
}

impl TryFrom<Box<str>> for Ability {
    type Error = String;

    fn try_from(name: Box<str>) -> Result<Self, String> {
        let found = Capabilities::from_name(&name).map(Self);
        found.ok_or_else(|| {
            let known: Vec<&str> = Capabilities::ALL.names().collect();
            format!("no capability: {name:?}, expected one of {}", known.join(", "))
        })
    }
}

/// All of them together.
fn all(abilities: &[Ability]) -> Capabilities {
    let abilities = abilities.iter().map(|it| it.0);
    abilities.fold(Capabilities::NONE, Capabilities::union)
}

impl Entry {
    /// `unknown`: what is not listed, and is held against nobody.
    fn listed(&self, unknown: Capabilities) -> Listed {
        let mut tiers: Vec<PriceTier> = self.tiers.iter().map(RawTier::tier).collect();
        tiers.sort_by_key(|tier| tier.above_prompt_tokens);
        let price = Price {
            base: self.price.rates(),
            tiers,
            flex: self.flex.as_ref().map(RawRates::rates),
            priority: self.priority.as_ref().map(RawRates::rates),
            units: UnitPrices {
                search: self.per_unit.search.map(Nanodollars),
                image: self.per_unit.image.map(Nanodollars),
                minute: self.per_unit.minute.map(Nanodollars),
            },
        };
        Listed {
            facts: ModelFacts {
                price: Some(Arc::new(price)),
                context_tokens: self.context,
                max_output_tokens: self.max_output,
                capabilities: self
                    .capabilities
                    .as_deref()
                    .map(|listed| all(listed).union(unknown)),
            },
            is_servable: self.mode.as_deref() != Some("responses"),
        }
    }
}

impl RawTier {
    fn tier(&self) -> PriceTier {
        PriceTier {
            above_prompt_tokens: self.above,
            rates: self.rates.rates(),
        }
    }
}

impl RawRates {
    fn rates(&self) -> Rates {
        Rates {
            input: PicodollarsPerToken(self.input),
            output: PicodollarsPerToken(self.output),
            cache_read: self.cache_read.map(PicodollarsPerToken),
            cache_write: self.cache_write.map(PicodollarsPerToken),
            cache_write_1h: self.cache_write_1h.map(PicodollarsPerToken),
            reasoning: self.reasoning.map(PicodollarsPerToken),
            audio_input: self.audio_input.map(PicodollarsPerToken),
            audio_output: self.audio_output.map(PicodollarsPerToken),
        }
    }
}
