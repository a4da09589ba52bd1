//! The real binary, as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::stack::scratch_file;

/// How long a process may take until it listens.
const BEGINNING: Duration = Duration::from_secs(60);
/// How long a process may take to end.
const ENDING: Duration = Duration::from_secs(60);

/// A running `tollgate serve`. Killed when dropped.
pub struct Process {
    /// Where its data plane listens.
    pub addr: SocketAddr,
    /// Where its admin listener listens.
    pub admin: SocketAddr,
    /// Its config file.
    pub config_file: PathBuf,
    child: Child,
    stderr: Arc<Mutex<String>>,
    stdout: Arc<Mutex<String>>,
}

/// A process that has ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status; `None`: a signal ended it.
    pub code: Option<i32>,
    /// What it wrote.
    pub stdout: String,
    /// What it wrote.
    pub stderr: String,
}

/// Runs `tollgate ARGS` in `folder` to its end, with `env` and nothing else in its environment.
pub fn run(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Finished {
    run_and(folder, args, env, |_pid| {})
}

/// The same; `meanwhile` is called with its process id once it runs.
pub fn run_and(folder: &Path, args: &[&str], env: &[(&str, &str)], meanwhile: impl FnOnce(u32)) -> Finished {
    let child = command(env).args(args).current_dir(folder).spawn().unwrap();
    meanwhile(child.id());
    finished(child, ENDING)
}

/// The same as [`run`], for what may take `limit`.
pub fn run_within(limit: Duration, folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Finished {
    let child = command(env).args(args).current_dir(folder).spawn().unwrap();
    finished(child, limit)
}

/// Starts `tollgate ARGS`; nobody reads what it says, and nobody ends it.
pub fn spawn(args: &[&str]) -> Child {
    let mut command = command(&[]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
        .args(args)
        .current_dir(std::env::temp_dir())
        .spawn()
        .unwrap()
}

fn finished(mut child: Child, limit: Duration) -> Finished {
    let (stdout, stderr) = (
        gather(child.stdout.take().unwrap()),
        gather(child.stderr.take().unwrap()),
    );
    let code = end_of(&mut child, limit).code();
    let settled = |text: &Arc<Mutex<String>>| {
        // The reader has ended when nobody else holds the text.
        while Arc::strong_count(text) > 1 {
            std::thread::sleep(Duration::from_millis(1));
        }
        text.lock().clone()
    };
    Finished {
        code,
        stdout: settled(&stdout),
        stderr: settled(&stderr),
    }
}

impl Process {
    /// Starts `tollgate serve --config` with this file, and waits until it listens.
    pub fn serve(config: &str, env: &[(&str, &str)]) -> Self {
        let config_file = scratch_file("yaml");
        std::fs::write(&config_file, config).unwrap();
        let file = config_file.to_str().unwrap().to_owned();
        Self::start(&["serve", "--config", &file], env, config_file)
    }

    /// Starts `tollgate ARGS`, and waits until it listens.
    pub fn start(args: &[&str], env: &[(&str, &str)], config_file: PathBuf) -> Self {
        let mut child = command(env)
            .args(args)
            .current_dir(std::env::temp_dir())
            .spawn()
            .unwrap();
        let (stdout, stderr) = (
            gather(child.stdout.take().unwrap()),
            gather(child.stderr.take().unwrap()),
        );
        let deadline = Instant::now() + BEGINNING;
        loop {
            let told = listening(&stderr.lock());
            if let Some((addr, admin)) = told {
                return Self {
                    addr,
                    admin,
                    config_file,
                    child,
                    stderr,
                    stdout,
                };
            }
            let ended = child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "{ended:?}: {}",
                stderr.lock()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal by its name (`TERM`).
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    /// Waits for its end; the exit status.
    pub fn wait(&mut self) -> Option<i32> {
        end_of(&mut self.child, ENDING).code()
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().clone()
    }

    /// What it wrote to standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.lock().clone()
    }

    /// Memory that it occupies, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.config_file);
    }
}

fn command(env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary());
    command.env_clear().envs(env.iter().copied());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn end_of(child: &mut Child, limit: Duration) -> std::process::ExitStatus {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < deadline, "the process does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn gather(from: impl std::io::Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let into = text.clone();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(from);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
            into.lock().push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
    text
}

/// From the line `serving on http://ADDR, admin on http://ADDR`.
fn listening(stderr: &str) -> Option<(SocketAddr, SocketAddr)> {
    let line = stderr.lines().find_map(|line| line.split_once("serving on "))?.1;
    let mut addrs = line.split("://").skip(1).filter_map(|part| {
        let end = part
            .find(|c: char| c != ':' && c != '.' && !c.is_ascii_digit())
            .unwrap_or(part.len());
        part[..end].parse().ok()
    });
    Some((addrs.next()?, addrs.next()?))
}

/// The binary, built once, in the profile and the folder of these tests.
pub fn binary() -> &'static Path {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT
        .get_or_init(build)
        .as_deref()
        .expect("tollgate does not build")
}

/// Builds it; `None`: it does not build. Together with all tests, because what is built for them then fits: by itself it would
/// be asked for other features of its dependencies, and all of those would be built once more.
fn build() -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap();
    let profile_folder = test.parent().unwrap().parent().unwrap();
    let target = profile_folder.parent().unwrap();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    cargo.args(["build", "--quiet", "--workspace", "--tests", "--bin", "tollgate"]);
    if profile_folder.ends_with("release") {
        cargo.arg("--release");
    }
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    cargo
        .arg("--manifest-path")
        .arg(manifest)
        .env("CARGO_TARGET_DIR", target);
    cargo
        .status()
        .unwrap()
        .success()
        .then(|| profile_folder.join("tollgate"))
}
