//! The table of all metrics: name, kind, unit, labels, meaning. `gen_ai_*` are those of the OpenTelemetry
//! conventions for generative AI, `tollgate_*` what these lack. docs/reference/metrics.md is made from it.
//!
//! Label values are bounded: names from the configuration, enumerations, or texts that went through a
//! [`super::family::Names`]. Histograms have 16 buckets at most, the last one included.

/// A metric.
#[derive(Debug)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The labels, in the order in which their values are given.
    pub(crate) labels: &'static [&'static str],
    pub(crate) help: &'static str,
}

/// What a metric does.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Only rises.
    Counter,
    /// Is set.
    Gauge,
    /// Counts values up to each of these bounds.
    Histogram(&'static [f64]),
}

impl Metric {
    const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self {
            name,
            kind: Kind::Counter,
            labels,
            help,
        }
    }

    const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self {
            name,
            kind: Kind::Gauge,
            labels,
            help,
        }
    }

    const fn histogram(
        name: &'static str,
        bounds: &'static [f64],
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self {
            name,
            kind: Kind::Histogram(bounds),
            labels,
            help,
        }
    }
}

/// Powers of four: prompts differ by orders of magnitude. (The conventions' own advice.)
const TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// Powers of two from 10 ms. (The conventions' own advice.)
const OPERATION: &[f64] = &[
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];

/// Dense between 100 ms and 3 s, where providers differ; up to a minute, for models that think first.
const FIRST_TOKEN: &[f64] = &[
    0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// From 1,000 tokens a second to one in 2.5 s.
const PER_TOKEN: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5,
];

/// From 5 µs: this is the gateway's own work.
const OVERHEAD: &[f64] = &[
    0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05,
    0.1, 0.5,
];

/// Around what a small model takes that is near.
const CALLS: &[f64] = &[
    0.001, 0.002_5, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5,
];

/// Up to the most attempts that a route may make.
const ATTEMPT_COUNTS: &[f64] = &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];

/// What a circuit breaker can be.
pub(crate) const BREAKER_STATES: [&str; 6] = [
    "closed",
    "open",
    "half_open",
    "forced_open",
    "forced_closed",
    "drained",
];

/// The labels of the conventions for a target.
const GEN_AI: &[&str] = &[
    "gen_ai_operation_name",
    "gen_ai_provider_name",
    "gen_ai_request_model",
];

