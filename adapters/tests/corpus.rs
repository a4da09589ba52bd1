//! What must hold whatever bytes come, tried with what a fuzzer has found so far (`adapters/fuzz`): each file of its
//! corpus once reached something that none before it had reached, or broke something that has been mended since.
//!
//! `adapters/fuzz/run seed` has the last of these tests write what a fuzzer begins with.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "the whole crate is a test; what it runs stands outside of the functions that say so"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "a crate of its own elsewhere")]
mod fuzz;

/// The dialects, in the order in which the targets count them.
const DIALECTS: [&str; 6] = ["openai", "responses", "anthropic", "gemini", "cohere", "bedrock"];

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|fault| panic!("{}: {fault}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn replay(target: &str) {
    let paths = files(&folder("fuzz/corpus").join(target));
    assert!(paths.len() >= 20, "the corpus is there");
    for path in paths {
        let data = fs::read(&path).unwrap();
        let told = std::panic::catch_unwind(|| fuzz::check(target, &data));
        assert!(told.is_ok(), "{} fails", path.display());
    }
}

#[test]
fn every_known_sse_stream_is_framed_as_the_standard_says() {
    replay("sse");
}

#[test]
fn every_known_event_stream_is_framed_and_no_damage_is_overlooked() {
    replay("eventstream");
}

#[test]
fn every_known_stream_becomes_an_array_of_its_events() {
    replay("array");
}

#[test]
fn every_known_request_is_refused_for_a_reason_or_sent_to_every_provider() {
    replay("request");
}

#[test]
fn every_known_answer_is_unreadable_or_told_to_every_client() {
    replay("answer");
}

#[test]
fn every_known_stream_is_told_in_the_grammar_of_every_client() {
    replay("stream");
}

#[test]
fn every_known_answer_that_broke_off_is_gone_on_with() {
    replay("continued");
}

#[test]
fn every_known_lie_about_a_state_stays_with_whom_it_names() {
    replay("carried");
}

#[test]
fn every_known_kept_answer_is_told_again_as_it_was() {
    replay("kept");
}

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let targets: BTreeSet<&str> = fuzz::TARGETS.iter().map(|(name, _)| *name).collect();
    let corpora = files(&folder("fuzz/corpus"));
    let corpora: BTreeSet<&str> = corpora
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(targets, corpora);
}

#[test]
fn everything_holds_for_the_fixtures_of_the_other_tests() {
    let seeds = seeds();
    assert!(seeds.len() > 300, "{}", seeds.len());
    if let Some(out) = std::env::var_os("SEEDS") {
        return sow(&seeds, Path::new(&out));
    }
    for (target, data) in seeds {
        fuzz::check(target, &data);
    }
}

/// Inputs for each target.
fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let matrix = folder("tests/fixtures/matrix");
    let mut seeds = Vec::new();
    for (number, dialect) in (0_u8..).zip(DIALECTS) {
        let read = |what: &str| -> Value {
            let file = matrix.join(what).join(format!("{dialect}.json"));
            serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
        };
        for request in read("requests").as_object().unwrap().values() {
            seeds.push(("request", input(&[number, 0], request)));
        }
        for field in read("fields").as_array().unwrap() {
            let mut request = read("requests")
                .as_object()
                .unwrap()
                .values()
                .next()
                .unwrap()
                .clone();
            let mut fields = request.as_object_mut().unwrap().clone();
            for with in [&field["without"], &field["with"]] {
                fields.extend(with.as_object().cloned().unwrap_or_default());
            }
            request = fields.into();
            seeds.push(("request", input(&[number, 1], &request)));
        }
        for answer in read("answers").as_object().unwrap().values() {
            seeds.push(("answer", input(&[number, 200], answer)));
            seeds.push((
                "kept",
                input(&[if dialect == "anthropic" { 5 } else { 1 }], answer),
            ));
        }
        for stream in read("streams").as_object().unwrap().values() {
            let stream = framed(dialect, stream);
            let flags = [number, 9, 0, 4, 30, 1];
            seeds.push(("stream", [&flags[..], &stream].concat()));
            seeds.push((
                "kept",
                [&[if dialect == "anthropic" { 6 } else { 2 }], &stream[..]].concat(),
            ));
            if matches!(dialect, "openai" | "anthropic") {
                for (client, second) in [(0, 0), (1, 0), (0, 2), (1, 2)] {
                    // Broken off in the middle, and then all of it again.
                    let middle = u16::try_from(stream.len() / 2).unwrap().to_be_bytes();
                    let settings = [&[client, number, second], &middle[..], &[30, 4, 90, 9]].concat();
                    let both = [&stream[..stream.len() / 2], &stream].concat();
                    seeds.push(("continued", [settings, both].concat()));
                }
            }
            let (target, way) = if dialect == "bedrock" {
                ("eventstream", 1)
            } else {
                ("sse", 0)
            };
            seeds.push(("array", [&[0, 4, 30, 1], &stream[..]].concat()));
            seeds.push((target, [&[way, 0, 4, 30, 1], &stream[..]].concat()));
        }
        for place in 0..4 {
            for owner in 0..12 {
                seeds.push((
                    "carried",
                    [&[number, place, owner, place], &b"state"[..]].concat(),
                ));
            }
        }
    }
    recorded(&folder("tests/fixtures"), &mut seeds);
    seeds.push((
        "eventstream",
        b"\x00\0\0\0\0\0\0\0\x10\0\0\0\0\x05\xc2\x48\xeb\x7d\x98\xc8\xff".to_vec(),
    ));
    seeds.push((
        "eventstream",
        b"\x02\0\0\0\0\x01\x07messageStart {}\n!throttlingException {\"message\":\"m\"}".to_vec(),
    ));
    seeds.push((
        "eventstream",
        b"\x03\0\0\0\0\x17\x0d:message-type\x07\0\x05error{}".to_vec(),
    ));
    seeds.push((
        "sse",
        b"\x01\0\0\0\0\xef\xbb\xbfevent: a\r\ndata: b\r\ndata:c\r\r: d\n\ndata: e".to_vec(),
    ));
    seeds
}

