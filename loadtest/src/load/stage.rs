//! Processes that a run needs beside the generator: started on loopback, ended by their own process id when the run
//! is over, also when it fails.

mod nginx;

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use parking_lot::Mutex;
use rustix::io::Errno;
use rustix::process::{Pid, kill_process, test_kill_process};

pub use nginx::Nginx;
pub use rustix::process::Signal;

/// How long a process may take to start, and to end once it was asked to.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Lines that are kept of what a process says.
const LINES_KEPT: usize = 200;

/// A process of ours. Dropping it ends it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    /// The last lines of the output that is listened to.
    said: Arc<Mutex<VecDeque<String>>>,
}

/// Where a process says that it is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// On standard output; what it writes to standard error goes where ours goes.
    Standard,
    /// On standard error; what it writes to standard output is dropped.
    Error,
}

impl Process {
    /// Starts a program in a process group of its own, so that an interrupt from the terminal reaches it through us.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(name: &str, command: &mut Command) -> anyhow::Result<Self> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            said: Arc::default(),
        })
    }

    /// Starts a program and waits for a line of its output that `find` finds something in.
    ///
    /// # Errors
    /// It cannot be started, or ends or takes too long without such a line; what it said last is told.
    pub fn start_and_hear<T: Send + 'static>(
        name: &str,
        command: &mut Command,
        output: Output,
        find: impl Fn(&str) -> Option<T> + Send + 'static,
    ) -> anyhow::Result<(Self, T)> {
        match output {
            Output::Standard => command.stdout(Stdio::piped()),
            Output::Error => command.stdout(Stdio::null()).stderr(Stdio::piped()),
        };
        let mut process = Self::start(name, command)?;
        let piped: Option<Box<dyn Read + Send>> = match output {
            Output::Standard => process.child.stdout.take().map(|it| Box::new(it) as _),
            Output::Error => process.child.stderr.take().map(|it| Box::new(it) as _),
        };
        let piped = piped.context("its output is piped")?;
        let said = Arc::clone(&process.said);
        let (heard, hear) = mpsc::sync_channel(1);
        thread::spawn(move || listen(piped, &find, &heard, &said));
        match hear.recv_timeout(PATIENCE) {
            Ok(Some(found)) => Ok((process, found)),
            Ok(None) => anyhow::bail!("{name} has ended: {}", process.said()),
            Err(_silence) => anyhow::bail!("{name} does not say that it is ready: {}", process.said()),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The last lines of the output that is listened to, a line each.
    pub fn said(&self) -> String {
        let said = self.said.lock();
        said.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Sends it a signal. `false`: it has ended.
    pub fn signal(&mut self, signal: Signal) -> bool {
        // One that has ended and was waited for has given its number away.
        if !matches!(self.child.try_wait(), Ok(None)) {
            return false;
        }
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    /// Waits for its end, at most so long. `None`: it still runs.
    pub fn wait(&mut self, at_most: Duration) -> Option<ExitStatus> {
        let mut waited = Duration::ZERO;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if waited >= at_most {
                return None;
            }
            thread::sleep(LOOK_EVERY);
            waited += LOOK_EVERY;
        }
    }

    /// Waits until `is_ready`.
    ///
    /// # Errors
    /// The process ends, or that does not come true in time.
    pub fn wait_until(&mut self, is_ready: impl Fn() -> bool) -> anyhow::Result<()> {
        let mut waited = Duration::ZERO;
        while waited < PATIENCE {
            let ready = is_ready();
            // Looked at after that: what is ready may be somebody else's.
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("{} has ended: {status}", self.name);
            }
            if ready {
                return Ok(());
            }
            thread::sleep(LOOK_EVERY);
            waited += LOOK_EVERY;
        }
        anyhow::bail!("{} does not become ready", self.name)
    }
}

impl Drop for Process {
    /// Asks it to end, and ends it if it does not.
    fn drop(&mut self) {
        if self.signal(Signal::TERM) && self.wait(PATIENCE).is_some() {
            return;
        }
        // Nothing can be done where even that fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines until one is found, then goes on reading so that the process never waits for a reader.
fn listen<T>(
    output: impl Read,
    find: &dyn Fn(&str) -> Option<T>,
    heard: &mpsc::SyncSender<Option<T>>,
    said: &Mutex<VecDeque<String>>,
) {
    let mut is_found = false;
    for line in BufReader::new(output).split(b'\n') {
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let found = if is_found { None } else { find(&line) };
        let mut said = said.lock();
        if said.len() >= LINES_KEPT {
            said.pop_front();
        }
        said.push_back(line);
        drop(said);
        if found.is_some() {
            is_found = true;
            // Nobody waits any more: then nobody needs it.
            let _ = heard.try_send(found);
        }
    }
    if !is_found {
        let _ = heard.try_send(None);
    }
}

/// A directory of ours; gone with it.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new, empty directory.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let (folder, start) = (std::env::temp_dir(), format!("tollgate-bench-{name}-"));
        sweep(&folder, &start);
        let path = folder.join(format!("{start}{}", std::process::id()));
        // One of a process of the same number, long gone.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// Removes what processes have left behind that were killed.
fn sweep(folder: &Path, start: &str) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(start)?.parse().ok());
        let is_gone = |pid| test_kill_process(pid) == Err(Errno::SRCH);
        if owner.and_then(Pid::from_raw).is_some_and(is_gone) {
            // Somebody else's, or swept meanwhile: let it lie.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind where it cannot be removed.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A port on loopback that is free now.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_says_is_heard_and_it_ends_with_its_handle() {
        let script = "echo starting >&2; echo ready on 7 >&2; exec sleep 60";
        let find = |line: &str| line.strip_prefix("ready on ").map(str::to_owned);
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let (process, found) =
            Process::start_and_hear("sh", &mut command, Output::Error, find).expect("ready");
        assert_eq!(found, "7");
        assert!(process.said().starts_with("starting"), "{}", process.said());
        let pid = process.pid();
        drop(process);
        assert_eq!(crate::load::proc::usage(pid), None);
    }

    #[test]
    fn what_killed_processes_left_behind_is_swept_and_nothing_else() {
        let folder = Scratch::new("sweep").expect("a directory");
        let mut gone = Command::new("true").spawn().expect("a process");
        gone.wait().expect("it ends");
        let names = [
            format!("left-{}", gone.id()),
            format!("left-{}", std::process::id()),
            "left-behind".to_owned(),
            format!("other-{}", gone.id()),
        ];
        for name in &names {
            std::fs::create_dir(folder.path().join(name)).expect("a directory");
        }
        sweep(folder.path(), "left-");
        let is_there = names.map(|name| folder.path().join(name).exists());
        assert_eq!(is_there, [false, true, true, true]);
    }

    #[test]
    fn a_process_is_signalled_and_waited_for() {
        let script = "trap 'exit 7' USR1; echo ready; while :; do sleep 0.01; done";
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let find = |line: &str| (line == "ready").then_some(());
        let (mut process, ()) =
            Process::start_and_hear("sh", &mut command, Output::Standard, find).expect("ready");
        assert_eq!(process.wait(Duration::ZERO), None);
        assert!(process.signal(Signal::USR1));
        let status = process.wait(PATIENCE).expect("it ends");
        assert_eq!(status.code(), Some(7));
        assert!(!process.signal(Signal::USR1), "it has ended");
    }

    #[test]
    fn a_process_that_has_ended_is_not_ready_whatever_else_is() {
        let mut process = Process::start("true", &mut Command::new("true")).expect("it starts");
        process.wait(PATIENCE).expect("it ends");
        let error = process.wait_until(|| true).expect_err("it has ended");
        assert!(error.to_string().contains("true has ended"), "{error}");
    }

    #[test]
    fn a_process_that_ends_before_it_is_ready_tells_why() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such file >&2"]);
        let error =
            Process::start_and_hear("sh", &mut command, Output::Error, |_| None::<()>).expect_err("it ends");
        assert!(
            error.to_string().contains("sh has ended: no such file"),
            "{error}"
        );
        assert!(Process::start("x", &mut Command::new("/nonexistent/program")).is_err());
    }
}
