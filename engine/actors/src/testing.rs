//! What the tests of several actors need: a small configuration, a place for files, and patience.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tollgate_config::{Settings, Source};
use tollgate_core::{Clock, OutcomeClass};
use tollgate_routing::{Board, Ended, HealthCell, Permit, Urgency};

use crate::{Live, OnDeath, OnTransition, Prober, Published, Roster, RosterParts, Transition};

/// Two providers, `a` and `b`, with two keys and with one; a route `fast` to `a/m1` and `b/m2`, a route `slow` to
/// `a/m3`.
pub(crate) const CONFIG: &str = r#"
server: { listen: "127.0.0.1:0" }
providers:
  a:
    kind: openai
    base_url: "http://127.0.0.1:9/v1"
    api_keys: [ { name: first, key: ka }, { name: second, key: kb } ]
    breaker: { consecutive_failures: 2, open_for: 30ms, half_open_probes: 1, ramp: 0s, jitter: 0 }
  b: { kind: openai, base_url: "http://127.0.0.1:9/v1", api_key: kc }
models:
  fast: { targets: [ { provider: a, model: m1 }, { provider: b, model: m2 } ] }
  slow: { targets: [ { provider: a, model: m3 } ] }
"#;

pub(crate) fn settings_of(text: &str, board: &Board, epoch: u64) -> Settings {
    let source = Source::Text { name: "test", text };
    tollgate_config::load(source, &|_| None, epoch, board).unwrap()
}

pub(crate) fn published(board: &Arc<Board>) -> Published {
    Published::new(settings_of(CONFIG, board, 1))
}

/// A directory of the test's own, removed with it.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tollgate-actors-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The actors of providers, on this thread.
pub(crate) struct Crew {
    pub(crate) board: Arc<Board>,
    pub(crate) roster: Roster,
    pub(crate) transitions: Arc<Mutex<Vec<Transition>>>,
}

impl Crew {
    /// Actors for the providers of a configuration.
    pub(crate) fn of(text: &str, prober: Option<Arc<dyn Prober>>) -> Self {
        let crew = Self::idle(prober);
        crew.follow(text);
        crew
    }

    /// No actors yet.
    pub(crate) fn idle(prober: Option<Arc<dyn Prober>>) -> Self {
        let transitions = Arc::new(Mutex::new(Vec::new()));
        let heard = transitions.clone();
        let on_transition: OnTransition = Arc::new(move |it: &Transition| heard.lock().push(it.clone()));
        let on_death: OnDeath = Arc::new(|name| eprintln!("{name} died"));
        let roster = Roster::new(RosterParts {
            arbiter: actix_rt::Arbiter::current(),
            prober,
            on_transition,
            on_death,
        });
        Self {
            board: Arc::default(),
            roster,
            transitions,
        }
    }

    pub(crate) fn follow(&self, text: &str) {
        self.roster.follow(&Live::new(settings_of(text, &self.board, 1)));
    }

    /// A request at a target.
    pub(crate) fn admit(&self, provider: &str, model: &str) -> Permit {
        let ring = self.board.outcomes(provider);
        self.cell(provider, model)
            .admit(&ring, Clock.moment(), Urgency::Ordinary)
            .unwrap()
    }

    /// Requests at a target that end at once.
    pub(crate) fn see(&self, provider: &str, model: &str, class: OutcomeClass, times: usize) {
        for _ in 0..times {
            self.admit(provider, model).ended(Clock.moment(), ended(class));
        }
    }

    pub(crate) fn cell(&self, provider: &str, model: &str) -> Arc<HealthCell> {
        self.board.target(provider, model)
    }
}

pub(crate) fn ended(class: OutcomeClass) -> Ended {
    Ended {
        class,
        total_us: 1,
        ..Ended::without_verdict()
    }
}

/// Waits for something that other actors on this thread do, for ten seconds at most.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if is_so() {
            return;
        }
        actix_rt::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("waited in vain");
}
