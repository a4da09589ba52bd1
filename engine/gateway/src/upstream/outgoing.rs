//! The body of a request to a provider: whole, or passed on as a client sends it.

use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::timeout;
use tollgate_core::Clock;

use crate::exchange::upload::{Progress, UploadBody, UploadBroken};

/// The body of a request to a provider.
pub(crate) enum Outgoing {
    /// All of it.
    Whole(Full<Bytes>),
    /// What a client is still sending.
    Passing(Box<UploadBody>),
}

impl Outgoing {
    /// All of a body.
    pub(crate) fn whole(body: Bytes) -> Self {
        Self::Whole(Full::new(body))
    }

    /// Whether it cannot be sent a second time: what is gone of it is kept nowhere.
    pub(super) fn is_unrepeatable(&self) -> bool {
        match self {
            Self::Whole(_) => false,
            Self::Passing(body) => body.is_unrepeatable(),
        }
    }

    /// How far it has come; `None`: it is there as a whole.
    pub(super) fn progress(&self) -> Option<Rc<Progress>> {
        match self {
            Self::Whole(_) => None,
            Self::Passing(body) => Some(body.progress()),
        }
    }
}

/// A request to a provider.
pub(crate) type UpstreamRequest = Request<Outgoing>;

/// What a provider answers to it, on a connection that is held by `L`.
pub(super) struct Taken<L> {
    pub(super) response: Response<Incoming>,
    pub(super) lease: L,
    /// When the request was handed to the connection.
    pub(super) sent_at: Instant,
}

/// The clock for the first byte of an answer was over.
pub(super) struct Overdue;

/// Waits for the head of an answer, for `limit` from when the provider had the request; and when that was. As long as a
/// client is still sending, it is not the provider that is late.
pub(super) async fn answered<T>(
    limit: Duration,
    progress: Option<Rc<Progress>>,
    head: impl Future<Output = T>,
) -> Result<(T, Instant), Overdue> {
    let sent_at = Clock.now();
    let Some(progress) = progress else {
        let head = timeout(limit, head).await.map_err(|_| Overdue)?;
        return Ok((head, sent_at));
    };
    let mut head = pin!(head);
    let mut left = limit;
    loop {
        if let Ok(head) = timeout(left, &mut head).await {
            return Ok((head, progress.since(sent_at)));
        }
        let waited = Clock.now().saturating_duration_since(progress.since(sent_at));
        left = match limit.checked_sub(waited).filter(|left| !left.is_zero()) {
            Some(left) => left,
            None if progress.is_waiting() => limit,
            None => return Err(Overdue),
        };
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = UploadBroken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadBroken>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|never| match never {}))),
            Self::Passing(body) => body
                .poll_piece(cx)
                .map(|piece| piece.map(|it| it.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Passing(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Passing(body) => body.len().map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
