//! Signatures as Bedrock sees them.

use tollgate_loadtest::{MockOptions, MockServer};
use tollgate_tests::{KEY, Stack};

use super::*;

fn written(addr: std::net::SocketAddr, models: &str) -> String {
    format!(
        r#"
providers:
  p:
    kind: bedrock
    base_url: "http://{addr}"
    region: us-east-1
    aws: {{ access_key_id: "{}", secret_access_key: "{}" }}
    headers: {{ x-team: "a team", x-amz-meta-owner: "  two   spaces " }}
models: {models}
"#,
        LASTING.id, LASTING.secret
    )
}

async fn stack(config: &str) -> Stack {
    let mock = MockServer::start(MockOptions::default()).await.unwrap();
    Stack::in_front_of(mock, config)
}

#[tokio::test]
async fn every_kind_of_model_id_is_signed_as_it_is_sent() {
    let (server, signatures) = bedrock().await;
    let ids = [
        "amazon.nova-lite-v1",
        MODEL,
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5",
        "us.model with space+plus~tilde%25",
        "modèle:1",
    ];
    let models: Vec<String> = ids
        .iter()
        .enumerate()
        .map(|(n, id)| format!("m{n}: {{ targets: [ {{ provider: p, model: {} }} ] }}", json!(id)))
        .collect();
    let stack = stack(&written(server.addr, &format!("{{ {} }}", models.join(", ")))).await;
    for (n, id) in ids.iter().enumerate() {
        let answer = stack.chat(&chat(&format!("m{n}"))).await;
        assert_eq!(answer.status, 200, "{id}: {}", answer.text());
    }
    let signature = signatures.last();
    assert!(signature.headers.contains(&"x-amz-meta-owner".to_owned()));
    assert!(
        !signature.headers.contains(&"x-team".to_owned()),
        "what proxies may change is not signed"
    );
    let seen = server.seen();
    assert!(
        seen[2].contains("inference-profile%2Fus.anthropic"),
        "{}",
        seen[2]
    );
}

#[tokio::test]
async fn a_large_body_is_hashed_elsewhere_and_signed_all_the_same() {
    let (server, signatures) = bedrock().await;
    let models = format!("{{ m: {{ targets: [ {{ provider: p, model: \"{MODEL}\" }} ] }} }}");
    let stack = stack(&written(server.addr, &models)).await;
    for length in [40_000, 400_000] {
        let text = "wörter ".repeat(length / 8);
        let body = json!({ "model": "m", "messages": [{ "role": "user", "content": text }] });
        let answer = stack.chat(&body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(signatures.ids().len(), 2);
}

#[tokio::test]
async fn nothing_that_a_client_sends_comes_into_the_signature() {
    let (server, signatures) = bedrock().await;
    let models = format!("{{ \"{MODEL}\": {{ targets: [ {{ provider: p }} ] }} }}");
    let stack = stack(&written(server.addr, &models)).await;
    let credential = format!(
        "AWS4-HMAC-SHA256 Credential={KEY}/20260101/eu-west-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=00"
    );
    let body = r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}],"unknown":[1.50, "\u00e9"]}"#;
    let headers = [
        ("authorization", credential.as_str()),
        ("x-amz-date", "20200101T000000Z"),
        ("x-amz-security-token", "the client's"),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ("amz-sdk-request", "attempt=1; max=3"),
        ("user-agent", "Boto3/1.0"),
    ];
    let path = format!("/model/{}/converse", MODEL.replace(':', "%3A"));
    let answer = post(stack.addr, &path, &headers, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(signatures.last().access_key_id, LASTING.id);
    let seen = server.seen().pop().unwrap();
    assert!(seen.ends_with(body), "the client's own bytes: {seen}");
    assert!(!seen.contains(KEY) && !seen.contains("the client's"), "{seen}");
}

