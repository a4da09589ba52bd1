//! The head of a request: what the gateway must know of a body, and where in it patches go.
//!
//! One pass of simd-json over a scratch copy (it unescapes in place), and one walk over its tape. The strings of
//! the tape stand in the copy where they stand in the original, so that the address of a key tells the place of
//! its value in the client's bytes. Everything else in the body stays unread, and is passed on as it came.

mod needs;
mod overlooked;
mod tape;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use simd_json::{Buffers, Node, StaticNode, Tape};
use smallvec::SmallVec;
use tollgate_core::{Capabilities, Refusal, RefusalKind, Surface, Whom};

use crate::json::{after_colon, skip_space, value_span};
use tape::{Field, Top};

/// How deep a body may be nested.
pub(crate) const MAX_DEPTH: usize = 256;
/// How many values a body may hold: bounds the memory of the tape, at 24 bytes a value.
const MAX_VALUES: usize = 2_000_000;
/// Buffers that have grown beyond this are given back after use.
const KEPT_BYTES: usize = 1 << 20;

impl Head {
    /// Of a request of which nothing is known but whom it is for.
    pub fn of(model: Arc<str>) -> Self {
        Self {
            model,
            stream: false,
            include_usage: false,
            max_output_tokens: None,
            prompt_bytes: 0,
            needs: Capabilities::NONE,
            session: None,
            prefix: 0,
            turns: 0,
            model_place: None,
            usage_place: UsagePlace::Nowhere,
            developers: SmallVec::new(),
            refusable: SmallVec::new(),
            completion_limit: None,
        }
    }
}

/// Buffers that one worker uses for one request after the other. Holds nothing between requests but memory, at
/// most a few MiB.
pub struct Scratch {
    copy: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            copy: Vec::new(),
            buffers: Buffers::default(),
            tape: Tape(Vec::new()),
        }
    }
}

/// Without the contents: they are a client's prompt.
impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").finish_non_exhaustive()
    }
}

/// What the gateway knows of a request's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The model asked for. Never empty.
    pub model: Arc<str>,
    /// Whether the answer is to be streamed; never for embeddings and counts.
    pub stream: bool,
    /// Whether the client asked for usage in the stream (`stream_options.include_usage`); OpenAI surfaces only.
    pub include_usage: bool,
    /// `max_completion_tokens`, else `max_tokens`. `None`: not given, or negative (some servers' "no limit").
    pub max_output_tokens: Option<u32>,
    /// Bytes of text in the prompt (messages, system, tools, input), for estimates: unescaped, without media and
    /// signatures; four for each token of an input that is tokens already.
    pub prompt_bytes: u64,
    /// What it takes to serve the request: tools to call, pictures, sound or documents to understand, JSON to
    /// answer with, thinking.
    pub needs: Capabilities,
    /// The client's own word for the conversation, hashed: OpenAI's `prompt_cache_key`, else `user`, else
    /// `safety_identifier`; Anthropic's `metadata.user_id`. `None`: it gave none.
    ///
    /// Here and in [`Self::prefix`] the hash is made with rapidhash v3, unseeded: the same in every process, on
    /// every machine, now and later. It keeps no secrets.
    pub session: Option<u64>,
    /// A hash of how the prompt begins, which is what a provider's prompt cache goes by: the texts of system and
    /// tools, and all messages up to the first of the user, the first 4 KiB of them. The same for all turns of a
    /// conversation; media and cache marks do not count. Embeddings: a constant.
    pub prefix: u64,
    /// How many messages there are; 0 where the surface has none.
    pub turns: u32,
    /// Where the model's name stands, quotes included. `None`: not in the body.
    pub(crate) model_place: Option<Range<usize>>,
    pub(crate) usage_place: UsagePlace,
    /// Where messages have the role `developer`: the opening quotes, in order.
    pub(crate) developers: SmallVec<[usize; 1]>,
    /// Fields that some provider refuses, in order.
    pub(crate) refusable: SmallVec<[Member; 2]>,
    /// Where the key `max_completion_tokens` begins, unless there is `max_tokens` also.
    pub(crate) completion_limit: Option<usize>,
}

/// A field at the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    /// Where its key's first character stands, behind the quote.
    pub(crate) key_at: usize,
    /// It asks for nothing: `null`, `false`, zero or empty.
    pub(crate) is_idle: bool,
}

