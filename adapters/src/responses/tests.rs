//! What holds for the whole dialect: requests in and out, answers, streams, and whatever bytes arrive.

mod answers;
mod any;
mod requests;
mod sent;
mod streams;

use serde_json::Value;
use tollgate_core::{ProviderKind, RequestId, Timestamp};

use super::*;
use crate::chat::made::Made;
use crate::egress::Egress;
use crate::loss::Loss;

fn egress(model: &str) -> Egress<'_> {
    Egress {
        kind: ProviderKind::OpenAi,
        model,
        api_version: None,
        max_output_tokens: None,
        strict: false,
        request_id: RequestId::new(Timestamp::from_unix_millis(1), 1),
        now: Timestamp::from_unix_millis(1),
    }
}

fn made() -> Made {
    Made {
        request_id: RequestId::new(Timestamp::from_unix_millis(1), 1),
        now: Timestamp::from_unix_millis(2_000),
        model: "m".into(),
    }
}

/// A request of this dialect as this dialect, and what was lost.
fn again(body: &Value, model: &str) -> (Value, Vec<String>) {
    let bytes = body.to_string();
    let request = decode::request(bytes.as_bytes()).unwrap();
    let mut loss = Loss::default();
    let (out, _) = encode::request(request, &egress(model), &mut loss).unwrap();
    let named = loss.paths().map(str::to_owned).collect();
    (serde_json::from_slice(&out).unwrap(), named)
}