#[tokio::test]
async fn a_clock_that_is_off_is_set_by_the_provider_and_nobody_notices() {
    const AN_HOUR: u64 = 3600;
    let server = Scripted::start(move |request| {
        let signature = checked(request, "us-east-1/bedrock").unwrap();
        // As AWS does it: a signature is good within five minutes of the provider's own clock.
        let signed_at = |seconds| after(seconds).replace(['-', ':'], "");
        let good = signed_at(AN_HOUR - 300)..=signed_at(AN_HOUR + 300);
        if good.contains(&signature.date) {
            return said("hello");
        }
        let date = http_date(SystemTime::now() + Duration::from_secs(AN_HOUR));
        let no = refused(403, "InvalidSignatureException", "Signature expired");
        let no = String::from_utf8(no).unwrap();
        no.replacen("\r\n", &format!("\r\ndate: {date}\r\n"), 1)
            .into_bytes()
    })
    .await;
    let models = format!("{{ m: {{ targets: [ {{ provider: p, model: \"{MODEL}\" }} ] }} }}");
    let stack = stack(&written(server.addr, &models)).await;
    for asked in [2, 3, 4] {
        let answer = stack.chat(&chat("m")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(
            server.seen().len(),
            asked,
            "the first one was sent twice, the others once"
        );
    }
    // What the client sees is one attempt.
    let log = stack.settled(3).await;
    assert!(log.iter().all(|record| record["status"] == 200), "{log:#?}");
}

fn http_date(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let text = tollgate_core::Timestamp::from_unix_millis(seconds * 1000).to_string();
    let (date, time) = text.split_once('T').unwrap();
    let mut date = date.split('-');
    let (year, month, day) = (date.next().unwrap(), date.next().unwrap(), date.next().unwrap());
    let month: usize = month.parse().unwrap();
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let weekday = days[usize::try_from(seconds / 86_400 % 7).unwrap()];
    format!(
        "{weekday}, {day} {} {year} {} GMT",
        months[month - 1],
        time.split('.').next().unwrap()
    )
}

#[tokio::test]
async fn a_provider_that_repeats_the_signed_request_is_not_quoted() {
    let server = Scripted::start(|request| {
        let head = request.split("\r\n\r\n").next().unwrap().replace("\r\n", "; ");
        refused(
            403,
            "InvalidSignatureException",
            &format!("The canonical string should have been {head}"),
        )
    })
    .await;
    let config = written(server.addr, "{ m: { targets: [ { provider: p, model: x } ] } }").replace(
        "aws: {",
        &format!("aws: {{ session_token: \"{}\",", TEMPORARY.token.unwrap()),
    );
    let stack = stack(&config).await;
    let answer = stack.chat(&chat("m")).await;
    assert!(answer.status >= 400, "{}", answer.text());
    let text = format!(
        "{} {:?} {:?}",
        answer.text(),
        answer.headers,
        stack.settled(1).await
    );
    for secret in [LASTING.id, LASTING.secret, TEMPORARY.token.unwrap()] {
        assert!(!text.contains(secret), "{secret} stands in {text}");
    }
    assert!(server.seen()[0].contains(TEMPORARY.token.unwrap()), "it was sent");
}

#[tokio::test]
async fn a_reload_changes_the_keys_and_a_stream_goes_on() {
    let (server, signatures) = bedrock().await;
    let models = format!("{{ m: {{ targets: [ {{ provider: p, model: \"{MODEL}\" }} ] }} }}");
    let config = written(server.addr, &models);
    let stack = stack(&config).await;
    assert_eq!(stack.chat(&chat("m")).await.status, 200);
    let other = config
        .replace(LASTING.id, TEMPORARY.id)
        .replace(LASTING.secret, TEMPORARY.secret)
        .replace(
            "aws: {",
            &format!("aws: {{ session_token: \"{}\",", TEMPORARY.token.unwrap()),
        );
    stack.rewrite(&other);
    assert_eq!(stack.reload().await.status, 200);
    let answer = stack.chat(&chat("m")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(signatures.ids(), [LASTING.id, TEMPORARY.id]);
    let effective = get(stack.admin, "/admin/v1/config", &[]).await.text();
    for secret in [TEMPORARY.secret, TEMPORARY.token.unwrap(), TEMPORARY.id] {
        assert!(!effective.contains(secret), "{effective}");
    }
}
