//! An HTTP/2 client over any byte stream.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::rt::{Read, Write};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::wire::Response;

/// A connection.
#[derive(Clone)]
pub struct Http2(SendRequest<Full<Bytes>>);

impl Http2 {
    /// Connects without TLS, with prior knowledge.
    pub async fn connect(addr: SocketAddr) -> Self {
        Self::over(TokioIo::new(TcpStream::connect(addr).await.unwrap())).await
    }

    /// Speaks over a given stream.
    pub async fn over(io: impl Read + Write + Unpin + Send + 'static) -> Self {
        let (requests, connection) = handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        Self(requests)
    }

    /// Sends a POST of JSON; the head of the answer, its body still to be read.
    pub async fn open(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> http::Response<Incoming> {
        let mut request = http::Request::post(format!("http://tollgate.test{path}"));
        request = request.header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
            .unwrap();
        self.0.ready().await.unwrap();
        self.0.send_request(request).await.unwrap()
    }

    /// Sends a POST of JSON, and reads the answer to its end.
    pub async fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let (head, body) = self.open(path, headers, body).await.into_parts();
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Response {
            status: head.status.as_u16(),
            headers: head
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect(),
            body: body.collect().await.unwrap().to_bytes().to_vec(),
        }
    }
}
