//! How large a document may become. Aliases multiply: nine lines of YAML can stand for a billion nodes.

/// Nodes of a document, aliases expanded.
const MAX_NODES: usize = 500_000;
/// Bytes of text of a document, aliases expanded.
const MAX_TEXT_BYTES: usize = 32 << 20;
/// Levels of nesting. The config format has six.
pub(super) const MAX_DEPTH: usize = 64;

/// What may still be added to a document.
pub(super) struct Budget {
    nodes: usize,
    text_bytes: usize,
}

impl Budget {
    /// All of it.
    pub(super) fn full() -> Self {
        Self {
            nodes: MAX_NODES,
            text_bytes: MAX_TEXT_BYTES,
        }
    }

    /// Takes room for `nodes` with `text_bytes` of text among them. `None`: there is none.
    pub(super) fn take(&mut self, nodes: usize, text_bytes: usize) -> Option<()> {
        self.nodes = self.nodes.checked_sub(nodes)?;
        self.text_bytes = self.text_bytes.checked_sub(text_bytes)?;
        Some(())
    }
}
