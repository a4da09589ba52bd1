//! The last few of anything, kept in memory so that they can be looked up: decisions, by the request's id.
//!
//! Each worker pushes into a shard of its own, so that its lock is free nearly always. Whoever looks copies a few
//! pointers at a time under the lock, and judges them without it: a worker never waits for a search, however much
//! is kept and however slow the search is.
//!
//! What must stay true: within a shard the serial numbers rise from the oldest to the newest, since they are drawn
//! under its lock. So a search that lets go of the lock finds its place again, whatever was pushed meanwhile.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::utils::CachePadded;
use parking_lot::Mutex;

/// How many a search copies under one lock: about half a microsecond.
const PIECE: usize = 64;

/// The last things that each of several shards was given.
pub struct Recent<T> {
    shards: Box<[CachePadded<Mutex<Shard<T>>>]>,
    /// The serial number of the next thing. Written by pushers, under a shard's lock.
    next: AtomicU64,
}

struct Shard<T> {
    keep: usize,
    /// The oldest first.
    kept: VecDeque<Kept<T>>,
}

struct Kept<T> {
    serial: u64,
    thing: Arc<T>,
}

impl<T> Recent<T> {
    /// Nothing yet, and room for `keep` things in each of `shards` shards (at least one). Room is taken as it is
    /// needed.
    pub fn new(shards: usize, keep: usize) -> Self {
        let shard = || {
            CachePadded::new(Mutex::new(Shard {
                keep,
                kept: VecDeque::new(),
            }))
        };
        Self {
            shards: std::iter::repeat_with(shard).take(shards.max(1)).collect(),
            next: AtomicU64::new(0),
        }
    }

    /// Keeps a thing, in the place of the shard's oldest if it is full; then nothing is allocated. A number past
    /// the last shard counts on from the first.
    pub fn push(&self, shard: usize, thing: Arc<T>) {
        let Some(shard) = self.shards.get(shard % self.shards.len()) else {
            return;
        };
        let oldest = shard.lock().push(&self.next, thing);
        // Without the lock: this may be the last owner, and what it frees may be large.
        drop(oldest);
    }

    /// The newest thing that fits; `None`: none of those that are still kept does.
    pub fn find(&self, fits: impl FnMut(&T) -> bool) -> Option<Arc<T>> {
        self.latest(1, fits).pop()
    }

    /// The newest things that fit, `limit` at most, newest first: in the order of their pushes, over all shards.
    /// What is pushed during the search may be missing.
    pub fn latest(&self, limit: usize, mut fits: impl FnMut(&T) -> bool) -> Vec<Arc<T>> {
        let mut found = Vec::new();
        let mut piece = Vec::with_capacity(PIECE);
        for shard in &self.shards {
            let so_far = found.len();
            let mut before = u64::MAX;
            while found.len() - so_far < limit {
                shard.lock().copy(before, &mut piece);
                let Some(oldest) = piece.last() else { break };
                before = oldest.serial;
                let left = limit - (found.len() - so_far);
                found.extend(piece.drain(..).filter(|it| fits(&it.thing)).take(left));
            }
        }
        found.sort_unstable_by_key(|it| std::cmp::Reverse(it.serial));
        found.truncate(limit);
        found.into_iter().map(|it| it.thing).collect()
    }

    /// Keeps `keep` things a shard from now on; lets go of the oldest that are too many. 0: keeps nothing.
    pub fn resize(&self, keep: usize) {
        for shard in &self.shards {
            let too_many = shard.lock().resize(keep);
            drop(too_many);
        }
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().kept.len()).sum()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Shard<T> {
    /// What has to make room: the oldest, or the thing itself if nothing is kept.
    fn push(&mut self, next: &AtomicU64, thing: Arc<T>) -> Option<Arc<T>> {
        if self.keep == 0 {
            return Some(thing);
        }
        let is_full = self.kept.len() >= self.keep;
        let oldest = if is_full { self.kept.pop_front() } else { None };
        // Relaxed: the lock orders the numbers within the shard, and nothing is published by them.
        let serial = next.fetch_add(1, Ordering::Relaxed);
        self.kept.push_back(Kept { serial, thing });
        oldest.map(|it| it.thing)
    }

    /// Puts the next few that are older than `before` into `piece`, newest first.
    fn copy(&self, before: u64, piece: &mut Vec<Kept<T>>) {
        let end = self.kept.partition_point(|it| it.serial < before);
        let older = self.kept.range(..end).rev().take(PIECE);
        piece.clear();
        piece.extend(older.map(|it| Kept {
            serial: it.serial,
            thing: it.thing.clone(),
        }));
    }

    /// Those for whom there is no room any more.
    fn resize(&mut self, keep: usize) -> VecDeque<Kept<T>> {
        self.keep = keep;
        let too_many = self.kept.len().saturating_sub(keep);
        let stay = self.kept.split_off(too_many);
        std::mem::replace(&mut self.kept, stay)
    }
}

impl<T> fmt::Debug for Recent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent")
            .field("shards", &self.shards.len())
            .field("kept", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