/// What must be patched for `stream_options.include_usage` to be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UsagePlace {
    /// Nothing: the client asked, or the surface has no such field.
    Nowhere,
    /// There are no `stream_options`: they go in front of the first field, here.
    Absent(usize),
    /// `stream_options` is `null`, here.
    Null(Range<usize>),
    /// `stream_options` lacks the field: it goes here. Whether other fields follow.
    Lacking(usize, bool),
    /// The field is there, but `false` or `null`.
    Off(Range<usize>),
}

/// What the path of a request says, where its surface says it there ([`Surface::is_addressed`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address<'a> {
    /// The model asked for.
    pub model: &'a str,
    /// Whether the answer is to be streamed.
    pub stream: bool,
}

/// Reads the head of a body whose model stands in it.
///
/// # Errors
/// As [`read_head_at`].
pub fn read_head(surface: Surface, body: &[u8], scratch: &mut Scratch) -> Result<Head, Refusal> {
    read_head_at(surface, None, body, scratch)
}

/// Reads the head of `body`; `address` is what the path says, where it does.
///
/// # Errors
/// [`RefusalKind::MalformedBody`] for what is not a JSON object in UTF-8 of bearable depth and size,
/// [`RefusalKind::InvalidField`] for fields of the wrong type, or given twice: which of the two a provider would
/// read is unknown.
pub fn read_head_at(
    surface: Surface,
    address: Option<Address<'_>>,
    body: &[u8],
    scratch: &mut Scratch,
) -> Result<Head, Refusal> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(malformed("the request body is empty: send a JSON object"));
    }
    // Each value takes a byte or more: what is shorter needs no counting.
    if body.len() >= MAX_VALUES && tape::values_at_most(body) > MAX_VALUES {
        return Err(malformed(format!(
            "the request body holds more than {MAX_VALUES} JSON values"
        )));
    }
    scratch.copy.clear();
    scratch.copy.extend_from_slice(body);
    let origin = scratch.copy.as_ptr().addr();
    let mut tape = std::mem::replace(&mut scratch.tape, Tape(Vec::new())).reset();
    let parsed = simd_json::fill_tape(&mut scratch.copy, &mut scratch.buffers, &mut tape);
    let head = match parsed {
        Ok(()) => Top::read(&tape.0, origin, surface).and_then(|top| {
            if overlooked::is_no_json(body, &tape.0, origin) {
                return Err(not_json(body));
            }
            head(surface, address, body, &tape.0, &top)
        }),
        Err(_) => Err(not_json(body)),
    };
    scratch.tape = tape.reset();
    scratch.give_back();
    head
}

impl Scratch {
    fn give_back(&mut self) {
        if self.copy.capacity() > KEPT_BYTES || self.tape.0.capacity() > KEPT_BYTES / size_of::<Node<'_>>() {
            *self = Self::default();
        }
    }
}

/// The hash of what a client says, for [`Head::session`] and [`Head::prefix`].
fn hash(bytes: &[u8]) -> u64 {
    rapidhash::v3::rapidhash_v3(bytes)
}

fn head(
    surface: Surface,
    address: Option<Address<'_>>,
    body: &[u8],
    nodes: &[Node<'_>],
    top: &Top<'_>,
) -> Result<Head, Refusal> {
    let (model, model_place) = match address {
        Some(address) => (address.model.into(), None),
        None => match default_model(surface).filter(|_| top.model.is_none()) {
            Some(model) => (model.into(), None),
            None => model(body, top).map(|(model, place)| (model, Some(place)))?,
        },
    };
    let prompt = required(surface, top)?;
    let stream = match address {
        Some(address) => address.stream,
        None => (surface.is_chat() || surface == Surface::Completions) && flag("stream", top.stream)?,
    };
    let has_options = matches!(surface, Surface::ChatCompletions | Surface::Completions);
    let usage_place = if has_options {
        usage_place(body, nodes, top)?
    } else {
        UsagePlace::Nowhere
    };
    Ok(Head {
        model,
        stream,
        include_usage: has_options && usage_place == UsagePlace::Nowhere,
        max_output_tokens: limit(surface, nodes, top)?,
        prompt_bytes: top.prompt_bytes,
        needs: needs::needs(surface, nodes, top),
        session: needs::session(surface, nodes, top),
        prefix: top.prefix,
        turns: match prompt.map(|field| field.node) {
            Some(Node::Array { len, .. }) => u32::try_from(len).unwrap_or(u32::MAX),
            _ => 0,
        },
        model_place,
        usage_place,
        developers: top.developers.clone(),
        refusable: top
            .refusable
            .iter()
            .map(|(name, field)| Member {
                name,
                key_at: field.key_at,
                is_idle: is_idle(field.node),
            })
            .collect(),
        completion_limit: top
            .max_completion_tokens
            .filter(|_| top.max_tokens.is_none())
            .map(|field| field.key_at),
    })
}

/// Whom a request asks that names nobody; `None`: it must name somebody.
fn default_model(surface: Surface) -> Option<&'static str> {
    match surface.through()?.row().whom {
        Whom::ModelOr(model) => Some(model),
        _ => None,
    }
}

