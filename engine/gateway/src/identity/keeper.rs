//! The keeper of one identity: asks for its keys in time, for as long as anybody has it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::timeout;
use tollgate_core::{Clock, Timestamp};
use tollgate_routing::{CloudIdentity, Identity, Minted};
use tollgate_telemetry::{IdentityMeters, Scrubbed};

use super::{Shared, aws, google};
use crate::say;

/// A source that takes longer has failed.
const LONGEST: Duration = Duration::from_secs(30);
/// Who still has the identity is looked at this often.
const LOOK_AROUND: Duration = Duration::from_secs(60);

/// Keeps an identity until nobody has it any more.
pub(super) async fn keep(identity: Weak<Identity>, shared: Arc<Shared>) {
    let Some(name) = identity.upgrade().map(|identity| identity.described().name()) else {
        return;
    };
    let meters = shared.meters.identity(&name);
    loop {
        let pause = {
            let Some(identity) = identity.upgrade() else {
                return;
            };
            let asked = ask(identity.described(), &shared);
            let answer = timeout(LONGEST, asked)
                .await
                .unwrap_or_else(|_| Err(format!("no answer within {LONGEST:?}")));
            if take_in(&identity, answer, &name, &meters) {
                shared.renewed(&identity);
            }
            shared.changed.notify_waiters();
            identity.ask_again_in(Clock.wall(), rand::random())
        };
        if rest(&identity, pause, &shared).await.is_none() {
            return;
        }
    }
}

async fn ask(described: &CloudIdentity, shared: &Shared) -> Result<Minted, String> {
    match described {
        CloudIdentity::Aws(aws) => aws::mint(aws, &shared.connector).await,
        CloudIdentity::Google(google) => google::mint(google, &shared.connector, Clock.wall()).await,
    }
}

/// Whether there is another key than before.
fn take_in(identity: &Identity, answer: Result<Minted, String>, name: &str, meters: &IdentityMeters) -> bool {
    let now = Clock.wall();
    let was_troubled = identity.standing().trouble.is_some();
    let over = || "what was given out is over already: is a clock wrong?".to_owned();
    match answer.and_then(|minted| minted.is_valid(now).then_some(minted).ok_or_else(over)) {
        Ok(minted) => {
            meters.renewed(minted.expires_at.map(Timestamp::unix_seconds));
            if was_troubled {
                say(format_args!("credentials from {name} are back"));
            }
            identity.renewed(now, minted)
        }
        Err(why) => {
            meters.failed();
            let what = Scrubbed::new(&why);
            // Once per trouble, and not each time that it is tried again.
            if !was_troubled {
                let left = identity
                    .key(now)
                    .map_or("there are none", |_| "those there are stay in use");
                say(format_args!(
                    "no new credentials from {name}, {left}: {}",
                    what.as_str()
                ));
            }
            identity.failed(now, what.as_str().into());
            false
        }
    }
}

/// Until it is time, or somebody doubts the key. `None`: nobody has the identity any more.
async fn rest(identity: &Weak<Identity>, pause: Option<Duration>, shared: &Shared) -> Option<()> {
    let until = pause.map(|pause| Clock.now() + pause);
    // What was doubted while it was asked for has been asked for.
    identity.upgrade()?.take_doubt(Clock.wall());
    loop {
        let left = until.map_or(LOOK_AROUND, |until| until.saturating_duration_since(Clock.now()));
        if left.is_zero() {
            return Some(());
        }
        // Whether it was woken or not: the doubt is at the identity.
        let _ = timeout(left.min(LOOK_AROUND), shared.doubted.notified()).await;
        if identity.upgrade()?.take_doubt(Clock.wall()) {
            return Some(());
        }
    }
}
