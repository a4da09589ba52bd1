//! One walk over the tape of a body: its depth, the fields at the top that matter, the amount of prompt and how
//! it begins, what its parts ask of a model.

use simd_json::{Node, StaticNode};
use smallvec::SmallVec;
use tollgate_core::{Capabilities, Refusal, Surface};

use super::{MAX_DEPTH, hash, invalid, malformed};
use crate::json::quoted_end;
use crate::profile::refusable;

/// How much of a prompt's text tells its beginning.
pub(super) const PREFIX_BYTES: usize = 4 << 10;
/// Spreads what is hashed over 64 bits: 2^64 over the golden ratio, odd.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A field of an object: where its key stands in the body, and its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    /// Offset of the key's first character.
    pub(super) key_at: usize,
    /// Of the value, in the tape.
    index: usize,
    pub(super) node: Node<'a>,
}

/// The fields of the body that matter to the gateway.
#[derive(Debug, Default)]
pub(super) struct Top<'a> {
    /// The address of the scratch copy.
    pub(super) origin: usize,
    pub(super) model: Option<Field<'a>>,
    pub(super) messages: Option<Field<'a>>,
    pub(super) prompt: Option<Field<'a>>,
    pub(super) input: Option<Field<'a>>,
    pub(super) stream: Option<Field<'a>>,
    pub(super) stream_options: Option<Field<'a>>,
    pub(super) max_tokens: Option<Field<'a>>,
    pub(super) max_completion_tokens: Option<Field<'a>>,
    /// Fields that tell needs or the conversation, in order; of one name, the last one counts.
    pub(super) telling: SmallVec<[(&'static str, Field<'a>); 4]>,
    /// Fields that some provider refuses, in order.
    pub(super) refusable: SmallVec<[(&'static str, Field<'a>); 2]>,
    /// Where the role `developer` stands in messages: its opening quotes, in order.
    pub(super) developers: SmallVec<[usize; 1]>,
    pub(super) prompt_bytes: u64,
    /// What the parts of messages ask of a model.
    pub(super) needs: Capabilities,
    /// A hash of the texts that the prompt begins with.
    pub(super) prefix: u64,
}

/// A field stands twice in its object.
pub(super) struct GivenTwice;

/// An object or array that the walk is inside of.
struct Level {
    /// The first node behind it.
    end: usize,
    is_object: bool,
    expects_key: bool,
    holds: Holds,
}

/// What an object or array is, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// The body.
    Top,
    /// `messages`.
    Messages,
    /// One of them.
    Message,
    /// `content`, `system`.
    Parts,
    /// One of them, or what it is made from (`source`).
    Part,
    Other,
}

/// What of the current top-level field counts as prompt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counting {
    Nothing,
    Values,
    KeysAndValues,
}

/// The walk.
struct Walk<'a> {
    top: Top<'a>,
    levels: SmallVec<[Level; 16]>,
    /// The last key that was met.
    key: &'a str,
    counting: Counting,
    /// How many more bytes of text tell the prompt's beginning.
    room: usize,
    /// The current top-level field belongs to that beginning, here.
    begins: bool,
    /// The user has spoken: what follows the current message does not belong to it.
    has_users: bool,
}

impl<'a> Top<'a> {
    pub(super) fn read(nodes: &[Node<'a>], origin: usize, surface: Surface) -> Result<Self, Refusal> {
        let Some(Node::Object { count, .. }) = nodes.first() else {
            return Err(malformed("the request body must be a JSON object"));
        };
        let mut levels = SmallVec::new();
        levels.push(Level::new(count + 1, true, Holds::Top));
        let top = Self {
            origin,
            ..Self::default()
        };
        let mut walk = Walk {
            top,
            levels,
            key: "",
            counting: Counting::Nothing,
            room: PREFIX_BYTES,
            begins: false,
            has_users: false,
        };
        walk.run(nodes, surface)?;
        Ok(walk.top)
    }

    /// The field of this name among the [`Self::telling`] ones.
    pub(super) fn told(&self, name: &str) -> Option<Field<'a>> {
        let mut fields = self.telling.iter();
        fields.rfind(|(known, _)| *known == name).map(|(_, field)| *field)
    }

    fn note(&mut self, key: &str, field: Field<'a>) -> Result<(), Refusal> {
        let (slot, name) = match key {
            "model" => (&mut self.model, "model"),
            "messages" => (&mut self.messages, "messages"),
            "prompt" => (&mut self.prompt, "prompt"),
            "input" => (&mut self.input, "input"),
            "stream" => (&mut self.stream, "stream"),
            "stream_options" => (&mut self.stream_options, "stream_options"),
            "max_tokens" => (&mut self.max_tokens, "max_tokens"),
            "max_completion_tokens" => (&mut self.max_completion_tokens, "max_completion_tokens"),
            _ => {
                self.telling.extend(telling(key).map(|name| (name, field)));
                self.refusable.extend(refusable(key).map(|name| (name, field)));
                return Ok(());
            }
        };
        if slot.replace(field).is_some() {
            return Err(invalid(name, format!("`{name}` is given twice: give it once")));
        }
        Ok(())
    }
}

