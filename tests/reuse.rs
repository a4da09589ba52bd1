//! Connections to providers are reused, and one that dies while it rests costs no request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tollgate_tests::{BEARER, Stack, chat, post};

const ANSWER: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;

/// Answers one request on a connection and keeps it open; takes the next one's first bytes and hangs up on it.
async fn hang_up_on_the_second(mut stream: TcpStream, hung_up: Arc<AtomicUsize>) {
    let mut bytes = vec![0; 64 * 1024];
    if !matches!(stream.read(&mut bytes).await, Ok(1..)) {
        return;
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    let is_written = stream.write_all(head.as_bytes()).await.is_ok();
    if is_written && matches!(stream.read(&mut bytes).await, Ok(1..)) {
        hung_up.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_connection_that_dies_while_it_rests_costs_no_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let hung_up = Arc::new(AtomicUsize::new(0));
    let counted = hung_up.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(hang_up_on_the_second(stream, counted.clone()));
        }
    });
    let config = format!(
        "server: {{ listen: \"127.0.0.1:0\", workers: 1 }}\n\
         providers: {{ moody: {{ kind: openai, base_url: \"http://{addr}/v1\" }} }}\n\
         models: {{ m: {{ targets: [ {{ provider: moody, model: m }} ] }} }}\n"
    );
    let stack = Stack::start(&config).await;
    for _ in 0..6 {
        let answer = post(stack.addr, "/v1/chat/completions", &[BEARER], &chat("m")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert!(hung_up.load(Ordering::SeqCst) >= 3, "no connection was reused");
}
