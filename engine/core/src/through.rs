//! Surfaces that pass through: what a client asks goes to a provider of the same dialect as it came, and the answer
//! comes back as it is. Each is a row of one table.

use crate::Dialect;

/// A surface that passes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Through {
    /// `POST /v1/moderations`
    Moderations,
    /// `POST /v1/images/generations`
    ImageGenerations,
    /// `POST /v1/images/edits`
    ImageEdits,
    /// `POST /v1/images/variations`
    ImageVariations,
    /// `POST /v1/audio/speech`
    Speech,
    /// `POST /v1/audio/transcriptions`
    Transcriptions,
    /// `POST /v1/audio/translations`
    Translations,
    /// `/v1/files`, as `OpenAI` has it.
    Files,
    /// `/v1/batches`
    Batches,
    /// `/v1/responses/ID`: responses that the provider keeps.
    StoredResponses,
    /// `/v1/files`, as Anthropic has it.
    AnthropicFiles,
    /// `/v1/messages/batches`
    MessageBatches,
    /// `POST /v1/rerank`, in the shape of Jina and of Cohere's first version.
    Rerank,
    /// `POST /v2/rerank`, Cohere's.
    CohereRerank,
    /// `POST /v1/responses/input_tokens`
    InputTokens,
    /// `POST /v1beta/models/MODEL:countTokens`
    GeminiCountTokens,
    /// `POST /model/MODEL/count-tokens`
    BedrockCountTokens,
    /// `POST /v1beta/models/MODEL:embedContent`
    EmbedContent,
    /// `POST /v1beta/models/MODEL:batchEmbedContents`
    BatchEmbedContents,
}

/// What is known of a surface that passes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThroughRow {
    /// The name in labels and logs.
    pub name: &'static str,
    /// `gen_ai.operation.name`, in the spirit of the OpenTelemetry conventions where they have none.
    pub operation: &'static str,
    /// The dialect in which it is asked, and answered.
    pub dialect: Dialect,
    /// Where it is, below a provider's base URL; of surfaces whose path names the model, the method alone.
    pub path: &'static str,
    /// Who is asked.
    pub whom: Whom,
    /// What its use costs.
    pub bill: Bill,
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// The model that the request names.
    Model,
    /// The same; this one where it names none, as the vendor has it.
    ModelOr(&'static str),
    /// The model that the path names.
    Addressed,
    /// An account at a provider, which keeps what it is given: configured, or chosen by the client.
    Account(Account),
}

/// What a provider keeps for an account, by the name of its key in the configuration's `passthrough`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Account {
    /// Files.
    Files,
    /// Batches of requests.
    Batches,
    /// Responses.
    Responses,
}

/// What the use of a surface costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bill {
    /// What the answer tells was used, at the model's price. An answer that tells nothing leaves the cost unknown:
    /// nothing is estimated.
    AsTold,
    /// Nothing.
    Free,
}

impl Account {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Files, Self::Batches, Self::Responses];

    /// The name in the configuration, and behind the provider's in what a key may use (`openai/files`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Batches => "batches",
            Self::Responses => "responses",
        }
    }
}

