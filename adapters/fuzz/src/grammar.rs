//! The order in which the events of a stream may come, as clients of each dialect rely on it. Written from the
//! documentation of the providers, and not from the code that writes the streams.

use std::collections::HashSet;

use serde_json::Value;
use tollgate_adapters::{eventstream, sse};
use tollgate_core::Dialect;

/// Fails if a stream that was written for clients of this dialect is not in its grammar, or does not end once.
pub(crate) fn check(dialect: Dialect, stream: &[u8]) {
    let events = events(dialect, stream);
    let mut state = Seen::default();
    for (position, (name, data)) in events.iter().enumerate() {
        let step = match dialect {
            Dialect::OpenAi => state.chunk(data),
            Dialect::Responses => state.response(position, name, data),
            Dialect::Anthropic => state.message(name, data),
            Dialect::Gemini => state.candidates(data),
            Dialect::Cohere => state.chat(data),
            Dialect::Bedrock => state.converse(name, data),
        };
        let shown = || String::from_utf8_lossy(stream).into_owned();
        step.unwrap_or_else(|fault| {
            panic!(
                "event {position} of {dialect:?}, {name} {data}: {fault}\n{}",
                shown()
            )
        });
    }
    let is_ended =
        state.has_ended || (dialect == Dialect::Gemini && (state.has_failed || !state.closed.is_empty()));
    assert!(
        is_ended,
        "{dialect:?} without an end: {}",
        String::from_utf8_lossy(stream)
    );
}

/// Name and data of each event; what is not JSON is a text.
fn events(dialect: Dialect, stream: &[u8]) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let mut length = 0;
    let each = |frame: sse::Frame<'_>| {
        length += frame.raw.len();
        let Some(event) = frame.event else { return };
        let name = event.name.unwrap_or_default().to_owned();
        let text = std::str::from_utf8(event.data).expect("a client is sent UTF-8");
        let data = match text {
            "[DONE]" => Value::String(text.to_owned()),
            // Deeper than this parser goes, but JSON.
            text => serde_json::from_str(text).unwrap_or_else(|fault| {
                assert!(
                    fault.to_string().contains("recursion"),
                    "no JSON ({fault}): {text}"
                );
                Value::Null
            }),
        };
        found.push((name, data));
    };
    if dialect == Dialect::Bedrock {
        eventstream::Framer::default()
            .push(stream, each)
            .expect("messages are sound");
    } else {
        sse::Framer::default()
            .push(stream, each)
            .expect("events are of bearable size");
    }
    assert_eq!(length, stream.len(), "the last event is whole");
    found
}

/// What a client has been told.
#[derive(Debug, Default)]
struct Seen {
    has_begun: bool,
    has_ended: bool,
    has_failed: bool,
    open: HashSet<u64>,
    closed: HashSet<u64>,
}

type Step = Result<(), &'static str>;

fn ensure(holds: bool, fault: &'static str) -> Step {
    if holds { Ok(()) } else { Err(fault) }
}

impl Seen {
    fn goes_on(&self) -> Step {
        ensure(!self.has_ended, "something comes behind the end")
    }

    fn begin(&mut self) -> Step {
        ensure(!self.has_begun, "it begins twice")?;
        self.has_begun = true;
        Ok(())
    }

    fn end(&mut self) -> Step {
        ensure(self.open.is_empty(), "something is still open")?;
        self.has_ended = true;
        Ok(())
    }

    fn fail(&mut self) -> Step {
        ensure(!self.has_failed, "it fails twice")?;
        (self.has_failed, self.has_ended) = (true, true);
        Ok(())
    }

    fn opens(&mut self, index: &Value) -> Step {
        let index = index.as_u64().ok_or("no index")?;
        ensure(self.has_begun, "it has not begun")?;
        ensure(!self.closed.contains(&index), "it was closed before")?;
        ensure(self.open.insert(index), "it is open already")
    }

    fn grows(&self, index: &Value) -> Step {
        let index = index.as_u64().ok_or("no index")?;
        ensure(self.open.contains(&index), "it is not open")
    }

    fn closes(&mut self, index: &Value) -> Step {
        self.grows(index)?;
        let index = index.as_u64().ok_or("no index")?;
        self.open.remove(&index);
        self.closed.insert(index);
        Ok(())
    }

