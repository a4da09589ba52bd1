//! What an answer in Anthropic's dialect tells, as JSON and as a stream.

use bytes::Bytes;
use tollgate_core::{Dialect, Surface};

use super::openai::unescaped_length;
use super::{Observer, Verdict, fault_of};
use crate::json::{Fields, keys};
use crate::report::{Malformed, Report};
use crate::resume::EventTrace;
use crate::sse::Event;
use crate::usage::{self, AnthropicCounts};

/// Watches a stream of a message. Nothing is ever dropped or rewritten.
#[derive(Debug, Default)]
pub(crate) struct AnthropicObserver {
    report: Report,
    counts: AnthropicCounts,
}

impl AnthropicObserver {
    fn read(&mut self, kind: &str, event: &Fields<'_>, data: &[u8]) {
        match kind {
            "message_start" => {
                let Some(message) = event.object("message") else {
                    return;
                };
                read_model(&message, &mut self.report);
                self.read_usage(&message);
            }
            "message_delta" => {
                if let Some(delta) = event.object("delta") {
                    read_stop(&delta, &mut self.report);
                }
                self.read_usage(event);
            }
            "message_stop" => self.report.complete = true,
            "error" => self.report.error = Some(fault_of(data)),
            // Proxies forward the errors of others.
            _ if event.raw("error").is_some() => self.report.error = Some(fault_of(data)),
            _ => {}
        }
    }

    fn read_usage(&mut self, from: &Fields<'_>) {
        let Some(found) = from.object("usage") else { return };
        self.counts.update(&found);
        self.report.usage = self.counts.usage();
        if let Some(tier) = found.text("service_tier") {
            self.report.service_tier = usage::service_tier(tier.as_bytes());
        }
    }
}

impl Observer for AnthropicObserver {
    const DIALECT: Dialect = Dialect::Anthropic;
    type Trace = EventTrace;

    fn observe(&mut self, event: &Event<'_>) -> Verdict {
        match event.name {
            Some("content_block_delta" | "content_block_start") => scan(event.data, &mut self.report),
            Some("ping" | "content_block_stop") => {}
            name => {
                if name == Some("error") {
                    // Whatever it says of itself, and be it no JSON.
                    self.report.error = Some(fault_of(event.data));
                } else if let Ok(fields) = Fields::parse(event.data) {
                    let kind = fields.text("type");
                    let kind = kind.as_deref().or(name).unwrap_or_default();
                    if kind.starts_with("content_block_") {
                        scan(event.data, &mut self.report);
                    }
                    self.read(kind, &fields, event.data);
                }
            }
        }
        Verdict::Forward
    }

    fn report(&self) -> &Report {
        &self.report
    }

    fn report_mut(&mut self) -> &mut Report {
        &mut self.report
    }

    fn closing(&mut self) -> Vec<u8> {
        b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n".to_vec()
    }
}

/// Counts text, thinking and arguments; notes that a tool is called.
fn scan(data: &[u8], report: &mut Report) {
    for key in keys(data) {
        match key.name {
            b"text" | b"thinking" | b"partial_json" => {
                let length = key.string().map_or(0, unescaped_length);
                report.output_bytes = report.output_bytes.saturating_add(length);
                report.has_content |= length > 0;
            }
            b"type" => {
                let kind = key.string().unwrap_or_default();
                report.has_content |= kind.ends_with(b"tool_use") || kind == b"redacted_thinking";
            }
            _ => {}
        }
    }
}

fn read_model(message: &Fields<'_>, report: &mut Report) {
    if report.model.is_none() {
        report.model = message
            .text("model")
            .filter(|model| !model.is_empty())
            .map(Into::into);
    }
}

fn read_stop(from: &Fields<'_>, report: &mut Report) {
    let word = from.text("stop_reason");
    report.finish = word.map(|word| usage::anthropic_finish(&word)).or(report.finish);
}

/// Reads a whole answer.
pub(crate) fn read_answer(surface: Surface, body: &Bytes) -> Result<Report, Malformed> {
    let answer = Fields::parse(body).map_err(|fault| Malformed(fault.to_string()))?;
    let mut observer = AnthropicObserver::default();
    observer.report.complete = true;
    if answer.text("type").as_deref() == Some("error") {
        observer.report.error = Some(fault_of(body));
        return Ok(observer.report);
    }
    if surface == Surface::CountTokens {
        observer.report.has_content = answer.count("input_tokens").is_some();
        return Ok(observer.report);
    }
    let content = answer.raw("content").filter(|content| content.starts_with('['));
    let content = content.ok_or_else(|| Malformed("it has no `content`".to_owned()))?;
    scan(content.as_bytes(), &mut observer.report);
    read_model(&answer, &mut observer.report);
    read_stop(&answer, &mut observer.report);
    observer.read_usage(&answer);
    Ok(observer.report)
}
