//! Who speaks what: wire dialects, the surfaces a client may call, and the kinds of provider behind them.

use std::fmt;

/// A wire format, as clients and providers speak it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `OpenAI` Chat Completions and the surfaces beside it (completions, embeddings, models).
    OpenAi,
    /// Anthropic Messages.
    Anthropic,
}

impl Dialect {
    /// The name used in labels, logs and headers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
        }
    }
}

/// What a client asked for: one endpoint of one dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Surface {
    /// `POST /v1/chat/completions`
    ChatCompletions,
    /// `POST /v1/completions`, the legacy text completion.
    Completions,
    /// `POST /v1/embeddings`
    Embeddings,
    /// `POST /v1/messages`
    Messages,
    /// `POST /v1/messages/count_tokens`
    CountTokens,
}

impl Surface {
    /// The dialect in which the client speaks, and in which it must be answered.
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::ChatCompletions | Self::Completions | Self::Embeddings => Dialect::OpenAi,
            Self::Messages | Self::CountTokens => Dialect::Anthropic,
        }
    }

    /// The name in labels and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Messages => "messages",
            Self::CountTokens => "count_tokens",
        }
    }

    /// `gen_ai.operation.name` of the OpenTelemetry conventions.
    pub const fn operation(self) -> &'static str {
        match self {
            Self::ChatCompletions | Self::Messages => "chat",
            Self::Completions => "text_completion",
            Self::Embeddings => "embeddings",
            Self::CountTokens => "count_tokens",
        }
    }

    /// Whether an upstream of `dialect` can serve this surface at all (translated where dialects differ).
    pub const fn servable_by(self, dialect: Dialect) -> bool {
        match self {
            Self::ChatCompletions | Self::Messages => true,
            Self::Completions | Self::Embeddings => matches!(dialect, Dialect::OpenAi),
            Self::CountTokens => matches!(dialect, Dialect::Anthropic),
        }
    }
}

/// The kind of a provider: which presets and which quirks of its wire format apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProviderKind {
    /// `OpenAI` itself, and any server that speaks its dialect, by `base_url`.
    OpenAi,
    /// Azure OpenAI: `api-key` header, deployment URLs where an `api_version` is set.
    Azure,
    /// Anthropic Messages.
    Anthropic,
    /// DeepSeek.
    DeepSeek,
    /// Alibaba DashScope (Qwen), compatible mode.
    DashScope,
    /// Mistral.
    Mistral,
    /// Groq.
    Groq,
    /// Together.
    Together,
    /// Fireworks.
    Fireworks,
    /// xAI.
    Xai,
    /// OpenRouter.
    OpenRouter,
    /// Ollama's OpenAI-compatible surface.
    Ollama,
    /// vLLM.
    Vllm,
}

impl ProviderKind {
    /// Every kind, in the order in which documentation lists them.
    pub const ALL: [Self; 13] = [
        Self::OpenAi,
        Self::Anthropic,
        Self::Azure,
        Self::DeepSeek,
        Self::DashScope,
        Self::Mistral,
        Self::Groq,
        Self::Together,
        Self::Fireworks,
        Self::Xai,
        Self::OpenRouter,
        Self::Ollama,
        Self::Vllm,
    ];

    /// The name in the config file (`kind: openai`), in the price catalogue, in labels and headers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Azure => "azure",
            Self::Anthropic => "anthropic",
            Self::DeepSeek => "deepseek",
            Self::DashScope => "dashscope",
            Self::Mistral => "mistral",
            Self::Groq => "groq",
            Self::Together => "together",
            Self::Fireworks => "fireworks",
            Self::Xai => "xai",
            Self::OpenRouter => "openrouter",
            Self::Ollama => "ollama",
            Self::Vllm => "vllm",
        }
    }

    /// The kind with this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The dialect such a provider speaks.
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Anthropic => Dialect::Anthropic,
            _ => Dialect::OpenAi,
        }
    }
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
