//! How traffic moves: the time until it is served elsewhere, and until it is back. Pure.

use std::time::Duration;

use crate::load::number::{count, share};

/// Traffic has moved once this share of it has.
const MOVED: f64 = 0.95;
/// And is back once the provider has this part of the share that it had.
const BACK: f64 = 0.8;
/// So many requests in a row are looked at: fewer say nothing.
const LOOKED_AT: usize = 20;
/// Where not so many follow, these do.
const AT_LEAST: usize = 5;
/// What has not lasted so long may be chance.
const LASTING: Duration = Duration::from_secs(2);

/// A request, as far as the course is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    /// When it was due.
    pub(crate) at: Duration,
    /// Whether it is one of those waited for.
    pub(crate) counts: bool,
}

/// The time from `from` until 95 % of the requests count, of those that follow next and of all that follow. `points`:
/// those from then on, in their order. `None`: it does not come to that, or nobody can tell.
pub(crate) fn time_until_moved(from: Duration, points: &[Point]) -> Option<Duration> {
    time_until(from, points, MOVED)
}

/// The time from `from` until the share of the requests that count is at least four fifths of what it was. `None`: it
/// does not come to that, or there was none.
pub(crate) fn time_until_back(from: Duration, points: &[Point], before: f64) -> Option<Duration> {
    if before <= 0.0 {
        return None;
    }
    time_until(from, points, before * BACK)
}

fn time_until(from: Duration, points: &[Point], enough: f64) -> Option<Duration> {
    // How many of the first n count.
    let mut sums = vec![0_u64];
    let mut sum = 0;
    for point in points {
        sum += u64::from(point.counts);
        sums.push(sum);
    }
    let share_of = |first: usize, last: usize| {
        let counting = sums.get(last)?.checked_sub(*sums.get(first)?)?;
        Some(share(counting, count(last - first)))
    };
    let end = points.last().map_or(from, |last| last.at);
    let is_enough = |first: usize| {
        let all = points.len();
        let point = points.get(first)?;
        if !point.counts || all - first < AT_LEAST || end < point.at + LASTING {
            return None;
        }
        let next = share_of(first, all.min(first + LOOKED_AT))?;
        let rest = share_of(first, all)?;
        (next >= enough && rest >= enough).then_some(())
    };
    let first = (0..points.len()).find(|first| is_enough(*first).is_some())?;
    Some(points.get(first)?.at.saturating_sub(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request every 20 ms from second 10 on.
    fn points(counts: impl Fn(u32) -> bool, many: u32) -> Vec<Point> {
        let at = |number| Duration::from_secs(10) + Duration::from_millis(20) * number;
        let point = |number| Point {
            at: at(number),
            counts: counts(number),
        };
        (0..many).map(point).collect()
    }

    const FROM: Duration = Duration::from_secs(10);

    #[test]
    fn traffic_has_moved_when_the_first_of_the_moved_requests_was_due() {
        assert_eq!(
            time_until_moved(FROM, &points(|number| number >= 37, 500)),
            Some(Duration::from_millis(740))
        );
        assert_eq!(
            time_until_moved(FROM, &points(|_| true, 500)),
            Some(Duration::ZERO)
        );
    }

    #[test]
    fn probes_that_fail_do_not_undo_a_move_and_a_relapse_does() {
        let probes = |number| number >= 10 && number % 125 != 100;
        assert_eq!(
            time_until_moved(FROM, &points(probes, 500)),
            Some(Duration::from_millis(200))
        );
        let relapse = |number| (10..200).contains(&number) || number >= 300;
        assert_eq!(
            time_until_moved(FROM, &points(relapse, 500)),
            Some(Duration::from_secs(6))
        );
    }

    #[test]
    fn traffic_that_never_moves_and_too_little_of_it_say_nothing() {
        assert_eq!(
            time_until_moved(FROM, &points(|number| number % 2 == 0, 500)),
            None
        );
        assert_eq!(time_until_moved(FROM, &points(|_| true, 4)), None);
        assert_eq!(time_until_moved(FROM, &[]), None);
        assert_eq!(time_until_moved(FROM, &points(|number| number == 499, 500)), None);
        let at_the_very_end = |number| number >= 470;
        assert_eq!(
            time_until_back(FROM, &points(at_the_very_end, 500), 0.05),
            None,
            "that may be chance"
        );
    }

    #[test]
    fn a_provider_is_back_with_four_fifths_of_its_share() {
        // From a tenth to all over five seconds, as a ramp does.
        let ramp = |number: u32| number.is_multiple_of(250_u32.saturating_sub(number).max(10) / 10);
        let back = time_until_back(FROM, &points(ramp, 1000), 1.0).expect("it comes back");
        assert!(
            (Duration::from_secs(3)..Duration::from_secs(6)).contains(&back),
            "{back:?}"
        );
        let half = |number: u32| number >= 100 && number.is_multiple_of(2);
        assert_eq!(
            time_until_back(FROM, &points(half, 500), 0.6).map(|it| it.as_millis()),
            Some(2000)
        );
        assert_eq!(time_until_back(FROM, &points(half, 500), 0.9), None);
        assert_eq!(time_until_back(FROM, &points(half, 500), 0.0), None);
    }
}
