//! What an answer in the dialect of OpenAI tells, as JSON and as a stream.

use bytes::Bytes;
use memchr::memchr;
use tollgate_core::{Dialect, ProviderKind, Surface};

use super::{Observer, Verdict, as_event, fault_of};
use crate::json::{Fields, keys};
use crate::patch::Patches;
use crate::profile::profile;
use crate::report::{Malformed, Report};
use crate::resume::ChunkTrace;
use crate::sse::Event;
use crate::usage;

/// More tool calls than this in one answer are not told apart.
const MOST_TOOL_CALLS: usize = 1024;

/// Watches a stream of chat completions or completions.
///
/// Most events are deltas, and all that is asked of them is how much text they hold: one pass over their quotes.
/// Only an event with a key that says more (`usage`, `finish_reason`, `error`) is read as JSON.
#[derive(Debug)]
pub(crate) struct OpenAiObserver {
    kind: ProviderKind,
    watching: Watching,
    /// A chunk that tells the client the usage it asked for, where the provider told it elsewhere.
    usage_chunk: Option<Vec<u8>>,
    report: Report,
    /// The ids of tool calls that came without an index, each with its choice; its position is its index.
    calls: Vec<(u64, Box<str>)>,
}

/// Whether the client is to see an event that only tells usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watching {
    /// Nobody asked for it.
    Everything,
    /// It asked for it, and is to have it whatever the provider makes of it.
    ForTheClient,
    /// The gateway asked on its own account.
    WithoutUsage,
}

impl OpenAiObserver {
    pub(crate) fn new(kind: ProviderKind, watching: Watching) -> Self {
        Self {
            kind,
            watching,
            usage_chunk: None,
            report: Report::default(),
            calls: Vec::new(),
        }
    }

    /// An event with more in it than a delta.
    fn read(&mut self, event: &Event<'_>) -> Verdict {
        let data = event.data;
        let is_named = event.name == Some("error");
        let Ok(chunk) = Fields::parse(data) else {
            if is_named {
                self.report.error = Some(fault_of(data));
            }
            return Verdict::Forward;
        };
        let error = chunk
            .raw("error")
            .filter(|error| !matches!(*error, "\"\"" | "{}" | "false"));
        let is_error = error.is_some() || is_named || chunk.text("object").as_deref() == Some("error");
        if is_error {
            self.report.error = Some(fault_of(data));
        }
        let choices = chunk.elements("choices");
        let found = read_usage(&chunk, &choices, self.kind, &mut self.report);
        read_model(&chunk, &mut self.report);
        for choice in &choices {
            read_finish(choice, &mut self.report);
        }
        if found && self.watching == Watching::ForTheClient {
            if chunk.raw("usage").is_some() {
                self.watching = Watching::Everything;
                self.usage_chunk = None;
            } else {
                self.usage_chunk = usage_chunk(&chunk, &choices);
            }
        }
        let is_usage_only = found && choices.is_empty() && !is_error;
        if is_usage_only && self.watching == Watching::WithoutUsage {
            Verdict::Drop
        } else {
            Verdict::Forward
        }
    }

    /// The chunk that is to be sent before the end. None behind an error: that was the end.
    fn due_usage(&mut self) -> Option<Vec<u8>> {
        self.usage_chunk.take().filter(|_| self.report.error.is_none())
    }

    /// Mistral sends tool calls without the `index` by which client SDKs put them together.
    fn mend_tool_calls(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        let chunk = Fields::parse(data).ok()?;
        let offset_of = |part: &str| part.as_ptr().addr().checked_sub(data.as_ptr().addr());
        let mut patches = Patches::default();
        for choice in chunk.elements("choices") {
            let choice = Fields::of(choice)?;
            let number = choice.count("index").unwrap_or(0);
            let Some(delta) = choice.object("delta") else {
                continue;
            };
            for call in delta.elements("tool_calls") {
                let fields = Fields::of(call)?;
                let index = self.index_of(number, fields.text("id").as_deref());
                let (place, with) = match fields.raw_or_null("index") {
                    Some(null @ "null") => {
                        let at = offset_of(null)?;
                        (at..at + null.len(), index.to_string())
                    }
                    Some(_) => continue,
                    None => {
                        let inside = offset_of(call)? + 1;
                        (inside..inside, format!("\"index\":{index},"))
                    }
                };
                patches.replace(place, with.into_bytes()).ok()?;
            }
        }
        patches.applied(data).ok().flatten()
    }

