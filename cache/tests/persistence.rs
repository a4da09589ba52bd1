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

#[path = "persistence/faulty.rs"]
mod faulty;
#[path = "persistence/keeper.rs"]
mod keeper;

use faulty::{Dice, Fault, Faulty};
use keeper::{Keeper, NOW, Op, check_restarts, entry, restore, settings, version_of};

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

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => any::<u8>().prop_map(Op::Put),
        3 => any::<u8>().prop_map(Op::Replace),
        2 => any::<u8>().prop_map(Op::Evict),
        2 => any::<u8>().prop_map(Op::Remove),
        2 => any::<u8>().prop_map(Op::Invalidate),
        1 => any::<u8>().prop_map(Op::Condemn),
        2 => Just(Op::Sync),
        2 => Just(Op::Begin),
        3 => (0u8..4).prop_map(Op::Fill),
        2 => Just(Op::Commit),
        1 => Just(Op::Compact),
        2 => Just(Op::Restart),
        2 => (0u8..4).prop_map(Op::Load),
        4 => Just(Op::LoadAll),
    ]
}

/// What can become of a file.
#[derive(Debug, Clone)]
enum Harm {
    Flip {
        at: usize,
        bit: u8,
    },
    CutOff {
        at: usize,
    },
    Zeros {
        from: usize,
    },
    MoreZeros {
        many: usize,
    },
    /// A piece of it comes twice, in place of what was there or before it.
    Twice {
        from: usize,
        len: usize,
        to: usize,
        replaces: bool,
    },
    /// A piece of it is missing.
    Hole {
        from: usize,
        len: usize,
    },
    /// Another file of the cache under this name.
    Swapped {
        with: usize,
    },
    Foreign(Vec<u8>),
    Deleted,
}

fn any_harm() -> impl Strategy<Value = Harm> {
    let place = 0usize..5000;
    prop_oneof![
        4 => (place.clone(), 0u8..8).prop_map(|(at, bit)| Harm::Flip { at, bit }),
        3 => place.clone().prop_map(|at| Harm::CutOff { at }),
        2 => place.clone().prop_map(|from| Harm::Zeros { from }),
        1 => (1usize..5000).prop_map(|many| Harm::MoreZeros { many }),
        3 => (place.clone(), 1usize..600, place.clone(), any::<bool>())
            .prop_map(|(from, len, to, replaces)| Harm::Twice { from, len, to, replaces }),
        2 => (place, 1usize..600).prop_map(|(from, len)| Harm::Hole { from, len }),
        1 => any::<usize>().prop_map(|with| Harm::Swapped { with }),
        1 => prop::collection::vec(any::<u8>(), 0..300).prop_map(Harm::Foreign),
        1 => Just(Harm::Deleted),
    ]
}

impl Harm {
    fn befall(&self, files: &Faulty, nth: usize) {
        let names: Vec<String> = files
            .names()
            .into_iter()
            .filter(|name| name != "cache.lock")
            .collect();
        let Some(name) = names.get(nth % names.len().max(1)) else {
            return;
        };
        let mut bytes = files.read(name);
        let within = |place: &usize| place % (bytes.len() + 1);
        match self {
            Self::Flip { at, bit } => {
                let at = at % bytes.len().max(1);
                bytes
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|byte| *byte ^= 1 << bit);
            }
            Self::CutOff { at } => bytes.truncate(within(at)),
            Self::Zeros { from } => {
                let from = within(from);
                bytes[from..].fill(0);
            }
            Self::MoreZeros { many } => bytes.extend(vec![0; *many]),
            Self::Twice {
                from,
                len,
                to,
                replaces,
            } => {
                let (from, to) = (within(from), within(to));
                let piece = bytes[from..(from + len).min(bytes.len())].to_vec();
                let end = if *replaces {
                    (to + piece.len()).min(bytes.len())
                } else {
                    to
                };
                bytes.splice(to..end, piece);
            }
            Self::Hole { from, len } => {
                let from = within(from);
                bytes.drain(from..(from + len).min(bytes.len()));
            }
            Self::Swapped { with } => bytes = files.read(&names[with % names.len()]),
            Self::Foreign(foreign) => bytes.clone_from(foreign),
            Self::Deleted => return files.delete(name),
        }
        files.put(name, bytes);
    }
}

