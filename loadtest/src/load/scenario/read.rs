//! From a YAML document to a scenario.

use std::path::Path;
use std::time::Duration;

use super::super::arrivals::{Arrival, Leg, Profile, Spacing, Then};
use super::super::figures::Window;
use super::super::number::index;
use super::super::thresholds::Threshold;
use super::super::units;
use super::super::yaml::{self, Node, Value};
use super::fields::{Fields, Problem, Problems as Found};
use super::{
    CancelWhen, Cancels, Outside, Problems, PromptSize, Protocol, REQUESTS_AT_MOST, Repeats, RequestKind,
    Scenario, Secret, Surface,
};

/// Requests a second: more than one machine sends.
const FASTEST: f64 = 1_000_000.0;
const HEAVIEST: f64 = 1_000_000.0;
const LARGEST_PROMPT: u64 = 32 << 20;
const MOST_CONNECTIONS: u64 = 65_536;

pub(super) fn scenario(text: &str, outside: &Outside<'_>) -> Result<Scenario, Problems> {
    let root = yaml::parse(text).map_err(|(line, message)| {
        let path = String::new();
        Problems(vec![Problem { line, path, message }])
    })?;
    let found = Found::default();
    let scenario = Fields::of(&root, "", &found).and_then(|fields| whole(fields, outside));
    let mut problems = found.into_inner();
    problems.sort_by_key(|problem| problem.line);
    match scenario {
        Some(scenario) if problems.is_empty() => Ok(scenario),
        _ => Err(Problems(problems)),
    }
}

/// `None` only where a problem was written down.
fn whole(fields: Fields<'_>, outside: &Outside<'_>) -> Option<Scenario> {
    let requests = requests(&fields);
    let arrival = arrival(&fields, outside);
    let connections = fields
        .whole("connections", 1..=MOST_CONNECTIONS)
        .map_or(16, index);
    let outstanding = fields.whole("outstanding", 1..=MOST_CONNECTIONS).map(index);
    let scenario = Scenario {
        name: fields.text("name").unwrap_or_else(|| "unnamed".to_owned()),
        about: fields.text("about").unwrap_or_default(),
        url: fields.text("url"),
        keys: keys(&fields, outside),
        requests,
        prompt: prompt(&fields).unwrap_or(PromptSize::Fixed(1024)),
        repeats: repeats(&fields),
        cancels: cancels(&fields),
        connections,
        outstanding: outstanding.unwrap_or_else(|| (connections * 4).max(256)),
        protocol: fields
            .choice(
                "protocol",
                &[("http1", Protocol::Http1), ("http2", Protocol::Http2)],
            )
            .unwrap_or(Protocol::Http1),
        // Nothing is made of it where there is none, but the rest is read all the same.
        arrival: arrival.clone().unwrap_or(Arrival::Closed),
        window: window(&fields),
        requests_at_most: fields
            .whole("requests_at_most", 1..=1_000_000_000)
            .unwrap_or(REQUESTS_AT_MOST),
        timeout: positive(&fields, "timeout").unwrap_or(Duration::from_secs(30)),
        rounds: fields
            .whole("rounds", 1..=1000)
            .and_then(|it| u32::try_from(it).ok())
            .unwrap_or(1),
        threads: fields.whole("threads", 1..=256).map_or(1, index),
        seed: fields.whole("seed", 0..=u64::MAX).unwrap_or(1),
        lag_limit: positive(&fields, "lag_limit").unwrap_or(Duration::from_millis(2)),
        fail_if: thresholds(&fields),
    };
    if let Some(wrong) = scenario.indistinct() {
        fields.wrong("prompt", wrong);
    }
    fields.finish();
    arrival.map(|_| scenario)
}

fn window(fields: &Fields<'_>) -> Window {
    Window {
        warm_up: fields.duration("warm_up").unwrap_or(Duration::ZERO),
        measured: positive(fields, "duration").unwrap_or(Duration::from_secs(10)),
    }
}

fn positive(fields: &Fields<'_>, name: &'static str) -> Option<Duration> {
    let span = fields.duration(name)?;
    if span.is_zero() {
        fields.wrong(name, "found '0', expected a duration above 0");
    }
    Some(span)
}

