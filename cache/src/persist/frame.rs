//! A file of frames: a header, then records, each behind its length and its checksum.
//!
//! ```text
//! magic "TGCACHE\n" | version u32 | frame(header)  | frame | frame …
//! frame = length of payload u32 | CRC-32 u32 | payload (postcard)
//! ```
//! Numbers are little-endian. The checksum also covers the header's checksum, the place in the file and the length: a
//! frame that was copied from another file, or from elsewhere in this one, is no frame.

use std::io::{self, BufReader, Read};
use std::path::PathBuf;

use crc32fast::Hasher;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tollgate_core::Timestamp;

use super::files::{FileWriter, Files};
use super::names::{Kind, Name};
use super::wire::Wire;

/// The format that is written, and the only one that is read.
pub(super) const VERSION: u32 = 1;
const MAGIC: [u8; 8] = *b"TGCACHE\n";
const PREFIX_BYTES: u64 = 12;
const FRAME_BYTES: u64 = 8;
/// A longer payload is not written, and not read.
pub(super) const MAX_PAYLOAD_BYTES: u32 = 32 << 20;
/// How much is gathered before it is given to the file.
const BUFFER_BYTES: usize = 128 << 10;

/// Why a file is not read, or not read on.
#[derive(Debug, Error)]
pub enum Damage {
    /// The file system refuses.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    /// It is not there, though others say that it should be.
    #[error("it is missing")]
    Missing,
    /// It does not begin as one of ours.
    #[error("it is not a file of this cache")]
    NotOurs,
    /// It is of another format.
    #[error("it is of format {0}, and only format {current} is read", current = VERSION)]
    Version(u32),
    /// It ends within a record.
    #[error("it is cut off at byte {0}")]
    CutOff(u64),
    /// A record is not what was written.
    #[error("a checksum is wrong at byte {0}")]
    Checksum(u64),
    /// A record is what was written, and yet cannot be understood.
    #[error("a record cannot be understood at byte {0}")]
    Nonsense(u64),
}

#[derive(Serialize, Deserialize)]
pub(super) struct Header<'a> {
    kind: u8,
    number: u64,
    created_ms: u64,
    pub(super) model: &'a str,
}

impl<'a> Header<'a> {
    pub(super) fn new(name: Name, now: Timestamp, model: &'a str) -> Self {
        Self {
            kind: kind_code(name.kind),
            number: name.number,
            created_ms: now.unix_millis(),
            model,
        }
    }
}

/// A snapshot keeps its kind when it gets its final name.
fn kind_code(kind: Kind) -> u8 {
    match kind {
        Kind::Unfinished | Kind::Snapshot => 0,
        Kind::Log => 1,
        Kind::Marks => 2,
    }
}

fn checksum(identity: u32, place: u64, payload: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&identity.to_le_bytes());
    hasher.update(&place.to_le_bytes());
    hasher.update(&(payload.len() as u64).to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// What happened to a record that was to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framed {
    Written,
    /// Nothing was written.
    TooLarge,
}

/// Writes frames.
pub(super) struct FrameWriter {
    file: Box<dyn FileWriter>,
    buffer: Vec<u8>,
    identity: u32,
    /// The length of the file with the buffer.
    bytes: u64,
    is_synced: bool,
}

impl FrameWriter {
    /// Creates the file. Its header is in it when this returns, yet not durable.
    pub(super) fn create(files: &dyn Files, name: Name, header: &Header<'_>) -> io::Result<Self> {
        let file = files.create(&name.to_string())?;
        let mut buffer = Vec::new();
        buffer.extend_from_slice(&MAGIC);
        buffer.extend_from_slice(&VERSION.to_le_bytes());
        let mut writer = Self {
            file,
            buffer,
            identity: VERSION,
            bytes: PREFIX_BYTES,
            is_synced: false,
        };
        if writer.push(header)? == Framed::TooLarge {
            return Err(io::Error::other("the model has too long a name"));
        }
        let identity = writer.buffer.get(16..20).and_then(|it| it.first_chunk());
        writer.identity = u32::from_le_bytes(*identity.unwrap_or(&[0; 4]));
        writer.flush()?;
        Ok(writer)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds a frame. It may stay in the buffer.
    pub(super) fn write(&mut self, wire: &Wire<'_>) -> io::Result<Framed> {
        self.push(wire)
    }

    fn push(&mut self, payload: &impl Serialize) -> io::Result<Framed> {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&[0; 8]);
        let buffer = std::mem::take(&mut self.buffer);
        self.buffer = postcard::to_extend(payload, buffer).map_err(io::Error::other)?;
        let (head, payload) = match self
            .buffer
            .get_mut(start..)
            .and_then(|it| it.split_first_chunk_mut::<8>())
        {
            Some((head, payload)) => (head, &*payload),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        let Some(len) = u32::try_from(payload.len())
            .ok()
            .filter(|it| *it <= MAX_PAYLOAD_BYTES)
        else {
            self.buffer.truncate(start);
            return Ok(Framed::TooLarge);
        };
        let sum = checksum(self.identity, self.bytes, payload);
        *head = (u64::from(len) | u64::from(sum) << 32).to_le_bytes();
        self.bytes += FRAME_BYTES + u64::from(len);
        self.is_synced = false;
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(Framed::Written)
    }

    /// Gives the buffer to the file: it survives the end of the process.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.file.write_all(&self.buffer)?;
            self.buffer.clear();
            self.buffer.shrink_to(2 * BUFFER_BYTES);
        }
        Ok(())
    }

    /// When this returns, all frames survive a loss of power.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        if !self.is_synced {
            self.file.sync()?;
            self.is_synced = true;
        }
        Ok(())
    }
}

