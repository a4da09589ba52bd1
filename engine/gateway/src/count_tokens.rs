//! Counting tokens for models whose provider has no endpoint for it: an estimate, marked as one.
//!
//! Coding agents ask before each turn whether their context still fits; an estimate serves them, an error stops
//! them.

use tollgate_adapters::{Answer, Report, estimate_usage};
use tollgate_core::{Refusal, RefusalKind, Surface, Through};

use crate::exchange::answered::Answered;
use crate::exchange::call::Call;
use crate::exchange::passed::Passed;

/// Whether a count that no target can make is made here.
pub(crate) fn estimated_here(surface: Surface, refusal: &Refusal) -> bool {
    surface.counts_tokens() && refusal.kind == RefusalKind::NoCandidate
}

impl Answered {
    /// The estimate, in the client's form.
    pub(crate) fn count(call: &Call) -> Self {
        let tokens = estimate_usage(call.head.prompt_bytes, 0).prompt_total();
        let body = match call.surface.through() {
            Some(Through::GeminiCountTokens) => format!("{{\"totalTokens\":{tokens}}}"),
            Some(Through::BedrockCountTokens) => format!("{{\"inputTokens\":{tokens}}}"),
            Some(Through::InputTokens) => {
                format!("{{\"object\":\"response.input_tokens\",\"input_tokens\":{tokens}}}")
            }
            _ => format!("{{\"input_tokens\":{tokens}}}"),
        }
        .into();
        Self::Whole(
            Answer {
                body,
                report: Report {
                    complete: true,
                    ..Report::default()
                },
            },
            Passed::estimate(),
        )
    }
}
