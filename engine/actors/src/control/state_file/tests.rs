//! The state file: written, read, and spared when it is not ours.

use serde_json::json;
use tollgate_core::Clock;

use super::super::versions::{Entry, Origin};
use super::*;
use crate::testing::Scratch;

fn one_version() -> Versions {
    let mut versions = Versions::default();
    versions.go_live(Entry {
        at: Clock.wall(),
        author: "ada".to_owned(),
        reason: "cheaper".to_owned(),
        overlay: json!({"routes": {"fast": {"sticky": true}}}),
        origin: Origin::Change,
    });
    versions
}

fn open(path: &Path) -> (StateFile, Versions, Option<String>) {
    StateFile::open(path, Clock.wall())
}

#[test]
fn what_was_saved_is_there_again() {
    let scratch = Scratch::new();
    let path = scratch.file("state.json");
    let (mut file, versions, unusable) = open(&path);
    assert_eq!((versions, unusable), (Versions::default(), None));
    file.save(&one_version()).unwrap();
    let (mut file, versions, unusable) = open(&path);
    assert_eq!(unusable, None);
    assert_eq!(versions.live_overlay(), one_version().live_overlay());
    file.save(&Versions::default()).unwrap();
    assert_eq!(open(&path).1, Versions::default());
    assert!(!scratch.file("state.json.new").exists());
}

#[test]
fn what_is_not_ours_is_named_and_kept() {
    let foreign = [
        "",
        "not json",
        "[]",
        "{}",
        r#"{"format": "something-else/3", "versions": []}"#,
        r#"{"format": "tollgate-state/1", "versions": [], "more": 1}"#,
        r#"{"format": "tollgate-state/1", "versions": [{"number": 1}]}"#,
    ];
    for text in foreign {
        let scratch = Scratch::new();
        let path = scratch.file("state.json");
        fs::write(&path, text).unwrap();
        let (mut file, versions, unusable) = open(&path);
        assert_eq!(versions, Versions::default());
        let unusable = unusable.unwrap();
        assert!(
            unusable.contains("state.json holds no state that can be used"),
            "{unusable}"
        );
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            text,
            "left alone until there is something to save"
        );
        file.save(&one_version()).unwrap();
        let kept = scratch.file("state.json.unusable");
        assert_eq!(fs::read_to_string(&kept).unwrap(), text);
        assert_eq!(open(&path).1.live(), 1);
        fs::remove_file(&kept).unwrap();
        file.save(&one_version()).unwrap();
        assert!(!kept.exists(), "moved aside once only");
    }
}

#[test]
fn bytes_that_are_no_text_and_a_directory_are_no_state() {
    let scratch = Scratch::new();
    let path = scratch.file("state.json");
    fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
    assert!(open(&path).2.is_some());
    let folder = scratch.file("folder");
    fs::create_dir(&folder).unwrap();
    assert!(open(&folder).2.is_some());
}

#[test]
fn a_place_that_cannot_be_written_to_is_an_error_and_no_panic() {
    let scratch = Scratch::new();
    let (mut file, _, unusable) = open(&scratch.file("missing/state.json"));
    assert_eq!(unusable, None, "no file yet is no problem");
    assert!(file.save(&one_version()).is_err());
}
