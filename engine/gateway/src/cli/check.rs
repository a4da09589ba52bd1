//! `tollgate check`: everything that is wrong with a config file, at once.

use std::process::ExitCode;

use tollgate_actors::ConfigSource;

pub(super) fn run(source: &ConfigSource) -> anyhow::Result<ExitCode> {
    let settings = match source.load(1) {
        Ok(settings) => settings,
        Err(problems) => {
            crate::say(format_args!("{problems}"));
            return Ok(ExitCode::from(2));
        }
    };
    let mut text = String::new();
    for warning in &settings.warnings {
        text.push_str(&format!("warning: {warning}\n"));
    }
    let providers = settings.catalog.providers().len();
    let routes = settings.catalog.routes().count();
    text.push_str(&format!(
        "ok: {providers} providers, {routes} models, listening on {}\n",
        settings.server.listen
    ));
    super::print(&text)
}
