//! The house stands: every crate has a floor and builds only on floors below it; pure rooms stay pure; files stay
//! readable and say what they are. Read from `cargo metadata` and from the files themselves.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Longer than this, and a file wants to be two. Tests at its end do not count.
const MAX_PRODUCTION_LINES: usize = 500;

/// Rooms without clock, network or runtime, and what would let these in.
const PURE: [&str; 5] = [
    "tollgate-core",
    "tollgate-routing",
    "tollgate-governance",
    "tollgate-guardrails",
    "tollgate-adapters",
];
const IMPURE: [&str; 7] = [
    "tokio",
    "actix",
    "actix-rt",
    "actix-web",
    "hyper",
    "hyper-util",
    "metrics",
];

/// A crate of the workspace, as far as the floors are concerned.
#[derive(Debug)]
struct Room {
    name: String,
    /// `None`: its manifest does not say.
    layer: Option<u64>,
    /// The names of all it depends on, for its own sake, its build or its tests.
    needs: Vec<String>,
}

fn rooms() -> (Vec<Room>, PathBuf) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .args([
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ])
        .output()
        .expect("cargo metadata runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let root = metadata["workspace_root"].as_str().expect("a workspace root");
    let packages = metadata["packages"].as_array().expect("packages");
    (packages.iter().map(room).collect(), root.into())
}

fn room(package: &Value) -> Room {
    let text = |value: &Value| value.as_str().expect("a name").to_owned();
    let needs = package["dependencies"].as_array().expect("dependencies");
    Room {
        name: text(&package["name"]),
        layer: package["metadata"]["tollgate"]["layer"].as_u64(),
        needs: needs.iter().map(|need| text(&need["name"])).collect(),
    }
}

/// What is wrong with the floors, one sentence each.
fn misplaced(rooms: &[Room]) -> Vec<String> {
    let layers: HashMap<&str, Option<u64>> = rooms.iter().map(|room| (&*room.name, room.layer)).collect();
    let mut faults = Vec::new();
    for room in rooms {
        let Some(layer) = room.layer else {
            faults.push(format!("{} has no [package.metadata.tollgate] layer", room.name));
            continue;
        };
        for need in &room.needs {
            match layers.get(&**need) {
                Some(Some(below)) if *below >= layer => faults.push(format!(
                    "{} (floor {layer}) builds on {need} (floor {below}), which is not below it",
                    room.name
                )),
                _ => {}
            }
            if PURE.contains(&&*room.name) && IMPURE.contains(&&**need) {
                faults.push(format!("{} is pure and must not use {need}", room.name));
            }
        }
    }
    faults
}

/// What is wrong with a source file, one sentence each.
fn unreadable(name: &str, source: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let says_what_it_is = source
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("//!"))
        .is_some_and(|text| text.trim().chars().any(char::is_alphabetic));
    if !says_what_it_is {
        faults.push(format!("{name} does not open with `//!` and what it is"));
    }
    let lines = production_lines(source);
    if !is_test(name) && lines > MAX_PRODUCTION_LINES {
        faults.push(format!(
            "{name} has {lines} lines, {MAX_PRODUCTION_LINES} are the most"
        ));
    }
    faults
}

/// Lines before the test module at the end.
fn production_lines(source: &str) -> usize {
    let lines: Vec<&str> = source.lines().collect();
    let is_test_module = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod tests");
    lines.windows(2).position(is_test_module).unwrap_or(lines.len())
}

fn is_test(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.contains("/tests/") || name.starts_with("tests/")
}

/// Every source file of ours: hidden folders and build output are not.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if !name.starts_with('.') && !name.starts_with("target") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_crate_builds_only_on_floors_below_its_own() {
    let (rooms, _) = rooms();
    assert!(
        rooms.iter().any(|room| room.name == "tollgate-core"),
        "the workspace was read"
    );
    assert_eq!(misplaced(&rooms), Vec::<String>::new());
}

#[test]
fn every_file_says_what_it_is_and_can_be_read_in_one_sitting() {
    let (_, root) = rooms();
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    assert!(paths.len() > 20, "the sources were found");
    let check = |path: &PathBuf| {
        let source = std::fs::read_to_string(path).expect("a source file is UTF-8");
        unreadable(
            &path.strip_prefix(&root).unwrap_or(path).to_string_lossy(),
            &source,
        )
    };
    let faults: Vec<String> = paths.iter().flat_map(check).collect();
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn an_upward_edge_a_sideways_edge_and_a_missing_floor_are_found() {
    let room = |name: &str, layer, needs: &[&str]| Room {
        name: name.to_owned(),
        layer,
        needs: needs.iter().map(|&need| need.to_owned()).collect(),
    };
    let sound = [
        room("cellar", Some(0), &["serde"]),
        room("hall", Some(1), &["cellar"]),
    ];
    assert_eq!(misplaced(&sound), Vec::<String>::new());
    let crooked = [
        room("cellar", Some(0), &["hall"]),
        room("hall", Some(1), &["cellar", "study"]),
        room("study", Some(1), &[]),
        room("annex", None, &[]),
        room("tollgate-routing", Some(1), &["tokio"]),
    ];
    assert_eq!(
        misplaced(&crooked),
        [
            "cellar (floor 0) builds on hall (floor 1), which is not below it",
            "hall (floor 1) builds on study (floor 1), which is not below it",
            "annex has no [package.metadata.tollgate] layer",
            "tollgate-routing is pure and must not use tokio",
        ]
    );
}

#[test]
fn a_file_without_a_headline_and_one_too_long_are_found() {
    let long = format!("//! Long.\n{}", "\n".repeat(500));
    let tested = format!("//! Short.\n#[cfg(test)]\nmod tests {{\n{}}}", "\n".repeat(600));
    assert_eq!(
        unreadable("a/src/long.rs", &long),
        ["a/src/long.rs has 501 lines, 500 are the most"]
    );
    assert_eq!(unreadable("a/src/short.rs", &tested), Vec::<String>::new());
    assert_eq!(unreadable("a/src/long/tests.rs", &long), Vec::<String>::new());
    for bare in ["", "use std::fmt;\n", "//! .\n"] {
        let faults = unreadable("a/src/bare.rs", bare);
        assert_eq!(faults, ["a/src/bare.rs does not open with `//!` and what it is"]);
    }
}
