//! What the gateway says about itself: one record a request, written as a log line and counted in metrics.
//!
//! - [`RequestRecord`]: everything that is remembered of a request; no prompt, no answer, no secret.
//! - [`Journal`], [`Line`], [`Sink`]: the way of records from the workers to a file, without blocking. A
//!   `RequestRecord` is one line of JSON there: the access log.
//! - [`Recent`]: the last few of anything, to be looked up.
//! - [`Meters`], [`Exposition`]: the metrics, named in one table, and their Prometheus text.
//!
//! The gateway fills one record for each request and gives the same record to [`Meters::settle`] and to
//! [`Journal::post`], so that the log and the metrics cannot disagree.

mod access_log;
mod embedding;
mod journal;
mod meters;
mod recent;
mod record;
mod scrub;

pub use embedding::{EmbeddingOutcome, EmbeddingRecord};
pub use journal::{
    CloseError, Drained, Journal, JournalHandle, JournalOptions, JournalPort, Line, Posted, Sink,
};
pub use meters::{
    CacheFigures, CacheLessons, CacheUse, Exposition, IdentityMeters, InFlight, JournalMeters, LongLookup,
    Meters, ReloadResult, ReloadedBy, RolloutResult, TargetMeters, UpstreamMeters,
};
pub use recent::Recent;
pub use record::{
    AttemptRecord, AttemptRole, CacheRecord, CacheResult, Ending, FeedbackRecord, RequestRecord, Served,
    Timings, WhyWithheld,
};
pub use scrub::Scrubbed;