proptest! {
    #[test]
    fn whatever_was_done_and_whenever_it_ends_nothing_that_is_gone_comes_back(
        ops in prop::collection::vec(any_op(), 1..80), share in 0.0f64..1.0, seed: u64, kind in 0u8..6
    ) {
        let whole = Faulty::default();
        let keeper = Keeper::run(&whole, &ops);
        prop_assert!(keeper.is_on());
        check_restarts(&whole.after_kill(), &keeper.truth);
        let fault = match kind {
            0 => Fault::Once(ErrorKind::StorageFull),
            1 => Fault::Once(ErrorKind::Other),
            2 => Fault::Full,
            3 => Fault::Stumble(seed % 40),
            _ => Fault::Dead,
        };
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss,
            reason = "any step will do")]
        let files = Faulty::with_fault(fault, (whole.steps() as f64 * share) as u64);
        let truth = Keeper::run(&files, &ops).truth;
        check_restarts(&files.after_kill(), &truth);
        check_restarts(&files.after_power_loss(&mut Dice(seed)), &truth);
    }

    #[test]
    fn harm_to_any_one_file_brings_nothing_back_that_is_gone(
        ops in prop::collection::vec(any_op(), 1..60), harm in any_harm(), nth: usize, seed: u64
    ) {
        let files = Faulty::default();
        let keeper = Keeper::run(&files, &ops);
        for files in [files.after_kill(), files.after_power_loss(&mut Dice(seed))] {
            harm.befall(&files, nth);
            let (restored, _) = restore(&files);
            for entry in restored.values() {
 keeper.truth.check(entry);
}
        }
    }

    #[test]
    fn harm_to_all_files_is_survived_and_what_comes_back_is_as_it_was(
        ops in prop::collection::vec(any_op(), 1..60), harms in prop::collection::vec((any_harm(), any::<usize>()), 1..9)
    ) {
        let files = Faulty::default();
        let keeper = Keeper::run(&files, &ops);
        let files = files.after_kill();
        for (harm, nth) in &harms {
 harm.befall(&files, *nth);
}
        let (restored, _) = restore(&files);
        for entry in restored.values() {
 keeper.truth.check_content(entry);
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

/// A frame as the documentation of the format has it.
fn frame(identity: u32, place: u64, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u64;
    let sum = [
        &identity.to_le_bytes()[..],
        &place.to_le_bytes(),
        &len.to_le_bytes(),
        payload,
    ]
    .concat();
    let head = [u32::try_from(len).unwrap(), crc32fast::hash(&sum)];
    [&head[0].to_le_bytes()[..], &head[1].to_le_bytes(), payload].concat()
}

/// Seven bits a byte, the lowest first.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(u8::try_from(number % 0x80).unwrap() | 0x80);
        number /= 0x80;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

/// The header's checksum, which all others include.
fn identity(file: &[u8]) -> u32 {
    u32::from_le_bytes(*file[16..].first_chunk().unwrap())
}

const LOG: &str = "cache-00000001.log";

#[test]
fn the_format_is_the_same_for_ever() {
    // If this fails, the version of the format has to go up.
    let files = left_by(settings(), &[entry(1, 2, 5)]);
    let mut log = b"TGCACHE\n\x01\0\0\0".to_vec();
    let header = [b"\x01\x01", &*varint(1_800_000_000_000), b"\x07model-1"].concat();
    log.extend(frame(1, 12, &header));
    let (exact, partition) = (
        keeper::digest("1/2").to_bytes(),
        keeper::digest("another").to_bytes(),
    );
    let mut payload = vec![0, 1];
    payload.extend(exact);
    payload.push(0);
    payload.extend(partition);
    payload.extend(b"\x08tenant-2\x07route-1\x01\x05tag-0\0\0\x14It is 1/2.It is 1/2.");
    payload.extend(
        [1000, 40, 2, 3, 1_800_000_000_001, 1_800_001_000_000, 0]
            .map(varint)
            .concat(),
    );
    log.extend(frame(identity(&log), log.len() as u64, &payload));
    assert_eq!(files.read(LOG), log);
}

#[test]
fn a_file_of_another_format_is_skipped_and_the_line_says_so() {
    let files = left_by(settings(), &[entry(1, 2, 5)]);
    let mut bytes = files.read(LOG);
    bytes[8] = 7;
    files.put(LOG, bytes);
    let (restored, lines) = restore(&files);
    assert_eq!(restored, BTreeMap::new());
    let line = "/folder/cache-00000001.log: it is of format 7, and only format 1 is read; it is skipped";
    assert_eq!(lines, [line]);
}

#[test]
fn a_log_that_is_cut_off_is_used_up_to_there_and_the_line_says_so() {
    let files = left_by(settings(), &[entry(1, 1, 5), entry(2, 2, 5), entry(3, 3, 5)]);
    let mut bytes = files.read(LOG);
    bytes.truncate(bytes.len() - 1);
    files.put(LOG, bytes);
    let (restored, lines) = restore(&files);
    assert_eq!(restored.into_keys().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].contains("cut off at byte") && lines[0].contains("its 2 records before are used"),
        "{lines:?}"
    );
}

#[test]
fn a_log_that_was_cut_below_an_acknowledged_invalidation_takes_all_that_is_older_with_it() {
    let files = Faulty::default();
    let (mut log, _) = Log::open(Arc::new(files.clone()), settings(), NOW);
    log.append(&Record::Put(entry(1, 1, 5)));
    let before = files.read(LOG).len();
    log.append_durable(&Record::Invalidate(Selection::default()))
        .unwrap();
    drop(log);
    let (mut log, _) = Log::open(Arc::new(files.clone()), settings(), NOW);
    log.append(&Record::Put(entry(2, 2, 5)));
    log.sync();
    drop(log);
    let mut bytes = files.read(LOG);
    // At the end of a record: nothing in the log itself tells.
    bytes.truncate(bytes.len() - 14);
    assert!(bytes.len() > before);
    files.put(LOG, bytes);
    let (mut log, mut loader) = Log::open(Arc::new(files.clone()), settings(), NOW);
    assert_eq!(loader.by_ref().map(|it| it.id).collect::<Vec<_>>(), [2]);
    assert!(matches!(
        loader.report().skipped[0].consequence,
        Consequence::Older
    ));
    assert!(matches!(loader.report().skipped[0].reason, Damage::CutOff(_)));
    assert_eq!(log.take_notice(), None);
}

/// A process for each part; entry 1 comes in the first and goes in the second.
fn three_processes() -> Faulty {
    let files = left_by(settings(), &[entry(1, 1, 5), entry(2, 2, 6)]);
    let (mut log, _) = Log::open(Arc::new(files.clone()), settings(), NOW);
    log.append_durable(&Record::Remove(1)).unwrap();
    drop(log);
    let (mut log, _) = Log::open(Arc::new(files.clone()), settings(), NOW);
    log.append(&Record::Put(entry(3, 3, 3)));
    log.sync();
    drop(log);
    files
}

/// Entries that are restored, after a change to some files.
fn restored_after(change: impl Fn(&Faulty)) -> Vec<u64> {
    let files = three_processes();
    change(&files);
    restore(&files).0.into_keys().collect()
}

#[test]
fn a_log_that_is_not_the_one_that_was_written_takes_all_that_is_older_with_it() {
    let (log, marks) = ("cache-00000002.log", "cache-00000002.marks");
    let to_format = |files: &Faulty, name, format| {
        let mut bytes = files.read(name);
        bytes[8] = format;
        files.put(name, bytes);
    };
    assert_eq!(restored_after(|_| {}), [2, 3]);
    assert_eq!(restored_after(|files| files.delete(marks)), [2, 3]);
    assert_eq!(restored_after(|files| files.delete(log)), [3]);
    assert_eq!(restored_after(|files| files.put(log, files.read(LOG))), [3]);
    assert_eq!(restored_after(|files| to_format(files, log, 9)), [3]);
    // As an older or a newer program leaves it, and whoever tidies up.
    let both_of_another_format = |files: &Faulty| {
        for name in [log, marks] {
            to_format(files, name, 9);
        }
    };
    assert_eq!(restored_after(both_of_another_format), [3]);
    assert_eq!(
        restored_after(|files| [log, marks].iter().for_each(|name| files.delete(name))),
        [3]
    );
}

#[test]
fn files_that_are_given_up_do_not_come_back_in_part_when_power_is_lost_meanwhile() {
    for (later, seed) in (0..30).flat_map(|later| (0..60).map(move |seed| (later, seed))) {
        let files = three_processes().after_kill();
        let (mut log, _) = Log::open(Arc::new(files.clone()), settings(), NOW);
        files.fail_from_now(Fault::Stumble(later));
        let _ = log.append_durable(&Record::Invalidate(Selection::default()));
        let (restored, _) = restore(&files.after_power_loss(&mut Dice(seed)));
        assert!(!restored.contains_key(&1), "after {later} steps");
    }
}

#[test]
fn a_record_that_was_copied_to_another_place_or_file_is_no_record() {
    let files = left_by(settings(), &[entry(1, 1, 5)]);
    let put = files.read(LOG)[36..].to_vec();
    let (mut log, _) = Log::open(Arc::new(files.clone()), settings(), NOW);
    log.append_durable(&Record::Remove(1)).unwrap();
    drop(log);
    assert_eq!(restore(&files.after_kill()).0, BTreeMap::new());
    let later = "cache-00000002.log";
    files.put(later, [files.read(later), put.clone()].concat());
    assert_eq!(restore(&files.after_kill()).0, BTreeMap::new());
    let same = left_by(settings(), &[entry(1, 1, 5)]);
    let (mut log, _) = Log::open(Arc::new(same.clone()), settings(), NOW);
    log.append(&Record::Put(entry(1, 1, 5)));
    log.append_durable(&Record::Remove(1)).unwrap();
    drop(log);
    let bytes = same.read(later);
    let copy = bytes[36..36 + put.len()].to_vec();
    same.put(later, [bytes, copy].concat());
    assert_eq!(restore(&same).0, BTreeMap::new());
}

#[test]
fn a_record_of_another_log_at_its_own_place_is_no_record() {
    let files = left_by(settings(), &[entry(1, 1, 5)]);
    let put = files.read(LOG)[36..].to_vec();
    let (log, _) = Log::open(Arc::new(files.clone()), settings(), NOW);
    drop(log);
    let later = "cache-00000002.log";
    files.put(later, [files.read(later), put].concat());
    let (restored, lines) = restore(&files);
    assert_eq!(restored.len(), 1);
    assert!(
        lines.len() == 1 && lines[0].contains("a checksum is wrong"),
        "{lines:?}"
    );
}

#[test]
fn lengths_that_lie_allocate_nothing() {
    let files = left_by(settings(), &[entry(1, 1, 5)]);
    let sound = files.read(LOG);
    let (identity, place) = (identity(&sound), sound.len() as u64);
    let huge = b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f";
    let inside = |prefix: &[u8]| frame(identity, place, &[prefix, huge].concat());
    let digests = [&[0, 9][..], &[1; 16], &[0], &[1; 16]].concat();
    let tails = [
        // The length of a frame: beyond any limit, beyond the file, and in a file that is large enough.
        vec![0xff; 400],
        [&(31u32 << 20).to_le_bytes()[..], &[7; 100]].concat(),
        // The length of a tenant, of a list of tags, of codes, of an answer; with a checksum that is right.
        inside(&digests),
        inside(&[&digests[..], &[0, 0]].concat()),
        inside(&[&digests[..], &[0, 0, 0, 0, 1]].concat()),
        inside(&[&digests[..], &[0, 0, 0, 0, 0]].concat()),
        inside(&[2, 1]),
    ];
    for tail in tails {
        files.put(LOG, [&sound[..], &tail].concat());
        let again = files.after_kill();
        let mut found = (0, 0);
        let allocated = allocation_counter::measure(|| {
            let (restored, lines) = restore(&again);
            found = (restored.len(), lines.len());
        });
        assert_eq!(found, (1, 1), "{tail:?}");
        assert!(allocated.bytes_max < 1 << 20, "{allocated:?} for {tail:?}");
    }
}

#[test]
fn another_model_costs_the_vectors_and_not_the_entries() {
    let entries = [entry(1, 1, 8), entry(2, 2, 5)];
    let other = Settings {
        model: "model-0".to_owned(),
        ..settings()
    };
    let files = left_by(other, &entries);
    let (mut log, mut loader) = Log::open(Arc::new(files.clone()), settings(), NOW);
    let restored: Vec<StoredEntry> = loader.by_ref().collect();
    assert!(entries[0].codes.is_some() && entries[0].words.is_some());
    assert_eq!(
        restored[0],
        StoredEntry {
            codes: None,
            ..entries[0].clone()
        }
    );
    assert_eq!(restored[1], entries[1]);
    assert_eq!((loader.report().restored, loader.report().without_vector), (2, 1));
    // Written again by the present one, vectors and all.
    log.finish_loading();
    log.compact(&entries, NOW);
    drop(log);
    assert_eq!(restore(&files).0[&1], entries[0]);
}

#[test]
fn an_entry_whose_time_is_over_is_not_restored() {
    let brief = StoredEntry {
        expires: NOW,
        ..entry(1, 1, 1)
    };
    let files = left_by(settings(), &[brief.clone(), entry(2, 2, 2)]);
    let just_before = Timestamp::from_unix_millis(NOW.unix_millis() - 1);
    for (now, expected) in [(just_before, 2), (NOW, 1)] {
        let (_log, loader) = Log::open(Arc::new(files.after_kill()), settings(), now);
        assert_eq!(loader.count(), expected);
    }
}

#[test]
fn an_entry_that_was_found_wrong_is_not_restored_however_that_was_written() {
    let while_written = StoredEntry {
        condemned: true,
        ..entry(1, 1, 1)
    };
    let files = left_by(settings(), &[while_written, entry(2, 2, 2), entry(3, 3, 3)]);
    let (mut log, _) = Log::open(Arc::new(files.clone()), settings(), NOW);
    log.append_durable(&Record::Condemn(2)).unwrap();
    drop(log);
    assert_eq!(restore(&files).0.into_keys().collect::<Vec<_>>(), [3]);
}

#[test]
fn loading_can_be_stopped_and_done_again() {
    let files = left_by(
        settings(),
        &(1..=100).map(|id| entry(id, id, 1)).collect::<Vec<_>>(),
    );
    let (mut log, mut loader) = Log::open(Arc::new(files.clone()), settings(), NOW);
    assert_eq!(loader.by_ref().take(3).count(), 3);
    loader.stopper().store(true, Ordering::Relaxed);
    assert!(loader.next().is_none());
    // The rest is on disk only, and no snapshot may take its place.
    assert!(log.begin_snapshot(NOW).is_none() && !log.wants_snapshot());
    drop(log);
    assert_eq!(restore(&files).0.len(), 100);
}

#[test]
fn what_happens_while_loading_is_not_undone_by_what_is_loaded() {
    let files = left_by(
        settings(),
        &[1, 2, 3, 4, 5].map(|id| entry(id, id, [4, 1, 2, 2, 2][usize::try_from(id).unwrap() - 1])),
    );
    let (mut log, loader) = Log::open(Arc::new(files), settings(), NOW);
    let restored: Vec<StoredEntry> = loader.collect();
    let tenant = Some("tenant-1".into());
    log.append_durable(&Record::Invalidate(Selection {
        tenant,
        ..Selection::default()
    }))
    .unwrap();
    log.append(&Record::Put(entry(3, 9, 2)));
    log.append(&Record::Condemn(4));
    let admitted: Vec<bool> = restored.iter().map(|it| log.admits(it)).collect();
    assert_eq!(admitted, [false, false, false, false, true]);
}

#[test]
fn a_second_process_goes_without_and_says_so() {
    let files = left_by(settings(), &[entry(1, 1, 1)]);
    let (mut first, _) = Log::open(Arc::new(files.clone()), settings(), NOW);
    let (mut second, loader) = Log::open(Arc::new(files.clone()), settings(), NOW);
    let line = second.take_notice().unwrap().to_string();
    assert_eq!(line, "the cache is not kept in /folder/: another process has it");
    assert_eq!((second.take_notice(), first.take_notice()), (None, None));
    assert_eq!(loader.count(), 0);
    second.append(&Record::Put(entry(5, 5, 5)));
    let undone = second.append_durable(&Record::Invalidate(Selection::default()));
    assert!(undone.is_err(), "the first one still has it");
    drop((first, second));
    assert_eq!(restore(&files).0.into_keys().collect::<Vec<_>>(), [1]);
}

#[test]
fn a_full_disk_is_told_once_and_leaves_nothing_behind() {
    let files = Faulty::with_fault(Fault::Full, 1000);
    let (mut log, _) = Log::open(Arc::new(files.clone()), settings(), NOW);
    for id in 0..100 {
        log.append(&Record::Put(entry(id, id, 5)));
        log.tick(Moment::from_millis(id * 1001));
    }
    let line = log.take_notice().unwrap().to_string();
    assert!(
        line.contains("/folder") && line.contains("no storage space"),
        "{line}"
    );
    assert_eq!(log.take_notice(), None);
    assert_eq!(files.names(), Vec::<String>::new());
    assert_eq!(log.append_durable(&Record::Remove(1)), Ok(()));
}

#[test]
fn no_promise_is_made_if_the_files_can_neither_be_written_nor_removed() {
    let files = Faulty::with_fault(Fault::Dead, 1000);
    let (mut log, _) = Log::open(Arc::new(files.clone()), settings(), NOW);
    (0..100).for_each(|id| log.append(&Record::Put(entry(id, id, 5))));
    let refused = log.append_durable(&Record::Remove(1)).unwrap_err();
    assert!(refused.to_string().contains("may come back"), "{refused}");
    assert!(log.append_durable(&Record::Remove(2)).is_err());
}

#[test]
fn it_stays_inside_its_limit_and_a_snapshot_makes_room() {
    let limit_bytes = 300_000;
    let files = Faulty::default();
    let (mut log, _) = Log::open(
        Arc::new(files.clone()),
        Settings {
            limit_bytes,
            ..settings()
        },
        NOW,
    );
    let total = || {
        files
            .names()
            .iter()
            .map(|name| files.read(name).len() as u64)
            .sum::<u64>()
    };
    let large = |id: u64| StoredEntry {
        answer: vec![b'x'; 2000].into(),
        ..entry(id, id, 5)
    };
    let mut kept = BTreeMap::new();
    let (mut most, mut snapshots) = (0, 0);
    for id in 0..2000 {
        kept.insert(id, large(id));
        log.append(&Record::Put(large(id)));
        if id % 3 == 0 {
            kept.remove(&id);
            log.append(&Record::Remove(id));
        }
        // 30 entries of 2 KiB are in use at a time.
        while kept.len() > 30 {
            let (oldest, _) = kept.pop_first().unwrap();
            log.append(&Record::Remove(oldest));
        }
        if log.wants_snapshot() {
            let mut snapshot = log.begin_snapshot(NOW).unwrap();
            for entry in kept.values() {
                assert_eq!(snapshot.put(entry), Room::Left);
            }
            log.sync();
            most = most.max(total());
            log.commit(snapshot);
            snapshots += 1;
        }
    }
    log.sync();
    assert!(snapshots > 20, "{snapshots}");
    assert!(most <= limit_bytes, "{most}");
    assert_eq!((log.take_notice(), log.stats().dropped), (None, 0));
    drop(log);
    assert_eq!(restore(&files).0, kept);
}

#[test]
fn without_room_entries_are_dropped_and_those_they_replace_do_not_come_back() {
    let files = Faulty::default();
    let small = Settings {
        limit_bytes: 8000,
        ..settings()
    };
    let (mut log, _) = Log::open(Arc::new(files.clone()), small, NOW);
    log.append(&Record::Put(entry(1, 1, 5)));
    let answer = vec![b'x'; 3000].into();
    log.append(&Record::Put(StoredEntry {
        answer,
        ..entry(1, 2, 5)
    }));
    assert_eq!(log.stats().dropped, 1);
    let mut snapshot = log.begin_snapshot(NOW).unwrap();
    let written = (1..100)
        .take_while(|id| snapshot.put(&entry(*id, *id, 5)) == Room::Left)
        .count();
    assert!((5..30).contains(&written), "{written}");
    drop(snapshot);
    log.sync();
    drop(log);
    assert_eq!(restore(&files).0, BTreeMap::new());
}

#[test]
fn ids_of_later_runs_follow_those_of_earlier_ones() {
    let files = Faulty::default();
    let mut last = 0;
    for _ in 0..3 {
        let (log, _) = Log::open(Arc::new(files.clone()), settings(), NOW);
        assert!(log.first_id() >= last + (1 << 40));
        last = log.first_id();
    }
}

#[test]
fn files_of_others_are_left_alone() {
    let files = left_by(settings(), &[entry(1, 1, 1)]);
    let foreign = [
        "notes.txt",
        "cache-1.log",
        "cache-00000001.log.bak",
        "cache-99999999.log",
    ];
    for name in foreign {
        files.put(name, b"mine".to_vec());
    }
    let (mut log, loader) = Log::open(Arc::new(files.clone()), settings(), NOW);
    assert_eq!(loader.count(), 1);
    log.finish_loading();
    log.compact(&[entry(1, 1, 1)], NOW);
    drop(log);
    assert_eq!(restore(&files).0.len(), 1);
    for name in foreign {
        assert_eq!(files.read(name), b"mine");
    }
}

/// A folder of the file system, removed at the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("tollgate-cache-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        Self(folder)
    }

    fn open(&self) -> (Log, tollgate_cache::persist::Loader) {
        Log::open(Arc::new(Disk::new(self.0.join("deep"))), settings(), NOW)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn it_works_on_a_disk() {
    let folder = Folder::new("disk");
    let entries: BTreeMap<u64, StoredEntry> = (1..=200u8)
        .map(|id| (id.into(), entry(id.into(), id.into(), id)))
        .collect();
    let (mut log, loader) = folder.open();
    assert_eq!((log.take_notice(), loader.count()), (None, 0));
    log.compact(entries.values().take(100), NOW);
    entries
        .values()
        .skip(90)
        .for_each(|it| log.append(&Record::Put(it.clone())));
    log.append_durable(&Record::Remove(7)).unwrap();
    let (mut second, _) = folder.open();
    assert!(
        second
            .take_notice()
            .unwrap()
            .to_string()
            .ends_with("another process has it")
    );
    drop((log, second));
    let (mut log, mut loader) = folder.open();
    let restored: BTreeMap<u64, StoredEntry> = loader.by_ref().map(|it| (it.id, it)).collect();
    let expected = entries.into_iter().filter(|(id, _)| *id != 7).collect();
    assert_eq!(restored, expected);
    assert!(loader.report().skipped.is_empty());
    log.finish_loading();
    log.compact(restored.values(), NOW);
    assert_eq!(log.take_notice(), None);
    let mut names: Vec<String> = std::fs::read_dir(folder.0.join("deep"))
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["cache-00000004.log", "cache-00000004.snapshot", "cache.lock"]
    );
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_answers() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new("private");
    let (mut log, _) = folder.open();
    log.compact(&[entry(1, 1, 1)], NOW);
    log.append_durable(&Record::Remove(9)).unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.0.join("deep")), 0o700);
    let files: Vec<_> = std::fs::read_dir(folder.0.join("deep")).unwrap().collect();
    assert_eq!(files.len(), 4);
    for file in files {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn a_folder_that_cannot_be_made_switches_it_off() {
    let folder = Folder::new("file");
    std::fs::write(&folder.0, "a file").unwrap();
    let (mut log, loader) = folder.open();
    assert!(log.take_notice().unwrap().to_string().contains("/deep"));
    assert_eq!(loader.count(), 0);
    log.append(&Record::Put(entry(1, 1, 1)));
    assert!(log.append_durable(&Record::Remove(1)).is_err());
    std::fs::remove_file(&folder.0).unwrap();
}

#[test]
fn a_snapshot_is_written_on_another_thread_while_entries_come_and_go() {
    let folder = Folder::new("threads");
    let (mut log, _) = folder.open();
    (1..=50).for_each(|id| log.append(&Record::Put(entry(id, id, 1))));
    let mut snapshot = log.begin_snapshot(NOW).unwrap();
    let writer = std::thread::spawn(move || {
        (1..=50).for_each(|id| assert_eq!(snapshot.put(&entry(id, id, 1)), Room::Left));
        snapshot
    });
    log.append_durable(&Record::Remove(20)).unwrap();
    log.append(&Record::Put(entry(51, 51, 1)));
    log.append(&Record::Put(entry(30, 52, 1)));
    log.commit(writer.join().unwrap());
    log.sync();
    drop(log);
    let (_log, loader) = folder.open();
    let restored: BTreeMap<u64, u64> = loader.map(|it| (it.id, version_of(&it))).collect();
    assert_eq!(restored.len(), 50);
    assert_eq!((restored.get(&20), restored[&30], restored[&51]), (None, 52, 51));
}

#[test]
fn what_was_in_a_store_is_in_the_next_one() {
    let verifier = Verifier::built_in();
    let question = |words: &str, vector: Vector| Question {
        words: words.into(),
        vector: Arc::new(Vector::of(&[0.5; 8]).unwrap()),
        elsewhere: Some(Elsewhere {
            place: Space::Remote("there".into()).place(&entry(1, 1, 11).partition),
            vector: Arc::new(vector),
        }),
        analysis: Arc::new(verifier.analyse(words)),
    };
    let words = "how tall is the tower?";
    let direction = Vector::of(&[0.1, -0.7, 0.3]).unwrap();
    let first = Store::new(StoreSettings::default());
    for id in 1..=3 {
        let question = (id != 2).then(|| question(words, direction.clone()));
        let (id, new) = entry(id, id, 11).into_new(question, first.begin());
        assert!(matches!(first.restore(id, new, NOW), Inserted::Stored { .. }));
    }
    let files = Faulty::default();
    let (mut log, _) = Log::open(Arc::new(files.clone()), settings(), NOW);
    let written: BTreeMap<u64, StoredEntry> = first.iter().map(|it| (it.id.0, (&*it).into())).collect();
    log.compact(written.values(), NOW);
    drop(log);

    let second = Store::new(StoreSettings::default());
    let (log, loader) = Log::open(Arc::new(files), settings(), NOW);
    let begun = second.begin();
    for stored in loader.filter(|it| log.admits(it)) {
        assert_eq!(stored, written[&stored.id]);
        let words = stored.words.clone();
        let question = words.and_then(|it| Some(question(&it, stored.vector()?)));
        let (id, new) = stored.into_new(question, begun);
        assert!(matches!(second.restore(id, new, NOW), Inserted::Stored { .. }));
    }
    let again: BTreeMap<u64, StoredEntry> = second.iter().map(|it| (it.id.0, (&*it).into())).collect();
    assert_eq!((again.len(), &again), (3, &written));
    let found = second.get(EntryId(3)).unwrap();
    let elsewhere = found.question.as_ref().unwrap().elsewhere.as_ref();
    assert_eq!(*elsewhere.unwrap().vector, direction);
    assert_eq!(found.expires, entry(3, 3, 11).expires);
    assert!(
        second
            .exact(&entry(2, 2, 11).exact, NOW)
            .is_some_and(|it| it.question.is_none())
    );
}
