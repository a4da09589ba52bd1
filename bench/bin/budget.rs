//! The gate: counts what each stage takes, and compares it with `bench/budget.toml`.
//!
//!     cargo run --release -p tollgate-bench --bin budget
//!
//! Exits with 1 when a budget is exceeded, or when a figure has no budget. Needs valgrind: without it nothing can be
//! counted, which is an error, or with `--or-skip` a remark. `--write` writes the budgets anew from what was counted.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use tollgate_bench::budget::{Budget, Counted, callgrind, judge};
use tollgate_bench::stages;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const USAGE: &str = "usage: budget [--write] [--or-skip] [--dumps FOLDER] [FILE]

  FILE            the budgets (default: bench/budget.toml)
  --write         write them anew from what is counted
  --or-skip       where valgrind is not installed, say so and be content
  --dumps FOLDER  keep what callgrind writes there, for callgrind_annotate";

/// Asked for by this program of itself.
const MEASURE: &str = "--measure";

#[derive(Default)]
struct Args {
    file: Option<PathBuf>,
    writes: bool,
    may_skip: bool,
    dumps: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    if std::env::args().nth(1).as_deref() == Some(MEASURE) {
        callgrind::measure(stages::all())?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(args) = args(std::env::args().skip(1)) else {
        tell(USAGE);
        return Ok(ExitCode::from(2));
    };
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml");
    let file = args.file.clone().unwrap_or_else(default);
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let budget = Budget::parse(&text).with_context(|| file.display().to_string())?;
    if !callgrind::is_installed() {
        let message =
            "valgrind is not installed: NOTHING WAS COUNTED, and no budget of instructions was checked";
        tell(message);
        return Ok(if args.may_skip {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(2)
        });
    }
    let counted = counted(args.dumps.as_deref())?;
    if args.writes {
        std::fs::write(&file, budget.rewritten(&counted)).with_context(|| file.display().to_string())?;
        tell(&format!("{}: written anew", file.display()));
        return Ok(ExitCode::SUCCESS);
    }
    let judgement = judge(&budget, &counted);
    tell(judgement.to_string().trim_end());
    if judgement.is_good() {
        tell("every budget is kept");
        return Ok(ExitCode::SUCCESS);
    }
    tell(
        "a budget is not kept: make it cheaper, or say in the commit why it must cost that, and write the budgets anew (--write)",
    );
    Ok(ExitCode::FAILURE)
}

/// `None`: not understood.
fn args(mut given: impl Iterator<Item = String>) -> Option<Args> {
    let mut args = Args::default();
    while let Some(arg) = given.next() {
        match arg.as_str() {
            "--write" => args.writes = true,
            "--or-skip" => args.may_skip = true,
            "--dumps" => args.dumps = Some(given.next()?.into()),
            option if option.starts_with('-') => return None,
            file if args.file.is_none() => args.file = Some(file.into()),
            _ => return None,
        }
    }
    Some(args)
}

fn counted(dumps: Option<&Path>) -> anyhow::Result<Counted> {
    let mut program = Command::new(std::env::current_exe()?);
    program.arg(MEASURE);
    if let Some(dumps) = dumps {
        std::fs::create_dir_all(dumps)?;
        return callgrind::count(&mut program, dumps);
    }
    let dumps = std::env::temp_dir().join(format!("tollgate-budget-{}", std::process::id()));
    std::fs::create_dir_all(&dumps)?;
    let counted = callgrind::count(&mut program, &dumps);
    // What cannot be removed is left to the system.
    let _ = std::fs::remove_dir_all(&dumps);
    counted
}

fn tell(text: &str) {
    use std::io::Write as _;
    // Nobody left to tell: the exit status says it too.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
