//! Real traffic, translated: answers say the same in the other dialect, and requests are such as providers take.
//!
//! A few recordings are in `fixtures/recorded` and `fixtures/translation`; a whole directory of them, laid out as
//! `*/PROVIDER/CASE/meta.json`, is checked in the same way when `TOLLGATE_TRAFFIC` names it.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::{Value, json};
use tollgate_adapters::{Encoded, StreamEnd};
use tollgate_core::{Dialect, ProviderKind, Surface};

use crate::account::{self, Account};
use crate::lint;
use crate::support::{egress, events, sent, stream, translate};

struct Case {
    name: String,
    kind: ProviderKind,
    is_stream: bool,
    status: u64,
    request: Option<Value>,
    body: Vec<u8>,
}

impl Case {
    /// `None`: no exchange of chat in one of the two dialects.
    fn load(meta: &Path) -> Option<Self> {
        let directory = meta.parent()?;
        let meta: Value = serde_json::from_slice(&fs::read(meta).ok()?).ok()?;
        let provider = meta["provider"].as_str()?;
        let kind = match meta["endpoint"].as_str()? {
            "messages" | "rawPredict" | "streamRawPredict" => ProviderKind::Anthropic,
            "chat" if provider == "cohere" => return None,
            "chat" => ProviderKind::from_name(provider).unwrap_or(ProviderKind::OpenAi),
            _ => return None,
        };
        let request = fs::read(directory.join("request.json")).ok();
        Some(Self {
            name: directory.display().to_string(),
            kind,
            is_stream: meta["stream"].as_bool().unwrap_or(false),
            status: meta["status"].as_u64()?,
            request: request.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
            body: fs::read(directory.join(meta["response_file"].as_str()?)).ok()?,
        })
    }

    /// Where a client of the other dialect would have called.
    fn surface(&self) -> Surface {
        match self.kind.dialect_for(Surface::ChatCompletions) {
            Dialect::Anthropic => Surface::ChatCompletions,
            _ => Surface::Messages,
        }
    }

