//! Text to vectors.
//!
//! - [`Embedder`]: whatever turns words into a [`Vector`].
//! - [`Table`]: a static model, that is a row of numbers per word piece: the one that ships with the program, or one in
//!   a model2vec directory.
//! - [`Space`]: where neighbours are sought beside the space of the table that ships.
//!
//! A vector means something among vectors of the same model only: [`Embedder::id`] names it, and belongs into the key
//! of everything that is stored with a vector.

mod directory;
#[cfg(test)]
mod fixture;
mod floats;
mod space;
mod table;
mod tensors;

use crate::Vector;

pub use directory::LoadError;
pub use space::Space;
pub use table::{Row, Table};
pub use tensors::TableError;

/// Turns words into vectors, such that what means the same points the same way.
pub trait Embedder: Send + Sync {
    /// Its name, which changes whenever the same text could get another vector.
    fn id(&self) -> &str;

    /// How many dimensions its vectors have.
    fn dimensions(&self) -> usize;

    /// The vector of `text`. `None`: there is nothing in it that this embedder knows, so it is like nothing else.
    fn embed(&self, text: &str) -> Option<Vector>;
}
