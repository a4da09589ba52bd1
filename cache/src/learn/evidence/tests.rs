//! What follows from verdicts: by examples, for all verdicts, and in the long run.

#![expect(
    clippy::float_cmp,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "edges are compared with what they were made of, and all numbers are small and positive"
)]

use proptest::prelude::*;

use super::*;
use Agreement::{Other, Same, Unclear};

const SAFE: usize = 2;
/// Nothing fades.
const FOREVER: f64 = 1.0;

fn shipped() -> Thresholds {
    Thresholds {
        safe: 0.9367,
        balanced: 0.8882,
        aggressive: 0.8223,
    }
}

fn of(verdicts: impl IntoIterator<Item = (usize, Agreement)>, remains: f64) -> Evidence {
    let mut evidence = Evidence::default();
    for (bin, agreement) in verdicts {
        evidence.add_fading(bin, agreement, remains);
    }
    evidence
}

fn thresholds(evidence: &Evidence) -> [usize; 3] {
    [0, 1, SAFE].map(|place| evidence.threshold(place))
}

fn times(bin: usize, agreement: Agreement, count: usize) -> impl Iterator<Item = (usize, Agreement)> + Clone {
    std::iter::repeat_n((bin, agreement), count)
}

#[test]
fn shipped_thresholds_are_edges_and_scores_find_their_bins() {
    let scale = Scale::new(shipped());
    for (place, score) in [(0, 0.8223), (1, 0.8882), (2, 0.9367)] {
        assert_eq!(
            (scale.shipped(place), scale.bin(score)),
            (score, Some(start(place)))
        );
        assert_eq!(scale.bin(score.next_down()), start(place).checked_sub(1));
    }
    assert_eq!(
        [0, 1, 2].map(|place| scale.floor(place)),
        [0.8223, 0.8223, 0.8882]
    );
    assert!(scale.edges.is_sorted_by(|a, b| a < b), "{:?}", scale.edges);
    assert_eq!(scale.bin(1.0), Some(BINS - 1));
    assert_eq!(
        (scale.bin(f32::NAN), scale.bin(-1.0), scale.bin(0.0)),
        (None, None, None)
    );
    assert!(scale.edge(BINS).is_infinite());
}

#[test]
fn a_model_with_odd_thresholds_still_has_a_scale() {
    for odd in [
        [1.0, 1.0, 1.0],
        [0.5, 0.5, 0.5],
        [0.2, 0.5, 0.9],
        [0.0, 0.0, 0.0],
        [2.0, 1.5, 1.2],
    ] {
        let [safe, balanced, aggressive] = odd;
        let scale = Scale::new(Thresholds {
            safe,
            balanced,
            aggressive,
        });
        assert!(
            scale.edges.is_sorted() && scale.edges.iter().all(|it| it.is_finite()),
            "{odd:?}"
        );
        assert_eq!(scale.shipped(0), aggressive);
        for score in [0.0, 0.5, 1.0] {
            assert!(scale.bin(score).is_none_or(|bin| bin < BINS));
        }
    }
}

#[test]
fn without_verdicts_and_with_few_the_shipped_thresholds_hold() {
    assert_eq!(thresholds(&Evidence::default()), [0, 4, 8]);
    let one_wrong = of(times(9, Other, 1).chain(times(9, Same, 3)), REMAINS);
    assert_eq!(thresholds(&one_wrong), [0, 4, 8]);
}

#[test]
fn wrong_answers_close_and_right_ones_at_those_scores_open_again() {
    let mut evidence = of(times(9, Other, 5), REMAINS);
    assert_eq!(thresholds(&evidence), [BINS; 3], "nothing above is proven");
    // Right ones elsewhere do not help what is in doubt; they may prove what is above it.
    for (bin, agreement) in times(11, Same, 400).chain(times(0, Same, 400)) {
        evidence.add(bin, agreement);
    }
    assert_eq!(evidence.threshold(SAFE), 10, "above the doubt it is proven");
    let mut needed = 0;
    while evidence.threshold(SAFE) > 8 {
        evidence.add(9, Same);
        needed += 1;
        assert!(needed < 3_000, "it never opens again");
    }
    assert!(
        needed > 500,
        "five wrong ones are made up for by {needed} right ones"
    );
}

