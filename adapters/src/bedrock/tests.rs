//! Each rule of the dialect, and each trap that others have fallen into.

mod answers;
mod carried;
mod models;
mod properties;
mod requests;
mod streams;

use serde_json::{Value, json};
use tollgate_core::ProviderKind;

use crate::chat::ChatRequest;
use crate::egress::Egress;
use crate::loss::Loss;
use crate::testing::{self, made, named};

const SONNET: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const OPUS: &str = "global.anthropic.claude-opus-4-6-v1";
const NOVA: &str = "us.amazon.nova-2-lite-v1:0";

fn egress(model: &str) -> Egress<'_> {
    testing::egress(ProviderKind::Anthropic, model)
}

/// A turn of the user.
fn user(text: &str) -> Value {
    json!({"role": "user", "content": [{"text": text}]})
}

/// What is sent to `model`, and what is lost.
fn sent(request: ChatRequest<'_>, model: &str) -> (Value, Vec<String>) {
    let mut loss = Loss::default();
    let (body, _) = super::encode::request(request, &egress(model), &mut loss).unwrap();
    (serde_json::from_slice(&body).unwrap(), named(&loss))
}

/// The same for a request of this dialect.
fn again(body: &Value, model: &str) -> (Value, Vec<String>) {
    let bytes = serde_json::to_vec(body).unwrap();
    sent(super::decode::request(&bytes).unwrap(), model)
}

/// The same for a request of Chat Completions.
fn from_openai(body: &Value, model: &str) -> (Value, Vec<String>) {
    let bytes = serde_json::to_vec(body).unwrap();
    sent(crate::openai::decode::request(&bytes).unwrap(), model)
}

/// The same for a request of Messages.
fn from_anthropic(body: &Value, model: &str) -> (Value, Vec<String>) {
    let bytes = serde_json::to_vec(body).unwrap();
    sent(crate::anthropic::decode::request(&bytes).unwrap(), model)
}

/// A request of this dialect as Chat Completions.
fn to_openai(body: &Value) -> (Value, Vec<String>) {
    let bytes = serde_json::to_vec(body).unwrap();
    let request = super::decode::request(&bytes).unwrap();
    let egress = Egress {
        kind: ProviderKind::OpenAi,
        ..egress("gpt-5")
    };
    let mut loss = Loss::default();
    let (body, _) = crate::openai::encode::request(request, &egress, &mut loss);
    (serde_json::from_slice(&body).unwrap(), named(&loss))
}

/// A request of this dialect as Messages.
fn to_anthropic(body: &Value, model: &str) -> (Value, Vec<String>) {
    let bytes = serde_json::to_vec(body).unwrap();
    let request = super::decode::request(&bytes).unwrap();
    let mut loss = Loss::default();
    let (body, _) = crate::anthropic::encode::request(request, &egress(model), &mut loss).unwrap();
    (serde_json::from_slice(&body).unwrap(), named(&loss))
}
