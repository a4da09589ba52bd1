//! The question of a request: what must be the same for an answer to fit, and the words that may differ.

use std::borrow::Cow;

use tollgate_core::{Dialect, Digest, Digester, Refusal, RefusalKind, Surface};
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::canon::{self, Canon};
use super::fields::{Found, walk};
use super::model::{write_settings, write_speaker, write_turn};
use super::shapes::{ANTHROPIC, NONE, OPENAI};
use crate::chat::read::Node;
use crate::chat::{ChatRequest, Kind, Output, Part, Role, Thinking, Tool, ToolChoice, ToolKind, Turn};
use crate::head::MAX_DEPTH;
use crate::json::Fields;
use crate::{anthropic, openai};

/// Digests of another version are of other questions: to be counted up with each change of what is written.
const CHAT: &str = "tollgate question: chat, 1";
const WORDS: &str = "tollgate question: words, 1";
const WHOLE: &str = "tollgate question: whole, 1";

/// What a request asks.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Of everything that can change the answer but the words: instructions, earlier turns, tools, parameters, media,
    /// fields that nobody knows. Not of the model's name: whoever looks for an answer adds the route. The same
    /// conversation has the same one in each dialect, where the dialects can say the same.
    pub context: Digest,
    /// Of the context and the words: the same only if nothing differs but spaces at the end of the words, and which
    /// of Unicode's ways of writing a character was taken.
    pub exact: Digest,
    /// What the user said last, in Unicode's form NFC and without white space at its end. Several texts of one
    /// turn are lines. `None`: it is more than text, it is not the user who spoke last, or there are no turns.
    pub words: Option<String>,
    /// What else decides whether an answer to it may be kept, or one to a similar question be given.
    pub traits: Traits,
}

/// Facts about a question.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that have nothing to do with each other"
)]
pub struct Traits {
    /// The model may call tools, or the provider look things up.
    pub has_tools: bool,
    /// There are calls of tools, or their results, among the turns.
    pub has_tool_results: bool,
    /// There is more than text: images, documents, audio; or the answer is to be more.
    pub has_media: bool,
    /// Fields or parts that this version does not know. They are in the digests.
    pub has_unknown_fields: bool,
    /// The answer must be JSON.
    pub is_structured: bool,
    /// The model was asked to think.
    pub thinks: bool,
    /// The probabilities of tokens are wanted: no kept answer has them.
    pub wants_logprobs: bool,
    /// The answer is to begin with words that the client put into the model's mouth.
    pub has_prefill: bool,
    /// A seed was given: the client means to get the same again.
    pub has_seed: bool,
    /// Turns of user and model before the last one.
    pub turns_before: u32,
    /// How many answers are wanted; at least 1.
    pub choices: u64,
    /// `None`: the provider's default.
    pub temperature: Option<f64>,
    /// `None`: the provider's default.
    pub top_p: Option<f64>,
    /// `None`: as many as there can be.
    pub max_output_tokens: Option<u64>,
}

/// The question of a request: of its `body`, as the client sent it.
///
/// Completions, embeddings and counts are questions without words: only the same is the same.
///
/// # Errors
/// What is malformed or of a wrong type. A request may be served nevertheless, for not all that is unknown here is
/// wrong: it is only not known what it asks.
pub fn asked(surface: Surface, body: &[u8]) -> Result<Asked, Refusal> {
    if canon::depth(body) > MAX_DEPTH {
        let words = format!("the request body is nested deeper than {MAX_DEPTH} levels");
        return Err(Refusal::new(RefusalKind::MalformedBody, words));
    }
    match surface {
        Surface::ChatCompletions => Ok(chat(&openai::decode::request(body)?, body)),
        Surface::Messages => Ok(chat(&anthropic::decode::request(body)?, body)),
        _ => whole(surface, body),
    }
}

fn chat(request: &ChatRequest<'_>, body: &[u8]) -> Asked {
    // It has been read, so it is JSON.
    let text = std::str::from_utf8(body).unwrap_or_default();
    let fields = Fields::of(text).unwrap_or_default();
    let mut canon = Canon::with_capacity(body.len() + 256);
    write_settings(request, &mut canon);
    let (last, before) = match request.turns.split_last() {
        Some((last, before)) => (Some(last), before),
        None => (None, &[][..]),
    };
    canon.count(before.len());
    for turn in before {
        write_turn(turn, &mut canon);
    }
    let texts = last.and_then(texts);
    match (last, &texts) {
        (Some(last), Some(_)) => {
            canon.tag(b'w');
            write_speaker(last, &mut canon);
        }
        (Some(last), None) => {
            canon.tag(b'l');
            write_turn(last, &mut canon);
        }
        (None, _) => canon.tag(0),
    }
    let seen = Seen::of(&request.turns);
    let found = beyond(request, &fields, seen, &mut canon);
    let context = Digester::new(CHAT).field(canon.as_bytes()).finish();
    Asked {
        context,
        exact: exact(context, texts.as_deref().unwrap_or_default()),
        words: texts.map(|texts| texts.join("\n")),
        traits: traits(request, seen, found),
    }
}

