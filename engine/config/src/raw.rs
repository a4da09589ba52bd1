//! The config file as it is written: the one place that names its keys.
//!
//! From these types come the JSON Schema (by which files are checked), the reference and, by serde, what
//! [`resolve`](crate::resolve) reads. Doc comments here are what users read.
//!
//! Everything is optional to serde, also what the schema requires: a value with a problem is withdrawn after
//! the problem is reported, and the checks go on with the rest.

mod cache;
mod clouds;
mod passthrough;
mod text;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use cache::{Cache, CachePolicy, Embedder};
pub(crate) use clouds::{Aws, Google};
pub(crate) use passthrough::Passthrough;
pub(crate) use text::{
    AuthText, CapabilityText, DurationText, HedgeAfterText, HttpText, KindText, MoneyText,
    OnNoCandidatesText, SecretText, ShareText, SizeText, StrategyText,
};

/// The configuration of Tollgate: one YAML file.
///
/// In any text, `${NAME}` stands for an environment variable and `${NAME:-default}` for a variable with a default; `$$` stands for a single `$`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Tollgate configuration", rename = "Config")]
pub(crate) struct Config {
    /// Where answers come from, by a name of your choice: letters, digits, `.`, `_` and `-`.
    #[schemars(required, extend("minProperties" = 1))]
    pub providers: Option<BTreeMap<String, Provider>>,
    /// The model names that clients may ask for. One `*` stands for any text: `local/*`. Without any, each provider is reached as `PROVIDER/*`.
    pub models: Option<BTreeMap<String, Model>>,
    /// Another word for `models`; if both are given, they are merged.
    pub routes: Option<BTreeMap<String, Model>>,
    /// The keys that clients present. Without any, everybody who reaches the listener may use it, so it must be a loopback address.
    pub keys: Option<Vec<Key>>,
    /// The listener for clients.
    pub server: Option<Server>,
    /// The listener for operators: `/metrics`, health, status, reload.
    pub admin: Option<Admin>,
    /// What is recorded of requests.
    pub telemetry: Option<Telemetry>,
    /// The price catalogue.
    pub prices: Option<Prices>,
    /// How health is measured, where a provider does not say otherwise.
    pub health: Option<Health>,
    /// When circuit breakers trip, where a provider does not say otherwise.
    pub breaker: Option<Breaker>,
    /// The cache of answers. Default: nothing is cached.
    pub cache: Option<Cache>,
    /// Endpoints that name no model, or name it too late. Default: those without a model are closed.
    pub passthrough: Option<Passthrough>,
}

/// An endpoint with credentials.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Provider {
    /// Which API it speaks, and which presets apply. `openai` with a `base_url` is any compatible server.
    #[schemars(required)]
    pub kind: Option<KindText>,
    /// Where it is: up to and including `/v1` for OpenAI-compatible servers. Default: the kind's own address; required for `azure`. For `bedrock`, `vertex` and `vertex-anthropic`, `region` (and `project`) tell it.
    pub base_url: Option<String>,
    /// Its key, usually `${SOME_VARIABLE}`. Not needed where the host is on this machine or a private network.
    pub api_key: Option<SecretText>,
    /// Several keys, used in turn by weight; instead of `api_key`.
    #[schemars(extend("minItems" = 1))]
    pub api_keys: Option<Vec<ApiKey>>,
    /// The Google Cloud project, for kinds `vertex` and `vertex-anthropic`: with `region` it tells the address.
    pub project: Option<String>,
    /// Azure's `api-version`, for deployment URLs. Without it, Azure's `/openai/v1` is used.
    pub api_version: Option<String>,
    /// How the key is sent; or, instead of a key: `aws` (requests are signed) or `google` (access tokens), with an identity from where the cloud's own tools look for one. Default: as the kind expects it.
    pub auth: Option<AuthText>,
    /// The identity at AWS whose keys sign requests, where it is not the one that AWS's own tools would find.
    pub aws: Option<Aws>,
    /// The identity at Google whose access tokens are sent, where it is not the one that Google's own tools would find.
    pub google: Option<Google>,
    /// Headers sent with every request.
    pub headers: Option<BTreeMap<String, SecretText>>,
    /// How long each part of an exchange may take.
    pub timeouts: Option<Timeouts>,
    /// The protocol towards the provider.
    #[schemars(extend("default" = "http1"))]
    pub http: Option<HttpText>,
    /// Idle connections kept open, per worker.
    #[schemars(range(max = 10_000), extend("default" = 64))]
    pub max_idle_connections: Option<usize>,
    /// Concurrent streams on one HTTP/2 connection before another is opened.
    #[schemars(range(min = 1, max = 10_000), extend("default" = 100))]
    pub max_streams_per_connection: Option<usize>,
    /// Where it is, in your words: `eu`, `us-east`; for `bedrock`, `vertex` and `vertex-anthropic` in theirs, where no `base_url` is given: `us-east-1`. Compared with the `regions` of models, keys and requests.
    pub region: Option<String>,
    /// How its health is measured. Default: as in `health` at the top.
    pub health: Option<Health>,
    /// When its circuit breakers trip. Default: as in `breaker` at the top.
    pub breaker: Option<Breaker>,
    /// Asks for signs of life, without a model and without a price. Default: only requests tell.
    pub probe: Option<Probe>,
}

