//! An HTTP/1.1 client of few words, so that tests can misbehave on purpose.

use std::fmt::Write as _;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection to a server under test.
pub struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    framing: Framing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// No body is being read.
    Idle,
    /// So many bytes are to come.
    Length(usize),
    Chunked,
}

/// The head of a response and, where read to its end, the body.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Empty until read.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// One request with a JSON body on a connection of its own, read to the end.
pub async fn post(addr: SocketAddr, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let mut wire = Wire::connect(addr).await;
    wire.post(path, headers, body).await;
    wire.response().await
}

/// One GET on a connection of its own, read to the end.
pub async fn get(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut wire = Wire::connect(addr).await;
    wire.send("GET", path, headers, b"").await;
    wire.response().await
}

impl Wire {
    /// Connects.
    pub async fn connect(addr: SocketAddr) -> Self {
        Self::try_connect(addr).await.unwrap()
    }

    /// Connects; `None`: nobody listens.
    pub async fn try_connect(addr: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(addr).await.ok()?;
        stream.set_nodelay(true).ok()?;
        Some(Self {
            stream,
            buffer: Vec::new(),
            framing: Framing::Idle,
        })
    }

    /// Sends a POST of JSON.
    pub async fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &str) {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.send("POST", path, &all, body.as_bytes()).await;
    }

    /// Sends a request.
    pub async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: tollgate.test\r\n");
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if method != "GET" && !headers.iter().any(|(name, _)| *name == "content-length") {
            write!(head, "content-length: {}\r\n", body.len()).unwrap();
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.write(&bytes).await;
    }

    /// Sends bytes as they are; a peer that has closed is no error here.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// A whole response. Panics where the server closes before one has come.
    pub async fn response(&mut self) -> Response {
        let mut response = self.head().await;
        while let Some(piece) = self.piece().await {
            response.body.extend_from_slice(&piece);
        }
        response
    }

    /// The head of a response; its body is read by [`Wire::piece`].
    pub async fn head(&mut self) -> Response {
        self.try_head()
            .await
            .expect("the server closed before it answered")
    }

    /// The head of a response; `None`: the server closed instead.
    pub async fn try_head(&mut self) -> Option<Response> {
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at;
            }
            if !self.fill().await {
                return None;
            }
        };
        let head = String::from_utf8(self.buffer.drain(..end + 4).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let response = Response {
            status,
            headers,
            body: Vec::new(),
        };
        let length = response
            .header("content-length")
            .map(|text| text.parse().unwrap());
        self.framing = match length {
            Some(length) => Framing::Length(length),
            None if response.header("transfer-encoding") == Some("chunked") => Framing::Chunked,
            None => Framing::Length(0),
        };
        Some(response)
    }

    /// The next piece of the body as it was framed; `None` at its proper end. Panics where it is cut.
    pub async fn piece(&mut self) -> Option<Vec<u8>> {
        self.try_piece().await.expect("the body was cut")
    }

    /// The next piece; `Ok(None)` at the proper end, `Err` where the server closed before it.
    pub async fn try_piece(&mut self) -> Result<Option<Vec<u8>>, Cut> {
        match self.framing {
            Framing::Idle | Framing::Length(0) => Ok(None),
            Framing::Length(left) => {
                if self.buffer.is_empty() && !self.fill().await {
                    return Err(Cut);
                }
                let piece: Vec<u8> = self.buffer.drain(..left.min(self.buffer.len())).collect();
                self.framing = Framing::Length(left - piece.len());
                Ok(Some(piece))
            }
            Framing::Chunked => self.chunk().await,
        }
    }

    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, Cut> {
        let line = loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                break at;
            }
            if !self.fill().await {
                return Err(Cut);
            }
        };
        let size = String::from_utf8(self.buffer.drain(..line + 2).collect()).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        while self.buffer.len() < size + 2 {
            if !self.fill().await {
                return Err(Cut);
            }
        }
        let piece: Vec<u8> = self.buffer.drain(..size).collect();
        self.buffer.drain(..2);
        if size == 0 {
            self.framing = Framing::Idle;
            return Ok(None);
        }
        Ok(Some(piece))
    }

    async fn fill(&mut self) -> bool {
        let mut piece = vec![0; 16 * 1024];
        match self.stream.read(&mut piece).await {
            Ok(0) | Err(_) => false,
            Ok(len) => {
                self.buffer.extend_from_slice(&piece[..len]);
                true
            }
        }
    }
}

/// The server closed in the middle of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut;

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
