//! A plain nginx proxy as the baseline: what a proxy costs that does nothing but pass on.

use std::ffi::OsStr;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use super::{Process, Scratch, free_port};

/// Where distributions put it although it is not on every user's path.
const ELSEWHERE: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"];

/// An nginx with one worker that passes everything on to one upstream.
#[derive(Debug)]
pub struct Nginx {
    // In this order: it ends before its files go.
    process: Process,
    addr: SocketAddr,
    _files: Scratch,
}

impl Nginx {
    /// The program. `None`: it is not on this machine.
    pub fn find() -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        find_in(&path)
    }

    /// Starts it in front of `upstream`. `command` is the program, and whatever it is started through. With `streams`, answers are passed on as they come instead of buffered. `connections`: how many clients at once.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(
        mut command: Command,
        upstream: SocketAddr,
        streams: bool,
        connections: usize,
    ) -> anyhow::Result<Self> {
        let files = Scratch::new("nginx")?;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let config = files.path().join("nginx.conf");
        std::fs::write(&config, text(files.path(), addr, upstream, streams, connections))
            .with_context(|| format!("{} cannot be written", config.display()))?;
        command
            .arg("-c")
            .arg(&config)
            .arg("-e")
            .arg(files.path().join("error.log"));
        let said = files.path().join("stderr");
        let stderr = File::create(&said).with_context(|| format!("{} cannot be made", said.display()))?;
        let mut process = Process::start("nginx", command.stdout(Stdio::null()).stderr(stderr))?;
        // It writes its process id once it listens. That somebody listens on that port shows nothing: it tries for seconds to
        // get one that another process has.
        let pid = files.path().join("pid");
        let is_ready = || std::fs::metadata(&pid).is_ok_and(|file| file.len() > 0);
        process
            .wait_until(is_ready)
            .map_err(|error| anyhow::anyhow!("{error}: {}", last_words(&said)))?;
        Ok(Self {
            process,
            addr,
            _files: files,
        })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The process id of its master.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// What it wrote to standard error, in one line.
fn last_words(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

fn find_in(path: &OsStr) -> Option<PathBuf> {
    let listed = std::env::split_paths(path);
    let folders = listed.chain(ELSEWHERE.map(PathBuf::from));
    folders
        .map(|folder| folder.join("nginx"))
        .find(|program| program.is_file())
}

/// Kept-alive connections on both sides, no access log, nothing written to disk.
fn text(files: &Path, addr: SocketAddr, upstream: SocketAddr, streams: bool, connections: usize) -> String {
    let at = files.display();
    // One to the client and one to the upstream each, and some to spare.
    let connections = connections.saturating_mul(2).saturating_add(64);
    let buffering = if streams { "off" } else { "on" };
    format!(
        "worker_processes 1; daemon off; pid {at}/pid; error_log {at}/error.log;\n\
         events {{ worker_connections {connections}; }}\n\
         http {{\n  access_log off; keepalive_requests 10000000; client_max_body_size 64m;\n  \
         client_body_buffer_size 2m; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;\n  \
         fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;\n  \
         upstream backend {{ server {upstream}; keepalive 256; keepalive_requests 10000000; }}\n  \
         server {{\n    listen {addr}; tcp_nodelay on;\n    location / {{\n      proxy_pass http://backend; \
         proxy_http_version 1.1; proxy_set_header Connection '';\n      proxy_buffering {buffering}; \
         proxy_read_timeout 3600s;\n    }}\n  }}\n}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_for_on_the_path_first() {
        let files = Scratch::new("nginx-path").expect("a directory");
        let fake = files.path().join("nginx");
        std::fs::write(&fake, "").expect("a file");
        assert_eq!(find_in(files.path().as_os_str()), Some(fake));
    }

    #[test]
    fn what_it_said_last_is_told_when_it_does_not_start() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'emerg: no such port' >&2; exit 1"]);
        let upstream = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let error = Nginx::start(command, upstream, false, 10).expect_err("it ends");
        let told = error.to_string();
        assert!(
            told.contains("nginx has ended") && told.contains("emerg: no such port"),
            "{told}"
        );
    }

    #[test]
    fn the_config_passes_everything_on_to_the_upstream() {
        let [own, upstream] = [1111, 2222].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let text = text(Path::new("/files"), own, upstream, true, 100);
        assert!(text.contains("listen 127.0.0.1:1111;"), "{text}");
        assert!(
            text.contains("upstream backend { server 127.0.0.1:2222;"),
            "{text}"
        );
        assert!(text.contains("proxy_buffering off;"), "{text}");
        assert!(text.contains("worker_connections 264;"), "{text}");
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