impl<'a> Walk<'a> {
    fn run(&mut self, nodes: &[Node<'a>], surface: Surface) -> Result<(), Refusal> {
        for (index, node) in nodes.iter().enumerate().skip(1) {
            while self.levels.last().is_some_and(|level| level.end <= index) {
                self.levels.pop();
            }
            let depth = self.levels.len();
            let Some(level) = self.levels.last_mut() else {
                break;
            };
            if level.is_object && level.expects_key {
                level.expects_key = false;
                let Node::String(name) = *node else { break };
                self.key = name;
                if depth == 1 {
                    self.counting = Counting::of(name, surface);
                    self.begins = begins(name);
                    let value = nodes.get(index + 1).copied();
                    let field = Field {
                        key_at: name.as_ptr().addr().wrapping_sub(self.top.origin),
                        index: index + 1,
                        node: value.unwrap_or(Node::Static(StaticNode::Null)),
                    };
                    self.top.note(name, field)?;
                } else if self.counting == Counting::KeysAndValues {
                    self.top.prompt_bytes += as_u64(name.len());
                }
                continue;
            }
            level.expects_key = true;
            let (holds, is_member) = (level.holds, level.is_object);
            match node {
                Node::Object { count, .. } => self.enter(index + count + 1, true, holds)?,
                Node::Array { count, .. } => self.enter(index + count + 1, false, holds)?,
                Node::String(text) if self.counting != Counting::Nothing && !is_bulk(self.key, text) => {
                    self.top.prompt_bytes += as_u64(text.len());
                    self.string(text, if is_member { holds } else { Holds::Other });
                }
                Node::Static(StaticNode::U64(_)) if self.counting != Counting::Nothing => {
                    self.top.prompt_bytes += 4;
                }
                Node::Static(_) | Node::String(_) => {}
            }
        }
        Ok(())
    }

    /// An object or array begins, inside of one that is `within`.
    fn enter(&mut self, end: usize, is_object: bool, within: Holds) -> Result<(), Refusal> {
        let holds = match (within, is_object) {
            (Holds::Messages, true) => {
                self.begins &= !self.has_users;
                Holds::Message
            }
            (Holds::Message | Holds::Part, false) if matches!(self.key, "content" | "parts") => Holds::Parts,
            (Holds::Parts, true) => Holds::Part,
            (Holds::Part, true) => {
                self.top.needs = self.top.needs.union(asked_by(self.key));
                match self.key {
                    "source" | "inlineData" | "inline_data" | "fileData" | "file_data" => Holds::Part,
                    _ => Holds::Other,
                }
            }
            (Holds::Top, false) if matches!(self.key, "messages" | "input" | "contents") => Holds::Messages,
            (Holds::Top, false) if self.key == "system" => Holds::Parts,
            _ => Holds::Other,
        };
        self.levels.push(Level::new(end, is_object, holds));
        if self.levels.len() > MAX_DEPTH {
            return Err(malformed(format!(
                "the request body is nested deeper than {MAX_DEPTH} levels"
            )));
        }
        Ok(())
    }

    /// A string of the prompt; a member of `of`, if it is one.
    fn string(&mut self, text: &'a str, of: Holds) {
        match self.key {
            "role" if of == Holds::Message => match text {
                "developer" => {
                    let quote = text.as_ptr().addr().wrapping_sub(self.top.origin + 1);
                    self.top.developers.push(quote);
                }
                "user" => self.has_users = true,
                _ => {}
            },
            "mimeType" | "mime_type" if of == Holds::Part => {
                self.top.needs = self.top.needs.union(asked_by_media(text));
            }
            "type" if of == Holds::Part => self.top.needs = self.top.needs.union(asked_by(text)),
            "content" | "text" | "system" | "prompt" | "name" | "description" | "input" | "instructions" => {
                self.begin_with(text);
            }
            _ => {}
        }
    }

    /// Takes a text to what the prompt begins with. Marks and the like are none: they move from turn to turn.
    fn begin_with(&mut self, text: &str) {
        if self.begins && self.room > 0 {
            let text = text.as_bytes();
            let text = text.get(..self.room).unwrap_or(text);
            self.room -= text.len();
            self.top.prefix = (self.top.prefix.rotate_left(23) ^ hash(text)).wrapping_mul(SPREAD);
        }
    }
}

impl Level {
    fn new(end: usize, is_object: bool, holds: Holds) -> Self {
        Self {
            end,
            is_object,
            expects_key: true,
            holds,
        }
    }
}

impl Counting {
    fn of(key: &str, surface: Surface) -> Self {
        match key {
            "messages" | "system" => Self::Values,
            "prompt" if surface == Surface::Completions => Self::Values,
            "input" if matches!(surface, Surface::Embeddings | Surface::Responses) => Self::Values,
            "instructions" if surface == Surface::Responses => Self::Values,
            "contents" | "systemInstruction" | "system_instruction"
                if surface == Surface::GenerateContent =>
            {
                Self::Values
            }
            "documents" if surface == Surface::CohereChat => Self::Values,
            "input"
            | "prompt"
            | "instructions"
            | "query"
            | "documents"
            | "contents"
            | "content"
            | "requests"
            | "systemInstruction"
            | "generateContentRequest"
                if surface.through().is_some() =>
            {
                Self::Values
            }
            "toolConfig" if surface == Surface::Converse => Self::KeysAndValues,
            "tools" | "functions" | "response_format" => Self::KeysAndValues,
            _ => Self::Nothing,
        }
    }
}

/// Whether the prompt begins with what this field at the top holds.
fn begins(field: &str) -> bool {
    matches!(
        field,
        "messages"
            | "system"
            | "tools"
            | "functions"
            | "prompt"
            | "input"
            | "instructions"
            | "contents"
            | "systemInstruction"
            | "system_instruction"
            | "toolConfig"
    )
}

/// The name of a field that tells what is needed, or which conversation this is.
fn telling(field: &str) -> Option<&'static str> {
    Some(match field {
        "tools" => "tools",
        "functions" => "functions",
        "response_format" => "response_format",
        "output_format" => "output_format",
        "output_config" => "output_config",
        "reasoning_effort" => "reasoning_effort",
        "thinking" => "thinking",
        "prompt_cache_key" => "prompt_cache_key",
        "user" => "user",
        "safety_identifier" => "safety_identifier",
        "metadata" => "metadata",
        "outputConfig" => "outputConfig",
        "contents" => "contents",
        "generationConfig" => "generationConfig",
        "generation_config" => "generation_config",
        "inferenceConfig" => "inferenceConfig",
        "toolConfig" => "toolConfig",
        "max_output_tokens" => "max_output_tokens",
        "text" => "text",
        "reasoning" => "reasoning",
        _ => return None,
    })
}

