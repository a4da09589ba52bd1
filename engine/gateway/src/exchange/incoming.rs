//! What a client sends, as it comes: its headers, and its body piece by piece.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header::HeaderName;
use actix_web::web::Payload;
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use tollgate_core::{Refusal, RefusalKind};

/// A client that sends nothing of its body for this long has lost its turn.
pub(crate) const BODY_PAUSE: Duration = Duration::from_secs(30);

/// A header's value, if it is text.
pub(crate) fn header<'r>(request: &'r HttpRequest, name: &HeaderName) -> Option<&'r str> {
    request.headers().get(name)?.to_str().ok()
}

/// The next piece of a body; `None` at its end. Does not come back if the client has hung up.
pub(crate) async fn next_piece(payload: &mut Payload) -> Result<Option<Bytes>, Refusal> {
    // Most bodies are there with their head: no clock is needed for those.
    let piece = match payload.next().now_or_never() {
        Some(piece) => Ok(piece),
        None => tokio::time::timeout(BODY_PAUSE, payload.next()).await,
    };
    match piece {
        Ok(None) => Ok(None),
        Ok(Some(Ok(piece))) => Ok(Some(piece)),
        Ok(Some(Err(PayloadError::Incomplete(_)))) => Err(gone().await),
        Ok(Some(Err(error))) => Err(unreadable(&error)),
        Err(_) => Err(Refusal::new(
            RefusalKind::BodyTimeout,
            format!("nothing of the body arrived for {BODY_PAUSE:?}"),
        )),
    }
}

/// The client has hung up while it was sending. That is no refusal: nobody is there to be refused. The server
/// drops this request together with its connection, and the settlement then says what happened.
pub(crate) async fn gone() -> Refusal {
    tokio::time::sleep(BODY_PAUSE).await;
    Refusal::new(RefusalKind::BodyTimeout, "the body ended early")
}

pub(crate) fn unreadable(error: &PayloadError) -> Refusal {
    Refusal::new(
        RefusalKind::MalformedBody,
        format!("the body could not be read: {error}"),
    )
}
