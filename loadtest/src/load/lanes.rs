//! Connections to the server under load: HTTP/1.1 ones that carry one request at a time and are kept, or HTTP/2 ones
//! that carry many.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// Where requests go.
#[derive(Clone)]
pub(crate) struct Endpoint {
    authority: Authority,
    /// What stands before `/v1/…`, without a slash at its end.
    base: String,
    addr: SocketAddr,
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
        let mut found = tokio::net::lookup_host((host, port))
            .await
            .with_context(|| format!("'{host}'"))?;
        let base = uri.path().trim_end_matches('/');
        Ok(Self {
            addr: found.next().with_context(|| format!("'{host}' has no address"))?,
            tls: is_tls.then(|| tls(host, protocol)).transpose()?,
            authority: authority.clone(),
            base: base.strip_suffix("/v1").unwrap_or(base).to_owned(),
            protocol,
        })
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

    async fn connect(&self) -> io::Result<Sender> {
        let stream = TcpStream::connect(self.addr).await?;
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
        write!(f, "{scheme}://{}{} at {}", self.authority, self.base, self.addr)
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

/// The connections of a worker.
#[derive(Debug)]
pub(crate) struct Lanes {
    endpoint: Endpoint,
    /// Of HTTP/1.1, those that carry nothing; of HTTP/2, all.
    open: Mutex<Vec<Sender>>,
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
            let sender = self.endpoint.connect().await?;
            self.open.lock().push(sender);
        }
        Ok(())
    }

    /// A connection that is ready: an open one, or a new one where none is left.
    pub(crate) async fn take(&self) -> io::Result<Sender> {
        while let Some(mut sender) = self.next() {
            if sender.is_ready().await {
                return Ok(sender);
            }
        }
        let sender = self.endpoint.connect().await?;
        if let Sender::Http2(shared) = &sender {
            self.open.lock().push(Sender::Http2(shared.clone()));
        }
        Ok(sender)
    }

    /// Gives a connection back whose answer has been read to its end.
    pub(crate) fn give_back(&self, sender: Sender) {
        if matches!(sender, Sender::Http1(_)) {
            self.open.lock().push(sender);
        }
    }

    fn next(&self) -> Option<Sender> {
        let mut open = self.open.lock();
        match self.endpoint.protocol {
            Protocol::Http1 => open.pop(),
            Protocol::Http2 => {
                open.retain(|it| matches!(it, Sender::Http2(sender) if !sender.is_closed()));
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                match open.get(turn.checked_rem(open.len())?) {
                    Some(Sender::Http2(sender)) => Some(Sender::Http2(sender.clone())),
                    Some(Sender::Http1(_)) | None => None,
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
}
