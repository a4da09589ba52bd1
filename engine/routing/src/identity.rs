//! An identity at a cloud: who asks, and the key that was given out for it last.
//!
//! Clouds give out keys for a while. Whoever asks for them (the gateway) publishes them here; workers take what is
//! there and never ask themselves, so that no request waits while a key is valid. Pure, as all of this crate: what is
//! kept here was obtained elsewhere, and time is an argument.

use std::hash::{Hash as _, Hasher as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use tollgate_core::{Secret, Timestamp};

use crate::breaker::{doubled, spread};

/// A key is renewed this long before it ends; one that lives shorter, when half of its life is left. The metadata
/// services of both clouds have a new one at hand by then.
const AHEAD: Duration = Duration::from_secs(300);
/// A key that does not say when it ends is looked up again after this: the file that it came from may have changed.
const LOOK_AGAIN: Duration = Duration::from_secs(15 * 60);
/// Never sooner, whatever a clock or an answer says.
const SOONEST: Duration = Duration::from_secs(1);
/// A key that ends within this is not used any more: the request has yet to arrive.
const LAST_MOMENTS: Duration = Duration::from_secs(3);
/// A key that was asked for less than this ago is not doubted: whoever refuses it means something else.
const NEW_FOR: Duration = Duration::from_secs(30);
/// The pause after the first failure; twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How far pauses are spread, so that many gateways do not ask at once.
const JITTER: f64 = 0.2;

/// Who asks at a cloud, as the configuration describes it. Two that are described alike are the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CloudIdentity {
    /// Signs requests to AWS.
    Aws(AwsIdentity),
    /// Shows access tokens to Google.
    Google(GoogleIdentity),
}

/// An identity at AWS.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AwsIdentity {
    /// The region that requests are signed for, and whose token service is asked: `us-east-1`.
    pub region: Arc<str>,
    /// Where its keys come from.
    pub source: AwsSource,
    /// The role that is assumed with them; `None`: they are used as they are.
    pub role: Option<AwsRole>,
}

/// Where an AWS identity's keys come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AwsSource {
    /// Where AWS's own tools look: environment, profile, web identity, container, instance.
    Usual,
    /// A profile of AWS's own files.
    Profile(Arc<str>),
    /// The config file.
    Written {
        /// `AKIA…`
        access_key_id: Secret,
        /// The secret that belongs to it.
        secret_access_key: Secret,
        /// For temporary keys; `None`: it is a lasting one.
        session_token: Option<Secret>,
    },
}

/// A role at AWS.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AwsRole {
    /// `arn:aws:iam::123456789012:role/NAME`
    pub arn: Arc<str>,
    /// What the role's owner wants to be told; `None`: nothing.
    pub external_id: Option<Secret>,
    /// The name of the session in AWS's logs.
    pub session_name: Arc<str>,
}

/// An identity at Google.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GoogleIdentity {
    /// Where its credentials are.
    pub source: GoogleSource,
}

/// Where a Google identity's credentials are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GoogleSource {
    /// Where Google's own tools look (Application Default Credentials).
    Usual,
    /// A file: of a service account, a user, or a federated workload.
    File(PathBuf),
    /// The text of such a file.
    Written(Secret),
}

/// What a cloud has given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minted {
    /// The key.
    pub key: MintedKey,
    /// When it ends; `None`: it does not say.
    pub expires_at: Option<Timestamp>,
}

/// A key that a cloud has given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MintedKey {
    /// What signs requests to AWS.
    Aws {
        /// `AKIA…`, or `ASIA…` for a temporary one.
        access_key_id: Secret,
        /// The secret that belongs to it.
        secret_access_key: Secret,
        /// For temporary keys; `None`: it is a lasting one.
        session_token: Option<Secret>,
    },
    /// An access token.
    Token(Secret),
}

/// Why there is no new key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What was tried, and what became of it. No secret.
    pub what: Arc<str>,
    /// Since when.
    pub since: Timestamp,
    /// Failures in a row.
    pub failures: u32,
}

/// How an identity stands.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// The last key; `None`: there was none yet.
    pub minted: Option<Arc<Minted>>,
    /// Why there is no newer one; `None`: all is well, or nobody has asked yet.
    pub trouble: Option<Trouble>,
    /// When it was asked for last; `None`: never.
    pub asked_at: Option<Timestamp>,
}

/// An identity, and the key that was given out for it last.
#[derive(Debug)]
pub struct Identity {
    described: CloudIdentity,
    /// Written by whoever keeps it.
    standing: ArcSwap<Standing>,
    /// Whether somebody keeps it. Written by whoever begins to.
    is_kept: AtomicBool,
    /// Whether its key was found to be of no use before its time. Written by workers, taken back by its keeper.
    is_doubted: AtomicBool,
    /// By how much the provider's clock is ahead of ours. Written by workers that the provider has told.
    clock_offset_ms: AtomicI64,
}

impl Identity {
    /// One that has no key yet.
    pub fn new(described: CloudIdentity) -> Self {
        Self {
            described,
            standing: ArcSwap::default(),
            is_kept: AtomicBool::new(false),
            is_doubted: AtomicBool::new(false),
            clock_offset_ms: AtomicI64::new(0),
        }
    }

    /// Who it is.
    pub fn described(&self) -> &CloudIdentity {
        &self.described
    }

