//! A gateway on real sockets whose providers are not there, and the client to ask it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;
use tollgate_actors::ConfigSource;
use tollgate_routing::Board;

/// Providers at a port where nobody listens.
const CONFIG: &str = r#"
server: { listen: "127.0.0.1:0", workers: 2 }
telemetry: { access_log: "off" }
providers:
  west: { kind: openai, base_url: "http://127.0.0.1:9/v1", api_key: "key-of-west-000", region: us }
  east: { kind: anthropic, base_url: "http://127.0.0.1:9", api_key: "key-of-east-000" }
models:
  fast:
    targets: [ { provider: west, model: m }, { provider: east, model: claude-haiku-4-5, priority: 1 } ]
    aliases: [ quick ]
    fallbacks: [ slow ]
  slow: { targets: [ { provider: west, model: gpt-4o } ] }
  "local/*": { targets: [ { provider: west } ] }
"#;
const ADMIN: &str = "admin: { listen: \"127.0.0.1:0\" }\n";

/// A gateway; it ends with this.
pub(super) struct Stack {
    addr: SocketAddr,
    admin: SocketAddr,
    file: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Stack {
    pub(super) fn start() -> Self {
        Self::with(ADMIN)
    }

    /// With another `admin` part in the config.
    pub(super) fn with(admin: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = std::env::temp_dir().join(format!("tollgate-admin-{}-{number}.yaml", std::process::id()));
        std::fs::write(&file, format!("{CONFIG}{admin}")).unwrap();
        let source = ConfigSource::File(file.clone());
        let (started, starting) = mpsc::sync_channel(1);
        let (stop, stopping) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let board = Arc::new(Board::default());
                let settings = source
                    .load(1, &board)
                    .unwrap_or_else(|problems| panic!("{problems}"));
                let gateway = crate::Gateway::start(source, settings, board).unwrap();
                started.send((gateway.addr(), gateway.admin_addr())).unwrap();
                let _ = stopping.await;
                gateway.drain().await;
            });
        });
        let (addr, admin) = starting.recv().expect("the gateway did not start");
        Self {
            addr,
            admin,
            file,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(super) fn get(&self, path: &str) -> (u16, Value) {
        exchange(self.admin, "GET", path, "", "").json()
    }

    pub(super) fn keyed(&self, key: &str, path: &str) -> (u16, Value) {
        exchange(
            self.admin,
            "GET",
            path,
            &format!("authorization: Bearer {key}\r\n"),
            "",
        )
        .json()
    }

    pub(super) fn text(&self, path: &str) -> String {
        exchange(self.admin, "GET", path, "accept: text/plain\r\n", "").body
    }

    pub(super) fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        exchange(self.admin, method, path, "", &body.to_string()).json()
    }

    /// Changes weights if the version is the one in force.
    pub(super) fn conditional(&self, version: u64, body: &Value) -> (u16, Value) {
        let header = format!("if-match: \"{version}\"\r\n");
        exchange(
            self.admin,
            "PATCH",
            "/admin/v1/weights",
            &header,
            &body.to_string(),
        )
        .json()
    }

    /// A chat that nobody can answer: its id.
    pub(super) fn refused_chat(&self, model: &str) -> String {
        let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hello"}}]}}"#);
        let answer = exchange(self.addr, "POST", "/v1/chat/completions", "", &body);
        assert!(answer.status >= 500, "{} {}", answer.status, answer.body);
        let id = answer
            .head
            .lines()
            .find_map(|line| line.strip_prefix("x-request-id: "));
        let id = id.expect("an id").to_owned();
        // The decision is kept when the answer's body ends, a moment after the client has it.
        for _ in 0..2_000 {
            if self.get(&format!("/admin/v1/decisions/{id}")).0 == 200 {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        id
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.file);
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(self) -> (u16, Value) {
        (
            self.status,
            serde_json::from_str(&self.body).unwrap_or(Value::String(self.body)),
        )
    }
}

fn exchange(addr: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    let chunked = head.contains("transfer-encoding: chunked");
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.replace("\r\n", "\n"),
        body: if chunked { dechunked(body) } else { body.to_owned() },
    }
}

fn dechunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            break;
        }
        body.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
    body
}
