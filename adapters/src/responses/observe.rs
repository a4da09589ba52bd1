//! What a stream of response events tells, where it passes on as it came. Nothing is ever dropped or rewritten.

use tollgate_core::Dialect;

use super::answer::{finish, is_for_client, read_response};
use crate::json::Fields;
use crate::passthrough::{Observer, Verdict, fault_of};
use crate::report::Report;
use crate::resume::NoTrace;
use crate::sse::Event;

/// Watches a stream of response events.
#[derive(Debug, Default)]
pub(crate) struct ResponseObserver {
    report: Report,
    has_calls: bool,
}

impl ResponseObserver {
    fn read(&mut self, kind: &str, event: &Fields<'_>, data: &[u8]) {
        match kind {
            "response.output_item.added" | "response.output_item.done" => {
                let item = event.object("item").unwrap_or_default();
                let kind = item.text("type").unwrap_or_default();
                self.has_calls |= is_for_client(&kind);
                self.report.has_content |= kind.ends_with("_call");
            }
            "response.created" | "response.in_progress" | "response.completed" | "response.incomplete" => {
                let response = event.object("response").unwrap_or_default();
                read_response(&response, &mut self.report);
                if matches!(kind, "response.completed" | "response.incomplete") {
                    self.report.finish = finish(&response, self.has_calls);
                    self.report.complete = true;
                }
            }
            "response.failed" => {
                let response = event.object("response").unwrap_or_default();
                read_response(&response, &mut self.report);
                if self.report.error.is_none() {
                    let words = event.raw("response").map_or(data, str::as_bytes);
                    self.report.error = Some(fault_of(words));
                }
            }
            "error" => self.report.error = Some(fault_of(data)),
            _ if kind.strip_suffix(".delta").is_some() => {
                let length = event.text("delta").map_or(0, |text| text.len());
                let length = u64::try_from(length).unwrap_or(u64::MAX);
                self.report.output_bytes = self.report.output_bytes.saturating_add(length);
                self.report.has_content |= length > 0;
            }
            // Proxies forward the errors of others.
            _ if event.raw("error").is_some() => self.report.error = Some(fault_of(data)),
            _ => {}
        }
    }
}

impl Observer for ResponseObserver {
    const DIALECT: Dialect = Dialect::Responses;
    type Trace = NoTrace;

    fn observe(&mut self, event: &Event<'_>) -> Verdict {
        match Fields::parse(event.data) {
            Ok(fields) => {
                let kind = fields.text("type");
                let kind = kind.as_deref().or(event.name).unwrap_or_default();
                let kind = if event.name == Some("error") {
                    "error"
                } else {
                    kind
                };
                self.read(kind, &fields, event.data);
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
}
