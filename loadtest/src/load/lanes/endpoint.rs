//! Where requests go, and how a connection there comes about.

use std::future::Future as _;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hyper::Uri;
use hyper::client::conn::{http1, http2};
use hyper::header::HeaderValue;
use hyper::http::uri::{Authority, Scheme};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

use super::super::scenario::{Protocol, Surface};
use super::spread::{Server, Spread};
use super::{Lane, Sender, Stream, Streams};

/// The window of an HTTP/2 connection and of its streams: never what limits a run.
const WINDOW_BYTES: u32 = 16 << 20;
/// How often it is looked whether a server of HTTP/2 has announced how many streams it allows.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Where requests go.
#[derive(Clone)]
pub(crate) struct Endpoint {
    authority: Authority,
    /// What stands before `/v1/…`, without a slash at its end.
    base: String,
    pub(super) spread: Spread,
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
        let (uri, authority, is_tls) = parts(url)?;
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
            base: base.strip_suffix("/v1").unwrap_or(base).to_owned(),
            authority,
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
    pub(super) async fn connect(&self) -> io::Result<Lane> {
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
                    // None until the server has announced its limit.
                    .initial_max_send_streams(0)
                    .handshake(io)
                    .await
                    .map_err(io::Error::other)?;
                let (told, mut allowed) = watch::channel(0);
                tokio::spawn(async move {
                    let mut connection = pin!(connection);
                    let mut look = tokio::time::interval(LOOK_EVERY);
                    let watched = std::future::poll_fn(|cx| {
                        let state = connection.as_mut().poll(cx);
                        let allowed = connection.current_max_send_streams();
                        // Settings do not wake it when they come; later ones are seen with the next request.
                        while allowed == 0 && look.poll_tick(cx).is_ready() {}
                        told.send_replace(allowed);
                        state
                    });
                    // Its end shows at the sender.
                    drop(watched.await);
                });
                let announced = allowed.wait_for(|streams| *streams > 0).await.map(drop);
                announced.map_err(io::Error::other)?;
                Ok(Sender::Http2(Stream {
                    sender,
                    streams: Streams {
                        in_use: Arc::default(),
                        allowed,
                    },
                    counts: false,
                }))
            }
        }
    }
}

/// Whether a server's URL is `http://host:port/base`, or the same with `https`.
///
/// # Errors
/// What is wrong with it.
pub fn check_url(url: &str) -> anyhow::Result<()> {
    parts(url).map(drop)
}

/// A URL with its authority, and whether that speaks TLS.
fn parts(url: &str) -> anyhow::Result<(Uri, Authority, bool)> {
    let expected = || format!("'{url}': expected http://host:port or https://host:port");
    let uri: Uri = url.parse().with_context(expected)?;
    let authority = uri.authority().with_context(expected)?.clone();
    let is_tls = uri.scheme() == Some(&Scheme::HTTPS);
    anyhow::ensure!(is_tls || uri.scheme() == Some(&Scheme::HTTP), expected());
    anyhow::ensure!(uri.query().is_none(), "'{url}': expected no query");
    Ok((uri, authority, is_tls))
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
