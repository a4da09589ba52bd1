//! What a translation could not carry.

use std::fmt;

/// JSON paths of the client's request that the target's dialect has no place for, each once, in the order met.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loss {
    paths: Vec<Box<str>>,
}

impl Loss {
    /// Notes that what stands at `path` (`logit_bias`, `messages[2].content[0].detail`) is not carried.
    pub fn note(&mut self, path: impl Into<Box<str>>) {
        let path = path.into();
        if !self.paths.contains(&path) {
            self.paths.push(path);
        }
    }

    /// Whether everything was carried.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// The paths.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(|path| &**path)
    }
}

/// Separated by commas: the value of `x-tollgate-loss`.
impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, path) in self.paths.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(f, "{separator}{path}")?;
        }
        Ok(())
    }
}
