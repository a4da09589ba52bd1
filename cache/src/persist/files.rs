//! The file layer: the few things asked of a folder, so that tests can have it fail at any of them.

use std::any::Any;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A folder. Names have no separators.
pub trait Files: Send + Sync {
    /// All files in it, in any order. Makes the folder if it is not there.
    fn list(&self) -> io::Result<Vec<Listed>>;

    /// A file to be read from its beginning, and how many bytes it has.
    fn open(&self, name: &str) -> io::Result<(Box<dyn Read + Send>, u64)>;

    /// A new file, empty, that only its owner can read. It must not be there yet.
    fn create(&self, name: &str) -> io::Result<Box<dyn FileWriter>>;

    /// Gives a file another name, in place of the one that has it, all or nothing.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. One that is not there is removed.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// When this returns, what was created, renamed and removed survives a loss of power.
    fn sync_folder(&self) -> io::Result<()>;

    /// Makes this process the folder's only one, until what is returned is dropped. `None`: another one is.
    fn lock(&self, name: &str) -> io::Result<Option<Box<dyn Any + Send + Sync>>>;

    /// What people call the file.
    fn path(&self, name: &str) -> PathBuf;
}

/// A file being written.
pub trait FileWriter: Write + Send {
    /// When this returns, what was written survives a loss of power.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name in the folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

/// A folder of the file system.
#[derive(Debug, Clone)]
pub struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// The folder at this path, which need not be there yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }
}

impl Files for Disk {
    fn list(&self) -> io::Result<Vec<Listed>> {
        create_private_folder(&self.folder)?;
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if let (true, Ok(name)) = (metadata.is_file(), entry.file_name().into_string()) {
                let bytes = metadata.len();
                files.push(Listed { name, bytes });
            }
        }
        Ok(files)
    }

    fn open(&self, name: &str) -> io::Result<(Box<dyn Read + Send>, u64)> {
        let file = File::open(self.path(name))?;
        let bytes = file.metadata()?.len();
        Ok((Box::new(file), bytes))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn FileWriter>> {
        let file = private().create_new(true).open(self.path(name))?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    fn sync_folder(&self) -> io::Result<()> {
        // Elsewhere a folder cannot be opened, and has nothing to sync.
        if cfg!(unix) {
            File::open(&self.folder)?.sync_all()?;
        }
        Ok(())
    }

    fn lock(&self, name: &str) -> io::Result<Option<Box<dyn Any + Send + Sync>>> {
        create_private_folder(&self.folder)?;
        let file = private().create(true).truncate(false).open(self.path(name))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl FileWriter for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn create_private_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
