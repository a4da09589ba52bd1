//! What an answer in Google's dialect tells, as JSON and as a stream that passes on.
//!
//! Nothing is ever dropped or rewritten, and nothing closes the stream: it is finished when a candidate has told
//! why it ended, and the body ends.

use tollgate_core::Dialect;

use super::answer::{blocked, candidates, end_of, parts_of};
use super::usage::{Counts, tier};
use crate::json::Fields;
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
    pub(crate) fn read_whole(answer: &Fields<'_>, body: &[u8]) -> Report {
        let mut observer = Self::default();
        observer.read(answer, body);
        observer.report
    }

    fn read(&mut self, answer: &Fields<'_>, data: &[u8]) {
        if answer
            .raw("error")
            .is_some_and(|error| !matches!(error, "\"\"" | "{}" | "false"))
        {
            self.report.error = Some(fault_of(data));
            return;
        }
        if self.report.model.is_none() {
            let model = answer.text("modelVersion").filter(|model| !model.is_empty());
            self.report.model = model.map(Into::into);
        }
        if let Some(usage) = answer.object("usageMetadata") {
            self.counts.update(&usage);
            self.report.usage = self.counts.usage();
            self.report.service_tier = tier(&usage).unwrap_or(self.report.service_tier);
        }
        let candidates = candidates(answer);
        if candidates.is_empty() {
            let end = blocked(answer).and_then(|end| end.finish);
            self.report.finish = end.or(self.report.finish);
        }
        for candidate in &candidates {
            let is_first = candidate.count("index").unwrap_or(0) == 0;
            let calls = self.content(candidate);
            self.has_calls |= calls && is_first;
            if is_first {
                let end = end_of(candidate, self.has_calls);
                self.report.finish = end.finish.or(self.report.finish);
            }
        }
    }

    /// Counts what a candidate says; whether it calls a function.
    fn content(&mut self, candidate: &Fields<'_>) -> bool {
        let mut has_calls = false;
        for part in parts_of(candidate) {
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
        if let Ok(answer) = Fields::parse(event.data) {
            self.read(&answer, event.data);
        } else if event.name == Some("error") {
            self.report.error = Some(fault_of(event.data));
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
