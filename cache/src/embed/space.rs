//! Another space of meanings, in which neighbours are sought beside the built-in one.
//!
//! It only proposes. Whether two questions ask for the same is judged with the built-in table as ever, so a space that
//! is good, bad, or made by somebody else changes who is looked at, and never what counts as the same.

use std::fmt;
use std::sync::Arc;

use tollgate_core::{Digest, Digester};

use super::Embedder;
use crate::Vector;

/// A space of meanings.
#[derive(Clone)]
pub enum Space {
    /// Its vectors are made here, at once.
    Local(Arc<dyn Embedder>),
    /// Its vectors are made elsewhere, under this name, and brought along.
    Remote(Arc<str>),
}

impl Space {
    /// Its name, which changes whenever the same text could get another vector.
    pub fn id(&self) -> &str {
        match self {
            Self::Local(embedder) => embedder.id(),
            Self::Remote(id) => id,
        }
    }

    /// Whether vectors have to be brought along.
    pub fn is_remote(&self) -> bool {
        matches!(self, Self::Remote(_))
    }

    /// The vector of `text`. `None`: there is nothing in it that the embedder knows, or the vector has to be brought.
    pub fn embed(&self, text: &str) -> Option<Vector> {
        match self {
            Self::Local(embedder) => embedder.embed(text),
            Self::Remote(_) => None,
        }
    }

    /// Where the vectors of a partition are in this space: unlike the partition itself, and unlike its place in any
    /// other space.
    pub fn place(&self, partition: &Digest) -> Digest {
        Digester::new("tollgate cache: space, 1")
            .field(self.id().as_bytes())
            .field(&partition.to_bytes())
            .finish()
    }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Space").field(&self.id()).finish()
    }
}
