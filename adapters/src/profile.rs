//! What is known of each kind of provider before any configuration: where it is, how it takes its key, and in
//! which ways it departs from its dialect.
//!
//! Conventions for base URLs: of an OpenAI-compatible provider it ends where `/chat/completions` is appended
//! (`https://api.openai.com/v1`); of Anthropic it is the origin, with or without `/v1`; of Azure it is the
//! resource (`https://NAME.openai.azure.com`), with or without `/openai` or `/openai/v1`; of Gemini the origin, with or
//! without `/v1beta`; of Vertex AI it ends with the location
//! (`https://us-central1-aiplatform.googleapis.com/v1/projects/NAME/locations/us-central1`), whoever made the model; of Cohere it is the
//! origin, with or without `/v2`; of Bedrock the region's endpoint (`https://bedrock-runtime.us-east-1.amazonaws.com`).

use tollgate_core::ProviderKind;

/// The presets of a kind of provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// Where it is, unless configured otherwise. `None`: there is no such place (Azure: each customer's own).
    pub base_url: Option<&'static str>,
    /// How its key is sent.
    pub auth: AuthScheme,
    /// Environment variables that hold a key by convention, the most common one first.
    pub api_key_env: &'static [&'static str],
    /// Whether it works without a key.
    pub key_is_optional: bool,
    /// Departures of its wire format.
    pub quirks: Quirks,
}

/// How a key is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthScheme {
    /// `Authorization: Bearer KEY`
    Bearer,
    /// `x-api-key: KEY`
    XApiKey,
    /// `api-key: KEY`
    ApiKey,
    /// `x-goog-api-key: KEY`
    XGoogApiKey,
    /// None.
    None,
}

/// Where a provider departs from the dialect it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each of which either holds for a provider or does not"
)]
pub struct Quirks {
    /// Takes `stream_options.include_usage`. Where it does not, the field must not be sent.
    pub takes_stream_options: bool,
    /// Reports usage in streams without being asked, on a chunk that has choices.
    pub reports_usage_unasked: bool,
    /// `completion_tokens` does not include reasoning tokens.
    pub excludes_reasoning: bool,
    /// Tool calls in streams may lack their `index`, which client SDKs need.
    pub omits_tool_index: bool,
    /// Knows the role `developer`; elsewhere such messages go out as `system`.
    pub takes_developer: bool,
    /// Knows `max_completion_tokens`; elsewhere it would be ignored, and goes out as `max_tokens`.
    pub takes_completion_limit: bool,
    /// Refuses whatever it does not know, and answers in ways that client SDKs do not: requests and answers are
    /// written anew.
    pub is_strict: bool,
}

const USUAL: Quirks = Quirks {
    takes_stream_options: true,
    reports_usage_unasked: false,
    excludes_reasoning: false,
    omits_tool_index: false,
    takes_developer: false,
    takes_completion_limit: true,
    is_strict: false,
};

const OFFICIAL: Quirks = Quirks {
    takes_developer: true,
    ..USUAL
};

/// Ignores `max_completion_tokens`.
const OLDER_LIMIT: Quirks = Quirks {
    takes_completion_limit: false,
    ..USUAL
};

const UNASKED: Quirks = Quirks {
    reports_usage_unasked: true,
    ..USUAL
};

const fn bearer(base_url: &'static str, api_key_env: &'static [&'static str], quirks: Quirks) -> Profile {
    Profile {
        base_url: Some(base_url),
        auth: AuthScheme::Bearer,
        api_key_env,
        key_is_optional: false,
        quirks,
    }
}

/// The presets of `kind`.
pub fn profile(kind: ProviderKind) -> &'static Profile {
    match kind {
        ProviderKind::OpenAi => &OPENAI,
        ProviderKind::Azure => &AZURE,
        ProviderKind::Anthropic => &ANTHROPIC,
        ProviderKind::DeepSeek => &DEEPSEEK,
        ProviderKind::DashScope => &DASHSCOPE,
        ProviderKind::Mistral => &MISTRAL,
        ProviderKind::Groq => &GROQ,
        ProviderKind::Together => &TOGETHER,
        ProviderKind::Fireworks => &FIREWORKS,
        ProviderKind::Xai => &XAI,
        ProviderKind::OpenRouter => &OPENROUTER,
        ProviderKind::Ollama => &OLLAMA,
        ProviderKind::Vllm => &VLLM,
        ProviderKind::OpenAiResponses => &OPENAI_RESPONSES,
        ProviderKind::Gemini => &GEMINI,
        ProviderKind::Vertex => &VERTEX,
        ProviderKind::VertexAnthropic => &VERTEX_ANTHROPIC,
        ProviderKind::Cohere => &COHERE,
        ProviderKind::Bedrock => &BEDROCK,
    }
}

