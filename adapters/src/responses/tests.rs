//! What holds for the whole dialect: requests in and out, answers, streams, and whatever bytes arrive.

mod answers;
mod any;
mod requests;
mod sent;
mod streams;

use serde_json::Value;
use tollgate_core::ProviderKind;

use super::*;
use crate::egress::Egress;
use crate::loss::Loss;
use crate::testing::{self, made};

fn egress(model: &str) -> Egress<'_> {
    testing::egress(ProviderKind::OpenAi, model)
}

/// A request of this dialect as this dialect, and what was lost.
fn again(body: &Value, model: &str) -> (Value, Vec<String>) {
    let bytes = body.to_string();
    let request = decode::request(bytes.as_bytes()).unwrap();
    let mut loss = Loss::default();
    let (out, _) = encode::request(request, &egress(model), &mut loss).unwrap();
    let named = crate::testing::named(&loss);
    (serde_json::from_slice(&out).unwrap(), named)
}
