//! Counts of what became of pairs, by mode, kind and guard.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Serialize;
use tollgate_cache::verify::Guard;
use tollgate_cache::{Cache, Mode, text};

use super::pairs::Pair;
use super::points::{Half, Point, Scored, carried_over, wilson};

/// The modes that compare by meaning, the strictest first.
const MODES: [Mode; 3] = [Mode::Safe, Mode::Balanced, Mode::Aggressive];
/// The shares of different pairs that operating points allow.
const ALLOWED: [f64; 2] = [0.01, 0.02];

/// What became of some pairs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Same pairs.
    pub same: u64,
    /// Same pairs that are hit: right.
    pub hits: u64,
    /// Different pairs.
    pub different: u64,
    /// Different pairs that are hit: wrong.
    pub false_hits: u64,
}

impl Counts {
    fn add(&mut self, same: bool, hit: bool) {
        let (all, hits) = if same {
            (&mut self.same, &mut self.hits)
        } else {
            (&mut self.different, &mut self.false_hits)
        };
        *all += 1;
        *hits += u64::from(hit);
    }
}

/// Counts with what follows from them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shares {
    /// What was counted.
    #[serde(flatten)]
    pub counts: Counts,
    /// Of the hits, so many are right. `None`: there are none.
    pub precision: Option<f64>,
    /// The interval of 95 % of it.
    pub precision_95: Option<(f64, f64)>,
    /// Of the same pairs, so many are hit. `None`: there are none.
    pub recall: Option<f64>,
    /// Of the different pairs, so many are hit. `None`: there are none.
    pub false_hit_rate: Option<f64>,
    /// The interval of 95 % of it.
    pub false_hit_rate_95: Option<(f64, f64)>,
}

impl From<Counts> for Shares {
    fn from(counts: Counts) -> Self {
        let all_hits = counts.hits + counts.false_hits;
        Self {
            counts,
            precision: share(counts.hits, all_hits),
            precision_95: wilson(counts.hits, all_hits),
            recall: share(counts.hits, counts.same),
            false_hit_rate: share(counts.false_hits, counts.different),
            false_hit_rate_95: wilson(counts.false_hits, counts.different),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of pairs, far below 2^52")]
fn share(of: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| of as f64 / all as f64)
}

/// What a reason has kept from being hit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Stopped {
    /// Same pairs in which it is the first reason.
    pub same: u64,
    /// Different pairs in which it is the first reason.
    pub different: u64,
    /// Same pairs in which it is the only one.
    pub same_alone: u64,
    /// Different pairs in which it is the only one.
    pub different_alone: u64,
}

/// How a pair was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// They are one before meaning is looked at.
    folded: bool,
    /// What a lookup would see.
    score: f32,
    /// What it would see if every question were compared.
    raw_score: f32,
    unfit: Option<&'static str>,
    fired: Vec<Guard>,
}

impl Judged {
    /// Judges a pair as a lookup would. `cache` has learned.
    pub fn of(cache: &Cache, pair: &Pair) -> anyhow::Result<Self> {
        let compared = cache
            .explain(&pair.a, &pair.b)
            .context("the models are not ready")?;
        let fired = compared.explanation.fired.iter().map(|fired| fired.guard);
        Ok(Self {
            folded: text::fold(&pair.a) == text::fold(&pair.b),
            score: compared.score(),
            raw_score: compared.explanation.score,
            unfit: compared.unfit.into_iter().flatten().next(),
            fired: fired.collect(),
        })
    }
}

/// Counts pairs as they come.
#[derive(Debug, Default)]
pub struct Tally {
    modes: Vec<(Mode, f32)>,
    all: BTreeMap<&'static str, Counts>,
    kinds: BTreeMap<&'static str, BTreeMap<String, Counts>>,
    unfit: BTreeMap<&'static str, Stopped>,
    guards: BTreeMap<String, Stopped>,
    scored: Vec<Scored>,
    raw: Vec<Scored>,
    pairs: u64,
}

impl Tally {
    /// One that counts in the modes that `wanted` says.
    pub fn new(cache: &Cache, wanted: impl Fn(Mode) -> bool) -> anyhow::Result<Self> {
        let thresholds = cache
            .explain("", "")
            .context("the models are not ready")?
            .thresholds;
        let modes = MODES.into_iter().filter(|mode| wanted(*mode));
        let modes = modes.filter_map(|mode| thresholds.iter().find(|it| it.0 == mode).copied());
        Ok(Self {
            modes: modes.collect(),
            ..Self::default()
        })
    }

    /// Counts a pair.
    pub fn add(&mut self, pair: &Pair, judged: &Judged) {
        self.pairs += 1;
        for (mode, threshold) in &self.modes {
            let hit = judged.folded || judged.score >= *threshold;
            self.all.entry(name(*mode)).or_default().add(pair.same, hit);
            if let Some(kind) = &pair.kind {
                let kinds = self.kinds.entry(name(*mode)).or_default();
                kinds.entry(kind.clone()).or_default().add(pair.same, hit);
            }
        }
        let reasons = usize::from(judged.unfit.is_some()) + judged.fired.len();
        let stop = |stopped: &mut Stopped, first: bool| {
            let (all, alone) = if pair.same {
                (&mut stopped.same, &mut stopped.same_alone)
            } else {
                (&mut stopped.different, &mut stopped.different_alone)
            };
            *all += u64::from(first);
            *alone += u64::from(reasons == 1);
        };
        if !judged.folded {
            if let Some(unfit) = judged.unfit {
                stop(self.unfit.entry(unfit).or_default(), true);
            }
            for (at, guard) in judged.fired.iter().enumerate() {
                let first = at == 0 && judged.unfit.is_none();
                stop(
                    self.guards
                        .entry(format!("{guard:?}").to_lowercase())
                        .or_default(),
                    first,
                );
            }
        }
        let scored = |score| Scored {
            score: if judged.folded { 1.0 } else { score },
            same: pair.same,
            half: Half::of(&pair.a, &pair.b),
        };
        self.scored.push(scored(judged.score));
        self.raw.push(scored(judged.raw_score));
    }

