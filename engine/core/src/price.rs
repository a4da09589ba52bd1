//! What a model costs: rates per token class, tiers by prompt length, service tiers, prices of what is not counted in
//! tokens.

use crate::{Nanodollars, PicodollarsPerToken, Units, Usage};

/// The rates of one tier. `None` falls back as documented at each field: providers price a class apart only
/// where it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    /// Prompt tokens.
    pub input: PicodollarsPerToken,
    /// Answer tokens.
    pub output: PicodollarsPerToken,
    /// Cached prompt tokens; `None`: as `input`.
    pub cache_read: Option<PicodollarsPerToken>,
    /// Prompt tokens written to a cache; `None`: as `input`.
    pub cache_write: Option<PicodollarsPerToken>,
    /// The same for an hour; `None`: as `cache_write`.
    pub cache_write_1h: Option<PicodollarsPerToken>,
    /// Reasoning tokens; `None`: as `output`.
    pub reasoning: Option<PicodollarsPerToken>,
    /// Audio in the prompt; `None`: as `input`.
    pub audio_input: Option<PicodollarsPerToken>,
    /// Audio in the answer; `None`: as `output`.
    pub audio_output: Option<PicodollarsPerToken>,
}

/// Rates that replace the base ones for the whole request once its prompt is longer than a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceTier {
    /// The tier holds for prompts of more tokens than this.
    pub above_prompt_tokens: u64,
    /// What a token costs then.
    pub rates: Rates,
}

/// The service level that a provider says it used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ServiceTier {
    /// Ordinary processing.
    #[default]
    Standard,
    /// Slower and cheaper.
    Flex,
    /// Faster and dearer.
    Priority,
}

/// The price of a model at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Price {
    /// Short prompts, standard processing.
    pub base: Rates,
    /// Long prompts, by rising bound.
    pub tiers: Vec<PriceTier>,
    /// Flex processing; `None`: priced as standard.
    pub flex: Option<Rates>,
    /// Priority processing; `None`: priced as standard.
    pub priority: Option<Rates>,
    /// What is not counted in tokens.
    pub units: UnitPrices,
}

/// The prices of what is not counted in tokens. `None`: not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnitPrices {
    /// Of a search.
    pub search: Option<Nanodollars>,
    /// Of a picture.
    pub image: Option<Nanodollars>,
    /// Of a minute of sound.
    pub minute: Option<Nanodollars>,
}

impl Price {
    /// Whether it costs nothing, whatever is used.
    pub fn is_nothing(&self) -> bool {
        let is_priced = |it: &Option<Nanodollars>| it.is_some_and(|price| price.0 > 0);
        let UnitPrices {
            search,
            image,
            minute,
        } = &self.units;
        self.base == Rates::default()
            && self.tiers.is_empty()
            && self.flex.is_none()
            && self.priority.is_none()
            && ![search, image, minute].into_iter().any(is_priced)
    }

    /// Whether all of `usage` has a price. Tokens always do.
    pub const fn covers(&self, usage: &Usage) -> bool {
        let Units {
            searches,
            images,
            audio_ms,
        } = usage.units;
        let UnitPrices {
            search,
            image,
            minute,
        } = self.units;
        (searches == 0 || search.is_some())
            && (images == 0 || image.is_some())
            && (audio_ms == 0 || minute.is_some())
    }

    /// What `usage` costs at `service`: exact in picodollars, rounded once, half up.
    pub fn cost(&self, usage: &Usage, service: ServiceTier) -> Nanodollars {
        let tokens = self.rates_for(usage.prompt_total(), service).picodollars(usage);
        let picodollars = if usage.units.is_empty() {
            tokens
        } else {
            tokens.saturating_add(self.units.picodollars(usage.units))
        };
        let rounded = picodollars.saturating_add(500);
        // Whatever anybody pays fits into 64 bits; to divide 128 is a call.
        let nanodollars = u64::try_from(rounded).map(|small| small / 1000);
        Nanodollars(nanodollars.unwrap_or_else(|_| u64::try_from(rounded / 1000).unwrap_or(u64::MAX)))
    }

    fn rates_for(&self, prompt_tokens: u64, service: ServiceTier) -> &Rates {
        let special = match service {
            ServiceTier::Standard => None,
            ServiceTier::Flex => self.flex.as_ref(),
            ServiceTier::Priority => self.priority.as_ref(),
        };
        let long = self
            .tiers
            .iter()
            .rfind(|tier| prompt_tokens > tier.above_prompt_tokens);
        special.or(long.map(|tier| &tier.rates)).unwrap_or(&self.base)
    }
}

impl UnitPrices {
    fn picodollars(&self, units: Units) -> u128 {
        const PER_NANODOLLAR: u128 = 1000;
        const MS_PER_MINUTE: u128 = 60_000;
        let of = |price: Option<Nanodollars>, count: u64| {
            u128::from(price.unwrap_or_default().0).saturating_mul(u128::from(count))
        };
        let sound = of(self.minute, units.audio_ms).saturating_mul(PER_NANODOLLAR) / MS_PER_MINUTE;
        of(self.search, units.searches)
            .saturating_add(of(self.image, units.images))
            .saturating_mul(PER_NANODOLLAR)
            .saturating_add(sound)
    }
}

