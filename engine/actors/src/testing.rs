//! What the tests of several actors need: a small configuration.

use std::sync::Arc;

use tollgate_config::{Settings, Source};
use tollgate_routing::Board;

use crate::Published;

/// Two providers, `a` and `b`, with two keys and with one, and a route `fast` to `a/m1` and `b/m2`.
pub(crate) const CONFIG: &str = r#"
providers:
  a:
    kind: openai
    base_url: "http://127.0.0.1:9/v1"
    api_keys: [ { name: first, key: ka }, { name: second, key: kb } ]
  b: { kind: openai, base_url: "http://127.0.0.1:9/v1", api_key: kc }
models:
  fast: { targets: [ { provider: a, model: m1 }, { provider: b, model: m2 } ] }
"#;

pub(crate) fn settings_of(text: &str, board: &Board, epoch: u64) -> Settings {
    let source = Source::Text { name: "test", text };
    tollgate_config::load(source, &|_| None, epoch, board).unwrap()
}

pub(crate) fn published(board: &Arc<Board>) -> Published {
    Published::new(settings_of(CONFIG, board, 1))
}