    /// Tells it from others.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        self.described.hash(&mut hasher);
        hasher.finish()
    }

    /// Whether the caller is the one to keep it: true once.
    pub fn begin_keeping(&self) -> bool {
        !self.is_kept.swap(true, Ordering::Relaxed)
    }

    /// How it stands.
    pub fn standing(&self) -> Guard<Arc<Standing>> {
        self.standing.load()
    }

    /// The key to be used at `now`; `None`: there is none that is valid.
    pub fn key(&self, now: Timestamp) -> Option<Arc<Minted>> {
        let standing = self.standing.load();
        let minted = standing.minted.as_ref()?;
        minted.is_valid(now).then(|| minted.clone())
    }

    /// A new key is here. Whether it is another one than before.
    pub fn renewed(&self, now: Timestamp, minted: Minted) -> bool {
        let is_other = self
            .standing
            .load()
            .minted
            .as_ref()
            .is_none_or(|known| known.key != minted.key);
        self.standing.store(Arc::new(Standing {
            minted: Some(Arc::new(minted)),
            trouble: None,
            asked_at: Some(now),
        }));
        is_other
    }

    /// None came. The one that there is stays.
    pub fn failed(&self, now: Timestamp, what: Arc<str>) {
        let before = self.standing.load();
        let (since, failures) = match &before.trouble {
            Some(trouble) => (trouble.since, trouble.failures.saturating_add(1)),
            None => (now, 1),
        };
        self.standing.store(Arc::new(Standing {
            minted: before.minted.clone(),
            trouble: Some(Trouble {
                what,
                since,
                failures,
            }),
            asked_at: Some(now),
        }));
    }

    /// When its keeper asks again, counted from `now`; `None`: never, because what is written in the configuration does
    /// not change by itself. `chance`, `0.0..=1.0`, spreads the pauses after failures.
    pub fn ask_again_in(&self, now: Timestamp, chance: f64) -> Option<Duration> {
        let standing = self.standing.load();
        if let Some(trouble) = &standing.trouble {
            let pause = doubled(FIRST_PAUSE, trouble.failures.saturating_sub(1), LONGEST_PAUSE);
            return Some(spread(pause, JITTER, chance));
        }
        match standing.minted.as_ref().map(|minted| minted.expires_at) {
            Some(Some(at)) => {
                let left = at.since(now);
                Some(left.saturating_sub(AHEAD.min(left / 2)).max(SOONEST))
            }
            Some(None) if self.is_lasting() => None,
            Some(None) | None => Some(LOOK_AGAIN),
        }
    }

    /// A provider does not accept its key, or the key is over before its time: its keeper is to ask again.
    pub fn doubt(&self) {
        self.is_doubted.store(true, Ordering::Relaxed);
    }

    /// Whether it was doubted since this was asked last, and it is not just now that a key was asked for.
    pub fn take_doubt(&self, now: Timestamp) -> bool {
        let asked = self.standing.load().asked_at;
        let is_recent = asked.is_some_and(|at| now.since(at) < NEW_FOR);
        self.is_doubted.swap(false, Ordering::Relaxed) && !is_recent
    }

    /// By how much the provider's clock is ahead of ours, in milliseconds.
    pub fn clock_offset_ms(&self) -> i64 {
        self.clock_offset_ms.load(Ordering::Relaxed)
    }

    /// The provider's clock says `theirs` where ours says `ours`.
    pub fn set_clock(&self, ours: Timestamp, theirs: Timestamp) {
        let millis = |at: Timestamp| i64::try_from(at.unix_millis()).unwrap_or(i64::MAX);
        self.clock_offset_ms
            .store(millis(theirs).saturating_sub(millis(ours)), Ordering::Relaxed);
    }

    /// Our time, as the provider's clock would say it.
    pub fn provider_time(&self, ours: Timestamp) -> Timestamp {
        Timestamp::from_unix_millis(ours.unix_millis().saturating_add_signed(self.clock_offset_ms()))
    }

    fn is_lasting(&self) -> bool {
        matches!(
            &self.described,
            CloudIdentity::Aws(AwsIdentity {
                source: AwsSource::Written { .. },
                role: None,
                ..
            })
        )
    }
}

impl Minted {
    /// Whether it may still be used at `now`.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|at| at.since(now) > LAST_MOMENTS)
    }

    /// What must be shown to nobody but the provider.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let found = match &self.key {
            MintedKey::Aws {
                access_key_id,
                secret_access_key,
                session_token,
            } => [
                Some(access_key_id),
                Some(secret_access_key),
                session_token.as_ref(),
            ],
            MintedKey::Token(token) => [Some(token), None, None],
        };
        found.into_iter().flatten()
    }
}

impl CloudIdentity {
    /// What people call it: `aws profile "prod"`. No secret.
    pub fn name(&self) -> String {
        match self {
            Self::Aws(aws) => {
                let source = match &aws.source {
                    AwsSource::Usual => "aws".to_owned(),
                    AwsSource::Profile(profile) => format!("aws profile \"{profile}\""),
                    AwsSource::Written { .. } => "aws access key".to_owned(),
                };
                match &aws.role {
                    Some(role) => format!("{source} as {}", role.arn),
                    None => source,
                }
            }
            Self::Google(google) => match &google.source {
                GoogleSource::Usual => "google".to_owned(),
                GoogleSource::File(path) => format!("google credentials of {}", path.display()),
                GoogleSource::Written(_) => "google credentials".to_owned(),
            },
        }
    }
}

#[cfg(test)]
mod tests;
