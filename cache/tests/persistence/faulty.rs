//! A folder in memory that fails when it is told to, and that loses power.
//!
//! Work is counted in steps: one for each byte that is written, one for each other operation. A process that is killed
//! leaves what it has written; a loss of power leaves only what was synced for certain, and anything of the rest.

use std::any::Any;
use std::collections::BTreeMap;
use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use tollgate_cache::persist::{FileWriter, Files, Listed};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing works any more from that step on.
    Dead,
    /// The operation at that step fails; those after it do not.
    Once(ErrorKind),
    /// The operation at that step fails, and nothing works any more from so many steps later on.
    Stumble(u64),
    /// From that step on nothing can be written, created or synced; reading and removing work.
    Full,
}

#[derive(Debug, Clone, Default)]
struct Content {
    now: Vec<u8>,
    synced: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Change {
    Link(String, usize),
    Unlink(String),
    Rename(String, String),
}

#[derive(Debug, Clone, Default)]
struct State {
    contents: Vec<Content>,
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    changes: Vec<Change>,
    steps: u64,
    fault: Option<(u64, Fault)>,
    is_locked: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Faulty(Arc<Mutex<State>>);

/// Small, and good enough to choose what survives.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides.max(1)
    }

    fn pick(&mut self, sides: usize) -> usize {
        usize::try_from(self.roll(sides as u64)).unwrap()
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: &Change) {
    match change {
        Change::Link(name, content) => drop(names.insert(name.clone(), *content)),
        Change::Unlink(name) => drop(names.remove(name)),
        Change::Rename(from, to) => {
            if let Some(content) = names.remove(from) {
                names.insert(to.clone(), content);
            }
        }
    }
}

impl State {
    /// How many of `wanted` steps can be taken, and whether the operation fails then.
    fn step(&mut self, wanted: u64, is_writing: bool) -> (u64, Option<io::Error>) {
        let before = self.steps;
        self.steps += wanted;
        let Some((at, fault)) = self.fault else {
            return (wanted, None);
        };
        if self.steps <= at {
            return (wanted, None);
        }
        let possible = at.saturating_sub(before);
        match fault {
            Fault::Dead => (possible, Some(io::Error::other("dead"))),
            Fault::Once(kind) if before <= at => (possible, Some(kind.into())),
            Fault::Stumble(_) if before <= at => (possible, Some(ErrorKind::Other.into())),
            Fault::Stumble(later) if self.steps > at + later => {
                let possible = (at + later).saturating_sub(before).min(wanted);
                (possible, Some(io::Error::other("dead")))
            }
            Fault::Full if is_writing => (possible, Some(ErrorKind::StorageFull.into())),
            Fault::Once(_) | Fault::Stumble(_) | Fault::Full => (wanted, None),
        }
    }
}

impl Faulty {
    pub(crate) fn with_fault(fault: Fault, at_step: u64) -> Self {
        let files = Self::default();
        files.0.lock().fault = Some((at_step, fault));
        files
    }

    pub(crate) fn fail_from_now(&self, fault: Fault) {
        let mut state = self.0.lock();
        state.fault = Some((state.steps, fault));
    }

    pub(crate) fn steps(&self) -> u64 {
        self.0.lock().steps
    }

    /// Whether it has not failed so far.
    pub(crate) fn is_alive(&self) -> bool {
        let state = self.0.lock();
        state.fault.is_none_or(|(at, _)| state.steps <= at)
    }

    /// What the next process finds when this one is killed.
    pub(crate) fn after_kill(&self) -> Self {
        let mut state = self.0.lock().clone();
        state.fault = None;
        state.is_locked = false;
        Self(Arc::new(Mutex::new(state)))
    }

    /// What the next process may find after a loss of power.
    pub(crate) fn after_power_loss(&self, dice: &mut Dice) -> Self {
        let state = self.0.lock();
        let mut survived = State {
            names: state.synced_names.clone(),
            ..State::default()
        };
        let most = dice.roll(4);
        for change in &state.changes {
            if dice.roll(3) < most {
                apply(&mut survived.names, change);
            }
        }
        survived.contents = state.contents.iter().map(|content| torn(content, dice)).collect();
        survived.synced_names = survived.names.clone();
        Self(Arc::new(Mutex::new(survived)))
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.lock().names.keys().cloned().collect()
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        let state = self.0.lock();
        state.contents[state.names[name]].now.clone()
    }

