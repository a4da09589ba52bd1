//! What is said in a conversation, in a form in which two dialects' ways to say it are the same.
//!
//! Each rule of [`Rules`] is a way in which a dialect cannot keep to how a client said something, though it keeps all
//! that was said. What no rule covers must come through as it was, or be named.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use serde_json::{Value, json};
use tollgate_core::Dialect;

use crate::bedrock::blocks::is_format;
use crate::chat::media::Source;
use crate::chat::names::Renamed;
use crate::chat::{ChatRequest, Extra, Kind, Part, Role, Turn};
use crate::cohere::quirks::tool_name;
use crate::loss::Loss;

/// The paths that a loss names.
#[derive(Debug, Default)]
pub(super) struct Named(HashSet<String>);

impl Named {
    pub(super) fn of(loss: &Loss) -> Self {
        Self(loss.paths().map(str::to_owned).collect())
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.0.contains(path)
    }

    fn has_at(&self, at: &str, names: &[&str]) -> bool {
        names.iter().any(|name| self.has(&format!("{at}.{name}")))
    }
}

/// How a dialect says things.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a dialect")]
pub(super) struct Rules {
    dialect: Dialect,
    /// Instructions have no place in the conversation: they stand before it.
    leads: bool,
    /// Blank text is refused, and says nothing.
    drops_blank: bool,
    /// Words of refusal are text like any other.
    refuses_in_text: bool,
    /// A document that is text is told as text, with its title in front.
    tells_documents: bool,
}

pub(super) const fn rules(dialect: Dialect) -> Rules {
    let openai = matches!(dialect, Dialect::OpenAi | Dialect::Responses);
    Rules {
        dialect,
        leads: matches!(dialect, Dialect::Anthropic | Dialect::Gemini | Dialect::Bedrock),
        drops_blank: matches!(dialect, Dialect::Anthropic | Dialect::Cohere | Dialect::Bedrock),
        refuses_in_text: !openai,
        tells_documents: openai || matches!(dialect, Dialect::Cohere),
    }
}

/// What the gateway says of its own, where a dialect or a provider insists on something being said.
const ADDED: [&str; 6] = [
    "(The conversation begins here.)",
    "Please continue.",
    "See the document.",
    "The answer is JSON: ",
    "Respond with a single JSON",
    "No result: this call was not answered.",
];
/// What stands where a tool said nothing.
const NOTHING: [&str; 2] = ["(no output)", "(nothing)"];

/// What stands where Google wants a signature that it did not give.
const UNSIGNED: &str = "skip_thought_signature_validator";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Instructs,
    User,
    Assistant,
}

/// Something that was said.
#[derive(Clone)]
pub(super) struct Item {
    who: Who,
    kind: &'static str,
    value: String,
    /// What stands beside it.
    beside: BTreeMap<String, String>,
    /// Where it stands among the items of a turn that has an order of its own.
    rank: (usize, usize),
    /// It is named as lost: it need not come through.
    is_excused: bool,
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        (self.who, self.kind, &self.value, &self.beside)
            == (other.who, other.kind, &other.value, &other.beside)
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let excused = if self.is_excused { " (named)" } else { "" };
        write!(
            f,
            "{:?} {} {:?} {:?}{excused}",
            self.who, self.kind, self.value, self.beside
        )
    }
}

/// What a request says, as a dialect of these rules says it.
pub(super) struct Listener<'l> {
    pub(super) rules: Rules,
    /// What was lost of the request on its way there; of one that has arrived, nothing.
    pub(super) named: &'l Named,
    /// The names that were changed on the way.
    pub(super) renamed: &'l Renamed,
    /// The ids of calls, numbered.
    pub(super) ids: HashMap<String, usize>,
}

