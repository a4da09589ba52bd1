//! `tollgate init`: a commented config file to start from.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to write it.
    #[arg(default_value = "tollgate.yaml", value_name = "FILE")]
    file: PathBuf,
}

/// Writes the file; one that exists is left alone.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let name = args.file.display();
    let created = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&args.file);
    let mut file = created.with_context(|| format!("{name} cannot be created"))?;
    file.write_all(tollgate_config::starter().as_bytes())
        .with_context(|| format!("{name} cannot be written"))?;
    super::print(&format!(
        "{name} is written: edit it, then 'tollgate check' and 'tollgate serve'\n"
    ))
}
