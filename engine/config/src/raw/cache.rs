//! The cache, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{CacheModeText, CacheScopeText, DurationText, ShareText, SizeText};

/// The cache of answers: its memory, and how answers are kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cache {
    /// What entries may take of memory, all together.
    #[schemars(extend("default" = "256MiB"))]
    pub max_size: Option<SizeText>,
    /// The largest answer that is kept.
    #[schemars(extend("default" = "256KiB"))]
    pub max_entry_size: Option<SizeText>,
    /// The directory in which entries survive a restart (relative to the config file). Default: they do not.
    pub directory: Option<String>,
    /// Who finds questions that may mean the same, beside the table in the binary. Default: nobody.
    pub embedder: Option<Embedder>,
    /// How answers are kept, where a model does not say otherwise. Default: they are not.
    pub policy: Option<CachePolicy>,
}

/// Who finds questions that may mean the same, beside the table in the binary: a model2vec `directory`, or the embeddings endpoint of a `provider`. Whether they do mean the same is judged as ever.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Embedder {
    /// A model2vec directory: `model.safetensors`, and `tokenizer.json` or `vocab.txt` of an uncased BERT (relative to the config file).
    pub directory: Option<String>,
    /// The name of a provider with an OpenAI-compatible `/embeddings`. What users say last is sent there, where it is to be compared by meaning.
    pub provider: Option<String>,
    /// The model that is asked there; required with a provider.
    pub model: Option<String>,
    /// How many dimensions to ask for. Default: as many as the model has.
    #[schemars(range(min = 1, max = 8192))]
    pub dimensions: Option<usize>,
    /// How long a question waits for its vector; after that, the table in the binary has to do.
    #[schemars(extend("default" = "150ms"))]
    pub timeout: Option<DurationText>,
    /// Calls at once, of all workers together. What comes on top makes do with the table in the binary.
    #[schemars(range(min = 1, max = 10_000), extend("default" = 32))]
    pub max_in_flight: Option<usize>,
}

/// How answers are kept, and given again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CachePolicy {
    /// Which questions count as the same: none (`off`), those of the same words (`exact`), or also those of the same meaning, from nearly certain (`safe`) over `balanced` to `aggressive`. `shadow` is `safe` with `shadow: true`. Default: `safe`, where a cache is written of.
    pub mode: Option<CacheModeText>,
    /// How long an answer may be given again.
    #[schemars(extend("default" = "1h"))]
    pub ttl: Option<DurationText>,
    /// Who shares answers: requests of the same virtual key (`key`), or all that name the same namespace (`shared`).
    #[schemars(extend("default" = "key"))]
    pub scope: Option<CacheScopeText>,
    /// The name of what is shared: needed with scope `shared`, without effect otherwise.
    pub namespace: Option<String>,
    /// Requests with a higher temperature are not answered by meaning.
    #[schemars(range(min = 0, max = 2), extend("default" = 1))]
    pub max_temperature: Option<f32>,
    /// Of the answers that would be given by meaning, this share is asked for all the same, and compared. Above 0, thresholds may also come down where that has proven right.
    #[schemars(extend("default" = "0%"))]
    pub recheck: Option<ShareText>,
    /// Whether what would be given by meaning is only told and compared, not given.
    #[schemars(extend("default" = false))]
    pub shadow: Option<bool>,
    /// Whether answers that call tools are kept, too.
    #[schemars(extend("default" = false))]
    pub tool_calls: Option<bool>,
    /// Whether answers that ended at the limit of tokens are kept, too; the limit is part of the question.
    #[schemars(extend("default" = false))]
    pub truncated: Option<bool>,
    /// Tokens in a second at which a kept answer is told as a stream, as a model would; absent or 0: all at once.
    #[schemars(range(min = 0, max = 100_000))]
    pub pace: Option<u32>,
    /// Words by which entries can be invalidated.
    pub tags: Option<Vec<Option<String>>>,
}
