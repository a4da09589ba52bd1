//! Neither a provider's key nor a client's is ever seen: not in the log, not in metrics, not in errors or headers, not
//! on standard error, not in debug output, whatever a provider says.

use tollgate_actors::ConfigSource;
use tollgate_loadtest::{MockOptions, MockServer};
use tollgate_tests::{
    BEARER, KEY, Process, Scripted, Stack, chat, chat_stream, get, json_answer, messages, messages_stream,
    post, scratch_file,
};

const OPENAI_KEY: &str = "sk-proj-Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA";
const CLAUDE_KEY: &str = "sk-ant-api03-cXV1eGNvcmdlZ3JhdWx0Z2FycGx5";
const PLAIN_KEY: &str = "0123456789abcdef0123456789abcdef";
const ADMIN_KEY: &str = "tg-admin-key-0123456789";
const HEADER_SECRET: &str = "a-header-that-is-secret-012345";

const SECRETS: [&str; 6] = [OPENAI_KEY, CLAUDE_KEY, PLAIN_KEY, KEY, ADMIN_KEY, HEADER_SECRET];

fn config() -> String {
    format!(
        r#"
providers:
  openai: {{ kind: openai, base_url: "http://{{mock}}/v1", api_key: "{OPENAI_KEY}", headers: {{ x-account: "{HEADER_SECRET}" }} }}
  claude: {{ kind: anthropic, base_url: "http://{{mock}}", api_key: "{CLAUDE_KEY}" }}
  plain: {{ kind: openai, base_url: "http://{{mock}}/v1", api_key: "{PLAIN_KEY}" }}
models:
  "o/*": {{ targets: [ {{ provider: openai }} ] }}
  "a/*": {{ targets: [ {{ provider: claude }} ] }}
  "p/*": {{ targets: [ {{ provider: plain }} ] }}
  both: {{ targets: [ {{ provider: openai, model: m, priority: 0 }}, {{ provider: claude, model: m, priority: 1 }} ] }}
admin: {{ listen: "127.0.0.1:0", key: "{ADMIN_KEY}" }}
"#
    )
}

fn assert_none(place: &str, text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "'{secret}' stands in {place}: {text}");
        // Nor most of it.
        let part = &secret[..secret.len() - 4];
        assert!(!text.contains(part), "'{part}' stands in {place}: {text}");
    }
}

/// Everything that can be seen of a gateway that has served `requests`.
async fn look_everywhere(stack: &Stack) {
    let bearer = format!("Bearer {ADMIN_KEY}");
    for path in ["/metrics", "/status", "/readyz"] {
        let response = get(stack.admin, path, &[("authorization", &bearer)]).await;
        assert_eq!(response.status, 200);
        assert_none(path, &response.text());
    }
    let refused = get(stack.admin, "/metrics", &[("authorization", "Bearer wrong")]).await;
    assert_eq!(refused.status, 401);
    assert_none("the admin's refusal", &refused.text());
    let reloaded = post(stack.admin, "/admin/v1/reload", &[("authorization", &bearer)], "").await;
    assert_none("the reload", &reloaded.text());
}

