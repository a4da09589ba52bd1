//! The handle that steers the simulated providers: sets behaviours, reads the journal, waits for what must happen.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tollgate_core::Clock;

use super::behaviour::{Behaviour, Problem};
use super::exchange::Exchange;
use super::journal::{Arrival, Journal, JournalEntry, Progress};
use super::table::{BehaviourTable, Counters, Stats, Table};
use crate::dice::Dice;

/// Steers a [`MockServer`](super::MockServer). Clones share one server.
#[derive(Debug, Clone)]
pub struct Control(Arc<State>);

#[derive(Debug)]
struct State {
    seed: u64,
    name: String,
    started: Instant,
    initial: BehaviourTable,
    table: Table,
    journal: Journal,
    total: Counters,
}

/// What was waited for did not happen in time.
#[derive(Debug, Clone, thiserror::Error)]
#[error("not within {waited:?}; the journal holds {} entries: {}", .journal.len(), Lines(.journal))]
pub struct WaitTimeout {
    /// How long was waited.
    pub waited: Duration,
    /// The journal at that moment.
    pub journal: Vec<JournalEntry>,
}

/// The last entries, one line each, for the message of a failed test.
struct Lines<'a>(&'a [JournalEntry]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in self.0.iter().rev().take(10) {
            let JournalEntry {
                seq,
                path,
                model,
                status,
                chunks,
                ending,
                ..
            } = entry;
            write!(
                f,
                "[#{seq} {path} {model} status {status}, {chunks} chunks, {ending:?}] "
            )?;
        }
        Ok(())
    }
}

impl Control {
    pub(crate) fn new(seed: u64, name: String, initial: BehaviourTable, journal: Journal) -> Self {
        let table = Table::new(initial.default.clone());
        table.reset(initial.clone(), Clock.now());
        Self(Arc::new(State {
            seed,
            name,
            started: Clock.now(),
            table,
            initial,
            journal,
            total: Counters::default(),
        }))
    }

    /// Sets what models without a behaviour of their own do.
    ///
    /// # Errors
    /// Everything wrong with `behaviour`; nothing is changed then.
    pub fn set_default(&self, behaviour: Behaviour) -> Result<(), Vec<Problem>> {
        self.put(None, behaviour)
    }

    /// Sets what `key` does: `model`, `provider/model` or `provider/*`. Its requests count from 0 again.
    ///
    /// # Errors
    /// Everything wrong with `behaviour`; nothing is changed then.
    pub fn set(&self, key: &str, behaviour: Behaviour) -> Result<(), Vec<Problem>> {
        self.put(Some(key), behaviour)
    }

    fn put(&self, key: Option<&str>, behaviour: Behaviour) -> Result<(), Vec<Problem>> {
        let problems = behaviour.problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        self.0.table.set(key, behaviour, Clock.now());
        Ok(())
    }

    /// Removes what was set for `key`; false: nothing was.
    pub fn unset(&self, key: &str) -> bool {
        self.0.table.unset(key, Clock.now())
    }

    /// Back to the behaviours the server was started with. The journal stays.
    pub fn reset(&self) {
        self.0.table.reset(self.0.initial.clone(), Clock.now());
    }

    /// The behaviours in force.
    pub fn behaviours(&self) -> BehaviourTable {
        self.0.table.behaviours()
    }

    /// The whole journal, oldest first.
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.0.journal.entries(0, usize::MAX)
    }

    /// At most `limit` entries numbered above `since`, oldest first.
    pub fn journal_since(&self, since: u64, limit: usize) -> Vec<JournalEntry> {
        self.0.journal.entries(since, limit)
    }

    /// Forgets the entries of the journal; numbers go on.
    pub fn clear_journal(&self) {
        self.0.journal.clear();
    }

    /// Figures since the server started.
    pub fn stats(&self) -> Stats {
        Stats {
            total: self.0.total.read(),
            models: self.0.table.stats(),
        }
    }

    /// Waits until the journal satisfies `condition`, which is asked at every change of it, and returns the journal.
    ///
    /// # Errors
    /// [`WaitTimeout`] when that takes longer than `timeout`.
    pub async fn wait_until(
        &self,
        timeout: Duration,
        condition: impl Fn(&[JournalEntry]) -> bool,
    ) -> Result<Vec<JournalEntry>, WaitTimeout> {
        let listening = self.0.journal.listen();
        let satisfied = async {
            loop {
                let mut changed = std::pin::pin!(listening.changed());
                // Enabled before the look, so that a change in between is not missed.
                changed.as_mut().enable();
                let journal = self.journal();
                if condition(&journal) {
                    return journal;
                }
                changed.await;
            }
        };
        match tokio::time::timeout(timeout, satisfied).await {
            Ok(journal) => Ok(journal),
            Err(_elapsed) => Err(WaitTimeout {
                waited: timeout,
                journal: self.journal(),
            }),
        }
    }

    /// The seed of every random choice.
    pub(crate) fn seed(&self) -> u64 {
        self.0.seed
    }

    /// The name of the provider at the root of the server.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// The model names that have a behaviour of their own, of this provider or of all.
    pub(crate) fn known_models(&self, provider: &str) -> Vec<String> {
        let models = self.0.table.behaviours().models;
        let own = models
            .into_keys()
            .filter_map(|key| match key.strip_prefix(provider) {
                Some(rest) if rest.starts_with('/') => rest.get(1..).map(str::to_owned),
                _ => Some(key),
            });
        own.filter(|model| !model.ends_with('*')).collect()
    }

    pub(crate) fn journal_ring(&self) -> &Journal {
        &self.0.journal
    }

    pub(crate) fn total(&self) -> &Counters {
        &self.0.total
    }

    /// Milliseconds since the server started.
    pub(crate) fn uptime_ms(&self) -> u64 {
        let uptime = Clock.now().saturating_duration_since(self.0.started);
        u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX)
    }

    /// Takes in a request: finds its lane, numbers it, rolls its dice.
    pub(crate) fn admit(&self, provider: &str, model: &str) -> Exchange {
        let now = Clock.now();
        let lane = self.0.table.lane(provider, model, now);
        let count = lane.next.fetch_add(1, Ordering::Relaxed);
        let dice = Dice::new(self.0.seed, &[provider, model], count);
        Exchange::open(self.clone(), lane, dice, count, now)
    }

    /// Writes a request into the journal.
    pub(crate) fn record(&self, arrival: Arrival, progress: &Arc<Progress>) {
        self.0.journal.record(arrival, Arc::clone(progress));
    }
}
