//! HTTP/1.1: a connection carries one exchange at a time, and rests in the pool between two.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use actix_rt::task::JoinHandle;
use http::uri::PathAndQuery;
use http::{Uri, header};
use hyper::client::conn::http1::{Builder, SendRequest};
use tollgate_core::Clock;
use tollgate_routing::Provider;

use super::connect::{Connected, Connector, IDLE_FOR, Via};
use super::error::{ConnectError, SendError};
use super::outgoing::{self, Outgoing, Taken, UpstreamRequest};

/// Idle connections to one origin, the one used last at the back.
#[derive(Default)]
pub(super) struct Pool {
    idle: RefCell<VecDeque<Idle>>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

struct Connection {
    requests: SendRequest<Outgoing>,
    via: Option<Via>,
    /// Drives the connection; ended with it.
    _driver: Driver,
}

/// Ends the task that drives a connection, and so closes it.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection in use.
pub(super) struct Lease {
    connection: Connection,
    pool: Rc<Pool>,
    max_idle: usize,
}

/// Sends a request on an idle connection, or on a new one. A connection that turns out to be closed before the
/// request was written is replaced without a word.
pub(super) async fn exchange(
    pool: &Rc<Pool>,
    connector: &Connector,
    provider: &Provider,
    mut request: UpstreamRequest,
) -> Result<Taken<Lease>, SendError> {
    let origin = request.uri().clone();
    loop {
        // One that has been idle may be closing just now, and what it took would be lost.
        let idle = (!request.body().is_unrepeatable()).then(|| pool.pop());
        let (connection, stale) = match idle.flatten() {
            Some(connection) => (connection, true),
            // In a box: most requests find a connection, and all of them would carry the room for a handshake.
            None => (Box::pin(open(connector, provider, &origin)).await?, false),
        };
        address(&mut request, &origin, connection.via.as_ref());
        let max_idle = provider.max_idle_connections;
        let mut lease = Lease {
            connection,
            pool: pool.clone(),
            max_idle,
        };
        let progress = request.body().progress();
        let head = lease.connection.requests.try_send_request(request);
        let limit = provider.timeouts.first_byte;
        let answered = outgoing::answered(limit, progress, head).await;
        let (head, sent_at) = answered.map_err(|outgoing::Overdue| SendError::FirstByteTimeout(limit))?;
        match head {
            Ok(response) => {
                return Ok(Taken {
                    response,
                    lease,
                    sent_at,
                });
            }
            Err(mut failed) => match failed.take_message() {
                Some(unsent) if stale => request = unsent,
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

async fn open(connector: &Connector, provider: &Provider, origin: &Uri) -> Result<Connection, ConnectError> {
    let Connected { io, open, via } = connector.connect(provider, origin).await?;
    over(io, open, via).await
}

/// A connection over `io`; `open` is dropped when it ends.
async fn over<T>(io: T, open: impl Sized + 'static, via: Option<Via>) -> Result<Connection, ConnectError>
where
    T: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
{
    let handshake = Builder::new().handshake(io).await;
    let (requests, connection) = handshake.map_err(ConnectError::failed)?;
    // How it ends is told to whoever uses it: an idle connection that is closed is nobody's error.
    let driver = Driver(actix_rt::spawn(async move {
        drop(connection.await);
        drop(open);
    }));
    Ok(Connection {
        requests,
        via,
        _driver: driver,
    })
}

/// Writes the target in the form this connection needs: a path to an origin, the whole URI to a proxy.
pub(super) fn address<B>(request: &mut http::Request<B>, origin: &Uri, via: Option<&Via>) {
    let Some(via) = via else {
        let path = origin
            .path_and_query()
            .cloned()
            .unwrap_or_else(|| PathAndQuery::from_static("/"));
        *request.uri_mut() = Uri::from(path);
        return;
    };
    *request.uri_mut() = origin.clone();
    if let Some(authorization) = &via.authorization {
        request
            .headers_mut()
            .insert(header::PROXY_AUTHORIZATION, authorization.clone());
    }
}

impl Pool {
    /// The connection used last that is still open; closed ones in front of it are dropped.
    fn pop(&self) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        std::iter::from_fn(|| idle.pop_back())
            .map(|it| it.connection)
            .find(|connection| connection.requests.is_ready())
    }

    /// Keeps a connection over `io`.
    pub(super) async fn adopt<T>(&self, io: T, max_idle: usize) -> Result<(), ConnectError>
    where
        T: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
    {
        let mut connection = over(io, (), None).await?;
        let ready = connection.requests.ready().await;
        ready.map_err(ConnectError::failed)?;
        self.push(connection, max_idle);
        Ok(())
    }

    fn push(&self, connection: Connection, max_idle: usize) {
        let mut idle = self.idle.borrow_mut();
        idle.push_back(Idle {
            connection,
            since: Clock.now(),
        });
        while idle.len() > max_idle {
            idle.pop_front();
        }
    }

    /// Drops what is closed or has been idle for too long; whether anything is left.
    pub(super) fn sweep(&self, now: Instant) -> bool {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|it| it.connection.requests.is_ready() && now.duration_since(it.since) < IDLE_FOR);
        !idle.is_empty()
    }
}

impl Lease {
    /// Back to the pool, once the connection is ready for another request.
    pub(super) fn give_back(mut self) {
        if self.connection.requests.is_ready() {
            self.pool.push(self.connection, self.max_idle);
        } else if !self.connection.requests.is_closed() {
            actix_rt::spawn(async move {
                if self.connection.requests.ready().await.is_ok() {
                    self.pool.push(self.connection, self.max_idle);
                }
            });
        }
    }
}
