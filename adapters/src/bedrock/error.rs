//! Errors as Bedrock tells them: a body of nothing but a message, and the kind of error in a header
//! (`x-amzn-errortype`), or within a stream as the type of an exception.

use crate::chat::write::object;
use crate::error_words::ErrorWords;
use crate::eventstream::write_exception;

/// The header that names the kind of error.
pub(crate) const TYPE_HEADER: &str = "x-amzn-errortype";

/// The kind of error that goes with a status, for [`TYPE_HEADER`].
pub(crate) const fn type_of(status: u16) -> &'static str {
    match status {
        401 | 403 => "AccessDeniedException",
        402 => "ServiceQuotaExceededException",
        404 => "ResourceNotFoundException",
        408 | 504 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        503 | 529 => "ServiceUnavailableException",
        500.. => "InternalServerException",
        _ => "ValidationException",
    }
}

/// The type of the exception that goes with a status, of those that a stream knows.
pub(crate) const fn exception_of(status: u16) -> &'static str {
    match status {
        429 => "throttlingException",
        503 | 529 => "serviceUnavailableException",
        408 | 424 | 504 => "modelStreamErrorException",
        500.. => "internalServerException",
        _ => "validationException",
    }
}

/// The status that goes with a kind of error, however it is written: `ThrottlingException`,
/// `throttlingException`, with what AWS puts behind a colon or before a `#`. `None`: it is not known.
pub(crate) fn status_of(kind: &str) -> Option<u16> {
    let kind = kind.split(':').next().unwrap_or_default();
    let kind = kind.rsplit('#').next().unwrap_or_default();
    let statuses = [
        ("ValidationException", 400),
        ("ServiceQuotaExceededException", 402),
        ("AccessDeniedException", 403),
        ("UnrecognizedClientException", 403),
        ("ExpiredTokenException", 403),
        ("ResourceNotFoundException", 404),
        ("ModelTimeoutException", 408),
        ("ModelErrorException", 424),
        ("ModelStreamErrorException", 424),
        ("ThrottlingException", 429),
        ("ModelNotReadyException", 429),
        ("InternalServerException", 500),
        ("ServiceUnavailableException", 503),
    ];
    let is_it = |(known, _): &(&str, u16)| known.eq_ignore_ascii_case(kind);
    statuses.into_iter().find(is_it).map(|(_, status)| status)
}

/// The JSON body of an error.
pub(crate) fn body(words: &ErrorWords<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(words.message.len() + 16);
    object(&mut out, |o| o.text("message", words.message).end());
    out
}

/// An error's JSON body as the last event of a stream, where no status is known.
pub(crate) fn event(body: &[u8]) -> Vec<u8> {
    event_of(500, body)
}

/// An error's JSON body as the last event of a stream.
pub(crate) fn event_of(status: u16, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 128);
    write_exception(exception_of(status), body, &mut out);
    out
}
