//! The vocabulary of Tollgate: the words every other room speaks. No IO, no actors, no clock of its own.
//!
//! - [`Dialect`], [`Surface`], [`ProviderKind`]: who speaks what.
//! - [`Through`]: the surfaces that pass through as they are, a row each.
//! - [`Usage`], [`Price`], [`Nanodollars`]: what was used and what it costs, in integers.
//! - [`OutcomeClass`]: what an attempt came to, and the one table of its consequences.
//! - [`Refusal`]: every "no" to a client, before a dialect gives it a body.
//! - [`Digest`]: what stands for a text where only sameness matters.
//! - [`Secret`], [`RequestId`], [`Pattern`], [`Clock`]: small things with one right way to do them.

mod clock;
mod dialect;
mod digest;
mod hash;
mod id;
mod money;
mod needs;
mod outcome;
mod pattern;
mod price;
mod refusal;
mod secret;
mod through;
mod usage;

pub use clock::{Clock, Moment, Timestamp};
pub use dialect::{Dialect, ProviderKind, Surface};
pub use digest::{Digest, Digester};
pub use hash::fnv1a;
pub use id::RequestId;
pub use money::{MoneyError, Nanodollars, PicodollarsPerToken};
pub use needs::Capabilities;
pub use outcome::{Fault, OutcomeClass, OutcomePolicy};
pub use pattern::Pattern;
pub use price::{Price, PriceTier, Rates, ServiceTier, UnitPrices};
pub use refusal::{AttemptNote, Refusal, RefusalKind};
pub use secret::Secret;
pub use through::{Account, Bill, Through, ThroughRow, Whom};
pub use usage::{FinishReason, Units, Usage, UsageSource};
