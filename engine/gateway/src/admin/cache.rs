//! The cache: what it does and how full it is, its entries, what counts as the same, and how entries are taken away.

mod invalidation;

use std::cmp::Reverse;
use std::sync::Arc;

use actix_web::web::{self, Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};
use tollgate_adapters::Kept;
use tollgate_cache::learn::ClassReport;
use tollgate_cache::{Cache, Comparison, Entry, EntryId, Mode, Policy, Scope, text};
use tollgate_core::{Clock, Timestamp};
use tollgate_telemetry::CacheUse;

use super::document::{noun, tidy};
use super::problem::{Kind, Problem};
use super::request::{Query, nothing_else, object};
use super::{Admin, Answer};

pub(super) use invalidation::invalidate;

/// Classes in an answer.
const MOST_CLASSES: usize = 100;
/// Entries in an answer, where the query does not say.
const USUAL: usize = 50;
/// The most entries in an answer.
const MOST: u32 = 10_000;
/// The longest text that is compared, bytes: as long as a body may be, it would take seconds.
const LONGEST_TEXT: usize = 16 * 1024;

/// How full it is, and what it has done for each route since the start.
pub(super) async fn stats(admin: Data<Admin>) -> Answer {
    let (cache, live) = (&admin.shared.cache, admin.shared.published.load());
    let mut used = admin.shared.meters.cache_use();
    for route in live.catalog.routes() {
        let other_name = route
            .alias_of
            .is_some()
            .then(|| used.remove(&*route.name))
            .flatten();
        let own_name = route.alias_of.as_ref().unwrap_or(&route.name);
        if live.cache.policy(own_name).mode != Mode::Off {
            let so_far = used.entry(Box::from(&**own_name)).or_default();
            so_far.add(&other_name.unwrap_or_default());
        }
    }
    let routes = used
        .iter()
        .map(|(name, used)| of_route(name, live.cache.policy(name), used));
    let routes: Vec<Value> = routes.collect();
    let now = cache.store().statistics();
    let index = now.index;
    Ok(HttpResponse::Ok().json(json!({
        "model": Cache::model_id(),
        "compares_by_meaning": cache.has_learned(),
        "entries": now.entries,
        "budget_bytes": now.budget_bytes,
        "bytes": {
            "total": now.bytes.total(),
            "answers": now.bytes.answers,
            "questions": now.bytes.questions,
            "rest": now.bytes.rest,
        },
        "filled": now.inserted,
        "evicted": now.evicted,
        "expired": now.expired,
        "invalidated": now.invalidated,
        "index": {
            "partitions": index.partitions,
            "graphs": index.graphs,
            "rebuilds": index.rebuilds,
            "refused": index.refused,
            "busy": index.busy,
            "sampled": index.sampled,
            "sampled_found": index.sampled_found,
        },
        "routes": routes,
        "learned": cache.experience().map_or_else(Vec::new, |it| learned(it.report())),
    })))
}

/// What was learned from use, by class: those with most evidence first.
fn learned(mut classes: Vec<ClassReport>) -> Vec<Value> {
    let verdicts = |class: &ClassReport| {
        class
            .bins
            .iter()
            .map(|it| it.same + it.unclear + it.other)
            .sum::<f64>()
    };
    classes.sort_by(|a, b| verdicts(b).total_cmp(&verdicts(a)));
    let shown = classes.iter().take(MOST_CLASSES).map(|class| {
        let thresholds = class.thresholds.iter().map(|it| {
            let threshold = json!({ "shipped": it.shipped, "current": it.current });
            (it.mode.name().to_owned(), threshold)
        });
        let bins: Vec<Value> = class
            .bins
            .iter()
            .map(|it| json!({ "from": it.from, "same": it.same, "unclear": it.unclear, "other": it.other }))
            .collect();
        tidy(&json!({
            "route": class.route.as_deref(),
            "tenant": class.tenant.as_deref(),
            "thresholds": thresholds.collect::<Map<String, Value>>(),
            "evidence": bins,
        }))
    });
    shown.collect()
}

fn of_route(name: &str, policy: &Policy, used: &CacheUse) -> Value {
    let of = |result: &str| used.requests.get(result).copied().unwrap_or(0);
    let asked: u64 = used.requests.values().sum();
    let hits = of("hit") + of("hit_folded") + of("hit_semantic");
    #[expect(clippy::cast_precision_loss, reason = "requests stay below 2^53")]
    let hit_ratio = (asked > 0).then(|| hits as f64 / asked as f64);
    json!({
        "route": name,
        "mode": policy.mode.name(),
        "ttl_seconds": policy.ttl.as_secs(),
        "scope": match &policy.scope {
            Scope::Key => "key".to_owned(),
            Scope::Shared(space) => format!("shared:{space}"),
        },
        "requests": used.requests,
        "bypasses": used.bypasses,
        "hit_ratio": hit_ratio,
        "saved_nanodollars": used.saved.0,
        "saved_usd": used.saved.to_string(),
        "saved_ms": used.saved_us / 1_000,
    })
}

