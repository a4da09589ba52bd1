//! What is not understood is refused; what is understood means one thing.

use actix_web::ResponseError as _;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::test::TestRequest;
use serde_json::json;

use super::*;

fn query(text: &str) -> Result<Query, Problem> {
    Query::read(text, &["limit", "dry_run", "rollout", "hold"])
}

async fn body_of(problem: &Problem) -> Value {
    let response = problem.error_response();
    let bytes = actix_web::body::to_bytes(response.into_body()).await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn a_query_is_read_by_name() {
    let query = query("limit=7&dry_run=true&rollout=10%25&hold=1m30s").unwrap();
    assert_eq!(query.number("limit", 100u32).unwrap(), Some(7));
    assert!(query.flag("dry_run").unwrap());
    assert_eq!(query.share("rollout").unwrap(), Some(0.1));
    assert_eq!(query.duration("hold").unwrap(), Some(Duration::from_secs(90)));
    let empty = super::Query::read("", &[]).unwrap();
    assert_eq!(
        (
            empty.flag("dry_run").unwrap(),
            empty.number("limit", 9u32).unwrap()
        ),
        (false, None)
    );
}

#[actix_rt::test]
async fn parameters_that_are_unknown_or_stand_twice_are_refused_all_at_once() {
    let problem = query("limit=1&colour=red&limit=2").unwrap_err();
    assert_eq!(problem.status_code(), 400);
    let body = body_of(&problem).await;
    let paths: Vec<_> = body["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["path"])
        .collect();
    assert_eq!(paths, ["query.colour", "query.limit"]);
    assert_eq!(
        body["problems"][0]["expected"],
        "one of limit, dry_run, rollout, hold"
    );
    assert_eq!(body["type"], "urn:tollgate:problem:invalid-request");
}

#[test]
fn values_out_of_range_are_refused() {
    for text in ["limit=0", "limit=101", "limit=-1", "limit=1.5", "limit=x"] {
        assert!(query(text).unwrap().number("limit", 100u32).is_err(), "{text}");
    }
    assert!(query("dry_run=yes").unwrap().flag("dry_run").is_err());
    for text in ["hold=0s", "hold=5", "hold=25h", "hold=-1s"] {
        assert!(query(text).unwrap().duration("hold").is_err(), "{text}");
    }
}

#[test]
fn shares_are_percentages_or_fractions() {
    for (text, expected) in [
        ("10%", Some(0.1)),
        ("0.1", Some(0.1)),
        ("100%", Some(1.0)),
        ("1", Some(1.0)),
        ("0.5%", Some(0.005)),
        ("0", None),
        ("0%", None),
        ("101%", None),
        ("10", None),
        ("-1%", None),
        ("1e-3", None),
        ("nan", None),
        ("inf%", None),
        ("", None),
        ("%", None),
    ] {
        assert_eq!(share(text), expected, "{text}");
    }
}

async fn read(content_type: Option<&str>, bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    let mut request = TestRequest::default().set_payload(bytes.to_vec());
    if let Some(content_type) = content_type {
        request = request.insert_header((CONTENT_TYPE, content_type));
    }
    let (request, mut payload) = request.to_http_parts();
    let payload = <Payload as actix_web::FromRequest>::from_request(&request, &mut payload).await;
    object(&request, payload.unwrap()).await
}

#[actix_rt::test]
async fn only_a_json_object_within_bounds_is_a_body() {
    let json = Some("application/json");
    assert_eq!(read(json, b"{\"a\":1}").await.unwrap().len(), 1);
    assert!(
        read(Some("application/merge-patch+json; charset=utf-8"), b"{}")
            .await
            .is_ok()
    );
    let huge = format!("{{\"a\":\"{}\"}}", "x".repeat(BODY_LIMIT_BYTES));
    let deep = "[".repeat(10_000);
    for (content_type, bytes, status) in [
        (None, &b"{}"[..], 415),
        (Some("text/plain"), b"{}", 415),
        (json, b"", 400),
        (json, b"[]", 400),
        (json, b"{\"a\":1,\"a\":2}", 400),
        (json, b"{", 400),
        (json, b"{\"a\":\"\xff\"}", 400),
        (json, deep.as_bytes(), 400),
        (json, huge.as_bytes(), 413),
    ] {
        let refused = read(content_type, bytes).await.unwrap_err();
        assert_eq!(refused.status_code(), status, "{content_type:?} {refused}");
    }
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        )
    };
    pairs.iter().map(pair).collect()
}

fn taken(body: &Value, given: &[(&'static str, &str)]) -> Result<Note, Problem> {
    Note::take(&mut body.as_object().unwrap().clone(), &headers(given))
}

#[test]
fn author_and_reason_stand_in_the_body_or_in_headers() {
    let note = taken(
        &json!({"reason": " cheaper ", "author": "ann"}),
        &[("x-tollgate-reason", "other")],
    )
    .unwrap();
    assert_eq!(
        (note.reason.as_str(), note.author.as_deref()),
        ("cheaper", Some("ann"))
    );
    let note = taken(&json!({}), &[("x-tollgate-reason", "günstiger")]).unwrap();
    assert_eq!((note.reason.as_str(), note.author), ("günstiger", None));
}

#[actix_rt::test]
async fn a_change_without_a_reason_is_refused_and_told_how_to_give_one() {
    for body in [
        json!({}),
        json!({"reason": "  "}),
        json!({"reason": null}),
        json!({"reason": 5}),
    ] {
        let refused = taken(&body, &[]).unwrap_err();
        assert_eq!(refused.status_code(), 422, "{body}");
        assert_eq!(body_of(&refused).await["problems"][0]["path"], "reason");
    }
    let long = "x".repeat(LONGEST_NOTE + 1);
    assert!(taken(&json!({ "reason": long }), &[]).is_err());
    assert!(taken(&json!({ "reason": "a\u{7}b" }), &[]).is_err());
}

#[test]
fn if_match_is_an_etag_of_ours() {
    let read = |text: &str| if_match(&headers(&[("if-match", text)]));
    for (text, expected) in [
        ("\"7\"", Some(7)),
        ("7", Some(7)),
        ("W/\"7\"", Some(7)),
        ("*", None),
    ] {
        assert_eq!(read(text).unwrap(), expected, "{text}");
    }
    assert_eq!(if_match(&HeaderMap::new()).unwrap(), None);
    for text in ["\"x\"", "\"7", "", "\"1\", \"2\"", "-1"] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_left_of_a_body_is_refused() {
    let body = json!({"routes": {}, "colour": 1});
    let refused = nothing_else(body.as_object().unwrap(), &["routes", "limit"]).unwrap_err();
    assert_eq!(refused.status_code(), 400);
    assert!(nothing_else(body.as_object().unwrap(), &["routes", "colour"]).is_ok());
}
