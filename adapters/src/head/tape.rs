//! One walk over the tape of a body: its depth, the fields at the top that matter, the amount of prompt.

use simd_json::{Node, StaticNode};
use smallvec::SmallVec;
use tollgate_core::{Refusal, Surface};

use super::{MAX_DEPTH, invalid, malformed};
use crate::json::quoted_end;
use crate::profile::refusable;

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
    /// Fields that some provider refuses, in order.
    pub(super) refusable: SmallVec<[(&'static str, Field<'a>); 2]>,
    /// Where the role `developer` stands in messages: its opening quotes, in order.
    pub(super) developers: SmallVec<[usize; 1]>,
    pub(super) prompt_bytes: u64,
}

/// A field stands twice in its object.
pub(super) struct GivenTwice;

/// An object or array that the walk is inside of.
struct Level {
    /// The first node behind it.
    end: usize,
    is_object: bool,
    expects_key: bool,
}

/// What of the current top-level field counts as prompt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counting {
    Nothing,
    Values,
    KeysAndValues,
}

impl<'a> Top<'a> {
    pub(super) fn read(nodes: &[Node<'a>], origin: usize, surface: Surface) -> Result<Self, Refusal> {
        let Some(Node::Object { count, .. }) = nodes.first() else {
            return Err(malformed("the request body must be a JSON object"));
        };
        let mut top = Self {
            origin,
            ..Self::default()
        };
        let mut levels: SmallVec<[Level; 16]> = SmallVec::new();
        levels.push(Level::new(count + 1, true));
        let (mut key, mut counting, mut in_messages) = ("", Counting::Nothing, false);
        for (index, node) in nodes.iter().enumerate().skip(1) {
            while levels.last().is_some_and(|level| level.end <= index) {
                levels.pop();
            }
            let depth = levels.len();
            let Some(level) = levels.last_mut() else { break };
            if level.is_object && level.expects_key {
                level.expects_key = false;
                let Node::String(name) = *node else { break };
                key = name;
                if depth == 1 {
                    counting = Counting::of(key, surface);
                    in_messages = key == "messages";
                    let value = nodes
                        .get(index + 1)
                        .copied()
                        .unwrap_or(Node::Static(StaticNode::Null));
                    let key_at = name.as_ptr().addr().wrapping_sub(origin);
                    top.note(
                        key,
                        Field {
                            key_at,
                            index: index + 1,
                            node: value,
                        },
                    )?;
                } else if counting == Counting::KeysAndValues {
                    top.prompt_bytes += as_u64(key.len());
                }
                continue;
            }
            level.expects_key = true;
            let is_member = level.is_object;
            match node {
                Node::Object { count, .. } => levels.push(Level::new(index + count + 1, true)),
                Node::Array { count, .. } => levels.push(Level::new(index + count + 1, false)),
                Node::String(text) if counting != Counting::Nothing && !is_bulk(key, text) => {
                    top.prompt_bytes += as_u64(text.len());
                    if depth == 3 && in_messages && is_member && key == "role" && *text == "developer" {
                        let quote = text.as_ptr().addr().wrapping_sub(origin + 1);
                        top.developers.push(quote);
                    }
                }
                Node::Static(StaticNode::U64(_)) if counting != Counting::Nothing => top.prompt_bytes += 4,
                _ => {}
            }
            if levels.len() > MAX_DEPTH {
                return Err(malformed(format!(
                    "the request body is nested deeper than {MAX_DEPTH} levels"
                )));
            }
        }
        Ok(top)
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

impl Level {
    fn new(end: usize, is_object: bool) -> Self {
        Self {
            end,
            is_object,
            expects_key: true,
        }
    }
}

impl Counting {
    fn of(key: &str, surface: Surface) -> Self {
        match key {
            "messages" | "system" => Self::Values,
            "prompt" if surface == Surface::Completions => Self::Values,
            "input" if surface == Surface::Embeddings => Self::Values,
            "tools" | "functions" | "response_format" => Self::KeysAndValues,
            _ => Self::Nothing,
        }
    }
}

/// Media and signatures: long, but not text that a tokenizer sees.
fn is_bulk(key: &str, text: &str) -> bool {
    matches!(
        key,
        "data" | "url" | "image_url" | "file_data" | "signature" | "encrypted_content"
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