/// Writes what the model does not hold, and in which dialect it was said.
fn beyond(request: &ChatRequest<'_>, fields: &Fields<'_>, seen: Seen, canon: &mut Canon) -> Found {
    let table = match request.origin {
        Dialect::Anthropic => ANTHROPIC,
        _ => OPENAI,
    };
    let start = canon.as_bytes().len();
    let mut found = walk(fields, table, canon);
    let is_opaque = |tool: &Tool<'_>| matches!(tool.kind, ToolKind::Opaque(_));
    let opaque = seen.opaque || request.tools.iter().any(is_opaque);
    found.unknown |= opaque;
    if opaque || canon.as_bytes().len() > start {
        canon.tag(match request.origin {
            Dialect::Anthropic => b'A',
            _ => b'O',
        });
    }
    found
}

fn exact(context: Digest, texts: &[Cow<'_, str>]) -> Digest {
    let mut digester = Digester::new(WORDS);
    digester.field(&context.to_bytes());
    for text in texts {
        digester.field(text.as_bytes());
    }
    digester.finish()
}

/// What the user says in a turn, if it is nothing but text.
fn texts<'a>(turn: &'a Turn<'_>) -> Option<Vec<Cow<'a, str>>> {
    if turn.role != Role::User || turn.parts.is_empty() {
        return None;
    }
    let count = turn.parts.len();
    let text = |(index, part): (usize, &'a Part<'_>)| match &part.kind {
        Kind::Text(text) if index + 1 == count => Some(composed(text.trim_end())),
        Kind::Text(text) => Some(composed(text)),
        _ => None,
    };
    turn.parts.iter().enumerate().map(text).collect()
}

fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc(text) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfc().collect())
    }
}

fn traits(request: &ChatRequest<'_>, seen: Seen, found: Found) -> Traits {
    let sampling = &request.sampling;
    let chosen = request.tool_choice.as_ref().map(|choice| &choice.value);
    let is_structured = |output: &Output<'_>| *output != Output::Text;
    let is_off = |effort: &str| effort == "none";
    let mode = request.reasoning.mode.as_ref().map(|mode| mode.value);
    let effort = request.reasoning.effort.as_ref();
    let conversation = request.turns.iter().filter(|turn| !turn.role.instructs());
    let before = conversation.count().saturating_sub(1);
    Traits {
        has_tools: found.tools
            || !request.tools.is_empty()
            || chosen.is_some_and(|choice| !matches!(choice, ToolChoice::Auto | ToolChoice::None)),
        has_tool_results: seen.tools,
        has_media: found.media || seen.media,
        has_unknown_fields: found.unknown,
        is_structured: request
            .output
            .as_ref()
            .is_some_and(|output| is_structured(&output.value)),
        thinks: mode.is_some_and(|mode| mode != Thinking::Off)
            || effort.is_some_and(|effort| !is_off(&effort.value)),
        wants_logprobs: sampling.logprobs.is_some() || sampling.top_logprobs.is_some(),
        has_prefill: request
            .turns
            .last()
            .is_some_and(|turn| turn.role == Role::Assistant),
        has_seed: sampling.seed.is_some(),
        turns_before: u32::try_from(before).unwrap_or(u32::MAX),
        choices: sampling.n.unwrap_or(1).max(1),
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        max_output_tokens: sampling.max_output_tokens.as_ref().map(|limit| limit.value),
    }
}

/// What kinds of parts there are.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    tools: bool,
    media: bool,
    opaque: bool,
}

impl Seen {
    fn of(turns: &[Turn<'_>]) -> Self {
        let mut seen = Self::default();
        for turn in turns {
            seen.parts(&turn.parts);
        }
        seen
    }

    fn parts(&mut self, parts: &[Part<'_>]) {
        for part in parts {
            match &part.kind {
                Kind::Image { .. } | Kind::Document { .. } | Kind::Audio { .. } => self.media = true,
                Kind::ToolCall(_) => self.tools = true,
                Kind::ToolResult { parts, .. } => {
                    self.tools = true;
                    self.parts(parts);
                }
                Kind::Opaque(_) => self.opaque = true,
                Kind::Text(_) | Kind::Thinking { .. } | Kind::RedactedThinking(_) | Kind::Refusal(_) => {}
            }
        }
    }
}

/// The question of a body that has no turns.
fn whole(surface: Surface, body: &[u8]) -> Result<Asked, Refusal> {
    let node = Node::root(body)?;
    let mut canon = Canon::with_capacity(body.len() + 64);
    let found = walk(&node.fields, NONE, &mut canon);
    let context = Digester::new(WHOLE)
        .field(surface.name().as_bytes())
        .field(canon.as_bytes())
        .finish();
    let is_asked = |name: &str| node.raw(name).is_some_and(|json| json != "false");
    Ok(Asked {
        context,
        exact: exact(context, &[]),
        words: None,
        traits: Traits {
            has_tools: found.tools,
            wants_logprobs: is_asked("logprobs"),
            has_seed: node.raw("seed").is_some(),
            choices: node.count("n")?.unwrap_or(1).max(1),
            temperature: node.number("temperature")?,
            top_p: node.number("top_p")?,
            max_output_tokens: node.count("max_tokens")?,
            ..Traits::default()
        },
    })
}
