//! Turns, written as `systemInstruction` and `contents`.
//!
//! Rules of the dialect: results name their function, and are as many as the calls, in the turn behind them; a
//! response is an object; a content has parts. Results stand in a content of their own, and what else the user
//! says in the next one.

use std::collections::HashMap;

use tollgate_core::Dialect;

use super::parts::{self, DOCUMENT, IMAGE, is_googles, media_type_of};
use super::quirks::{Takes, function_name};
use crate::chat::history::{Instructions, arrange, open};
use crate::chat::media::Source;
use crate::chat::names::Renamed;
use crate::chat::write::{Array, Object, object, text};
use crate::chat::{Call, Extra, Kind, Part, Role, Turn, lose_extra};
use crate::loss::Loss;

/// What Google takes in place of the signature of a call that its model did not make.
const NOT_ITS_OWN: &str = "skip_thought_signature_validator";

/// A conversation as the dialect takes it.
#[derive(Debug)]
pub(crate) struct Conversation<'a> {
    pub(crate) system: Vec<Turn<'a>>,
    pub(crate) turns: Vec<Turn<'a>>,
}

/// Writes turns, and notes what it leaves out.
pub(crate) struct Writer<'w> {
    pub(crate) origin: Dialect,
    pub(crate) takes: Takes,
    pub(crate) is_vertex: bool,
    pub(crate) renamed: &'w mut Renamed,
    pub(crate) loss: &'w mut Loss,
}

