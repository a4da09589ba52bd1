//! What Control tells an operator of its own accord.

use std::fmt;

use tollgate_routing::ChangeProblem;

/// Called with everything that an operator should know and has not just been told in an answer.
pub type OnNotice = Box<dyn Fn(&Notice)>;

/// Something that happened. `Display` says it in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A change went live.
    Changed {
        /// The version.
        version: u64,
        /// Who made it.
        author: String,
        /// Why.
        reason: String,
    },
    /// A change is being tried.
    Staged {
        /// The version.
        version: u64,
        /// Who made it.
        author: String,
        /// Why.
        reason: String,
    },
    /// A staged change has proved itself, or was promoted by hand: it is live for all.
    Promoted {
        /// The version.
        version: u64,
    },
    /// A change was taken back.
    TakenBack {
        /// The version.
        version: u64,
        /// Whether the gateway did it by itself.
        automatic: bool,
        /// Why: the figures, where it was the gateway.
        reason: String,
    },
    /// Run-time changes of an earlier life are in force again.
    Restored {
        /// The version.
        version: u64,
        /// Those parts of it that do not fit the configuration file.
        set_aside: Vec<ChangeProblem>,
    },
    /// The state file cannot be used.
    StateUnusable {
        /// Why.
        text: String,
    },
    /// Run-time changes could not be written down: they will not survive a restart.
    NotSaved {
        /// Why.
        text: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed {
                version,
                author,
                reason,
            } => write!(
                f,
                "routes changed by {author:?}: version {version} is live ({reason:?})"
            ),
            Self::Staged {
                version,
                author,
                reason,
            } => write!(
                f,
                "routes changed by {author:?}: version {version} is being tried ({reason:?})"
            ),
            Self::Promoted { version } => write!(f, "version {version} is live for all requests"),
            Self::TakenBack {
                version,
                automatic: true,
                reason,
            } => write!(f, "version {version} was rolled back automatically: {reason}"),
            Self::TakenBack { version, reason, .. } => {
                write!(f, "version {version} was rolled back ({reason:?})")
            }
            Self::Restored { version, set_aside } => {
                write!(f, "run-time changes are in force: version {version}")?;
                set_aside
                    .iter()
                    .try_for_each(|problem| write!(f, "\n  set aside: {problem}"))
            }
            Self::StateUnusable { text } => f.write_str(text),
            Self::NotSaved { text } => {
                write!(
                    f,
                    "run-time changes are live, but will not survive a restart: {text}"
                )
            }
        }
    }
}
