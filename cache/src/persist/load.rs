//! Reads the files back, one entry at a time.
//!
//! First all logs are read for what they undo; then entries are handed out that nothing undoes. A log that was cut off
//! by a crash is used up to there: nothing beyond was acknowledged. If its marks say that more had been made durable,
//! an invalidation may be lost, and nothing that is older is restored.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tollgate_core::Timestamp;

use super::files::Files;
use super::frame::{Consequence, Damage, FrameReader, Skipped};
use super::names::{Chain, Kind, Name};
use super::record::StoredEntry;
use super::undone::{Moment, Undone};
use super::wire::Wire;

/// Hands out the entries of earlier runs, the oldest record first. Nothing is read before the first is asked for.
pub struct Loader {
    files: Arc<dyn Files>,
    model: String,
    now: Timestamp,
    chain: Chain,
    undone: Undone,
    /// What is still to be read, the next one last; `None` before the logs have been surveyed.
    sources: Option<Vec<Source>>,
    reading: Option<(Source, FrameReader)>,
    report: LoadReport,
    stop: Arc<AtomicBool>,
}

/// What loading came to.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// Entries handed out.
    pub restored: u64,
    /// Of these, the ones that have words and no vector, since that came from another model or there was none.
    pub without_vector: u64,
    /// Entries whose time was over.
    pub expired: u64,
    /// Entries that were removed, replaced, invalidated or found wrong later on.
    pub undone: u64,
    /// What could not be read, and why.
    pub skipped: Vec<Skipped>,
}

#[derive(Debug, Clone, Copy)]
struct Source {
    name: Name,
    /// Up to where a log was found good.
    end: u64,
}

impl Source {
    /// When the record at this place was written.
    fn moment(self, place: u64) -> Moment {
        match self.name.kind {
            Kind::Log => (self.name.number, place),
            _ => (self.name.number, 0),
        }
    }
}

impl Loader {
    pub(super) fn new(files: Arc<dyn Files>, model: String, now: Timestamp, chain: Chain) -> Self {
        Self {
            files,
            model,
            now,
            chain,
            undone: Undone::default(),
            sources: None,
            reading: None,
            report: LoadReport::default(),
            stop: Arc::default(),
        }
    }

    /// What loading has come to so far.
    pub fn report(&self) -> &LoadReport {
        &self.report
    }

