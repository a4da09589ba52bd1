//! Real answers of real providers, passed through in their own dialect: byte-identical, and understood.
//!
//! A few recordings live in `fixtures/recorded` (see its PROVENANCE.md). A whole directory of them, laid out as
//! `*/PROVIDER/CASE/meta.json`, is checked in the same way when `TOLLGATE_TRAFFIC` names it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the whole crate is a test; its helpers stand outside of the functions that say so"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::Value;
use tollgate_adapters::{Egress, Encoded, Report, Scratch, StreamEnd, encode, read_head, sse::Framer};
use tollgate_core::{FinishReason, OutcomeClass, ProviderKind, RequestId, Surface, Timestamp};

use crate::expected::{Counts, Expected};

mod expected;

/// The least conversation.
const MESSAGES: &str = r#"[{"role":"user","content":"Hi"}]"#;

/// A recorded exchange.
struct Case {
    name: String,
    kind: ProviderKind,
    surface: Surface,
    is_stream: bool,
    status: u16,
    request: Option<Bytes>,
    body: Bytes,
    headers: Value,
}

impl Case {
    /// `None`: not a surface that is passed through.
    fn load(meta_path: &Path) -> Option<Self> {
        let meta: Value = serde_json::from_slice(&fs::read(meta_path).unwrap()).unwrap();
        let directory = meta_path.parent().unwrap();
        let surface = match meta["endpoint"].as_str()? {
            "chat" => Surface::ChatCompletions,
            "completions" => Surface::Completions,
            "embeddings" => Surface::Embeddings,
            "messages" | "rawPredict" | "streamRawPredict" => Surface::Messages,
            "count_tokens" => Surface::CountTokens,
            _ => return None,
        };
        let provider = meta["provider"].as_str()?;
        let kind = match ProviderKind::from_name(provider) {
            _ if surface.dialect() == tollgate_core::Dialect::Anthropic => ProviderKind::Anthropic,
            Some(kind) => kind,
            None if provider == "cohere" => return None,
            None => ProviderKind::OpenAi,
        };
        Some(Self {
            name: directory.display().to_string(),
            kind,
            surface,
            is_stream: meta["stream"].as_bool().unwrap_or(false),
            status: u16::try_from(meta["status"].as_u64()?).ok()?,
            request: fs::read(directory.join("request.json")).ok().map(Bytes::from),
            body: fs::read(directory.join(meta["response_file"].as_str()?))
                .ok()?
                .into(),
            headers: meta["response_headers"].clone(),
        })
    }