/// What a part of this type asks of a model.
fn asked_by(kind: &str) -> Capabilities {
    match kind {
        "image_url" | "input_image" | "image" => Capabilities::VISION,
        "input_audio" => Capabilities::AUDIO,
        "file" | "input_file" | "document" | "document_url" => Capabilities::DOCUMENTS,
        _ => Capabilities::NONE,
    }
}

/// What media of this type ask of a model.
fn asked_by_media(media_type: &str) -> Capabilities {
    match media_type.split('/').next().unwrap_or_default() {
        "image" => Capabilities::VISION,
        "audio" => Capabilities::AUDIO,
        "application" => Capabilities::DOCUMENTS,
        _ => Capabilities::NONE,
    }
}

/// Media and signatures: long, but not text that a tokenizer sees.
fn is_bulk(key: &str, text: &str) -> bool {
    matches!(
        key,
        "data"
            | "url"
            | "image_url"
            | "file_data"
            | "signature"
            | "encrypted_content"
            | "bytes"
            | "fileUri"
            | "thoughtSignature"
            | "thought_signature"
            | "redactedContent"
    ) || text.starts_with("data:")
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// The field `name` of the object `of`.
pub(super) fn member<'a>(
    nodes: &[Node<'a>],
    of: Field<'a>,
    origin: usize,
    name: &str,
) -> Result<Option<Field<'a>>, GivenTwice> {
    let Node::Object { count, .. } = of.node else {
        return Ok(None);
    };
    let (mut found, mut index) = (None, of.index + 1);
    let end = index + count;
    while index < end {
        let (Some(Node::String(key)), Some(value)) = (nodes.get(index), nodes.get(index + 1)) else {
            break;
        };
        if *key == name {
            let key_at = key.as_ptr().addr().wrapping_sub(origin);
            if found
                .replace(Field {
                    key_at,
                    index: index + 1,
                    node: *value,
                })
                .is_some()
            {
                return Err(GivenTwice);
            }
        }
        index += 2 + match value {
            Node::Object { count, .. } | Node::Array { count, .. } => *count,
            _ => 0,
        };
    }
    Ok(found)
}

/// No fewer values than `json` holds: one for each comma and bracket outside of strings, and for each string.
/// Strings are skipped at the speed of memory; the rest of a large body is short, or the body is suspect.
pub(super) fn values_at_most(json: &[u8]) -> usize {
    let (mut count, mut at) = (1, 0);
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => match quoted_end(json, at + 1) {
                Some(end) => {
                    count += 1;
                    at = end;
                    continue;
                }
                None => return count,
            },
            b',' | b'{' | b'[' => count += 1,
            _ => {}
        }
        at += 1;
    }
    count
}
