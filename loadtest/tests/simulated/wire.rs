//! A client that trusts nothing: raw HTTP/1.1, so that a test sees how a response ended on the wire.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tollgate_loadtest::{Behaviour, MockOptions, MockServer};

/// Longer than anything here should take, on a busy machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// All of it, as announced.
    Complete,
    /// The connection was closed before the end.
    Truncated,
    /// The connection was reset.
    Reset,
}

#[derive(Debug)]
pub(crate) struct Reply {
    /// 0 when there was no head.
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let mut lines = self.head.lines();
        lines.find_map(|line| {
            let (known, value) = line.split_once(": ")?;
            known.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    }

    /// The `data:` of every complete event.
    pub(crate) fn events(&self) -> Vec<String> {
        // Google ends its lines like this.
        let text = self.text().replace("\r\n", "\n");
        let events = text
            .split_inclusive("\n\n")
            .filter(|event| event.ends_with("\n\n"));
        let data = events.filter_map(|event| event.lines().find_map(|line| line.strip_prefix("data: ")));
        data.map(str::to_owned).collect()
    }

    /// Every event that is JSON.
    pub(crate) fn json_events(&self) -> Vec<Value> {
        let events = self.events();
        events
            .iter()
            .filter_map(|event| serde_json::from_str(event).ok())
            .collect()
    }
}

pub(crate) async fn start() -> MockServer {
    start_with(MockOptions::default()).await
}

pub(crate) async fn start_with(options: MockOptions) -> MockServer {
    MockServer::start(options).await.expect("the server starts")
}

pub(crate) fn behaviour(json: Value) -> Behaviour {
    serde_json::from_value(json).expect("a behaviour")
}

pub(crate) fn chat(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "12345678"}]})
}

pub(crate) fn chat_stream(model: &str) -> Value {
    let mut body = chat(model);
    body["stream"] = true.into();
    body
}

pub(crate) fn message(model: &str) -> Value {
    json!({"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": "12345678"}]})
}

/// Connects and sends a request, with `connection: close`.
pub(crate) async fn send(addr: SocketAddr, method: &str, path: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.expect("connects");
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\nauthorization: Bearer sk-secret-0123456789\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("writes");
    stream
}

pub(crate) async fn call(addr: SocketAddr, method: &str, path: &str, body: &str) -> Reply {
    let mut stream = send(addr, method, path, body).await;
    let mut raw = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut raw)).await;
    let reset = match read.expect("the response ends") {
        Ok(_) => false,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
        Err(error) => panic!("{error}"),
    };
    parse(&raw, reset)
}

pub(crate) async fn post(server: &MockServer, path: &str, body: &Value) -> Reply {
    call(server.addr(), "POST", path, &body.to_string()).await
}

pub(crate) async fn post_chat(server: &MockServer, body: &Value) -> Reply {
    post(server, "/v1/chat/completions", body).await
}

/// Takes a raw response apart.
pub(crate) fn parse(raw: &[u8], reset: bool) -> Reply {
    let head_end = raw.windows(4).position(|window| window == b"\r\n\r\n");
    let Some(head_end) = head_end else {
        let end = if reset { End::Reset } else { End::Truncated };
        assert!(raw.is_empty(), "half a head: {raw:?}");
        return Reply {
            status: 0,
            head: String::new(),
            body: Vec::new(),
            end,
        };
    };
    let head = String::from_utf8(raw[..head_end].to_vec()).expect("an ASCII head");
    let status = head[9..12].parse().expect("a status");
    let mut reply = Reply {
        status,
        head,
        body: raw[head_end + 4..].to_vec(),
        end: End::Complete,
    };
    let complete = match reply.header("content-length") {
        Some(length) => reply.body.len() == length.parse::<usize>().expect("a length"),
        None => dechunk(&mut reply.body),
    };
    reply.end = match (reset, complete) {
        (true, _) => End::Reset,
        (false, true) => End::Complete,
        (false, false) => End::Truncated,
    };
    reply
}

/// Undoes chunked encoding; false: the last chunk is missing.
fn dechunk(body: &mut Vec<u8>) -> bool {
    let raw = std::mem::take(body);
    let mut rest = &raw[..];
    while let Some(line_end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&rest[..line_end]).expect("a chunk size");
        let size = usize::from_str_radix(size, 16).expect("a chunk size");
        if size == 0 {
            return true;
        }
        rest = &rest[line_end + 2..];
        body.extend_from_slice(&rest[..size.min(rest.len())]);
        if rest.len() < size + 2 {
            return false;
        }
        rest = &rest[size + 2..];
    }
    false
}
