//! Connections to the server under load: HTTP/1.1 ones that carry one request at a time and are kept, or HTTP/2 ones
//! that carry many.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::Context as _;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::HeaderValue;
use hyper::http::uri::{Authority, Scheme};
use hyper::{Request, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::scenario::{Protocol, Surface};

/// The window of an HTTP/2 connection and of its streams: never what limits a run.
const WINDOW_BYTES: u32 = 16 << 20;

/// Servers among which connections are spread, in turns, as a balancer in front of them does. Clones share who is in
/// service.
#[derive(Debug, Clone)]
pub struct Spread(Arc<Servers>);

#[derive(Debug)]
struct Servers {
    servers: Vec<Server>,
    /// Written by all workers: whose turn it is.
    turn: AtomicUsize,
}

#[derive(Debug)]
struct Server {
    /// Where it may be reached, in the order in which that is tried.
    addrs: Vec<SocketAddr>,
    /// Written by all workers: the place of the address that was reached last, which is tried first.
    reached: AtomicUsize,
    /// Written by whoever watches the servers.
    is_out: AtomicBool,
}

impl Server {
    const fn new(addrs: Vec<SocketAddr>) -> Self {
        Self {
            addrs,
            reached: AtomicUsize::new(0),
            is_out: AtomicBool::new(false),
        }
    }

    /// To the first of its addresses that can be reached.
    async fn connect(&self) -> io::Result<TcpStream> {
        let mut error = io::Error::from(io::ErrorKind::AddrNotAvailable);
        let first = self.reached.load(Ordering::Relaxed);
        let places = (0..self.addrs.len()).filter(|place| *place != first);
        for place in std::iter::once(first).chain(places) {
            let Some(addr) = self.addrs.get(place) else {
                continue;
            };
            match TcpStream::connect(addr).await {
                Ok(stream) => {
                    self.reached.store(place, Ordering::Relaxed);
                    return Ok(stream);
                }
                Err(refused) => error = refused,
            }
        }
        Err(error)
    }
}

impl Spread {
    /// All of them in service.
    pub fn new(addrs: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self::of(addrs.into_iter().map(|addr| Server::new(vec![addr])).collect())
    }

    fn of(servers: Vec<Server>) -> Self {
        Self(Arc::new(Servers {
            servers,
            turn: AtomicUsize::new(0),
        }))
    }

    /// Takes a server out of service: no request goes there any more. Those under way are left alone.
    pub fn take_out(&self, server: usize) {
        self.set(server, true);
    }

    /// Takes a server into service.
    pub fn take_in(&self, server: usize) {
        self.set(server, false);
    }

    fn set(&self, server: usize, is_out: bool) {
        if let Some(server) = self.0.servers.get(server) {
            server.is_out.store(is_out, Ordering::Relaxed);
        }
    }

    fn is_out(&self, server: usize) -> bool {
        let server = self.0.servers.get(server);
        server.is_none_or(|it| it.is_out.load(Ordering::Relaxed))
    }

    /// The servers in the order in which a new connection tries them: those in service, or all where none is.
    fn candidates(&self) -> Vec<(usize, &Server)> {
        let Servers { servers, turn } = &*self.0;
        let first = turn.fetch_add(1, Ordering::Relaxed);
        let mut all: Vec<_> = servers.iter().enumerate().collect();
        if let Some(shift) = first.checked_rem(all.len()) {
            all.rotate_left(shift);
        }
        if all.iter().any(|(server, _)| !self.is_out(*server)) {
            all.retain(|(server, _)| !self.is_out(*server));
        }
        all
    }
}

/// Where requests go.
#[derive(Clone)]
pub(crate) struct Endpoint {
    authority: Authority,
    /// What stands before `/v1/…`, without a slash at its end.
    base: String,
    spread: Spread,
    /// `None`: it speaks no TLS.
    tls: Option<(TlsConnector, ServerName<'static>)>,
    pub(crate) protocol: Protocol,
}

impl Endpoint {
    /// Reads `http://host:port/base` and looks its host up.
    ///
    /// # Errors
    /// It is no such URL, or nobody knows the host.
    pub(crate) async fn find(url: &str, protocol: Protocol) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("'{url}'"))?;
        let authority = uri
            .authority()
            .with_context(|| format!("'{url}': expected http://host:port"))?;
        let is_tls = uri.scheme() == Some(&Scheme::HTTPS);
        anyhow::ensure!(
            is_tls || uri.scheme() == Some(&Scheme::HTTP),
            "'{url}': expected http:// or https://"
        );
        anyhow::ensure!(uri.query().is_none(), "'{url}': expected no query");
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let found = tokio::net::lookup_host((host, port))
            .await
            .with_context(|| format!("'{host}'"))?;
        let addrs: Vec<_> = found.collect();
        anyhow::ensure!(!addrs.is_empty(), "'{host}' has no address");
        let base = uri.path().trim_end_matches('/');
        Ok(Self {
            spread: Spread::of(vec![Server::new(addrs)]),
            tls: is_tls.then(|| tls(host, protocol)).transpose()?,
            authority: authority.clone(),
            base: base.strip_suffix("/v1").unwrap_or(base).to_owned(),
            protocol,
        })
    }

    /// The same, on other servers.
    pub(crate) fn on(self, spread: Spread) -> Self {
        Self { spread, ..self }
    }

    /// What a request line says: a path over HTTP/1.1, all of it over HTTP/2.
    pub(crate) fn uri(&self, surface: Surface) -> anyhow::Result<Uri> {
        let path = format!("{}{}", self.base, surface.path());
        let uri = match self.protocol {
            Protocol::Http1 => path.parse()?,
            Protocol::Http2 => Uri::builder()
                .scheme(if self.tls.is_some() {
                    Scheme::HTTPS
                } else {
                    Scheme::HTTP
                })
                .authority(self.authority.clone())
                .path_and_query(path)
                .build()?,
        };
        Ok(uri)
    }

    /// The `host` header, where the protocol has one.
    pub(crate) fn host(&self) -> Option<HeaderValue> {
        match self.protocol {
            Protocol::Http1 => HeaderValue::from_str(self.authority.as_str()).ok(),
            Protocol::Http2 => None,
        }
    }

    /// To the first server that can be reached.
    async fn connect(&self) -> io::Result<Lane> {
        let mut error = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for (place, server) in self.spread.candidates() {
            match server.connect().await {
                Ok(stream) => {
                    let sender = self.secure(stream).await?;
                    let server = place;
                    return Ok(Lane { sender, server });
                }
                Err(refused) => error = refused,
            }
        }
        Err(error)
    }

    async fn secure(&self, stream: TcpStream) -> io::Result<Sender> {
        stream.set_nodelay(true)?;
        match &self.tls {
            None => self.shake_hands(stream).await,
            Some((connector, name)) => {
                self.shake_hands(connector.connect(name.clone(), stream).await?)
                    .await
            }
        }
    }

    async fn shake_hands<S>(&self, stream: S) -> io::Result<Sender>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let io = TokioIo::new(stream);
        match self.protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await.map_err(io::Error::other)?;
                // Its end shows at the sender.
                tokio::spawn(connection);
                Ok(Sender::Http1(sender))
            }
            Protocol::Http2 => {
                let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                    .initial_stream_window_size(WINDOW_BYTES)
                    .initial_connection_window_size(WINDOW_BYTES)
                    .handshake(io)
                    .await
                    .map_err(io::Error::other)?;
                tokio::spawn(connection);
                Ok(Sender::Http2(sender))
            }
        }
    }
}