    fn begin(&self) -> Encoded {
        let mut request =
            json!({"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}]});
        if self.is_stream {
            request["stream"] = true.into();
            if self.surface() == Surface::ChatCompletions {
                request["stream_options"] = json!({"include_usage": true});
            }
        }
        translate(self.surface(), &request, &egress(self.kind, "model-there")).unwrap()
    }

    fn expected(&self) -> Account {
        let excludes = self.kind == ProviderKind::Xai;
        match (self.kind.dialect_for(Surface::ChatCompletions), self.is_stream) {
            (Dialect::Anthropic, true) => account::anthropic_stream(&self.body),
            (_, true) => account::openai_stream(&self.body, excludes),
            (dialect, false) => {
                let answer = serde_json::from_slice(&self.body).unwrap();
                match dialect {
                    Dialect::Anthropic => account::anthropic(&answer),
                    _ => account::openai(&answer, excludes),
                }
            }
        }
    }

    /// What the client is told.
    fn told(&self) -> Account {
        if !self.is_stream {
            let answer = self.begin().reader.read(Bytes::from(self.body.clone()));
            let answer = answer.unwrap_or_else(|fault| panic!("{}: {fault}", self.name));
            let answer: Value = serde_json::from_slice(&answer.body).unwrap();
            return match self.surface().dialect() {
                Dialect::Anthropic => account::anthropic(&answer),
                _ => account::openai(&answer, false),
            };
        }
        let (whole, report) = stream(self.begin(), &self.body, self.body.len(), StreamEnd::Eof);
        for size in [1, 7, 100] {
            let (chunked, same) = stream(self.begin(), &self.body, size, StreamEnd::Eof);
            assert_eq!(
                (chunked, same),
                (whole.clone(), report.clone()),
                "{} in chunks of {size}",
                self.name
            );
        }
        self.check_shape(&whole);
        match self.surface().dialect() {
            Dialect::Anthropic => account::anthropic_stream(whole.as_bytes()),
            _ => account::openai_stream(whole.as_bytes(), false),
        }
    }

    /// What client SDKs need of a stream.
    fn check_shape(&self, told: &str) {
        let events = events(told);
        if self.surface() == Surface::ChatCompletions {
            assert!(told.ends_with("data: [DONE]\n\n"), "{}", self.name);
            let chunks: Vec<_> = events.iter().filter(|chunk| chunk["error"].is_null()).collect();
            assert!(
                chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"]),
                "{}",
                self.name
            );
            let calls = chunks
                .iter()
                .filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array());
            assert!(
                calls
                    .flatten()
                    .all(|call| call["index"].is_u64() && call["function"]["arguments"].is_string()),
                "{}",
                self.name
            );
            return;
        }
        let names = told.lines().filter_map(|line| line.strip_prefix("event: "));
        assert!(
            names.eq(events.iter().map(|event| event["type"].as_str().unwrap())),
            "{}",
            self.name
        );
        let (mut open, mut next) = (None, 0);
        for event in &events {
            let index = event["index"].as_u64();
            match event["type"].as_str().unwrap() {
                "content_block_start" => {
                    assert_eq!((open, index), (None, Some(next)), "{}", self.name);
                    (open, next) = (index, next + 1);
                }
                "content_block_delta" => assert_eq!(open, index, "{}", self.name),
                "content_block_stop" => {
                    assert_eq!(open, index, "{}", self.name);
                    open = None;
                }
                _ => {}
            }
        }
        assert!(
            open.is_none() || events.iter().any(|event| event["type"] == "error"),
            "{}",
            self.name
        );
    }

    fn check_answer(&self) {
        let (mut expected, mut told) = (self.expected(), self.told());
        if expected.has_error {
            assert!(told.has_error, "{}: the error was swallowed", self.name);
            return;
        }
        // A call is never a mere stop, and a refusal is one whatever the provider calls it.
        if !expected.calls.is_empty() && expected.finish.as_deref() == Some("stop") {
            expected.finish = Some("tool_calls".to_owned());
        }
        if !expected.refusal.is_empty() && self.surface() == Surface::Messages {
            expected.finish = Some("content_filter".to_owned());
            expected.text = format!("{}{}", expected.text, expected.refusal);
        }
        if let Some(counts) = expected
            .usage
            .as_mut()
            .filter(|_| self.surface() == Surface::Messages)
        {
            // What is not there in both dialects.
            counts.reasoning = told
                .usage
                .map_or(0, |counts| counts.reasoning)
                .min(counts.reasoning);
        }
        for id in told.ids.drain(..) {
            assert!(!id.is_empty(), "{}", self.name);
        }
        (expected.ids, expected.refusal, told.refusal) = (Vec::new(), String::new(), String::new());
        for (_, arguments) in &mut told.calls {
            if let Some(words) = arguments.get("invalid_arguments") {
                *arguments = words.clone();
            }
        }
        if expected.usage.is_none() {
            told.usage = None;
        }
        assert_eq!(told, expected, "{}", self.name);
    }

    fn check_request(&self, request: &Value) {
        if request["n"].as_u64() > Some(1) || request["model"].is_null() {
            return;
        }
        let (surface, kinds): (_, &[(ProviderKind, &str)]) =
            match self.kind.dialect_for(Surface::ChatCompletions) {
                Dialect::Anthropic => (
                    Surface::Messages,
                    &[
                        (ProviderKind::OpenAi, "gpt-4.1"),
                        (ProviderKind::OpenAi, "gpt-5"),
                        (ProviderKind::Mistral, "mistral-large"),
                        (ProviderKind::DeepSeek, "deepseek-chat"),
                        (ProviderKind::OpenRouter, "x/y"),
                    ],
                ),
                _ => (
                    Surface::ChatCompletions,
                    &[
                        (ProviderKind::Anthropic, "claude-sonnet-4-5"),
                        (ProviderKind::Anthropic, "claude-opus-5"),
                        (ProviderKind::Anthropic, "claude-3-5-haiku-20241022"),
                    ],
                ),
            };
        for &(kind, model) in kinds {
            let encoded = translate(surface, request, &egress(kind, model));
            let encoded = encoded.unwrap_or_else(|refusal| panic!("{}: {refusal:?}", self.name));
            let body = sent(&encoded);
            let problems = match kind.dialect_for(Surface::ChatCompletions) {
                Dialect::Anthropic => lint::anthropic(&body),
                _ => lint::openai(kind, &body),
            };
            assert!(
                problems.is_empty(),
                "{} to {kind} {model}: {problems:?}\n{body}",
                self.name
            );
            let loss: Vec<_> = encoded.loss.paths().map(str::to_owned).collect();
            let all = body.to_string();
            for (path, text) in texts(request) {
                let is_named = loss.iter().any(|lost| path.starts_with(lost.as_str()));
                let quoted = Value::from(text.trim_end()).to_string();
                let inside = quoted.trim_matches('"');
                let twice = Value::from(inside).to_string();
                let is_there = all.contains(inside) || all.contains(twice.trim_matches('"'));
                assert!(
                    is_named || is_there,
                    "{} to {kind}: {path} is lost\n{loss:?}",
                    self.name
                );
            }
        }
    }
}

/// Every text of the messages, and where it stands.
fn texts(request: &Value) -> Vec<(String, String)> {
    fn walk(path: &str, value: &Value, found: &mut Vec<(String, String)>) {
        match value {
            Value::Array(list) => {
                for (index, value) in list.iter().enumerate() {
                    walk(&format!("{path}[{index}]"), value, found);
                }
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value.as_str() {
                        Some(text) if name == "text" || name == "content" => {
                            found.push((format!("{path}.{name}"), text.to_owned()));
                        }
                        _ => walk(&format!("{path}.{name}"), value, found),
                    }
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk("messages", &request["messages"], &mut found);
    walk("system", &request["system"], &mut found);
    found
}

/// Every `meta.json` below a directory.
fn metas(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            metas(&path, found);
        } else if path.file_name().is_some_and(|name| name == "meta.json") {
            found.push(path);
        }
    }
}

/// How many answers and requests were checked.
fn check_all(directory: &Path) -> (usize, usize) {
    let mut found = Vec::new();
    metas(directory, &mut found);
    let (mut answers, mut requests) = (0, 0);
    let mut failures = Vec::new();
    for case in found.iter().filter_map(|meta| Case::load(meta)) {
        let checked = std::panic::catch_unwind(|| {
            if case.status < 400 {
                case.check_answer();
            }
            if let Some(request) = case.request.as_ref().filter(|_| case.status < 400) {
                case.check_request(request);
            }
        });
        answers += usize::from(case.status < 400);
        requests += usize::from(case.status < 400 && case.request.is_some());
        if checked.is_err() {
            failures.push(case.name.clone());
        }
    }
    assert!(failures.is_empty(), "{} failed: {failures:#?}", failures.len());
    (answers, requests)
}

#[test]
fn recordings_in_the_repository_say_the_same_in_the_other_dialect() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let (answers, requests) = check_all(&fixtures);
    assert!(
        answers >= 10 && requests >= 10,
        "{answers} answers, {requests} requests"
    );
}

#[test]
fn a_directory_of_recordings_says_the_same_in_the_other_dialect() {
    let Some(directory) = std::env::var_os("TOLLGATE_TRAFFIC") else {
        println!("SKIPPED: set TOLLGATE_TRAFFIC to a directory of recordings");
        return;
    };
    let (answers, requests) = check_all(Path::new(&directory));
    println!("{answers} answers and {requests} requests translated");
    assert!(answers > 0);
}
