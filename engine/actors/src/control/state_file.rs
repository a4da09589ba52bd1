//! The file in which run-time changes survive a restart.
//!
//! It is replaced as a whole (written beside, flushed, renamed), so that a crash leaves the old one or the new one.
//! One that cannot be read is never written over: it is moved aside first. One process owns it.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tollgate_core::Timestamp;

use super::versions::{Version, Versions};

/// What the file says it is.
const FORMAT: &str = "tollgate-state/1";
/// A larger file is not ours.
const MAX_BYTES: u64 = 64 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: String,
    versions: Vec<Version>,
}

#[derive(Serialize)]
struct Storing<'v> {
    format: &'static str,
    versions: Vec<&'v Version>,
}

/// The file.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    /// What is there is not ours, or broken: to be kept when the first state is written.
    is_foreign: bool,
}

impl StateFile {
    /// Opens the file, and reads the history in it; no file is an empty one. If it cannot be used, the history is
    /// empty, and the text says why.
    pub(super) fn open(path: &Path, now: Timestamp) -> (Self, Versions, Option<String>) {
        let read = read(path, now);
        let file = Self {
            path: path.to_owned(),
            is_foreign: read.is_err(),
        };
        match read {
            Ok(versions) => (file, versions, None),
            Err(why) => {
                let text = format!(
                    "{} holds no state that can be used, so no run-time changes are restored: {why}",
                    path.display()
                );
                (file, Versions::default(), Some(text))
            }
        }
    }

    /// Writes the history down. When this returns, it survives a loss of power.
    ///
    /// # Errors
    /// What the file system says; the file is as it was.
    pub(super) fn save(&mut self, versions: &Versions) -> io::Result<()> {
        let stored = Storing {
            format: FORMAT,
            versions: versions.entries().iter().collect(),
        };
        let mut bytes = serde_json::to_vec_pretty(&stored)?;
        bytes.push(b'\n');
        let beside = with_suffix(&self.path, ".new");
        let mut file = File::create(&beside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        if self.is_foreign && self.path.exists() {
            fs::rename(&self.path, with_suffix(&self.path, ".unusable"))?;
        }
        self.is_foreign = false;
        fs::rename(&beside, &self.path)?;
        let folder = self.path.parent().filter(|it| !it.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

fn read(path: &Path, now: Timestamp) -> Result<Versions, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Versions::default()),
        Err(error) => return Err(error.to_string()),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err("it is larger than 64 MiB".to_owned());
    }
    let stored: Stored = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    if stored.format != FORMAT {
        return Err(format!("its format is {:?}, not {FORMAT:?}", stored.format));
    }
    Versions::restored(stored.versions, now)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests;