pub(crate) const TOKEN_USAGE: Metric = Metric::histogram(
    "gen_ai_client_token_usage",
    TOKENS,
    &[
        "gen_ai_operation_name",
        "gen_ai_provider_name",
        "gen_ai_request_model",
        "gen_ai_response_model",
        "gen_ai_token_type",
    ],
    "Tokens of a request, by type: input (all of the prompt) or output (all of the answer).",
);
pub(crate) const OPERATION_DURATION: Metric = Metric::histogram(
    "gen_ai_client_operation_duration_seconds",
    OPERATION,
    &[
        "gen_ai_operation_name",
        "gen_ai_provider_name",
        "gen_ai_request_model",
        "error_type",
    ],
    "From a request's arrival to the end of its answer, failed attempts included. `error_type` is empty where it went well.",
);
pub(crate) const TIME_TO_FIRST_TOKEN: Metric = Metric::histogram(
    "gen_ai_server_time_to_first_token_seconds",
    FIRST_TOKEN,
    GEN_AI,
    "From sending the serving attempt to the first content of its stream.",
);
pub(crate) const TIME_PER_OUTPUT_TOKEN: Metric = Metric::histogram(
    "gen_ai_server_time_per_output_token_seconds",
    PER_TOKEN,
    GEN_AI,
    "Mean time between two tokens of a stream, after the first.",
);
pub(crate) const REQUESTS: Metric = Metric::counter(
    "tollgate_requests_total",
    &["route", "surface", "code", "outcome"],
    "Requests, by what the client got. `route` and `surface` are empty where a request was refused before they were known, and of feedback on the cache.",
);
pub(crate) const REFUSALS: Metric = Metric::counter(
    "tollgate_refusals_total",
    &["kind"],
    "Requests to which the gateway itself said no, by the reason.",
);
pub(crate) const INFLIGHT: Metric = Metric::gauge(
    "tollgate_inflight_requests",
    &[],
    "Requests that have arrived and are not settled.",
);
pub(crate) const OVERHEAD_SECONDS: Metric = Metric::histogram(
    "tollgate_overhead_seconds",
    OVERHEAD,
    &[],
    "The gateway's own share of a request's time: deciding and rewriting, without waiting for either side.",
);
pub(crate) const ATTEMPTS: Metric = Metric::counter(
    "tollgate_attempts_total",
    &["provider", "model", "outcome"],
    "Attempts at a provider, by what became of them.",
);
pub(crate) const ATTEMPTS_PER_REQUEST: Metric = Metric::histogram(
    "tollgate_attempts_per_request",
    ATTEMPT_COUNTS,
    &["route"],
    "Attempts of a request, hedges included; requests without any are left out.",
);
pub(crate) const FAILOVERS: Metric = Metric::counter(
    "tollgate_failovers_total",
    &["route", "reason"],
    "Attempts that failed and were followed by another, by what they came to. A hedge does not follow a failure, and continuations are counted apart.",
);
pub(crate) const HEDGES: Metric = Metric::counter(
    "tollgate_hedges_total",
    &["route", "result"],
    "Attempts made because another was late: won (its answer was used), lost (another was first, or the request was over) or failed.",
);
pub(crate) const CONTINUATIONS: Metric = Metric::counter(
    "tollgate_stream_continuations_total",
    &["route", "result"],
    "Attempts to go on with a stream that had broken: completed, failed, or abandoned by the client.",
);
pub(crate) const RETRIES_REFUSED: Metric = Metric::counter(
    "tollgate_retries_refused_total",
    &["route"],
    "Requests that failed without asking anybody else, because the route's retry budget was spent.",
);
pub(crate) const PANIC: Metric = Metric::counter(
    "tollgate_panic_total",
    &["route"],
    "Requests for which nobody was healthy, and the best was asked all the same.",
);
pub(crate) const FILTERED: Metric = Metric::counter(
    "tollgate_filtered_total",
    &["route", "filter"],
    "Candidates that were left out of a plan, by the reason.",
);
pub(crate) const BREAKER_STATE: Metric = Metric::gauge(
    "tollgate_breaker_state",
    &["provider", "model", "state"],
    "1 for the present state of a target's circuit breaker, 0 for the others: closed, open, half_open, forced_open, forced_closed, drained. 0 for all: it is no longer configured.",
);
pub(crate) const BREAKER_TRANSITIONS: Metric = Metric::counter(
    "tollgate_breaker_transitions_total",
    &["provider", "model", "to"],
    "Changes of a target's circuit breaker, by the new state.",
);
pub(crate) const TARGET_TTFT: Metric = Metric::gauge(
    "tollgate_target_ttft_seconds",
    &["provider", "model"],
    "Time to first token of a target as routing sees it: a peak-EWMA. NaN: not known any more.",
);
pub(crate) const TARGET_ERROR_RATIO: Metric = Metric::gauge(
    "tollgate_target_error_ratio",
    &["provider", "model"],
    "Errors among the recent attempts at a target, 0 to 1. NaN: it is no longer configured.",
);
pub(crate) const TARGET_INFLIGHT: Metric = Metric::gauge(
    "tollgate_target_inflight",
    &["provider", "model"],
    "Attempts at a target that are under way.",
);
pub(crate) const OUTCOMES_DROPPED: Metric = Metric::counter(
    "tollgate_outcomes_dropped_total",
    &["provider"],
    "Outcomes that were lost on their way to the provider's health, because its queue was full.",
);
pub(crate) const PROBES: Metric = Metric::counter(
    "tollgate_probes_total",
    &["provider", "result"],
    "Signs of life asked of a provider: success, or what went wrong.",
);
pub(crate) const ROUTE_VERSION: Metric = Metric::gauge(
    "tollgate_route_version",
    &[],
    "The version of the routes that is in force; rises with each change at run time.",
);
pub(crate) const ROLLOUTS: Metric = Metric::counter(
    "tollgate_rollouts_total",
    &["result"],
    "Staged changes of routes that are over: promoted, rolled_back (they broke their objective) or aborted.",
);
pub(crate) const CACHE_REQUESTS: Metric = Metric::counter(
    "tollgate_cache_requests_total",
    &["route", "result"],
    "Requests of routes with a cache, by what it said: hit, hit_folded, hit_semantic, miss, bypass.",
);
pub(crate) const CACHE_SAVED: Metric = Metric::counter(
    "tollgate_cache_saved_nanodollars_total",
    &["route"],
    "What answers from the cache would have cost at the price that was paid for them, in nanodollars.",
);
pub(crate) const CACHE_SAVED_TIME: Metric = Metric::counter(
    "tollgate_cache_saved_microseconds_total",
    &["route"],
    "How long answers from the cache took when they were given, in microseconds.",
);
pub(crate) const CACHE_ENTRIES: Metric =
    Metric::gauge("tollgate_cache_entries", &[], "Entries in the cache.");
