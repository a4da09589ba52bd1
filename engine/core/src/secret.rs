//! A credential that cannot be printed by accident.

use std::fmt;
use std::sync::Arc;

/// A secret text: `Debug` and `Display` show `***`, so that no log, error or panic message can carry it.
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The secret itself: for the header that carries it, and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_shows_itself() {
        let secret = Secret::new("sk-very-secret");
        assert!(!format!("{secret} {secret:?} {:?}", Some(&secret)).contains("very"));
        assert_eq!(secret.expose(), "sk-very-secret");
    }
}
