//! An answer of Google's, or an event of a stream of it, taken apart once for all who read it.

use std::borrow::Cow;

use tollgate_core::FinishReason;

use super::usage::finish;
use crate::chat::answer::{End, finish_with};
use crate::json::Fields;

/// An answer, or an event of a stream of it, taken apart.
#[derive(Debug)]
pub(crate) struct Response<'a> {
    pub(crate) fields: Fields<'a>,
    pub(crate) candidates: Vec<Candidate<'a>>,
}

/// One of the answers in it.
#[derive(Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) fields: Fields<'a>,
    pub(crate) parts: Vec<Fields<'a>>,
}

impl<'a> Response<'a> {
    /// Takes `json` apart; `Err` says what is wrong and where.
    pub(crate) fn parse(json: &'a [u8]) -> Result<Self, serde_json::Error> {
        let fields = Fields::parse(json)?;
        let candidates = fields.elements("candidates").into_iter();
        let candidates = candidates.filter_map(Fields::of).map(Candidate::of).collect();
        Ok(Self { fields, candidates })
    }

    /// The model that answered.
    pub(crate) fn model(&self) -> Option<Cow<'a, str>> {
        self.fields.text("modelVersion").filter(|model| !model.is_empty())
    }

    /// How an answer ended whose prompt was blocked: there are no candidates then.
    pub(crate) fn blocked(&self) -> Option<End<'a>> {
        if !self.candidates.is_empty() {
            return None;
        }
        let feedback = self.fields.object("promptFeedback")?;
        let reason = feedback.text("blockReason")?;
        let words = feedback
            .text("blockReasonMessage")
            .filter(|words| !words.is_empty());
        Some(End {
            finish: Some(FinishReason::ContentFilter),
            stop_sequence: None,
            explanation: words.or_else(|| Some(format!("The prompt was blocked: {reason}.").into())),
        })
    }
}

impl<'a> Candidate<'a> {
    fn of(fields: Fields<'a>) -> Self {
        let content = fields.object("content").unwrap_or_default();
        let parts = content.elements("parts").into_iter();
        let parts = parts.filter_map(Fields::of).collect();
        Self { fields, parts }
    }

    /// How it ended.
    pub(crate) fn end(&self, has_calls: bool) -> End<'a> {
        let finish = self.fields.text("finishReason").and_then(|word| finish(&word));
        let finish = finish.map(|finish| finish_with(finish, has_calls));
        let is_filtered = finish == Some(FinishReason::ContentFilter);
        let words = self.fields.text("finishMessage");
        End {
            finish,
            stop_sequence: None,
            explanation: words.filter(|words| is_filtered && !words.is_empty()),
        }
    }

    /// Whether it is the one that other dialects have.
    pub(crate) fn is_first(&self) -> bool {
        self.fields.count("index").unwrap_or(0) == 0
    }
}
