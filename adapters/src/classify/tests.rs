//! What a failure comes to, and that its words are safe to show.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn fail(client: Dialect, upstream: Dialect, status: u16, body: &str) -> ProviderFailure {
    failure(
        client,
        upstream,
        status,
        &|_| None,
        &Bytes::copy_from_slice(body.as_bytes()),
    )
}

fn openai(status: u16, body: &str) -> ProviderFailure {
    fail(Dialect::OpenAi, Dialect::OpenAi, status, body)
}

fn body_of(failure: &ProviderFailure) -> Value {
    serde_json::from_slice(&failure.body).unwrap()
}

fn wait(headers: &[(&str, &str)], body: &'static str) -> Option<Duration> {
    let find = |name: &str| {
        let found = headers.iter().find(|(header, _)| *header == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    failure(
        Dialect::OpenAi,
        Dialect::OpenAi,
        429,
        &find,
        &Bytes::from_static(body.as_bytes()),
    )
    .retry_after
}

const WORDINGS: &[(u16, &str, OutcomeClass)] = &[
    (
        400,
        r#"{"error":{"message":"The total length of all messages is too long.","code":400}}"#,
        OutcomeClass::ContextTooLong,
    ),
    (
        400,
        r#"{"error":{"message":"bad","type":"invalid_request_error"}}"#,
        OutcomeClass::InvalidRequest,
    ),
    (
        400,
        r#"{"error":{"message":"x","code":"context_length_exceeded"}}"#,
        OutcomeClass::ContextTooLong,
    ),
    (
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}}"#,
        OutcomeClass::ContextTooLong,
    ),
    (
        400,
        r#"{"error":"prompt too long; exceeded max context length by 3 tokens"}"#,
        OutcomeClass::ContextTooLong,
    ),
    (
        400,
        r#"{"error":{"message":"x","code":"model_not_found"}}"#,
        OutcomeClass::ModelNotFound,
    ),
    (
        401,
        r#"{"detail":"Invalid API Key"}"#,
        OutcomeClass::CredentialRejected,
    ),
    (
        402,
        r#"{"error":{"message":"Insufficient Balance","code":"invalid_request_error"}}"#,
        OutcomeClass::QuotaExhausted,
    ),
    (403, "", OutcomeClass::CredentialRejected),
    (
        404,
        r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment does not exist"}}"#,
        OutcomeClass::ModelNotFound,
    ),
    (
        404,
        r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-x"}}"#,
        OutcomeClass::ModelNotFound,
    ),
    (404, "<html>nothing here</html>", OutcomeClass::InvalidRequest),
    (408, "", OutcomeClass::ServerError),
    (409, "", OutcomeClass::ServerError),
    (413, "", OutcomeClass::ContextTooLong),
    (418, "", OutcomeClass::InvalidRequest),
    (
        422,
        r#"{"object":"error","message":{"detail":[{"msg":"Extra inputs"}]}}"#,
        OutcomeClass::InvalidRequest,
    ),
    (
        429,
        r#"{"object":"error","message":"Rate limit exceeded","type":"rate_limited","code":"3505"}"#,
        OutcomeClass::RateLimited,
    ),
    (
        429,
        r#"{"error":{"message":"x","type":"insufficient_quota","code":"insufficient_quota"}}"#,
        OutcomeClass::QuotaExhausted,
    ),
    (
        429,
        r#"{"error":{"message":"Request too large for gpt-4o"}}"#,
        OutcomeClass::ContextTooLong,
    ),
    (500, "", OutcomeClass::ServerError),
    (
        502,
        "<html><body>Bad gateway</body></html>",
        OutcomeClass::ServerError,
    ),
    (503, "", OutcomeClass::Overloaded),
    (520, "", OutcomeClass::ServerError),
    (
        529,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        OutcomeClass::Overloaded,
    ),
    (302, "", OutcomeClass::ServerError),
];

#[test]
fn every_wording_comes_to_its_class() {
    for (status, body, class) in WORDINGS {
        assert_eq!(openai(*status, body).class, *class, "{status} {body}");
    }
}

#[test]
fn an_error_in_the_clients_own_shape_passes_as_it_is() {
    let body = r#"{ "error" : {"message":"m","type":"t","param":null,"code":"c","innererror":{"a":1}} }"#;
    let failure = openai(400, body);
    assert_eq!((failure.body, failure.message.as_str()), (Bytes::from(body), "m"));
    let body =
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}"#;
    let failure = fail(Dialect::Anthropic, Dialect::Anthropic, 529, body);
    assert_eq!((failure.status, failure.body), (529, Bytes::from(body)));
}