fn input(settings: &[u8], json: &Value) -> Vec<u8> {
    [settings, json.to_string().as_bytes()].concat()
}

/// What providers have sent: in folders of `tests/fixtures` that say so.
fn recorded(folder: &Path, seeds: &mut Vec<(&'static str, Vec<u8>)>) {
    for path in files(folder) {
        if path.is_dir() {
            recorded(&path, seeds);
            continue;
        }
        let number = u8::from(path.to_str().unwrap().contains("/messages-")) * 2;
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let bytes = fs::read(&path).unwrap();
        match name {
            "request.json" => seeds.push(("request", [&[number, 0], &bytes[..]].concat())),
            "response.json" => seeds.push(("answer", [&[number, 200], &bytes[..]].concat())),
            "response.sse" => seeds.push(("stream", [&[number, 1, 9, 0, 50, 2], &bytes[..]].concat())),
            _ => {}
        }
    }
}

/// Events (name, data) as the servers of a dialect frame them; lines to be framed where the frames are binary.
fn framed(dialect: &str, events: &Value) -> Vec<u8> {
    let mut out = String::new();
    for event in events.as_array().unwrap() {
        let data = event[1].as_str().map_or(event[1].to_string(), str::to_owned);
        match (dialect, event[0].as_str()) {
            ("bedrock", name) => {
                let name = name.unwrap();
                let mark = if name.ends_with("Exception") { "!" } else { "" };
                writeln!(out, "{mark}{name} {data}")
            }
            (_, Some(name)) => write!(out, "event: {name}\ndata: {data}\n\n"),
            (_, None) => write!(out, "data: {data}\n\n"),
        }
        .unwrap();
    }
    out.into_bytes()
}

/// Writes what a fuzzer begins with: inputs, and the words of the dialects.
fn sow(seeds: &[(&str, Vec<u8>)], out: &Path) {
    let mut words = BTreeSet::new();
    for (number, (target, data)) in seeds.iter().enumerate() {
        let corpus = out.join("corpus").join(target);
        fs::create_dir_all(&corpus).unwrap();
        fs::write(corpus.join(format!("seed-{number}")), data).unwrap();
        let text = String::from_utf8_lossy(data);
        let quoted = text.split('"').skip(1);
        let is_word = |text: &&str| {
            (2..32).contains(&text.len())
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
        };
        words.extend(quoted.filter(is_word).map(str::to_owned));
    }
    let mut dictionary = String::from(
        "# The words of the dialects, as the fixtures of the tests have them. Written by `run seed`.\n",
    );
    for word in words {
        writeln!(dictionary, "\"\\\"{word}\\\"\"").unwrap();
    }
    fs::write(out.join("fields.dict"), dictionary).unwrap();
}
