//! What tests share.

/// A file of the reference is what the program says: `UPDATE=1 cargo test -p tollgate-loadtest` writes it anew.
pub(crate) fn assert_committed(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/reference")
        .join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "{} is stale: run with UPDATE=1",
        path.display()
    );
}