/// How health is measured.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Health {
    /// The time constant with which estimates of latency follow better times; worse ones are believed at once.
    #[schemars(extend("default" = "5s"))]
    pub decay: Option<DurationText>,
    /// The width of the window in which failures are counted.
    #[schemars(extend("default" = "10s"))]
    pub window: Option<DurationText>,
    /// A first token (a whole answer, where it is no stream) later than this counts as slow. Default: nothing does.
    pub slow_after: Option<DurationText>,
}

/// When a circuit breaker trips, and how it closes again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Breaker {
    /// Whether there is one: `false` never trips.
    #[schemars(extend("default" = true))]
    pub enabled: Option<bool>,
    /// So many failures in a row open it; 0: no number does.
    #[schemars(range(max = 1_000_000), extend("default" = 5))]
    pub consecutive_failures: Option<u32>,
    /// This share of failures in the window opens it.
    #[schemars(extend("default" = "50%"))]
    pub error_ratio: Option<ShareText>,
    /// Fewer requests in the window say nothing about a ratio.
    #[schemars(range(min = 1, max = 1_000_000), extend("default" = 20))]
    pub min_requests: Option<u32>,
    /// The width of the window.
    #[schemars(extend("default" = "10s"))]
    pub window: Option<DurationText>,
    /// An answer later than this counts as slow. Default: none does.
    pub slow_after: Option<DurationText>,
    /// This share of slow answers in the window opens it.
    #[schemars(extend("default" = "80%"))]
    pub slow_ratio: Option<ShareText>,
    /// How long it stays open the first time; twice as long each time it fails to close.
    #[schemars(extend("default" = "5s"))]
    pub open_for: Option<DurationText>,
    /// And no longer than this.
    #[schemars(extend("default" = "15s"))]
    pub max_open_for: Option<DurationText>,
    /// Times are varied by up to this share, so that many gateways do not probe at once.
    #[schemars(extend("default" = "20%"))]
    pub jitter: Option<ShareText>,
    /// Requests let through while half-open; all of them must go well.
    #[schemars(range(min = 1, max = 255), extend("default" = 3))]
    pub half_open_probes: Option<u8>,
    /// How long the share of requests takes to rise from a tenth to all after that.
    #[schemars(extend("default" = "5s"))]
    pub ramp: Option<DurationText>,
}

/// Asking a provider for signs of life.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Probe {
    /// How often.
    #[schemars(extend("default" = "10s"))]
    pub interval: Option<DurationText>,
    /// What is fetched with GET, below the base URL: something that costs nothing.
    #[schemars(extend("default" = "/models"))]
    pub path: Option<String>,
    /// How long it may take.
    #[schemars(extend("default" = "2s"))]
    pub timeout: Option<DurationText>,
}

