//! How the answers of a route are cached: what an operator sets.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// How the answers of a route are cached.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Which questions count as the same.
    pub mode: Mode,
    /// How long an answer may be given again. Each entry gets up to a tenth less, so that what was filled together
    /// does not end together.
    pub ttl: Duration,
    /// Who shares answers with whom.
    pub scope: Scope,
    /// Requests with a higher temperature are not answered by meaning: their sender wants variety.
    pub max_temperature: f64,
    /// Of the answers that would be given by meaning, this share is asked for upstream all the same and compared.
    /// `0.0..=1.0`. Above 0, thresholds may come down by what is learned, too.
    pub recheck: f32,
    /// Whether that is so of all of them: nothing is given by meaning, but told and compared.
    pub shadow: bool,
    /// Whether answers that call tools are kept, too.
    pub tool_calls: bool,
    /// Whether answers that ended at the limit of tokens are kept, too.
    pub truncated: bool,
    /// Tokens in a second at which a kept answer is told as a stream. `None`: all at once.
    pub pace: Option<NonZeroU32>,
    /// What entries can be invalidated by, beside their route and tenant.
    pub tags: Arc<[Box<str>]>,
}

impl Policy {
    /// Whether near misses, too, are compared with the answers that come instead: where an operator wants thresholds
    /// to follow what is learned in both directions.
    pub fn learns(&self) -> bool {
        self.shadow || self.recheck > 0.0
    }
}

/// Which questions count as the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Mode {
    /// None: nothing is cached.
    #[default]
    Off,
    /// Those that are the same to the byte, or but for case, spaces and the mark at the end.
    Exact,
    /// Also those that mean the same; as nearly certain as it gets.
    Safe,
    /// Also those that mean the same, with some doubt.
    Balanced,
    /// Also those that most likely mean the same.
    Aggressive,
}

impl Mode {
    /// The name in the config file and in headers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Exact => "exact",
            Self::Safe => "safe",
            Self::Balanced => "balanced",
            Self::Aggressive => "aggressive",
        }
    }

    /// The mode of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        let all = [
            Self::Off,
            Self::Exact,
            Self::Safe,
            Self::Balanced,
            Self::Aggressive,
        ];
        all.into_iter().find(|mode| mode.name() == name)
    }

    /// What a config file and a header may say in place of a mode's name: see [`Policy::shadow`].
    pub const SHADOW: &'static str = "shadow";

    /// Whether meaning counts.
    pub const fn is_semantic(self) -> bool {
        matches!(self, Self::Safe | Self::Balanced | Self::Aggressive)
    }
}

/// Who shares answers with whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Scope {
    /// Nobody: each virtual key has its own.
    #[default]
    Key,
    /// All keys that name the same space, each route by itself.
    Shared(Arc<str>),
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::Off,
            ttl: Duration::from_secs(3_600),
            scope: Scope::Key,
            max_temperature: 1.0,
            recheck: 0.0,
            shadow: false,
            tool_calls: false,
            truncated: false,
            pace: None,
            tags: Arc::default(),
        }
    }
}
