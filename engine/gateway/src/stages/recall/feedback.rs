//! What clients say of answers from the cache: that they were right, or wrong.
//!
//! Whoever could have been given an entry may speak of it; for all others it is as if there were none. What is wrong is
//! never served again, and verdicts on what was given by meaning move thresholds.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use serde::Deserialize;
use serde_json::Value;
use tollgate_actors::Hear;
use tollgate_cache::{Cache, Entry, EntryId, Scope};
use tollgate_config::Settings;
use tollgate_core::{Clock, Refusal, RefusalKind};
use tollgate_telemetry::FeedbackRecord;

use crate::exchange::incoming::header;
use crate::stages::authenticate::Caller;
use crate::stages::settle::Settlement;
use crate::worker::Worker;

/// How long a client waits until its verdict is written down.
const PATIENCE: Duration = Duration::from_secs(2);

const FEEDBACK: HeaderName = HeaderName::from_static("x-tollgate-cache-feedback");

/// A verdict of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Feedback {
    /// Of which entry.
    pub(crate) entry: EntryId,
    /// Whether its answer was right.
    pub(crate) was_right: bool,
}

/// The body of a call of the endpoint.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    entry: Value,
    verdict: Value,
}

impl Feedback {
    /// Reads the header of a request. `None`: it has none.
    pub(super) fn of_header(request: &HttpRequest) -> Result<Option<Self>, Refusal> {
        if !request.headers().contains_key(&FEEDBACK) {
            return Ok(None);
        }
        // What is no text is not understood.
        let text = header(request, &FEEDBACK).unwrap_or_default();
        Self::of_words(text).map(Some).ok_or_else(|| {
            let shown: String = text.chars().take(100).collect();
            let message = format!(
                "the header x-tollgate-cache-feedback is not understood: '{shown}'; expected 'wrong; entry=NUMBER' or \
                 'right; entry=NUMBER', with the number from x-tollgate-cache"
            );
            Refusal::new(RefusalKind::InvalidField, message).at("x-tollgate-cache-feedback")
        })
    }

    fn of_words(text: &str) -> Option<Self> {
        let (mut entry, mut was_right) = (None, None);
        for word in text.split([';', ',']).map(str::trim) {
            let is_again = match word.split_once('=') {
                Some((name, number)) if name.trim_end() == "entry" => {
                    entry.replace(id(number.trim())?).is_some()
                }
                None => was_right.replace(verdict(word)?).is_some(),
                Some(_) => return None,
            };
            if is_again {
                return None;
            }
        }
        Some(Self {
            entry: entry?,
            was_right: was_right?,
        })
    }

    /// Reads the body of a call.
    pub(crate) fn of_body(body: &[u8]) -> Result<Self, Refusal> {
        let invalid = |message: String| Refusal::new(RefusalKind::InvalidField, message);
        let written: Written = serde_json::from_slice(body).map_err(|error| {
            let message = format!("expected {{\"entry\": NUMBER, \"verdict\": \"wrong\"}}: {error}");
            if error.is_data() {
                invalid(message)
            } else {
                Refusal::new(RefusalKind::MalformedBody, message)
            }
        })?;
        let entry = match &written.entry {
            Value::Number(number) => number.as_u64().map(EntryId),
            Value::String(text) => id(text),
            _ => None,
        };
        let entry = entry.ok_or_else(|| {
            invalid("entry: expected the number that x-tollgate-cache named".to_owned()).at("entry")
        })?;
        let was_right = written.verdict.as_str().and_then(verdict);
        let was_right = was_right
            .ok_or_else(|| invalid("verdict: expected \"wrong\" or \"right\"".to_owned()).at("verdict"))?;
        Ok(Self { entry, was_right })
    }

    /// Tells the keeper, and waits until it is done. Whether it counts for a threshold; `None`: there is no such entry
    /// for this caller.
    ///
    /// # Errors
    /// The keeper is not done in time. It may still do what it was told.
    pub(crate) async fn tell(
        self,
        worker: &Worker,
        caller: &Caller,
        settlement: &mut Settlement,
    ) -> Result<Option<bool>, Refusal> {
        let (settings, began) = (settlement.settings().clone(), Clock.now());
        let counts = self.told(worker, &settings, caller).await;
        let record = FeedbackRecord {
            entry: self.entry.0,
            was_right: self.was_right,
            counts: counts.as_ref().ok().copied().flatten(),
        };
        settlement.heard(record, Clock.now().duration_since(began));
        counts
    }

    async fn told(
        self,
        worker: &Worker,
        settings: &Settings,
        caller: &Caller,
    ) -> Result<Option<bool>, Refusal> {
        let shared = &worker.shared;
        let entry = shared.cache.store().get(self.entry);
        let may_speak = entry.is_some_and(|entry| {
            !entry.is_condemned() && may_speak_of(&shared.cache, &entry, settings, caller)
        });
        if !may_speak {
            return Ok(None);
        }
        let told = Hear {
            entry: self.entry,
            key: caller.name().cloned().unwrap_or_default(),
            was_right: self.was_right,
        };
        let answer = shared.keeper.send(told).timeout(PATIENCE).await;
        answer.map_err(|_| {
            let message = "the cache is busy, and has not confirmed the feedback: it may be told again";
            Refusal::new(RefusalKind::Internal, message).retry_after(Some(PATIENCE))
        })
    }
}

