//! `tollgate weights`: how routes weigh cost, latency and availability, read and changed while the gateway runs.

mod assignment;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use http::Method;
use serde_json::{Map, Value, json};

use super::client::{Connection, Failure, Question};

/// The largest file of changes.
const FILE_LIMIT_BYTES: u64 = 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the weights in force.
    Get {
        /// This route only.
        route: Option<String>,
    },
    /// Change a route: `cost=2 latency=1 openai/gpt-4o-mini=8`.
    Set {
        /// The route.
        route: String,
        /// KEY=VALUE: `cost`, `latency`, `availability`, `strategy`, `near_best`, `explore`, `sticky`,
        /// `on_no_candidates`, `max_attempts`, `deadline_ms`, `max_cost_usd`; PROVIDER/MODEL=WEIGHT,
        /// PROVIDER/MODEL:priority=N, PROVIDER/MODEL:canary=SHARE. The value `default` goes back to the config file.
        #[arg(required = true, value_name = "KEY=VALUE")]
        assignments: Vec<String>,
        #[command(flatten)]
        how: How,
        /// Only say what would come of it, by recorded decisions.
        #[arg(long)]
        dry_run: bool,
    },
    /// Say what a file of changes would do, by recorded decisions. Nothing is changed.
    Plan {
        /// YAML or JSON: `routes: { fast: { weights: { cost: 2 } } }`.
        file: PathBuf,
    },
    /// Apply a file of changes, as a whole or not at all.
    Apply {
        /// YAML or JSON, as for plan.
        file: PathBuf,
        #[command(flatten)]
        how: How,
    },
    /// Go back to a version: the one before, or the one that is named.
    Rollback {
        /// The version to go back to [default: the one before].
        #[arg(value_name = "VERSION")]
        to: Option<u64>,
        #[command(flatten)]
        note: Note,
        /// Refuse if the version in force is another than this.
        #[arg(long, value_name = "VERSION")]
        if_match: Option<u64>,
    },
    /// List the versions: when, who, why, what.
    History,
    /// Show the rollout that is under way, or end it.
    Rollout {
        /// Give it to all requests now, or take it back.
        action: Option<RolloutAction>,
        #[command(flatten)]
        note: OptionalNote,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum RolloutAction {
    Promote,
    Abort,
}

#[derive(Debug, clap::Args)]
struct Note {
    /// Why. Others will read it in the history.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who.
    #[arg(long, env = "USER", value_name = "NAME")]
    author: Option<String>,
}

#[derive(Debug, clap::Args)]
struct OptionalNote {
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who.
    #[arg(long, env = "USER", value_name = "NAME")]
    author: Option<String>,
}

/// How a change goes live.
#[derive(Debug, clap::Args)]
struct How {
    #[command(flatten)]
    note: OptionalNote,
    /// Refuse if the version in force is another than this.
    #[arg(long, value_name = "VERSION")]
    if_match: Option<u64>,
    /// Let this share of the requests see it first: 10%.
    #[arg(long, value_name = "SHARE")]
    rollout: Option<String>,
    /// How long the rollout holds before all requests see it: 60s.
    #[arg(long, requires = "rollout", value_name = "TIME")]
    hold: Option<String>,
    /// Take it back if more of its requests fail: 2%.
    #[arg(long, requires = "rollout", value_name = "SHARE")]
    max_error_ratio: Option<String>,
    /// Take it back if its first tokens (99th percentile) come later: 2s.
    #[arg(long, requires = "rollout", value_name = "TIME")]
    max_ttft: Option<String>,
    /// Do not judge before so many of its requests have ended.
    #[arg(long, requires = "rollout", value_name = "N")]
    min_requests: Option<u64>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let connection = &args.connection;
    let question = match question(&args.verb) {
        Ok(question) => question,
        Err(failure) => return connection.fail(failure),
    };
    let answer = match connection.ask(&question) {
        Ok(answer) => answer,
        Err(failure) => return connection.fail(failure),
    };
    match &args.verb {
        Verb::Get { route } => match only(answer.json()?, route.as_deref()) {
            Ok(weights) if connection.json => super::print(&format!("{weights:#}\n")),
            Ok(weights) => super::print(&show::weights(&weights)),
            Err(failure) => connection.fail(failure),
        },
        Verb::History => connection.show(&answer, show::history),
        Verb::Rollout { action: None, .. } => connection.show(&answer, show::rollout),
        Verb::Rollout { action: Some(_), .. } => connection.show(&answer, show::ended),
        Verb::Set { .. } | Verb::Plan { .. } | Verb::Apply { .. } | Verb::Rollback { .. } => {
            connection.show(&answer, show::change)
        }
    }
}

fn question(verb: &Verb) -> Result<Question, Failure> {
    match verb {
        Verb::Get { .. } => Ok(Question::get("/admin/v1/weights")),
        Verb::Set {
            route,
            assignments,
            how,
            dry_run,
        } => {
            let change = assignment::change(assignments).map_err(Failure::Arguments)?;
            let changes = Map::from_iter([("routes".to_owned(), json!({ route: change }))]);
            patch(changes, how, *dry_run)
        }
        Verb::Plan { file } => {
            let question = Question::new(Method::PATCH, "/admin/v1/weights").with("dry_run", Some(true));
            Ok(question.body(Value::Object(changes_of(file)?)))
        }
        Verb::Apply { file, how } => patch(changes_of(file)?, how, false),
        Verb::Rollback { to, note, if_match } => {
            let mut body = json!({ "reason": note.reason, "author": note.author });
            if let (Some(to), Some(members)) = (to, body.as_object_mut()) {
                members.insert("to".to_owned(), json!(to));
            }
            let question = Question::new(Method::POST, "/admin/v1/versions/rollback");
            Ok(question.body(body).if_match(*if_match))
        }
        Verb::History => Ok(Question::get("/admin/v1/versions")),
        Verb::Rollout { action: None, .. } => Ok(Question::get("/admin/v1/rollout")),
        Verb::Rollout {
            action: Some(action),
            note,
        } => {
            let action = match action {
                RolloutAction::Promote => "promote",
                RolloutAction::Abort => "abort",
            };
            let mut body = Map::from_iter([("action".to_owned(), json!(action))]);
            note.write(&mut body);
            Ok(Question::new(Method::POST, "/admin/v1/rollout").body(Value::Object(body)))
        }
    }
}

fn patch(mut body: Map<String, Value>, how: &How, dry_run: bool) -> Result<Question, Failure> {
    how.note.write(&mut body);
    if !dry_run && !body.contains_key("reason") {
        let said = "--reason is missing: a change needs one, others will read it in the history";
        return Err(Failure::Arguments(said.to_owned()));
    }
    let question = Question::new(Method::PATCH, "/admin/v1/weights")
        .with("dry_run", dry_run.then_some(true))
        .with("rollout", how.rollout.as_ref())
        .with("hold", how.hold.as_ref())
        .with("max_error_ratio", how.max_error_ratio.as_ref())
        .with("max_ttft", how.max_ttft.as_ref())
        .with("min_requests", how.min_requests);
    Ok(question.body(Value::Object(body)).if_match(how.if_match))
}

impl OptionalNote {
    /// What is said on the command line goes before what a file says.
    fn write(&self, body: &mut Map<String, Value>) {
        if let Some(reason) = &self.reason {
            body.insert("reason".to_owned(), json!(reason));
        }
        if let Some(author) = &self.author
            && !body.contains_key("author")
        {
            body.insert("author".to_owned(), json!(author));
        }
    }
}

/// The document in a file: `routes`, and perhaps `reason` and `author`.
fn changes_of(file: &std::path::Path) -> Result<Map<String, Value>, Failure> {
    let document = document(file).map_err(|error| Failure::Arguments(format!("{error:#}")))?;
    match document {
        Value::Object(members) if members.contains_key("routes") => Ok(members),
        _ => Err(Failure::Arguments(format!(
            "{}: expected 'routes' with changes by route, such as: routes: {{ fast: {{ weights: {{ cost: 2 }} }} }}",
            file.display()
        ))),
    }
}

/// Reads a small YAML or JSON file.
pub(super) fn document(file: &std::path::Path) -> anyhow::Result<Value> {
    let name = file.display().to_string();
    let size = std::fs::metadata(file).with_context(|| name.clone())?.len();
    anyhow::ensure!(
        size <= FILE_LIMIT_BYTES,
        "{name}: larger than {FILE_LIMIT_BYTES} bytes"
    );
    let text = std::fs::read_to_string(file).with_context(|| name.clone())?;
    Ok(tollgate_config::document(&name, &text)?)
}

/// The weights of one route.
fn only(mut weights: Value, route: Option<&str>) -> Result<Value, Failure> {
    let Some(route) = route else { return Ok(weights) };
    for part in ["routes", "overrides"] {
        if let Some(routes) = weights.get_mut(part).and_then(Value::as_object_mut) {
            if part == "routes" && !routes.contains_key(route) {
                let names: Vec<_> = routes.keys().map(String::as_str).collect();
                let said = format!("no such route as '{route}': there are {}", names.join(", "));
                return Err(Failure::Arguments(said));
            }
            routes.retain(|name, _| name == route);
        }
    }
    Ok(weights)
}

#[cfg(test)]
mod tests;
