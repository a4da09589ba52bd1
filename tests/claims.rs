//! What claims something of time is forgiven a machine that stands still once, and nothing that is late each time.

use std::sync::atomic::{AtomicU32, Ordering};

use tollgate_tests::on_time;

#[tokio::test]
async fn a_claim_that_fails_now_and_then_holds() {
    let tried = AtomicU32::new(0);
    on_time(async || assert!(tried.fetch_add(1, Ordering::Relaxed) >= 2)).await;
    assert_eq!(tried.into_inner(), 3, "not again once it has held");
}

#[tokio::test]
#[should_panic(expected = "late as ever")]
async fn a_claim_that_never_holds_fails() {
    on_time(async || panic!("late as ever")).await;
}
