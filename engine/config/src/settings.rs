//! A valid configuration: what the gateway runs on. Every reference in it is resolved, every default filled in.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tollgate_cache::embed::{Embedder as _, Table};
use tollgate_cache::{Mode, Policy};
use tollgate_core::Secret;
use tollgate_governance::Keyring;
use tollgate_routing::Catalog;

use crate::PriceBook;
use crate::effective::{Written, effective};

/// A valid configuration.
#[derive(Debug)]
pub struct Settings {
    /// The listener for clients.
    pub server: Server,
    /// The listener for operators.
    pub admin: Admin,
    /// What is recorded of requests.
    pub telemetry: Telemetry,
    /// The cache of answers.
    pub cache: Cache,
    /// What names its model too late.
    pub passthrough: Passthrough,
    /// Providers, routes and targets.
    pub catalog: Catalog,
    /// The virtual keys; empty where `auth` is [`AuthMode::Anonymous`].
    pub keyring: Keyring,
    /// Whether clients must present a key.
    pub auth: AuthMode,
    /// What models cost, for targets that name no model.
    pub prices: Arc<PriceBook>,
    /// Tells configurations apart: 16 hex digits of the SHA-256 of what was read (the files, not the
    /// environment).
    pub hash: String,
    /// What is worth a look, and no reason to refuse the configuration.
    pub warnings: Vec<String>,
    /// What the file says, for [`Settings::effective`].
    pub(crate) written: Arc<Written>,
}

impl Settings {
    /// The configuration in force as a tree of JSON: sections and lists as in the file, and for each value
    /// `{"value": …, "origin": …}`; a value of `null` is none. The origin is one of
    ///
    /// - `FILE:LINE`;
    /// - `env:NAME`, or `env:NAME,NAME`: variables are in the value; `env`: made from the environment, where there
    ///   is no file;
    /// - `catalog`: the price catalogue;
    /// - `default`, also of what follows from other values.
    ///
    /// Secrets are `"***"`, and so is free text with a variable in it, which might be one. Built anew by each
    /// call, from what is kept without any secret: this is for people, not for requests.
    pub fn effective(&self) -> serde_json::Value {
        effective(self)
    }
}

/// The models of forms that name theirs too late. `None`: a header must name it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Passthrough {
    /// Of sound.
    pub audio_model: Option<Arc<str>>,
    /// Of pictures.
    pub image_model: Option<Arc<str>>,
}

/// Whether clients must present a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// They must.
    Keys,
    /// No keys are configured: everybody who reaches the listener may use it.
    Anonymous,
}

/// The listener for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Address and port. Port 0: any free one.
    pub listen: SocketAddr,
    /// The largest request body, decoded.
    pub body_limit_bytes: usize,
    /// The largest upload.
    pub upload_limit_bytes: usize,
    /// Worker threads; `None`: one per core.
    pub workers: Option<usize>,
    /// `None`: plain HTTP.
    pub tls: Option<Tls>,
    /// How long an idle client connection is kept.
    pub keep_alive: Duration,
    /// How long a client may take for the head of a request.
    pub client_request_timeout: Duration,
    /// What happens when the process is told to stop.
    pub drain: Drain,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate chain, PEM.
    pub cert_file: PathBuf,
    /// The private key, PEM.
    pub key_file: PathBuf,
}

/// The end of a process that is told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// How long to go on accepting while readiness already says no.
    pub delay: Duration,
    /// How long requests in flight may take to end.
    pub timeout: Duration,
}

/// The listener for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// Address and port. Port 0: any free one.
    pub listen: SocketAddr,
    /// The key that operators present; `None`: the address is the only door.
    pub key: Option<Secret>,
    /// Where changes made at run time are kept over a restart; `None`: nowhere.
    pub state_file: Option<PathBuf>,
}

/// What is recorded of requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Telemetry {
    /// Where the access log goes.
    pub access_log: AccessLog,
    /// How routing decisions are kept.
    pub decisions: Decisions,
}

/// How routing decisions are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Decisions {
    /// So many of the last ones in memory, per worker.
    pub keep: usize,
    /// A file to which they are written; `None`: none.
    pub journal: Option<PathBuf>,
    /// The share that is written there, `0.0..=1.0`.
    pub sample: f32,
}

/// The cache of answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Cache {
    /// What entries may take of memory, all together.
    pub max_bytes: usize,
    /// The largest answer that is kept.
    pub max_entry_bytes: usize,
    /// Where entries survive a restart; `None`: they do not.
    pub directory: Option<PathBuf>,
    /// Who finds neighbours beside the table in the binary; `None`: nobody.
    pub embedder: Option<Embedder>,
    /// How answers are kept where a route does not say otherwise.
    pub(crate) common: Policy,
    /// By the names of routes.
    pub(crate) policies: HashMap<Arc<str>, Policy>,
}

/// Who finds neighbours beside the table in the binary.
#[derive(Debug, Clone)]
pub enum Embedder {
    /// A model that was read from disk.
    Directory {
        /// Where it was.
        path: PathBuf,
        /// The model.
        table: Arc<Table>,
    },
    /// An endpoint of a provider.
    Endpoint(EmbeddingEndpoint),
}

/// An OpenAI-compatible embeddings endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddingEndpoint {
    /// The provider's name in the file.
    pub provider: Arc<str>,
    /// Where it was when this was read: the same name elsewhere is another space.
    pub base_url: Uri,
    /// The model asked for there.
    pub model: Arc<str>,
    /// How many dimensions are asked for; `None`: the model's own.
    pub dimensions: Option<usize>,
    /// How long a question waits for its vector.
    pub timeout: Duration,
    /// Calls at once, of all workers together.
    pub max_in_flight: usize,
}

impl EmbeddingEndpoint {
    /// The name of its space of meanings: whenever the same text could get another vector, it is another one.
    pub fn id(&self) -> String {
        let Self {
            base_url,
            model,
            dimensions,
            ..
        } = self;
        let dimensions = dimensions.map(|it| format!("-{it}")).unwrap_or_default();
        format!("{base_url} {model}{dimensions}")
    }
}

/// A model is told by what is in its files.
impl PartialEq for Embedder {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Directory { table, .. }, Self::Directory { table: other, .. }) => table.id() == other.id(),
            (Self::Endpoint(endpoint), Self::Endpoint(other)) => endpoint == other,
            _ => false,
        }
    }
}

impl Cache {
    /// How the answers of the route of this name are kept.
    pub fn policy(&self, route: &str) -> &Policy {
        self.policies.get(route).unwrap_or(&self.common)
    }

    /// Whether answers of any route are kept.
    pub fn is_used(&self) -> bool {
        self.policies().any(|policy| policy.mode != Mode::Off)
    }

    /// Whether those of any route are given to other questions that mean the same.
    pub fn is_semantic(&self) -> bool {
        self.policies().any(|policy| policy.mode.is_semantic())
    }

    fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.policies.values().chain([&self.common])
    }
}

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLog {
    /// Standard output.
    Stdout,
    /// Nowhere.
    Off,
    /// A file, appended to.
    File(PathBuf),
}
