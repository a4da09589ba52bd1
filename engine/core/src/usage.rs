//! What a request used, in token classes that never overlap, and how an answer ended.

/// Tokens by class. The classes are disjoint: no token is counted twice, whatever a provider's own
/// convention (`OpenAI`'s `prompt_tokens` include cached ones, Anthropic's `input_tokens` do not).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Prompt tokens at the full price: not cached, not written to a cache, not audio.
    pub input: u64,
    /// Prompt tokens read from the provider's prompt cache.
    pub cache_read: u64,
    /// Prompt tokens written to a prompt cache for the default time (5 minutes at Anthropic).
    pub cache_write: u64,
    /// Prompt tokens written to a prompt cache for one hour.
    pub cache_write_1h: u64,
    /// Prompt tokens of audio.
    pub audio_input: u64,
    /// Answer tokens, reasoning and audio excluded.
    pub output: u64,
    /// Tokens of reasoning ("thinking").
    pub reasoning: u64,
    /// Answer tokens of audio.
    pub audio_output: u64,
    /// What is not counted in tokens.
    pub units: Units,
    /// Where the numbers come from.
    pub source: UsageSource,
}

/// What some models charge for beside tokens, or in their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Units {
    /// Searches: what Cohere counts of reranking.
    pub searches: u64,
    /// Pictures made.
    pub images: u64,
    /// Sound listened to, milliseconds.
    pub audio_ms: u64,
}

impl Units {
    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.searches == 0 && self.images == 0 && self.audio_ms == 0
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            searches: self.searches.saturating_add(other.searches),
            images: self.images.saturating_add(other.images),
            audio_ms: self.audio_ms.saturating_add(other.audio_ms),
        }
    }
}

/// Where a [`Usage`] comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UsageSource {
    /// The provider said so.
    Reported,
    /// Counted here, from the bytes that passed: the provider said nothing, or the client left early.
    #[default]
    Estimated,
}

impl Usage {
    /// Both together. Reported only if both are.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            cache_write_1h: self.cache_write_1h.saturating_add(other.cache_write_1h),
            audio_input: self.audio_input.saturating_add(other.audio_input),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
            audio_output: self.audio_output.saturating_add(other.audio_output),
            units: self.units.plus(other.units),
            source: match (self.source, other.source) {
                (UsageSource::Reported, UsageSource::Reported) => UsageSource::Reported,
                _ => UsageSource::Estimated,
            },
        }
    }

    /// All prompt tokens, whatever their class: `OpenAI`'s `prompt_tokens`.
    pub const fn prompt_total(&self) -> u64 {
        self.input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write)
            .saturating_add(self.cache_write_1h)
            .saturating_add(self.audio_input)
    }

    /// All answer tokens, whatever their class: `OpenAI`'s `completion_tokens`.
    pub const fn output_total(&self) -> u64 {
        self.output
            .saturating_add(self.reasoning)
            .saturating_add(self.audio_output)
    }

    /// Everything.
    pub const fn total(&self) -> u64 {
        self.prompt_total().saturating_add(self.output_total())
    }
}

impl UsageSource {
    /// The name in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Estimated => "estimated",
        }
    }
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FinishReason {
    /// It was done.
    Stop,
    /// One of the caller's stop sequences came up.
    StopSequence,
    /// It ran into the token limit or the end of its context window.
    Length,
    /// It wants tools called.
    ToolCalls,
    /// It refused, or a filter cut it off.
    ContentFilter,
    /// The provider paused a long turn; the caller may continue it.
    Paused,
}

impl FinishReason {
    /// The name in logs and labels, and `OpenAI`'s word for it where there is one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::StopSequence => "stop_sequence",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Paused => "paused",
        }
    }
}
