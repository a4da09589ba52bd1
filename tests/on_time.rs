//! Claims about time, on a machine that others use too.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;

/// How often a claim about time is tried.
const TRIES: u32 = 5;

/// Tries a claim about time again where it fails. A shared machine stands still for a second now and then, and whatever
/// runs there is late once; a gateway that takes too long does so each time. A try begins anew, with a stack of its own
/// where what came before would count.
///
/// Only for what must be over soon: what must come in the end is waited for instead.
pub async fn on_time(claim: impl AsyncFn()) {
    for tried in 1..TRIES {
        if AssertUnwindSafe(claim()).catch_unwind().await.is_ok() {
            return;
        }
        eprintln!("not on time, {tried} of {TRIES} tries");
    }
    claim().await;
}