/// In which order entries are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Newest,
    MostHits,
    Largest,
}

/// Entries, the newest, most served or largest first.
pub(super) async fn entries(admin: Data<Admin>, query: Query) -> Answer {
    let order = match query.text("sort") {
        None | Some("newest") => Order::Newest,
        Some("hits") => Order::MostHits,
        Some("bytes") => Order::Largest,
        Some(other) => {
            let expected = "newest, hits or bytes";
            let detail = format!("sort is '{other}': expected {expected}");
            let problem = Problem::new(Kind::InvalidRequest, detail);
            return Err(problem.at("query.sort", format_args!("'{other}'"), expected));
        }
    };
    let limit = query.number("limit", MOST)?;
    let limit = limit.and_then(|it| usize::try_from(it).ok()).unwrap_or(USUAL);
    let selection = invalidation::of_query(&admin, &query);
    let cache = admin.shared.cache.clone();
    // A million entries are looked at in some 100 ms.
    let listed = web::block(move || {
        let mut found: Vec<Arc<Entry>> = cache.store().iter().filter(|it| selection.selects(it)).collect();
        let matching = found.len();
        match order {
            Order::Newest => found.sort_by_key(|it| Reverse((it.created, it.id))),
            Order::MostHits => found.sort_by_key(|it| Reverse((it.hits(), it.id))),
            Order::Largest => found.sort_by_key(|it| Reverse((it.charge(), it.id))),
        }
        let now = Clock.wall();
        let entries: Vec<Value> = found.iter().take(limit).map(|it| described(it, now)).collect();
        json!({ "matching": matching, "entries": entries })
    });
    let listed = listed
        .await
        .map_err(|_| Problem::new(Kind::Unavailable, "the list was broken off"))?;
    Ok(HttpResponse::Ok().json(listed))
}

/// One entry, with its answer.
pub(super) async fn entry(admin: Data<Admin>, id: Path<String>) -> Answer {
    let id = number(&id)?;
    let found = admin.shared.cache.store().get(id);
    let entry = found.ok_or_else(|| no_entry(id))?;
    let mut body = described(&entry, Clock.wall());
    if let Some(members) = body.as_object_mut() {
        members.insert("answer".to_owned(), answer(&entry));
    }
    Ok(HttpResponse::Ok().json(body))
}

fn number(text: &str) -> Result<EntryId, Problem> {
    text.parse().map(EntryId).map_err(|_| {
        let shown: String = text.chars().take(100).collect();
        let expected = "the number of an entry, as in x-tollgate-cache";
        let detail = format!("'{}' is not an entry: expected {expected}", shown.escape_debug());
        Problem::new(Kind::InvalidRequest, detail)
    })
}

fn no_entry(id: EntryId) -> Problem {
    let detail = format!(
        "there is no entry {}: it has ended, made room for others, was invalidated or never was",
        id.0
    );
    Problem::new(Kind::NotFound, detail)
}

fn described(entry: &Entry, now: Timestamp) -> Value {
    let worth = &entry.worth;
    json!({
        "entry": entry.id.0,
        "route": &*entry.labels.route,
        "tenant": &*entry.labels.tenant,
        "tags": entry.labels.tags,
        "question": entry.question.as_ref().map(|it| &*it.words),
        "created": entry.created.to_string(),
        "expires": entry.expires.to_string(),
        "servable": entry.is_servable(now),
        "hits": entry.hits(),
        "last_hit": entry.last_hit().map(|it| it.to_string()),
        "bytes": entry.charge(),
        "cost_usd": worth.cost.to_string(),
        "latency_ms": worth.latency_us / 1_000,
        "prompt_tokens": worth.prompt_tokens,
        "output_tokens": worth.output_tokens,
    })
}

fn answer(entry: &Entry) -> Value {
    match Kept::from_bytes(&entry.answer) {
        Ok(kept) => json!({
            "model": kept.model,
            "text": kept.text(),
            "choices": kept.choices().len(),
            "finish": kept.choices().first().map(|it| it.finish.name()),
        }),
        Err(error) => json!({ "unreadable": error.to_string() }),
    }
}