fn weight(fields: &Fields<'_>) -> f64 {
    fields.number("weight", HEAVIEST).unwrap_or(1.0)
}

fn requests(fields: &Fields<'_>) -> Vec<(RequestKind, f64)> {
    let items = fields.items("requests");
    let kinds: Vec<_> = items
        .iter()
        .filter_map(|(path, node)| kind(node, path, fields.problems()))
        .collect();
    let weighs = kinds.iter().any(|(_, weight)| *weight > 0.0);
    if kinds.len() == items.len() && !weighs {
        fields.wrong(
            "requests",
            "nothing to send: expected at least one kind of request with a weight above 0",
        );
    }
    kinds
}

fn kind(node: &Node, path: &str, found: &Found) -> Option<(RequestKind, f64)> {
    let fields = Fields::of(node, path, found)?;
    let surfaces = [
        ("chat", Surface::Chat),
        ("messages", Surface::Messages),
        ("embeddings", Surface::Embeddings),
    ];
    let surface = fields.choice("surface", &surfaces).unwrap_or(Surface::Chat);
    let stream = fields.share("stream").unwrap_or(0.0);
    if surface == Surface::Embeddings && stream > 0.0 {
        fields.wrong("stream", "embeddings are not streamed: expected 0");
    }
    let model = fields.text("model");
    if fields.entry_is_missing("model") {
        fields.wrong("model", "missing: expected the name of a model");
    }
    let tokens = fields.whole("answer_tokens", 1..=1_000_000);
    let kind = RequestKind {
        surface,
        model: model.unwrap_or_default(),
        stream,
        prompt: prompt(&fields),
        answer_tokens: tokens.and_then(|it| u32::try_from(it).ok()).unwrap_or(16),
        chunks_expected: fields.whole("chunks_expected", 1..=1_000_000),
    };
    let weight = weight(&fields);
    fields.finish();
    Some((kind, weight))
}

fn keys(fields: &Fields<'_>, outside: &Outside<'_>) -> Vec<(Secret, f64)> {
    let items = fields.items("keys");
    let read = |(path, node): &(String, &Node)| {
        let fields = Fields::of(node, path, fields.problems())?;
        let key = match fields.text("env") {
            Some(name) => {
                let value = (outside.env)(&name);
                if value.is_none() {
                    fields.wrong("env", format!("the environment variable '{name}' is not set"));
                }
                value
            }
            None => fields.text("key"),
        };
        if fields.entry_is_missing("env") && fields.entry_is_missing("key") {
            fields.wrong(
                "key",
                "missing: expected 'key', or 'env' with the name of a variable",
            );
        }
        let weight = weight(&fields);
        // Asked for in any case: naming both is no unknown field.
        let _ = fields.node("key");
        fields.finish();
        Some((Secret(key?), weight))
    };
    let keys: Vec<_> = items.iter().filter_map(read).collect();
    if !keys.is_empty() && keys.iter().all(|(_, weight)| *weight <= 0.0) {
        fields.wrong("keys", "no key has a weight above 0");
    }
    keys
}

/// `1KiB`, or a mapping that says how sizes are spread.
fn prompt(fields: &Fields<'_>) -> Option<PromptSize> {
    let expected = "a size such as 512B or 4KiB, at most 32MiB";
    let size = |text: &str| units::bytes(text).filter(|size| *size <= LARGEST_PROMPT);
    let node = fields.node("prompt")?;
    if matches!(node.value, Value::Scalar(_)) {
        return fields.read("prompt", expected, size).map(PromptSize::Fixed);
    }
    let path = fields.path("prompt");
    if matches!(node.value, Value::List(_)) {
        let read = |(path, node): &(String, &Node)| {
            let item = Fields::of(node, path, fields.problems())?;
            let (bytes, weight) = (item.read("size", expected, size), weight(&item));
            item.finish();
            Some((bytes?, weight))
        };
        let sizes: Vec<_> = fields.items("prompt").iter().filter_map(read).collect();
        if sizes.iter().all(|(_, weight)| *weight <= 0.0) {
            fields.wrong("prompt", "expected at least one size with a weight above 0");
        }
        return Some(PromptSize::OneOf(sizes));
    }
    let spread = Fields::of(node, &path, fields.problems())?;
    let (least, most) = (
        spread.read("from", expected, size),
        spread.read("to", expected, size),
    );
    let median = spread.read("median", expected, size);
    let sigma = spread.number("sigma", 4.0);
    if sigma.is_some() && spread.entry_is_missing("median") {
        spread.wrong("sigma", "it says nothing here: expected beside median");
    }
    let found = match (least, most, median) {
        (Some(least), Some(most), None) if least <= most => Some(PromptSize::Between(least, most)),
        (None, most, Some(median)) => Some(PromptSize::LogNormal {
            median,
            sigma: sigma.unwrap_or(0.8),
            most: most.unwrap_or(LARGEST_PROMPT),
        }),
        _ => {
            fields.wrong(
                "prompt",
                "expected a size, {from, to} in ascending order, or {median, sigma, to}",
            );
            None
        }
    };
    spread.finish();
    found
}

