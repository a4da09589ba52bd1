//! The dialect as a whole: what clients and Google write, through the canonical model and back.

mod answers;
mod arbitrary;
mod requests;
mod streams;
mod targets;

use serde_json::Value;
use tollgate_core::ProviderKind;

use super::{decode, encode};
use crate::chat::ChatRequest;
use crate::chat::names::Renamed;
use crate::egress::Egress;
use crate::loss::Loss;
use crate::testing::{self, made};

fn egress(model: &str) -> Egress<'_> {
    testing::egress(ProviderKind::OpenAi, model)
}

/// The request as Google gets it, what is lost, and the names that were changed.
fn encoded(request: ChatRequest<'_>, model: &str) -> (Value, Vec<String>, Renamed) {
    let mut loss = Loss::default();
    let (body, renamed) = encode::request(request, &egress(model), &mut loss);
    let named = crate::testing::named(&loss);
    (serde_json::from_slice(&body).unwrap(), named, renamed)
}

/// From this dialect into itself.
fn there_and_back(body: &Value, model: &str) -> (Value, Vec<String>) {
    let bytes = serde_json::to_vec(body).unwrap();
    let (body, lost, _) = encoded(decode::request(&bytes).unwrap(), model);
    (body, lost)
}

fn of_openai(body: &Value, model: &str) -> (Value, Vec<String>) {
    let bytes = serde_json::to_vec(body).unwrap();
    let (body, lost, _) = encoded(crate::openai::decode::request(&bytes).unwrap(), model);
    (body, lost)
}

fn of_anthropic(body: &Value, model: &str) -> (Value, Vec<String>) {
    let bytes = serde_json::to_vec(body).unwrap();
    let (body, lost, _) = encoded(crate::anthropic::decode::request(&bytes).unwrap(), model);
    (body, lost)
}

fn to_anthropic(body: &Value) -> (Value, Vec<String>) {
    let bytes = serde_json::to_vec(body).unwrap();
    let mut loss = Loss::default();
    let request = decode::request(&bytes).unwrap();
    let (body, _) =
        crate::anthropic::encode::request(request, &egress("claude-opus-4-5"), &mut loss).unwrap();
    let named = crate::testing::named(&loss);
    (serde_json::from_slice(&body).unwrap(), named)
}

fn to_openai(body: &Value) -> (Value, Vec<String>) {
    let bytes = serde_json::to_vec(body).unwrap();
    let mut loss = Loss::default();
    let request = decode::request(&bytes).unwrap();
    let (body, _) = crate::openai::encode::request(request, &egress("gpt-4o"), &mut loss);
    let named = crate::testing::named(&loss);
    (serde_json::from_slice(&body).unwrap(), named)
}
