//! The admin API as the command line asks it: one exchange at a time, over HTTP or HTTPS.
//!
//! Proxies of the environment are not used: the admin listener is near, and its key should not travel far.

use std::fmt::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::table::clean;

/// How long an answer may take. A rehearsal of 100,000 decisions takes a second or two.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The largest answer that is read.
const ANSWER_LIMIT_BYTES: usize = 1 << 30;

/// Where the admin API is, and how answers are shown.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Connection {
    /// The admin listener.
    #[arg(
        long,
        global = true,
        env = "TOLLGATE_ADMIN",
        default_value = "http://127.0.0.1:8081",
        value_name = "URL"
    )]
    admin: String,
    /// Its key, where the config has an admin.key.
    #[arg(
        long,
        global = true,
        env = "TOLLGATE_ADMIN_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    key: Option<String>,
    /// Write the API's JSON instead of text.
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// What is asked of the admin API.
#[derive(Debug, Clone)]
pub(super) struct Question {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    accept: &'static str,
    if_match: Option<u64>,
}

/// What it answered.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    status: StatusCode,
    body: Bytes,
}

/// Why there is no good answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Arguments that cannot be used.
    Arguments(String),
    /// No answer at all.
    NoAnswer(anyhow::Error),
    /// The API refused.
    Refused(Answer),
}

impl Question {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            body: None,
            accept: "application/json",
            if_match: None,
        }
    }

    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// With a parameter; `None` leaves it out.
    pub(super) fn with(mut self, name: &'static str, value: Option<impl fmt::Display>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }

    pub(super) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(super) fn text(mut self) -> Self {
        self.accept = "text/plain";
        self
    }

    pub(super) fn if_match(mut self, version: Option<u64>) -> Self {
        self.if_match = version;
        self
    }

    fn target(&self) -> String {
        let mut target = self.path.clone();
        for (position, (name, value)) in self.query.iter().enumerate() {
            target.push(if position == 0 { '?' } else { '&' });
            target.push_str(name);
            target.push('=');
            target.push_str(&encoded(value, ""));
        }
        target
    }
}

/// A name as the end of a path: slashes stay.
pub(super) fn in_path(name: &str) -> String {
    encoded(name, "/")
}

/// Percent-encodes what is not unreserved (RFC 3986), but for `kept`.
fn encoded(text: &str, kept: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || (c.is_ascii() && kept.contains(c)) {
            out.push(c);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

impl Connection {
    /// Asks, and waits for the answer.
    pub(super) fn ask(&self, question: &Question) -> Result<Answer, Failure> {
        let request = self.request(question).map_err(Failure::Arguments)?;
        let admin = &self.admin;
        let answer = exchange(request);
        let answer =
            answer.map_err(|error| Failure::NoAnswer(error.context(format!("the admin API at {admin}"))))?;
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(Failure::Refused(answer))
        }
    }

    fn request(&self, question: &Question) -> Result<Request<Full<Bytes>>, String> {
        let (scheme, address) = self.admin.split_once("://").unwrap_or(("http", &self.admin));
        let base = format!("{scheme}://{}", address.trim_end_matches('/'));
        let uri: Uri = format!("{base}{}", question.target())
            .parse()
            .map_err(|error| format!("--admin {}: not a URL: {error}", self.admin))?;
        let is_whole = uri.authority().is_some_and(|it| !it.as_str().ends_with(':'));
        if !matches!(uri.scheme_str(), Some("http" | "https")) || !is_whole {
            return Err(format!(
                "--admin {}: expected http://HOST:PORT or https://HOST:PORT",
                self.admin
            ));
        }
        let mut request = Request::builder()
            .method(&question.method)
            .uri(uri)
            .header(ACCEPT, question.accept);
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        if let Some(version) = question.if_match {
            request = request.header(IF_MATCH, format!("\"{version}\""));
        }
        let body = match &question.body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        let request = request.body(Full::new(body));
        request.map_err(|_| "--key: not a key that can stand in a header".to_owned())
    }

    /// Writes an answer: as it came where JSON is wanted, else as `text` makes it.
    pub(super) fn show(
        &self,
        answer: &Answer,
        text: impl FnOnce(&Value) -> String,
    ) -> anyhow::Result<ExitCode> {
        let value = answer.json()?;
        if self.json {
            super::print(&format!("{value:#}\n"))
        } else {
            super::print(&text(&value))
        }
    }

    /// Says why there is no good answer. Exit status: 1 no answer or the gateway's fault, 2 refused, 4 somebody
    /// else has changed something meanwhile.
    pub(super) fn fail(&self, failure: Failure) -> anyhow::Result<ExitCode> {
        match failure {
            Failure::Arguments(said) => {
                crate::say(format_args!("{said}"));
                Ok(ExitCode::from(2))
            }
            Failure::NoAnswer(error) => Err(error),
            Failure::Refused(answer) => {
                if self.json {
                    super::print(&format!("{}\n", String::from_utf8_lossy(&answer.body).trim_end()))?;
                } else {
                    crate::say(format_args!("{}", answer.refusal()));
                }
                Ok(ExitCode::from(answer.exit_status()))
            }
        }
    }
}

fn exchange(request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let answered = tokio::time::timeout(TIMEOUT, send(request)).await;
        answered.map_err(|_| anyhow::anyhow!("no answer within {} seconds", TIMEOUT.as_secs()))?
    })
}

