//! One exchange with a client: what its stages give each other, and keep account in.
//!
//! A request becomes a [`Call`](call), an answer an [`Answered`](answered); each attempt in between is a [`leg`], and the
//! [`ledger`] has what all of them came to.

pub(crate) mod address;
pub(crate) mod answered;
pub(crate) mod call;
pub(crate) mod incoming;
pub(crate) mod ledger;
pub(crate) mod leg;
pub(crate) mod passed;
pub(crate) mod upload;