/// One of a provider's keys.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiKey {
    /// A name for logs. Default: `key-1`, `key-2` and so on.
    pub name: Option<String>,
    /// The key.
    #[schemars(required)]
    pub key: Option<SecretText>,
    /// Its share among the provider's keys; 0 takes it out of use.
    #[schemars(range(max = 1_000_000), extend("default" = 1))]
    pub weight: Option<u32>,
}

/// The separate clocks of an exchange with a provider.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Timeouts {
    /// TCP, TLS and proxy handshakes together.
    #[schemars(extend("default" = "5s"))]
    pub connect: Option<DurationText>,
    /// Until the answer's first byte.
    #[schemars(extend("default" = "120s"))]
    pub first_byte: Option<DurationText>,
    /// Until the first content of a stream. Default: as `first_byte`, which it may not be below.
    pub first_token: Option<DurationText>,
    /// Between two chunks of an answer.
    #[schemars(extend("default" = "60s"))]
    pub idle: Option<DurationText>,
    /// The whole exchange.
    #[schemars(extend("default" = "600s"))]
    pub total: Option<DurationText>,
}

/// A model name that clients may ask for, and who answers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    /// Who may answer.
    #[schemars(required, extend("minItems" = 1))]
    pub targets: Option<Vec<Target>>,
    /// Models to go to, in this order, when all targets have failed: names of this file.
    pub fallbacks: Option<Vec<Option<String>>>,
    /// Whether a request that cannot be carried to a target in full is refused instead of trimmed.
    #[schemars(extend("default" = false))]
    pub strict: Option<bool>,
    /// Attempts at most, over all targets, their providers' credentials, and fallbacks.
    #[schemars(range(min = 1, max = 100), extend("default" = 8))]
    pub max_attempts: Option<usize>,
    /// Further names for the same model.
    pub aliases: Option<Vec<Option<String>>>,
    /// What decides among targets of the same priority: their `weight` (`weighted`), or cost, latency and availability as measured (`scored`). Default: `scored` where `weights` are given, else `weighted`.
    pub strategy: Option<StrategyText>,
    /// How much each term of a score counts.
    pub weights: Option<Weights>,
    /// Targets whose score is within this of the best one's share the requests (scored only).
    #[schemars(extend("default" = "15%"))]
    pub near_best: Option<ShareText>,
    /// The share of requests that may go to a target of which nothing has been heard for a second (scored only).
    #[schemars(extend("default" = "1%"))]
    pub explore: Option<ShareText>,
    /// What to do when no target is healthy: ask the best of them all the same, or refuse.
    #[schemars(extend("default" = "try_anyway"))]
    pub on_no_candidates: Option<OnNoCandidatesText>,
    /// Whether the requests of a session stay with a target.
    #[schemars(extend("default" = false))]
    pub sticky: Option<bool>,
    /// Time for a request, over all of its attempts: until the answer is complete, or a stream begins. Default: no limit but the providers' timeouts.
    pub deadline: Option<DurationText>,
    /// What a request may cost at the worst case, over all of its attempts: `"$0.25"`. Default: no limit.
    pub max_cost: Option<MoneyText>,
    /// How long to wait at most for a provider that says when to come back, when everybody else has failed.
    #[schemars(extend("default" = "1s"))]
    pub max_retry_wait: Option<DurationText>,
    /// Further attempts that the requests of this model may make together.
    pub retry_budget: Option<RetryBudget>,
    /// A second request to another target when the first one is late. Default: never.
    pub hedge: Option<Hedge>,
    /// Whether a stream that breaks is continued by another target.
    #[schemars(extend("default" = false))]
    pub continue_streams: Option<bool>,
    /// Where answers may come from: `region`s of providers. Default: anywhere.
    #[schemars(extend("minItems" = 1))]
    pub regions: Option<Vec<Option<String>>>,
    /// How its answers are kept. Default: as in `cache.policy` at the top.
    pub cache: Option<CachePolicy>,
}

/// How much each term of a score counts: twice the price is made up for by half the time, where both count the same.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Weights {
    /// The expected price of the answer.
    #[schemars(range(min = 0, max = 1_000_000), extend("default" = 1))]
    pub cost: Option<f32>,
    /// The predicted time to it.
    #[schemars(range(min = 0, max = 1_000_000), extend("default" = 1))]
    pub latency: Option<f32>,
    /// The share of requests that fail.
    #[schemars(range(min = 0, max = 1_000_000), extend("default" = 1))]
    pub availability: Option<f32>,
}