fn repeats(fields: &Fields<'_>) -> Repeats {
    let nothing = Repeats {
        share: 0.0,
        questions: 1,
    };
    let Some(node) = fields.node("repeats") else {
        return nothing;
    };
    let Some(inner) = Fields::of(node, "repeats", fields.problems()) else {
        return nothing;
    };
    let repeats = Repeats {
        share: inner.share("share").unwrap_or(0.0),
        questions: inner.whole("questions", 1..=100_000_000).unwrap_or(100),
    };
    inner.finish();
    repeats
}

fn cancels(fields: &Fields<'_>) -> Cancels {
    let nothing = Cancels {
        share: 0.0,
        when: CancelWhen::AfterChunks(1),
    };
    let Some(node) = fields.node("cancels") else {
        return nothing;
    };
    let Some(inner) = Fields::of(node, "cancels", fields.problems()) else {
        return nothing;
    };
    let after = inner.duration("after").map(CancelWhen::After);
    let chunks = inner
        .whole("after_chunks", 1..=1_000_000)
        .map(CancelWhen::AfterChunks);
    if after.is_some() && chunks.is_some() {
        inner.wrong("after", "expected 'after' or 'after_chunks', not both");
    }
    let cancels = Cancels {
        share: inner.share("share").unwrap_or(0.0),
        when: after.or(chunks).unwrap_or(nothing.when),
    };
    inner.finish();
    cancels
}

fn thresholds(fields: &Fields<'_>) -> Vec<Threshold> {
    let mut thresholds = Vec::new();
    for (path, node) in fields.items("fail_if") {
        let parsed = match &node.value {
            Value::Scalar(text) => text.parse::<Threshold>().map_err(|error| error.to_string()),
            other => Err(format!("found {}, expected text", other.noun())),
        };
        match parsed {
            Ok(threshold) => thresholds.push(threshold),
            Err(message) => fields.problems().borrow_mut().push(Problem {
                line: node.line,
                path,
                message,
            }),
        }
    }
    thresholds
}

fn arrival(fields: &Fields<'_>, outside: &Outside<'_>) -> Option<Arrival> {
    let expected = "closed, or one of {constant}, {poisson}, {ramp}, {steps}, {trace}";
    let Some(node) = fields.node("arrival") else {
        fields.wrong("arrival", format!("missing: expected {expected}"));
        return None;
    };
    if matches!(&node.value, Value::Scalar(text) if text == "closed") {
        return Some(Arrival::Closed);
    }
    let inner = Fields::of(node, "arrival", fields.problems())?;
    let spacing = inner
        .choice(
            "spacing",
            &[("even", Spacing::Even), ("poisson", Spacing::Poisson)],
        )
        .unwrap_or(Spacing::Even);
    let then = match inner.truth("repeat") {
        Some(true) => Then::Repeat,
        Some(false) | None => Then::Hold,
    };
    let before = fields.problems().borrow().len();
    unread(&inner);
    let steady = |name, spacing| rate(&inner, name).map(|rate| Profile::steady(rate, spacing));
    let rates = [
        steady("constant", Spacing::Even),
        steady("poisson", Spacing::Poisson),
        ramp(&inner).map(|leg| Profile {
            legs: vec![leg],
            spacing,
            then,
        }),
        steps(&inner).map(|legs| Profile { legs, spacing, then }),
    ];
    let mut found: Vec<Arrival> = rates.into_iter().flatten().map(Arrival::Rate).collect();
    found.extend(trace(&inner, outside));
    let clean = fields.problems().borrow().len() == before;
    inner.finish();
    let first = found.pop();
    if first.is_some() && found.is_empty() {
        return first;
    }
    if clean {
        fields.wrong("arrival", format!("expected exactly one: {expected}"));
    }
    None
}

