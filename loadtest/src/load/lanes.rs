//! Connections to the server under load: HTTP/1.1 ones that carry one request at a time and are kept, or HTTP/2 ones
//! that carry many: as many as the server allows. One more is opened where all are full, so that no request waits in a
//! queue that nobody sees.

mod endpoint;
mod spread;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::scenario::Protocol;

pub(crate) use endpoint::Endpoint;
pub use endpoint::check_url;
pub use spread::Spread;

/// The near end of a connection.
#[derive(Debug)]
pub(crate) enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(Stream),
}

/// Of an HTTP/2 connection: the connection itself, or one stream of it, which counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Stream {
    sender: http2::SendRequest<Full<Bytes>>,
    streams: Streams,
    counts: bool,
}

/// The streams of an HTTP/2 connection. Clones are of the same.
#[derive(Debug, Clone)]
struct Streams {
    /// Written by the worker alone.
    in_use: Arc<AtomicUsize>,
    /// The most that the server allows, as last announced.
    allowed: watch::Receiver<usize>,
}

impl Streams {
    fn has_room(&self) -> bool {
        self.in_use.load(Ordering::Relaxed) < (*self.allowed.borrow()).max(1)
    }
}

impl Stream {
    /// Another stream of the same connection.
    fn another(&self) -> Self {
        self.streams.in_use.fetch_add(1, Ordering::Relaxed);
        Self {
            sender: self.sender.clone(),
            streams: self.streams.clone(),
            counts: true,
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.counts {
            self.streams.in_use.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Sender {
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::Http1(sender) => sender.send_request(request).await,
            Self::Http2(stream) => stream.sender.send_request(request).await,
        }
    }

    /// Waits until it can carry a request. `false`: it is closed.
    async fn is_ready(&mut self) -> bool {
        match self {
            Self::Http1(sender) => sender.ready().await.is_ok(),
            Self::Http2(stream) => stream.sender.ready().await.is_ok(),
        }
    }
}

/// A connection to a server.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) sender: Sender,
    /// By its place in the [`Spread`].
    server: usize,
}

impl Lane {
    /// One stream of an HTTP/2 connection. `None`: it is of HTTP/1.1.
    fn stream(&self) -> Option<Self> {
        match &self.sender {
            Sender::Http1(_) => None,
            Sender::Http2(stream) => Some(Self {
                sender: Sender::Http2(stream.another()),
                server: self.server,
            }),
        }
    }

    fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(stream) => stream.sender.is_closed(),
        }
    }

    fn has_room(&self) -> bool {
        match &self.sender {
            Sender::Http1(_) => true,
            Sender::Http2(stream) => stream.streams.has_room(),
        }
    }
}

/// The connections of a worker.
#[derive(Debug)]
pub(crate) struct Lanes {
    endpoint: Endpoint,
    /// Of HTTP/1.1, those that carry nothing; of HTTP/2, all.
    open: Mutex<Vec<Lane>>,
    /// Held by whoever opens one that others may share.
    opening: tokio::sync::Mutex<()>,
    /// Written by the worker alone: whose turn it is.
    turn: AtomicUsize,
}

impl Lanes {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            open: Mutex::new(Vec::new()),
            opening: tokio::sync::Mutex::new(()),
            turn: AtomicUsize::new(0),
        }
    }

    /// Opens `lanes` connections.
    ///
    /// # Errors
    /// The first that cannot be opened.
    pub(crate) async fn open(&self, lanes: usize) -> io::Result<()> {
        for _ in 0..lanes {
            let lane = self.endpoint.connect().await?;
            self.open.lock().push(lane);
        }
        Ok(())
    }

    /// A connection that is ready: an open one, or a new one where none is left.
    pub(crate) async fn take(&self) -> io::Result<Lane> {
        if let Some(lane) = self.ready().await {
            return Ok(lane);
        }
        if self.endpoint.protocol == Protocol::Http1 {
            return self.endpoint.connect().await;
        }
        // One at a time: whoever waited takes a stream of what the one before has opened.
        let _alone = self.opening.lock().await;
        if let Some(lane) = self.ready().await {
            return Ok(lane);
        }
        let lane = self.endpoint.connect().await?;
        let taken = lane.stream();
        self.open.lock().push(lane);
        taken.ok_or_else(|| io::Error::other("an HTTP/2 connection has streams"))
    }

    async fn ready(&self) -> Option<Lane> {
        while let Some(mut lane) = self.next() {
            if lane.sender.is_ready().await {
                return Some(lane);
            }
        }
        None
    }

    /// Gives a connection back whose answer has been read to its end.
    pub(crate) fn give_back(&self, lane: Lane) {
        if matches!(lane.sender, Sender::Http1(_)) {
            self.open.lock().push(lane);
        }
    }

    fn next(&self) -> Option<Lane> {
        let mut open = self.open.lock();
        let spread = &self.endpoint.spread;
        match self.endpoint.protocol {
            // Those to a server that is out of service are closed as they come up.
            Protocol::Http1 => std::iter::from_fn(|| open.pop()).find(|it| !spread.is_out(it.server)),
            Protocol::Http2 => {
                open.retain(|it| !it.is_closed() && !spread.is_out(it.server));
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                let first = turn.checked_rem(open.len())?;
                let (before, after) = open.split_at_checked(first)?;
                after.iter().chain(before).find(|it| it.has_room())?.stream()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// A frame of settings that allows two streams.
    const TWO_STREAMS: [u8; 15] = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2];

    /// Accepts connections of HTTP/2, each of two streams, and answers nothing. Counts them.
    async fn server_of_two_streams() -> (SocketAddr, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let accepted = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&accepted);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    stream.write_all(&TWO_STREAMS).await.unwrap();
                    let mut heard = [0; 1024];
                    while matches!(stream.read(&mut heard).await, Ok(1..)) {}
                });
            }
        });
        (addr, accepted)
    }

    #[tokio::test]
    async fn another_http2_connection_is_opened_where_all_are_full_and_no_more_than_needed() {
        let (addr, accepted) = server_of_two_streams().await;
        let endpoint = Endpoint::find(&format!("http://{addr}"), Protocol::Http2)
            .await
            .unwrap();
        let lanes = Arc::new(Lanes::new(endpoint));
        let takers: Vec<_> = (0..5)
            .map(|_| {
                let lanes = Arc::clone(&lanes);
                tokio::spawn(async move { lanes.take().await.unwrap() })
            })
            .collect();
        let mut taken = Vec::new();
        for taker in takers {
            taken.push(taker.await.unwrap());
        }
        assert_eq!(accepted.load(Ordering::Relaxed), 3, "two streams on each");
        taken.clear();
        for _ in 0..6 {
            taken.push(lanes.take().await.unwrap());
        }
        assert_eq!(accepted.load(Ordering::Relaxed), 3, "there is room again");
    }
}
