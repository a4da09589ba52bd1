//! What a stream in Cohere's dialect tells.

use tollgate_core::Dialect;

use super::answer::{read_end, scan};
use super::events::DONE;
use super::stream::{is_done, kind_of};
use crate::json::Fields;
use crate::passthrough::{Observer, Verdict, fault_of};
use crate::report::Report;
use crate::resume::NoTrace;
use crate::sse::Event;

/// Watches a stream of an answer. Nothing is ever dropped or rewritten.
#[derive(Debug, Default)]
pub(crate) struct CohereObserver {
    report: Report,
}

impl CohereObserver {
    /// What a kind of event says; whether that is all there is in it to know.
    fn scan(&mut self, kind: &str, data: &str) -> bool {
        let field = match kind {
            "content-start" | "content-delta" => "",
            "tool-plan-delta" => "tool_plan",
            "tool-call-start" | "tool-call-delta" => "tool_calls",
            // Citations repeat what was said, and what the sources say.
            "content-end" | "tool-call-end" | "citation-start" | "citation-end" => return true,
            _ => return false,
        };
        scan(field, data, &mut self.report);
        true
    }

    fn read(&mut self, kind: &str, fields: &Fields<'_>, data: &[u8]) {
        match kind {
            "message-start" => {
                let model = fields.text("model").filter(|model| !model.is_empty());
                self.report.model = model.map(Into::into);
            }
            "message-end" => {
                let delta = fields.object("delta").unwrap_or_default();
                read_end(&delta, &mut self.report);
                self.report.complete = self.report.error.is_none();
            }
            "error" => self.report.error = Some(fault_of(data)),
            // What the edge says instead of an event.
            _ if fields.text("message").is_some() || fields.raw("error").is_some() => {
                self.report.error = Some(fault_of(data));
            }
            _ => {}
        }
    }
}

impl Observer for CohereObserver {
    const DIALECT: Dialect = Dialect::Cohere;
    type Trace = NoTrace;

    fn observe(&mut self, event: &Event<'_>) -> Verdict {
        if is_done(event) {
            return Verdict::Forward;
        }
        let Ok(text) = std::str::from_utf8(event.data) else {
            return Verdict::Forward;
        };
        if event.name.is_some_and(|name| self.scan(name, text)) {
            return Verdict::Forward;
        }
        match Fields::parse(event.data) {
            Ok(fields) => {
                let kind = kind_of(&fields, event);
                if !self.scan(&kind, text) {
                    self.read(&kind, &fields, event.data);
                }
            }
            // Whatever it says of itself, and be it no JSON.
            Err(_) if event.name == Some("error") => self.report.error = Some(fault_of(event.data)),
            Err(_) => {}
        }
        Verdict::Forward
    }

    fn report(&self) -> &Report {
        &self.report
    }

    fn report_mut(&mut self) -> &mut Report {
        &mut self.report
    }

    fn is_whole(&self, data: &[u8]) -> bool {
        data.trim_ascii() == b"[DONE]" || Fields::parse(data).is_ok()
    }

    fn closing(&mut self) -> Vec<u8> {
        DONE.to_vec()
    }
}
