//! Texts with a form: how the schema describes them. They are read in [`resolve`](crate::resolve), where a
//! problem can be reported with its place.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use tollgate_core::{Capabilities, ProviderKind};

/// Declares a text newtype and its schema.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $title:literal, $schema:tt) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Deserialize)]
        #[serde(transparent)]
        pub(crate) struct $name(pub String);

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $title.into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

text!(
    /// A span of time: `500ms`, `2s`, `5m`, `1h`.
    DurationText, "Duration",
    { "type": "string", "pattern": "^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$", "examples": ["500ms", "2s", "5m", "1h30m"] }
);
text!(
    /// A number of bytes: `512KiB`, `32MiB`.
    SizeText, "Size",
    { "type": "string", "pattern": "^[0-9]+(B|KB|MB|GB|KiB|MiB|GiB)$", "examples": ["512KiB", "32MiB"] }
);
text!(
    /// US dollars: `$0.15`.
    MoneyText, "Money",
    { "type": "string", "pattern": "^\\$?[0-9]*(\\.[0-9]+)?$", "examples": ["$0.15", "$1.00"] }
);
/// A share: `5%`, or a number from 0 to 1.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum ShareText {
    /// `0.05`
    Number(f64),
    /// `5%`
    Text(String),
}

impl JsonSchema for ShareText {
    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"], "pattern": "^[0-9]+(\\.[0-9]+)?%?$", "minimum": 0, "examples": ["5%", 0.05] })
    }
}

text!(
    /// When a hedge is due.
    HedgeAfterText, "HedgeAfter",
    { "type": "string", "pattern": "^(p95|([0-9]+(\\.[0-9]+)?(ms|s|m|h))+)$", "examples": ["p95", "800ms"] }
);
text!(
    /// What decides within a priority group.
    StrategyText, "Strategy",
    { "type": "string", "enum": ["weighted", "scored"] }
);
text!(
    /// What to do when nobody is healthy.
    OnNoCandidatesText, "OnNoCandidates",
    { "type": "string", "enum": ["try_anyway", "refuse"] }
);
text!(
    /// Which questions count as the same.
    CacheModeText, "CacheMode",
    { "type": "string", "enum": ["off", "exact", "safe", "balanced", "aggressive", "shadow"] }
);
text!(
    /// Who shares answers.
    CacheScopeText, "CacheScope",
    { "type": "string", "enum": ["key", "shared"] }
);
text!(
    /// Something that a model can do.
    CapabilityText, "Capability",
    { "type": "string", "enum": (Capabilities::ALL.names().collect::<Vec<_>>()) }
);
text!(
    /// A kind of provider.
    KindText, "Kind",
    { "type": "string", "enum": (ProviderKind::ALL.map(ProviderKind::name)) }
);
text!(
    /// How a provider's key is sent.
    AuthText, "Auth",
    { "type": "string", "enum": ["bearer", "x-api-key", "x-goog-api-key", "api-key", "aws", "google", "none"] }
);

/// A secret. The schema marks it `writeOnly`: by this the checks know never to show it.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct SecretText(pub String);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl JsonSchema for SecretText {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

/// The version of HTTP towards a provider.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
pub(crate) enum HttpText {
    /// `1` or `2`
    Number(u8),
    /// `http1` or `http2`
    Name(HttpName),
}

/// The version of HTTP, as a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HttpName {
    /// HTTP/1.1
    Http1,
    /// HTTP/2
    Http2,
}

impl HttpText {
    /// Whether it is HTTP/2.
    pub(crate) fn is_http2(self) -> bool {
        matches!(self, Self::Number(2) | Self::Name(HttpName::Http2))
    }
}

impl JsonSchema for HttpText {
    fn schema_name() -> Cow<'static, str> {
        "Http".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": ["http1", "http2", 1, 2] })
    }
}
