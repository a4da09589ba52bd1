//! Rounds of several contestants, interleaved: whatever else the machine does in the meantime, it does to all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::drive::{Contestant, reach, run};
use super::number::count;
use super::report;
use super::scenario::Scenario;
use super::watch::{Progress, Watcher};

/// What rounds came to.
#[derive(Debug)]
pub struct Measured {
    /// Of each contestant, the rounds that were measured.
    pub contestants: Vec<report::Contestant>,
    /// Why there are no more of them. `None`: there are all, or the run was stopped.
    pub ended_by: Option<anyhow::Error>,
}

/// Runs all rounds; every second one in reverse order, so that nobody always follows the same. `novelty` should
/// differ from run to run. `watch` is told whose round it is.
///
/// # Errors
/// A contestant cannot be reached before the first round. One that cannot later ends the run, and what was measured until
/// then is kept.
pub fn rounds(
    scenario: &Scenario,
    contestants: &[Contestant],
    novelty: u64,
    stop: &Arc<AtomicBool>,
    watch: &mut dyn FnMut(&str, u32, Progress),
) -> anyhow::Result<Measured> {
    let whose = |contestant: &Contestant, error: anyhow::Error| {
        error.context(format!("{} ({})", contestant.name, contestant.url))
    };
    for contestant in contestants {
        reach(scenario, contestant).map_err(|error| whose(contestant, error))?;
    }
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
                return Ok(Measured {
                    contestants: results,
                    ended_by: None,
                });
            }
            let mut watcher = Watcher {
                progress: &mut |progress| watch(&contestant.name, round, progress),
                stop: Arc::clone(stop),
                enough: Arc::default(),
                witness: None,
            };
            let novelty = novelty.wrapping_add(u64::from(round) * many + number);
            match run(scenario, contestant, novelty, &mut watcher) {
                Ok(summary) => result.rounds.push(summary),
                Err(error) => {
                    return Ok(Measured {
                        contestants: results,
                        ended_by: Some(whose(contestant, error)),
                    });
                }
            }
        }
    }
    Ok(Measured {
        contestants: results,
        ended_by: None,
    })
}
