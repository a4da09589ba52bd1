//! One request of the trickle: sent, timed, and read to its end.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tollgate_core::Clock;

use super::{TrickleKind, TrickleOptions, TrickleResult, prompts};
use crate::dice::Dice;

/// The comment at the end of a stream that tells its cost.
const COST_COMMENT: &[u8] = b": tollgate cost-usd=";
/// How much of a stream's end is kept to find that comment in.
const TAIL_BYTES: usize = 512;

/// Sends requests with one shared connection pool.
#[derive(Debug)]
pub(super) struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
    base_url: String,
    authorization: HeaderValue,
    mix: Vec<(TrickleKind, String)>,
    timeout: Duration,
    seed: u64,
}

impl TrickleKind {
    const fn path(self) -> &'static str {
        match self {
            Self::Chat | Self::ChatStream => "/v1/chat/completions",
            Self::Message | Self::MessageStream => "/v1/messages",
            Self::Embedding => "/v1/embeddings",
        }
    }
}

impl Caller {
    pub(super) fn new(options: &TrickleOptions) -> anyhow::Result<Self> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", options.key))
            .context("the key is not a header value")?;
        authorization.set_sensitive(true);
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            base_url: options.base_url.trim_end_matches('/').to_owned(),
            authorization,
            mix: options.mix.clone(),
            timeout: options.timeout,
            seed: options.seed,
        })
    }

    /// Sends request `number` and reads the answer, within the time allowed.
    pub(super) async fn call(&self, number: u64) -> TrickleResult {
        let dice = Dice::new(self.seed, &["trickle"], number);
        let (kind, model) = self.pick(dice);
        let started = Clock.now();
        let mut result = TrickleResult {
            number,
            kind,
            method: "POST",
            path: kind.path(),
            model_asked: model.to_owned(),
            status: None,
            provider: None,
            model: None,
            cost_usd: None,
            attempts: None,
            overhead_us: None,
            request_id: None,
            first_token_ms: None,
            total_ms: 0.0,
            error: None,
        };
        let body = prompts::body(kind, model, dice, number).to_string();
        let exchange = self.exchange(body.into(), started, &mut result);
        result.error = match tokio::time::timeout(self.timeout, exchange).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(_elapsed) => Some(format!("no end within {:?}", self.timeout)),
        };
        result.total_ms = millis_since(started);
        result
    }

    fn pick(&self, dice: Dice) -> (TrickleKind, &str) {
        let len = u64::try_from(self.mix.len()).unwrap_or(1).max(1);
        let index = usize::try_from(dice.roll(0) % len).unwrap_or(0);
        let picked = self.mix.get(index);
        picked.map_or((TrickleKind::Chat, ""), |(kind, model)| (*kind, model.as_str()))
    }

    async fn exchange(
        &self,
        body: Bytes,
        started: Instant,
        result: &mut TrickleResult,
    ) -> anyhow::Result<()> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}{}", self.base_url, result.path))
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("anthropic-version", "2023-06-01")
            .body(Full::new(body))?;
        let response = self.client.request(request).await.context("no answer")?;
        result.status = Some(response.status().as_u16());
        note_headers(response.headers(), result);
        let mut body = response.into_body();
        let mut tail = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.context("the answer broke off")?.into_data() else {
                continue;
            };
            if result.first_token_ms.is_none() && !data.is_empty() {
                result.first_token_ms = Some(millis_since(started));
            }
            tail.extend_from_slice(&data);
            let surplus = tail.len().saturating_sub(TAIL_BYTES);
            tail.drain(..surplus);
        }
        if let Some(cost) = cost_comment(&tail) {
            result.cost_usd = Some(cost);
        }
        Ok(())
    }
}

fn note_headers(headers: &HeaderMap, result: &mut TrickleResult) {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    result.provider = text("x-tollgate-provider");
    result.model = text("x-tollgate-model");
    result.cost_usd = text("x-tollgate-cost-usd");
    result.attempts = text("x-tollgate-attempts");
    result.overhead_us = text("x-tollgate-overhead-us");
    result.request_id = text("x-request-id");
}

/// The cost in the last line of the tail that tells one: `: tollgate cost-usd=0.000123 …`.
fn cost_comment(tail: &[u8]) -> Option<String> {
    let mut lines = tail.rsplit(|byte| *byte == b'\n');
    let told = lines.find_map(|line| line.strip_prefix(COST_COMMENT))?;
    let cost = told.split(u8::is_ascii_whitespace).next()?;
    let cost = std::str::from_utf8(cost).ok()?;
    (!cost.is_empty()).then(|| cost.to_owned())
}

fn millis_since(started: Instant) -> f64 {
    Clock.now().saturating_duration_since(started).as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_is_found_at_the_end_of_a_stream_only_as_a_comment_line() {
        let told = |tail: &str| cost_comment(tail.as_bytes());
        assert_eq!(
            told("data: [DONE]\n\n: tollgate cost-usd=0.000123 tokens=5\n\n").as_deref(),
            Some("0.000123")
        );
        assert_eq!(told(": tollgate cost-usd=0.5\r\n").as_deref(), Some("0.5"));
        assert_eq!(told("data: {\"text\":\": tollgate cost-usd=9\"}\n\n"), None);
        assert_eq!(told(": tollgate cost-usd= \n"), None);
        assert_eq!(told(""), None);
    }
}