impl Writer<'_> {
    fn is_own(&self) -> bool {
        self.origin == Dialect::Gemini
    }

    /// Brings turns into order, and takes out what has no place: that goes into the loss.
    pub(crate) fn prepare<'a>(&mut self, mut turns: Vec<Turn<'a>>) -> Conversation<'a> {
        for turn in &mut turns {
            if turn.name.take().is_some() {
                self.loss.note(format!("{}.name", turn.at));
            }
            if !self.is_own() {
                lose_extra(&turn.at, &turn.extra, self.loss);
                turn.extra.clear();
            }
            let instructs = turn.role.instructs() && !self.is_own();
            turn.parts.retain_mut(|part| self.has_place(part, instructs));
        }
        let (system, mut turns) = arrange(turns, Instructions::Lead, self.loss);
        // A turn without parts is none, whatever else stands in it.
        for turn in turns.iter_mut().filter(|turn| turn.parts.is_empty()) {
            lose_extra(&turn.at, &turn.extra, self.loss);
        }
        turns.retain(|turn| !turn.parts.is_empty());
        if !self.is_own() || turns.is_empty() {
            open(&mut turns);
        }
        Conversation { system, turns }
    }

    /// Whether a part can be carried; what cannot is noted.
    fn has_place(&mut self, part: &mut Part<'_>, instructs: bool) -> bool {
        if part.state.take_if(|state| state.of != Dialect::Gemini).is_some() {
            let place = if self.is_own() { ".thoughtSignature" } else { "" };
            self.loss.note(format!("{}{place}", part.at));
        }
        let is_own = self.is_own();
        let is_carried = match &mut part.kind {
            Kind::Text(_) | Kind::Refusal(_) => true,
            _ if instructs => false,
            Kind::ToolCall(_) | Kind::Audio { .. } => true,
            Kind::Thinking { text, signature } => {
                // Thoughts of others, with a proof that Google does not know.
                let is_foreign = signature.as_ref().is_some_and(|proof| !proof.is_empty());
                let is_hollow = part.state.is_none() && text.is_empty();
                part.state.is_some() || (is_own && !is_foreign && !is_hollow)
            }
            Kind::RedactedThinking(_) => false,
            Kind::Image { source, detail } => {
                if detail.as_ref().is_some_and(|detail| detail != "auto") {
                    self.loss.note(format!("{}.image_url.detail", part.at));
                }
                self.has_source(source)
            }
            Kind::Document { source, title } => {
                if title.take_if(|_| !is_own && !self.is_vertex).is_some() {
                    let name = if self.origin == Dialect::OpenAi {
                        "file.filename"
                    } else {
                        "title"
                    };
                    self.loss.note(format!("{}.{name}", part.at));
                }
                self.has_source(source)
            }
            Kind::ToolResult { parts, .. } => {
                parts.retain_mut(|part| self.has_place(part, false));
                true
            }
            Kind::Opaque(_) => is_own,
        };
        if !is_carried {
            self.loss.note(&*part.at);
            return false;
        }
        if part.cache.is_some() {
            self.loss.note(format!("{}.cache_control", part.at));
        }
        if !is_own {
            lose_extra(&part.at, &part.extra, self.loss);
            part.extra.clear();
        }
        true
    }

    fn has_source(&self, source: &Source<'_>) -> bool {
        match source {
            Source::Base64 { .. } | Source::Text(_) => true,
            Source::Url(uri) => {
                let is_fetched = uri.starts_with("https://") && (self.takes.fetches || self.is_vertex);
                self.is_own() || is_googles(uri) || is_fetched
            }
            Source::File(_) => self.is_own(),
        }
    }

    /// Writes `systemInstruction`, if there is any; `hint` is one of the gateway's own. Models that take none are
    /// told in the user's first turn.
    pub(crate) fn system(&mut self, o: &mut Object<'_>, talk: &mut Conversation<'_>, hint: Option<String>) {
        let mut parts: Vec<_> = talk
            .system
            .iter_mut()
            .flat_map(|turn| turn.parts.drain(..))
            .collect();
        parts.extend(hint.map(|hint| Part::new(String::new(), Kind::Text(hint.into()))));
        if parts.is_empty() {
            return;
        }
        if !self.takes.system {
            open(&mut talk.turns);
            if let Some(first) = talk.turns.first_mut() {
                first.parts.splice(0..0, parts);
            }
            let turns = talk.system.iter();
            turns.for_each(|turn| lose_extra(&turn.at, &turn.extra, self.loss));
            return;
        }
        o.object("systemInstruction", |o| {
            o.array("parts", |a| {
                for part in &parts {
                    self.part(a, part, None);
                }
            });
            for (name, value) in talk.system.iter().flat_map(|turn| &turn.extra) {
                o.raw(name, value);
            }
        });
    }

    /// Writes `contents`.
    pub(crate) fn contents(&mut self, o: &mut Object<'_>, turns: &[Turn<'_>]) {
        let mut names: HashMap<&str, &str> = HashMap::new();
        o.array("contents", |a| {
            for turn in turns {
                if turn.role == Role::Assistant {
                    let calls = turn.parts.iter().filter_map(|part| match &part.kind {
                        Kind::ToolCall(call) => Some((&*call.id, &*call.name)),
                        _ => None,
                    });
                    names.extend(calls);
                    self.model(a, turn);
                } else {
                    self.user(a, turn, &names);
                }
            }
        });
    }

    fn model(&mut self, a: &mut Array<'_>, turn: &Turn<'_>) {
        let is_call = |part: &&Part<'_>| matches!(part.kind, Kind::ToolCall(_));
        // Of calls that are made at once, the first one is signed.
        let unsigned = turn
            .parts
            .iter()
            .find(is_call)
            .filter(|first| first.state.is_none());
        let unsigned = unsigned.filter(|_| self.takes.insists_on_signatures);
        a.object(|o| {
            o.text("role", "model").array("parts", |a| {
                for part in &turn.parts {
                    let is_first = unsigned.is_some_and(|first| std::ptr::eq(first, part));
                    self.part(a, part, is_first.then_some(NOT_ITS_OWN));
                }
            });
            write_extra_in(o, &turn.extra, "");
        });
    }

    /// Results first, and what else the user says, files of results that cannot stand in them included, behind.
    fn user(&mut self, a: &mut Array<'_>, turn: &Turn<'_>, names: &HashMap<&str, &str>) {
        let is_result = |part: &&Part<'_>| matches!(part.kind, Kind::ToolResult { .. });
        let (results, said): (Vec<_>, Vec<_>) = turn.parts.iter().partition(is_result);
        let mut rest: Vec<&Part<'_>> = Vec::new();
        if !results.is_empty() {
            a.object(|o| {
                o.text("role", "user").array("parts", |a| {
                    for result in &results {
                        a.object(|o| self.result(o, result, names, &mut rest));
                    }
                });
                write_extra_in(o, &turn.extra, "");
            });
        }
        rest.extend(said);
        if rest.is_empty() {
            return;
        }
        a.object(|o| {
            o.text("role", "user").array("parts", |a| {
                for part in &rest {
                    self.part(a, part, None);
                }
            });
            if results.is_empty() {
                write_extra_in(o, &turn.extra, "");
            }
        });
    }

    fn result<'t, 'a>(
        &mut self,
        o: &mut Object<'_>,
        part: &'t Part<'a>,
        names: &HashMap<&str, &str>,
        rest: &mut Vec<&'t Part<'a>>,
    ) {
        let Kind::ToolResult { id, parts, is_error } = &part.kind else {
            return;
        };
        let (texts, files): (Vec<_>, Vec<_>) = parts
            .iter()
            .partition(|part| matches!(part.kind, Kind::Text(_) | Kind::Refusal(_)));
        let is_inside =
            |part: &Part<'_>| self.is_own() || (self.takes.files_in_results && stands_in_result(part));
        let (inside, outside): (Vec<&Part<'_>>, Vec<&Part<'_>>) =
            files.into_iter().partition(|part| is_inside(part));
        rest.extend(outside);
        o.object("functionResponse", |o| {
            if !id.is_empty() && !parts::is_made_up(id) {
                o.text("id", id);
            }
            let name = names.get(&**id).copied().unwrap_or_default();
            o.text("name", &self.name(name));
            write_response(o, &texts, *is_error);
            if !inside.is_empty() {
                o.array("parts", |a| {
                    for part in &inside {
                        self.part(a, part, None);
                    }
                });
            }
            write_extra_in(o, &part.extra, "functionResponse.");
        });
        write_extra_in(o, &part.extra, "");
    }

    /// The name of a function as Google takes it.
    pub(crate) fn name<'n>(&mut self, name: &'n str) -> std::borrow::Cow<'n, str> {
        let sent = function_name(name);
        self.renamed.note(name, &sent);
        sent
    }

    fn part(&mut self, a: &mut Array<'_>, part: &Part<'_>, unsigned: Option<&str>) {
        if let Kind::Opaque(json) = &part.kind {
            return a.raw(json);
        }
        a.object(|o| {
            self.kind(o, part);
            let signature = part.state.as_ref().map(|state| &*state.data);
            if let Some(signature) = signature.or(unsigned) {
                o.text("thoughtSignature", signature);
            }
            write_extra_in(o, &part.extra, "");
        });
    }

    fn kind(&mut self, o: &mut Object<'_>, part: &Part<'_>) {
        match &part.kind {
            Kind::Text(text) | Kind::Refusal(text) => o.text("text", text).end(),
            Kind::Thinking { text, .. } => {
                o.text("text", text);
                if !text.is_empty() {
                    o.plain("thought", true);
                }
            }
            Kind::ToolCall(call) => {
                let name = self.name(&call.name);
                o.object("functionCall", |o| {
                    let id = Some(&*call.id).filter(|id| !id.is_empty() && !parts::is_made_up(id));
                    write_call(o, call, id, &name);
                    write_extra_in(o, &part.extra, "functionCall.");
                });
            }
            Kind::Image { source, .. } => write_source(o, source, IMAGE, None, &part.extra),
            Kind::Document { source, title } => {
                write_source(o, source, DOCUMENT, title.as_deref(), &part.extra);
            }
            Kind::Audio { format, data } => {
                o.object("inlineData", |o| {
                    // What OpenAI calls by the width of its samples.
                    let subtype = if format == "pcm16" { "pcm" } else { format };
                    o.text("mimeType", &format!("audio/{subtype}")).text("data", data);
                    write_extra_in(o, &part.extra, "inlineData.");
                });
            }
            // None of them comes this far.
            Kind::ToolResult { .. } | Kind::RedactedThinking(_) | Kind::Opaque(_) => {}
        }
    }
}

