//! `tollgate cache`: what the cache does, what is in it, what counts as the same question, and how to take answers out.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use http::Method;
use serde_json::Value;
use tollgate_cache::{Cache, StoreSettings};

use super::client::{Connection, Question};
use super::forecast::{list, name, whole};
use super::table::{clean, table};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// How full it is, and for each route: hits, misses, money and time saved.
    Stats,
    /// List entries.
    List {
        #[command(flatten)]
        of: Of,
        /// Which first.
        #[arg(long, value_enum, default_value_t)]
        sort: Sort,
        /// How many at most.
        #[arg(long, value_name = "NUMBER", default_value_t = 20)]
        limit: u32,
    },
    /// Show an entry with its answer.
    Get {
        /// Its number: `entry` in the header x-tollgate-cache and in the access log.
        entry: u64,
    },
    /// Say whether two questions count as the same in each mode, and why.
    Explain {
        /// A question.
        first: String,
        /// Another.
        second: String,
        /// With the thresholds that were learned of this route.
        #[arg(long, value_name = "NAME")]
        route: Option<String>,
        /// And of this virtual key, or of this shared space.
        #[arg(long, value_name = "NAME", requires = "route")]
        tenant: Option<String>,
        /// Compare here, without a gateway, with the thresholds that ship.
        #[arg(long, conflicts_with_all = ["route", "tenant"])]
        offline: bool,
    },
    /// Take answers out: one that was wrong, or all that fulfil every condition.
    Invalidate {
        /// This entry only.
        #[arg(long, value_name = "NUMBER", conflicts_with_all = ["route", "tenant", "tag", "older_than", "all"])]
        entry: Option<u64>,
        #[command(flatten)]
        of: Of,
        /// Those whose answer is older than this, such as 30m or 24h.
        #[arg(long, value_name = "SPAN")]
        older_than: Option<String>,
        /// All there are.
        #[arg(long, conflicts_with_all = ["route", "tenant", "tag", "older_than"])]
        all: bool,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Who.
        #[arg(long, env = "USER", value_name = "NAME")]
        author: Option<String>,
    },
}

