//! What the cache keeps over a restart: questions that are asked before it and again after it.

use std::net::SocketAddr;

use anyhow::Context as _;
use hyper::Method;
use serde_json::json;

use super::http::Http;
use super::site::Site;
use crate::load::number::share;

/// So many questions are asked.
const QUESTIONS: u64 = 20;

/// Questions that the cache had answers to.
#[derive(Debug)]
pub(super) struct Kept {
    http: Http,
    model: String,
    known: Vec<u64>,
}

impl Kept {
    /// Asks each question twice. `None`: the cache knew none of them the second time, so there is none.
    ///
    /// # Errors
    /// There is no answer.
    pub(super) fn fill(site: &dyn Site, model: &str) -> anyhow::Result<Option<Self>> {
        if !site.keeps_cache() {
            return Ok(None);
        }
        let mut kept = Self {
            http: Http::new(&site.key())?,
            model: model.to_owned(),
            known: Vec::new(),
        };
        let gateway = site.gateway(0).context("no gateway")?;
        for question in 0..QUESTIONS {
            kept.is_hit(gateway, question)?;
        }
        for question in 0..QUESTIONS {
            if kept.is_hit(gateway, question)? {
                kept.known.push(question);
            }
        }
        Ok(if kept.known.is_empty() { None } else { Some(kept) })
    }

    /// Asks them again: the share of those that the cache does not know any more.
    ///
    /// # Errors
    /// There is no answer.
    pub(super) fn lost(&self, site: &dyn Site) -> anyhow::Result<Option<f64>> {
        let gateway = site.gateway(0).context("no gateway")?;
        let (mut lost, mut asked) = (0, 0);
        for question in &self.known {
            asked += 1;
            lost += u64::from(!self.is_hit(gateway, *question)?);
        }
        Ok((asked > 0).then(|| share(lost, asked)))
    }

    fn is_hit(&self, gateway: SocketAddr, question: u64) -> anyhow::Result<bool> {
        let text = format!("Which number follows {question} in the list of a drill?");
        let body =
            json!({"model": self.model, "messages": [{"role": "user", "content": text}], "max_tokens": 64});
        let path = "/v1/chat/completions";
        let answer = self
            .http
            .ask(Method::POST, gateway, path, body.to_string().into())?;
        let told = answer.headers.get("x-tollgate-cache");
        Ok(told
            .and_then(|it| it.to_str().ok())
            .is_some_and(|it| it.starts_with("hit")))
    }
}