/// Whether a file can stand in a result, where files can.
fn stands_in_result(part: &Part<'_>) -> bool {
    match &part.kind {
        Kind::Image { source, .. } => matches!(source, Source::Base64 { .. }),
        Kind::Document { source, .. } => match source {
            Source::Base64 { media_type, .. } => media_type == "application/pdf",
            Source::Text(_) => true,
            Source::Url(_) | Source::File(_) => false,
        },
        _ => false,
    }
}

/// Writes what was not understood of a part: the fields of the object whose path within it is `prefix`.
fn write_extra_in(o: &mut Object<'_>, extra: &Extra<'_>, prefix: &str) {
    let objects = [
        "functionCall.",
        "functionResponse.",
        "inlineData.",
        "fileData.",
        "",
    ];
    for (path, value) in extra {
        let inside = objects.into_iter().find(|object| path.starts_with(object));
        if let Some(name) = path.strip_prefix(prefix).filter(|_| inside == Some(prefix)) {
            o.raw(name, value);
        }
    }
}

/// Writes `response`: the text if it is an object, else an object around it.
fn write_response(o: &mut Object<'_>, texts: &[&Part<'_>], is_error: bool) {
    let text = joined(texts);
    let trimmed = text.trim();
    let is_object = trimmed.starts_with('{') && is_json(trimmed);
    if !is_object {
        o.object("response", |o| {
            o.text(if is_error { "error" } else { "result" }, &text).end();
        });
    } else if is_error && crate::json::Fields::of(trimmed).is_some_and(|fields| fields.raw("error").is_none())
    {
        o.object("response", |o| o.raw("error", trimmed).end());
    } else {
        o.raw("response", trimmed);
    }
}