    /// The index of a call within its choice: that of its id, a new one for a new id, the last one without.
    fn index_of(&mut self, choice: u64, id: Option<&str>) -> usize {
        let mut of_choice = self.calls.iter().filter(|(of, _)| *of == choice);
        let count = of_choice.clone().count();
        match id {
            None => count.saturating_sub(1),
            Some(id) => of_choice
                .position(|(_, known)| **known == *id)
                .unwrap_or_else(|| {
                    if self.calls.len() < MOST_TOOL_CALLS {
                        self.calls.push((choice, id.into()));
                    }
                    count
                }),
        }
    }
}

impl Observer for OpenAiObserver {
    const DIALECT: Dialect = Dialect::OpenAi;
    type Trace = ChunkTrace;

    fn observe(&mut self, event: &Event<'_>) -> Verdict {
        if event.data.trim_ascii() == b"[DONE]" {
            self.report.complete = true;
            return self.due_usage().map_or(Verdict::Forward, Verdict::Precede);
        }
        let seen = Seen::scan(event.data);
        let known = self.report.error.is_some();
        let verdict = if seen.says_more || self.report.model.is_none() || event.name.is_some() {
            self.read(event)
        } else {
            Verdict::Forward
        };
        // What an error says is no content.
        if self.report.error.is_some() == known {
            self.report.output_bytes = self.report.output_bytes.saturating_add(seen.content_bytes);
            self.report.has_content |= seen.content_bytes > 0 || seen.has_tool_calls;
        }
        if verdict != Verdict::Forward {
            return verdict;
        }
        if seen.has_tool_calls && profile(self.kind).quirks.omits_tool_index {
            return self
                .mend_tool_calls(event.data)
                .map_or(Verdict::Forward, Verdict::Rewrite);
        }
        Verdict::Forward
    }

    fn report(&self) -> &Report {
        &self.report
    }

    fn report_mut(&mut self) -> &mut Report {
        &mut self.report
    }

    fn is_whole(&self, data: &[u8]) -> bool {
        data.trim_ascii() == b"[DONE]" || Fields::parse(data).is_ok()
    }

    fn closing(&mut self) -> Vec<u8> {
        let mut closing = self.due_usage().map_or_else(Vec::new, |data| as_event(&data));
        closing.extend_from_slice(b"data: [DONE]\n\n");
        closing
    }
}

/// What a pass over the keys of a chunk finds.
#[derive(Debug, Default)]
struct Seen {
    /// Bytes of text, reasoning and arguments.
    content_bytes: u64,
    has_tool_calls: bool,
    /// There is a key that must be read as JSON.
    says_more: bool,
}

impl Seen {
    fn scan(data: &[u8]) -> Self {
        let mut seen = Self::default();
        // OpenRouter repeats `reasoning` as the `text` of `reasoning_details`.
        let mut has_reasoning = false;
        for key in keys(data) {
            match key.name {
                b"text" if has_reasoning => {}
                b"content" | b"text" | b"thinking" | b"reasoning" | b"reasoning_content" | b"refusal"
                | b"arguments" | b"transcript" => {
                    let length = key.string().map_or(0, unescaped_length);
                    has_reasoning |= key.name == b"reasoning" && length > 0;
                    seen.content_bytes = seen.content_bytes.saturating_add(length);
                }
                b"tool_calls" | b"function_call" => seen.has_tool_calls |= key.is_filled(),
                b"usage" | b"x_groq" | b"error" | b"finish_reason" => seen.says_more |= key.is_set(),
                b"object" => seen.says_more |= key.string() == Some(b"error"),
                b"service_tier" => {
                    seen.says_more |= matches!(key.string(), Some(b"flex" | b"priority"));
                }
                _ => {}
            }
        }
        seen
    }
}