async fn send(request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(crate::upstream::trusted())
        .https_or_http()
        .enable_http1()
        .build();
    let client = HttpClient::builder(TokioExecutor::new()).build(connector);
    let response = client.request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_LIMIT_BYTES)
        .collect()
        .await;
    let body = body.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?;
    Ok(Answer {
        status,
        body: body.to_bytes(),
    })
}

impl Answer {
    /// The body as JSON.
    pub(super) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body)
            .map_err(|error| anyhow::anyhow!("the answer is not JSON ({error}): is this the admin listener?"))
    }

    /// The body as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A refusal in words: its detail, and a line for each problem.
    fn refusal(&self) -> String {
        let status = self.status.as_u16();
        let Ok(problem) = self.json() else {
            return format!(
                "{status}: {}",
                clean(&self.text().chars().take(500).collect::<String>())
            );
        };
        let text = |name: &str| clean(problem.get(name).and_then(Value::as_str).unwrap_or_default());
        let detail = text("detail");
        let mut said = format!("{}: {detail} ({status})", text("title"));
        for problem in problem
            .get("problems")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let text = |name: &str| clean(problem.get(name).and_then(Value::as_str).unwrap_or_default());
            let (path, found, expected) = (text("path"), text("found"), text("expected"));
            // A single problem stands in the detail already.
            if !(detail.contains(&path) && detail.contains(&expected)) {
                let _ = write!(said, "\n  {path}: found {found}, expected {expected}");
            }
        }
        said
    }

    fn exit_status(&self) -> u8 {
        match self.status.as_u16() {
            409 | 412 => 4,
            400..=499 => 2,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn connection(admin: &str) -> Connection {
        Connection {
            admin: admin.to_owned(),
            key: Some("secret".to_owned()),
            json: false,
        }
    }

    #[test]
    fn a_question_becomes_a_request() {
        let question = Question::new(
            Method::PATCH,
            format!("/admin/v1/breakers/{}", in_path("a/m:8b*ü")),
        )
        .with("rollout", Some("10%"))
        .with("hold", None::<&str>)
        .with("route", Some("a b&c"))
        .body(json!({"a": 1}))
        .if_match(Some(7));
        let request = connection("http://127.0.0.1:8081/").request(&question).unwrap();
        assert_eq!(
            request.uri().to_string(),
            "http://127.0.0.1:8081/admin/v1/breakers/a/m%3A8b%2A%C3%BC?rollout=10%25&route=a%20b%26c"
        );
        assert_eq!(request.headers()[IF_MATCH], "\"7\"");
        assert_eq!(request.headers()[AUTHORIZATION], "Bearer secret");
        assert_eq!(request.headers()[CONTENT_TYPE], "application/json");
    }

    #[test]
    fn an_address_without_a_scheme_is_plain_http() {
        let request = connection("localhost:9").request(&Question::get("/x")).unwrap();
        assert_eq!(request.uri().to_string(), "http://localhost:9/x");
    }

    #[test]
    fn an_address_that_is_none_and_a_key_that_is_none_are_refused() {
        for admin in ["ftp://h", "http://", "http://a b", "unix:/run/x"] {
            assert!(
                connection(admin).request(&Question::get("/x")).is_err(),
                "{admin}"
            );
        }
        let mut bad = connection("http://h");
        bad.key = Some("a\nb".to_owned());
        assert!(bad.request(&Question::get("/x")).unwrap_err().contains("--key"));
    }

    #[test]
    fn a_refusal_is_told_with_all_of_its_problems() {
        let body = json!({
            "title": "the change is refused", "status": 422, "detail": "2 problems",
            "problems": [
                {"path": "routes.x", "found": "no such route", "expected": "the name of a route"},
                {"path": "reason", "found": "nothing", "expected": "why"},
            ],
        });
        let answer = |status: u16, body: &str| Answer {
            status: StatusCode::from_u16(status).unwrap(),
            body: Bytes::from(body.to_owned()),
        };
        assert_eq!(
            answer(422, &body.to_string()).refusal(),
            "the change is refused: 2 problems (422)\n  routes.x: found no such route, expected the name of a \
             route\n  reason: found nothing, expected why"
        );
        assert_eq!(answer(502, "<html>\u{1b}").refusal(), "502: <html>?");
        let statuses = [
            (400, 2),
            (401, 2),
            (404, 2),
            (409, 4),
            (412, 4),
            (422, 2),
            (500, 1),
            (503, 1),
        ];
        for (status, exit) in statuses {
            assert_eq!(answer(status, "").exit_status(), exit);
        }
    }
}