fn joined(texts: &[&Part<'_>]) -> String {
    let texts = texts.iter().filter_map(|part| match &part.kind {
        Kind::Text(text) | Kind::Refusal(text) => Some(&**text),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Writes the fields of a call: its arguments if they are an object, else one around them.
pub(crate) fn write_call(o: &mut Object<'_>, call: &Call<'_>, id: Option<&str>, name: &str) {
    if let Some(id) = id {
        o.text("id", id);
    }
    o.text("name", name);
    let arguments = call.arguments.trim();
    if arguments.starts_with('{') && is_json(arguments) {
        o.raw("args", arguments);
    } else if arguments.is_empty() || arguments == "null" {
        o.raw("args", "{}");
    } else {
        // Cut off, or never JSON: the words are kept.
        object(o.key("args"), |o| {
            text(o.key("invalid_arguments"), &call.arguments);
        });
    }
}

fn write_source(
    o: &mut Object<'_>,
    source: &Source<'_>,
    unknown: &'static str,
    title: Option<&str>,
    extra: &Extra<'_>,
) {
    let has_type = |prefix: &str| {
        extra
            .iter()
            .any(|(path, _)| path.strip_prefix(prefix) == Some(".mimeType"))
    };
    let field = match source {
        Source::Base64 { .. } | Source::Text(_) => "inlineData",
        Source::Url(_) | Source::File(_) => "fileData",
    };
    object(o.key(field), |o| {
        let media_type = match source {
            Source::Base64 { media_type, .. } => media_type,
            Source::Text(_) => "text/plain",
            Source::Url(uri) | Source::File(uri) => media_type_of(uri, unknown),
        };
        if !has_type(field) {
            o.text("mimeType", media_type);
        }
        match source {
            Source::Base64 { data, .. } => o.text("data", data),
            Source::Text(text) => o.text("data", &parts::encoded(text)),
            Source::Url(uri) | Source::File(uri) => o.text("fileUri", uri),
        };
        if let Some(title) = title {
            o.text("displayName", title);
        }
        write_extra_in(o, extra, &format!("{field}."));
    });
}
