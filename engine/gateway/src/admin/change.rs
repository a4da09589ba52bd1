//! A change on its way: what an operator asks for becomes one message to Control, and Control's answer becomes a
//! reply that says what is different, for whom, and for how long it holds.

use std::time::{Duration, Instant};

use actix_web::http::header::ETAG;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};
use tollgate_actors::{Applied, ApplyMode, ChangeRefused, ChangeRoutes, Slo, StagePlan};
use tollgate_core::Clock;
use tollgate_routing::{Catalog, ChangeProblem, Changes};

use super::document::way;
use super::problem::{Kind, Problem};
use super::rehearsal::rehearse;
use super::request::{Note, Query, if_match};
use super::{Admin, Answer};

/// Who makes a change without saying who they are.
const UNNAMED: &str = "unnamed";
/// How long a staged change is tried where nobody says how long.
const HOLD: Duration = Duration::from_secs(60);
/// How many requests of a staged change must have ended before it is judged, where nobody says.
const MIN_REQUESTS: u32 = 20;

/// Who makes a change.
pub(super) fn author(note: &Note) -> String {
    note.author.clone().unwrap_or_else(|| UNNAMED.to_owned())
}

/// Changes routes as the query says: for all, for a share first, or for nobody.
pub(super) async fn make(
    admin: &Admin,
    request: &HttpRequest,
    query: &Query,
    mut members: Map<String, Value>,
    patch: impl FnOnce(Map<String, Value>) -> Result<Value, Problem>,
) -> Answer {
    let started = Clock.now();
    let mode = mode(query)?;
    let note = match mode {
        ApplyMode::DryRun => Note::take_or("dry run", &mut members, request.headers())?,
        _ => Note::take(&mut members, request.headers())?,
    };
    let message = ChangeRoutes {
        patch: patch(members)?,
        author: author(&note),
        reason: note.reason,
        if_match: if_match(request.headers())?,
        mode,
    };
    let applied = admin.control.send(message).await.map_err(Problem::unavailable)?;
    let applied = applied.map_err(|refused| refusal(&refused))?;
    if mode == ApplyMode::DryRun {
        dry_run(admin, &applied, started).await
    } else {
        made(admin, &applied, started).await
    }
}

/// For whom the change is.
fn mode(query: &Query) -> Result<ApplyMode, Problem> {
    let dry_run = query.flag("dry_run")?;
    let hold = query.duration("hold")?;
    let slo = Slo {
        error_ratio: query.share("max_error_ratio")?.map(narrow),
        ttft_p99: query.duration("max_ttft")?,
        min_requests: query
            .number("min_requests", 1_000_000_000)?
            .unwrap_or(MIN_REQUESTS),
        ..Slo::default()
    };
    let Some(share) = query.share("rollout")? else {
        for name in ["hold", "max_error_ratio", "max_ttft", "min_requests"] {
            if let Some(found) = query.text(name) {
                let expected = "it together with rollout, such as rollout=10%";
                let detail = format!("{name} is a term of a rollout: expected {expected}");
                return Err(Problem::new(Kind::InvalidRequest, detail).at(
                    &format!("query.{name}"),
                    found,
                    expected,
                ));
            }
        }
        return Ok(if dry_run {
            ApplyMode::DryRun
        } else {
            ApplyMode::Live
        });
    };
    if dry_run {
        return Ok(ApplyMode::DryRun);
    }
    Ok(ApplyMode::Staged(StagePlan {
        share: narrow(share),
        hold: hold.unwrap_or(HOLD),
        slo,
    }))
}

fn narrow(share: f64) -> f32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a share of requests needs no more digits"
    )]
    let share = share as f32;
    share
}

/// What Control refuses.
pub(super) fn refusal(refused: &ChangeRefused) -> Problem {
    match refused {
        ChangeRefused::Invalid(problems) => Problem::refused(problems.clone()),
        ChangeRefused::Conflict { current } => Problem::new(Kind::VersionMismatch, refused).version(*current),
        ChangeRefused::UnknownVersion => Problem::new(Kind::NotFound, refused),
        ChangeRefused::Busy { .. } | ChangeRefused::NoRollout => Problem::new(Kind::Conflict, refused),
    }
}

/// What is different, path by path.
fn diff(applied: &Applied) -> Vec<Value> {
    let differences = applied.diff.iter();
    differences
        .map(|it| json!({ "path": it.path, "before": it.from, "after": it.to }))
        .collect()
}

