//! Identities at clouds: requests to Bedrock are signed so that AWS takes them, requests to Vertex AI carry a token of
//! Google's, wherever keys and tokens come from; no request waits for a new one while an old one is good.

mod aws;
mod claude;
mod google;
mod sources;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tollgate_tests::{
    Metrics, Process, Response, Scripted, Signature, chat, get, json_answer, post, verified,
};

/// A set of keys.
#[derive(Debug, Clone, Copy)]
struct Keys {
    id: &'static str,
    secret: &'static str,
    token: Option<&'static str>,
}

const LASTING: Keys = Keys {
    id: "AKIALASTINGEXAMPLE01",
    secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    token: None,
};
const TEMPORARY: Keys = Keys {
    id: "ASIATEMPORARYEXAMPLE",
    secret: "dGVtcG9yYXJ5IHNlY3JldCBvZiB0aGUgdGVzdHM+0/A=",
    token: Some("FwoGZXIvYXdzEBYaDHRlbXBvcmFyeXRva2VuMDE="),
};
const OTHER: Keys = Keys {
    id: "ASIAOTHEREXAMPLE0001",
    secret: "b3RoZXIgc2VjcmV0IG9mIHRoZSB0ZXN0cw/2222=",
    token: Some("FwoGZXIvYXdzEBYaDG90aGVydG9rZW4wMg=="),
};
const ALL_KEYS: [Keys; 3] = [LASTING, TEMPORARY, OTHER];

const MODEL: &str = "anthropic.claude-3-5-sonnet-20241022-v2:0";

/// Who signed, as Bedrock found out.
#[derive(Clone, Default)]
struct Signatures(Arc<Mutex<Vec<Signature>>>);

impl Signatures {
    fn ids(&self) -> Vec<String> {
        self.0.lock().iter().map(|it| it.access_key_id.clone()).collect()
    }

    fn last(&self) -> Signature {
        self.0.lock().last().cloned().unwrap()
    }
}

fn secret_of(id: &str) -> Option<String> {
    let keys = ALL_KEYS.into_iter().find(|keys| keys.id == id)?;
    Some(keys.secret.to_owned())
}

/// What is wrong with a request for `scope`; checked on what arrived.
fn checked(request: &str, scope: &str) -> Result<Signature, String> {
    let signature = verified(request, secret_of)?;
    let keys = ALL_KEYS
        .into_iter()
        .find(|keys| keys.id == signature.access_key_id)
        .unwrap();
    if signature.session_token.as_deref() != keys.token {
        return Err(format!("the session token {:?}", signature.session_token));
    }
    if signature.scope != scope {
        return Err(format!("signed for {}", signature.scope));
    }
    Ok(signature)
}

fn refused(status: u16, kind: &str, message: &str) -> Vec<u8> {
    let body = json!({ "message": message }).to_string();
    let text = String::from_utf8(json_answer(status, &body)).unwrap();
    text.replacen("\r\n", &format!("\r\nx-amzn-errortype: {kind}\r\n"), 1)
        .into_bytes()
}

fn said(text: &str) -> Vec<u8> {
    let answer = json!({
        "output": { "message": { "role": "assistant", "content": [{ "text": text }] } },
        "stopReason": "end_turn",
        "usage": { "inputTokens": 3, "outputTokens": 2, "totalTokens": 5 },
    });
    json_answer(200, &answer.to_string())
}

/// Bedrock, which answers whoever signs as AWS wants it.
async fn bedrock() -> (Scripted, Signatures) {
    let signatures = Signatures::default();
    let noted = signatures.clone();
    let server = Scripted::start(move |request| match checked(request, "us-east-1/bedrock") {
        Ok(signature) => {
            noted.0.lock().push(signature);
            said("hello")
        }
        Err(why) => refused(403, "InvalidSignatureException", &why),
    });
    (server.await, signatures)
}

/// A gateway of its own process, with this provider `p` behind the model `m`, and with this environment.
fn gateway(provider: &str, env: &[(&str, &str)]) -> Process {
    let config = format!(
        "providers:\n  p: {provider}\nmodels:\n  m: {{ targets: [ {{ provider: p, model: \"{MODEL}\" }} ] }}\n\
         server: {{ listen: \"127.0.0.1:0\", workers: 2 }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n"
    );
    Process::serve(&config, env)
}

/// A provider at this address whose requests are signed.
fn signing(addr: std::net::SocketAddr) -> String {
    format!("{{ kind: bedrock, base_url: \"http://{addr}\", region: us-east-1, auth: aws }}")
}

async fn ask(gateway: &Process) -> Response {
    post(gateway.addr, "/v1/chat/completions", &[], &chat("m")).await
}

async fn metrics(gateway: &Process) -> Metrics {
    Metrics::new(get(gateway.admin, "/metrics", &[]).await.text())
}

/// How the identity of the provider stands, as the admin API says.
async fn standing(gateway: &Process) -> Value {
    let catalog = get(gateway.admin, "/admin/v1/catalog", &[]).await.json();
    catalog["providers"][0]["credentials"][0]["identity"].clone()
}

/// A moment from now, as AWS and Google write it.
fn after(seconds: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let millis = u64::try_from(now.as_millis()).unwrap() + seconds * 1000;
    let text = tollgate_core::Timestamp::from_unix_millis(millis).to_string();
    text.split_once('.').unwrap().0.to_owned() + "Z"
}

/// A folder that nobody else uses, with these files.
fn folder(files: &[(&str, &str)]) -> PathBuf {
    let folder = tollgate_tests::scratch_file("d");
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

/// Everything that can be seen of a gateway holds none of these.
async fn assert_hidden(gateway: &Process, secrets: &[&str]) {
    let mut seen = vec![gateway.stderr(), gateway.stdout()];
    for path in [
        "/metrics",
        "/status",
        "/admin/v1/catalog",
        "/admin/v1/config",
        "/admin/v1/breakers",
    ] {
        let response = get(gateway.admin, path, &[]).await;
        assert_eq!(response.status, 200, "{path}");
        seen.push(response.text());
    }
    seen.push(ask(gateway).await.text());
    for text in seen {
        for secret in secrets {
            assert!(!text.contains(secret), "'{secret}' stands in {text}");
        }
    }
}

/// Waits until it holds, and asks each time anew.
async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until it has said so: what a process writes is read a moment later.
async fn says(gateway: &Process, words: &str) {
    let has_said = || async { gateway.stderr().contains(words) };
    until(&format!("it says '{words}': {}", gateway.stderr()), has_said).await;
}

/// The fields of a form, decoded.
fn form(request: &str) -> HashMap<String, String> {
    let body = request.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let decoded = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'%' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                b'+' => b' ',
                other => other,
            });
        }
        String::from_utf8(bytes).unwrap()
    };
    let fields = body.split('&').filter_map(|field| field.split_once('='));
    fields
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}