impl Listener<'_> {
    /// All that is said, in order.
    pub(super) fn hear(&mut self, request: &ChatRequest<'_>) -> Vec<Item> {
        let mut items = Vec::new();
        for turn in &request.turns {
            for part in &turn.parts {
                self.part(turn, part, &mut items);
            }
        }
        items.retain(|item| !item.is_added() && !self.says_nothing(item));
        items
    }

    fn says_nothing(&self, item: &Item) -> bool {
        let is_said = matches!(item.kind, "text" | "refusal");
        let is_blank = item.value.is_empty() || (self.rules.drops_blank && item.value.trim().is_empty());
        is_said && is_blank
    }

    fn part(&mut self, turn: &Turn<'_>, part: &Part<'_>, items: &mut Vec<Item>) {
        let who = match turn.role {
            Role::System | Role::Developer => Who::Instructs,
            Role::User => Who::User,
            Role::Assistant => Who::Assistant,
        };
        let mut item = self.item(who, part);
        if let Kind::ToolResult { parts, .. } = &part.kind {
            let lifted: Vec<_> = parts.iter().filter(|inner| self.is_lifted(inner)).collect();
            for inner in lifted {
                let mut lifted = self.item(who, inner);
                lifted.rank = (1, self.rank(who, part).1);
                items.push(lifted);
            }
        }
        let has_name = !self.named.has(&format!("{}.name", turn.at));
        if let Some(name) = turn.name.as_ref().filter(|_| has_name) {
            item.beside.insert("name".to_owned(), name.to_string());
        }
        // Newer models of OpenAI have a word of their own for who instructs.
        if turn.role == Role::Developer && self.rules.dialect == Dialect::OpenAi {
            item.beside.insert("role".to_owned(), "developer".to_owned());
        }
        items.push(item);
    }

    /// Whether a part of a result stands behind the results, where those are text.
    fn is_lifted(&self, part: &Part<'_>) -> bool {
        match self.rules.dialect {
            Dialect::OpenAi | Dialect::Gemini => !matches!(part.kind, Kind::Text(_) | Kind::Refusal(_)),
            Dialect::Cohere => matches!(part.kind, Kind::Image { .. }),
            Dialect::Responses | Dialect::Anthropic | Dialect::Bedrock => false,
        }
    }

    fn item(&mut self, who: Who, part: &Part<'_>) -> Item {
        let mut beside = BTreeMap::new();
        let (kind, value) = self.kind(part, &mut beside);
        self.note_beside(part, &mut beside);
        Item {
            who,
            kind,
            value,
            beside,
            rank: self.rank(who, part),
            is_excused: self.named.has(&part.at),
        }
    }

    fn rank(&self, who: Who, part: &Part<'_>) -> (usize, usize) {
        let is_thought = matches!(part.kind, Kind::Thinking { .. } | Kind::RedactedThinking(_));
        let rank = match (&part.kind, self.rules.dialect) {
            // Results come first, in the order of their calls.
            (Kind::ToolResult { id, .. }, _) => return (0, self.ids.get(&**id).copied().unwrap_or_default()),
            _ if who != Who::Assistant => 2,
            // Items and parts stand as they were said.
            (_, Dialect::Responses | Dialect::Gemini) => 0,
            // A message has a place for each, or its server an order.
            (Kind::ToolCall(_), _) => 3,
            _ if is_thought => 0,
            (Kind::Refusal(_), Dialect::OpenAi) => 2,
            _ => 1,
        };
        (rank, 0)
    }

    fn kind(&mut self, part: &Part<'_>, beside: &mut BTreeMap<String, String>) -> (&'static str, String) {
        match &part.kind {
            Kind::Text(text) => ("text", text.to_string()),
            Kind::Refusal(text) if self.rules.refuses_in_text => ("text", text.to_string()),
            Kind::Refusal(text) => ("refusal", text.to_string()),
            Kind::Image { source, detail } => {
                let is_lost = self.named.has_at(&part.at, &["image_url.detail"]);
                // The default, said aloud, is what it is anyway.
                if let Some(detail) = detail.as_ref().filter(|detail| *detail != "auto" && !is_lost) {
                    beside.insert("detail".to_owned(), detail.to_string());
                }
                ("image", format!("{source:?}"))
            }
            Kind::Document { source, title } => self.document(part, source, title.as_deref(), beside),
            Kind::Audio { format, data } => ("audio", format!("{format} {data}")),
            Kind::ToolCall(call) => {
                let next = self.ids.len();
                let number = *self.ids.entry(call.id.to_string()).or_insert(next);
                let name = self.renamed.original(&call.name);
                // A name of tools that are not sent along is mapped, and mapped back by nobody.
                let is_mapped = self.rules.dialect == Dialect::Cohere;
                let name = if is_mapped { tool_name(name) } else { name.into() };
                ("call", format!("{number} {name} {}", arguments(&call.arguments)))
            }
            Kind::ToolResult { id, parts, is_error } => {
                let number = self.ids.get(&**id).copied();
                let is_error = *is_error && !self.named.has_at(&part.at, &["is_error"]);
                let said = self.result(parts, is_error);
                ("result", format!("{number:?} {is_error} {said:?}"))
            }
            Kind::Thinking { text, signature } => {
                let is_lost = self.named.has_at(&part.at, &["signature"]);
                let signature = signature.as_ref().filter(|proof| !proof.is_empty() && !is_lost);
                if let Some(signature) = signature {
                    beside.insert("signature".to_owned(), signature.to_string());
                }
                ("thinking", text.to_string())
            }
            Kind::RedactedThinking(data) => ("redacted", data.to_string()),
            Kind::Opaque(json) => ("opaque", (*json).to_owned()),
        }
    }

    fn document(
        &self,
        part: &Part<'_>,
        source: &Source<'_>,
        title: Option<&str>,
        beside: &mut BTreeMap<String, String>,
    ) -> (&'static str, String) {
        let is_lost = self.named.has_at(&part.at, &["title", "file.filename"]);
        let title = title.filter(|_| !is_lost);
        if let (Source::Text(text), true) = (source, self.rules.tells_documents) {
            return (
                "text",
                title.map_or_else(|| text.to_string(), |title| format!("{title}\n\n{text}")),
            );
        }
        let title = match (self.rules.dialect, source) {
            // A file must have a name with an ending there.
            (Dialect::OpenAi | Dialect::Responses, Source::Base64 { .. }) => {
                let title = title.unwrap_or("document");
                Some(format!(
                    "{title}{}",
                    if title.contains('.') { "" } else { ".pdf" }
                ))
            }
            // Names are made of few characters there, and no two are the same.
            (Dialect::Bedrock, _) => Some(skeleton(title.unwrap_or_default())),
            _ => title.map(str::to_owned),
        };
        beside.extend(title.map(|title| ("title".to_owned(), title)));
        ("document", format!("{source:?}"))
    }

    /// What a result says.
    fn result(&mut self, parts: &[Part<'_>], is_error: bool) -> Vec<String> {
        let told = parts
            .iter()
            .filter(|part| !self.is_lifted(part) && !self.named.has(&part.at));
        let told: Vec<&Part<'_>> = told.collect();
        let mut items: Vec<Item> = told.into_iter().map(|part| self.item(Who::User, part)).collect();
        items.retain(|item| !self.says_nothing(item) && !NOTHING.contains(&&*item.value));
        if self.rules.dialect == Dialect::Gemini {
            // A response is one object: texts are one text in it, and an object is the response itself.
            let texts: Vec<_> = items.into_iter().map(|item| item.value).collect();
            return Some(response(&texts.join("\n"), is_error))
                .filter(|text| !text.is_empty())
                .into_iter()
                .collect();
        }
        items
            .into_iter()
            .map(|item| format!("{} {} {:?}", item.kind, item.value, item.beside))
            .collect()
    }

    fn note_beside(&self, part: &Part<'_>, beside: &mut BTreeMap<String, String>) {
        let is_lost = |names: &[&str]| self.named.has_at(&part.at, names);
        if let Some(cache) = part.cache.as_ref().filter(|_| !is_lost(&["cache_control"])) {
            let ttl = cache.ttl.as_deref().filter(|_| !is_lost(&["cache_control.ttl"]));
            // Five minutes are what is meant where nothing is said.
            beside.insert("cache".to_owned(), ttl.unwrap_or("5m").to_owned());
        }
        let names = [
            "state",
            "thoughtSignature",
            "encrypted_content",
            "extra_content",
            "signature",
        ];
        let state = part
            .state
            .as_ref()
            .filter(|state| !is_lost(&names) && state.data != UNSIGNED);
        if let Some(state) = state {
            beside.insert("state".to_owned(), format!("{} {}", state.of.name(), state.data));
        }
        for (name, value) in &part.extra {
            if !is_lost(&[name]) {
                beside.insert(format!("extra {name}"), (*value).to_owned());
            }
        }
    }
}

