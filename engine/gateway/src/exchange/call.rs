//! A request, read: what every stage behind "accept" is given.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use tollgate_adapters::Head;
use tollgate_core::Surface;

use crate::exchange::upload::Upload;

/// A request, read.
pub(crate) struct Call {
    /// What the client called.
    pub(crate) surface: Surface,
    /// The body, unpacked, otherwise untouched.
    pub(crate) body: Bytes,
    /// What one pass over it found.
    pub(crate) head: Head,
    /// The model the client named; of what is asked of an account, `PROVIDER/ACCOUNT`.
    pub(crate) model: Arc<str>,
    /// What is passed on unread; `None`: the body is here.
    pub(crate) carried: Option<Carried>,
}

/// A request that is passed on unread.
pub(crate) struct Carried {
    /// Its method.
    pub(crate) method: Method,
    /// Its path below the surface's own.
    pub(crate) rest: Box<str>,
    /// Its query, without a key.
    pub(crate) query: Box<str>,
    /// Its body; `None`: it has none.
    pub(crate) upload: Option<Upload>,
}

impl Call {
    /// Whether nobody else can be asked: what the client sent has gone to somebody.
    pub(crate) fn is_spent(&self) -> bool {
        self.upload().is_some_and(Upload::is_spent)
    }

    /// What is still being sent; `None`: nothing is.
    pub(crate) fn upload(&self) -> Option<&Upload> {
        self.carried.as_ref()?.upload.as_ref()
    }
}
