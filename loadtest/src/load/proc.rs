//! CPU time and memory of a process and its children, from `/proc`. Elsewhere than on Linux there is nothing to read,
//! and nothing is reported.

use std::fs;
use std::time::Duration;

/// The kernel counts CPU time of processes in hundredths of a second, on every architecture that we know.
const TICKS_PER_SECOND: u32 = 100;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Usage {
    /// CPU time since its start: in nanoseconds, or in steps of 10 ms where threads of it have ended.
    pub(crate) cpu: Duration,
    /// Resident memory in MiB.
    pub(crate) rss_mib: f64,
}

/// What a process and its direct children have used. `None`: there is no such process, or no `/proc`.
pub(crate) fn usage(pid: u32) -> Option<Usage> {
    let mut total = of_one(pid)?;
    for child in children(pid) {
        // A child may just have ended.
        let more = of_one(child).unwrap_or_default();
        total.cpu += more.cpu;
        total.rss_mib += more.rss_mib;
    }
    Some(total)
}

/// CPU time of the calling thread since its start, in nanoseconds. `None`: not to be read here.
pub(crate) fn thread_cpu() -> Option<Duration> {
    running(&fs::read_to_string("/proc/thread-self/schedstat").ok()?)
}

fn of_one(pid: u32) -> Option<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(Usage {
        cpu: exact(cpu(&stat)?, of_threads(pid)),
        rss_mib: rss_mib(&status).unwrap_or(0.0),
    })
}

/// CPU time of the threads that are alive: exact, but without those that have ended.
fn of_threads(pid: u32) -> Option<Duration> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
    let times = tasks.filter_map(|task| running(&fs::read_to_string(task.path().join("schedstat")).ok()?));
    Some(times.sum())
}

/// The exact sum where it agrees with the one in ticks, of which user and system time are each cut off by up to one.
fn exact(ticks: Duration, threads: Option<Duration>) -> Duration {
    let slack = Duration::from_millis(3 * 1000 / u64::from(TICKS_PER_SECOND));
    threads
        .filter(|sum| *sum >= ticks && *sum < ticks + slack)
        .unwrap_or(ticks)
}

/// The first field of `schedstat`: time on a processor, in nanoseconds.
fn running(schedstat: &str) -> Option<Duration> {
    Some(Duration::from_nanos(schedstat.split(' ').next()?.parse().ok()?))
}

/// User and system time: the 14th and 15th field. The second one is the program's name, which may hold anything.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(
        ticks.saturating_mul(1000 / u64::from(TICKS_PER_SECOND)),
    ))
}

fn rss_mib(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u32 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(f64::from(kib) / 1024.0)
}

fn children(pid: u32) -> Vec<u32> {
    // Of every thread: each lists the children that it started.
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_ascii_whitespace()
                .filter_map(|it| it.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_be_called_anything() {
        let stat = "12 (a) R (b) S 1 12 12 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 100 1000 10 0";
        assert_eq!(cpu(stat), Some(Duration::from_secs(3)));
        assert_eq!(cpu("nonsense"), None);
        assert_eq!(cpu("1 (x) R 1"), None);
        assert_eq!(rss_mib("Name: x\nVmRSS:\t    2048 kB\n"), Some(2.0));
        assert_eq!(rss_mib("Name: x\n"), None);
    }

    #[test]
    fn ticks_are_refined_only_by_a_sum_that_agrees_with_them() {
        let millis = Duration::from_millis;
        assert_eq!(exact(millis(250), Some(millis(263))), millis(263));
        assert_eq!(
            exact(millis(250), Some(millis(90))),
            millis(250),
            "a thread has ended"
        );
        assert_eq!(exact(millis(250), Some(millis(900))), millis(250));
        assert_eq!(exact(millis(250), None), millis(250));
        assert_eq!(running("12345 6 7\n"), Some(Duration::from_nanos(12345)));
        assert_eq!(running(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_there_and_another_is_not() {
        let own = usage(std::process::id()).expect("this process");
        assert!(own.rss_mib > 0.1);
        assert_eq!(usage(u32::MAX - 1), None);
        assert!(thread_cpu().expect("this thread") > Duration::ZERO);
    }
}
