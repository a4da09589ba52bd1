//! What tests of several dialects need.

use proptest::prelude::Strategy;
use serde_json::{Map, Value};
use tollgate_core::{ProviderKind, RequestId, Timestamp};

use crate::chat::made::Made;
use crate::egress::Egress;
use crate::loss::Loss;

/// A target.
pub(crate) fn egress(kind: ProviderKind, model: &str) -> Egress<'_> {
    Egress {
        kind,
        model,
        api_version: None,
        max_output_tokens: None,
        strict: false,
        request_id: RequestId::new(Timestamp::from_unix_millis(1), 1),
        now: Timestamp::from_unix_millis(1),
    }
}

/// What goes into answers that are made anew.
pub(crate) fn made() -> Made {
    Made {
        request_id: RequestId::new(Timestamp::from_unix_millis(1), 1),
        now: Timestamp::from_unix_millis(2_000),
        model: "the-model".into(),
    }
}

/// The paths that were lost.
pub(crate) fn named(loss: &Loss) -> Vec<String> {
    loss.paths().map(str::to_owned).collect()
}

/// Text that says something, and does not end in white space.
pub(crate) fn words() -> impl Strategy<Value = String> {
    "[a-zäß\"\\\\\n ]{0,12}[a-z\u{1f50e}]"
}

/// An object of the fields that are there.
pub(crate) fn object(fields: Vec<(&str, Option<Value>)>) -> Value {
    let given = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect::<Map<_, _>>())
}