/// Further attempts, so that an outage does not become a storm.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetryBudget {
    /// Further attempts per request, in the long run.
    #[schemars(extend("default" = "50%"))]
    pub ratio: Option<ShareText>,
    /// Further attempts a second that are allowed however few requests there are.
    #[schemars(range(min = 0, max = 1_000_000), extend("default" = 50))]
    pub per_second: Option<f32>,
}

/// A second request to another target when the first one is late. The first answer wins.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hedge {
    /// How long the first one may take: a span of time, or `p95`, its own 95th percentile as measured.
    #[schemars(extend("default" = "p95"))]
    pub after: Option<HedgeAfterText>,
    /// Hedges per request at most, in the long run.
    #[schemars(extend("default" = "5%"))]
    pub max_ratio: Option<ShareText>,
    /// What one hedge may cost at the worst case. Default: no limit.
    pub max_cost: Option<MoneyText>,
}

/// A provider's model.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    /// A name from `providers`.
    #[schemars(required)]
    pub provider: Option<String>,
    /// The model's name there. Default: the name that was asked for; in a name with `*`, what the `*` stands for.
    pub model: Option<String>,
    /// Its share among the targets of the same priority; 0 takes it out of use.
    #[schemars(range(max = 1_000_000), extend("default" = 1))]
    pub weight: Option<u32>,
    /// Lower is tried first.
    #[schemars(range(max = 1_000_000), extend("default" = 0))]
    pub priority: Option<u32>,
    /// What it costs. Default: from the price catalogue.
    pub price: Option<Price>,
    /// Prompt tokens at most. Default: from the price catalogue.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub context_tokens: Option<u32>,
    /// Answer tokens at most. Default: from the price catalogue.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub max_output_tokens: Option<u32>,
    /// What it can do. Default: from the catalogue; what that does not know is held against nobody.
    pub capabilities: Option<Vec<Option<CapabilityText>>>,
    /// Makes it a canary: this share of the requests goes there first, the others only when everybody else has failed.
    pub canary: Option<ShareText>,
}

/// Prices in US dollars per million tokens, e.g. `"$0.15"`; those of other things in dollars for one.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Price {
    /// Prompt tokens.
    #[schemars(required)]
    pub input: Option<MoneyText>,
    /// Answer tokens.
    #[schemars(required)]
    pub output: Option<MoneyText>,
    /// Cached prompt tokens. Default: as `input`.
    pub cache_read: Option<MoneyText>,
    /// Prompt tokens written to a cache. Default: as `input`.
    pub cache_write: Option<MoneyText>,
    /// Prompt tokens written to a cache for an hour. Default: as `cache_write`.
    pub cache_write_1h: Option<MoneyText>,
    /// Reasoning tokens. Default: as `output`.
    pub reasoning: Option<MoneyText>,
    /// Audio in the prompt. Default: as `input`.
    pub audio_input: Option<MoneyText>,
    /// Audio in the answer. Default: as `output`.
    pub audio_output: Option<MoneyText>,
    /// A search, of models that rerank. Default: not known, and then neither is the cost.
    pub per_search: Option<MoneyText>,
    /// A picture, where the provider counts no tokens. Default: not known, and then neither is the cost.
    pub per_image: Option<MoneyText>,
    /// A minute of sound, where the provider counts no tokens. Default: not known, and then neither is the cost.
    pub per_minute: Option<MoneyText>,
}