/// Whether two texts count as the same question, and why.
pub(super) async fn explain(admin: Data<Admin>, request: HttpRequest, body: Payload) -> Answer {
    let mut members = object(&request, body).await?;
    let first = words(&mut members, "first")?;
    let second = words(&mut members, "second")?;
    let route = invalidation::text(&mut members, "route", false)?;
    let tenant = invalidation::text(&mut members, "tenant", true)?;
    nothing_else(&members, &["first", "second", "route", "tenant"])?;
    let class = class(&admin, route, tenant)?;
    let cache = admin.shared.cache.clone();
    // The models are made ready where nothing was compared so far: some 50 ms.
    let compared = web::block(move || {
        cache.learn();
        compared(&cache, &first, &second, class.as_ref())
    });
    let compared = compared.await.ok().flatten();
    let compared =
        compared.ok_or_else(|| Problem::new(Kind::Unavailable, "the comparison was broken off"))?;
    Ok(HttpResponse::Ok().json(compared))
}

/// Whose verdicts decide, by the route's own name. `None`: nobody's.
fn class(admin: &Admin, route: Option<Box<str>>, tenant: Option<Box<str>>) -> Result<Option<Class>, Problem> {
    let Some(route) = route else {
        return tenant.map_or(Ok(None), |_| {
            let detail = "tenant stands without a route: what was learned is of a route and a tenant";
            let problem = Problem::new(Kind::InvalidRequest, detail);
            Err(problem.at(
                "tenant",
                "it without a route",
                "route, and tenant if there are keys",
            ))
        });
    };
    let live = admin.shared.published.load();
    if !live.catalog.routes().any(|it| *it.name == *route) {
        let found = format!("'{}'", route.chars().take(100).collect::<String>().escape_debug());
        let expected = "the name of a route";
        let problem = Problem::new(
            Kind::InvalidRequest,
            format_args!("route: there is no route {found}"),
        );
        return Err(problem.at("route", found, expected));
    }
    Ok(Some(Class {
        route: invalidation::own_name(admin, &route),
        tenant: tenant.unwrap_or_default(),
    }))
}

fn words(members: &mut Map<String, Value>, name: &str) -> Result<String, Problem> {
    let expected = "a question as a user says it, up to 16 KiB";
    let found = match members.remove(name) {
        Some(Value::String(text)) if text.len() <= LONGEST_TEXT && !text.trim().is_empty() => {
            return Ok(text);
        }
        Some(Value::String(text)) if text.trim().is_empty() => "an empty text".to_owned(),
        Some(Value::String(text)) => format!("{} bytes", text.len()),
        Some(other) => noun(&other).to_owned(),
        None => "nothing".to_owned(),
    };
    let detail = format!("{name}: found {found}, expected {expected}");
    Err(Problem::new(Kind::InvalidRequest, detail).at(name, found, expected))
}

/// Whose verdicts move thresholds.
#[derive(Debug)]
pub(crate) struct Class {
    /// By its own name.
    route: Box<str>,
    /// The key, or the space that is shared.
    tenant: Box<str>,
}

/// Two texts compared, as a document: by the thresholds of a class, or those that ship. `None`: the cache has not
/// learned to.
pub(crate) fn compared(cache: &Cache, first: &str, second: &str, class: Option<&Class>) -> Option<Value> {
    let comparison = cache.explain(first, second)?;
    let (score, is_far) = (comparison.score(), !comparison.is_near());
    let Comparison {
        cosine,
        unfit: [unfit_first, unfit_second],
        thresholds,
        explanation,
    } = comparison;
    let is_folded = text::fold(first) == text::fold(second);
    let experience = cache.experience();
    let modes = thresholds.map(|(mode, shipped)| {
        let learned = class.and_then(|it| experience?.threshold(&it.route, &it.tenant, mode));
        let threshold = learned.unwrap_or(shipped);
        let same = is_folded || score >= threshold;
        // What is infinite is no number in JSON, but null: nothing is given by meaning.
        let wanted = json!({ "threshold": threshold, "shipped": shipped, "same": same });
        (mode.name().to_owned(), wanted)
    });
    let mut document = tidy(&explanation);
    let members = document.as_object_mut()?;
    members.insert("cosine".to_owned(), json!(cosine));
    members.insert("folded".to_owned(), json!(is_folded));
    members.insert("far_apart".to_owned(), json!(is_far));
    let unfit = json!({ "first": unfit_first, "second": unfit_second });
    members.insert("unfit".to_owned(), unfit);
    members.insert("modes".to_owned(), Value::Object(modes.into_iter().collect()));
    let understood = json!({ "first": members.remove("a"), "second": members.remove("b") });
    members.insert("understood".to_owned(), understood);
    Some(tidy(&document))
}