/// The reply to a change that was made: once every router has it.
pub(super) async fn made(admin: &Admin, applied: &Applied, started: Instant) -> Answer {
    let routers = admin.shared.roster.adopt(applied.epoch).await;
    let rollout = admin.control.send(tollgate_actors::RolloutNow).await;
    let rollout = rollout.map_err(Problem::unavailable)?;
    let body = json!({
        "dry_run": false,
        "version": applied.version,
        "epoch": applied.epoch,
        "applied": { "applied": routers.applied, "of": routers.of },
        "diff": diff(applied),
        "overlay": applied.overlay,
        "set_aside": applied.set_aside,
        "persistent": applied.persistent,
        "rollout": rollout,
        "took_ms": millis(started),
    });
    Ok(HttpResponse::Ok()
        .insert_header((ETAG, etag(applied.version)))
        .json(body))
}

/// The reply to a dry run: what would be different, and what that would have done.
async fn dry_run(admin: &Admin, applied: &Applied, started: Instant) -> Answer {
    let live = admin.shared.published.load();
    let after = fitting(&live.settings.catalog, &applied.changes);
    let changes = way(&live.catalog, &after);
    let forecast = rehearse(&admin.shared, changes, None, None).await?;
    let body = json!({
        "dry_run": true,
        "version": live.version,
        "epoch": live.epoch(),
        "diff": diff(applied),
        "overlay": applied.overlay,
        "set_aside": applied.set_aside,
        "persistent": applied.persistent,
        "forecast": forecast,
        "took_ms": millis(started),
    });
    Ok(HttpResponse::Ok()
        .insert_header((ETAG, etag(live.version)))
        .json(body))
}

/// The file's catalog under those changes that fit it.
pub(super) fn fitting(file: &Catalog, changes: &Changes) -> Catalog {
    let fits = |name: &String, change| {
        let alone = Changes::from([(name.clone(), change)]);
        file.changed(&alone, file.epoch).is_ok()
    };
    let changes: Changes = changes
        .iter()
        .filter(|(name, change)| fits(name, (*change).clone()))
        .map(|(name, change)| (name.clone(), change.clone()))
        .collect();
    let none = |_: Vec<ChangeProblem>| file.unchanged(file.epoch);
    file.changed(&changes, file.epoch).unwrap_or_else(none)
}

/// The entity tag of a version.
pub(super) fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

/// Milliseconds since `started`, with three places.
pub(super) fn millis(started: Instant) -> f64 {
    let micros = Clock.now().saturating_duration_since(started).as_micros();
    f64::from(u32::try_from(micros).unwrap_or(u32::MAX)) / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ApplyMode, Problem> {
        let names = [
            "dry_run",
            "rollout",
            "hold",
            "max_error_ratio",
            "max_ttft",
            "min_requests",
        ];
        mode(&Query::read(text, &names).unwrap())
    }

    #[test]
    fn a_change_is_for_all_unless_the_query_says_otherwise() {
        assert_eq!(read("").unwrap(), ApplyMode::Live);
        assert_eq!(read("dry_run=false").unwrap(), ApplyMode::Live);
        assert_eq!(read("dry_run=true").unwrap(), ApplyMode::DryRun);
        assert_eq!(read("dry_run=true&rollout=10%25").unwrap(), ApplyMode::DryRun);
    }

    #[test]
    fn a_rollout_has_terms() {
        let ApplyMode::Staged(plan) =
            read("rollout=10%25&hold=90s&max_error_ratio=2%25&max_ttft=2s&min_requests=100").unwrap()
        else {
            panic!("not staged")
        };
        assert_eq!((plan.share, plan.hold), (0.1, Duration::from_secs(90)));
        assert_eq!(plan.slo.error_ratio, Some(0.02));
        assert_eq!(
            (plan.slo.ttft_p99, plan.slo.min_requests),
            (Some(Duration::from_secs(2)), 100)
        );
        let ApplyMode::Staged(plan) = read("rollout=0.5").unwrap() else {
            panic!("not staged")
        };
        assert_eq!((plan.hold, plan.slo.min_requests), (HOLD, MIN_REQUESTS));
    }

    #[test]
    fn terms_without_a_rollout_and_nonsense_are_refused() {
        for text in [
            "hold=60s",
            "max_ttft=2s",
            "min_requests=5",
            "rollout=0",
            "rollout=2",
            "rollout=10%25&hold=soon",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
