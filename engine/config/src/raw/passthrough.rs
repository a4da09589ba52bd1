//! The section `passthrough`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Endpoints that are not asked for a model's answer, or name the model too late.
///
/// Files, batches and kept responses belong to a provider's account: whoever may use one of them sees what all the others have put there. So each is open only to the providers listed for it, the first one of the client's dialect by default, another one by the header `x-tollgate-provider`; and only to keys whose `models` match `PROVIDER/files`, `PROVIDER/batches` or `PROVIDER/responses`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Passthrough {
    /// Providers whose files may be used: `/v1/files`, in OpenAI's form and in Anthropic's.
    pub files: Option<Vec<Option<String>>>,
    /// Providers whose batches may be used: `/v1/batches`, `/v1/messages/batches`.
    pub batches: Option<Vec<Option<String>>>,
    /// Providers whose kept responses may be used: `/v1/responses/ID`.
    pub responses: Option<Vec<Option<String>>>,
    /// The model of sound that is uploaded in a form whose `model` stands behind the file. Default: such a form must name it in the header `x-tollgate-model`.
    pub audio_model: Option<String>,
    /// The same for pictures.
    pub image_model: Option<String>,
}
