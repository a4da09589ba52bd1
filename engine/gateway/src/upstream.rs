//! The way to providers: one pool of connections per worker, kept by hand over hyper's connection types.
//!
//! A pool of our own rather than a general client, for three reasons: connecting, waiting for an answer and
//! reading it are timed apart; an HTTP/2 origin gets another connection before the first one's streams run out
//! (a general client queues in silence there); and a client that hangs up closes its upstream exchange at once.
//! Everything here lives on one worker's thread. Redirects are not followed: a credential goes to the
//! configured origin and nowhere else.

mod connect;
mod http1;
mod http2;
mod lease;
mod outgoing;
mod single;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::uri::{Authority, Scheme};
use http::{Request, Response};
use rapidhash::fast::RandomState;
use thiserror::Error;
use tollgate_core::{Clock, OutcomeClass};
use tollgate_routing::{HttpVersion, Provider};

pub(crate) use connect::{Connector, trusted};
pub(crate) use lease::UpstreamBody;
pub(crate) use outgoing::Outgoing;
pub(crate) use single::{Limits, exchange};

/// Idle connections are closed after this long: below the idle limits of the usual front ends.
const IDLE_FOR: Duration = Duration::from_secs(55);

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

/// Why there is no connection. Whoever waited for the same one is told the same.
#[derive(Debug, Clone, Error)]
pub(crate) enum ConnectError {
    /// None within the connect timeout.
    #[error("no connection within {0:?}")]
    Timeout(Duration),
    /// None at all.
    #[error("no connection: {0}")]
    Failed(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

/// Why an exchange came to no answer.
#[derive(Debug, Error)]
pub(crate) enum SendError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A connection, but no head of an answer within the first-byte timeout.
    #[error("no answer within {0:?}")]
    FirstByteTimeout(Duration),
    /// The connection broke before an answer came. `stale`: it was an idle one, which the provider may have
    /// been closing just then.
    #[error("the connection broke before an answer came: {source}")]
    Reset {
        /// Whether the connection had been idle in the pool.
        stale: bool,
        /// What hyper says.
        #[source]
        source: hyper::Error,
    },
}

/// The head of an answer.
pub(crate) struct Answer {
    /// Head and body.
    pub(crate) response: Response<UpstreamBody>,
    /// When the request was handed to a connection: from here the first-byte clock runs.
    pub(crate) sent_at: Instant,
}

/// Any error of a connector.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request to a provider.
pub(crate) type UpstreamRequest = Request<Outgoing>;

impl ConnectError {
    fn failed(why: impl Into<BoxError>) -> Self {
        Self::Failed(Arc::from(why.into()))
    }
}

impl SendError {
    /// Whether an idle connection was closed, without a byte of an answer, instead of taking the request.
    pub(crate) fn was_stale(&self) -> bool {
        matches!(self, Self::Reset { stale: true, source } if source.is_incomplete_message())
    }

    pub(crate) fn class(&self) -> OutcomeClass {
        match self {
            Self::Connect(ConnectError::Timeout(_)) => OutcomeClass::ConnectTimeout,
            Self::Connect(ConnectError::Failed(_)) => OutcomeClass::ConnectFailed,
            Self::FirstByteTimeout(_) => OutcomeClass::FirstByteTimeout,
            Self::Reset { .. } => OutcomeClass::Reset,
        }
    }
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
            Origin::Http1(pool) => http1::exchange(&pool, &self.connector, provider, request).await,
            // In a box: it is the larger by far, and HTTP/1.1 would carry room for it.
            Origin::Http2(lanes) => {
                Box::pin(http2::exchange(&lanes, &self.connector, provider, request)).await
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
