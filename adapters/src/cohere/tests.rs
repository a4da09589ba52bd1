//! Requests and answers there and back, and what becomes of those of other dialects.

mod answers;
mod properties;
mod requests;
mod streams;

use serde_json::Value;
use tollgate_core::{ProviderKind, Refusal, Usage, UsageSource};

use super::{decode, encode};
use crate::chat::ChatRequest;
use crate::chat::names::Renamed;
use crate::egress::Egress;
use crate::loss::Loss;
use crate::testing::{self, made};

fn egress(model: &str) -> Egress<'_> {
    testing::egress(ProviderKind::OpenAi, model)
}

fn reported() -> Usage {
    Usage {
        source: UsageSource::Reported,
        ..Usage::default()
    }
}

fn bytes(body: &Value) -> Vec<u8> {
    serde_json::to_vec(body).unwrap()
}

fn lost(loss: &Loss) -> Vec<&str> {
    loss.paths().collect()
}

/// The canonical request as Cohere's `model` takes it.
fn sent_to(model: &str, request: ChatRequest<'_>) -> (Value, Loss, Renamed) {
    let mut loss = Loss::default();
    let (out, renamed) = encode::request(request, &egress(model), &mut loss).unwrap();
    (serde_json::from_slice(&out).unwrap(), loss, renamed)
}

/// Of a client that speaks Chat Completions.
fn from_openai(model: &str, body: &Value) -> (Value, Loss) {
    let body = bytes(body);
    let (sent, loss, _) = sent_to(model, crate::openai::decode::request(&body).unwrap());
    (sent, loss)
}

/// Of a client that speaks Messages.
fn from_anthropic(model: &str, body: &Value) -> (Value, Loss) {
    let body = bytes(body);
    let (sent, loss, _) = sent_to(model, crate::anthropic::decode::request(&body).unwrap());
    (sent, loss)
}

/// Of a client that speaks this dialect itself.
fn there_and_back(body: &Value) -> (Value, Loss) {
    let body = bytes(body);
    let (sent, loss, _) = sent_to("command-a", decode::request(&body).unwrap());
    (sent, loss)
}

fn refused(body: &Value) -> Refusal {
    decode::request(&bytes(body)).unwrap_err()
}
