//! The format of the files: the same for ever, and suspicious of whatever is not it.

use super::*;

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
