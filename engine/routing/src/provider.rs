//! A provider: an endpoint with its credentials, its clocks and the way to talk to it.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use tollgate_core::{ProviderKind, Secret, fnv1a};

use crate::{Board, BreakerSettings, HealthSettings, Identity, OutcomeRing};

/// An endpoint with credentials.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its name in the config file: unique, the first half of `provider/model`.
    pub name: Arc<str>,
    /// Which presets and quirks apply.
    pub kind: ProviderKind,
    /// Scheme, host, port and base path, without a trailing slash: `https://api.openai.com/v1`.
    pub base_url: Uri,
    /// Azure's `api-version`, for deployment URLs; `None` elsewhere and for Azure's `/openai/v1`.
    pub api_version: Option<Arc<str>>,
    /// How a credential is sent.
    pub auth: Auth,
    /// The credentials, used in turn by weight. May be empty where `auth` is [`Auth::None`].
    pub credentials: Vec<Credential>,
    /// Headers sent with every request, after those of the dialect.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The clocks of an exchange.
    pub timeouts: Timeouts,
    /// The protocol towards the provider.
    pub http: HttpVersion,
    /// Connections kept open per worker; the oldest idle one goes first.
    pub max_idle_connections: usize,
    /// Concurrent streams on one HTTP/2 connection before another is opened.
    pub max_streams_per_connection: usize,
    /// Where it is, in the operator's words; `None`: nobody said.
    pub region: Option<Arc<str>>,
    /// How its health is measured.
    pub health: HealthSettings,
    /// When its breakers trip.
    pub breaker: BreakerSettings,
    /// How it is asked for signs of life; `None`: not at all, only requests tell.
    pub probe: Option<Probe>,
    /// Where outcomes are posted.
    pub outcomes: Arc<OutcomeRing>,
}

/// Asking a provider for signs of life, without a model and without a price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// How often.
    pub interval: Duration,
    /// The path that is fetched with GET, below the base URL: `/models`.
    pub path: Arc<str>,
    /// How long it may take.
    pub timeout: Duration,
}

/// How a credential is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer KEY`
    Bearer,
    /// `x-api-key: KEY` (Anthropic)
    XApiKey,
    /// `api-key: KEY` (Azure)
    ApiKey,
    /// `x-goog-api-key: KEY`
    XGoogApiKey,
    /// Requests are signed with the keys of an AWS identity (Signature Version 4).
    Aws,
    /// `Authorization: Bearer TOKEN`, an access token of a Google identity.
    Google,
    /// Nothing is sent.
    None,
}

impl Auth {
    /// The name in the config file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::XApiKey => "x-api-key",
            Self::ApiKey => "api-key",
            Self::XGoogApiKey => "x-goog-api-key",
            Self::Aws => "aws",
            Self::Google => "google",
            Self::None => "none",
        }
    }
}

/// What a credential consists of.
#[derive(Debug, Clone)]
pub enum Proof {
    /// A key, as it is written in the config file.
    Key(Secret),
    /// An identity at a cloud, which gives out keys for a while.
    Identity(Arc<Identity>),
}

impl Proof {
    /// Tells one proof from another of the same name. Of an identity it is about who it is, not about its key of the
    /// moment.
    pub fn fingerprint(&self) -> u64 {
        match self {
            Self::Key(secret) => fnv1a(secret.expose().bytes()),
            Self::Identity(identity) => identity.fingerprint(),
        }
    }
}

/// One of a provider's keys, or its identity.
#[derive(Debug, Clone)]
pub struct Credential {
    /// A name for logs; never the key.
    pub name: Arc<str>,
    /// What it shows.
    pub proof: Proof,
    /// Its share among the provider's credentials; 0 takes it out of use.
    pub weight: u32,
}

/// The separate clocks of an exchange with a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP, TLS and proxy handshakes together.
    pub connect: Duration,
    /// From the request's last byte to the answer's first body byte (its head, where the body is empty).
    pub first_byte: Duration,
    /// From the request's last byte to the first content of a stream; at least `first_byte`.
    pub first_token: Duration,
    /// Between two chunks of an answer.
    pub idle: Duration,
    /// The whole exchange.
    pub total: Duration,
}

/// The protocol towards a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HttpVersion {
    /// HTTP/1.1: a connection carries one exchange at a time.
    #[default]
    Http1,
    /// HTTP/2 (by ALPN over TLS, with prior knowledge over plain TCP): several connections where one is full.
    Http2,
}

impl Provider {
    /// A provider as it is where nothing is said of it: no credentials, no probes, the usual limits.
    pub fn new(name: &str, kind: ProviderKind, base_url: Uri, board: &Board) -> Self {
        Self {
            name: name.into(),
            kind,
            base_url,
            api_version: None,
            auth: Auth::None,
            credentials: Vec::new(),
            headers: Vec::new(),
            timeouts: Timeouts::default(),
            http: HttpVersion::default(),
            max_idle_connections: 64,
            max_streams_per_connection: 100,
            region: None,
            health: HealthSettings::default(),
            breaker: BreakerSettings::default(),
            probe: None,
            outcomes: board.outcomes(name),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(120),
            first_token: Duration::from_secs(120),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(600),
        }
    }
}
