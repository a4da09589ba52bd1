//! Who speaks what: wire dialects, the surfaces a client may call, and the kinds of provider behind them.

use std::fmt;

use crate::{Bill, Through, Whom};

/// A wire format, as clients and providers speak it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `OpenAI` Chat Completions and the surfaces beside it (completions, embeddings, models).
    OpenAi,
    /// `OpenAI` Responses.
    Responses,
    /// Anthropic Messages.
    Anthropic,
    /// Google `generateContent`, of the Gemini API and of Vertex AI.
    Gemini,
    /// Cohere chat, version 2.
    Cohere,
    /// AWS Bedrock Converse.
    Bedrock,
}

impl Dialect {
    /// The name used in labels, logs and headers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Responses => "responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Cohere => "cohere",
            Self::Bedrock => "bedrock",
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
    /// `POST /v1/responses`
    Responses,
    /// `POST /v1beta/models/MODEL:generateContent`, and `:streamGenerateContent`
    GenerateContent,
    /// `POST /v2/chat`
    CohereChat,
    /// `POST /model/MODEL/converse`, and `/converse-stream`
    Converse,
    /// What passes through as it is.
    Through(Through),
}

impl Surface {
    /// The dialect in which the client speaks, and in which it must be answered.
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::ChatCompletions | Self::Completions | Self::Embeddings => Dialect::OpenAi,
            Self::Messages | Self::CountTokens => Dialect::Anthropic,
            Self::Responses => Dialect::Responses,
            Self::GenerateContent => Dialect::Gemini,
            Self::CohereChat => Dialect::Cohere,
            Self::Converse => Dialect::Bedrock,
            Self::Through(through) => through.row().dialect,
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
            Self::Responses => "responses",
            Self::GenerateContent => "generate_content",
            Self::CohereChat => "cohere_chat",
            Self::Converse => "converse",
            Self::Through(through) => through.row().name,
        }
    }

    /// `gen_ai.operation.name` of the OpenTelemetry conventions.
    pub const fn operation(self) -> &'static str {
        match self {
            Self::ChatCompletions
            | Self::Messages
            | Self::Responses
            | Self::GenerateContent
            | Self::CohereChat
            | Self::Converse => "chat",
            Self::Completions => "text_completion",
            Self::Embeddings => "embeddings",
            Self::CountTokens => "count_tokens",
            Self::Through(through) => through.row().operation,
        }
    }

    /// Whether it asks for an answer in a conversation: what every dialect can be asked for.
    pub const fn is_chat(self) -> bool {
        match self {
            Self::ChatCompletions
            | Self::Messages
            | Self::Responses
            | Self::GenerateContent
            | Self::CohereChat
            | Self::Converse => true,
            Self::Completions | Self::Embeddings | Self::CountTokens | Self::Through(_) => false,
        }
    }

    /// Whether the model, and whether to stream, stand in the path instead of the body.
    pub const fn is_addressed(self) -> bool {
        match self {
            Self::GenerateContent | Self::Converse => true,
            Self::Through(through) => matches!(through.row().whom, Whom::Addressed),
            _ => false,
        }
    }

    /// The surface that passes through, if it is one.
    pub const fn through(self) -> Option<Through> {
        match self {
            Self::Through(through) => Some(through),
            _ => None,
        }
    }

    /// Whether it asks how many tokens a prompt has.
    pub const fn counts_tokens(self) -> bool {
        match self {
            Self::CountTokens => true,
            Self::Through(through) => through.counts_tokens(),
            _ => false,
        }
    }

    /// Whether it costs nothing anywhere.
    pub const fn is_free(self) -> bool {
        match self {
            Self::CountTokens => true,
            Self::Through(through) => matches!(through.row().bill, Bill::Free),
            _ => false,
        }
    }

    /// Whether a model writes something that takes tokens.
    pub const fn writes(self) -> bool {
        match self {
            Self::Embeddings | Self::CountTokens => false,
            Self::Through(through) => through.writes(),
            _ => true,
        }
    }

    /// Whether an upstream of `dialect` can serve this surface at all (translated where dialects differ).
    pub const fn servable_by(self, dialect: Dialect) -> bool {
        match self {
            Self::Completions => matches!(dialect, Dialect::OpenAi),
            Self::Embeddings => matches!(
                dialect,
                Dialect::OpenAi | Dialect::Cohere | Dialect::Gemini | Dialect::Bedrock
            ),
            Self::CountTokens => matches!(dialect, Dialect::Anthropic),
            Self::Through(through) => through.servable_by(dialect),
            _ => self.is_chat(),
        }
    }
}

/// The kind of a provider: which presets and which quirks of its wire format apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProviderKind {
    /// `OpenAI` itself, and any server that speaks its dialect, by `base_url`.
    OpenAi,
    /// The same, asked by its Responses API whatever the client speaks.
    OpenAiResponses,
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
    /// Google's Gemini API.
    Gemini,
    /// Gemini on Google's Vertex AI.
    Vertex,
    /// Claude on Google's Vertex AI.
    VertexAnthropic,
    /// Cohere.
    Cohere,
    /// AWS Bedrock, by Converse.
    Bedrock,
}

impl ProviderKind {
    /// Every kind, in the order in which documentation lists them.
    pub const ALL: [Self; 19] = [
        Self::OpenAi,
        Self::OpenAiResponses,
        Self::Anthropic,
        Self::Gemini,
        Self::Vertex,
        Self::VertexAnthropic,
        Self::Bedrock,
        Self::Cohere,
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
            Self::OpenAiResponses => "openai-responses",
            Self::Gemini => "gemini",
            Self::Vertex => "vertex",
            Self::VertexAnthropic => "vertex-anthropic",
            Self::Cohere => "cohere",
            Self::Bedrock => "bedrock",
        }
    }

    /// The kind with this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The dialect in which such a provider is asked for what a client wants of `surface`: the client's own, where
    /// the provider speaks several.
    pub const fn dialect_for(self, surface: Surface) -> Dialect {
        match self {
            Self::Anthropic | Self::VertexAnthropic => Dialect::Anthropic,
            Self::Gemini | Self::Vertex => Dialect::Gemini,
            Self::Cohere => Dialect::Cohere,
            Self::Bedrock => Dialect::Bedrock,
            Self::OpenAiResponses if surface.is_chat() => Dialect::Responses,
            Self::OpenAi | Self::OpenAiResponses | Self::Azure | Self::Xai | Self::OpenRouter
                if matches!(surface.dialect(), Dialect::Responses) =>
            {
                Dialect::Responses
            }
            _ => Dialect::OpenAi,
        }
    }

    /// Whether such a provider can serve `surface` at all (translated where dialects differ).
    pub const fn serves(self, surface: Surface) -> bool {
        // Vertex AI keeps Claude's files and batches in ways of its own.
        let has_it = !matches!((self, surface), (Self::VertexAnthropic, Surface::Through(_)));
        has_it && surface.servable_by(self.dialect_for(surface))
    }
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