impl Rates {
    /// Saturates rather than wraps: eight products of 64-bit factors can exceed 128 bits only for nonsense.
    fn picodollars(&self, usage: &Usage) -> u128 {
        let cache_write = self.cache_write.unwrap_or(self.input);
        [
            (self.input, usage.input),
            (self.cache_read.unwrap_or(self.input), usage.cache_read),
            (cache_write, usage.cache_write),
            (self.cache_write_1h.unwrap_or(cache_write), usage.cache_write_1h),
            (self.audio_input.unwrap_or(self.input), usage.audio_input),
            (self.output, usage.output),
            (self.reasoning.unwrap_or(self.output), usage.reasoning),
            (self.audio_output.unwrap_or(self.output), usage.audio_output),
        ]
        .into_iter()
        .filter(|(_, tokens)| *tokens > 0)
        .fold(0, |sum: u128, (rate, tokens)| {
            sum.saturating_add(rate.times(tokens))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn per_million(dollars: &str) -> PicodollarsPerToken {
        PicodollarsPerToken::parse_per_million(dollars).unwrap()
    }

    fn haiku() -> Price {
        let base = Rates {
            input: per_million("1"),
            output: per_million("5"),
            cache_read: Some(per_million("0.1")),
            cache_write: Some(per_million("1.25")),
            cache_write_1h: Some(per_million("2")),
            ..Rates::default()
        };
        Price {
            base,
            ..Price::default()
        }
    }

    #[test]
    fn each_class_is_billed_once_at_its_own_rate() {
        let usage = Usage {
            input: 10,
            cache_read: 100,
            cache_write: 4,
            cache_write_1h: 1,
            output: 20,
            reasoning: 5,
            ..Usage::default()
        };
        // 10·1 + 100·0.1 + 4·1.25 + 1·2 + 25·5 = 152 µ$
        assert_eq!(haiku().cost(&usage, ServiceTier::Standard), Nanodollars(152_000));
    }

    #[test]
    fn a_long_prompt_reprices_the_whole_request() {
        let mut price = haiku();
        price.tiers = vec![PriceTier {
            above_prompt_tokens: 200,
            rates: Rates {
                input: per_million("2"),
                output: per_million("10"),
                ..Rates::default()
            },
        }];
        let at = |input| {
            price.cost(
                &Usage {
                    input,
                    output: 1,
                    ..Usage::default()
                },
                ServiceTier::Standard,
            )
        };
        assert_eq!(at(200), Nanodollars(205_000));
        assert_eq!(at(201), Nanodollars(412_000));
    }

    #[test]
    fn a_service_tier_without_rates_costs_the_standard_price() {
        let usage = Usage {
            input: 3,
            output: 4,
            ..Usage::default()
        };
        assert_eq!(
            haiku().cost(&usage, ServiceTier::Priority),
            haiku().cost(&usage, ServiceTier::Standard)
        );
    }

    #[test]
    fn what_is_not_counted_in_tokens_has_its_own_price_or_none() {
        let usage = |units| Usage {
            units,
            ..Usage::default()
        };
        let searched = usage(Units {
            searches: 3,
            ..Units::default()
        });
        assert!(!haiku().covers(&searched));
        let mut price = haiku();
        price.units = UnitPrices {
            search: Some(Nanodollars(2_000_000)),
            minute: Some(Nanodollars(6_000_000)),
            ..UnitPrices::default()
        };
        assert!(price.covers(&searched));
        assert_eq!(
            price.cost(&searched, ServiceTier::Standard),
            Nanodollars(6_000_000)
        );
        let heard = usage(Units {
            audio_ms: 9_500,
            ..Units::default()
        });
        assert_eq!(price.cost(&heard, ServiceTier::Standard), Nanodollars(950_000));
        let drawn = usage(Units {
            images: 1,
            ..Units::default()
        });
        assert!(!price.covers(&drawn) && !price.is_nothing());
        assert!(Price::default().is_nothing() && !haiku().is_nothing());
    }

    proptest! {
        #[test]
        fn more_tokens_never_cost_less(input in 0u64..1 << 40, output in 0u64..1 << 40, more in 0u64..1 << 20) {
            let cost = |input, output| haiku().cost(&Usage { input, output, ..Usage::default() }, ServiceTier::Standard);
            prop_assert!(cost(input + more, output) >= cost(input, output));
            prop_assert!(cost(input, output + more) >= cost(input, output));
        }

        #[test]
        fn the_cost_of_a_sum_is_the_sum_of_costs_within_rounding(a in 0u64..1 << 30, b in 0u64..1 << 30) {
            let cost = |input| haiku().cost(&Usage { input, ..Usage::default() }, ServiceTier::Standard).0;
            prop_assert!(cost(a + b).abs_diff(cost(a) + cost(b)) <= 1);
        }

        #[test]
        fn any_usage_has_a_cost(input: u64, output: u64, reasoning: u64, cache_read: u64) {
            let _ = haiku().cost(&Usage { input, cache_read, output, reasoning, ..Usage::default() }, ServiceTier::Flex);
        }
    }
}
