//! What a request needs a model to be able to do, and what a model can do: the same small set.

use std::fmt;

/// A set of abilities.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Capabilities(u16);

impl Capabilities {
    /// None.
    pub const NONE: Self = Self(0);
    /// Tools, or functions, can be called.
    pub const TOOLS: Self = Self(1);
    /// Pictures are understood.
    pub const VISION: Self = Self(1 << 1);
    /// Sound is understood.
    pub const AUDIO: Self = Self(1 << 2);
    /// Documents (PDF and the like) are understood.
    pub const DOCUMENTS: Self = Self(1 << 3);
    /// Answers follow a given JSON schema.
    pub const JSON_SCHEMA: Self = Self(1 << 4);
    /// Answers are JSON.
    pub const JSON_MODE: Self = Self(1 << 5);
    /// It can be told to think first.
    pub const REASONING: Self = Self(1 << 6);
    /// All of them.
    pub const ALL: Self = Self((1 << 7) - 1);

    const NAMES: [(Self, &'static str); 7] = [
        (Self::TOOLS, "tools"),
        (Self::VISION, "vision"),
        (Self::AUDIO, "audio"),
        (Self::DOCUMENTS, "documents"),
        (Self::JSON_SCHEMA, "json_schema"),
        (Self::JSON_MODE, "json_mode"),
        (Self::REASONING, "reasoning"),
    ];

    /// Whether every ability of `other` is in here.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of here that `of` lacks.
    #[must_use]
    pub const fn missing(self, of: Self) -> Self {
        Self(self.0 & !of.0)
    }

    /// The names in the config file, decisions and messages.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .into_iter()
            .filter(move |(ability, _)| self.contains(*ability))
            .map(|(_, name)| name)
    }

    /// The ability of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        let found = Self::NAMES.into_iter().find(|(_, known)| *known == name);
        found.map(|(ability, _)| ability)
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let needs = Capabilities::TOOLS.union(Capabilities::VISION);
        assert!(Capabilities::ALL.contains(needs) && !Capabilities::TOOLS.contains(needs));
        let missing: Vec<_> = needs.missing(Capabilities::TOOLS).names().collect();
        assert_eq!(missing, ["vision"]);
        assert!(needs.missing(Capabilities::ALL).names().next().is_none());
    }

    #[test]
    fn every_ability_has_a_name_of_its_own() {
        let named = Capabilities::ALL.names().map(Capabilities::from_name);
        let union = named.fold(Capabilities::NONE, |all, one| all.union(one.unwrap()));
        assert_eq!(union, Capabilities::ALL);
        assert_eq!(Capabilities::from_name("flying"), None);
    }
}