fn model(body: &[u8], top: &Top<'_>) -> Result<(Arc<str>, Range<usize>), Refusal> {
    let Some(field) = top.model else {
        return Err(invalid(
            "model",
            "`model` is missing: name the model that is to answer",
        ));
    };
    match field.node {
        Node::String(name) if !name.trim().is_empty() => Ok((name.into(), place(body, field)?)),
        Node::String(_) => Err(invalid(
            "model",
            "`model` is empty: name the model that is to answer",
        )),
        other => Err(wrong_type("model", "a string", other)),
    }
}

/// The field that holds the conversation; `None`: the surface has none, or may go without.
fn required<'a>(surface: Surface, top: &Top<'a>) -> Result<Option<Field<'a>>, Refusal> {
    let (name, wanted, field, may_be_text) = match surface {
        Surface::ChatCompletions
        | Surface::Messages
        | Surface::CountTokens
        | Surface::CohereChat
        | Surface::Converse => ("messages", "an array of messages", top.messages, false),
        Surface::GenerateContent => ("contents", "an array of contents", top.told("contents"), false),
        Surface::Embeddings => ("input", "a string or an array of strings", top.input, true),
        // Without one, a stored prompt is asked for.
        Surface::Responses => match top.input {
            None => return Ok(None),
            input => ("input", "a string or an array of items", input, true),
        },
        Surface::Completions => match top.prompt {
            None
            | Some(Field {
                node: Node::Static(StaticNode::Null),
                ..
            }) => return Ok(None),
            prompt => ("prompt", "a string or an array", prompt, true),
        },
        // What it must hold is the provider's business.
        Surface::Through(_) => return Ok(None),
    };
    let has_turns = !matches!(surface, Surface::Embeddings | Surface::Completions);
    match field {
        Some(field) => match field.node {
            Node::Array { .. } => Ok(field.into()),
            Node::String(_) if may_be_text => Ok(field.into()),
            other => Err(wrong_type(name, wanted, other)),
        },
        None => Err(invalid(name, format!("`{name}` is missing: send {wanted}"))),
    }
    .map(|field: Option<Field<'a>>| field.filter(|_| has_turns))
}