/// The length of a string without its escapes: `\n` is one byte, `\u....` about three.
pub(super) fn unescaped_length(mut inside: &[u8]) -> u64 {
    let mut length = 0;
    while let Some(at) = memchr(b'\\', inside) {
        let (escape, width) = if inside.get(at + 1) == Some(&b'u') {
            (6, 3)
        } else {
            (2, 1)
        };
        length += at + width;
        inside = inside.get(at + escape..).unwrap_or_default();
    }
    u64::try_from(length + inside.len()).unwrap_or(u64::MAX)
}

/// The usage of an answer or chunk, wherever it stands. Whether there is any.
fn read_usage<'a>(answer: &Fields<'a>, choices: &[&'a str], kind: ProviderKind, report: &mut Report) -> bool {
    if let Some(tier) = answer.text("service_tier") {
        report.service_tier = usage::service_tier(tier.as_bytes());
    }
    let elsewhere = || Fields::of(usage_elsewhere(answer, choices)?);
    let Some(found) = answer.object("usage").or_else(elsewhere) else {
        return false;
    };
    let excludes_reasoning = profile(kind).quirks.excludes_reasoning;
    report.usage = usage::openai(&found, excludes_reasoning).or(report.usage);
    report.stated_cost = usage::stated_cost(&found).or(report.stated_cost);
    true
}

/// Usage where client SDKs do not look for it.
fn usage_elsewhere<'a>(answer: &Fields<'a>, choices: &[&'a str]) -> Option<&'a str> {
    let of_groq = || answer.object("x_groq")?.raw("usage");
    // Moonshot reports within the choice.
    let of_choice = || Fields::of(choices.first()?)?.raw("usage");
    of_groq().or_else(of_choice)
}

/// The chunk with which OpenAI would have told this chunk's usage. `None`: it is not told elsewhere.
fn usage_chunk<'a>(chunk: &Fields<'a>, choices: &[&'a str]) -> Option<Vec<u8>> {
    let mut data = b"{".to_vec();
    for name in ["id", "object", "created", "model"] {
        if let Some(value) = chunk.raw(name) {
            data.extend_from_slice(format!("\"{name}\":{value},").as_bytes());
        }
    }
    data.extend_from_slice(b"\"choices\":[],\"usage\":");
    data.extend_from_slice(usage_elsewhere(chunk, choices)?.as_bytes());
    data.push(b'}');
    Some(data)
}

fn read_model(answer: &Fields<'_>, report: &mut Report) {
    if report.model.is_none() {
        report.model = answer
            .text("model")
            .filter(|model| !model.is_empty())
            .map(Into::into);
    }
}

/// The end of the first choice.
fn read_finish(choice: &str, report: &mut Report) {
    let Some(choice) = Fields::of(choice) else { return };
    if choice.count("index").unwrap_or(0) == 0 {
        let word = choice.text("finish_reason");
        report.finish = word
            .and_then(|word| usage::openai_finish(&word))
            .or(report.finish);
    }
}

/// Reads a whole answer.
pub(crate) fn read_answer(surface: Surface, kind: ProviderKind, body: &Bytes) -> Result<Report, Malformed> {
    let answer = Fields::parse(body).map_err(|fault| Malformed(fault.to_string()))?;
    let mut report = Report {
        complete: true,
        ..Report::default()
    };
    let list = if surface == Surface::Embeddings {
        "data"
    } else {
        "choices"
    };
    if answer.raw("error").is_some() && answer.raw(list).is_none() {
        report.error = Some(fault_of(body));
        return Ok(report);
    }
    if !answer.raw(list).is_some_and(|list| list.starts_with('[')) {
        return Err(Malformed(format!("it has no `{list}`")));
    }
    read_model(&answer, &mut report);
    if surface == Surface::Embeddings {
        read_usage(&answer, &[], kind, &mut report);
        report.has_content = true;
        return Ok(report);
    }
    let choices = answer.elements(list);
    read_usage(&answer, &choices, kind, &mut report);
    for choice in &choices {
        read_finish(choice, &mut report);
        let seen = Seen::scan(choice.as_bytes());
        report.has_content |= seen.content_bytes > 0 || seen.has_tool_calls;
        report.output_bytes = report.output_bytes.saturating_add(seen.content_bytes);
    }
    Ok(report)
}
