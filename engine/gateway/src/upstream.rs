//! The way to providers: one pool of connections per worker, kept by hand over hyper's connection types.
//!
//! A pool of our own rather than a general client, for three reasons: connecting, waiting for an answer and
//! reading it are timed apart; an HTTP/2 origin gets another connection before the first one's streams run out
//! (a general client queues in silence there); and a client that hangs up closes its upstream exchange at once.
//! Everything here lives on one worker's thread. Redirects are not followed: a credential goes to the
//! configured origin and nowhere else.

mod connect;
mod error;
mod http1;
mod http2;
mod lease;
mod outgoing;
mod single;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use http::uri::{Authority, Scheme};
use rapidhash::fast::RandomState;
use tollgate_core::Clock;
use tollgate_routing::{HttpVersion, Provider};

pub(crate) use connect::{Connector, trusted};
pub(crate) use error::{ConnectError, SendError};
pub(crate) use lease::{Answer, UpstreamBody};
pub(crate) use outgoing::{Outgoing, UpstreamRequest};
pub(crate) use single::{Limits, exchange};

use lease::Lease;

/// A worker's connections to all providers.
pub(crate) struct Upstream {
    connector: Rc<Connector>,
    origins: RefCell<HashMap<OriginKey, Origin, RandomState>>,
}

/// Two providers with the same origin and protocol share connections.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct OriginKey {
    scheme: Scheme,
    authority: Authority,
    version: HttpVersion,
}

#[derive(Clone)]
enum Origin {
    Http1(Rc<http1::Pool>),
    Http2(Rc<http2::Lanes>),
}

impl Upstream {
    /// A pool without connections.
    pub(crate) fn new(connector: Connector) -> Self {
        Self {
            connector: Rc::new(connector),
            origins: RefCell::default(),
        }
    }

    /// Sends a request (its URI absolute) and waits for the head of the answer, under the provider's connect and
    /// first-byte timeouts; the other clocks are the caller's. Dropping the future ends the exchange.
    pub(crate) async fn send(
        &self,
        provider: &Provider,
        request: UpstreamRequest,
    ) -> Result<Answer, SendError> {
        match self.origin(provider, request.uri())? {
            Origin::Http1(pool) => {
                let taken = http1::exchange(&pool, &self.connector, provider, request).await?;
                Ok(Answer::new(taken, Lease::Http1))
            }
            // In a box: it is the larger by far, and HTTP/1.1 would carry room for it.
            Origin::Http2(lanes) => {
                let taken = Box::pin(http2::exchange(&lanes, &self.connector, provider, request)).await?;
                Ok(Answer::new(taken, Lease::Http2))
            }
        }
    }

    /// Puts a connection that somebody else has opened with the idle ones: benches bring theirs along.
    pub(crate) async fn adopt<T>(&self, provider: &Provider, io: T) -> Result<(), ConnectError>
    where
        T: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
    {
        match self.origin(provider, &provider.base_url)? {
            Origin::Http1(pool) => pool.adopt(io, provider.max_idle_connections).await,
            Origin::Http2(_) => Err(ConnectError::failed("a connection of HTTP/1.1 is brought along")),
        }
    }

    fn origin(&self, provider: &Provider, uri: &http::Uri) -> Result<Origin, ConnectError> {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(ConnectError::failed(format!("{uri} is not an absolute URI")));
        };
        let key = OriginKey {
            scheme: scheme.clone(),
            authority: authority.clone(),
            version: provider.http,
        };
        let mut origins = self.origins.borrow_mut();
        let origin = origins.entry(key).or_insert_with(|| match provider.http {
            HttpVersion::Http1 => Origin::Http1(Rc::default()),
            HttpVersion::Http2 => Origin::Http2(Rc::default()),
        });
        Ok(origin.clone())
    }

    /// Closes what has been idle for too long, and forgets origins without connections. To be called now and
    /// then.
    pub(crate) fn sweep(&self) {
        let now = Clock.now();
        self.origins.borrow_mut().retain(|_, origin| match origin {
            Origin::Http1(pool) => pool.sweep(now) || Rc::strong_count(pool) > 1,
            Origin::Http2(lanes) => lanes.sweep() || Rc::strong_count(lanes) > 1,
        });
    }
}
