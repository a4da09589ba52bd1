//! Asks admin APIs and simulated providers: one exchange at a time, each on a connection of its own, so that none is
//! left behind on a process that is killed. Blocks; not to be used within a runtime.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderMap};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

/// How long an exchange may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// A client.
#[derive(Debug)]
pub(crate) struct Http {
    runtime: Runtime,
    key: String,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    fn good(self) -> anyhow::Result<Self> {
        let status = self.status;
        anyhow::ensure!(
            status.is_success(),
            "{status}: {}",
            String::from_utf8_lossy(&self.body)
        );
        Ok(self)
    }
}

impl Http {
    /// `key` is sent as a Bearer token.
    ///
    /// # Errors
    /// The system has no more files.
    pub(crate) fn new(key: &str) -> anyhow::Result<Self> {
        Ok(Self {
            runtime: Builder::new_current_thread().enable_all().build()?,
            key: key.to_owned(),
        })
    }

    /// Fetches JSON.
    ///
    /// # Errors
    /// There is no answer, or no good one.
    pub(crate) fn get(&self, addr: SocketAddr, path: &str) -> anyhow::Result<Value> {
        let answer = self.ask(Method::GET, addr, path, Bytes::new())?.good()?;
        serde_json::from_slice(&answer.body).with_context(|| format!("http://{addr}{path} is no JSON"))
    }

    /// Fetches text.
    ///
    /// # Errors
    /// There is no answer, or no good one.
    pub(crate) fn text(&self, addr: SocketAddr, path: &str) -> anyhow::Result<String> {
        let answer = self.ask(Method::GET, addr, path, Bytes::new())?.good()?;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Sends JSON; what is answered does not matter, if it is good.
    ///
    /// # Errors
    /// There is no answer, or no good one.
    pub(crate) fn send(
        &self,
        method: Method,
        addr: SocketAddr,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<()> {
        let answer = self.ask(method, addr, path, body.to_string().into())?;
        answer.good().with_context(|| format!("http://{addr}{path}"))?;
        Ok(())
    }

    /// The status of an answer. `None`: there is none.
    pub(crate) fn status(&self, addr: SocketAddr, path: &str) -> Option<u16> {
        let answer = self.ask(Method::GET, addr, path, Bytes::new());
        answer.ok().map(|it| it.status.as_u16())
    }

    /// An exchange.
    ///
    /// # Errors
    /// There is no answer.
    pub(crate) fn ask(
        &self,
        method: Method,
        addr: SocketAddr,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, addr.to_string())
            .header(CONNECTION, "close")
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, format!("Bearer {}", self.key))
            .body(Full::new(body))?;
        let exchange = async {
            let stream = TcpStream::connect(addr).await?;
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            let carry = tokio::spawn(connection);
            let answer = sender.send_request(request).await?;
            let (head, body) = answer.into_parts();
            let body = body.collect().await?.to_bytes();
            carry.abort();
            anyhow::Ok(Answer {
                status: head.status,
                headers: head.headers,
                body,
            })
        };
        let answer = self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, exchange).await });
        answer
            .with_context(|| format!("http://{addr}{path} does not answer"))?
            .with_context(|| format!("http://{addr}{path}"))
    }
}
