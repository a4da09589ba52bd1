//! What the models on Bedrock take and refuse, told by their names: `us.anthropic.claude-…`, `amazon.nova-…`, or an
//! ARN that ends in one. A name that does not tell (an application's inference profile) is taken for Claude's.

use crate::anthropic::quirks as claude;

/// The longest name of a tool, and the longest id of a call.
pub(crate) const LONGEST_NAME: usize = 64;

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thinks {
    /// It is not, as far as is known.
    Never,
    /// As Claude is: `thinking`, and the effort in `output_config`.
    Claude(claude::Takes),
    /// `reasoningConfig: {type, maxReasoningEffort}` (Nova 2).
    Nova,
    /// `reasoning_effort` (OpenAI's open models).
    Effort,
}

/// Which choices of a tool a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Chooses {
    /// The model chooses.
    Itself,
    /// Some tool can be demanded.
    Any,
    /// One tool can be demanded.
    Named,
}

/// What a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each of which either holds for a model or does not"
)]
pub(crate) struct Takes {
    pub(crate) thinks: Thinks,
    /// `system`; elsewhere the user says it.
    pub(crate) system: bool,
    /// `cachePoint`.
    pub(crate) cache: bool,
    /// `cachePoint` for an hour.
    pub(crate) long_cache: bool,
    /// `outputConfig.textFormat`.
    pub(crate) json_schema: bool,
    /// `toolSpec.strict`.
    pub(crate) strict: bool,
    /// An assistant's turn at the end, to be continued.
    pub(crate) prefill: bool,
    /// Thoughts come back with a signature, or not at all.
    pub(crate) signed: bool,
    pub(crate) audio: bool,
    /// `top_k` is `topK` in an object of its own.
    pub(crate) is_nova: bool,
    /// `top_k` in `additionalModelRequestFields`.
    pub(crate) top_k: bool,
    pub(crate) chooses: Chooses,
}

/// Who made a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    Anthropic,
    Nova,
    Mistral,
    OpenAi,
    /// One of those whose models take an output format, but little else.
    Newer,
    /// One of those whose models take neither.
    Other,
    Unknown,
}

fn maker(model: &str) -> Maker {
    let name = model.rsplit('/').next().unwrap_or(model);
    if name.contains("claude") {
        return Maker::Anthropic;
    }
    let known = |token: &str| match token {
        "anthropic" => Some(Maker::Anthropic),
        "amazon" if name.contains("nova") => Some(Maker::Nova),
        "mistral" => Some(Maker::Mistral),
        "openai" => Some(Maker::OpenAi),
        "deepseek" | "google" | "minimax" | "moonshot" | "moonshotai" | "nvidia" | "qwen" | "zai" => {
            Some(Maker::Newer)
        }
        "amazon" | "ai21" | "cohere" | "meta" | "writer" => Some(Maker::Other),
        _ => None,
    };
    name.split('.').find_map(known).unwrap_or(Maker::Unknown)
}

/// What `model` takes.
pub(crate) fn takes(model: &str) -> Takes {
    let maker = maker(model);
    let claude = claude::takes(model);
    let since = |first| claude::version(model).is_none_or(|version| version >= first);
    let is_claude = matches!(maker, Maker::Anthropic | Maker::Unknown);
    Takes {
        thinks: match maker {
            Maker::Anthropic | Maker::Unknown => Thinks::Claude(claude),
            Maker::Nova if model.contains("nova-2") => Thinks::Nova,
            Maker::OpenAi => Thinks::Effort,
            _ => Thinks::Never,
        },
        system: !without_system(model),
        cache: (is_claude && since((3, 5))) || maker == Maker::Nova,
        long_cache: is_claude && since((4, 5)),
        json_schema: match maker {
            Maker::Anthropic => claude.json_schema,
            Maker::Mistral | Maker::OpenAi | Maker::Newer => true,
            Maker::Nova | Maker::Other | Maker::Unknown => false,
        },
        strict: maker == Maker::Anthropic && claude.json_schema,
        prefill: match maker {
            Maker::Anthropic | Maker::Unknown => claude.prefill,
            maker => maker == Maker::Nova,
        },
        signed: is_claude,
        audio: model.contains("voxtral"),
        is_nova: maker == Maker::Nova,
        top_k: matches!(maker, Maker::Nova | Maker::Mistral),
        chooses: match maker {
            Maker::Anthropic | Maker::Unknown | Maker::Nova => Chooses::Named,
            Maker::Mistral => Chooses::Any,
            _ => Chooses::Itself,
        },
    }
}

/// Models from before there were instructions.
fn without_system(model: &str) -> bool {
    let first = [
        "amazon.titan-text",
        "ai21.j2",
        "cohere.command-text",
        "cohere.command-light",
        "mistral.mistral-7b-instruct",
        "mistral.mixtral-8x7b",
    ];
    first.into_iter().any(|name| model.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makers_are_read_from_names_profiles_and_arns() {
        for (model, expected) in [
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", Maker::Anthropic),
            ("anthropic.claude-instant-v1", Maker::Anthropic),
            (
                "arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-opus-4-6-v1",
                Maker::Anthropic,
            ),
            ("us.amazon.nova-2-lite-v1:0", Maker::Nova),
            ("amazon.titan-text-express-v1", Maker::Other),
            ("openai.gpt-oss-120b-1:0", Maker::OpenAi),
            ("zai.glm-4.7-flash", Maker::Newer),
            ("mistral.voxtral-mini-3b-2507", Maker::Mistral),
            (
                "arn:aws:bedrock:us-east-1:1:application-inference-profile/ab12",
                Maker::Unknown,
            ),
        ] {
            assert_eq!(maker(model), expected, "{model}");
        }
    }

    #[test]
    fn models_differ_in_what_they_take() {
        let haiku = takes("us.anthropic.claude-haiku-4-5-20251001-v1:0");
        assert!(haiku.json_schema && haiku.signed && haiku.long_cache && haiku.prefill);
        assert!(!takes("anthropic.claude-3-sonnet-20240229-v1:0").cache);
        assert!(!takes("global.anthropic.claude-opus-4-6-v1").prefill);
        assert!(!takes("anthropic.claude-3-sonnet-20240229-v1:0").json_schema);
        assert_eq!(takes("us.amazon.nova-2-lite-v1:0").thinks, Thinks::Nova);
        assert_eq!(takes("amazon.nova-micro-v1:0").thinks, Thinks::Never);
        assert!(!takes("amazon.titan-text-lite-v1").system);
        assert_eq!(takes("meta.llama3-1-8b-instruct-v1:0").chooses, Chooses::Itself);
    }
}
