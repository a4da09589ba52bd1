//! What an exchange holds of a connection, and gives back when its answer has been read to the end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::Response;
use http_body::Body as _;
use hyper::body::Incoming;

use super::outgoing::Taken;
use super::{http1, http2};

/// A hold on a connection. Dropped before the answer's end it ends the exchange: an HTTP/1.1 connection is
/// closed, an HTTP/2 stream reset.
pub(super) enum Lease {
    Http1(http1::Lease),
    Http2(http2::Lease),
}

/// The head of an answer.
pub(crate) struct Answer {
    /// Head and body.
    pub(crate) response: Response<UpstreamBody>,
    /// When the request was handed to a connection: from here the first-byte clock runs.
    pub(crate) sent_at: Instant,
}

/// The body of a provider's answer.
pub(crate) struct UpstreamBody {
    incoming: Incoming,
    lease: Option<Lease>,
}

impl Answer {
    /// What was taken, with a hold on its connection for as long as it is read.
    pub(super) fn new<L>(taken: Taken<L>, hold: impl FnOnce(L) -> Lease) -> Self {
        let Taken {
            response,
            lease,
            sent_at,
        } = taken;
        let lease = Some(hold(lease));
        let response = response.map(|incoming| UpstreamBody { incoming, lease });
        Self { response, sent_at }
    }
}

impl UpstreamBody {
    /// The next piece of the body; `None` at its end. Trailers are passed over.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, hyper::Error>>> {
        loop {
            match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Some(Err(broken)) => {
                    self.lease = None;
                    return Poll::Ready(Some(Err(broken)));
                }
                None => {
                    if let Some(lease) = self.lease.take() {
                        lease.give_back();
                    }
                    return Poll::Ready(None);
                }
            }
        }
    }

    /// The next piece of the body, as a future.
    pub(crate) async fn chunk(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        std::future::poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// The exact length, where the provider stated it.
    pub(crate) fn stated_len(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }
}

impl Lease {
    fn give_back(self) {
        match self {
            Self::Http1(lease) => lease.give_back(),
            Self::Http2(lease) => drop(lease),
        }
    }
}
