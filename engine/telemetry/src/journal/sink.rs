//! Where lines go.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

/// Where the journal writes its lines.
pub struct Sink {
    place: Place,
    /// Whether the last write failed, so that the place may end in half a line.
    torn: bool,
}

enum Place {
    Null,
    Stdout,
    File {
        path: PathBuf,
        /// `None`: it could not be opened; tried again with the next batch.
        file: Option<File>,
    },
    Writer(Box<dyn Write + Send>),
}

impl Sink {
    /// Nowhere: for a gateway without a log.
    pub fn null() -> Self {
        Self::at(Place::Null)
    }

    /// Standard output.
    pub fn stdout() -> Self {
        Self::at(Place::Stdout)
    }

    /// The end of a file, which is created if need be; its folder must exist.
    ///
    /// # Errors
    /// It cannot be opened for writing.
    pub fn file(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let file = Some(open(&path)?);
        Ok(Self::at(Place::File { path, file }))
    }

    /// Anything else.
    pub fn writer(writer: impl Write + Send + 'static) -> Self {
        Self::at(Place::Writer(Box::new(writer)))
    }

    fn at(place: Place) -> Self {
        Self { place, torn: false }
    }

    /// Whether lines go nowhere, so that they need not be made.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.place, Place::Null)
    }

    /// Writes whole lines. After a failure the next batch begins on a new line, so that at most the lines of
    /// the failed batch are lost or torn.
    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let written = self.try_write(lines);
        self.torn = written.is_err();
        written
    }

    fn try_write(&mut self, lines: &[u8]) -> io::Result<()> {
        let mend: &[u8] = if self.torn { b"\n" } else { b"" };
        match &mut self.place {
            Place::Null => Ok(()),
            Place::Stdout => write_all(&mut io::stdout().lock(), mend, lines),
            Place::File { path, file } => {
                let open_file = match file.take() {
                    Some(open_file) => open_file,
                    None => open(path)?,
                };
                write_all(file.insert(open_file), mend, lines)
            }
            Place::Writer(writer) => write_all(writer, mend, lines),
        }
    }

    /// Lets go of a file, so that the next batch goes to whatever then stands at its path (log rotation).
    /// Nothing happens to other sinks.
    pub(super) fn reopen(&mut self) {
        if let Place::File { file, .. } = &mut self.place {
            *file = None;
            self.torn = false;
        }
    }
}

fn open(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn write_all(to: &mut impl Write, mend: &[u8], lines: &[u8]) -> io::Result<()> {
    to.write_all(mend)?;
    to.write_all(lines)?;
    to.flush()
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Null => f.write_str("Sink::null"),
            Place::Stdout => f.write_str("Sink::stdout"),
            Place::File { path, .. } => write!(f, "Sink::file({})", path.display()),
            Place::Writer(_) => f.write_str("Sink::writer"),
        }
    }
}
