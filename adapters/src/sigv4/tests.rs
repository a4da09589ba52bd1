//! Signatures: AWS's published examples, and what must not change them.

use super::*;

/// The keys and the moment of AWS's test suite for Signature Version 4.
fn signer(session_token: Option<&str>) -> Signer<'_> {
    Signer {
        access_key_id: "AKIDEXAMPLE",
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        session_token,
        region: "us-east-1",
        service: "service",
        now: Timestamp::parse_rfc3339("2015-08-30T12:36:00Z").unwrap(),
    }
}

fn signed(
    method: &Method,
    uri: &str,
    own: &[(&'static str, &str)],
    payload: Payload<'_>,
    session_token: Option<&str>,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_static("example.amazonaws.com"));
    for (name, value) in own {
        headers.insert(*name, HeaderValue::from_str(value).unwrap());
    }
    let uri = uri.parse().unwrap();
    sign_request(&signer(session_token), method, &uri, &mut headers, payload).unwrap();
    headers
}

fn signature(headers: &HeaderMap) -> &str {
    let text = headers[AUTHORIZATION].to_str().unwrap();
    text.rsplit_once("Signature=").unwrap().1
}

const ROOT: &str = "https://example.amazonaws.com/";

#[test]
fn the_published_examples_come_out_as_published() {
    let vanilla = signed(&Method::GET, ROOT, &[], Payload::Bytes(b""), None);
    assert_eq!(
        vanilla[AUTHORIZATION],
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
         SignedHeaders=host;x-amz-date, \
         Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    );
    assert_eq!(vanilla["x-amz-date"], "20150830T123600Z");
    let post = signed(&Method::POST, ROOT, &[], Payload::Bytes(b""), None);
    assert_eq!(
        signature(&post),
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
    );
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let form = signed(&Method::POST, ROOT, &form, Payload::Bytes(b"Param1=value1"), None);
    assert_eq!(
        signature(&form),
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
    );
}

#[test]
fn a_known_hash_signs_as_the_bytes_would() {
    let bytes = signed(&Method::POST, ROOT, &[], Payload::Bytes(b""), None);
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let hash = signed(&Method::POST, ROOT, &[], Payload::Sha256(empty), None);
    assert_eq!(signature(&bytes), signature(&hash));
    assert!(!bytes.contains_key("x-amz-content-sha256"));
}

#[test]
fn an_unsigned_body_says_so() {
    let headers = signed(&Method::POST, ROOT, &[], Payload::Unsigned, None);
    assert_eq!(headers["x-amz-content-sha256"], "UNSIGNED-PAYLOAD");
    let authorization = headers[AUTHORIZATION].to_str().unwrap();
    assert!(authorization.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date"));
}

#[test]
fn what_others_may_add_or_change_on_the_way_is_not_signed() {
    let plain = signed(&Method::POST, ROOT, &[], Payload::Bytes(b"{}"), None);
    let more = [
        ("user-agent", "x/1"),
        ("accept", "*/*"),
        ("via", "1.1 proxy"),
        ("x-amzn-trace-id", "Root=1"),
    ];
    let more = signed(&Method::POST, ROOT, &more, Payload::Bytes(b"{}"), None);
    assert_eq!(signature(&plain), signature(&more));
    // But AWS's own are.
    let own = [("x-amz-meta-a", "b")];
    let own = signed(&Method::POST, ROOT, &own, Payload::Bytes(b"{}"), None);
    assert_ne!(signature(&plain), signature(&own));
}

#[test]
fn a_second_signature_replaces_the_first() {
    let first = signed(&Method::POST, ROOT, &[], Payload::Unsigned, Some("token-1"));
    assert_eq!(first["x-amz-security-token"], "token-1");
    let mut again = first.clone();
    let uri = ROOT.parse().unwrap();
    let fresh = signed(&Method::POST, ROOT, &[], Payload::Bytes(b""), None);
    sign_request(
        &signer(None),
        &Method::POST,
        &uri,
        &mut again,
        Payload::Bytes(b""),
    )
    .unwrap();
    assert_eq!(again, fresh);
}

#[test]
fn neither_key_nor_token_is_printed_with_the_headers() {
    let headers = signed(
        &Method::POST,
        ROOT,
        &[],
        Payload::Bytes(b""),
        Some("the-session-token"),
    );
    let printed = format!("{headers:?}");
    assert!(!printed.contains("the-session-token") && !printed.contains("AKIDEXAMPLE"));
}

#[test]
fn a_header_that_is_no_text_is_an_error_and_not_a_wrong_signature() {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-meta-a", HeaderValue::from_bytes(b"\xff").unwrap());
    let uri = ROOT.parse().unwrap();
    let refused = sign_request(&signer(None), &Method::GET, &uri, &mut headers, Payload::Unsigned);
    assert!(refused.unwrap_err().to_string().contains("cannot be signed"));
}