    pub(crate) fn put(&self, name: &str, bytes: Vec<u8>) {
        let mut state = self.0.lock();
        let content = state.contents.len();
        state.contents.push(Content {
            synced: bytes.clone(),
            now: bytes,
        });
        state.names.insert(name.to_owned(), content);
        state.synced_names.insert(name.to_owned(), content);
    }

    pub(crate) fn delete(&self, name: &str) {
        let mut state = self.0.lock();
        state.names.remove(name);
        state.synced_names.remove(name);
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.0.lock();
        let is_writing = !matches!(change, Change::Unlink(_));
        if let (_, Some(error)) = state.step(1, is_writing) {
            return Err(error);
        }
        apply(&mut state.names, &change);
        state.changes.push(change);
        Ok(())
    }
}

/// What was synced, and anything of what came after: cut off, zeros, garbage, or blocks of it in any mixture.
fn torn(content: &Content, dice: &mut Dice) -> Content {
    let mut bytes = content.now.clone();
    let sure = content.synced.len();
    let unsure = bytes.len() - sure;
    match dice.roll(5) {
        0 => {}
        1 => bytes.truncate(sure + dice.pick(unsure + 1)),
        2 => {
            let from = sure + dice.pick(unsure + 1);
            bytes[from..].fill(0);
        }
        3 => bytes[sure..]
            .iter_mut()
            .for_each(|byte| *byte = u8::try_from(dice.roll(256)).unwrap()),
        _ => {
            for block in bytes[sure..].chunks_mut(64) {
                if dice.roll(2) == 0 {
                    block.fill(0);
                }
            }
        }
    }
    Content {
        synced: bytes.clone(),
        now: bytes,
    }
}

impl Files for Faulty {
    fn list(&self) -> io::Result<Vec<Listed>> {
        let mut state = self.0.lock();
        if let (_, Some(error)) = state.step(1, false) {
            return Err(error);
        }
        let file = |(name, content): (&String, &usize)| Listed {
            name: name.clone(),
            bytes: state.contents[*content].now.len() as u64,
        };
        Ok(state.names.iter().map(file).collect())
    }

    fn open(&self, name: &str) -> io::Result<(Box<dyn Read + Send>, u64)> {
        let mut state = self.0.lock();
        if let (_, Some(error)) = state.step(1, false) {
            return Err(error);
        }
        let content = *state.names.get(name).ok_or(ErrorKind::NotFound)?;
        let bytes = state.contents[content].now.clone();
        let len = bytes.len() as u64;
        Ok((Box::new(Cursor::new(bytes)), len))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn FileWriter>> {
        if self.0.lock().names.contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let content = {
            let mut state = self.0.lock();
            state.contents.push(Content::default());
            state.contents.len() - 1
        };
        self.change(Change::Link(name.to_owned(), content))?;
        Ok(Box::new(Writing {
            files: self.clone(),
            content,
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change(Change::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change(Change::Unlink(name.to_owned()))
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        // A full disk has room for what takes none.
        if let (_, Some(error)) = state.step(1, false) {
            return Err(error);
        }
        state.synced_names = state.names.clone();
        state.changes.clear();
        Ok(())
    }

    fn lock(&self, _: &str) -> io::Result<Option<Box<dyn Any + Send + Sync>>> {
        let mut state = self.0.lock();
        if let (_, Some(error)) = state.step(1, false) {
            return Err(error);
        }
        if state.is_locked {
            return Ok(None);
        }
        state.is_locked = true;
        Ok(Some(Box::new(Held(self.clone()))))
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("/folder").join(name)
    }
}

struct Held(Faulty);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.lock().is_locked = false;
    }
}

struct Writing {
    files: Faulty,
    content: usize,
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.files.0.lock();
        let (possible, error) = state.step(bytes.len() as u64, true);
        let written = &bytes[..usize::try_from(possible).unwrap()];
        state.contents[self.content].now.extend_from_slice(written);
        error.map_or(Ok(bytes.len()), Err)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWriter for Writing {
    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.files.0.lock();
        if let (_, Some(error)) = state.step(1, true) {
            return Err(error);
        }
        let content = &mut state.contents[self.content];
        content.synced = content.now.clone();
        Ok(())
    }
}