impl Through {
    /// Its row.
    pub const fn row(self) -> &'static ThroughRow {
        use Bill::{AsTold, Free};
        use Dialect::{Anthropic, Bedrock, Cohere, Gemini, OpenAi, Responses};
        use Whom::{Account as Of, Addressed, Model, ModelOr};
        const fn row(
            name: &'static str,
            operation: &'static str,
            dialect: Dialect,
            path: &'static str,
            whom: Whom,
            bill: Bill,
        ) -> ThroughRow {
            ThroughRow {
                name,
                operation,
                dialect,
                path,
                whom,
                bill,
            }
        }
        const OMNI: Whom = ModelOr("omni-moderation-latest");
        const DALL_E: Whom = ModelOr("dall-e-2");
        const FILES: Whom = Of(Account::Files);
        const BATCHES: Whom = Of(Account::Batches);
        const KEPT: Whom = Of(Account::Responses);
        const JINA: &str = "/rerank";
        #[rustfmt::skip]
        let row = match self {
            Self::Moderations => &const { row("moderations", "moderation", OpenAi, "/moderations", OMNI, AsTold) },
            Self::ImageGenerations => &const { row("image_generations", "image_generation", OpenAi, "/images/generations", DALL_E, AsTold) },
            Self::ImageEdits => &const { row("image_edits", "image_edit", OpenAi, "/images/edits", DALL_E, AsTold) },
            Self::ImageVariations => &const { row("image_variations", "image_variation", OpenAi, "/images/variations", DALL_E, AsTold) },
            Self::Speech => &const { row("speech", "speech", OpenAi, "/audio/speech", Model, AsTold) },
            Self::Transcriptions => &const { row("transcriptions", "transcription", OpenAi, "/audio/transcriptions", Model, AsTold) },
            Self::Translations => &const { row("translations", "translation", OpenAi, "/audio/translations", Model, AsTold) },
            Self::Files => &const { row("files", "files", OpenAi, "/files", FILES, Free) },
            Self::Batches => &const { row("batches", "batches", OpenAi, "/batches", BATCHES, Free) },
            Self::StoredResponses => &const { row("stored_responses", "stored_responses", Responses, "/responses", KEPT, Free) },
            Self::AnthropicFiles => &const { row("anthropic_files", "files", Anthropic, "/v1/files", FILES, Free) },
            Self::MessageBatches => &const { row("message_batches", "batches", Anthropic, "/v1/messages/batches", BATCHES, Free) },
            Self::Rerank => &const { row("rerank", "rerank", OpenAi, JINA, Model, AsTold) },
            Self::CohereRerank => &const { row("cohere_rerank", "rerank", Cohere, "/v2/rerank", Model, AsTold) },
            Self::InputTokens => &const { row("input_tokens", "count_tokens", Responses, "/responses/input_tokens", Model, Free) },
            Self::GeminiCountTokens => &const { row("gemini_count_tokens", "count_tokens", Gemini, "countTokens", Addressed, Free) },
            Self::BedrockCountTokens => &const { row("bedrock_count_tokens", "count_tokens", Bedrock, "count-tokens", Addressed, Free) },
            Self::EmbedContent => &const { row("embed_content", "embeddings", Gemini, "embedContent", Addressed, AsTold) },
            Self::BatchEmbedContents => &const { row("batch_embed_contents", "embeddings", Gemini, "batchEmbedContents", Addressed, AsTold) },
        };
        row
    }

    /// Whether it is asked how many tokens a prompt has: what is estimated where nobody can count them.
    pub const fn counts_tokens(self) -> bool {
        matches!(
            self,
            Self::InputTokens | Self::GeminiCountTokens | Self::BedrockCountTokens
        )
    }

    /// Whether upstreams of `dialect` can be asked. Reranking has the same shape in two of them.
    pub const fn servable_by(self, dialect: Dialect) -> bool {
        match self {
            Self::Rerank | Self::CohereRerank => matches!(dialect, Dialect::OpenAi | Dialect::Cohere),
            _ => self.row().dialect as u8 == dialect as u8,
        }
    }

    /// Whether a model writes something that takes tokens: what a request may cost depends on it.
    pub const fn writes(self) -> bool {
        matches!(
            self,
            Self::ImageGenerations
                | Self::ImageEdits
                | Self::ImageVariations
                | Self::Speech
                | Self::Transcriptions
                | Self::Translations
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_below_a_base_begins_with_a_slash_and_one_that_names_the_model_is_a_method() {
        for through in [
            Through::Files,
            Through::GeminiCountTokens,
            Through::Rerank,
            Through::MessageBatches,
        ] {
            let row = through.row();
            assert_eq!(row.path.starts_with('/'), row.whom != Whom::Addressed, "{row:?}");
        }
    }

    #[test]
    fn each_is_served_in_its_own_dialect_and_rerank_in_two() {
        assert!(
            Through::Files.servable_by(Dialect::OpenAi) && !Through::Files.servable_by(Dialect::Anthropic)
        );
        assert!(
            Through::Rerank.servable_by(Dialect::Cohere)
                && Through::CohereRerank.servable_by(Dialect::OpenAi)
        );
        assert!(!Through::GeminiCountTokens.servable_by(Dialect::OpenAi));
    }
}
