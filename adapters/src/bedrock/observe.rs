//! What an answer in the dialect of Bedrock tells, as it streams by.

use tollgate_core::{Dialect, OutcomeClass};

use super::{error, usage};
use crate::classify::{Words, classify, classify_in_stream};
use crate::eventstream::ERROR_EVENT;
use crate::json::{Fields, keys};
use crate::passthrough::{Observer, Verdict};
use crate::report::{Report, StreamFault};
use crate::resume::NoTrace;
use crate::sse::Event;
use crate::usage::service_tier;

/// Watches a stream of Converse events. Nothing is ever dropped or rewritten.
#[derive(Debug, Default)]
pub(crate) struct ConverseObserver {
    report: Report,
    has_usage: bool,
}

impl Observer for ConverseObserver {
    const DIALECT: Dialect = Dialect::Bedrock;
    type Trace = NoTrace;

    fn observe(&mut self, event: &Event<'_>) -> Verdict {
        let report = &mut self.report;
        match event.name.unwrap_or_default() {
            "contentBlockDelta" | "contentBlockStart" => scan(event.data, report),
            "contentBlockStop" => {}
            "messageStop" => {
                read_end_of(&Fields::parse(event.data).unwrap_or_default(), report);
            }
            "metadata" => {
                let fields = Fields::parse(event.data).unwrap_or_default();
                let counts = fields.object("usage").and_then(|usage| usage::read(&usage));
                report.usage = counts.or(report.usage);
                read_model(&fields, report);
                read_tier(&fields, report);
                self.has_usage = true;
            }
            name if is_exception(name) => report.error = Some(fault(name, event.data)),
            _ => {}
        }
        let report = &mut self.report;
        report.complete |= self.has_usage && report.finish.is_some() && report.error.is_none();
        Verdict::Forward
    }

    fn report(&self) -> &Report {
        &self.report
    }

    fn report_mut(&mut self) -> &mut Report {
        &mut self.report
    }
}

fn is_exception(name: &str) -> bool {
    name == ERROR_EVENT || name.ends_with("Exception")
}

/// Whether a body with status 200 is an error all the same.
pub(crate) fn is_error(answer: &Fields<'_>) -> bool {
    answer.raw("output").is_none() && (answer.text("message").is_some() || answer.raw("__type").is_some())
}

/// The fault that an exception of this type tells of.
pub(crate) fn fault(name: &str, data: &[u8]) -> StreamFault {
    let words = Words::read(data);
    let class = match error::status_of(name) {
        Some(status) => match classify(status, &words) {
            OutcomeClass::InvalidRequest | OutcomeClass::ServerError => OutcomeClass::StreamError,
            class => class,
        },
        None => classify_in_stream(&words),
    };
    StreamFault {
        class,
        message: words.shown(200).into(),
    }
}

/// Counts text, thoughts and arguments; notes that there is content.
fn scan(data: &[u8], report: &mut Report) {
    for key in keys(data) {
        match key.name {
            b"text" | b"input" => {
                let length = key.string().map_or(0, <[u8]>::len);
                let length = u64::try_from(length).unwrap_or(u64::MAX);
                report.output_bytes = report.output_bytes.saturating_add(length);
                report.has_content |= length > 0;
            }
            b"toolUseId" | b"redactedContent" => report.has_content = true,
            _ => {}
        }
    }
}

/// Reads why the answer ended.
pub(crate) fn read_end_of(from: &Fields<'_>, report: &mut Report) {
    let word = from.text("stopReason");
    report.finish = word.map(|word| usage::finish(&word)).or(report.finish);
}

/// Reads which model answered: told only where a router chose it.
pub(crate) fn read_model(from: &Fields<'_>, report: &mut Report) {
    let router = from
        .object("trace")
        .and_then(|trace| trace.object("promptRouter"));
    if let Some(model) = router.and_then(|router| router.text("invokedModelId")) {
        report.model = Some(model.into());
    }
}

/// Reads the service tier.
pub(crate) fn read_tier(from: &Fields<'_>, report: &mut Report) {
    if let Some(tier) = from.object("serviceTier").and_then(|tier| tier.text("type")) {
        report.service_tier = service_tier(tier.as_bytes());
    }
}
