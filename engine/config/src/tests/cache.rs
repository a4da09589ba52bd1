//! The cache section: who says what, and what follows for each model.

use std::time::Duration;

use tollgate_cache::{Mode, Scope};

use super::{problems, read};
use crate::Settings;

fn good(text: &str) -> Settings {
    read(&format!("server: {{ listen: \"127.0.0.1:0\" }}\n{text}")).unwrap()
}

#[test]
fn a_cache_is_off_until_it_is_written_of_and_models_inherit_what_they_do_not_say() {
    let settings = good(
        r#"
providers: { p: { kind: openai, base_url: "http://127.0.0.1:9/v1" } }
cache:
  max_size: 64MiB
  directory: kept
  policy: { mode: exact, ttl: 10m, tags: [docs] }
models:
  plain: { targets: [ { provider: p, model: m } ], aliases: [other] }
  bold: { cache: { mode: aggressive, scope: shared, namespace: all, recheck: 5%, max_temperature: 0.5 }, targets: [ { provider: p, model: m } ] }
  none: { cache: { mode: off }, targets: [ { provider: p, model: m } ] }
"#,
    );
    let cache = &settings.cache;
    assert_eq!((cache.max_bytes, cache.max_entry_bytes), (64 << 20, 256 << 10));
    assert!(cache.directory.as_ref().unwrap().ends_with("kept"));
    for name in ["plain", "other"] {
        let policy = cache.policy(name);
        assert_eq!(
            (policy.mode, policy.ttl),
            (Mode::Exact, Duration::from_secs(600)),
            "{name}"
        );
        assert_eq!(policy.scope, Scope::Key);
    }
    let bold = cache.policy("bold");
    assert_eq!(
        (bold.mode, &bold.scope),
        (Mode::Aggressive, &Scope::Shared("all".into()))
    );
    assert_eq!((bold.ttl, bold.max_temperature), (Duration::from_secs(600), 0.5));
    assert!((bold.recheck - 0.05).abs() < 1e-6 && bold.tags.len() == 1);
    assert_eq!(cache.policy("none").mode, Mode::Off);
    let silent = good("providers: { p: { kind: openai, base_url: \"http://127.0.0.1:9/v1\" } }");
    assert_eq!(silent.cache.policy("p/*").mode, Mode::Off);
    let written = good(
        "providers: { p: { kind: openai, base_url: \"http://127.0.0.1:9/v1\" } }\nmodels: { m: { cache: { ttl: 1m }, targets: [ { provider: p } ] } }",
    );
    assert_eq!(
        written.cache.policy("m").mode,
        Mode::Safe,
        "whoever writes of a cache wants one"
    );
}

#[test]
fn shadowing_is_a_mode_or_goes_with_one_and_each_is_inherited_by_itself() {
    let settings = |policy: &str| {
        good(&format!(
            r#"
providers: {{ p: {{ kind: openai, base_url: "http://127.0.0.1:9/v1" }} }}
cache: {{ policy: {{ {policy} }} }}
models:
  plain: {{ targets: [ {{ provider: p, model: m }} ] }}
  served: {{ cache: {{ mode: safe }}, targets: [ {{ provider: p, model: m }} ] }}
  tried: {{ cache: {{ mode: shadow }}, targets: [ {{ provider: p, model: m }} ] }}
  bold: {{ cache: {{ mode: aggressive, shadow: true }}, targets: [ {{ provider: p, model: m }} ] }}
"#
        ))
    };
    let of = |settings: &Settings, name: &str| {
        let policy = settings.cache.policy(name);
        (policy.mode, policy.shadow)
    };
    let by_mode = settings("mode: shadow");
    assert_eq!(of(&by_mode, "plain"), (Mode::Safe, true));
    assert_eq!(
        of(&by_mode, "served"),
        (Mode::Safe, false),
        "another mode takes its place"
    );
    let by_field = settings("mode: balanced, shadow: true");
    assert_eq!(of(&by_field, "plain"), (Mode::Balanced, true));
    assert_eq!(
        of(&by_field, "served"),
        (Mode::Safe, true),
        "it goes with any mode"
    );
    let neither = settings("mode: exact");
    assert_eq!(of(&neither, "plain"), (Mode::Exact, false));
    assert_eq!(of(&neither, "tried"), (Mode::Safe, true));
    assert_eq!(of(&neither, "bold"), (Mode::Aggressive, true));
    for (policy, told) in [
        (
            "mode: exact, shadow: true",
            "shadow has no effect with mode exact",
        ),
        (
            "mode: shadow, shadow: false",
            "shadow: false has no effect with mode shadow",
        ),
    ] {
        let settings = settings(policy);
        assert!(
            settings.warnings.iter().any(|it| it.contains(told)),
            "{:?}",
            settings.warnings
        );
    }
}