#[test]
fn a_threshold_comes_down_bin_by_bin_where_that_is_proven_and_stops_at_its_floor() {
    let proven = |bins: std::ops::Range<usize>| of(bins.flat_map(|bin| times(bin, Same, 299)), FOREVER);
    assert_eq!(proven(7..8).threshold(SAFE), 7);
    assert_eq!(proven(6..8).threshold(SAFE), 6);
    assert_eq!(
        proven(0..8).threshold(SAFE),
        4,
        "no further than what balanced ships with"
    );
    assert_eq!(
        proven(4..7).threshold(SAFE),
        8,
        "not past a bin that is not proven"
    );
    assert_eq!(
        of(times(7, Same, 298), FOREVER).threshold(SAFE),
        8,
        "one is missing"
    );
    let unclear = of(times(7, Same, 400).chain(times(7, Unclear, 10)), FOREVER);
    assert_eq!(
        unclear.threshold(SAFE),
        8,
        "what is unclear counts as wrong below the shipped threshold"
    );
    let above = of(times(9, Same, 10).chain(times(9, Unclear, 400)), FOREVER);
    assert_eq!(above.threshold(SAFE), 8, "and not at all above it");
}

#[test]
fn old_verdicts_fade_by_new_ones_alone() {
    let mut evidence = of(times(9, Other, 50), REMAINS);
    for (bin, agreement) in times(9, Unclear, 100_000).chain(times(3, Same, 100_000)) {
        evidence.add(bin, agreement);
    }
    assert_eq!(
        evidence.threshold(SAFE),
        BINS,
        "neither what is unclear nor what is elsewhere opens"
    );
    for (bin, agreement) in times(9, Same, 10_000) {
        evidence.add(bin, agreement);
    }
    assert_eq!(evidence.threshold(SAFE), 8, "what was is forgotten at last");
}

fn agreement() -> impl Strategy<Value = Agreement> {
    prop_oneof![8 => Just(Same), 1 => Just(Unclear), 1 => Just(Other)]
}

/// Runs of the same verdict: single ones hardly reach what decides.
fn verdicts() -> impl Strategy<Value = Vec<(usize, Agreement)>> {
    let run =
        (0..BINS, agreement(), prop_oneof![1usize..6, 50usize..400]).prop_map(|(bin, agreement, count)| {
            let count = if agreement == Same { count } else { count.min(5) };
            (bin, agreement, count)
        });
    prop::collection::vec(run, 0..24).prop_map(|runs| {
        let all = runs
            .into_iter()
            .flat_map(|(bin, agreement, count)| times(bin, agreement, count));
        all.collect()
    })
}

/// The lower bound of precision, found by halving: an independent way to what [`upholds`] says.
fn lower_bound(all: u64, wrong: u64) -> f64 {
    let probability = |chance: f64| -> f64 {
        let mut term = (1.0 - chance).powf(all as f64);
        let mut sum = term;
        for k in 0..wrong {
            term *= (all - k) as f64 / (k + 1) as f64 * chance / (1.0 - chance);
            sum += term;
        }
        sum
    };
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if probability(middle) > 0.05 {
            low = middle;
        } else {
            high = middle;
        }
    }
    1.0 - high
}

proptest! {
    #[test]
    fn right_verdicts_never_raise_and_wrong_ones_never_lower(before in verdicts(), bin in 0..BINS, fades: bool) {
        let evidence = of(before, if fades { REMAINS } else { FOREVER });
        let after = |agreement| {
            let mut evidence = evidence.clone();
            evidence.add_fading(bin, agreement, FOREVER);
            thresholds(&evidence)
        };
        let (now, right, unclear, wrong) = (thresholds(&evidence), after(Same), after(Unclear), after(Other));
        for place in 0..3 {
            prop_assert!(right[place] <= now[place] && now[place] <= wrong[place]);
            prop_assert!(now[place] <= unclear[place], "what is unclear never lowers");
        }
    }

    #[test]
    fn the_order_does_not_matter_where_nothing_fades(verdicts in verdicts(), seed: u64) {
        let mut shuffled = verdicts.clone();
        let mut state = seed;
        for at in (1..shuffled.len()).rev() {
            shuffled.swap(at, (random(&mut state) % (at as u64 + 1)) as usize);
        }
        prop_assert_eq!(thresholds(&of(verdicts, FOREVER)), thresholds(&of(shuffled, FOREVER)));
    }

    #[test]
    fn no_bin_is_admitted_below_the_shipped_threshold_without_proof_nor_any_that_is_disproved(verdicts in verdicts()) {
        let evidence = of(verdicts, FOREVER);
        for place in 0..3 {
            let threshold = evidence.threshold(place);
            prop_assert!((floor(place)..=BINS).contains(&threshold));
            for bin in threshold..BINS {
                let Weights { same, unclear, other } = evidence.bins[bin];
                if bin < start(place) {
                    let bound = lower_bound((same + unclear + other) as u64, (unclear + other) as u64);
                    prop_assert!(bound >= target(place) - 1e-9, "bin {bin} of {same} {unclear} {other}: {bound}");
                }
                if other >= 4.0 {
                    let bound = lower_bound((same + other) as u64, other as u64);
                    prop_assert!(bound >= target(place) - 1e-9, "bin {bin} of {same} {other}: {bound}");
                }
            }
        }
    }

    #[test]
    fn all_wrong_closes_all_wherever_the_scores_are(bins in prop::collection::vec(start(SAFE)..BINS, 8..100)) {
        let evidence = of(bins.into_iter().map(|bin| (bin, Other)), REMAINS);
        prop_assert_eq!(thresholds(&evidence), [BINS; 3]);
    }

    #[test]
    fn weights_stay_finite_and_bounded(verdicts in verdicts(), count in 1usize..5_000) {
        let all = verdicts.into_iter().chain(times(5, Other, count));
        let evidence = of(all, REMAINS);
        for bin in evidence.bins {
            for weight in [bin.same, bin.unclear, bin.other] {
                prop_assert!(weight.is_finite() && (0.0..=WINDOW).contains(&weight));
            }
        }
    }
}

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut it = *state;
    it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    it ^ (it >> 31)
}

