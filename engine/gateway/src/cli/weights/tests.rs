//! What is typed becomes what is asked.

use clap::Parser as _;

use super::*;

#[derive(Debug, clap::Parser)]
struct Typed {
    #[command(flatten)]
    args: Args,
}

fn typed(words: &[&str]) -> Result<Verb, clap::Error> {
    let words = std::iter::once("weights").chain(words.iter().copied());
    Typed::try_parse_from(words).map(|typed| typed.args.verb)
}

fn asked(words: &[&str]) -> Result<String, String> {
    match question(&typed(words).unwrap()) {
        Ok(question) => Ok(format!("{question:?}")),
        Err(Failure::Arguments(said)) => Err(said),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_route_is_set_in_one_transaction() {
    let asked = asked(&[
        "set",
        "fast",
        "cost=2",
        "a/m=8",
        "--reason",
        "cheaper",
        "--author",
        "ann",
        "--rollout",
        "10%",
        "--hold",
        "60s",
        "--max-error-ratio",
        "2%",
        "--if-match",
        "7",
    ]);
    let asked = asked.unwrap();
    for part in [
        "method: PATCH",
        "path: \"/admin/v1/weights\"",
        "(\"rollout\", \"10%\")",
        "(\"hold\", \"60s\")",
        "(\"max_error_ratio\", \"2%\")",
        "if_match: Some(7)",
        "\"fast\": Object {\"weights\": Object {\"cost\": Number(2)}",
        "\"reason\": String(\"cheaper\")",
        "\"author\": String(\"ann\")",
    ] {
        assert!(asked.contains(part), "{part} is not in {asked}");
    }
}

#[test]
fn a_change_needs_a_reason_and_a_dry_run_does_not() {
    assert!(
        asked(&["set", "fast", "cost=2"])
            .unwrap_err()
            .contains("--reason")
    );
    let dry = asked(&["set", "fast", "cost=2", "--dry-run"]).unwrap();
    assert!(dry.contains("(\"dry_run\", \"true\")"), "{dry}");
    assert!(typed(&["rollback"]).is_err());
}

#[test]
fn the_terms_of_a_rollout_need_one() {
    assert!(typed(&["set", "fast", "cost=2", "--reason", "x", "--hold", "60s"]).is_err());
    assert!(
        typed(&["set", "fast", "--reason", "x"]).is_err(),
        "nothing to set"
    );
}

#[test]
fn a_rollback_names_a_version_or_none() {
    let named = asked(&["rollback", "3", "--reason", "worse"]).unwrap();
    assert!(named.contains("\"to\": Number(3)"), "{named}");
    let bare = asked(&["rollback", "--reason", "worse"]).unwrap();
    assert!(!bare.contains("\"to\""), "{bare}");
}

#[test]
fn a_file_of_changes_is_planned_and_applied() {
    let path = std::env::temp_dir().join(format!("tollgate-weights-{}.yaml", std::process::id()));
    std::fs::write(
        &path,
        "reason: from the file\nroutes:\n  fast: { weights: { cost: 3 } }\n",
    )
    .unwrap();
    let name = path.to_str().unwrap();
    let planned = asked(&["plan", name]).unwrap();
    assert!(
        planned.contains("\"cost\": Number(3)") && planned.contains("dry_run"),
        "{planned}"
    );
    let applied = asked(&["apply", name]).unwrap();
    assert!(
        applied.contains("from the file") && !applied.contains("dry_run"),
        "{applied}"
    );
    let other = asked(&["apply", name, "--reason", "from the shell"]).unwrap();
    assert!(other.contains("from the shell"), "{other}");
    for nonsense in ["", "a: 1\na: 2\n", "[1]", "weights: {}"] {
        std::fs::write(&path, nonsense).unwrap();
        assert!(asked(&["plan", name]).unwrap_err().contains(name), "{nonsense}");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(asked(&["plan", name]).unwrap_err().contains(name));
}

#[test]
fn one_route_is_picked_out_of_all() {
    let all = json!({"version": 1, "routes": {"a": {}, "b": {}}, "overrides": {"b": {}}});
    let one = only(all.clone(), Some("a")).unwrap();
    assert_eq!(one, json!({"version": 1, "routes": {"a": {}}, "overrides": {}}));
    assert_eq!(only(all.clone(), None).unwrap(), all);
    assert!(matches!(only(all, Some("c")), Err(Failure::Arguments(said)) if said.contains("a, b")));
}