#[test]
fn a_pace_is_inherited_and_can_be_taken_back() {
    let settings = good(
        r#"
providers: { p: { kind: openai, base_url: "http://127.0.0.1:9/v1" } }
cache: { policy: { mode: exact, pace: 60 } }
models:
  as_all: { targets: [ { provider: p, model: m } ] }
  own: { cache: { pace: 20 }, targets: [ { provider: p, model: m } ] }
  at_once: { cache: { pace: 0 }, targets: [ { provider: p, model: m } ] }
"#,
    );
    for (model, pace) in [("as_all", 60), ("own", 20), ("at_once", 0)] {
        let found = settings.cache.policy(model).pace;
        assert_eq!(found, std::num::NonZeroU32::new(pace), "{model}");
    }
}

#[test]
fn what_is_shared_is_not_called_like_a_key() {
    let text = |namespace: &str| {
        format!(
            "providers: {{ p: {{ kind: openai, base_url: \"http://127.0.0.1:9/v1\" }} }}\n\
             cache: {{ policy: {{ scope: shared, namespace: {namespace} }} }}\nkeys: [ {{ name: app, key: tg-key-0123456789abcdef }} ]\n"
        )
    };
    good(&text("all"));
    let told = problems(&text("app"));
    assert!(told.contains("'app', which is also a key's name"), "{told}");
}

#[test]
fn what_cannot_be_is_told() {
    let text = "server: { listen: \"127.0.0.1:0\" }\nproviders: { p: { kind: openai, base_url: \"http://127.0.0.1:9/v1\" } }\ncache:\n  max_size: 1KiB\n  policy: { ttl: 0s, mode: brave, max_temperature: 3 }\n";
    let told = problems(text);
    for part in [
        "cache.max_entry_size: more than max_size",
        "cache.policy.ttl: no time at all",
        "cache.policy.mode: \"brave\"; expected one of off, exact, safe, balanced, aggressive, shadow",
        "cache.policy.max_temperature: 3;",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    let warned = read("server: { listen: \"127.0.0.1:0\" }\nproviders: { p: { kind: openai, base_url: \"http://127.0.0.1:9/v1\" } }\ncache: { policy: { namespace: all, scope: key } }\n").unwrap();
    assert!(
        warned.warnings.iter().any(|it| it.contains("namespace")),
        "{:?}",
        warned.warnings
    );
}

#[test]
fn nothing_is_shared_but_under_a_name_and_by_saying_so() {
    let text = |policy: &str, model: &str| {
        format!(
            "server: {{ listen: \"127.0.0.1:0\" }}\nproviders: {{ p: {{ kind: openai, base_url: \"http://127.0.0.1:9/v1\" }} }}\n\
             cache: {{ policy: {{ {policy} }} }}\nmodels: {{ m: {{ cache: {{ {model} }}, targets: [ {{ provider: p }} ] }} }}\n"
        )
    };
    let shared = |name: &str| Scope::Shared(name.into());
    for (policy, model, expected, is_warned) in [
        ("namespace: all", "ttl: 1m", Scope::Key, true),
        ("mode: exact", "namespace: all", Scope::Key, true),
        ("scope: shared, namespace: all", "ttl: 1m", shared("all"), false),
        (
            "scope: shared, namespace: all",
            "scope: shared",
            shared("all"),
            false,
        ),
        (
            "scope: shared, namespace: all",
            "namespace: ours",
            shared("ours"),
            false,
        ),
        ("scope: shared, namespace: all", "scope: key", Scope::Key, false),
    ] {
        let settings = read(&text(policy, model)).unwrap();
        assert_eq!(settings.cache.policy("m").scope, expected, "{policy} / {model}");
        let warnings = &settings.warnings;
        assert_eq!(
            warnings.iter().any(|it| it.contains("a namespace has no effect")),
            is_warned,
            "{warnings:?}"
        );
    }
    for (policy, model, told) in [
        (
            "scope: shared",
            "ttl: 1m",
            "t.yaml:3: cache.policy.namespace: missing; expected the name",
        ),
        (
            "mode: exact",
            "scope: shared",
            "t.yaml:4: models.m.cache.namespace: missing; expected the name",
        ),
        (
            "scope: shared, namespace: all",
            "namespace: ' '",
            "t.yaml:4: models.m.cache.namespace: empty; expected the name",
        ),
    ] {
        let problems = problems(&text(policy, model));
        assert!(problems.starts_with(told), "{problems}");
    }
}
