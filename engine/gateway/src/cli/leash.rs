//! `tollgate leash`, which is for this program alone: becomes another program that ends when the process that started
//! it does, however that ends, and that runs on the cores it was told. So a run that is killed leaves nothing behind.
//!
//! Process ids stay: the program replaces this one. On systems without a signal at the parent's end it only starts it.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context as _;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The process that starts this one.
    #[arg(long, value_name = "PID")]
    parent: u32,
    /// The cores to run on; without it, any.
    #[arg(long, value_delimiter = ',')]
    cores: Vec<usize>,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// A command that starts `program` on a leash; arguments are added to it as to any command.
///
/// The leash is held by the thread that starts it: one that outlives the child, such as the main thread.
///
/// # Errors
/// This program's own file is not known.
pub(super) fn leashed(program: &Path, cores: &[usize]) -> anyhow::Result<Command> {
    let own = std::env::current_exe().context("this program's own file")?;
    let mut command = Command::new(own);
    command.args(["leash", "--parent", &std::process::id().to_string()]);
    if !cores.is_empty() {
        let cores: Vec<_> = cores.iter().map(ToString::to_string).collect();
        command.arg("--cores").arg(cores.join(","));
    }
    command.arg("--").arg(program);
    Ok(command)
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    super::cores::stay_on(&args.cores)?;
    if !end_with(args.parent)? {
        return Ok(ExitCode::FAILURE);
    }
    let (program, rest) = args.command.split_first().context("a program")?;
    let error = std::os::unix::process::CommandExt::exec(Command::new(program).args(rest));
    Err(error).with_context(|| format!("{} cannot be started", program.display()))
}

/// Asks for a signal at the parent's end. `false`: it has ended already.
#[cfg(target_os = "linux")]
fn end_with(parent: u32) -> anyhow::Result<bool> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    // Nobody waits for it any more: it need not finish what it does.
    set_parent_process_death_signal(Some(Signal::KILL)).context("a signal at the parent's end")?;
    let now = getppid().and_then(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok());
    Ok(now == Some(parent))
}

#[cfg(not(target_os = "linux"))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "it may fail where there is such a signal"
)]
fn end_with(_parent: u32) -> anyhow::Result<bool> {
    Ok(true)
}
