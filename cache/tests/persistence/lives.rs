//! What processes that follow each other leave and find.

use super::*;

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
