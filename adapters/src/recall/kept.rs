//! An answer without its dialect, and the bytes it is stored as.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use tollgate_core::{FinishReason, Usage, UsageSource};

/// The first of the bytes: to be counted up with each change of what follows it.
const VERSION: u8 = 1;

/// An answer that may be told again, in any dialect and shape. Get one from [`Kept::of_whole`] or
/// [`Kept::of_stream`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The model that answered, as the client was told. `None`: it was not.
    pub model: Option<Box<str>>,
    /// What was answered.
    pub content: KeptContent,
    /// What it used. `None`: the client was not told. Read as OpenAI and Anthropic count; whoever knows better what
    /// the provider meant may put it here.
    #[serde(with = "usage")]
    pub usage: Option<Usage>,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeptContent {
    /// By a model in a conversation: at least one answer.
    Chat(Vec<KeptChoice>),
    /// A JSON body without ids and times in it, told as it is: embeddings, a count of tokens.
    Verbatim(Box<str>),
}

/// One of the answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptChoice {
    /// In order. No two texts, refusals or unsigned thoughts follow each other, and none is empty.
    pub parts: Vec<KeptPart>,
    /// Why it ended.
    #[serde(with = "finish")]
    pub finish: FinishReason,
    /// The stop sequence that came up, where the client was told.
    pub stop_sequence: Option<Box<str>>,
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeptPart {
    /// What the model says.
    Text(Box<str>),
    /// The words with which it refused.
    Refusal(Box<str>),
    /// What it thought.
    Thinking {
        /// Empty: it is not shown.
        text: Box<str>,
        /// What proves it to the provider.
        signature: Option<Box<str>>,
    },
    /// Encrypted thoughts.
    RedactedThinking(Box<str>),
    /// A call of a tool. Its id is made anew each time that it is told.
    ToolCall {
        /// Of the tool.
        name: Box<str>,
        /// JSON text, as the model wrote it: not always JSON. Empty: none.
        arguments: Box<str>,
    },
}

/// Bytes that are no kept answer of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Another version of Tollgate stored them.
    #[error("a kept answer of version {0}, where this is version {VERSION}")]
    Version(u8),
    /// They are cut or damaged.
    #[error("a damaged kept answer")]
    Damaged,
}

impl Kept {
    /// To be stored: a byte that is the version, and compact bytes without a checksum.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Writing to memory has no way to fail; if it did, what is there would be damaged, and found to be.
        postcard::to_extend(self, vec![VERSION]).unwrap_or_default()
    }

    /// One that was stored.
    ///
    /// # Errors
    /// If it was stored by another version, or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        match bytes.split_first() {
            Some((&VERSION, stored)) => match postcard::take_from_bytes(stored) {
                Ok((kept, [])) => Ok(kept),
                _ => Err(Unreadable::Damaged),
            },
            Some((&version, _)) => Err(Unreadable::Version(version)),
            None => Err(Unreadable::Damaged),
        }
    }

    /// The answers of a model. None for what is kept verbatim.
    pub fn choices(&self) -> &[KeptChoice] {
        match &self.content {
            KeptContent::Chat(choices) => choices,
            KeptContent::Verbatim(_) => &[],
        }
    }

    /// What the model says in its (first) answer, thoughts and calls left out: to be compared with another answer.
    pub fn text(&self) -> Cow<'_, str> {
        let parts = self.choices().first().map_or(&[][..], |choice| &choice.parts);
        let mut texts = parts.iter().filter_map(|part| match part {
            KeptPart::Text(text) => Some(&**text),
            _ => None,
        });
        match (texts.next(), texts.next()) {
            (None, _) => Cow::Borrowed(""),
            (Some(only), None) => Cow::Borrowed(only),
            (Some(first), Some(second)) => [first, second].into_iter().chain(texts).collect(),
        }
    }
}

/// Usage, as numbers in the order of its fields.
mod usage {
    use serde::{Deserializer, Serializer};

    use tollgate_core::Units;

    use super::{Deserialize, Serialize, Usage, UsageSource};

    #[expect(clippy::ref_option, reason = "what serde calls it with")]
    pub(super) fn serialize<S: Serializer>(usage: &Option<Usage>, to: S) -> Result<S::Ok, S::Error> {
        let numbers = usage.map(|usage| {
            let Usage {
                input,
                cache_read,
                cache_write,
                cache_write_1h,
                audio_input,
                output,
                reasoning,
                audio_output,
                // What is kept are conversations and vectors: nothing that is counted in other units.
                units: _,
                source,
            } = usage;
            let counts = [
                input,
                cache_read,
                cache_write,
                cache_write_1h,
                audio_input,
                output,
                reasoning,
                audio_output,
            ];
            (counts, source == UsageSource::Reported)
        });
        numbers.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Usage>, D::Error> {
        let numbers = <Option<([u64; 8], bool)>>::deserialize(from)?;
        Ok(numbers.map(|(counts, is_reported)| {
            let [
                input,
                cache_read,
                cache_write,
                cache_write_1h,
                audio_input,
                output,
                reasoning,
                audio_output,
            ] = counts;
            Usage {
                input,
                cache_read,
                cache_write,
                cache_write_1h,
                audio_input,
                output,
                reasoning,
                audio_output,
                units: Units::default(),
                source: if is_reported {
                    UsageSource::Reported
                } else {
                    UsageSource::Estimated
                },
            }
        }))
    }
}

/// A finish, as its place in this list.
mod finish {
    use serde::de::Error as _;
    use serde::{Deserializer, Serializer};

    use super::{Deserialize, FinishReason};

    const ALL: [FinishReason; 6] = [
        FinishReason::Stop,
        FinishReason::StopSequence,
        FinishReason::Length,
        FinishReason::ToolCalls,
        FinishReason::ContentFilter,
        FinishReason::Paused,
    ];

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
    pub(super) fn serialize<S: Serializer>(finish: &FinishReason, to: S) -> Result<S::Ok, S::Error> {
        let place = ALL.iter().position(|known| known == finish);
        to.serialize_u8(
            place
                .and_then(|place| u8::try_from(place).ok())
                .unwrap_or(u8::MAX),
        )
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<FinishReason, D::Error> {
        let place = usize::from(u8::deserialize(from)?);
        let unknown = || D::Error::custom("a finish that nobody knows");
        ALL.get(place).copied().ok_or_else(unknown)
    }
}
