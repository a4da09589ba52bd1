//! Where the configuration comes from, and how a change of it is noticed.

use std::path::PathBuf;

use tollgate_config::{Cache, Problems, Settings};
use tollgate_routing::Board;

/// Where the configuration comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigSource {
    /// A file; followed.
    File(PathBuf),
    /// Provider keys found in the environment.
    Environment,
}

/// Enough of a file's state to notice that it has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileState {
    inode: u64,
    len: u64,
    modified: Option<std::time::SystemTime>,
}

impl ConfigSource {
    /// Reads the configuration; targets and providers get their cells from `board`.
    pub fn load(&self, epoch: u64, board: &Board) -> Result<Settings, Problems> {
        let env = |name: &str| std::env::var(name).ok();
        match self {
            Self::File(path) => {
                tollgate_config::load(tollgate_config::Source::File(path), &env, epoch, board)
            }
            Self::Environment => tollgate_config::zero_config(&env, epoch, board),
        }
    }

    /// The file as it is now; `None`: there is none.
    pub(super) fn state(&self) -> Option<FileState> {
        use std::os::unix::fs::MetadataExt;
        let Self::File(path) = self else { return None };
        let metadata = std::fs::metadata(path).ok()?;
        Some(FileState {
            inode: metadata.ino(),
            len: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }
}

/// Whether files would have to be opened or left. They are opened at the start, if there is anything to keep.
fn is_kept_elsewhere(old: &Cache, new: &Cache) -> bool {
    let of = |cache: &Cache| cache.directory.clone().filter(|_| cache.is_used());
    let is_turned_off = old.directory == new.directory && !new.is_used();
    !is_turned_off && of(old) != of(new)
}

/// Settings that differ but take effect only after a restart.
pub(super) fn needs_restart(old: &Settings, new: &Settings) -> Vec<&'static str> {
    let differs = [
        ("server.listen", old.server.listen != new.server.listen),
        ("server.workers", old.server.workers != new.server.workers),
        ("server.tls", old.server.tls != new.server.tls),
        (
            "server.keep_alive",
            old.server.keep_alive != new.server.keep_alive,
        ),
        ("admin.listen", old.admin.listen != new.admin.listen),
        ("admin.state", old.admin.state_file != new.admin.state_file),
        (
            "telemetry.access_log",
            old.telemetry.access_log != new.telemetry.access_log,
        ),
        ("cache.max_size", old.cache.max_bytes != new.cache.max_bytes),
        ("cache.directory", is_kept_elsewhere(&old.cache, &new.cache)),
        ("cache.embedder", old.cache.embedder != new.cache.embedder),
    ];
    differs
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
}
