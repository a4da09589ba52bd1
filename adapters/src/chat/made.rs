//! What answers need that are made anew: ids, a time, a name.

use tollgate_core::{RequestId, Timestamp};

/// What goes into answers that are made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) request_id: RequestId,
    pub(crate) now: Timestamp,
    /// The model's name at the provider, for answers that do not tell.
    pub(crate) model: Box<str>,
}

impl Made {
    fn unique(&self) -> String {
        let id = self.request_id.to_string();
        id.strip_prefix("req_").unwrap_or(&id).to_owned()
    }

    pub(crate) fn completion_id(&self) -> String {
        format!("chatcmpl-{}", self.unique())
    }

    pub(crate) fn message_id(&self) -> String {
        format!("msg_{}", self.unique())
    }

    /// The id of an answer in dialects whose ids have no prefix.
    pub(crate) fn answer_id(&self) -> String {
        self.unique()
    }

    /// The id of a call that came without one.
    pub(crate) fn call_id(&self, prefix: &str, number: usize) -> String {
        format!("{prefix}{}_{number}", self.unique())
    }
}
