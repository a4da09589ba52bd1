//! On a real disk, and together with a store.

use super::*;

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