/// Entries by what they belong to.
#[derive(Debug, Clone, Default, clap::Args)]
struct Of {
    /// Those of this route.
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// Those of this virtual key, or of this shared space.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Those with this tag.
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Sort {
    /// The newest.
    #[default]
    Newest,
    /// Those that were served most.
    Hits,
    /// Those that take most.
    Bytes,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let connection = &args.connection;
    let (question, text): (Question, fn(&Value) -> String) = match &args.verb {
        Verb::Stats => (Question::get("/admin/v1/cache"), stats),
        Verb::List { of, sort, limit } => (listing(of, *sort, *limit), entries),
        Verb::Get { entry } => (Question::get(format!("/admin/v1/cache/entries/{entry}")), one),
        Verb::Explain {
            first,
            second,
            offline: true,
            ..
        } => return offline(connection, first, second),
        Verb::Explain {
            first,
            second,
            route,
            tenant,
            ..
        } => {
            let question = Question::new(Method::POST, "/admin/v1/cache/explain");
            let said = [
                ("first", Some(first)),
                ("second", Some(second)),
                ("route", route.as_ref()),
                ("tenant", tenant.as_ref()),
            ];
            (
                question.body(members(
                    said.map(|(name, it)| (name, it.cloned().map(Value::from))),
                )),
                compared,
            )
        }
        invalidate @ Verb::Invalidate { .. } => {
            let question = Question::new(Method::POST, "/admin/v1/cache/invalidate");
            (question.body(invalidation(invalidate)), |it| {
                format!("{} invalidated\n", whole(it, "invalidated"))
            })
        }
    };
    match connection.ask(&question) {
        Ok(answer) => connection.show(&answer, text),
        Err(failure) => connection.fail(failure),
    }
}

fn listing(of: &Of, sort: Sort, limit: u32) -> Question {
    let sort = match sort {
        Sort::Newest => "newest",
        Sort::Hits => "hits",
        Sort::Bytes => "bytes",
    };
    Question::get("/admin/v1/cache/entries")
        .with("route", of.route.as_ref())
        .with("tenant", of.tenant.as_ref())
        .with("tag", of.tag.as_ref())
        .with("sort", Some(sort))
        .with("limit", Some(limit))
}

/// What is asked for, without what is not said; the API says what is missing.
fn invalidation(verb: &Verb) -> Value {
    let Verb::Invalidate {
        entry,
        of,
        older_than,
        all,
        reason,
        author,
    } = verb
    else {
        return Value::Null;
    };
    members([
        ("entry", entry.map(Value::from)),
        ("route", of.route.clone().map(Value::from)),
        ("tenant", of.tenant.clone().map(Value::from)),
        ("tag", of.tag.clone().map(Value::from)),
        ("older_than", older_than.clone().map(Value::from)),
        ("all", all.then_some(Value::Bool(true))),
        ("reason", reason.clone().map(Value::from)),
        ("author", author.clone().map(Value::from)),
    ])
}

/// A document of what is said.
fn members<const N: usize>(said: [(&str, Option<Value>); N]) -> Value {
    let said = said
        .into_iter()
        .filter_map(|(name, it)| Some((name.to_owned(), it?)));
    Value::Object(said.collect())
}

/// Compares with the models of this binary.
fn offline(connection: &Connection, first: &str, second: &str) -> anyhow::Result<ExitCode> {
    let cache = Cache::new(StoreSettings::default());
    cache.learn();
    let document = crate::admin::compared(&cache, first, second, None);
    let document = document.ok_or_else(|| anyhow::anyhow!("these texts cannot be compared"))?;
    if connection.json {
        super::print(&format!("{document:#}\n"))
    } else {
        super::print(&compared(&document))
    }
}

fn stats(answer: &Value) -> String {
    let part = |of: &str| {
        answer
            .pointer(&format!("/bytes/{of}"))
            .and_then(Value::as_u64)
            .unwrap_or(0)
    };
    let mut text = format!(
        "{} entries in {} of {} (answers {}, questions {}, the rest {})\n{} filled, {} evicted, {} expired, {} \
         invalidated\n\n",
        whole(answer, "entries"),
        bytes(part("total")),
        bytes(whole(answer, "budget_bytes")),
        bytes(part("answers")),
        bytes(part("questions")),
        bytes(part("rest")),
        whole(answer, "filled"),
        whole(answer, "evicted"),
        whole(answer, "expired"),
        whole(answer, "invalidated"),
    );
    let rows: Vec<_> = list(answer, "routes").map(of_route).collect();
    let head = [
        "ROUTE",
        "MODE",
        "HIT",
        "FOLDED",
        "SEMANTIC",
        "MISS",
        "BYPASS",
        "HIT RATIO",
        "SAVED",
        "TIME SAVED",
        "BYPASSED FOR",
    ];
    text.push_str(&table(&head, &rows));
    text
}

fn of_route(route: &Value) -> Vec<String> {
    let requests = route.get("requests").cloned().unwrap_or_default();
    let of = |result: &str| whole(&requests, result).to_string();
    let ratio = route.get("hit_ratio").and_then(Value::as_f64);
    let bypasses = route.get("bypasses").and_then(Value::as_object);
    let mut reasons: Vec<(u64, &str)> = bypasses
        .into_iter()
        .flatten()
        .map(|(reason, count)| (count.as_u64().unwrap_or(0), reason.as_str()))
        .collect();
    reasons.sort_unstable_by(|a, b| b.cmp(a));
    let reasons: Vec<_> = reasons
        .iter()
        .map(|(count, reason)| format!("{reason} {count}"))
        .collect();
    vec![
        name(route, "route"),
        name(route, "mode"),
        of("hit"),
        of("hit_folded"),
        of("hit_semantic"),
        of("miss"),
        of("bypass"),
        ratio.map_or_else(|| "-".to_owned(), |it| format!("{:.1} %", it * 100.0)),
        format!("${}", name(route, "saved_usd")),
        span(whole(route, "saved_ms")),
        reasons.join(", "),
    ]
}

fn entries(answer: &Value) -> String {
    let rows: Vec<_> = list(answer, "entries")
        .map(|it| {
            vec![
                whole(it, "entry").to_string(),
                name(it, "route"),
                name(it, "tenant"),
                whole(it, "hits").to_string(),
                bytes(whole(it, "bytes")),
                format!("${}", name(it, "cost_usd")),
                name(it, "created"),
                brief(&name(it, "question")),
            ]
        })
        .collect();
    let head = [
        "ENTRY", "ROUTE", "TENANT", "HITS", "SIZE", "COST", "ANSWERED", "QUESTION",
    ];
    let mut text = table(&head, &rows);
    let (shown, matching) = (rows.len() as u64, whole(answer, "matching"));
    if matching > shown {
        let _ = writeln!(text, "{shown} of {matching}");
    }
    text
}

fn one(entry: &Value) -> String {
    let mut text = String::new();
    let mut line = |of: &str, said: String| {
        if !said.is_empty() {
            let _ = writeln!(text, "{of:<14}{}", clean(&said));
        }
    };
    line("entry", whole(entry, "entry").to_string());
    for of in ["route", "tenant"] {
        line(of, name(entry, of));
    }
    let tags: Vec<_> = list(entry, "tags").filter_map(Value::as_str).collect();
    line("tags", tags.join(", "));
    line("answered", name(entry, "created"));
    line("expires", name(entry, "expires"));
    let last = name(entry, "last_hit");
    let hits = whole(entry, "hits").to_string();
    line(
        "hits",
        if last.is_empty() {
            hits
        } else {
            format!("{hits}, the last at {last}")
        },
    );
    line("size", bytes(whole(entry, "bytes")));
    let (prompt, output) = (whole(entry, "prompt_tokens"), whole(entry, "output_tokens"));
    let took = span(whole(entry, "latency_ms"));
    line(
        "worth",
        format!(
            "${}, {took}, {prompt} tokens in, {output} out",
            name(entry, "cost_usd")
        ),
    );
    let answer = entry.get("answer").cloned().unwrap_or_default();
    line("model", name(&answer, "model"));
    line("question", name(entry, "question"));
    let said = name(&answer, "text");
    if !said.is_empty() {
        let said: Vec<String> = said.lines().map(clean).collect();
        let _ = write!(text, "\n{}\n", said.join("\n"));
    }
    text
}

fn compared(answer: &Value) -> String {
    let modes = ["safe", "balanced", "aggressive"].map(|mode| {
        let of = answer
            .get("modes")
            .and_then(|it| it.get(mode))
            .cloned()
            .unwrap_or_default();
        let same = of.get("same").and_then(Value::as_bool) == Some(true);
        vec![
            mode.to_owned(),
            number(&of, "shipped"),
            // Null: nothing is given by meaning.
            number(&of, "threshold"),
            if same { "yes" } else { "no" }.to_owned(),
        ]
    });
    let mut text = table(&["MODE", "SHIPS WITH", "WANTS", "THE SAME"], &modes);
    let _ = writeln!(
        text,
        "\nscore {} ({} without guards), cosine {}",
        number(answer, "score"),
        number(answer, "score_without_guards"),
        number(answer, "cosine")
    );
    if answer.get("folded").and_then(Value::as_bool) == Some(true) {
        text.push_str("the same but for case, spaces or the mark at the end: found without a comparison\n");
    }
    if answer.get("far_apart").and_then(Value::as_bool) == Some(true) {
        text.push_str("too far apart to be compared\n");
    }
    for side in ["first", "second"] {
        let reason = answer.pointer(&format!("/unfit/{side}")).and_then(Value::as_str);
        if let Some(reason) = reason {
            let _ = writeln!(text, "the {side} is not compared by meaning: {reason}");
        }
    }
    let decided = name(answer, "guard");
    for fired in list(answer, "fired") {
        let guard = name(fired, "guard");
        let verb = if guard == decided {
            "decided by"
        } else {
            "also against it:"
        };
        let (a, b) = (clean(&name(fired, "a")), clean(&name(fired, "b")));
        let _ = writeln!(text, "{verb} the guard {guard}: '{a}' | '{b}'");
    }
    for side in ["first", "second"] {
        let read = answer
            .pointer(&format!("/understood/{side}"))
            .and_then(Value::as_str);
        let _ = writeln!(
            text,
            "the {side} was read as: {}",
            clean(read.unwrap_or_default())
        );
    }
    let features: Vec<_> = list(answer, "features")
        .filter(|it| it.get("value").and_then(Value::as_f64) != Some(0.0))
        .map(|it| vec![name(it, "name"), number(it, "value")])
        .collect();
    let _ = write!(
        text,
        "\n{}",
        table(&["FEATURE (those that are not 0)", "VALUE"], &features)
    );
    text
}

fn number(of: &Value, name: &str) -> String {
    let value = of.get(name).and_then(Value::as_f64);
    value.map_or_else(|| "-".to_owned(), |it| format!("{it:.4}"))
}

fn bytes(count: u64) -> String {
    match count {
        0..1_024 => format!("{count} B"),
        1_024..1_048_576 => tenths(count, 1 << 10, "KiB"),
        _ => tenths(count, 1 << 20, "MiB"),
    }
}

fn tenths(count: u64, unit: u64, of: &str) -> String {
    format!("{}.{} {of}", count / unit, count % unit * 10 / unit)
}

fn span(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..600_000 => tenths(millis, 1_000, "s"),
        _ => format!("{} min", millis / 60_000),
    }
}

/// The beginning of a text.
fn brief(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut beginning: String = text.chars().take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        beginning.push('…');
    }
    beginning
}

#[cfg(test)]
mod tests;