/// TLS as clients speak it: certificates that the system trusts, or the public ones where it has none.
fn tls(host: &str, protocol: Protocol) -> anyhow::Result<(TlsConnector, ServerName<'static>)> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = match protocol {
        Protocol::Http1 => vec![b"http/1.1".to_vec()],
        Protocol::Http2 => vec![b"h2".to_vec()],
    };
    let name = ServerName::try_from(host.to_owned()).with_context(|| format!("'{host}'"))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        write!(
            f,
            "{scheme}://{}{} at {:?}",
            self.authority, self.base, self.spread
        )
    }
}

/// The near end of a connection.
#[derive(Debug)]
pub(crate) enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Sender {
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::Http1(sender) => sender.send_request(request).await,
            Self::Http2(sender) => sender.send_request(request).await,
        }
    }

    /// Waits until it can carry a request. `false`: it is closed.
    async fn is_ready(&mut self) -> bool {
        match self {
            Self::Http1(sender) => sender.ready().await.is_ok(),
            Self::Http2(sender) => sender.ready().await.is_ok(),
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

/// The connections of a worker.
#[derive(Debug)]
pub(crate) struct Lanes {
    endpoint: Endpoint,
    /// Of HTTP/1.1, those that carry nothing; of HTTP/2, all.
    open: Mutex<Vec<Lane>>,
    /// Written by the worker alone: whose turn it is.
    turn: AtomicUsize,
}

impl Lanes {
    pub(crate) const fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            open: Mutex::new(Vec::new()),
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
        while let Some(mut lane) = self.next() {
            if lane.sender.is_ready().await {
                return Ok(lane);
            }
        }
        let lane = self.endpoint.connect().await?;
        if let Sender::Http2(shared) = &lane.sender {
            let (sender, server) = (Sender::Http2(shared.clone()), lane.server);
            self.open.lock().push(Lane { sender, server });
        }
        Ok(lane)
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
                let is_closed =
                    |it: &Lane| !matches!(&it.sender, Sender::Http2(sender) if !sender.is_closed());
                open.retain(|it| !is_closed(it) && !spread.is_out(it.server));
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                let lane = open.get(turn.checked_rem(open.len())?)?;
                match &lane.sender {
                    Sender::Http2(sender) => Some(Lane {
                        sender: Sender::Http2(sender.clone()),
                        server: lane.server,
                    }),
                    Sender::Http1(_) => None,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_base_url_may_end_with_its_version_or_without() {
        for (url, path) in [
            ("http://127.0.0.1:1", "/v1/chat/completions"),
            ("http://127.0.0.1:1/v1/", "/v1/chat/completions"),
            ("http://[::1]:1/p/openai", "/p/openai/v1/chat/completions"),
        ] {
            let endpoint = Endpoint::find(url, Protocol::Http1).await.unwrap();
            assert_eq!(endpoint.uri(Surface::Chat).unwrap(), path);
        }
        let endpoint = Endpoint::find("http://127.0.0.1:1", Protocol::Http2)
            .await
            .unwrap();
        assert_eq!(
            endpoint.uri(Surface::Messages).unwrap(),
            "http://127.0.0.1:1/v1/messages"
        );
        for bad in ["", "127.0.0.1:80", "ftp://h", "http://127.0.0.1/?a=b"] {
            assert!(Endpoint::find(bad, Protocol::Http1).await.is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_host_with_several_addresses_is_reached_at_the_first_that_listens() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listens = listener.local_addr().unwrap();
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        let server = Server::new(vec![nobody, listens, nobody]);
        for _ in 0..2 {
            assert_eq!(server.connect().await.unwrap().peer_addr().unwrap(), listens);
            assert_eq!(
                server.reached.load(Ordering::Relaxed),
                1,
                "tried first from now on"
            );
        }
        assert!(Server::new(vec![nobody, nobody]).connect().await.is_err());
        assert!(Server::new(Vec::new()).connect().await.is_err());
    }

    #[test]
    fn new_connections_take_turns_among_the_servers_in_service() {
        let addr = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let spread = Spread::new([addr(1), addr(2)]);
        let first = || {
            spread
                .candidates()
                .first()
                .map(|(_, server)| server.addrs[0].port())
        };
        assert_eq!([first(), first(), first()], [Some(1), Some(2), Some(1)]);
        spread.take_out(0);
        assert_eq!([first(), first(), first()], [Some(2); 3]);
        assert_eq!(spread.candidates().len(), 1);
        spread.take_out(1);
        assert_eq!(spread.candidates().len(), 2, "one of them may be back unnoticed");
        spread.take_in(0);
        assert_eq!([first(), first()], [Some(1); 2]);
        spread.take_in(7);
    }
}
