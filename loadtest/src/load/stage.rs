//! Processes that a run needs beside the generator: started on loopback, ended by their own process id when the run
//! is over, also when it fails.

mod nginx;

use std::io::{BufRead as _, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};

pub use nginx::Nginx;

/// How long a process may take to start, and to end once it was asked to.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A process of ours. Dropping it ends it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
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
        })
    }

    /// Starts a program and waits for a line on its standard error that `find` finds something in.
    ///
    /// # Errors
    /// It cannot be started, or ends or takes too long without such a line; what it said last is told.
    pub fn start_and_hear<T: Send + 'static>(
        name: &str,
        command: &mut Command,
        find: impl Fn(&str) -> Option<T> + Send + 'static,
    ) -> anyhow::Result<(Self, T)> {
        let mut process = Self::start(name, command.stdout(Stdio::null()).stderr(Stdio::piped()))?;
        let output = process.child.stderr.take().context("standard error is piped")?;
        let (heard, hear) = mpsc::sync_channel(1);
        thread::spawn(move || listen(output, &find, &heard));
        match hear.recv_timeout(PATIENCE) {
            Ok(Ok(found)) => Ok((process, found)),
            Ok(Err(last)) => anyhow::bail!("{name} has ended: {last}"),
            Err(_silence) => anyhow::bail!("{name} does not say that it is ready"),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until somebody listens on `addr`.
    ///
    /// # Errors
    /// The process ends, or nobody does in time.
    pub fn wait_for(&mut self, addr: SocketAddr) -> anyhow::Result<()> {
        let mut waited = Duration::ZERO;
        while waited < PATIENCE {
            if TcpStream::connect_timeout(&addr, PATIENCE).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("{} has ended: {status}", self.name);
            }
            thread::sleep(LOOK_EVERY);
            waited += LOOK_EVERY;
        }
        anyhow::bail!("{} does not listen on {addr}", self.name)
    }
}

impl Drop for Process {
    /// Asks it to end, and ends it if it does not.
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let asked = pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
        let mut waited = Duration::ZERO;
        while asked && waited < PATIENCE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(LOOK_EVERY);
            waited += LOOK_EVERY;
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
    heard: &mpsc::SyncSender<Result<T, String>>,
) {
    let (mut last, mut is_found) = (String::new(), false);
    for line in BufReader::new(output).lines() {
        let Ok(line) = line else { continue };
        if is_found {
            continue;
        }
        if let Some(found) = find(&line) {
            is_found = true;
            // Nobody waits any more: then nobody needs it.
            let _ = heard.try_send(Ok(found));
        }
        last = line;
    }
    if !is_found {
        let _ = heard.try_send(Err(last));
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
        let path = std::env::temp_dir().join(format!("tollgate-bench-{name}-{}", std::process::id()));
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
        let (process, found) =
            Process::start_and_hear("sh", Command::new("sh").args(["-c", script]), find).expect("ready");
        assert_eq!(found, "7");
        let pid = process.pid();
        drop(process);
        assert_eq!(crate::load::proc::usage(pid), None);
    }

    #[test]
    fn a_process_that_ends_before_it_is_ready_tells_why() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such file >&2"]);
        let error = Process::start_and_hear("sh", &mut command, |_| None::<()>).expect_err("it ends");
        assert!(
            error.to_string().contains("sh has ended: no such file"),
            "{error}"
        );
        assert!(Process::start("x", &mut Command::new("/nonexistent/program")).is_err());
    }
}
