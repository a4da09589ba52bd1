//! The health of targets, as their actors have measured it.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use serde_json::{Value, json};
use tollgate_actors::TargetReport;

use super::document::tidy;
use super::problem::{Kind, Problem};
use super::{Admin, Answer};

/// All targets, by name.
pub(super) async fn all(admin: Data<Admin>) -> Answer {
    let reports = admin.shared.roster.health().await;
    let targets: Vec<_> = reports.iter().map(described).collect();
    Ok(HttpResponse::Ok().json(json!({ "targets": targets })))
}

/// The targets of one provider.
pub(super) async fn of_provider(admin: Data<Admin>, provider: Path<String>) -> Answer {
    let live = admin.shared.published.load();
    let providers = live.catalog.providers();
    if !providers.iter().any(|it| *it.name == **provider) {
        let names: Vec<_> = providers.iter().map(|it| &*it.name).collect();
        let detail = format!(
            "there is no provider '{provider}': there are {}",
            names.join(", ")
        );
        return Err(Problem::new(Kind::NotFound, detail));
    }
    let reports = admin.shared.roster.health().await;
    let is_of = |it: &&TargetReport| it.target.split_once('/').is_some_and(|(of, _)| *of == **provider);
    let targets: Vec<_> = reports.iter().filter(is_of).map(described).collect();
    Ok(HttpResponse::Ok().json(json!({ "provider": &*provider, "targets": targets })))
}

/// A target's report, flat.
fn described(report: &TargetReport) -> Value {
    let mut described = json!({ "target": &*report.target, "in_flight": report.in_flight });
    if let (Some(members), Value::Object(health)) = (described.as_object_mut(), tidy(&report.health)) {
        members.extend(health);
    }
    described
}
