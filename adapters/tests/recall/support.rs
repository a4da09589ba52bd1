//! Recordings, and other things that all tests use.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tollgate_core::Surface;

/// A recorded exchange.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) surface: Surface,
    pub(crate) is_stream: bool,
    pub(crate) status: u64,
    pub(crate) request: Option<Value>,
    pub(crate) body: Vec<u8>,
}

impl Case {
    /// `None`: no exchange of chat in one of the two dialects.
    fn load(meta: &Path) -> Option<Self> {
        let directory = meta.parent()?;
        let meta: Value = serde_json::from_slice(&fs::read(meta).ok()?).ok()?;
        let surface = match meta["endpoint"].as_str()? {
            "messages" | "rawPredict" | "streamRawPredict" => Surface::Messages,
            "chat" if meta["provider"] != "cohere" => Surface::ChatCompletions,
            _ => return None,
        };
        let request = fs::read(directory.join("request.json")).ok();
        Some(Self {
            name: directory.display().to_string(),
            surface,
            is_stream: meta["stream"].as_bool().unwrap_or(false),
            status: meta["status"].as_u64()?,
            request: request.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
            body: fs::read(directory.join(meta["response_file"].as_str()?)).ok()?,
        })
    }
}

/// The recordings of chat in the repository, and those in the directory that `TOLLGATE_TRAFFIC` names, laid out as
/// `*/PROVIDER/CASE/meta.json`.
pub(crate) fn recordings() -> Vec<Case> {
    let mut found = Vec::new();
    metas(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"),
        &mut found,
    );
    if let Some(directory) = std::env::var_os("TOLLGATE_TRAFFIC") {
        metas(Path::new(&directory), &mut found);
    }
    found.iter().filter_map(|meta| Case::load(meta)).collect()
}

fn metas(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            metas(&path, found);
        } else if path.file_name().is_some_and(|name| name == "meta.json") {
            found.push(path);
        }
    }
}