impl Item {
    fn is_added(&self) -> bool {
        ADDED.iter().any(|added| match self.kind {
            "text" => self.value.starts_with(added),
            "result" => self.value.contains(added),
            _ => false,
        })
    }
}

/// What is left of a document's name where few characters are allowed, and each name only once.
fn skeleton(title: &str) -> String {
    let title = title.split(" (").next().unwrap_or_default();
    let stem = match title.rsplit_once('.') {
        Some((stem, ending)) if is_format(ending) => stem,
        _ => title,
    };
    let kept: String = stem.chars().filter(char::is_ascii_alphanumeric).collect();
    // One without a name is called that.
    if kept.is_empty() {
        "document".to_owned()
    } else {
        kept
    }
}

/// Arguments: an object, or an object around what is none.
fn arguments(text: &str) -> String {
    let text = text.trim();
    let invalid = |text: &str| json!({ "invalid_arguments": text.trim() }).to_string();
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(object)) => match object.get("invalid_arguments").and_then(Value::as_str) {
            Some(text) => invalid(text),
            None => Value::Object(object).to_string(),
        },
        Ok(Value::Null) => "{}".to_owned(),
        _ if text.is_empty() => "{}".to_owned(),
        _ => invalid(text),
    }
}

/// A result as Google has it: an object that tells of an error stands in `error`.
fn response(text: &str, is_error: bool) -> String {
    let Ok(Value::Object(object)) = serde_json::from_str(text) else {
        return text.trim().to_owned();
    };
    match object
        .get("error")
        .filter(|inner| is_error && inner.is_object() && object.len() == 1)
    {
        Some(inner) => inner.to_string(),
        None => Value::Object(object).to_string(),
    }
}

