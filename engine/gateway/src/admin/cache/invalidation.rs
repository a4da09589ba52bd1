//! What an operator takes out of the cache: one entry, those of a route, a tenant, a tag or an age, or all of them.

use std::time::Duration;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};
use tollgate_actors::{Condemn, Invalidate};
use tollgate_cache::{EntryId, Selection};
use tollgate_core::{Clock, Timestamp};

use super::no_entry;
use crate::admin::document::noun;
use crate::admin::problem::{Kind, Problem};
use crate::admin::request::{Note, Query, nothing_else, object};
use crate::admin::{Admin, Answer, change};

/// What may be said, for messages.
const CONDITIONS: &str = "entry, or one or more of route, tenant, tag and older_than, or \"all\": true";

/// What is taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    /// This entry: its answer was wrong.
    Entry(EntryId),
    /// All that fulfil every condition.
    Selected(Selection),
}

/// Takes entries out of the cache. When this answers none of them is served, nor is an answer kept that was asked for
/// before.
pub(in crate::admin) async fn invalidate(admin: Data<Admin>, request: HttpRequest, body: Payload) -> Answer {
    let mut members = object(&request, body).await?;
    let note = Note::take_or("no reason is given", &mut members, request.headers())?;
    let keeper = &admin.shared.keeper;
    let (what, invalidated) = match wanted(&admin, members)? {
        Wanted::Entry(id) => {
            let was_there = keeper.send(Condemn(id)).await.map_err(Problem::unavailable)?;
            if !was_there {
                return Err(no_entry(id));
            }
            (format!("entry {}", id.0), 1)
        }
        Wanted::Selected(selection) => {
            let what = in_words(&selection);
            let taken = keeper.send(Invalidate(selection)).await;
            let taken = taken.map_err(Problem::unavailable)?.map_err(|error| {
                let detail = format!(
                    "{what} is out of the memory, but could not be struck from the files, and may come back after a \
                     restart: {error}"
                );
                Problem::new(Kind::NotDurable, detail)
            })?;
            (what, taken)
        }
    };
    crate::say(format_args!(
        "cache: {} invalidated by {}, {invalidated} in number: {}",
        what.escape_debug(),
        change::author(&note),
        note.reason.escape_debug()
    ));
    Ok(HttpResponse::Ok().json(json!({ "invalidated": invalidated })))
}

fn wanted(admin: &Admin, mut members: Map<String, Value>) -> Result<Wanted, Problem> {
    if let Some(entry) = members.remove("entry") {
        nothing_beside(&members, "entry")?;
        let id = entry
            .as_u64()
            .or_else(|| entry.as_str().and_then(|text| text.parse().ok()));
        return id
            .map(|id| Wanted::Entry(EntryId(id)))
            .ok_or_else(|| wrong("entry", &entry, "the number of an entry, as in x-tollgate-cache"));
    }
    if let Some(all) = members.remove("all") {
        nothing_beside(&members, "all")?;
        return match all {
            Value::Bool(true) => Ok(Wanted::Selected(Selection::default())),
            other => Err(wrong("all", &other, "true, or leave it out")),
        };
    }
    let mut selection = Selection {
        tenant: text(&mut members, "tenant", true)?,
        route: text(&mut members, "route", false)?.map(|name| own_name(admin, &name)),
        tag: text(&mut members, "tag", false)?,
        ..Selection::default()
    };
    if let Some(age) = members.remove("older_than") {
        let span = age.as_str().and_then(tollgate_config::duration);
        let expected = "a span of time such as \"30s\", \"10m\" or \"24h\"";
        let span = span.ok_or_else(|| wrong("older_than", &age, expected))?;
        selection.created_before = Some(ago(span));
    }
    nothing_else(
        &members,
        &[
            "entry",
            "route",
            "tenant",
            "tag",
            "older_than",
            "all",
            "reason",
            "author",
        ],
    )?;
    if selection == Selection::default() {
        let detail = format!("it is not said what to invalidate: expected {CONDITIONS}");
        return Err(Problem::new(Kind::InvalidRequest, detail));
    }
    Ok(Wanted::Selected(selection))
}

/// The entries that a query is about.
pub(super) fn of_query(admin: &Admin, query: &Query) -> Selection {
    let of = |name: &str| query.text(name).map(Box::from);
    Selection {
        tenant: of("tenant"),
        route: query.text("route").map(|name| own_name(admin, name)),
        tag: of("tag"),
        ..Selection::default()
    }
}

/// Entries stand under the own name of their route, whatever name was asked for.
pub(super) fn own_name(admin: &Admin, name: &str) -> Box<str> {
    let live = admin.shared.published.load();
    let route = live.catalog.routes().find(|route| *route.name == *name);
    let own = route.and_then(|route| route.alias_of.as_deref());
    own.unwrap_or(name).into()
}

fn ago(span: Duration) -> Timestamp {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_unix_millis(Clock.wall().unix_millis().saturating_sub(millis))
}

/// A text of a body. The tenant of requests without a key is the empty one.
pub(super) fn text(
    members: &mut Map<String, Value>,
    name: &str,
    may_be_empty: bool,
) -> Result<Option<Box<str>>, Problem> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) if may_be_empty || !text.is_empty() => Ok(Some(text.into())),
        Some(other) => Err(wrong(name, &other, "text")),
    }
}

fn nothing_beside(members: &Map<String, Value>, name: &str) -> Result<(), Problem> {
    let Some(other) = members.keys().next() else {
        return Ok(());
    };
    let detail = format!("{name} stands with {other}: expected {CONDITIONS}");
    Err(Problem::new(Kind::InvalidRequest, detail).at(
        other,
        "it beside another condition",
        format_args!("{name} alone"),
    ))
}

fn wrong(name: &str, found: &Value, expected: &str) -> Problem {
    let found = match found {
        Value::String(text) => format!("'{}'", text.chars().take(100).collect::<String>().escape_debug()),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        other => noun(other).to_owned(),
    };
    Problem::new(
        Kind::InvalidRequest,
        format_args!("{name}: found {found}, expected {expected}"),
    )
    .at(name, found, expected)
}

fn in_words(selection: &Selection) -> String {
    let Selection {
        tenant,
        route,
        tag,
        created_before,
        ..
    } = selection;
    let parts = [
        route.as_ref().map(|it| format!("route {it}")),
        tenant.as_ref().map(|it| format!("tenant {it}")),
        tag.as_ref().map(|it| format!("tag {it}")),
        created_before.map(|it| format!("what was answered before {it}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        "everything".to_owned()
    } else {
        parts.join(", ")
    }
}
