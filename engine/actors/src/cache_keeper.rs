//! The keeper of the cache: the one who writes to it.
//!
//! It lives on a thread of its own, for what it does takes longer than a request may be held up: reading an answer
//! back from what was sent, taking its question apart, finding a place for it among others, writing it to disk.
//! Workers tell it ([`Fill`]) and go on; who asks ([`Invalidate`]) hears when it is done.

mod kept_on_disk;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext as _, Context, Handler, Message};
use bytes::Bytes;
use tollgate_adapters::{KeepPolicy, Kept, NotKept};
use tollgate_cache::learn::Agreement;
use tollgate_cache::{Begun, Cache, EntryId, Filled, Key, Labels, Made, Selection, Withheld, Worth};
use tollgate_core::{Clock, Surface, Timestamp};

pub use kept_on_disk::KeptOnDisk;

/// Answers that may wait to be kept.
const MAILBOX: usize = 1 << 12;
/// How often it looks for what has ended, writes to disk, and tells how full the cache is.
const TICK: Duration = Duration::from_millis(500);
/// Work on graphs in one tick: some tens of milliseconds.
const INSERTS_PER_TICK: usize = 256;
/// Entries of earlier runs that are read at a time: fills come in between.
const LOADED_AT_A_TIME: usize = 256;

/// Writes to the cache.
pub struct CacheKeeper {
    cache: Arc<Cache>,
    disk: Option<KeptOnDisk>,
    compares: bool,
    on_notice: Box<dyn Fn(&str) + Send>,
    on_tick: Box<dyn Fn(&Cache) + Send>,
}

/// An answer was given, and shall be kept.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Fill {
    /// Under which it is found.
    pub key: Key,
    /// By which it can be invalidated.
    pub labels: Labels,
    /// What the user said last. `None`: it is found by sameness only.
    pub words: Option<String>,
    /// Whether it may answer a question of other words.
    pub by_meaning: bool,
    /// What was made of the words before.
    pub made: Made,
    /// What was called.
    pub surface: Surface,
    /// Whether it was sent as events.
    pub is_stream: bool,
    /// What was sent to the client, in pieces.
    pub sent: Vec<Bytes>,
    /// What it took.
    pub worth: Worth,
    /// When it was given.
    pub created: Timestamp,
    /// How long it may be given again.
    pub ttl: Duration,
    /// What is kept although it is not, by default.
    pub keeps: KeepPolicy,
    /// The answer that might have been given instead: this one shows whether that would have been right.
    pub rechecks: Option<Withheld>,
    /// What the store said before the answer was asked for.
    pub begun: Begun,
    /// Dropped when the entry is there, or when it is clear that it will not be.
    pub on_done: Box<dyn Any + Send>,
}

impl Fill {
    /// Hands it over without waiting. A keeper with too much to do keeps less: what it does not take is counted and
    /// dropped, and whoever waits for it with it.
    pub fn hand_to(mut self, keeper: &Addr<CacheKeeper>, cache: &Cache) {
        let bytes: usize = self.sent.iter().map(Bytes::len).sum();
        let place = cache.store().wait(u64::try_from(bytes).unwrap_or(u64::MAX));
        let is_taken = place.is_some_and(|place| {
            self.on_done = Box::new((self.on_done, place));
            keeper.try_send(self).is_ok()
        });
        if !is_taken {
            cache.store().dropped();
        }
    }
}

/// Take away what is selected. The reply is how many entries that were; from then on none of them is served.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<usize, String>")]
pub struct Invalidate(pub Selection);

/// This entry's answer was wrong: it is never served again. The reply says whether there is such an entry.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "bool")]
pub struct Condemn(pub EntryId);

/// A client says whether an entry's answer was right. If it says that it was not, the entry is never served again. The
/// reply says whether that counts for a threshold as well; `None`: there is no such entry.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Option<bool>")]
pub struct Hear {
    /// Of which it speaks.
    pub entry: EntryId,
    /// The name of the client's key; empty: it has none.
    pub key: Arc<str>,
    /// Whether the answer was right.
    pub was_right: bool,
}

/// Routes of the configuration in force compare questions by meaning: be ready for that, if you are not.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Compare;

/// The process ends: write what is to be written, and leave the files to the next one. The reply says that it is done.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct CloseFiles;

impl CacheKeeper {
    /// A keeper of `cache`, which it writes to `disk` as well, if there is one.
    pub fn new(
        cache: Arc<Cache>,
        disk: Option<KeptOnDisk>,
        on_notice: Box<dyn Fn(&str) + Send>,
        on_tick: Box<dyn Fn(&Cache) + Send>,
    ) -> Self {
        Self {
            cache,
            disk,
            compares: false,
            on_notice,
            on_tick,
        }
    }

    /// One that lets questions be compared by meaning.
    #[must_use]
    pub fn comparing(self) -> Self {
        Self {
            compares: true,
            ..self
        }
    }