/// The most tokens that the client wants.
fn limit(surface: Surface, nodes: &[Node<'_>], top: &Top<'_>) -> Result<Option<u32>, Refusal> {
    let within = |of: &str, name: &str| {
        let field = top.told(of)?;
        tape::member(nodes, field, top.origin, name).ok().flatten()
    };
    let (name, field) = match surface {
        Surface::Responses => ("max_output_tokens", top.told("max_output_tokens")),
        Surface::GenerateContent => {
            let both = ["generationConfig", "generation_config"];
            let mut found = both
                .into_iter()
                .filter_map(|of| within(of, "maxOutputTokens").or_else(|| within(of, "max_output_tokens")));
            ("generationConfig.maxOutputTokens", found.next())
        }
        Surface::Converse => (
            "inferenceConfig.maxTokens",
            within("inferenceConfig", "maxTokens"),
        ),
        _ => match tokens("max_completion_tokens", top.max_completion_tokens)? {
            None => ("max_tokens", top.max_tokens),
            limit => return Ok(limit),
        },
    };
    tokens(name, field)
}

fn is_idle(node: Node<'_>) -> bool {
    match node {
        Node::Static(
            StaticNode::Null | StaticNode::Bool(false) | StaticNode::U64(0) | StaticNode::I64(0),
        )
        | Node::Object { len: 0, .. }
        | Node::Array { len: 0, .. } => true,
        Node::Static(StaticNode::F64(number)) => number == 0.0,
        _ => false,
    }
}

fn flag(name: &'static str, field: Option<Field<'_>>) -> Result<bool, Refusal> {
    match field.map(|field| field.node) {
        None | Some(Node::Static(StaticNode::Null)) => Ok(false),
        Some(Node::Static(StaticNode::Bool(flag))) => Ok(flag),
        Some(other) => Err(wrong_type(name, "true or false", other)),
    }
}

/// A limit of tokens. Beyond 32 bits it is no limit that any model knows: the largest number stands for it.
fn tokens(name: &'static str, field: Option<Field<'_>>) -> Result<Option<u32>, Refusal> {
    let number = match field.map(|field| field.node) {
        None | Some(Node::Static(StaticNode::Null | StaticNode::I64(..0))) => return Ok(None),
        Some(Node::Static(StaticNode::U64(number))) => number,
        Some(Node::Static(StaticNode::I64(number))) => u64::try_from(number).unwrap_or_default(),
        Some(Node::Static(StaticNode::F64(number))) if number.fract() == 0.0 => {
            return Ok(crate::json::count(&number.to_string()).map(saturate));
        }
        Some(other) => return Err(wrong_type(name, "a whole number of tokens", other)),
    };
    Ok(Some(saturate(number)))
}

fn saturate(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn usage_place(body: &[u8], nodes: &[Node<'_>], top: &Top<'_>) -> Result<UsagePlace, Refusal> {
    let Some(options) = top.stream_options else {
        return Ok(UsagePlace::Absent(skip_space(body, 0) + 1));
    };
    let span = place(body, options)?;
    match options.node {
        Node::Static(StaticNode::Null) => return Ok(UsagePlace::Null(span)),
        Node::Object { .. } => {}
        other => return Err(wrong_type("stream_options", "an object", other)),
    }
    let param = "stream_options.include_usage";
    let Some(field) = tape::member(nodes, options, top.origin, "include_usage")
        .map_err(|tape::GivenTwice| invalid(param, format!("`{param}` is given twice")))?
    else {
        let inside = span.start + 1;
        let is_filled = body.get(skip_space(body, inside)) != Some(&b'}');
        return Ok(UsagePlace::Lacking(inside, is_filled));
    };
    if flag(param, Some(field))? {
        return Ok(UsagePlace::Nowhere);
    }
    Ok(UsagePlace::Off(place(body, field)?))
}

/// Where the value of `field` stands in the client's bytes.
fn place(body: &[u8], field: Field<'_>) -> Result<Range<usize>, Refusal> {
    after_colon(body, field.key_at)
        .and_then(|start| value_span(body, start))
        .ok_or_else(|| Refusal::new(RefusalKind::Internal, "a field of the body was not found again"))
}

/// What is wrong with a body that did not parse: told by a slower parser that knows places.
#[cold]
fn not_json(body: &[u8]) -> Refusal {
    if let Err(fault) = std::str::from_utf8(body) {
        return malformed(format!(
            "the request body is not UTF-8: invalid byte at offset {}",
            fault.valid_up_to()
        ));
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(body) {
        Err(fault) => malformed(format!("the request body is not valid JSON: {fault}")),
        Ok(_) => malformed("the request body holds a number or an escape that is out of range"),
    }
}

fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(RefusalKind::MalformedBody, message)
}

fn invalid(param: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(RefusalKind::InvalidField, message).at(param)
}

fn wrong_type(param: &'static str, wanted: &str, found: Node<'_>) -> Refusal {
    let found = match found {
        Node::String(_) => "a string",
        Node::Object { .. } => "an object",
        Node::Array { .. } => "an array",
        Node::Static(StaticNode::Null) => "null",
        Node::Static(StaticNode::Bool(_)) => "a boolean",
        Node::Static(_) => "a number",
    };
    invalid(param, format!("`{param}` must be {wanted}, not {found}"))
}