#[test]
fn an_error_of_which_not_everything_could_be_read_does_not_pass_as_it_is() {
    let shape = r#"{"error":{"message":"m","type":"t","param":null,"code":"c"}}"#;
    let garbled = [shape.as_bytes(), b"\xff\xff"].concat();
    let endless = format!("{shape}{} sk-proj-0123456789abcdefghij ", " ".repeat(300 << 10)).into_bytes();
    for body in [garbled, endless] {
        let failure = failure(Dialect::OpenAi, Dialect::OpenAi, 400, &|_| None, &body.into());
        assert_eq!(body_of(&failure)["error"]["message"], "m");
        assert!(!failure.body.windows(8).any(|part| part == b"sk-proj-"));
    }
}

#[test]
fn every_other_shape_becomes_the_clients_with_the_providers_words() {
    let message = |body: &str| {
        let failure = openai(422, body);
        let rendered = body_of(&failure)["error"]["message"].as_str().unwrap().to_owned();
        assert_eq!(rendered, failure.message);
        rendered
    };
    assert_eq!(message(r#"{"error":"Too Many"}"#), "Too Many");
    assert_eq!(message(r#"{"detail":"Invalid"}"#), "Invalid");
    assert_eq!(
        message(r#"{"detail":[{"loc":["a"],"msg":"field required"}]}"#),
        "field required"
    );
    assert_eq!(
        message(r#"{"object":"error","message":{"detail":[{"msg":"Extra inputs"}]}}"#),
        "Extra inputs"
    );
    assert_eq!(
        message(r#"[{"error":{"code":400,"message":"in an array","status":"INVALID"}}]"#),
        "in an array"
    );
    assert_eq!(message(r#""just a string""#), "just a string");
    assert_eq!(
        message("<html><head><title>502</title></head>\n<b>Bad</b> gateway"),
        "502 Bad gateway"
    );
    assert_eq!(message("plain words"), "plain words");
    for nothing in ["", "{}", "[]", "null", "{\"error\":{}}"] {
        let said = message(nothing);
        assert!(said.contains("422") || said == nothing, "{nothing}: {said}");
    }
    assert_eq!(message(&"long ".repeat(1000)).chars().count(), 500);
}

#[test]
fn errors_cross_from_dialect_to_dialect() {
    let anthropic = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let failure = fail(Dialect::OpenAi, Dialect::Anthropic, 529, anthropic);
    let expected =
        json!({"error": {"message": "Overloaded", "type": "server_error", "param": null, "code": null}});
    assert_eq!((failure.status, body_of(&failure)), (503, expected));
    let openai =
        r#"{"error":{"message":"slow down","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#;
    let failure = fail(Dialect::Anthropic, Dialect::OpenAi, 429, openai);
    let expected = json!({"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}});
    assert_eq!((failure.status, body_of(&failure)), (429, expected));
}

#[test]
fn a_refused_credential_of_ours_is_never_the_clients_and_never_shown() {
    let body =
        r#"{"error":{"message":"Incorrect API key provided: sk-proj-0123456789abcdef. Find it at x"}}"#;
    for (status, dialect) in [(401, Dialect::OpenAi), (403, Dialect::Anthropic)] {
        let failure = fail(dialect, Dialect::OpenAi, status, body);
        assert_eq!(
            (failure.status, failure.class),
            (502, OutcomeClass::CredentialRejected)
        );
        assert!(!String::from_utf8_lossy(&failure.body).contains("sk-"));
        assert!(!failure.message.contains("0123456789") && failure.message.contains("***"));
    }
    let failure = openai(400, &body.replace("Incorrect API key", "Odd header"));
    assert!(!String::from_utf8_lossy(&failure.body).contains("0123456789"));
}

#[test]
fn googles_key_that_is_not_valid_is_the_gateways_and_not_the_clients_bad_request() {
    let body = r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT",
        "details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}"#;
    let failure = fail(Dialect::Gemini, Dialect::Gemini, 400, body);
    assert_eq!(
        (failure.status, failure.class),
        (502, OutcomeClass::CredentialRejected)
    );
    assert!(!String::from_utf8_lossy(&failure.body).contains("API key not valid"));
}

#[test]
fn googles_limit_of_a_minute_is_waited_for_and_that_of_a_day_is_not() {
    let failure = |quota: &str| {
        let body = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED",
            "message": "You exceeded your current quota, please check your plan and billing details.",
            "details": [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota}]},
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "20s"}]}});
        fail(Dialect::OpenAi, Dialect::Gemini, 429, &body.to_string())
    };
    let minute = failure("GenerateRequestsPerMinutePerProjectPerModel-FreeTier");
    assert_eq!(minute.class, OutcomeClass::RateLimited);
    assert_eq!(minute.retry_after, Some(Duration::from_secs(20)));
    let day = failure("GenerateRequestsPerDayPerProjectPerModel-FreeTier");
    assert_eq!(day.class, OutcomeClass::QuotaExhausted);
}

#[test]
fn bedrock_says_beside_the_body_what_kind_of_error_it_is() {
    use OutcomeClass as Class;
    let class = |upstream, kind: &str, status, message: &str| {
        let header = |name: &str| (name == "x-amzn-errortype").then(|| kind.to_owned());
        let body = Bytes::from(json!({ "message": message }).to_string());
        failure(Dialect::Bedrock, upstream, status, &header, &body).class
    };
    for (kind, status, message, expected) in [
        ("ThrottlingException", 400, "slow down", Class::RateLimited),
        (
            "ThrottlingException:http://internal.amazon.com/coral/",
            400,
            "slow down",
            Class::RateLimited,
        ),
        (
            "ServiceQuotaExceededException",
            400,
            "limit",
            Class::QuotaExhausted,
        ),
        ("ExpiredTokenException", 400, "expired", Class::CredentialRejected),
        ("ModelErrorException", 424, "broke", Class::ServerError),
        ("ValidationException", 400, "malformed", Class::InvalidRequest),
        (
            "ValidationException",
            400,
            "Input Tokens Exceeded: Number of input tokens exceeds maximum length",
            Class::ContextTooLong,
        ),
        ("Unheard", 503, "busy", Class::Overloaded),
    ] {
        assert_eq!(class(Dialect::Bedrock, kind, status, message), expected, "{kind}");
    }
    let elsewhere = class(Dialect::OpenAi, "ThrottlingException", 400, "x");
    assert_eq!(elsewhere, Class::InvalidRequest);
}

#[test]
fn when_to_come_back_is_found_wherever_it_is_said() {
    let seconds = |seconds: f64| Some(Duration::from_secs_f64(seconds));
    assert_eq!(wait(&[("retry-after", "2")], ""), seconds(2.0));
    assert_eq!(
        wait(&[("retry-after", "1"), ("retry-after-ms", "250")], ""),
        seconds(0.25)
    );
    assert_eq!(
        wait(&[("retry-after", "1"), ("retry-after-ms", "0")], ""),
        seconds(1.0)
    );
    let date = "Wed, 21 Oct 2026 07:28:00 GMT";
    assert_eq!(
        wait(
            &[("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT"), ("date", date)],
            ""
        ),
        seconds(30.0)
    );
    assert_eq!(
        wait(
            &[("retry-after", date), ("date", "Wed, 21 Oct 2026 07:30:00 GMT")],
            ""
        ),
        seconds(0.0)
    );
    let body = r#"{"error":{"code":429,"message":"m","details":[{"@type":"x"},{"@type":"RetryInfo","retryDelay":"20.5s"}]}}"#;
    assert_eq!(wait(&[], body), seconds(20.5));
    assert_eq!(wait(&[("retry-after", "99999999999")], ""), seconds(86400.0));
    for bad in ["", "-1", "soon", "NaN", "inf"] {
        assert_eq!(wait(&[("retry-after", bad)], ""), None, "{bad}");
    }
}

#[test]
fn errors_inside_streams_are_classed_by_their_own_words() {
    use OutcomeClass as Class;
    for (data, class) in [
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#,
            Class::Overloaded,
        ),
        (
            r#"{"error":{"message":"x","type":"invalid_request_error","code":"tool_use_failed","status_code":400}}"#,
            Class::StreamError,
        ),
        (
            r#"{"error":{"code":429,"message":"slow"},"choices":[]}"#,
            Class::RateLimited,
        ),
        (
            r#"{"error":{"message":"x","code":"context_length_exceeded"}}"#,
            Class::ContextTooLong,
        ),
        (r#"{"error":{"code":502,"message":"x"}}"#, Class::StreamError),
        (r#"{"error":"what"}"#, Class::StreamError),
    ] {
        assert_eq!(classify_in_stream(&Words::read(data.as_bytes())), class, "{data}");
    }
}

#[test]
fn deeply_nested_errors_do_not_overflow_the_stack() {
    let deep = format!("{}1{}", "{\"error\":".repeat(20_000), "}".repeat(20_000));
    assert_eq!(openai(400, &deep).class, OutcomeClass::InvalidRequest);
}

proptest! {
    #[test]
    fn any_bytes_are_an_error_that_a_client_can_read(bytes: Vec<u8>, status in 300u16..600, anthropic: bool) {
        let client = if anthropic { Dialect::Anthropic } else { Dialect::OpenAi };
        let failure = failure(client, Dialect::OpenAi, status, &|_| None, &Bytes::from(bytes));
        prop_assert!(body_of(&failure)["error"]["message"].is_string());
        prop_assert!(failure.status >= 400);
    }
}

#[test]
fn a_number_that_repeats_the_status_is_no_code_to_clients_of_another_dialect() {
    let body = r#"{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}}"#;
    let code = |client| {
        let told = fail(client, Dialect::Gemini, 429, body).body;
        serde_json::from_slice::<serde_json::Value>(&told).unwrap()["error"]["code"].clone()
    };
    assert_eq!(code(Dialect::OpenAi), "RESOURCE_EXHAUSTED");
    assert_eq!(code(Dialect::Gemini), 429);
}