/// Reads frames.
pub(super) struct FrameReader {
    file: BufReader<Box<dyn Read + Send>>,
    identity: u32,
    place: u64,
    /// The length of the file when it was opened.
    bytes: u64,
    payload: Vec<u8>,
    /// The embedder and verifier that were in use.
    pub(super) model: String,
}

impl FrameReader {
    /// Opens a file and checks its header.
    pub(super) fn open(files: &dyn Files, name: Name) -> Result<Self, Damage> {
        let (file, bytes) = files
            .open(&name.to_string())
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => Damage::Missing,
                _ => Damage::Unreadable(error),
            })?;
        let mut reader = Self {
            file: BufReader::with_capacity(64 << 10, file),
            identity: VERSION,
            place: 0,
            bytes,
            payload: Vec::new(),
            model: String::new(),
        };
        reader.read_header(name)?;
        Ok(reader)
    }

    fn read_header(&mut self, name: Name) -> Result<(), Damage> {
        if self.read_exact::<8>()? != MAGIC {
            return Err(Damage::NotOurs);
        }
        let version = u32::from_le_bytes(self.read_exact()?);
        if version != VERSION {
            return Err(Damage::Version(version));
        }
        let identity = self.next_payload()?.ok_or(Damage::CutOff(PREFIX_BYTES))?;
        let header = postcard::from_bytes::<Header<'_>>(&self.payload);
        let header = header.map_err(|_| Damage::Nonsense(PREFIX_BYTES))?;
        // One that was copied or renamed tells of another time.
        if (header.kind, header.number) != (kind_code(name.kind), name.number) {
            return Err(Damage::NotOurs);
        }
        self.model = header.model.to_owned();
        self.identity = identity;
        Ok(())
    }

    /// Where the next frame begins.
    pub(super) fn place(&self) -> u64 {
        self.place
    }

    /// The next frame. `None`: the file ends here, as it should.
    pub(super) fn read(&mut self) -> Result<Option<Wire<'_>>, Damage> {
        let place = self.place;
        if self.next_payload()?.is_none() {
            return Ok(None);
        }
        match postcard::take_from_bytes(&self.payload) {
            Ok((wire, [])) => Ok(Some(wire)),
            _ => Err(Damage::Nonsense(place)),
        }
    }

    /// Reads the next payload and returns its checksum.
    fn next_payload(&mut self) -> Result<Option<u32>, Damage> {
        let place = self.place;
        if place == self.bytes {
            return Ok(None);
        }
        let len = u32::from_le_bytes(self.read_exact()?);
        let sum = u32::from_le_bytes(self.read_exact()?);
        if len > MAX_PAYLOAD_BYTES {
            return Err(Damage::Checksum(place));
        }
        // Asked before anything is allocated.
        if u64::from(len) > self.bytes.saturating_sub(self.place) {
            return Err(Damage::CutOff(place));
        }
        self.payload.clear();
        let read = (&mut self.file)
            .take(u64::from(len))
            .read_to_end(&mut self.payload)?;
        self.place += read as u64;
        if u64::from(len) > read as u64 {
            return Err(Damage::CutOff(place));
        }
        if checksum(self.identity, place, &self.payload) != sum {
            return Err(Damage::Checksum(place));
        }
        Ok(Some(sum))
    }

    fn read_exact<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let mut bytes = [0; N];
        let place = self.place;
        self.file
            .read_exact(&mut bytes)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => Damage::CutOff(place),
                _ => Damage::Unreadable(error),
            })?;
        self.place += N as u64;
        Ok(bytes)
    }
}

/// A file that was not read, or not to its end, and what follows from that: to be told to people.
#[derive(Debug, Error)]
#[error("{}: {reason}; {consequence}", path.display())]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: Damage,
    /// What is not restored therefore.
    pub consequence: Consequence,
}

/// What is not restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Consequence {
    /// Nothing of the file.
    #[error("it is skipped")]
    WholeFile,
    /// What comes after that place in the file.
    #[error("its {0} records before are used, the rest is skipped")]
    Rest(u64),
    /// An invalidation that was acknowledged may be lost with it, so that whatever is older cannot be trusted.
    #[error("it may have held an invalidation, so nothing older is restored")]
    Older,
}
