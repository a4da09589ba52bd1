//! What answers need that are made anew: ids, a time, a name.

use std::collections::HashSet;

use tollgate_core::{RequestId, Timestamp};

/// What goes into answers that are made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) request_id: RequestId,
    pub(crate) now: Timestamp,
    /// The model's name at the provider, for answers that do not tell.
    pub(crate) model: Box<str>,
}

impl Made {
    fn unique(&self) -> String {
        let id = self.request_id.to_string();
        id.strip_prefix("req_").unwrap_or(&id).to_owned()
    }

    pub(crate) fn completion_id(&self) -> String {
        format!("chatcmpl-{}", self.unique())
    }

    pub(crate) fn message_id(&self) -> String {
        format!("msg_{}", self.unique())
    }

    /// The id of an answer in dialects whose ids have no prefix.
    pub(crate) fn answer_id(&self) -> String {
        self.unique()
    }

    /// The id of a call that came without one.
    pub(crate) fn call_id(&self, prefix: &str, number: usize) -> String {
        format!("{prefix}{}_{number}", self.unique())
    }
}

/// The ids of an answer's calls, of which no two are the same.
#[derive(Debug, Clone)]
pub(crate) struct CallIds {
    /// What those begin with that are made up.
    prefix: &'static str,
    taken: HashSet<Box<str>>,
    last: Option<Box<str>>,
    count: usize,
}

impl CallIds {
    pub(crate) fn new(prefix: &'static str) -> Self {
        Self {
            prefix,
            taken: HashSet::new(),
            last: None,
            count: 0,
        }
    }

    /// How many calls there have been.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// The id of the last call.
    pub(crate) fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }

    /// The id of the next call: its own, or one that is made up where it has none, or another call's.
    pub(crate) fn next(&mut self, id: &str, made: &Made) -> &str {
        let is_new = !id.is_empty() && !self.taken.contains(id);
        let id: Box<str> = if is_new {
            id.into()
        } else {
            made.call_id(self.prefix, self.count).into()
        };
        self.count += 1;
        self.taken.insert(id.clone());
        self.last.insert(id)
    }
}
