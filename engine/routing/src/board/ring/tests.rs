//! No outcome is lost while there is room, and none waits for a reader that sleeps.

use std::future::poll_fn;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tollgate_core::Moment;

use super::*;
use crate::Stage;

fn outcome(number: u64) -> Observation {
    Observation {
        at: Moment::from_micros(number),
        slot: 0,
        credential: None,
        stage: Stage::FirstToken {
            ttft_us: 1,
            in_flight: 0,
        },
    }
}

#[test]
fn a_full_ring_drops_and_counts() {
    let ring = OutcomeRing::new(2);
    (0..5).for_each(|number| ring.post(outcome(number)));
    assert_eq!(ring.dropped(), 3);
    assert_eq!(ring.pop().map(|it| it.at), Some(Moment::ZERO));
}

#[test]
fn a_sleeping_reader_gets_every_outcome_that_any_thread_posts() {
    const THREADS: u64 = 4;
    const EACH: u64 = 5_000;
    let ring = Arc::new(OutcomeRing::new(1 << 16));
    let reader = {
        let ring = ring.clone();
        thread::spawn(move || {
            let mut seen = 0;
            while seen < THREADS * EACH {
                block_on(poll_fn(|cx| ring.poll_posted(cx)));
                while ring.pop().is_some() {
                    seen += 1;
                }
            }
            seen
        })
    };
    let writers: Vec<_> = (0..THREADS)
        .map(|_| {
            let ring = ring.clone();
            thread::spawn(move || {
                for number in 0..EACH {
                    ring.post(outcome(number));
                    if number % 64 == 0 {
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    assert_eq!(reader.join().unwrap(), THREADS * EACH);
    assert_eq!(ring.dropped(), 0);
}

/// Runs a future on this thread. A lost wake costs 20 s, and the test's patience.
fn block_on(future: impl Future<Output = ()>) {
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut context = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    while future.as_mut().poll(&mut context).is_pending() {
        thread::park_timeout(Duration::from_secs(20));
    }
}