/// Fields of a request that some provider of the same dialect answers with 400, where most take or ignore them.
const REFUSABLE: [&str; 8] = [
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "metadata",
    "store",
    "stop",
    "presence_penalty",
    "frequency_penalty",
];

/// The name of a field that [`refuses`] may be true of.
pub(crate) fn refusable(field: &str) -> Option<&'static str> {
    REFUSABLE.into_iter().find(|name| *name == field)
}

/// Whether `model` at a provider of `kind` is known to refuse requests that hold `field`, whatever its value.
pub(crate) fn refuses(kind: ProviderKind, model: &str, field: &str) -> bool {
    match kind {
        ProviderKind::Groq => matches!(
            field,
            "logprobs" | "top_logprobs" | "logit_bias" | "metadata" | "store"
        ),
        ProviderKind::Xai => {
            matches!(field, "stop" | "presence_penalty" | "frequency_penalty") && is_reasoning_grok(model)
        }
        _ => false,
    }
}

fn is_reasoning_grok(model: &str) -> bool {
    let families = ["grok-4", "grok-3-mini", "grok-code"];
    !model.contains("non-reasoning") && families.iter().any(|family| model.contains(family))
}

/// `url` as the base that paths are appended to: without trailing slashes, and without the beginning of the path
/// that this kind's paths have in them already (`/v1` at Anthropic; `/openai`, `/openai/v1` at Azure).
pub fn base_url(kind: ProviderKind, url: &str) -> &str {
    let url = url.trim_end_matches('/');
    let without = |url: &'_ str, end: &str| url.len() - url.strip_suffix(end).map_or(0, |_| end.len());
    let bare = match kind {
        ProviderKind::Anthropic => without(url, "/v1"),
        ProviderKind::Gemini => without(url, "/v1beta"),
        ProviderKind::Cohere => without(url, "/v2"),
        ProviderKind::Vertex => without(url, "/publishers/google"),
        ProviderKind::VertexAnthropic => without(url, "/publishers/anthropic"),
        ProviderKind::Azure => {
            let bare = without(url, "/v1");
            without(url.get(..bare).unwrap_or(url), "/openai")
        }
        _ => url.len(),
    };
    url.get(..bare).unwrap_or(url).trim_end_matches('/')
}

static OPENAI: Profile = bearer("https://api.openai.com/v1", &["OPENAI_API_KEY"], OFFICIAL);

/// `OPENAI_API_KEY` makes a provider of the kind before.
static OPENAI_RESPONSES: Profile = bearer("https://api.openai.com/v1", &[], OFFICIAL);

static AZURE: Profile = Profile {
    base_url: None,
    auth: AuthScheme::ApiKey,
    ..bearer("", &["AZURE_OPENAI_API_KEY", "AZURE_API_KEY"], OFFICIAL)
};

static ANTHROPIC: Profile = Profile {
    auth: AuthScheme::XApiKey,
    ..bearer("https://api.anthropic.com", &["ANTHROPIC_API_KEY"], UNASKED)
};

static GEMINI: Profile = Profile {
    auth: AuthScheme::XGoogApiKey,
    ..bearer(
        "https://generativelanguage.googleapis.com",
        &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        UNASKED,
    )
};

static VERTEX: Profile = Profile {
    base_url: None,
    ..bearer("", &["VERTEX_ACCESS_TOKEN"], UNASKED)
};

/// `VERTEX_ACCESS_TOKEN` makes a provider of the kind before.
static VERTEX_ANTHROPIC: Profile = Profile {
    base_url: None,
    ..bearer("", &[], UNASKED)
};

static COHERE: Profile = bearer(
    "https://api.cohere.com",
    &["COHERE_API_KEY", "CO_API_KEY"],
    UNASKED,
);

static BEDROCK: Profile = Profile {
    base_url: None,
    ..bearer("", &["AWS_BEARER_TOKEN_BEDROCK"], UNASKED)
};

static DEEPSEEK: Profile = bearer(
    "https://api.deepseek.com/v1",
    &["DEEPSEEK_API_KEY"],
    Quirks {
        reports_usage_unasked: true,
        ..OLDER_LIMIT
    },
);