/// A provider that says back what it was sent: the credential in its error, in plain and in pieces of header.
async fn parrot(status: u16) -> Scripted {
    Scripted::start(move |request| {
        let lines: Vec<_> = request.lines().take_while(|line| !line.is_empty()).collect();
        let said = lines.join("; ").replace(['"', '\\'], "'");
        let body = match status {
            200 => format!(r#"{{"id":"x","object":"chat.completion","created":1,"model":"{}","choices":[],"usage":null}}"#, "m"),
            _ => format!(r#"{{"type":"error","error":{{"message":"I received {said}","type":"invalid_request_error","code":"{said}","param":"{said}"}}}}"#),
        };
        let answer = String::from_utf8(json_answer(status, &body)).unwrap();
        let echoed = format!("\r\nx-request-id: req-{said}\r\nx-echo: {said}\r\nset-cookie: {said}\r\ncontent-length");
        answer.replacen("\r\ncontent-length", &echoed, 1).into_bytes()
    })
    .await
}

#[tokio::test]
async fn a_provider_that_repeats_our_key_is_not_quoted() {
    for status in [400, 401, 403, 404, 422, 429, 500, 503, 200] {
        let upstream = parrot(status).await;
        let mock = MockServer::start(MockOptions::default()).await.unwrap();
        let stack = Stack::in_front_of(mock, &config().replace("{mock}", &upstream.addr.to_string()));
        for model in ["o/m", "a/m", "p/m", "both"] {
            let openai = stack.chat(&chat(model)).await;
            let anthropic = stack.messages(&messages(model)).await;
            let stream = stack.chat(&chat_stream(model)).await;
            for response in [openai, anthropic, stream] {
                assert_none(&format!("the body of a {status}"), &response.text());
                assert_none(
                    &format!("the headers of a {status}"),
                    &format!("{:?}", response.headers),
                );
            }
        }
        assert!(
            upstream.seen().iter().any(|seen| seen.contains(OPENAI_KEY)),
            "the provider was given its key"
        );
        look_everywhere(&stack).await;
        let mut stack = stack;
        stack.drained().await;
        let log = std::fs::read_to_string(&stack.log_file).unwrap();
        assert!(log.lines().count() >= 12);
        assert_none(&format!("the log of a {status}"), &log);
    }
}

#[tokio::test]
async fn an_answer_that_is_a_string_with_our_key_is_not_quoted() {
    let said = format!("\"Incorrect API key provided: {OPENAI_KEY}\"");
    let upstream = Scripted::start(move |_| json_answer(200, &said)).await;
    let mock = MockServer::start(MockOptions::default()).await.unwrap();
    let stack = Stack::in_front_of(mock, &config().replace("{mock}", &upstream.addr.to_string()));
    for model in ["o/m", "a/m", "p/m"] {
        for response in [
            stack.chat(&chat(model)).await,
            stack.messages(&messages(model)).await,
        ] {
            assert_ne!(response.status, 200);
            assert_none("a body", &response.text());
        }
    }
}

#[tokio::test]
async fn ordinary_traffic_shows_no_key() {
    let stack = Stack::start(&config()).await;
    for model in ["o/m", "a/m", "p/m--status500", "o/m--reset4", "a/m--error3"] {
        for response in [
            stack.chat(&chat(model)).await,
            stack.chat(&chat_stream(model)).await,
            stack.messages(&messages_stream(model)).await,
            post(
                stack.addr,
                "/v1/chat/completions",
                &[("x-api-key", OPENAI_KEY)],
                &chat(model),
            )
            .await,
        ] {
            assert_none("a body", &response.text());
            assert_none("headers", &format!("{:?}", response.headers));
        }
    }
    // A key where no key belongs: as a model's name, as a path.
    let as_model = stack.chat(&chat("o/m--status400")).await;
    assert_eq!(as_model.status, 400);
    look_everywhere(&stack).await;
    assert_none("the log", &std::fs::read_to_string(&stack.log_file).unwrap());
}

#[tokio::test]
async fn the_clients_key_and_cookies_stay_here() {
    let upstream = Scripted::start(|_| json_answer(500, "{}")).await;
    let mock = MockServer::start(MockOptions::default()).await.unwrap();
    let stack = Stack::in_front_of(mock, &config().replace("{mock}", &upstream.addr.to_string()));
    let headers = [
        BEARER,
        ("x-api-key", "tg-another-secret-of-the-client"),
        ("x-goog-api-key", "tg-another-secret-of-the-client"),
        ("api-key", "tg-another-secret-of-the-client"),
        ("cookie", "session=secret-of-the-client"),
        ("proxy-authorization", "Basic c2VjcmV0LW9mLXRoZS1jbGllbnQ="),
        ("x-forwarded-for", "10.1.2.3"),
        ("x-stainless-os", "secret-of-the-client"),
    ];
    for model in ["o/m", "a/m"] {
        post(stack.addr, "/v1/chat/completions", &headers, &chat(model)).await;
        post(stack.addr, "/v1/messages", &headers, &messages_stream(model)).await;
    }
    let seen = upstream.seen();
    assert_eq!(seen.len(), 4);
    for request in seen {
        for word in [KEY, "secret-of-the-client", "c2VjcmV0", "cookie", "10.1.2.3"] {
            assert!(
                !request.contains(word),
                "'{word}' went to the provider: {request}"
            );
        }
        let key = if request.contains("/messages") {
            CLAUDE_KEY
        } else {
            OPENAI_KEY
        };
        assert_eq!(request.matches(key).count(), 1, "{request}");
    }
}

#[tokio::test]
async fn debug_output_of_settings_has_no_key() {
    let file = scratch_file("yaml");
    let keys = format!("keys: [ {{ name: test, key: \"{KEY}\" }} ]\n");
    std::fs::write(
        &file,
        config().replace("{mock}", "127.0.0.1:1").trim_start().to_owned() + &keys,
    )
    .unwrap();
    let settings = ConfigSource::File(file.clone())
        .load(1, &tollgate_routing::Board::default())
        .unwrap_or_else(|problems| panic!("{problems}"));
    std::fs::remove_file(file).unwrap();
    assert_none("settings", &format!("{settings:?} {settings:#?}"));
    let provider = settings.catalog.providers()[0].clone();
    assert_none("a provider", &format!("{provider:?}"));
}

#[tokio::test]
async fn problems_of_a_config_show_no_key() {
    let stack = Stack::start(&config()).await;
    let file = std::fs::read_to_string(&stack.config_file).unwrap();
    // Each mistake stands at a key or beside one.
    let mistakes = [
        file.replace("api_key", "api_kye"),
        file.replacen(&format!("\"{OPENAI_KEY}\""), &format!("[ \"{OPENAI_KEY}\" ]"), 1),
        file.replacen(
            &format!("api_key: \"{CLAUDE_KEY}\""),
            &format!("api_key: {{ {CLAUDE_KEY}: {PLAIN_KEY} }}"),
            1,
        ),
        file.replacen(OPENAI_KEY, &format!("{OPENAI_KEY}\u{7}"), 1),
        file.replacen(&format!("\"{OPENAI_KEY}\""), &format!("\"{OPENAI_KEY}"), 1),
        file.replacen("api_key: \"", "api_key: \"${NO_SUCH_VARIABLE_ANYWHERE}", 1),
        file.replacen("kind: anthropic", "kind: antropic", 1),
        file.replacen(
            &format!("key: \"{KEY}\""),
            &format!("key: \"{KEY}\", key_hash: \"{KEY}\""),
            1,
        ),
        file.replacen(&format!("key: \"{KEY}\""), &format!("kye: \"{KEY}\""), 1),
    ];
    for mistake in mistakes {
        assert_ne!(mistake, file);
        std::fs::write(&stack.config_file, &mistake).unwrap();
        let bearer = format!("Bearer {ADMIN_KEY}");
        let refused = post(stack.admin, "/admin/v1/reload", &[("authorization", &bearer)], "").await;
        assert_eq!(refused.status, 422, "{}: {mistake}", refused.text());
        assert_none("the problems", &refused.text());
    }
}

#[tokio::test]
async fn the_process_writes_no_key() {
    let upstream = MockServer::start(MockOptions::default()).await.unwrap();
    let text = config()
        .replace("{mock}", &upstream.addr().to_string())
        .replace(OPENAI_KEY, "${OPENAI_API_KEY}");
    let text = format!(
        "{}keys: [ {{ name: test, key: \"{KEY}\" }} ]\nserver: {{ listen: \"127.0.0.1:0\" }}\n",
        text.trim_start()
    );
    let mut gateway =
        tokio::task::spawn_blocking(move || Process::serve(&text, &[("OPENAI_API_KEY", OPENAI_KEY)]))
            .await
            .unwrap();
    for model in ["o/m", "a/m", "p/m--status401", "o/m--reset", "o/m--status400"] {
        post(gateway.addr, "/v1/chat/completions", &[BEARER], &chat(model)).await;
    }
    let bad = std::fs::read_to_string(&gateway.config_file)
        .unwrap()
        .replace("kind: openai", "kind: opnai");
    std::fs::write(&gateway.config_file, bad).unwrap();
    gateway.signal("HUP");
    tollgate_tests::eventually("the bad file is refused", || gateway.stderr().contains("opnai")).await;
    gateway.signal("TERM");
    let gateway = tokio::task::spawn_blocking(move || {
        assert_eq!(gateway.wait(), Some(0));
        gateway
    });
    let gateway = gateway.await.unwrap();
    tollgate_tests::eventually("the log is written", || gateway.stdout().lines().count() == 5).await;
    assert_none("standard error", &gateway.stderr());
    assert_none("standard output", &gateway.stdout());
}
