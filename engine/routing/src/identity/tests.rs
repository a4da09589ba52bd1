//! Keys of identities: when they are asked for, and when they are used.

use super::*;
use crate::Board;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_800_000_000_000 + seconds * 1000)
}

fn google() -> CloudIdentity {
    CloudIdentity::Google(GoogleIdentity {
        source: GoogleSource::Usual,
    })
}

fn token(text: &str, expires_at: Option<Timestamp>) -> Minted {
    Minted {
        key: MintedKey::Token(Secret::new(text)),
        expires_at,
    }
}

fn written(role: Option<AwsRole>) -> CloudIdentity {
    CloudIdentity::Aws(AwsIdentity {
        region: "us-east-1".into(),
        source: AwsSource::Written {
            access_key_id: Secret::new("AKIDEXAMPLE"),
            secret_access_key: Secret::new("very-secret-key"),
            session_token: None,
        },
        role,
    })
}

#[test]
fn a_key_is_asked_for_again_well_before_it_ends() {
    let identity = Identity::new(google());
    assert!(identity.key(at(0)).is_none());
    assert!(identity.renewed(at(0), token("a", Some(at(3600)))));
    assert_eq!(identity.ask_again_in(at(0), 0.5), Some(Duration::from_secs(3300)));
    // The metadata service gives the same one until five minutes before its end.
    assert!(!identity.renewed(at(3300), token("a", Some(at(3600)))));
    assert_eq!(
        identity.ask_again_in(at(3300), 0.5),
        Some(Duration::from_secs(150))
    );
    assert!(identity.renewed(at(3450), token("b", Some(at(7050)))));
    // A short one, when half of its life is left; one that is over, soon and not at once.
    identity.renewed(at(0), token("c", Some(at(10))));
    assert_eq!(identity.ask_again_in(at(0), 0.5), Some(Duration::from_secs(5)));
    assert_eq!(identity.ask_again_in(at(20), 0.5), Some(Duration::from_secs(1)));
}

#[test]
fn a_key_in_its_last_moments_is_not_used_any_more() {
    let identity = Identity::new(google());
    identity.renewed(at(0), token("a", Some(at(60))));
    assert!(identity.key(at(56)).is_some());
    assert!(identity.key(at(57)).is_none());
    identity.renewed(at(0), token("a", None));
    assert!(identity.key(at(1_000_000)).is_some());
}

#[test]
fn what_fails_is_tried_again_ever_more_rarely_and_the_old_key_stays() {
    let identity = Identity::new(google());
    identity.renewed(at(0), token("a", Some(at(3600))));
    let mut pauses = Vec::new();
    for second in 0..9 {
        identity.failed(at(second), "no route".into());
        pauses.push(identity.ask_again_in(at(second), 0.5).unwrap().as_secs());
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    assert!(identity.key(at(100)).is_some());
    let standing = identity.standing();
    let trouble = standing.trouble.as_ref().unwrap();
    assert_eq!((trouble.since, trouble.failures), (at(0), 9));
    identity.renewed(at(10), token("b", Some(at(3610))));
    assert!(identity.standing().trouble.is_none());
}

#[test]
fn keys_in_the_config_file_are_never_asked_for_again_and_files_are_looked_at_now_and_then() {
    let lasting = Identity::new(written(None));
    lasting.renewed(at(0), token("a", None));
    assert_eq!(lasting.ask_again_in(at(0), 0.5), None);
    let role = AwsRole {
        arn: "arn:aws:iam::123456789012:role/x".into(),
        external_id: None,
        session_name: "tollgate".into(),
    };
    for described in [written(Some(role)), google()] {
        let identity = Identity::new(described);
        identity.renewed(at(0), token("a", None));
        assert_eq!(identity.ask_again_in(at(0), 0.5), Some(Duration::from_secs(900)));
    }
}

#[test]
fn a_doubt_is_heard_once_and_not_right_after_an_answer() {
    let identity = Identity::new(google());
    assert!(!identity.take_doubt(at(0)));
    identity.doubt();
    assert!(identity.take_doubt(at(0)) && !identity.take_doubt(at(0)));
    identity.renewed(at(10), token("a", None));
    identity.doubt();
    assert!(!identity.take_doubt(at(39)));
    identity.doubt();
    assert!(identity.take_doubt(at(40)));
}

#[test]
fn the_providers_clock_is_followed_both_ways() {
    let identity = Identity::new(google());
    assert_eq!(identity.provider_time(at(5)), at(5));
    identity.set_clock(at(1000), at(400));
    assert_eq!(identity.provider_time(at(1001)), at(401));
    identity.set_clock(at(1000), at(2000));
    assert_eq!(identity.provider_time(at(1001)), at(2001));
}

#[test]
fn the_same_description_is_the_same_identity_for_as_long_as_somebody_has_it() {
    let board = Board::default();
    let first = board.identity(google());
    first.renewed(at(0), token("a", None));
    assert!(Arc::ptr_eq(&first, &board.identity(google())));
    assert!(!Arc::ptr_eq(&first, &board.identity(written(None))));
    drop(first);
    assert!(board.identity(google()).key(at(0)).is_none());
    assert!(Identity::new(google()).begin_keeping());
}

#[test]
fn nothing_that_is_printed_holds_a_secret() {
    let identity = Identity::new(written(None));
    identity.renewed(
        at(0),
        Minted {
            key: MintedKey::Aws {
                access_key_id: Secret::new("AKIDEXAMPLE"),
                secret_access_key: Secret::new("very-secret-key"),
                session_token: Some(Secret::new("session-token")),
            },
            expires_at: None,
        },
    );
    let printed = format!(
        "{identity:?} {} {:?}",
        identity.described().name(),
        identity.standing()
    );
    for secret in ["AKIDEXAMPLE", "very-secret", "session-token"] {
        assert!(!printed.contains(secret), "{printed}");
    }
    assert_eq!(identity.key(at(0)).unwrap().secrets().count(), 3);
}