    fn keep(&mut self, fill: Fill) -> Result<(), NotKept> {
        let body = match fill.sent.as_slice() {
            [only] => only.clone(),
            pieces => pieces.concat().into(),
        };
        let policy = fill.keeps;
        let kept = if fill.is_stream {
            Kept::of_stream(fill.surface, &body, policy)?
        } else {
            Kept::of_whole(fill.surface, &body, policy)?
        };
        if let Some(withheld) = fill.rechecks {
            self.recheck(&withheld, &fill.key, &kept);
        }
        let inserted = self.cache.fill(
            Filled {
                key: fill.key,
                labels: fill.labels,
                words: fill.words.filter(|_| fill.by_meaning).map(Into::into),
                made: fill.made,
                answer: kept.to_bytes().into(),
                worth: fill.worth,
                created: fill.created,
                ttl: fill.ttl,
                begun: fill.begun,
            },
            Clock.wall(),
        );
        if let Some(disk) = &mut self.disk {
            disk.put(&inserted);
        }
        Ok(())
    }

    /// An entry whose answer is not that of the question it would have been given to is not served again.
    fn recheck(&mut self, withheld: &Withheld, asked: &Key, answer: &Kept) {
        let Some(checked) = self.cache.store().get(withheld.entry) else {
            return;
        };
        let was = Kept::from_bytes(&checked.answer).ok();
        let agreement = was.map_or(Agreement::Other, |was| {
            self.cache.agree(&was.text(), &answer.text())
        });
        if self.cache.compared(withheld, &checked, asked, agreement) {
            self.condemn(withheld.entry);
        }
    }

    fn condemn(&mut self, entry: EntryId) -> bool {
        let is_there = self.cache.condemn(entry);
        if let Some(disk) = &mut self.disk {
            disk.condemned(entry);
        }
        is_there
    }

    /// The same, where somebody is told that it is done: also after a loss of power.
    fn condemn_for_good(&mut self, entry: EntryId) -> bool {
        let is_there = self.cache.condemn(entry);
        if let Some(Err(error)) = self.disk.as_mut().map(|disk| disk.condemned_for_good(entry)) {
            (self.on_notice)(&format!(
                "cache: entry {entry:?} was wrong, which may be forgotten: {error}"
            ));
        }
        self.notices();
        is_there
    }

    fn notices(&mut self) {
        if let Some(notice) = self.disk.as_mut().and_then(KeptOnDisk::take_notice) {
            (self.on_notice)(&notice);
        }
    }
}

impl Actor for CacheKeeper {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
        if self.compares {
            self.cache.learn();
        }
        context.run_interval(TICK, |keeper, _| {
            let gone = keeper.cache.store().sweep(Clock.wall());
            keeper.cache.store().maintain(INSERTS_PER_TICK);
            if let Some(disk) = &mut keeper.disk {
                disk.removed(&gone);
                disk.tick(&keeper.cache);
            }
            (keeper.on_tick)(&keeper.cache);
            keeper.notices();
        });
        context.notify(Load);
    }
}

/// Read more of what earlier runs have left.
#[derive(Message)]
#[rtype(result = "()")]
struct Load;

impl Handler<Load> for CacheKeeper {
    type Result = ();

    fn handle(&mut self, _: Load, context: &mut Self::Context) {
        let Some(disk) = &mut self.disk else { return };
        if disk.load(&self.cache, LOADED_AT_A_TIME, Clock.wall()) {
            context.notify(Load);
        }
        self.notices();
    }
}

impl Handler<Fill> for CacheKeeper {
    type Result = ();

    fn handle(&mut self, fill: Fill, _: &mut Self::Context) {
        // Why an answer is not kept is the answer's own business: it was sent, and that is what counts.
        let _ = self.keep(fill);
    }
}

impl Handler<Invalidate> for CacheKeeper {
    type Result = Result<usize, String>;

    fn handle(&mut self, Invalidate(selection): Invalidate, _: &mut Self::Context) -> Self::Result {
        let taken = self.cache.invalidate(&selection);
        let durable = self
            .disk
            .as_mut()
            .map_or(Ok(()), |disk| disk.invalidated(&selection));
        self.notices();
        durable.map(|()| taken)
    }
}

impl Handler<Condemn> for CacheKeeper {
    type Result = bool;

    fn handle(&mut self, Condemn(entry): Condemn, _: &mut Self::Context) -> bool {
        self.condemn_for_good(entry)
    }
}

impl Handler<Hear> for CacheKeeper {
    type Result = Option<bool>;

    fn handle(&mut self, told: Hear, _: &mut Self::Context) -> Option<bool> {
        let entry = self.cache.store().get(told.entry)?;
        let agreement = if told.was_right {
            Agreement::Same
        } else {
            Agreement::Other
        };
        let counts = self.cache.heard(&entry, &told.key, agreement);
        if !told.was_right {
            self.condemn_for_good(told.entry);
        }
        Some(counts)
    }
}

impl Handler<Compare> for CacheKeeper {
    type Result = ();

    fn handle(&mut self, _: Compare, _: &mut Self::Context) {
        self.compares = true;
        self.cache.learn();
    }
}

impl Handler<CloseFiles> for CacheKeeper {
    type Result = ();

    fn handle(&mut self, _: CloseFiles, _: &mut Self::Context) {
        if let Some(mut disk) = self.disk.take() {
            disk.close();
        }
    }
}
