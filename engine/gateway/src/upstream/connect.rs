//! Opening connections: DNS, TCP, TLS, and the proxy that the environment names.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::{HeaderValue, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tollgate_routing::{HttpVersion, Provider};
use tollgate_telemetry::{Meters, UpstreamMeters};
use tower_service::Service;

use super::error::{BoxError, ConnectError};

/// Idle connections are closed after this long: below the idle limits of the usual front ends.
pub(super) const IDLE_FOR: Duration = Duration::from_secs(55);

/// A connection, plain or TLS.
pub(crate) type Io = MaybeHttpsStream<TokioIo<TcpStream>>;

/// The roots to trust: those of the system (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured), else Mozilla's as
/// compiled in. Read once per process, when first needed.
static TLS: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Arc::new(
        ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
});

/// How a TLS client of this process verifies its peer.
pub(crate) fn trusted() -> ClientConfig {
    (**TLS).clone()
}

/// Opens connections to providers.
pub(crate) struct Connector {
    tcp: HttpConnector,
    proxies: Arc<Matcher>,
    meters: Meters,
}

/// A connection, and what a request on it must know.
pub(crate) struct Connected {
    /// The byte stream.
    pub(crate) io: Io,
    /// Counts it as open; to be kept with it.
    pub(crate) open: Open,
    /// Set where requests go to a plain HTTP proxy: in absolute form, with this authorization.
    pub(crate) via: Option<Via>,
}

/// A connection that is counted as open until this is dropped.
pub(crate) struct Open(UpstreamMeters);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.closed();
    }
}

/// A plain HTTP proxy that forwards requests.
#[derive(Debug, Clone)]
pub(crate) struct Via {
    /// `proxy-authorization`, where the proxy's URI carries a user.
    pub(crate) authorization: Option<HeaderValue>,
}

impl Connector {
    /// Takes `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` (in either case) from the environment.
    pub(crate) fn from_env(meters: Meters) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        Self {
            tcp,
            proxies: Arc::new(Matcher::from_env()),
            meters,
        }
    }

    /// Reads the system's certificates ahead of the first TLS connection, which would wait for it otherwise.
    pub(crate) fn warm_up() {
        LazyLock::force(&TLS);
    }

    /// Opens a connection to `uri`'s origin within the provider's connect timeout.
    pub(crate) async fn connect(&self, provider: &Provider, uri: &Uri) -> Result<Connected, ConnectError> {
        let limit = provider.timeouts.connect;
        let meters = self.meters.upstream(&provider.name);
        let failed = match tokio::time::timeout(limit, self.open(uri, provider.http)).await {
            Ok(Ok((io, via))) => {
                meters.connected();
                return Ok(Connected {
                    io,
                    open: Open(meters),
                    via,
                });
            }
            Ok(Err(source)) => ConnectError::failed(source),
            Err(_) => ConnectError::Timeout(limit),
        };
        meters.failed();
        Err(failed)
    }

    /// Opens a connection of HTTP/1.1 to somebody who is no provider, within `limit`. What is on this machine or its
    /// link (a cloud's metadata service) is never looked for behind a proxy.
    pub(super) async fn dial(&self, uri: &Uri, limit: Duration) -> Result<(Io, Option<Via>), ConnectError> {
        let opened = async {
            if is_at_hand(uri) {
                return tls(self.tcp.clone(), HttpVersion::Http1)
                    .call(uri.clone())
                    .await
                    .map(|io| (io, None));
            }
            self.open(uri, HttpVersion::Http1).await
        };
        match tokio::time::timeout(limit, opened).await {
            Ok(opened) => opened.map_err(ConnectError::failed),
            Err(_) => Err(ConnectError::Timeout(limit)),
        }
    }

    async fn open(&self, uri: &Uri, version: HttpVersion) -> Result<(Io, Option<Via>), BoxError> {
        let mut tcp = self.tcp.clone();
        let direct = |io| (io, None);
        let Some(proxy) = self.proxies.intercept(uri) else {
            if uri.scheme_str() == Some("http") {
                return Ok((MaybeHttpsStream::Http(tcp.call(uri.clone()).await?), None));
            }
            return tls(tcp, version).call(uri.clone()).await.map(direct);
        };
        if matches!(proxy.uri().scheme_str(), Some("socks5" | "socks5h" | "socks")) {
            return tls(socks(tcp, &proxy), version)
                .call(uri.clone())
                .await
                .map(direct);
        }
        if uri.scheme_str() == Some("https") {
            return tls(tunnel(tcp, &proxy), version)
                .call(uri.clone())
                .await
                .map(direct);
        }
        let io = tls(tcp, HttpVersion::Http1).call(proxy.uri().clone()).await?;
        Ok((
            io,
            Some(Via {
                authorization: proxy.basic_auth().cloned(),
            }),
        ))
    }
}

fn is_at_hand(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        Err(_) => host == "localhost" || host == "metadata.google.internal",
    }
}

fn tls<C>(tcp: C, version: HttpVersion) -> HttpsConnector<C> {
    let builder = HttpsConnectorBuilder::new()
        .with_tls_config((**TLS).clone())
        .https_or_http();
    match version {
        HttpVersion::Http1 => builder.enable_http1().wrap_connector(tcp),
        HttpVersion::Http2 => builder.enable_http2().wrap_connector(tcp),
    }
}

fn tunnel(tcp: HttpConnector, proxy: &Intercept) -> Tunnel<HttpConnector> {
    let tunnel = Tunnel::new(proxy.uri().clone(), tcp);
    match proxy.basic_auth() {
        Some(authorization) => tunnel.with_auth(authorization.clone()),
        None => tunnel,
    }
}

fn socks(tcp: HttpConnector, proxy: &Intercept) -> SocksV5<HttpConnector> {
    let socks = SocksV5::new(proxy.uri().clone(), tcp);
    match proxy.raw_auth() {
        Some((user, password)) => socks.with_auth(user.to_owned(), password.to_owned()),
        None => socks,
    }
}
