//! Counting with valgrind's callgrind: this program is run once more under it, and its dumps are read.
//!
//! Callgrind knows functions by their names, so that nothing has to be called to tell it where a measurement begins:
//! it forgets what it has counted whenever [`in_a_measurement`] is entered, and writes it down when that is left. Each
//! thread is counted by itself, and only the one that measures is looked at. Allocations are calls of the allocator.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use super::{Counted, Counts};
use crate::stages::Stage;

/// Matches the name of [`in_a_measurement`] as callgrind shows it, and no other. A star at the end would match nothing.
const MEASUREMENT: &str = "*::in_a_measurement";
/// How memory is asked for: what jemalloc is called by for `alloc`, `alloc_zeroed` and `realloc`.
const ALLOCATORS: [&str; 5] = [
    "_rjem_malloc",
    "_rjem_mallocx",
    "_rjem_calloc",
    "_rjem_realloc",
    "_rjem_rallocx",
];

/// Runs `work`, and is known by its name.
#[inline(never)]
pub fn in_a_measurement(work: &mut dyn FnMut()) {
    work();
    // Something to come back to: a jump into `work` would never leave this function.
    std::hint::black_box(());
}

/// Takes the measurements, under callgrind, and names each in one line of standard output: what the outer process reads.
pub fn measure(stages: Vec<Stage>) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    for mut stage in stages {
        stage.warm_up();
        stage.run(stage.times, &mut in_a_measurement);
        writeln!(out, "{} {}", stage.times, stage.name)?;
    }
    Ok(())
}

/// Whether callgrind is here.
pub fn is_installed() -> bool {
    let asked = Command::new("valgrind").arg("--version").output();
    asked.is_ok_and(|output| output.status.success())
}

/// Runs `program` under callgrind, which is to [`measure`], and reads what was counted. `dumps` is an empty folder; what
/// callgrind has written stays there.
pub fn count(program: &mut Command, dumps: &Path) -> anyhow::Result<Counted> {
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args([
            "--tool=callgrind",
            "--separate-threads=yes",
            "--dump-line=no",
            "--quiet",
        ])
        .arg(format!("--zero-before={MEASUREMENT}"))
        .arg(format!("--dump-after={MEASUREMENT}"))
        .arg(format!("--callgrind-out-file={}", dumps.join("out").display()))
        .arg(program.get_program())
        .args(program.get_args());
    let output = valgrind.output().context("valgrind does not start")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::bail!("the measured program has ended with {}:\n{said}", output.status);
    }
    let named = String::from_utf8(output.stdout).context("what was measured is not text")?;
    let mut counted = Counted::new();
    for (number, line) in named.lines().enumerate() {
        let (times, name) = line.split_once(' ').context("a measurement without a name")?;
        let file = dumps.join(format!("out.{}-01", number + 1));
        let dump = std::fs::read_to_string(&file)
            .with_context(|| format!("no dump of {name}: {}", file.display()))?;
        let counts = read(&dump, times.parse()?).with_context(|| format!("the dump of {name}"))?;
        counted.insert(name.to_owned(), counts);
    }
    let strays = dumps.join(format!("out.{}-01", counted.len() + 1));
    anyhow::ensure!(!strays.exists(), "there are more dumps than measurements");
    let nothing = counted.values().all(|counts| counts.allocations == 0.0);
    anyhow::ensure!(
        !nothing,
        "no allocation was seen at all: the allocator's functions have other names than {ALLOCATORS:?}"
    );
    Ok(counted)
}

/// What a dump says of a measurement of so many times.
fn read(dump: &str, times: f64) -> anyhow::Result<Counts> {
    let instructions: u64 = dump
        .lines()
        .find_map(|line| {
            line.strip_prefix("summary: ")
                .or_else(|| line.strip_prefix("totals: "))
        })
        .context("no summary")?
        .trim()
        .parse()?;
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let each = |count: u64| count as f64 / times;
    Ok(Counts {
        instructions: each(instructions),
        allocations: each(allocations(dump)),
    })
}

/// Calls of the allocator by somebody else than the allocator.
fn allocations(dump: &str) -> u64 {
    let mut names = HashMap::new();
    let (mut caller, mut target) = (String::new(), String::new());
    let mut total = 0;
    for line in dump.lines() {
        if let Some(function) = line.strip_prefix("fn=") {
            caller = name(function, &mut names);
        } else if let Some(function) = line.strip_prefix("cfn=") {
            target = name(function, &mut names);
        } else if let Some(calls) = line.strip_prefix("calls=") {
            let calls = calls
                .split(' ')
                .next()
                .and_then(|count| count.parse::<u64>().ok());
            if ALLOCATORS.contains(&&*target) && !caller.starts_with("_rjem_") {
                total += calls.unwrap_or(0);
            }
        }
    }
    total
}

/// A function's name: `(7) name` when it is first told, `(7)` from then on; without callgrind's mark of a recursion.
fn name(told: &str, names: &mut HashMap<String, String>) -> String {
    let (number, name) = match told.split_once(") ") {
        Some((number, name)) => (number, Some(name)),
        None => (told.trim_end_matches(')'), None),
    };
    let known = names.entry(number.to_owned()).or_default();
    if let Some(name) = name {
        name.split('\'').next().unwrap_or(name).clone_into(known);
    }
    known.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two requests: one allocation each by `plan`, one by `serve` in both together, and the allocator's own.
    const DUMP: &str = "# callgrind format\nversion: 1\npart: 1\n\npositions: line\nevents: Ir\nsummary: 4200\n\n\
        ob=(1) bench\nfl=(1) plan.rs\nfn=(1) tollgate::plan\n0 100\ncob=(1)\ncfi=(2) alloc.c\ncfn=(2) _rjem_malloc\n\
        calls=2 0 \n0 80\n\nfn=(3) tollgate::serve\n0 500\ncfn=(1)\ncalls=2 0 \n0 180\ncfn=(4) _rjem_realloc'2\n\
        calls=1 0 \n0 9\ncfn=(5) _rjem_sdallocx\ncalls=3 0 \n0 9\n\nfn=(4)\n0 5\ncfn=(2)\ncalls=1 0 \n0 40\n\ntotals: 4200\n";

    #[test]
    fn a_dump_tells_instructions_and_allocations() {
        let counts = read(DUMP, 2.0).unwrap();
        assert_eq!((counts.instructions, counts.allocations), (2_100.0, 1.5));
    }

    #[test]
    fn a_dump_without_a_summary_is_an_error() {
        for broken in ["", "version: 1\n", "summary: \n", "summary: many\n"] {
            assert!(read(broken, 2.0).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn a_measurement_runs_what_it_is_given_once() {
        let mut runs = 0;
        in_a_measurement(&mut || runs += 1);
        assert_eq!(runs, 1);
    }
}
