//! Where a request is going: what an adapter needs to know of the target to write for it.

use tollgate_core::{ProviderKind, Refusal, RefusalKind, RequestId, Timestamp};

use crate::loss::Loss;

/// The target of one attempt, and the facts that go into objects made up on its behalf.
#[derive(Debug, Clone, Copy)]
pub struct Egress<'a> {
    /// Decides dialect and quirks.
    pub kind: ProviderKind,
    /// The model's name there.
    pub model: &'a str,
    /// Azure's `api-version`, where deployment URLs are used.
    pub api_version: Option<&'a str>,
    /// The model's limit of answer tokens: the default where the dialect demands one.
    pub max_output_tokens: Option<u32>,
    /// Refuse what cannot be carried instead of naming it in [`crate::Loss`].
    pub strict: bool,
    /// Goes into the ids of answers that are made anew.
    pub request_id: RequestId,
    /// Goes into `created` of answers that are made anew.
    pub now: Timestamp,
}

impl Egress<'_> {
    /// Whether this target may be sent a request without what was lost.
    ///
    /// # Errors
    /// [`RefusalKind::NotTranslatable`] for any loss, if [`Self::strict`] is set.
    pub(crate) fn bear(&self, loss: &Loss) -> Result<(), Refusal> {
        match loss.paths().next() {
            Some(first) if self.strict => {
                let message = format!("{} cannot carry: {loss}", self.kind);
                Err(Refusal::new(RefusalKind::NotTranslatable, message).at(first.to_owned()))
            }
            _ => Ok(()),
        }
    }
}