    /// Set to `true` from anywhere, loading ends within one record.
    pub fn stopper(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Reads all logs for what they undo, and finds out what there is to restore.
    fn survey(&mut self) -> Vec<Source> {
        let mut sources = Vec::new();
        if let Some(number) = self.chain.snapshot {
            sources.push(Source {
                name: Name::new(Kind::Snapshot, number),
                end: u64::MAX,
            });
        }
        for number in self.chain.logs.clone() {
            let name = Name::new(Kind::Log, number);
            let surveyed = self.survey_log(name);
            sources.push(Source {
                name,
                end: surveyed.end,
            });
            self.judge(name, surveyed);
        }
        sources.retain(|source| !self.undone.is_distrusted(source.name.number));
        sources.reverse();
        sources
    }

    fn survey_log(&mut self, name: Name) -> Surveyed {
        let mut surveyed = Surveyed::default();
        let mut reader = match FrameReader::open(&*self.files, name) {
            Ok(reader) => reader,
            Err(damage) => {
                surveyed.damage = Some(damage);
                return surveyed;
            }
        };
        while !self.is_stopped() {
            let place = reader.place();
            let at = (name.number, place);
            surveyed.end = place;
            match reader.read() {
                Ok(Some(Wire::Put(entry))) => self.undone.replace(entry.id(), at),
                Ok(Some(Wire::Remove(id) | Wire::Condemn(id))) => self.undone.replace(id, at),
                Ok(Some(Wire::Invalidate(selection))) => self.undone.invalidate(selection.to_selection(), at),
                Ok(Some(Wire::End(_) | Wire::Durable(_))) => surveyed.damage = Some(Damage::Nonsense(place)),
                Ok(None) => break,
                Err(damage) => surveyed.damage = Some(damage),
            }
            if surveyed.damage.is_some() {
                break;
            }
            surveyed.records += 1;
        }
        surveyed
    }

    /// Compares what is left of a log with what was made durable.
    fn judge(&mut self, name: Name, surveyed: Surveyed) {
        if self.is_stopped() {
            return;
        }
        let (durable, marks_are_damaged) = self.durable(name.number);
        let is_missing = matches!(surveyed.damage, Some(Damage::Missing));
        let is_doubtful = surveyed.damage.is_some() && marks_are_damaged;
        if surveyed.end < durable || is_missing || is_doubtful {
            self.undone.distrust(name.number);
            let damage = surveyed.damage.unwrap_or(Damage::CutOff(surveyed.end));
            self.skip(name, damage, Consequence::Older);
        } else if let Some(damage) = surveyed.damage {
            let consequence = match surveyed.end {
                0 => Consequence::WholeFile,
                _ => Consequence::Rest(surveyed.records),
            };
            self.skip(name, damage, consequence);
        }
    }

    /// How many bytes of a log were made durable by the last mark, and whether the marks end in damage.
    fn durable(&self, number: u64) -> (u64, bool) {
        let mut durable = 0;
        let mut reader = match FrameReader::open(&*self.files, Name::new(Kind::Marks, number)) {
            Ok(reader) => reader,
            Err(damage) => return (0, !matches!(damage, Damage::Missing)),
        };
        loop {
            match reader.read() {
                Ok(Some(Wire::Durable(bytes))) => durable = durable.max(bytes),
                Ok(None) => return (durable, false),
                _ => return (durable, true),
            }
        }
    }

    fn skip(&mut self, name: Name, reason: Damage, consequence: Consequence) {
        let path = self.files.path(&name.to_string());
        self.report.skipped.push(Skipped {
            path,
            reason,
            consequence,
        });
    }

    /// Opens the next file. Break: there is none.
    fn open_next(&mut self) -> ControlFlow<()> {
        if self.sources.is_none() {
            self.sources = Some(self.survey());
        }
        let Some(source) = self.sources.as_mut().and_then(Vec::pop) else {
            return ControlFlow::Break(());
        };
        match FrameReader::open(&*self.files, source.name) {
            Ok(reader) => self.reading = Some((source, reader)),
            // What is wrong with a log has been told by the survey.
            Err(damage) if source.name.kind == Kind::Snapshot => {
                self.skip(source.name, damage, Consequence::WholeFile);
            }
            Err(_) => {}
        }
        ControlFlow::Continue(())
    }

    /// Reads one record of the open file.
    fn read_one(&mut self) -> One {
        let Some((source, reader)) = &mut self.reading else {
            return One::End;
        };
        let (source, place) = (*source, reader.place());
        if place >= source.end {
            return One::End;
        }
        let damage = match reader.read() {
            Ok(Some(Wire::Put(entry))) => {
                let mut entry = entry.to_entry();
                if reader.model != self.model {
                    entry.codes = None;
                }
                return One::Entry(Box::new(entry), source.moment(place));
            }
            Ok(Some(Wire::End(_))) => return One::End,
            Ok(Some(_)) => return One::Other,
            // A log may have been cut shorter since the survey; a snapshot has an end of its own.
            Ok(None) => Damage::CutOff(place),
            Err(damage) => damage,
        };
        let records = self.report.restored + self.report.undone + self.report.expired;
        self.skip(source.name, damage, Consequence::Rest(records));
        One::End
    }

    /// The entry, if it is to be handed out.
    fn admitted(&mut self, entry: StoredEntry, at: Moment) -> Option<StoredEntry> {
        if !self.undone.spares(&entry, at) {
            self.report.undone += 1;
        } else if entry.expires <= self.now {
            self.report.expired += 1;
        } else {
            self.report.restored += 1;
            self.report.without_vector += u64::from(entry.words.is_some() && entry.codes.is_none());
            return Some(entry);
        }
        None
    }
}

impl Iterator for Loader {
    type Item = StoredEntry;

    fn next(&mut self) -> Option<StoredEntry> {
        while !self.is_stopped() {
            if self.reading.is_none() {
                if self.open_next().is_break() {
                    return None;
                }
                continue;
            }
            match self.read_one() {
                One::Entry(entry, at) => match self.admitted(*entry, at) {
                    None => {}
                    entry => return entry,
                },
                One::Other => {}
                One::End => self.reading = None,
            }
        }
        None
    }
}

/// One record.
enum One {
    Entry(Box<StoredEntry>, Moment),
    Other,
    /// There is none left.
    End,
}

/// What a log has in it.
#[derive(Default)]
struct Surveyed {
    records: u64,
    /// Up to where it is good; 0: not even its header is.
    end: u64,
    damage: Option<Damage>,
}
