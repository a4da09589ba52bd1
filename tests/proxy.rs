//! The proxy that the environment names is used, and those are spared whom it spares.

use tollgate_tests::{BEARER, KEY, Process, Scripted, chat, json_answer, post};

const ANSWER: &str = r#"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;

/// A gateway whose provider is at a name that only a proxy could resolve.
async fn gateway(base_url: String, env: Vec<(&'static str, String)>) -> Process {
    let config = format!(
        "providers: {{ far: {{ kind: openai, base_url: \"{base_url}\", api_key: \"key-of-far-0000\", timeouts: {{ connect: 2s }} }} }}\n\
         models: {{ m: {{ targets: [ {{ provider: far }} ] }} }}\n\
         keys: [ {{ name: test, key: \"{KEY}\" }} ]\nserver: {{ listen: \"127.0.0.1:0\", workers: 1 }}\n\
         admin: {{ listen: \"127.0.0.1:0\" }}\ntelemetry: {{ access_log: \"off\" }}\n"
    );
    tokio::task::spawn_blocking(move || {
        let env: Vec<_> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Process::serve(&config, &env)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn plain_requests_go_to_the_proxy_in_absolute_form() {
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let proxy = Scripted::start(|_| json_answer(200, ANSWER)).await;
        let env = vec![(name, format!("http://user:pass@{}", proxy.addr))];
        let gateway = gateway("http://provider.invalid/v1".to_owned(), env).await;
        let response = post(gateway.addr, "/v1/chat/completions", &[BEARER], &chat("m")).await;
        assert_eq!(response.status, 200, "{name}: {}", response.text());
        let seen = proxy.seen().pop().unwrap().to_ascii_lowercase();
        assert!(
            seen.starts_with("post http://provider.invalid/v1/chat/completions http/1.1\r\n"),
            "{seen}"
        );
        assert!(seen.contains("host: provider.invalid\r\n"), "{seen}");
        assert!(
            seen.contains("proxy-authorization: basic dxnlcjpwyxnz\r\n"),
            "{seen}"
        );
    }
}

#[tokio::test]
async fn encrypted_requests_go_through_a_tunnel_and_the_key_is_not_shown_to_it() {
    let proxy = Scripted::start(|_| b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    let env = vec![("HTTPS_PROXY", format!("http://{}", proxy.addr))];
    let gateway = gateway("https://provider.invalid/v1".to_owned(), env).await;
    let response = post(gateway.addr, "/v1/chat/completions", &[BEARER], &chat("m")).await;
    assert_eq!(
        (response.status, response.json()["error"]["code"].as_str()),
        (502, Some("upstream_failed"))
    );
    let seen = proxy.seen().pop().unwrap();
    assert!(
        seen.starts_with("CONNECT provider.invalid:443 HTTP/1.1\r\n"),
        "{seen}"
    );
    assert!(!seen.contains("key-of-far"), "{seen}");
}

#[tokio::test]
async fn who_is_spared_is_reached_directly() {
    let proxy = Scripted::start(|_| json_answer(200, ANSWER)).await;
    let provider = Scripted::start(|_| json_answer(200, ANSWER)).await;
    let env = vec![
        ("HTTP_PROXY", format!("http://{}", proxy.addr)),
        ("NO_PROXY", "example.com,127.0.0.1".to_owned()),
    ];
    let gateway = gateway(format!("http://{}/v1", provider.addr), env).await;
    let response = post(gateway.addr, "/v1/chat/completions", &[BEARER], &chat("m")).await;
    assert_eq!(response.status, 200, "{}", response.text());
    assert!(proxy.seen().is_empty());
    assert!(
        provider.seen()[0].starts_with("POST /v1/chat/completions HTTP/1.1\r\n"),
        "{}",
        provider.seen()[0]
    );
}

#[tokio::test]
async fn a_proxy_that_is_down_is_a_failed_connection() {
    let (_kept, nobody) = tollgate_tests::refusing();
    let gateway = gateway(
        "http://provider.invalid/v1".to_owned(),
        vec![("HTTP_PROXY", format!("http://{nobody}"))],
    )
    .await;
    let response = post(gateway.addr, "/v1/chat/completions", &[BEARER], &chat("m")).await;
    assert_eq!(response.status, 502, "{}", response.text());
    assert_eq!(
        response.json()["error"]["attempts"][0]["outcome"],
        "connect_failed",
        "{}",
        response.text()
    );
}