pub(crate) const CACHE_BYTES: Metric = Metric::gauge(
    "tollgate_cache_bytes",
    &[],
    "Bytes that the entries of the cache take, with all that belongs to them.",
);
pub(crate) const CACHE_FILLED: Metric = Metric::counter(
    "tollgate_cache_fills_total",
    &[],
    "Answers that were put into the cache.",
);
pub(crate) const CACHE_EVICTED: Metric = Metric::counter(
    "tollgate_cache_evictions_total",
    &[],
    "Entries that made room for others.",
);
pub(crate) const CACHE_DROPPED: Metric = Metric::counter(
    "tollgate_cache_fills_dropped_total",
    &[],
    "Answers that were not put into the cache, because its keeper was busy.",
);
pub(crate) const CACHE_WITHHELD: Metric = Metric::counter(
    "tollgate_cache_withheld_total",
    &["route", "reason"],
    "Answers to questions of the same meaning that were not given, but may be compared with those that came instead: \
     shadow (the route only tries), recheck (the share that is checked), near (the score is below the threshold).",
);
pub(crate) const CACHE_VERDICTS: Metric = Metric::counter(
    "tollgate_cache_verdicts_total",
    &["source", "verdict"],
    "Verdicts (right, unclear, wrong) on answers that were, or might have been, given by meaning: by comparison with the \
     answer that came instead, or by a client.",
);
pub(crate) const CACHE_CONDEMNED: Metric = Metric::counter(
    "tollgate_cache_condemned_total",
    &[],
    "Entries that were found wrong, and are not served again.",
);
pub(crate) const CACHE_CLASSES: Metric = Metric::gauge(
    "tollgate_cache_classes",
    &["state"],
    "Classes (route and tenant) with verdicts: judged (all of them), and those in which a mode is closed (gives nothing \
     by meaning), raised or lowered against what it ships with.",
);
pub(crate) const CACHE_EMBEDDINGS: Metric = Metric::counter(
    "tollgate_cache_embeddings_total",
    &["outcome"],
    "Vectors that the cache wanted of an endpoint: success, timeout, failed, malformed; or not called: open (too many failures of late), busy, barred (by region).",
);
pub(crate) const CACHE_EMBEDDING_SECONDS: Metric = Metric::histogram(
    "tollgate_cache_embedding_seconds",
    CALLS,
    &[],
    "How long calls for vectors took, those that were given up included.",
);
pub(crate) const CACHE_EMBEDDING_TOKENS: Metric = Metric::counter(
    "tollgate_cache_embedding_tokens_total",
    &[],
    "Tokens that were billed for vectors.",
);
pub(crate) const CACHE_EMBEDDING_COST: Metric = Metric::counter(
    "tollgate_cache_embedding_cost_nanodollars_total",
    &[],
    "What vectors cost, in nanodollars, where the price is known. It is in no other cost.",
);
pub(crate) const CACHE_LONG_LOOKUPS: Metric = Metric::counter(
    "tollgate_cache_long_lookups_total",
    &["result"],
    "Lookups by meaning that were too long for a worker's thread: done, late (a miss: they took too long elsewhere as well) or busy (a miss: too many were under way).",
);
pub(crate) const TOKENS_TOTAL: Metric = Metric::counter(
    "tollgate_tokens_total",
    &["route", "provider", "model", "class"],
    "Tokens by class. The classes are disjoint: their sum is the number of tokens.",
);
pub(crate) const COST: Metric = Metric::counter(
    "tollgate_cost_nanodollars_total",
    &["key", "route", "provider", "model"],
    "Cost in nanodollars: divide by 1e9 for US dollars.",
);
pub(crate) const USAGE_ESTIMATED: Metric = Metric::counter(
    "tollgate_usage_estimated_total",
    &["route", "provider", "model"],
    "Requests whose tokens were estimated, because the provider reported none or the client left early.",
);
pub(crate) const UNPRICED: Metric = Metric::counter(
    "tollgate_unpriced_requests_total",
    &["route", "provider", "model"],
    "Requests that used tokens at a price that is not known: they are missing from the cost.",
);
pub(crate) const TRANSLATION_LOSS: Metric = Metric::counter(
    "tollgate_translation_loss_total",
    &["field"],
    "Fields of requests that a translation between dialects could not carry, without indices.",
);
pub(crate) const LOG_LINES: Metric = Metric::counter(
    "tollgate_log_lines_total",
    &[],
    "Lines written to the access log.",
);
pub(crate) const LOG_DROPPED: Metric = Metric::counter(
    "tollgate_log_dropped_total",
    &[],
    "Records that are missing from the access log: the ring was full, or a write failed.",
);
pub(crate) const DECISION_LINES: Metric = Metric::counter(
    "tollgate_decision_log_lines_total",
    &[],
    "Lines written to the journal of decisions.",
);
pub(crate) const DECISIONS_DROPPED: Metric = Metric::counter(
    "tollgate_decision_log_dropped_total",
    &[],
    "Decisions that are missing from their journal: the ring was full, or a write failed. Those that the sample left out do not count.",
);
pub(crate) const CONFIG_RELOADS: Metric = Metric::counter(
    "tollgate_config_reloads_total",
    &["by", "result"],
    "Reloads of the configuration: by a change of its file, a request of the admin API or a signal; applied or refused.",
);
pub(crate) const CONFIG_EPOCH: Metric = Metric::gauge(
    "tollgate_config_epoch",
    &[],
    "The snapshot of the configuration that is in force; rises with each change.",
);
pub(crate) const UPSTREAM_CONNECTS: Metric = Metric::counter(
    "tollgate_upstream_connects_total",
    &["provider", "result"],
    "Connections opened towards a provider: connected or failed.",
);
pub(crate) const UPSTREAM_CONNECTIONS: Metric = Metric::gauge(
    "tollgate_upstream_connections",
    &["provider"],
    "Connections that are open towards a provider.",
);
pub(crate) const IDENTITY_ASKED: Metric = Metric::counter(
    "tollgate_identity_asked_total",
    &["identity", "result"],
    "Times that a cloud was asked for an identity's credentials: renewed or failed.",
);
pub(crate) const IDENTITY_EXPIRES: Metric = Metric::gauge(
    "tollgate_identity_expires_timestamp_seconds",
    &["identity"],
    "When the credentials of an identity end, as Unix time; NaN where there are none, or they do not say.",
);
pub(crate) const BUILD_INFO: Metric = Metric::gauge(
    "tollgate_build_info",
    &["version"],
    "Always 1: the version is in the label.",
);