/// What must arrive of what was said: all but what is named as lost and did not arrive.
pub(super) fn expected(said: Vec<Item>, arrived: &[Item]) -> Vec<Item> {
    said.into_iter()
        .filter(|item| !item.is_excused || arrived.contains(item))
        .collect()
}

/// The order in which a dialect says it.
pub(super) fn ordered(mut items: Vec<Item>, rules: Rules) -> Vec<Item> {
    if rules.leads {
        items.sort_by_key(|item| item.who != Who::Instructs);
    }
    if rules.dialect == Dialect::Responses {
        // Instructions in front are one text.
        let leading = items.iter().take_while(|item| item.who == Who::Instructs).count();
        let texts: Vec<_> = items.drain(..leading).map(|item| item.value).collect();
        if !texts.is_empty() {
            items.insert(0, instruction(texts.join("\n\n")));
        }
    }
    let mut turns: Vec<Vec<Item>> = Vec::new();
    for item in items {
        match turns.last_mut() {
            Some(turn) if turn[0].who == item.who => turn.push(item),
            _ => turns.push(vec![item]),
        }
    }
    for turn in &mut turns {
        if rules.dialect == Dialect::Gemini && turn.iter().any(|item| item.kind == "result") {
            // Some of the files of results stand in them, others with those of the user.
            turn.sort_by_cached_key(|item| match item.kind {
                "image" | "document" => ((1, 0), format!("{item:?}")),
                _ => (item.rank, String::new()),
            });
        } else {
            turn.sort_by_key(|item| item.rank);
        }
        match rules.dialect {
            // There is one place for the words of a refusal.
            Dialect::OpenAi => join(turn, "refusal", "\n\n"),
            // There is one place for a plan of what is called.
            Dialect::Cohere => join(turn, "thinking", ""),
            _ => {}
        }
    }
    // An answer that is to be continued may not end in white space at Claude's.
    let trims = matches!(rules.dialect, Dialect::Anthropic | Dialect::Bedrock);
    if let Some(last) = turns.last_mut().and_then(|turn| turn.last_mut())
        && (trims && last.who == Who::Assistant && last.kind == "text")
    {
        last.value.truncate(last.value.trim_end().len());
    }
    turns.concat()
}

/// Makes neighbours of a kind one.
fn join(turn: &mut Vec<Item>, kind: &str, between: &str) {
    turn.dedup_by(|next, item| {
        let joins = next.kind == kind && item.kind == kind;
        if joins {
            item.value.extend([between, &*next.value]);
        }
        joins
    });
}

fn instruction(value: String) -> Item {
    Item {
        who: Who::Instructs,
        kind: "text",
        value,
        beside: BTreeMap::new(),
        rank: (0, 0),
        is_excused: false,
    }
}

/// What stands beside turns and is not named.
pub(super) fn beside_turns(request: &ChatRequest<'_>, named: &Named) -> Vec<String> {
    let mut kept: Vec<String> = request
        .turns
        .iter()
        .flat_map(|turn| unnamed(&turn.at, &turn.extra, named))
        .collect();
    kept.sort();
    kept
}

/// The fields of `extra` that are not named.
pub(super) fn unnamed<'e>(
    at: &'e str,
    extra: &'e Extra<'_>,
    named: &'e Named,
) -> impl Iterator<Item = String> + 'e {
    let kept = extra.iter().filter(move |(name, _)| {
        let path = if at.is_empty() {
            name.to_string()
        } else {
            format!("{at}.{name}")
        };
        !named.has(&path)
    });
    kept.map(|(name, value)| format!("{name}: {value}"))
}
