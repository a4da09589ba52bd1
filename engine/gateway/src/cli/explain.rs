//! `tollgate explain`: why a request went where it went.

use std::process::ExitCode;

use super::client::{Connection, Question, in_path};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// The request's id: `x-request-id` of its answer, `request_id` in the access log.
    request_id: String,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let question = Question::get(format!("/admin/v1/decisions/{}", in_path(&args.request_id)));
    let connection = &args.connection;
    let question = if connection.json {
        question
    } else {
        question.text()
    };
    match connection.ask(&question) {
        Ok(answer) if connection.json => connection.show(&answer, |_| String::new()),
        Ok(answer) => super::print(&answer.text()),
        Err(failure) => connection.fail(failure),
    }
}