/// All of them, in the order in which the reference lists them.
pub(crate) const ALL: [&Metric; 58] = [
    &TOKEN_USAGE,
    &OPERATION_DURATION,
    &TIME_TO_FIRST_TOKEN,
    &TIME_PER_OUTPUT_TOKEN,
    &REQUESTS,
    &REFUSALS,
    &INFLIGHT,
    &OVERHEAD_SECONDS,
    &ATTEMPTS,
    &ATTEMPTS_PER_REQUEST,
    &FAILOVERS,
    &HEDGES,
    &CONTINUATIONS,
    &RETRIES_REFUSED,
    &PANIC,
    &FILTERED,
    &BREAKER_STATE,
    &BREAKER_TRANSITIONS,
    &TARGET_TTFT,
    &TARGET_ERROR_RATIO,
    &TARGET_INFLIGHT,
    &OUTCOMES_DROPPED,
    &PROBES,
    &ROUTE_VERSION,
    &ROLLOUTS,
    &CACHE_REQUESTS,
    &CACHE_SAVED,
    &CACHE_SAVED_TIME,
    &CACHE_ENTRIES,
    &CACHE_BYTES,
    &CACHE_FILLED,
    &CACHE_EVICTED,
    &CACHE_DROPPED,
    &CACHE_WITHHELD,
    &CACHE_VERDICTS,
    &CACHE_CONDEMNED,
    &CACHE_CLASSES,
    &CACHE_EMBEDDINGS,
    &CACHE_EMBEDDING_SECONDS,
    &CACHE_EMBEDDING_TOKENS,
    &CACHE_EMBEDDING_COST,
    &CACHE_LONG_LOOKUPS,
    &TOKENS_TOTAL,
    &COST,
    &USAGE_ESTIMATED,
    &UNPRICED,
    &TRANSLATION_LOSS,
    &LOG_LINES,
    &LOG_DROPPED,
    &DECISION_LINES,
    &DECISIONS_DROPPED,
    &CONFIG_RELOADS,
    &CONFIG_EPOCH,
    &UPSTREAM_CONNECTS,
    &UPSTREAM_CONNECTIONS,
    &IDENTITY_ASKED,
    &IDENTITY_EXPIRES,
    &BUILD_INFO,
];
