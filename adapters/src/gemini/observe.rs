//! What an answer in Google's dialect tells, as JSON and as a stream that passes on.
//!
//! Nothing is ever dropped or rewritten, and nothing closes the stream: it is finished when a candidate has told
//! why it ended, and the body ends.

use tollgate_core::Dialect;

use super::response::{Candidate, Response};
use super::usage::{Counts, tier};
use crate::passthrough::{Observer, Verdict, fault_of};
use crate::report::Report;
use crate::resume::NoTrace;
use crate::sse::Event;

/// Watches a stream of answers.
#[derive(Debug, Default)]
pub(crate) struct GeminiObserver {
    report: Report,
    counts: Counts,
    has_calls: bool,
}

impl GeminiObserver {
    /// What a whole answer tells.
    pub(crate) fn read_whole(answer: &Response<'_>, body: &[u8]) -> Report {
        let mut observer = Self::default();
        observer.read(answer, body);
        observer.report
    }

    /// Takes in what an event says, which is `data` taken apart; `None`: it is no JSON object.
    pub(super) fn take(&mut self, answer: Option<&Response<'_>>, event: &Event<'_>) {
        match answer {
            Some(answer) => self.read(answer, event.data),
            None if event.name == Some("error") => self.report.error = Some(fault_of(event.data)),
            None => {}
        }
    }

    fn read(&mut self, answer: &Response<'_>, data: &[u8]) {
        let error = answer.fields.raw("error");
        if error.is_some_and(|error| !matches!(error, "\"\"" | "{}" | "false")) {
            self.report.error = Some(fault_of(data));
            return;
        }
        if self.report.model.is_none() {
            self.report.model = answer.model().map(Into::into);
        }
        if let Some(usage) = answer.fields.object("usageMetadata") {
            self.counts.update(&usage);
            self.report.usage = self.counts.usage();
            self.report.service_tier = tier(&usage).unwrap_or(self.report.service_tier);
        }
        let blocked = answer.blocked().and_then(|end| end.finish);
        self.report.finish = blocked.or(self.report.finish);
        for candidate in &answer.candidates {
            let calls = self.content(candidate);
            if candidate.is_first() {
                self.has_calls |= calls;
                let end = candidate.end(self.has_calls);
                self.report.finish = end.finish.or(self.report.finish);
            }
        }
    }

    /// Counts what a candidate says; whether it calls a function.
    fn content(&mut self, candidate: &Candidate<'_>) -> bool {
        let mut has_calls = false;
        for part in &candidate.parts {
            let length = match part.object("functionCall") {
                Some(call) => {
                    has_calls = true;
                    let pieces = call.raw("args").or_else(|| call.raw("partialArgs"));
                    pieces.map_or(0, str::len)
                }
                None => part.text("text").map_or(0, |text| text.len()),
            };
            let length = u64::try_from(length).unwrap_or(u64::MAX);
            self.report.output_bytes = self.report.output_bytes.saturating_add(length);
            let others = [
                "functionCall",
                "inlineData",
                "executableCode",
                "codeExecutionResult",
                "toolCall",
            ];
            self.report.has_content |= length > 0 || others.into_iter().any(|name| part.raw(name).is_some());
        }
        has_calls
    }
}

impl Observer for GeminiObserver {
    const DIALECT: Dialect = Dialect::Gemini;
    type Trace = NoTrace;

    fn observe(&mut self, event: &Event<'_>) -> Verdict {
        self.take(Response::parse(event.data).ok().as_ref(), event);
        Verdict::Forward
    }

    fn report(&self) -> &Report {
        &self.report
    }

    fn report_mut(&mut self) -> &mut Report {
        &mut self.report
    }
}
