//! The cache survives restarts: killed at every byte, on every kind of failing disk, with files damaged in any way, it
//! brings entries back as they were or not at all, and never one that was invalidated.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests, whose helpers clippy takes for production code"
)]

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use tollgate_cache::Vector;
use tollgate_cache::embed::Space;
use tollgate_cache::persist::{Consequence, Damage, Disk, Log, Record, Room, Settings, StoredEntry};
use tollgate_cache::store::{Elsewhere, EntryId, Inserted, Question, Selection, Store, StoreSettings};
use tollgate_cache::verify::Verifier;
use tollgate_core::{Moment, Timestamp};

#[path = "persistence/disk.rs"]
mod disk;
#[path = "persistence/faulty.rs"]
mod faulty;
#[path = "persistence/format.rs"]
mod format;
#[path = "persistence/harm.rs"]
mod harm;
#[path = "persistence/keeper.rs"]
mod keeper;
#[path = "persistence/lives.rs"]
mod lives;

use faulty::{Dice, Fault, Faulty};
use keeper::{Keeper, NOW, Op, check_restarts, entry, restore, settings, version_of};

/// The first file of a log.
const LOG: &str = "cache-00000001.log";

/// Three processes: everything is done in each state of the files.
fn a_life() -> Vec<Op> {
    use Op::{
        Begin, Commit, Compact, Condemn, Evict, Fill, Invalidate, Load, LoadAll, Put, Remove, Replace,
        Restart, Sync,
    };
    vec![
        LoadAll,
        Put(1),
        Put(2),
        Put(3),
        Put(6),
        Put(7),
        Sync,
        Invalidate(1),
        Put(5),
        Replace(0),
        Condemn(1),
        Put(10),
        Remove(0),
        Sync,
        Compact,
        Put(11),
        Put(4),
        Invalidate(0),
        Put(8),
        Evict(1),
        Restart,
        Load(1),
        Put(13),
        Remove(0),
        Invalidate(2),
        LoadAll,
        Put(14),
        Begin,
        Fill(2),
        Put(15),
        Sync,
        Invalidate(3),
        Fill(1),
        Put(16),
        Remove(1),
        Commit,
        Put(17),
        Condemn(0),
        Put(18),
        Sync,
        Put(19),
        Restart,
        Put(20),
        LoadAll,
        Invalidate(4),
        Put(22),
        Begin,
        Fill(1),
        Begin,
        Fill(2),
        Put(23),
        Remove(2),
        Commit,
        Put(25),
        Sync,
        Put(26),
    ]
}

#[test]
fn killed_at_any_byte_it_restores_what_is_safe_and_nothing_that_is_gone() {
    let ops = a_life();
    let whole = Faulty::default();
    let keeper = Keeper::run(&whole, &ops);
    assert!(keeper.is_on());
    assert!(keeper.truth.forbidden.len() > 5 && keeper.truth.safe.len() > 2);
    for step in 0..=whole.steps() {
        let files = Faulty::with_fault(Fault::Dead, step);
        let truth = Keeper::run(&files, &ops).truth;
        check_restarts(&files.after_kill(), &truth);
    }
}

#[test]
fn without_power_at_any_byte_it_restores_what_is_safe_and_nothing_that_is_gone() {
    let ops = a_life();
    let whole = Faulty::default();
    Keeper::run(&whole, &ops);
    for step in 0..=whole.steps() {
        let files = Faulty::with_fault(Fault::Dead, step);
        let truth = Keeper::run(&files, &ops).truth;
        for seed in 0..4 {
            check_restarts(&files.after_power_loss(&mut Dice(step * 4 + seed)), &truth);
        }
    }
}

#[test]
fn an_error_at_any_byte_switches_it_off_and_nothing_that_is_gone_comes_back() {
    let ops = a_life();
    let whole = Faulty::default();
    Keeper::run(&whole, &ops);
    let faults = [
        Fault::Once(ErrorKind::StorageFull),
        Fault::Once(ErrorKind::Other),
        Fault::Full,
    ];
    for step in 0..whole.steps() {
        for fault in faults {
            let files = Faulty::with_fault(fault, step);
            let truth = Keeper::run(&files, &ops).truth;
            check_restarts(&files.after_kill(), &truth);
            check_restarts(&files.after_power_loss(&mut Dice(step)), &truth);
        }
    }
}

#[test]
fn an_error_and_a_kill_or_a_loss_of_power_soon_after_bring_nothing_back_that_is_gone() {
    let ops = a_life();
    let whole = Faulty::default();
    Keeper::run(&whole, &ops);
    for step in 0..whole.steps() {
        for later in [step % 8 + 2, step % 24 + 10] {
            let files = Faulty::with_fault(Fault::Stumble(later), step);
            let truth = Keeper::run(&files, &ops).truth;
            check_restarts(&files.after_kill(), &truth);
            check_restarts(&files.after_power_loss(&mut Dice(step)), &truth);
        }
    }
}

/// A folder in which one process has left these entries, and what it left.
fn left_by(settings: Settings, entries: &[StoredEntry]) -> Faulty {
    let files = Faulty::default();
    let (mut log, _) = Log::open(Arc::new(files.clone()), settings, NOW);
    for entry in entries {
        log.append(&Record::Put(entry.clone()));
    }
    log.sync();
    files
}
