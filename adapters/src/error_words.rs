//! What an error says, before a dialect gives it a body.

/// What an error says, before a dialect gives it a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ErrorWords<'a> {
    /// The status it is sent with: decides the dialect's `type` where `kind` is `None`.
    pub(crate) status: u16,
    /// The provider's own word for the kind of error, if it is to be kept; OpenAI's dialect only.
    pub(crate) kind: Option<&'a str>,
    pub(crate) message: &'a str,
    pub(crate) param: Option<&'a str>,
    pub(crate) code: Option<&'a str>,
    /// Anthropic's dialect only.
    pub(crate) request_id: Option<&'a str>,
}
