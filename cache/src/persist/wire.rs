//! How records lie in a file: postcard, whose enums are numbers and whose fields have an order. Whatever is changed
//! here, [`VERSION`](super::frame::VERSION) goes up; a test holds the bytes.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tollgate_core::{Digest, Nanodollars, Timestamp};

use super::record::{Record, StoredEntry};
use crate::store::{Selection, Worth};

/// What a frame holds. Borrowed from the record when written, from the file when read.
#[derive(Serialize, Deserialize)]
pub(super) enum Wire<'a> {
    #[serde(borrow)]
    Put(Box<WireEntry<'a>>),
    Remove(u64),
    #[serde(borrow)]
    Invalidate(WireSelection<'a>),
    Condemn(u64),
    /// The last frame of a snapshot: how many entries came before.
    End(u64),
    /// In the file of marks: so many bytes of the log have been made durable.
    Durable(u64),
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireEntry<'a> {
    id: u64,
    exact: [u8; 16],
    folded: Option<[u8; 16]>,
    partition: [u8; 16],
    tenant: &'a str,
    route: &'a str,
    #[serde(borrow)]
    tags: Vec<&'a str>,
    words: Option<&'a str>,
    #[serde(borrow)]
    codes: Option<Raw<'a>>,
    #[serde(borrow)]
    answer: Raw<'a>,
    cost_nanodollars: u64,
    latency_us: u32,
    prompt_tokens: u32,
    output_tokens: u32,
    created_ms: u64,
    expires_ms: u64,
    condemned: bool,
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireSelection<'a> {
    tenant: Option<&'a str>,
    route: Option<&'a str>,
    tag: Option<&'a str>,
    created_before_ms: Option<u64>,
    partition: Option<[u8; 16]>,
}

/// Bytes in one piece. Read without a copy, and never allocated by what their length field says.
struct Raw<'a>(std::borrow::Cow<'a, [u8]>);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&'a [u8]>::deserialize(deserializer).map(|bytes| Self(bytes.into()))
    }
}

impl<'a> From<&'a Record> for Wire<'a> {
    fn from(record: &'a Record) -> Self {
        match record {
            Record::Put(entry) => Self::Put(Box::new(entry.into())),
            Record::Remove(id) => Self::Remove(*id),
            Record::Invalidate(selection) => Self::Invalidate(WireSelection {
                tenant: selection.tenant.as_deref(),
                route: selection.route.as_deref(),
                tag: selection.tag.as_deref(),
                created_before_ms: selection.created_before.map(Timestamp::unix_millis),
                partition: selection.partition.map(Digest::to_bytes),
            }),
            Record::Condemn(id) => Self::Condemn(*id),
        }
    }
}

impl<'a> From<&'a StoredEntry> for WireEntry<'a> {
    fn from(entry: &'a StoredEntry) -> Self {
        let codes = entry.codes.as_ref();
        Self {
            id: entry.id,
            exact: entry.exact.to_bytes(),
            folded: entry.folded.map(Digest::to_bytes),
            partition: entry.partition.to_bytes(),
            tenant: &entry.tenant,
            route: &entry.route,
            tags: entry.tags.iter().map(|it| &**it).collect(),
            words: entry.words.as_deref(),
            codes: codes.map(|codes| Raw(codes.iter().map(|it| it.cast_unsigned()).collect())),
            answer: Raw((&*entry.answer).into()),
            cost_nanodollars: entry.worth.cost.0,
            latency_us: entry.worth.latency_us,
            prompt_tokens: entry.worth.prompt_tokens,
            output_tokens: entry.worth.output_tokens,
            created_ms: entry.created.unix_millis(),
            expires_ms: entry.expires.unix_millis(),
            condemned: entry.condemned,
        }
    }
}

impl WireEntry<'_> {
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn to_entry(&self) -> StoredEntry {
        let codes = self.codes.as_ref();
        StoredEntry {
            id: self.id,
            exact: Digest::of_bytes(self.exact),
            folded: self.folded.map(Digest::of_bytes),
            partition: Digest::of_bytes(self.partition),
            tenant: self.tenant.into(),
            route: self.route.into(),
            tags: self.tags.iter().map(|&tag| tag.into()).collect(),
            words: self.words.map(Box::from),
            codes: codes.map(|codes| codes.0.iter().map(|it| it.cast_signed()).collect()),
            answer: Bytes::copy_from_slice(&self.answer.0),
            worth: Worth {
                cost: Nanodollars(self.cost_nanodollars),
                latency_us: self.latency_us,
                prompt_tokens: self.prompt_tokens,
                output_tokens: self.output_tokens,
            },
            created: Timestamp::from_unix_millis(self.created_ms),
            expires: Timestamp::from_unix_millis(self.expires_ms),
            condemned: self.condemned,
        }
    }
}

impl WireSelection<'_> {
    pub(super) fn to_selection(&self) -> Selection {
        Selection {
            tenant: self.tenant.map(Box::from),
            route: self.route.map(Box::from),
            tag: self.tag.map(Box::from),
            created_before: self.created_before_ms.map(Timestamp::from_unix_millis),
            partition: self.partition.map(Digest::of_bytes),
        }
    }
}
