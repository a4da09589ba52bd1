//! One exchange on a connection of its own, with somebody who is no provider: a cloud's token service.
//!
//! Such exchanges are few, minutes apart and small, so nothing is pooled. They go the same way as those with providers:
//! the same trust, the same proxies, no redirects. Unlike those they may be made from any thread.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::select;
use http::{HeaderValue, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use thiserror::Error;
use tokio::time::timeout;

use super::connect::Connector;
use super::error::ConnectError;
use super::http1::address;

/// More is no answer of a token service.
const MOST_BYTES: usize = 1 << 20;

/// How long the parts of an exchange may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Until there is a connection.
    pub(crate) connect: Duration,
    /// From there to the end of the answer.
    pub(crate) answer: Duration,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum ExchangeError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// No complete answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
    /// It is too large.
    #[error("the answer is too large")]
    TooLarge,
}

impl ExchangeError {
    /// Whether it took too long, rather than failed.
    pub(crate) fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_) | Self::Connect(ConnectError::Timeout(_)))
    }
}

/// Sends a request, its URI absolute, and reads the whole answer, whatever its status.
pub(crate) async fn exchange(
    connector: &Connector,
    mut request: http::Request<Full<Bytes>>,
    limits: Limits,
) -> Result<Response<Bytes>, ExchangeError> {
    let origin = request.uri().clone();
    let (io, via) = connector.dial(&origin, limits.connect).await?;
    if !request.headers().contains_key(header::HOST)
        && let Some(authority) = origin.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        request.headers_mut().insert(header::HOST, host);
    }
    address(&mut request, &origin, via.as_ref());
    let answered = async {
        let (mut requests, connection) = http1::handshake(io).await?;
        let told = async {
            let (head, body) = requests.send_request(request).await?.into_parts();
            Ok(Response::from_parts(head, read(body).await?))
        };
        // Driven beside the exchange, so that it ends with it. How it ends is told to the exchange.
        let driven = async {
            drop(connection.await);
            std::future::pending().await
        };
        futures_util::pin_mut!(told, driven);
        select(told, driven).await.factor_first().0
    };
    timeout(limits.answer, answered)
        .await
        .unwrap_or(Err(ExchangeError::Timeout(limits.answer)))
}

async fn read(mut body: hyper::body::Incoming) -> Result<Bytes, ExchangeError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        let piece = frame.data_ref().map(Bytes::as_ref).unwrap_or_default();
        if bytes.len() + piece.len() > MOST_BYTES {
            return Err(ExchangeError::TooLarge);
        }
        bytes.extend_from_slice(piece);
    }
    Ok(bytes.freeze())
}
