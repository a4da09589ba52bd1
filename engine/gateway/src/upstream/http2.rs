//! HTTP/2: a connection carries many exchanges; another is opened before the provider's limit of streams is
//! reached, so that no request waits in a queue that nobody sees.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;

use http::{Uri, Version, header};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::TokioTimer;
use tokio::sync::OnceCell;
use tollgate_routing::Provider;

use super::connect::{Connected, Connector, IDLE_FOR};
use super::error::{ConnectError, SendError};
use super::outgoing::{self, Outgoing, Taken, UpstreamRequest};

/// What a stream may be ahead of its reader, in bytes: enough for 2.5 MB/s at a distance of 100 ms.
const STREAM_WINDOW: u32 = 256 << 10;
/// The most that HTTP/2 lets a connection be ahead.
const MOST_WINDOW: u32 = (1 << 31) - 1;

/// The connections to one origin.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: RefCell<Vec<Rc<Lane>>>,
}

/// One connection, from the moment somebody wants it.
#[derive(Default)]
struct Lane {
    /// Empty while it is being opened: whoever was given this lane waits for the same connection, or the same failure.
    requests: OnceCell<Result<SendRequest<Outgoing>, ConnectError>>,
    /// Streams in use or promised.
    streams: Cell<usize>,
    /// The provider's own limit of streams, as last announced. Written by the task that drives the connection.
    limit: Rc<Cell<Option<usize>>>,
    /// No new streams: it broke.
    closed: Cell<bool>,
}

/// A stream in use.
pub(super) struct Lease {
    lane: Rc<Lane>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.lane.streams.set(self.lane.streams.get().saturating_sub(1));
    }
}

/// Sends a request on a lane with room for another stream, or on a new one. A connection that turns out to be
/// closed before the request was written is replaced without a word.
pub(super) async fn exchange(
    lanes: &Lanes,
    connector: &Connector,
    provider: &Provider,
    mut request: UpstreamRequest,
) -> Result<Taken<Lease>, SendError> {
    let origin = request.uri().clone();
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().remove(header::HOST);
    loop {
        let lease = lanes.lease(provider.max_streams_per_connection);
        let stale = lease.lane.requests.initialized();
        let limit = lease.lane.limit.clone();
        let opened = lease
            .lane
            .requests
            .get_or_init(|| open(connector, provider, &origin, limit))
            .await;
        let mut requests = opened.clone()?;
        let limit = provider.timeouts.first_byte;
        let progress = request.body().progress();
        let head = outgoing::answered(limit, progress, requests.try_send_request(request));
        let (head, sent_at) = head
            .await
            .map_err(|outgoing::Overdue| SendError::FirstByteTimeout(limit))?;
        match head {
            Ok(response) => {
                return Ok(Taken {
                    response,
                    lease,
                    sent_at,
                });
            }
            Err(mut failed) => match failed.take_message() {
                Some(unsent) if stale => {
                    lease.lane.closed.set(true);
                    request = unsent;
                }
                _ => {
                    return Err(SendError::Reset {
                        stale,
                        source: failed.into_error(),
                    });
                }
            },
        }
    }
}

async fn open(
    connector: &Connector,
    provider: &Provider,
    origin: &Uri,
    limit: Rc<Cell<Option<usize>>>,
) -> Result<SendRequest<Outgoing>, ConnectError> {
    let Connected { io, open, .. } = connector.connect(provider, origin).await?;
    let handshake = Builder::new(LocalExecutor)
        .timer(TokioTimer::new())
        .keep_alive_interval(IDLE_FOR / 2)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(connection_window(provider.max_streams_per_connection))
        .handshake(io);
    let (requests, connection) = handshake.await.map_err(ConnectError::failed)?;
    actix_rt::spawn(async move {
        let mut connection = pin!(connection);
        let watched = std::future::poll_fn(|cx| {
            let state = connection.as_mut().poll(cx);
            limit.set(Some(connection.current_max_send_streams()));
            state
        });
        drop(watched.await);
        drop(open);
    });
    Ok(requests)
}

/// Room for every stream's window at once: a client that does not read fills its own stream's, and nobody else waits.
fn connection_window(max_streams: usize) -> u32 {
    let streams = u32::try_from(max_streams.max(1)).unwrap_or(u32::MAX);
    STREAM_WINDOW.saturating_mul(streams).min(MOST_WINDOW)
}

impl Lanes {
    /// A stream on the first lane with room, or on a new lane.
    fn lease(&self, max_streams: usize) -> Lease {
        let mut lanes = self.lanes.borrow_mut();
        lanes.retain(|lane| lane.is_usable());
        let open = lanes.iter().find(|lane| lane.has_room(max_streams)).cloned();
        let lane = open.unwrap_or_else(|| {
            let lane = Rc::<Lane>::default();
            lanes.push(lane.clone());
            lane
        });
        lane.streams.set(lane.streams.get() + 1);
        Lease { lane }
    }

    /// Forgets closed lanes; whether any is left.
    pub(super) fn sweep(&self) -> bool {
        let mut lanes = self.lanes.borrow_mut();
        lanes.retain(|lane| lane.is_usable());
        !lanes.is_empty()
    }
}

impl Lane {
    fn is_usable(&self) -> bool {
        let is_open =
            |opened: &Result<SendRequest<_>, _>| opened.as_ref().is_ok_and(|requests| !requests.is_closed());
        !self.closed.get() && self.requests.get().is_none_or(is_open)
    }

    fn has_room(&self, max_streams: usize) -> bool {
        let limit = self
            .limit
            .get()
            .map_or(max_streams, |announced| announced.min(max_streams));
        self.streams.get() < limit.max(1)
    }
}

/// Runs hyper's tasks on this worker's thread.
#[derive(Clone, Copy)]
struct LocalExecutor;

impl<F> hyper::rt::Executor<F> for LocalExecutor
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, task: F) {
        actix_rt::spawn(task);
    }
}