    fn egress<'a>(&self, model: &'a str) -> Egress<'a> {
        Egress {
            kind: self.kind,
            model,
            api_version: None,
            max_output_tokens: None,
            strict: false,
            request_id: RequestId::new(Timestamp::from_unix_millis(1), 1),
            now: Timestamp::from_unix_millis(1),
        }
    }

    /// The exchange as `request` would have begun it.
    fn encode(&self, request: &Bytes, model: Option<&str>) -> Encoded {
        let head = read_head(self.surface, request, &mut Scratch::default())
            .unwrap_or_else(|refusal| panic!("{}: {refusal:?}", self.name));
        encode(
            self.surface,
            &head,
            request,
            &self.egress(model.unwrap_or(&head.model)),
        )
        .unwrap()
    }

    /// With a request that asks for everything, so that nothing is to be patched or dropped.
    fn plain(&self) -> Encoded {
        let stream = if self.is_stream {
            r#","stream":true,"stream_options":{"include_usage":true}"#
        } else {
            ""
        };
        let request = format!(r#"{{"model":"m","messages":{MESSAGES},"input":"x"{stream}}}"#);
        self.encode(&request.into(), None)
    }

    /// Strict providers are translated for, even in their own dialect.
    fn is_written_anew(&self) -> bool {
        self.kind == ProviderKind::Mistral && self.surface == Surface::ChatCompletions
    }

    /// What client SDKs can read: texts are strings, calls have an index in streams, a type and an id.
    fn check_anew(&self, event: &Value) {
        if !event.is_object() {
            return;
        }
        assert!(
            event["id"].as_str().unwrap().starts_with("chatcmpl-"),
            "{}",
            self.name
        );
        for choice in event["choices"].as_array().unwrap() {
            let said = [&choice["delta"], &choice["message"]];
            let said = said.into_iter().find(|said| said.is_object()).unwrap();
            assert!(
                said["content"].is_string() || said["content"].is_null(),
                "{}",
                self.name
            );
            for call in said["tool_calls"].as_array().into_iter().flatten() {
                assert!(call["index"].is_u64() == self.is_stream, "{}", self.name);
                assert!(call["function"]["arguments"].is_string(), "{}", self.name);
                assert!(
                    call["id"].is_null() || call["type"] == "function",
                    "{}",
                    self.name
                );
            }
        }
    }

    /// What comes out when the answer arrives in chunks of `size`.
    fn stream(&self, encoded: Encoded, size: usize) -> (Bytes, Report) {
        let (mut reader, mut out) = (encoded.reader.stream(), Vec::new());
        let mut rest = self.body.clone();
        while !rest.is_empty() {
            reader.push(rest.split_to(size.min(rest.len())), &mut out);
        }
        reader.finish(StreamEnd::Eof, &mut out);
        (out.concat().into(), reader.report().clone())
    }

    fn check(&self) {
        if let Some(request) = &self.request {
            self.check_request(request);
        }
        if self.status >= 400 {
            let header = |name: &str| self.headers[name].as_str().map(str::to_owned);
            let failure = self.plain().reader.read_failure(self.status, &header, &self.body);
            let shown: Value = serde_json::from_slice(&failure.body).unwrap();
            assert!(shown["error"]["message"].is_string(), "{}", self.name);
            assert_ne!(failure.class, OutcomeClass::Success, "{}", self.name);
            assert!(failure.status >= 400 && failure.status != 401, "{}", self.name);
        } else if self.is_stream {
            self.check_stream();
        } else {
            let answer = self.plain().reader.read(self.body.clone());
            let answer = answer.unwrap_or_else(|fault| panic!("{}: {fault}", self.name));
            if self.is_written_anew() {
                self.check_anew(&serde_json::from_slice(&answer.body).unwrap());
            } else {
                assert_eq!(answer.body.as_ptr(), self.body.as_ptr());
            }
            let events = [serde_json::from_slice(&self.body).unwrap()];
            self.check_report(&answer.report, &events);
        }
    }

    /// Patched, a request differs in the patched fields only; unpatched, in nothing.
    fn check_request(&self, request: &Bytes) {
        let Ok(head) = read_head(self.surface, request, &mut Scratch::default()) else {
            // Recorded by a client whose request lacks the model: it stands in the URL.
            let asked: Value = serde_json::from_slice(request).unwrap();
            assert!(asked["model"].is_null(), "{}", self.name);
            return;
        };
        let mut expected: Value = serde_json::from_slice(request).unwrap();
        let encoded = self.encode(request, Some("another/model"));
        let sent: Value = serde_json::from_slice(&encoded.body).unwrap();
        if self.is_written_anew() {
            let lost: Vec<_> = encoded.loss.paths().collect();
            let has_thoughts = expected["messages"].to_string().contains(r#""type":"thinking""#);
            assert!(lost.is_empty() || has_thoughts, "{}: {lost:?}", self.name);
            assert_eq!(sent["model"], "another/model", "{}", self.name);
            let fields = |body: &Value| body.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
            assert!(fields(&sent).is_subset(&fields(&expected)), "{}", self.name);
            return;
        }
        expected["model"] = "another/model".into();
        if sent["stream_options"] != expected["stream_options"] {
            assert!(head.stream && !head.include_usage, "{}", self.name);
            expected["stream_options"]["include_usage"] = true.into();
        }
        assert_eq!(sent, expected, "{}", self.name);
        if !head.stream || head.include_usage {
            assert_eq!(self.encode(request, None).body, request, "{}", self.name);
        }
    }

    fn check_stream(&self) {
        let (out, report) = self.stream(self.plain(), self.body.len());
        for size in [1, 7, 64, 1000] {
            let chunked = self.stream(self.plain(), size);
            assert_eq!(
                (&chunked.0, &chunked.1),
                (&out, &report),
                "{} in chunks of {size}",
                self.name
            );
        }
        let events = events(&self.body);
        if self.is_written_anew() {
            for event in events_of(&out, |_| true) {
                self.check_anew(&event);
            }
            return self.check_report(&report, &events);
        }
        let body = self.with_usage(&events);
        assert!(out.starts_with(&body) || !report.complete, "{}", self.name);
        let is_closed = events
            .iter()
            .any(|event| event == "[DONE]" || event["type"] == "message_stop");
        if is_closed {
            assert_eq!(out, body, "{}", self.name);
        }
        self.check_report(&report, &events);

        let uninterested = format!(
            r#"{{"model":"m","messages":{MESSAGES},"stream":{}}}"#,
            self.is_stream
        );
        let (stripped, same) = self.stream(self.encode(&uninterested.into(), None), 100);
        assert_eq!(same, report, "{}", self.name);
        let only_usage = |event: &Value| {
            event["choices"].as_array().is_some_and(Vec::is_empty) && event["usage"].is_object()
        };
        let kept = events_of(&out, |event| !only_usage(event));
        assert_eq!(events_of(&stripped, |_| true), kept, "{}", self.name);
    }

    /// The answer as the client is to have it who asked for usage: with a chunk of usage before the end, if the
    /// provider told it only where no client looks.
    fn with_usage(&self, events: &[Value]) -> Bytes {
        let at = |event: &Value| {
            let places = [&event["x_groq"]["usage"], &event["choices"][0]["usage"]];
            places.into_iter().find(|usage| usage.is_object()).cloned()
        };
        let done = b"data: [DONE]";
        let end = self.body.windows(done.len()).rposition(|window| window == done);
        let elsewhere = events.iter().rfind(|event| at(event).is_some());
        let is_told = events.iter().any(|event| event["usage"].is_object());
        let (Some(end), Some(event), false) = (end, elsewhere, is_told) else {
            return self.body.clone();
        };
        let chunk = format!(
            r#"data: {{"id":{},"object":{},"created":{},"model":{},"choices":[],"usage":{}}}"#,
            event["id"],
            event["object"],
            event["created"],
            event["model"],
            at(event).unwrap()
        );
        [&self.body[..end], chunk.as_bytes(), b"\n\n", &self.body[end..]]
            .concat()
            .into()
    }

    /// Compares with an account that is as plain as can be.
    fn check_report(&self, report: &Report, events: &[Value]) {
        let expected = Expected::of(self, events);
        let seen = report.usage.map(|usage| Counts {
            prompt: usage.prompt_total(),
            completion: usage.output_total(),
            cached: usage.cache_read,
            written: usage.cache_write + usage.cache_write_1h,
            reasoning: usage.reasoning,
        });
        assert_eq!(seen, expected.usage, "{}", self.name);
        assert_eq!(
            report.finish.map(FinishReason::name),
            expected.finish,
            "{}",
            self.name
        );
        assert_eq!(report.error.is_some(), expected.has_error, "{}", self.name);
        assert_eq!(report.has_content, expected.has_content, "{}", self.name);
        assert_eq!(
            report.model.as_deref(),
            expected.model.as_deref(),
            "{}",
            self.name
        );
    }
}

/// The events of a stream as JSON; what is no JSON as a string.
fn events(stream: &[u8]) -> Vec<Value> {
    let mut events = Vec::new();
    let mut framer = Framer::default();
    let mut note = |data: &[u8]| {
        let text = String::from_utf8_lossy(data).trim().to_owned();
        events.push(serde_json::from_str(&text).unwrap_or(Value::String(text)));
    };
    framer
        .push(stream, |frame| {
            frame.event.iter().for_each(|event| note(event.data));
        })
        .unwrap();
    framer.finish(|frame| frame.event.iter().for_each(|event| note(event.data)));
    events
}

fn events_of(stream: &[u8], keep: impl Fn(&Value) -> bool) -> Vec<Value> {
    events(stream).into_iter().filter(keep).collect()
}

/// Every `meta.json` below `directory`.
fn cases(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(cases(&path));
        } else if path.file_name().is_some_and(|name| name == "meta.json") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn check_all(directory: &Path) -> usize {
    let cases: Vec<Case> = cases(directory)
        .iter()
        .filter_map(|path| Case::load(path))
        .collect();
    let failed: Vec<&str> = cases
        .iter()
        .filter(|case| std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| case.check())).is_err())
        .map(|case| case.name.as_str())
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {} failed: {failed:#?}",
        failed.len(),
        cases.len()
    );
    cases.len()
}

#[test]
fn recorded_answers_pass_unharmed_and_are_understood() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recorded");
    assert!(check_all(&fixtures) >= 10);
}

#[test]
fn a_directory_of_recordings_passes_as_well_if_there_is_one() {
    match std::env::var_os("TOLLGATE_TRAFFIC") {
        Some(directory) => println!("{} recordings checked", check_all(Path::new(&directory))),
        None => println!("SKIPPED: set TOLLGATE_TRAFFIC to a directory of recordings to check them all"),
    }
}