/// A key that clients present.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_field_names,
    reason = "fields are named as the keys of the file"
)]
pub(crate) struct Key {
    /// Its name in logs and metrics.
    #[schemars(required)]
    pub name: Option<String>,
    /// The key: 8 characters at least, usually `${SOME_VARIABLE}`.
    pub key: Option<SecretText>,
    /// Instead of `key`: its SHA-256, 64 hex digits (`printf %s KEY | sha256sum`).
    pub key_hash: Option<SecretText>,
    /// The models it may use and list: names as clients ask for them, `*` for any text.
    #[schemars(extend("minItems" = 1, "default" = ["*"]))]
    pub models: Option<Vec<Option<String>>>,
    /// From when on it is refused: `2027-01-31` or `2027-01-31T12:00:00Z`. Default: never.
    pub expires_at: Option<String>,
    /// Where its answers may come from: `region`s of providers. Default: anywhere.
    #[schemars(extend("minItems" = 1))]
    pub regions: Option<Vec<Option<String>>>,
    /// The targets that may answer it, as `provider/model`, `*` for any text. Default: all.
    #[schemars(extend("minItems" = 1))]
    pub targets: Option<Vec<Option<String>>>,
    /// What one of its requests may cost at the worst case: `"$0.50"`. Default: no limit.
    pub max_cost: Option<MoneyText>,
}

/// The listener for clients.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    /// Address and port. Default: `0.0.0.0:8080` with keys, `127.0.0.1:8080` without.
    pub listen: Option<String>,
    /// Lets everybody in who reaches the listener, although it is not a loopback address and there are no keys.
    #[schemars(extend("default" = false))]
    pub allow_anonymous: Option<bool>,
    /// The largest request body.
    #[schemars(extend("default" = "32MiB"))]
    pub body_limit: Option<SizeText>,
    /// The largest upload: a form or a file, which is passed on as it comes.
    #[schemars(extend("default" = "512MiB"))]
    pub upload_limit: Option<SizeText>,
    /// Worker threads. Default: one per core.
    #[schemars(range(min = 1, max = 1024))]
    pub workers: Option<usize>,
    /// Serve TLS instead of plain HTTP.
    pub tls: Option<Tls>,
    /// How long an idle client connection is kept.
    #[schemars(extend("default" = "75s"))]
    pub keep_alive: Option<DurationText>,
    /// How long a client may take for the head of a request.
    #[schemars(extend("default" = "10s"))]
    pub client_request_timeout: Option<DurationText>,
    /// What happens on SIGTERM.
    pub drain: Option<Drain>,
}

/// A certificate. Paths are relative to the config file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    /// The certificate chain, PEM.
    #[schemars(required)]
    pub cert_file: Option<String>,
    /// The private key, PEM.
    #[schemars(required)]
    pub key_file: Option<String>,
}

/// The end of a process that is told to stop.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Drain {
    /// How long to go on accepting while readiness already says no, so that load balancers notice.
    #[schemars(extend("default" = "0s"))]
    pub delay: Option<DurationText>,
    /// How long requests in flight may take to end.
    #[schemars(extend("default" = "30s"))]
    pub timeout: Option<DurationText>,
}

/// The listener for operators.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Admin {
    /// Address and port.
    #[schemars(extend("default" = "127.0.0.1:8081"))]
    pub listen: Option<String>,
    /// The key that operators present. Without one, the listener must be a loopback address.
    pub key: Option<SecretText>,
    /// The file in which changes made at run time are kept over a restart (relative to the config file). Default: they are lost then.
    pub state: Option<String>,
}

/// What is recorded of requests.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Telemetry {
    /// Where the access log goes, one JSON object a line: `stdout`, `off`, or the path of a file (relative to the config file).
    #[schemars(extend("default" = "stdout"))]
    pub access_log: Option<String>,
    /// How routing decisions are kept, to be explained and replayed. Prompts are not in them.
    pub decisions: Option<Decisions>,
}

/// How routing decisions are kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decisions {
    /// So many of the last ones in memory, per worker; 0: none.
    #[schemars(range(max = 100_000), extend("default" = 1024))]
    pub keep: Option<usize>,
    /// A file to which they are written, one JSON object a line (relative to the config file). Default: none.
    pub journal: Option<String>,
    /// The share of them that is written there.
    #[schemars(extend("default" = "1%"))]
    pub sample: Option<ShareText>,
}

/// The price catalogue.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prices {
    /// A file with newer prices, in the form of the catalogue that is shipped (relative to the config file). Its entries replace those shipped.
    pub file: Option<String>,
}
