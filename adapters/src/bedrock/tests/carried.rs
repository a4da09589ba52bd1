//! What other providers want back, in the hands of a client that speaks Converse.

use bytes::Bytes;
use serde_json::{Value, json};
use tollgate_core::{ProviderKind, Surface};

use super::streams::events;
use crate::encode::encode;
use crate::head::{Address, Scratch, read_head_at};
use crate::report::StreamEnd;
use crate::testing;
use crate::translate::{self, Translation};

const GEMINI: &str = "gemini-2.5-flash";

fn turns(message: Option<&Value>) -> Value {
    let user = json!({"role": "user", "content": [{"text": "go"}]});
    let mut turns = vec![user.clone()];
    turns.extend(message.map(|message| json!({"role": "assistant", "content": message})));
    if message.is_some() {
        turns.push(user);
    }
    json!({ "messages": turns })
}

fn asked(kind: ProviderKind, body: &Value) -> (Value, Translation) {
    let egress = testing::egress(kind, GEMINI);
    let bytes = body.to_string();
    let (sent, _, way_back) =
        translate::request(Surface::Converse, Some(false), bytes.as_bytes(), &egress).unwrap();
    (serde_json::from_slice(&sent).unwrap(), way_back)
}

fn answer() -> Value {
    let parts = json!([{"text": "hm", "thought": true}, {"text": "So.", "thoughtSignature": "c2lnMQ=="},
        {"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "c2ln+/Ig=="}]);
    json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1}, "modelVersion": "g"})
}

/// What the client keeps of a whole answer.
fn kept() -> Value {
    let (_, way_back) = asked(ProviderKind::Gemini, &turns(None));
    let (told, _) = way_back.answer(&Bytes::from(answer().to_string())).unwrap();
    let told: Value = serde_json::from_slice(&told).unwrap();
    told["output"]["message"]["content"].clone()
}

/// What the client keeps of the same as a stream, put together as the AWS SDKs' users do.
fn kept_of_stream() -> Value {
    let (_, way_back) = asked(ProviderKind::Gemini, &turns(None));
    let (mut stream, mut out) = (way_back.stream(), Vec::new());
    stream.push(format!("data: {}\n\n", answer()).as_bytes(), &mut out);
    stream.finish(StreamEnd::Eof, &mut out);
    let mut blocks: Vec<Value> = Vec::new();
    for (kind, data) in events(&out.concat()) {
        match &*kind {
            "contentBlockStart" => {
                let mut call = data["start"].clone();
                call["toolUse"]["input"] = json!("");
                blocks.push(call);
            }
            "contentBlockDelta" => {
                let index = usize::try_from(data["contentBlockIndex"].as_u64().unwrap()).unwrap();
                let delta = &data["delta"];
                if index == blocks.len() {
                    blocks.push(match &delta["reasoningContent"] {
                        thoughts if thoughts["text"].is_string() => {
                            json!({"reasoningContent": {"reasoningText": {"text": thoughts["text"]}}})
                        }
                        _ => delta.clone(),
                    });
                } else {
                    let more = delta["toolUse"]["input"].as_str().unwrap();
                    let arguments = format!("{}{more}", blocks[index]["toolUse"]["input"].as_str().unwrap());
                    blocks[index]["toolUse"]["input"] = arguments.into();
                }
            }
            _ => {}
        }
    }
    for block in &mut blocks {
        if let Some(arguments) = block["toolUse"]["input"].as_str() {
            block["toolUse"]["input"] = serde_json::from_str(arguments).unwrap();
        }
    }
    blocks.into()
}

#[test]
fn a_signature_of_googles_comes_back_to_it_through_a_client_of_bedrock() {
    for content in [kept(), kept_of_stream()] {
        let (sent, _) = asked(ProviderKind::Gemini, &turns(Some(&content)));
        let parts = sent["contents"][1]["parts"].as_array().unwrap();
        let signed: Vec<_> = parts
            .iter()
            .filter_map(|part| {
                Some((
                    part["thoughtSignature"].as_str()?,
                    part["functionCall"].is_object(),
                ))
            })
            .collect();
        assert_eq!(signed, [("c2lnMQ==", false), ("c2ln+/Ig==", true)], "{sent}");
    }
}

#[test]
fn what_is_carried_reaches_neither_bedrock_nor_anybody_else() {
    let body = turns(Some(&kept()));
    assert!(body.to_string().contains("dG9sbGdhdGU6"));
    let bytes = Bytes::from(body.to_string());
    let address = Address {
        model: "m",
        stream: false,
    };
    let head = read_head_at(Surface::Converse, Some(address), &bytes, &mut Scratch::default()).unwrap();
    let egress = testing::egress(ProviderKind::Bedrock, super::SONNET);
    let sent = encode(Surface::Converse, &head, &bytes, &egress).unwrap();
    let lost: Vec<_> = sent.loss.paths().collect();
    assert_eq!(lost, ["messages[1].content[1]", "messages[1].content[3]"]);
    let sent: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(
        sent["messages"][1]["content"].as_array().unwrap().len(),
        3,
        "{sent}"
    );
    for kind in [
        ProviderKind::OpenAi,
        ProviderKind::Anthropic,
        ProviderKind::Cohere,
    ] {
        let (sent, _) = asked(kind, &body);
        let sent = sent.to_string();
        assert!(
            !sent.contains("dG9sbGdhdGU6") && !sent.contains("c2lnMQ=="),
            "{sent}"
        );
    }
}