    fn chunk(&mut self, data: &Value) -> Step {
        self.goes_on()?;
        if data == "[DONE]" {
            return self.end();
        }
        ensure(!self.has_failed, "something comes behind an error")?;
        if data.get("error").is_some() {
            self.has_failed = true;
            return Ok(());
        }
        ensure(data["object"] == "chat.completion.chunk", "what is it?")?;
        for choice in data["choices"].as_array().ok_or("no choices")? {
            let index = choice["index"].as_u64().ok_or("a choice without index")?;
            ensure(!self.closed.contains(&index), "a choice goes on behind its end")?;
            if !choice["finish_reason"].is_null() {
                self.closed.insert(index);
            }
        }
        Ok(())
    }

    fn response(&mut self, position: usize, name: &str, data: &Value) -> Step {
        self.goes_on()?;
        let kind = data["type"].as_str().ok_or("no type")?;
        ensure(kind == name, "name and type differ")?;
        ensure(
            data["sequence_number"] == position,
            "the number is not the next one",
        )?;
        let index = &data["output_index"];
        match kind {
            "response.created" => self.begin(),
            "response.output_item.added" => self.opens(index),
            "response.output_item.done" => self.closes(index),
            "response.completed" | "response.incomplete" => self.end(),
            // Told twice: as an event of its own, and as the end of a response that had begun.
            "error" => {
                ensure(!self.has_failed, "it fails twice")?;
                self.has_failed = true;
                Ok(())
            }
            "response.failed" => {
                self.has_ended = true;
                Ok(())
            }
            _ if !index.is_null() => self.grows(index),
            _ => ensure(self.has_begun, "it has not begun"),
        }
    }

    fn message(&mut self, name: &str, data: &Value) -> Step {
        self.goes_on()?;
        let kind = data["type"].as_str().ok_or("no type")?;
        ensure(kind == name, "name and type differ")?;
        let index = &data["index"];
        match kind {
            "message_start" => self.begin(),
            "content_block_start" => {
                ensure(self.open.is_empty(), "another block is open")?;
                self.opens(index)
            }
            "content_block_delta" => self.grows(index),
            "content_block_stop" => self.closes(index),
            "message_delta" => ensure(self.has_begun && self.open.is_empty(), "a block is open"),
            "message_stop" => {
                ensure(self.has_begun, "it has not begun")?;
                self.end()
            }
            "error" => {
                ensure(self.open.is_empty(), "a block is open")?;
                self.fail()
            }
            _ => Err("what is it?"),
        }
    }

    fn candidates(&mut self, data: &Value) -> Step {
        ensure(!self.has_failed, "something comes behind an error")?;
        if data.get("error").is_some() {
            return self.fail();
        }
        for candidate in data["candidates"].as_array().into_iter().flatten() {
            let index = candidate["index"].as_u64().unwrap_or(0);
            ensure(
                !self.closed.contains(&index),
                "a candidate goes on behind its end",
            )?;
            if !candidate["finishReason"].is_null() {
                self.closed.insert(index);
            }
        }
        Ok(())
    }

    fn chat(&mut self, data: &Value) -> Step {
        if data == "[DONE]" {
            return ensure(self.has_ended, "it has not ended");
        }
        self.goes_on()?;
        // Blocks of content and calls are counted apart.
        let index = |of: u64| {
            data["index"]
                .as_u64()
                .map_or(Value::Null, |index| (2 * index + of).into())
        };
        match data["type"].as_str().unwrap_or_default() {
            "message-start" => self.begin(),
            "content-start" => self.opens(&index(0)),
            "content-delta" => self.grows(&index(0)),
            "content-end" => self.closes(&index(0)),
            "tool-call-start" => self.opens(&index(1)),
            "tool-call-delta" => self.grows(&index(1)),
            "tool-call-end" => self.closes(&index(1)),
            "message-end" if data["delta"].get("error").is_some() => self.fail(),
            "message-end" => self.end(),
            _ => Err("what is it?"),
        }
    }

    fn converse(&mut self, name: &str, data: &Value) -> Step {
        ensure(!self.has_failed, "something comes behind an error")?;
        let index = &data["contentBlockIndex"];
        match name {
            "messageStart" => self.begin(),
            "contentBlockStart" => self.opens(index),
            // Only calls have a start; text and thoughts begin with their first delta.
            "contentBlockDelta" => self.grows(index).or_else(|_| self.opens(index)),
            "contentBlockStop" => self.closes(index),
            "messageStop" => {
                self.goes_on()?;
                self.end()
            }
            "metadata" => ensure(self.has_ended, "it has not ended"),
            _ if name.ends_with("Exception") => self.fail(),
            _ => Err("what is it?"),
        }
    }
}