static DASHSCOPE: Profile = bearer(
    "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    &["DASHSCOPE_API_KEY"],
    USUAL,
);

static MISTRAL: Profile = bearer(
    "https://api.mistral.ai/v1",
    &["MISTRAL_API_KEY"],
    Quirks {
        // Refuses fields it does not know with 422, and reports usage anyway.
        takes_stream_options: false,
        omits_tool_index: true,
        takes_completion_limit: false,
        is_strict: true,
        ..UNASKED
    },
);

static GROQ: Profile = bearer("https://api.groq.com/openai/v1", &["GROQ_API_KEY"], UNASKED);

static TOGETHER: Profile = bearer(
    "https://api.together.xyz/v1",
    &["TOGETHER_API_KEY"],
    Quirks {
        reports_usage_unasked: true,
        ..OLDER_LIMIT
    },
);

static FIREWORKS: Profile = bearer(
    "https://api.fireworks.ai/inference/v1",
    &["FIREWORKS_API_KEY"],
    USUAL,
);

static XAI: Profile = bearer(
    "https://api.x.ai/v1",
    &["XAI_API_KEY"],
    Quirks {
        excludes_reasoning: true,
        ..OFFICIAL
    },
);

static OPENROUTER: Profile = bearer("https://openrouter.ai/api/v1", &["OPENROUTER_API_KEY"], OFFICIAL);

static OLLAMA: Profile = Profile {
    key_is_optional: true,
    ..bearer("http://127.0.0.1:11434/v1", &["OLLAMA_API_KEY"], OLDER_LIMIT)
};

static VLLM: Profile = Profile {
    key_is_optional: true,
    ..bearer("http://127.0.0.1:8000/v1", &["VLLM_API_KEY"], USUAL)
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_taken_as_people_write_them() {
        let anthropic = [
            "https://a.com",
            "https://a.com/",
            "https://a.com/v1",
            "https://a.com/v1//",
        ];
        assert!(
            anthropic
                .iter()
                .all(|url| base_url(ProviderKind::Anthropic, url) == "https://a.com")
        );
        let azure = [
            "https://r.x",
            "https://r.x/openai/",
            "https://r.x/openai/v1",
            "https://r.x//openai/v1/",
        ];
        assert!(
            azure
                .iter()
                .all(|url| base_url(ProviderKind::Azure, url) == "https://r.x")
        );
        assert_eq!(base_url(ProviderKind::OpenAi, "http://h:1/v1/"), "http://h:1/v1");
        assert_eq!(base_url(ProviderKind::Anthropic, ""), "");
    }

    #[test]
    fn every_field_that_is_refused_can_be_found_in_a_request() {
        for kind in ProviderKind::ALL {
            for field in ["model", "messages", "stream", "max_tokens", "tools"] {
                assert!(
                    !refuses(kind, "grok-4", field) && refusable(field).is_none(),
                    "{kind}"
                );
            }
        }
        for field in REFUSABLE {
            assert_eq!(refusable(field), Some(field));
            let is_refused = |kind| refuses(kind, "grok-4-fast-reasoning", field);
            assert!(ProviderKind::ALL.into_iter().any(is_refused), "{field}");
            assert!(!refuses(ProviderKind::Xai, "grok-4-fast-non-reasoning", field));
            assert!(!refuses(ProviderKind::OpenAi, "grok-4", field));
        }
    }

    #[test]
    fn presets_are_usable_as_they_stand() {
        for kind in ProviderKind::ALL {
            let profile = profile(kind);
            let customers_own = [
                ProviderKind::Azure,
                ProviderKind::Vertex,
                ProviderKind::VertexAnthropic,
                ProviderKind::Bedrock,
            ];
            assert_eq!(
                profile.base_url.is_none(),
                customers_own.contains(&kind),
                "{kind}"
            );
            if let Some(url) = profile.base_url {
                let url: http::Uri = url.parse().unwrap();
                assert!(url.host().is_some() && !url.path().ends_with("v1/"), "{kind}");
            }
            let shares_key = [ProviderKind::OpenAiResponses, ProviderKind::VertexAnthropic];
            let has_key = !shares_key.contains(&kind);
            assert_eq!(!profile.api_key_env.is_empty(), has_key, "{kind}");
            assert!(
                profile.quirks.takes_stream_options || profile.quirks.reports_usage_unasked,
                "{kind}"
            );
        }
    }
}