fn chance(state: &mut u64) -> f64 {
    (random(state) >> 11) as f64 / (1u64 << 53) as f64
}

/// A class in use: questions come with scores in all bins that a mode may serve, and an answer at a bin is right as often
/// as `precision` says. A share of what would be served is compared, and all that is near. What was served in all, and
/// what was wrong of it.
fn lived(
    place: usize,
    precision: impl Fn(usize) -> f64,
    recheck: f64,
    questions: usize,
    seed: u64,
) -> (u64, u64) {
    let (mut evidence, mut state) = (Evidence::default(), seed);
    let (mut served, mut wrong) = (0, 0);
    let mut threshold = evidence.threshold(place);
    let span = (BINS - floor(place)) as u64;
    for _ in 0..questions {
        let bin = floor(place) + (random(&mut state) % span) as usize;
        let is_right = chance(&mut state) < precision(bin);
        if bin >= threshold && chance(&mut state) >= recheck {
            served += 1;
            wrong += u64::from(!is_right);
        } else {
            evidence.add(bin, if is_right { Same } else { Other });
            threshold = evidence.threshold(place);
        }
    }
    (served, wrong)
}

#[test]
fn in_the_long_run_no_more_is_wrong_than_promised_whatever_is_near() {
    for place in [0, 1, SAFE] {
        let allowed = 1.0 - target(place);
        // What ships is as good as promised; what is near is a little or much worse, or good in part.
        let worlds: [fn(usize, usize, f64) -> f64; 4] = [
            |bin, start, allowed| {
                if bin < start {
                    1.0 - 3.0 * allowed
                } else {
                    1.0 - allowed / 3.0
                }
            },
            |bin, start, allowed| {
                if bin < start {
                    1.0 - 1.5 * allowed
                } else {
                    1.0 - allowed / 3.0
                }
            },
            |bin, start, allowed| if bin < start { 0.5 } else { 1.0 - allowed / 2.0 },
            |bin, start, allowed| if bin + 2 < start { 0.5 } else { 1.0 - allowed / 4.0 },
        ];
        for (number, world) in worlds.iter().enumerate() {
            let mut over = 0;
            for seed in 0..20 {
                let precision = |bin| world(bin, start(place), allowed);
                let (served, wrong) = lived(place, precision, 0.1, 30_000, seed);
                assert!(served > 1_000, "world {number} of {place}: something is served");
                over += usize::from(wrong as f64 > served as f64 * allowed);
            }
            assert!(over <= 1, "world {number} of {place}: {over} of 20 lives");
        }
    }
}

#[test]
fn what_is_much_worse_than_promised_is_served_a_few_times_and_then_no_more() {
    for place in [0, 1, SAFE] {
        for seed in 0..20 {
            let (served, wrong) = lived(place, |_| 0.5, 0.1, 4_000, seed);
            assert!(
                served < 500 && wrong < 300,
                "mode {place}, life {seed}: {wrong} of {served}"
            );
        }
    }
}

#[test]
fn what_is_better_than_it_ships_for_is_served_more() {
    let served = |recheck: f64| lived(SAFE, |_| 0.9995, recheck, 60_000, 1).0;
    // Half of all questions are above the shipped threshold.
    assert!(served(0.05) > 40_000, "{}", served(0.05));
}