/// A number as it is told in `x-tollgate-cache`: digits, nothing else.
fn id(text: &str) -> Option<EntryId> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).map(EntryId)
}

fn verdict(word: &str) -> Option<bool> {
    if word.eq_ignore_ascii_case("right") {
        return Some(true);
    }
    word.eq_ignore_ascii_case("wrong").then_some(false)
}

/// Whether the entry could have been given to this caller: it was made by one of its requests, it was given to it by
/// meaning, or it belongs to a space that is shared by a route that the caller may use.
fn may_speak_of(cache: &Cache, entry: &Entry, settings: &Settings, caller: &Caller) -> bool {
    let (tenant, route) = (&*entry.labels.tenant, &entry.labels.route);
    let name = caller.name().map_or("", |name| name);
    let is_shared = matches!(&settings.cache.policy(route).scope, Scope::Shared(space) if **space == *tenant);
    if !is_shared {
        return tenant == name;
    }
    let mut routes = settings.catalog.routes();
    cache.experience().is_some_and(|it| it.was_served(entry.id, name))
        || routes
            .any(|it| (it.name == *route || it.alias_of.as_ref() == Some(route)) && caller.may_use(&it.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn said(text: &[u8]) -> Result<Option<Feedback>, Refusal> {
        let value = actix_web::http::header::HeaderValue::from_bytes(text).unwrap();
        let request = TestRequest::default().insert_header((FEEDBACK, value));
        Feedback::of_header(&request.to_http_request())
    }

    fn wrong(number: u64) -> Feedback {
        Feedback {
            entry: EntryId(number),
            was_right: false,
        }
    }

    #[test]
    fn the_header_is_a_verdict_and_an_entry_and_nothing_else() {
        let none = TestRequest::default().to_http_request();
        assert_eq!(Feedback::of_header(&none).unwrap(), None);
        for text in ["wrong; entry=7", "entry=7,WRONG", " wrong ;entry = 7 "] {
            assert_eq!(said(text.as_bytes()).unwrap(), Some(wrong(7)), "{text}");
        }
        let right = said(b"right; entry=18446744073709551615").unwrap().unwrap();
        assert_eq!((right.entry, right.was_right), (EntryId(u64::MAX), true));
        for nonsense in [
            &b""[..],
            b"wrong",
            b"entry=7",
            b"wrong; entry=",
            b"wrong; entry=-7",
            b"wrong; entry=+7",
            b"wrong; entry=18446744073709551616",
            b"wrong; entry=7; entry=8",
            b"wrong; right; entry=7",
            b"wrong; entry=7; score=1",
            b"wrong; entry=\xff",
            b"bad; entry=7",
        ] {
            let refusal = said(nonsense).unwrap_err();
            assert_eq!(refusal.status(), 400, "{nonsense:?}");
            assert!(
                refusal.message.contains("expected 'wrong; entry=NUMBER'"),
                "{}",
                refusal.message
            );
        }
    }

    #[test]
    fn a_body_has_both_fields_once_and_no_other() {
        for body in [
            r#"{"entry": 7, "verdict": "wrong"}"#,
            r#"{"entry": "7", "verdict": "Wrong"}"#,
        ] {
            assert_eq!(Feedback::of_body(body.as_bytes()).unwrap(), wrong(7));
        }
        let fault = |body: &[u8]| {
            let refusal = Feedback::of_body(body).unwrap_err();
            (refusal.kind, refusal.param.unwrap_or_default().into_owned())
        };
        let invalid = |at: &str| (RefusalKind::InvalidField, at.to_owned());
        let malformed = (RefusalKind::MalformedBody, String::new());
        assert_eq!(fault(b""), malformed);
        assert_eq!(fault(b"{\"entry\": 7, \"verdict\": \"wr"), malformed);
        assert_eq!(fault(b"{\"entry\": \"\xff\"}"), malformed);
        assert_eq!(fault(b"[]"), invalid(""));
        assert_eq!(fault(br#"{"entry": 7}"#), invalid(""));
        assert_eq!(
            fault(br#"{"entry": 7, "verdict": "wrong", "score": 1}"#),
            invalid("")
        );
        assert_eq!(
            fault(br#"{"entry": 7, "entry": 8, "verdict": "wrong"}"#),
            invalid("")
        );
        for entry in [
            "-1",
            "1.5",
            "1e30",
            "null",
            "\"\"",
            "\"x\"",
            "[7]",
            "18446744073709551616",
        ] {
            let body = format!(r#"{{"entry": {entry}, "verdict": "wrong"}}"#);
            assert_eq!(fault(body.as_bytes()), invalid("entry"), "{entry}");
        }
        for verdict in ["\"\"", "true", "null", "\"meh\""] {
            let body = format!(r#"{{"entry": 7, "verdict": {verdict}}}"#);
            assert_eq!(fault(body.as_bytes()), invalid("verdict"), "{verdict}");
        }
    }
}
