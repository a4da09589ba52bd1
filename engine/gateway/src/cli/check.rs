//! `tollgate check`: everything that is wrong with a config file, at once.

use std::process::ExitCode;

use tollgate_actors::ConfigSource;
use tollgate_routing::Board;

pub(super) fn run(source: &ConfigSource) -> anyhow::Result<ExitCode> {
    let settings = match source.load(1, &Board::default()) {
        Ok(settings) => settings,
        Err(problems) => {
            crate::say(format_args!("{problems}"));
            return Ok(ExitCode::from(2));
        }
    };
    let warnings = settings
        .warnings
        .iter()
        .map(|warning| format!("warning: {warning}\n"));
    let summary = format!(
        "ok: {} providers, {} models, listening on {}\n",
        settings.catalog.providers().len(),
        settings.catalog.routes().count(),
        settings.server.listen
    );
    let text: String = warnings.chain([summary]).collect();
    super::print(&text)
}