    /// What it has counted.
    pub fn report(self) -> Report {
        let points = |pairs: &[Scored]| {
            ALLOWED
                .iter()
                .filter_map(|allowed| carried_over(pairs, *allowed))
                .collect()
        };
        let modes = self.modes.iter().map(|(mode, threshold)| {
            let name = name(*mode);
            let kinds = self.kinds.get(name).cloned().unwrap_or_default();
            ModeReport {
                mode: name,
                threshold: *threshold,
                all: self.all.get(name).copied().unwrap_or_default().into(),
                kinds: kinds
                    .into_iter()
                    .map(|(kind, counts)| (kind, counts.into()))
                    .collect(),
            }
        });
        Report {
            models: Cache::model_id(),
            pairs: self.pairs,
            modes: modes.collect(),
            points_of_the_cache: points(&self.scored),
            points_of_the_verifier: points(&self.raw),
            unfit: self.unfit,
            guards: self.guards,
        }
    }
}

fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::Off => "off",
        Mode::Exact => "exact",
        Mode::Safe => "safe",
        Mode::Balanced => "balanced",
        Mode::Aggressive => "aggressive",
    }
}

/// All that is known of the pairs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What judged them.
    pub models: String,
    /// How many there were.
    pub pairs: u64,
    /// At the thresholds that ship.
    pub modes: Vec<ModeReport>,
    /// At thresholds chosen here: of what the cache compares.
    pub points_of_the_cache: Vec<Point>,
    /// The same, if every question were compared that the cache would not (it points elsewhere, is code, …).
    pub points_of_the_verifier: Vec<Point>,
    /// Why questions were not compared.
    pub unfit: BTreeMap<&'static str, Stopped>,
    /// What guards have stopped.
    pub guards: BTreeMap<String, Stopped>,
}

/// What is known of a mode.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModeReport {
    /// Which.
    pub mode: &'static str,
    /// Its threshold.
    pub threshold: f32,
    /// Of all pairs.
    pub all: Shares,
    /// Of those of each kind.
    pub kinds: BTreeMap<String, Shares>,
}

#[cfg(test)]
mod tests {
    use super::{Counts, Judged, Mode, Pair, Shares, Stopped, Tally};
    use tollgate_cache::verify::Guard;

    fn pair(number: u32, same: bool) -> Pair {
        Pair {
            a: format!("a{number}"),
            b: format!("b{number}"),
            same,
            kind: Some(if same { "rewrite" } else { "trap" }.to_owned()),
        }
    }

    fn judged(score: f32, fired: &[Guard]) -> Judged {
        Judged {
            folded: false,
            score,
            raw_score: score,
            unfit: None,
            fired: fired.to_vec(),
        }
    }

    #[test]
    fn shares_follow_from_counts_and_of_nothing_there_is_none() {
        let shares = Shares::from(Counts {
            same: 10,
            hits: 4,
            different: 20,
            false_hits: 1,
        });
        assert_eq!(
            (shares.precision, shares.recall, shares.false_hit_rate),
            (Some(0.8), Some(0.4), Some(0.05))
        );
        let nothing = Shares::from(Counts::default());
        assert_eq!(
            (nothing.precision, nothing.recall, nothing.precision_95),
            (None, None, None)
        );
    }

    #[test]
    fn each_pair_counts_once_for_each_mode_kind_and_first_reason() {
        let mut tally = Tally {
            modes: vec![(Mode::Safe, 0.9), (Mode::Balanced, 0.8)],
            ..Tally::default()
        };
        tally.add(&pair(1, true), &judged(0.95, &[]));
        tally.add(&pair(2, true), &judged(0.85, &[]));
        tally.add(&pair(3, false), &judged(0.9, &[]));
        tally.add(&pair(4, false), &judged(0.0, &[Guard::Number, Guard::Unit]));
        tally.add(&pair(5, true), &judged(0.0, &[Guard::Unit]));
        let code = Judged {
            unfit: Some("code"),
            ..judged(0.0, &[Guard::Unit])
        };
        tally.add(&pair(6, true), &code);
        let folded = Judged { folded: true, ..code };
        tally.add(&pair(7, true), &folded);
        let report = tally.report();
        let counts: Vec<Counts> = report.modes.iter().map(|mode| mode.all.counts).collect();
        let of = |hits| Counts {
            same: 5,
            hits,
            different: 2,
            false_hits: 1,
        };
        assert_eq!(counts, [of(2), of(3)]);
        let kinds: Vec<&str> = report.modes[0].kinds.keys().map(String::as_str).collect();
        assert_eq!(kinds, ["rewrite", "trap"]);
        let number = Stopped {
            different: 1,
            ..Stopped::default()
        };
        let unit = Stopped {
            same: 1,
            same_alone: 1,
            ..Stopped::default()
        };
        assert_eq!(
            report.guards.into_iter().collect::<Vec<_>>(),
            [("number".to_owned(), number), ("unit".to_owned(), unit)]
        );
        assert_eq!(
            report.unfit.into_iter().collect::<Vec<_>>(),
            [(
                "code",
                Stopped {
                    same: 1,
                    ..Stopped::default()
                }
            )]
        );
    }
}
