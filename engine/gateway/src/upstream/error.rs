//! Why a provider could not be reached, or did not answer.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tollgate_core::OutcomeClass;

/// Why there is no connection. Whoever waited for the same one is told the same.
#[derive(Debug, Clone, Error)]
pub(crate) enum ConnectError {
    /// None within the connect timeout.
    #[error("no connection within {0:?}")]
    Timeout(Duration),
    /// None at all.
    #[error("no connection: {0}")]
    Failed(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

/// Why an exchange came to no answer.
#[derive(Debug, Error)]
pub(crate) enum SendError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A connection, but no head of an answer within the first-byte timeout.
    #[error("no answer within {0:?}")]
    FirstByteTimeout(Duration),
    /// The connection broke before an answer came. `stale`: it was an idle one, which the provider may have
    /// been closing just then.
    #[error("the connection broke before an answer came: {source}")]
    Reset {
        /// Whether the connection had been idle in the pool.
        stale: bool,
        /// What hyper says.
        #[source]
        source: hyper::Error,
    },
}

/// Any error of a connector.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl ConnectError {
    /// None at all.
    pub(super) fn failed(why: impl Into<BoxError>) -> Self {
        Self::Failed(Arc::from(why.into()))
    }
}

impl SendError {
    /// Whether an idle connection was closed, without a byte of an answer, instead of taking the request.
    pub(crate) fn was_stale(&self) -> bool {
        matches!(self, Self::Reset { stale: true, source } if source.is_incomplete_message())
    }

    /// What it is to the health of the target.
    pub(crate) fn class(&self) -> OutcomeClass {
        match self {
            Self::Connect(ConnectError::Timeout(_)) => OutcomeClass::ConnectTimeout,
            Self::Connect(ConnectError::Failed(_)) => OutcomeClass::ConnectFailed,
            Self::FirstByteTimeout(_) => OutcomeClass::FirstByteTimeout,
            Self::Reset { .. } => OutcomeClass::Reset,
        }
    }
}
