//! Rounds of several contestants, interleaved: whatever else the machine does in the meantime, it does to all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::drive::{Contestant, Progress, Watcher, run};
use super::number::count;
use super::report;
use super::scenario::Scenario;

/// Runs all rounds; every second one in reverse order, so that nobody always follows the same. `novelty` should
/// differ from run to run. `watch` is told whose round it is.
///
/// # Errors
/// A contestant cannot be reached; what was measured before is lost.
pub fn rounds(
    scenario: &Scenario,
    contestants: &[Contestant],
    novelty: u64,
    stop: &Arc<AtomicBool>,
    watch: &mut dyn FnMut(&str, u32, Progress),
) -> anyhow::Result<Vec<report::Contestant>> {
    let mut results: Vec<report::Contestant> = contestants
        .iter()
        .map(|it| report::Contestant {
            name: it.name.clone(),
            url: it.url.clone(),
            rounds: Vec::new(),
        })
        .collect();
    for round in 1..=scenario.rounds {
        let mut pairs: Vec<_> = contestants.iter().zip(&mut results).collect();
        if round % 2 == 0 {
            pairs.reverse();
        }
        let many = count(pairs.len());
        for (number, (contestant, result)) in (0_u64..).zip(pairs) {
            if stop.load(Ordering::Relaxed) {
                return Ok(results);
            }
            let mut watcher = Watcher {
                progress: &mut |progress| watch(&contestant.name, round, progress),
                stop: Arc::clone(stop),
                enough: Arc::default(),
                witness: None,
            };
            let novelty = novelty.wrapping_add(u64::from(round) * many + number);
            let summary = run(scenario, contestant, novelty, &mut watcher)
                .map_err(|error| error.context(format!("{} ({})", contestant.name, contestant.url)))?;
            result.rounds.push(summary);
        }
    }
    Ok(results)
}