/// Fields that mean nothing beside the others.
fn unread(arrival: &Fields<'_>) {
    let has = |name: &str| !arrival.entry_is_missing(name);
    for (name, belongs_to) in [
        ("spacing", &["ramp", "steps"][..]),
        ("repeat", &["ramp", "steps"]),
        ("speed", &["trace"]),
    ] {
        if has(name) && !belongs_to.iter().any(|it| has(it)) {
            arrival.wrong(
                name,
                format!(
                    "it says nothing here: expected beside {}",
                    belongs_to.join(" or ")
                ),
            );
        }
    }
}

/// Requests a second, or how many times as fast: above 0.
fn rate(fields: &Fields<'_>, name: &'static str) -> Option<f64> {
    let rate = fields.number(name, FASTEST)?;
    if rate > 0.0 {
        return Some(rate);
    }
    fields.wrong(name, "found '0', expected a number above 0");
    None
}

fn ramp(fields: &Fields<'_>) -> Option<Leg> {
    let inner = Fields::of(fields.node("ramp")?, "arrival.ramp", fields.problems())?;
    let (from, to) = (inner.number("from", FASTEST), rate(&inner, "to"));
    let lasts = positive(&inner, "over");
    if inner.entry_is_missing("over") {
        inner.wrong("over", "missing: expected a duration");
    }
    if inner.entry_is_missing("to") {
        inner.wrong("to", "missing: expected a rate");
    }
    inner.finish();
    Some(Leg {
        from: from.unwrap_or(0.0),
        to: to?,
        lasts: lasts?,
    })
}

fn steps(fields: &Fields<'_>) -> Option<Vec<Leg>> {
    fields.node("steps")?;
    let read = |(path, node): &(String, &Node)| {
        let inner = Fields::of(node, path, fields.problems())?;
        let (rate, lasts) = (inner.number("rate", FASTEST), positive(&inner, "for"));
        for name in ["rate", "for"] {
            if inner.entry_is_missing(name) {
                inner.wrong(name, "missing");
            }
        }
        inner.finish();
        let rate = rate?;
        Some(Leg {
            from: rate,
            to: rate,
            lasts: lasts?,
        })
    };
    let legs: Vec<Leg> = fields.items("steps").iter().filter_map(read).collect();
    if legs.iter().any(|leg| leg.to > 0.0) {
        return Some(legs);
    }
    fields.wrong("steps", "expected at least one step with a rate above 0");
    None
}

/// Times in seconds since the start, one a line; what follows a comma or blank is not read. `speed: 2` halves them.
fn trace(fields: &Fields<'_>, outside: &Outside<'_>) -> Option<Arrival> {
    let name = fields.text("trace");
    let speed = rate(fields, "speed").unwrap_or(1.0);
    let name = name?;
    let text = match (outside.file)(Path::new(&name)) {
        Ok(text) => text,
        Err(error) => {
            fields.wrong("trace", format!("{name}: {error}"));
            return None;
        }
    };
    match read_trace(&text, speed) {
        Ok(times) => Some(Arrival::Trace(times.into())),
        Err(message) => {
            fields.wrong("trace", format!("{name}: {message}"));
            None
        }
    }
}

fn read_trace(text: &str, speed: f64) -> Result<Vec<Duration>, String> {
    let mut times = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let first = line.split([',', ' ', '\t']).next().unwrap_or_default();
        let time = first.parse::<f64>().ok();
        let time = time.and_then(|it| Duration::try_from_secs_f64(it / speed).ok());
        times.push(time.ok_or_else(|| format!("line {}: '{first}' is no time in seconds", number + 1))?);
    }
    if times.is_empty() {
        return Err("no times in it".to_owned());
    }
    times.sort_unstable();
    Ok(times)
}
