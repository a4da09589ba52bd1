//! What is told of an identity at a cloud.

use metrics::{Counter, Gauge};

use super::{Meters, names};

/// What somebody who keeps an identity counts. Dropped, the identity is no longer shown to have credentials.
pub struct IdentityMeters {
    renewed: Counter,
    failed: Counter,
    expires: Gauge,
}

impl Meters {
    /// What is counted of an identity.
    pub fn identity(&self, name: &str) -> IdentityMeters {
        let registry = &self.shared.registry;
        let asked = |result| registry.counter(&names::IDENTITY_ASKED, &[name, result]);
        let expires = registry.gauge(&names::IDENTITY_EXPIRES, &[name]);
        expires.set(f64::NAN);
        IdentityMeters {
            renewed: asked("renewed"),
            failed: asked("failed"),
            expires,
        }
    }
}

impl IdentityMeters {
    /// Credentials were given out, which end then (Unix seconds); `None`: they do not say.
    pub fn renewed(&self, expires_at: Option<u64>) {
        self.renewed.increment(1);
        #[expect(clippy::cast_precision_loss, reason = "seconds stay far below 2^53")]
        self.expires.set(expires_at.map_or(f64::NAN, |at| at as f64));
    }

    /// None were given out. Those that there are stay as they are.
    pub fn failed(&self) {
        self.failed.increment(1);
    }
}

impl Drop for IdentityMeters {
    fn drop(&mut self) {
        self.expires.set(f64::NAN);
    }
}
