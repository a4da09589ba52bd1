//! What clients upload is passed on as it comes: not held, not lost, not sent twice, and billed for what the answer tells.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tollgate_loadtest::{MockOptions, MockServer};
use tollgate_tests::{BEARER, Process, Scripted, Stack, Wire, eventually, json_answer, refusing};

/// How long an event is waited for that must come.
const PATIENCE: Duration = Duration::from_secs(30);
const PATH: &str = "/v1/audio/transcriptions";
const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=xx");
const HEARD: &str = r#"{"text":"hi","usage":{"type":"duration","seconds":9}}"#;

fn field(name: &str, value: &str) -> String {
    format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn file(bytes: usize) -> String {
    let head = "--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\
                Content-Type: audio/mpeg\r\n\r\n";
    [head, &"s".repeat(bytes), "\r\n"].concat()
}

fn form(parts: &[String]) -> String {
    parts.concat() + "--xx--\r\n"
}

/// Two providers for one model, which each of them calls otherwise.
fn config(east: impl std::fmt::Display, west: impl std::fmt::Display) -> String {
    format!(
        r#"
breaker: {{ enabled: false }}
server: {{ listen: "127.0.0.1:0", workers: 1, upload_limit: 1MiB }}
providers:
  east: {{ kind: openai, base_url: "http://{east}/v1", api_key: "key-of-east-000001" }}
  west: {{ kind: openai, base_url: "http://{west}/v1", api_key: "key-of-west-000001" }}
models:
  stt:
    targets:
      - {{ provider: east, model: whisper-1, price: {{ input: "$0", output: "$0", per_minute: "$0.006" }} }}
      - {{ provider: west, model: whisper-large-v3, priority: 1 }}
"#
    )
}

async fn stack_of(config: &str) -> Stack {
    Stack::in_front_of(MockServer::start(MockOptions::default()).await.unwrap(), config)
}

async fn upload(stack: &Stack, headers: &[(&str, &str)], form: &str) -> tollgate_tests::Response {
    let mut wire = stack.wire().await;
    let mut all = vec![BEARER, FORM];
    all.extend_from_slice(headers);
    wire.send("POST", PATH, &all, form.as_bytes()).await;
    wire.response().await
}

/// A provider whose connections a test plays by hand.
async fn provider() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

async fn accepted(listener: &TcpListener) -> TcpStream {
    let accepted = tokio::time::timeout(PATIENCE, listener.accept()).await;
    accepted.expect("nobody asks").unwrap().0
}

/// Reads until what came holds `wanted`.
async fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).contains(wanted) {
        let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut bytes)).await;
        assert!(read.expect("nothing comes").unwrap() > 0, "it breaks off");
    }
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn an_upload_reaches_the_provider_before_the_client_has_sent_its_end() {
    let (east, west) = (provider().await, provider().await);
    let stack = stack_of(&config(east.local_addr().unwrap(), west.local_addr().unwrap())).await;
    let form = form(&[field("model", "stt"), file(200_000), field("language", "en")]);
    let (begin, end) = form.split_at(1_000);
    let mut client = stack.wire().await;
    let length = form.len().to_string();
    client
        .send(
            "POST",
            PATH,
            &[BEARER, FORM, ("content-length", &length)],
            begin.as_bytes(),
        )
        .await;
    let mut upstream = accepted(&east).await;
    let seen = read_until(&mut upstream, "sssss").await;
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    let grown = form.len() + "whisper-1".len() - "stt".len();
    assert!(
        head.starts_with("post /v1/audio/transcriptions http/1.1"),
        "{head}"
    );
    assert!(head.contains(&format!("content-length: {grown}")), "{head}");
    assert!(
        head.contains("content-type: multipart/form-data; boundary=xx"),
        "{head}"
    );
    assert!(
        head.contains("authorization: bearer key-of-east-000001"),
        "{head}"
    );
    assert!(body.starts_with(&field("model", "whisper-1")), "{body}");
    client.write(end.as_bytes()).await;
    let rest = read_until(&mut upstream, "--xx--\r\n").await;
    assert_eq!(body.len() + rest.len(), grown);
    assert!(rest.ends_with(&(field("language", "en") + "--xx--\r\n")));
    upstream.write_all(&json_answer(200, HEARD)).await.unwrap();
    let answer = client.response().await;
    assert_eq!((answer.status, answer.text().as_str()), (200, HEARD));
    // 9 seconds at $0.006 a minute.
    assert_eq!(answer.header("x-tollgate-cost-usd"), Some("0.000900000"));
    assert_eq!(answer.header("x-tollgate-target"), Some("east/whisper-1"));
    let record = &stack.settled(1).await[0];
    assert_eq!(record["request_bytes"], form.len(), "{record}");
    assert_eq!(
        (&record["usage"]["audio_ms"], &record["cost_nanodollars"]),
        (&9_000.into(), &900_000.into())
    );
    assert_eq!(
        (&record["surface"], &record["model"]),
        (&"transcriptions".into(), &"stt".into())
    );
}

#[tokio::test]
async fn a_form_that_is_held_goes_to_another_target_and_one_that_has_gone_does_not() {
    let (_kept, nobody) = refusing();
    let west = Scripted::start(|_| json_answer(200, HEARD)).await;
    let first = stack_of(&config(nobody, west.addr)).await;
    // Nobody is there: nothing has gone yet, however large it is.
    for bytes in [100, 300_000] {
        let answer = upload(&first, &[], &form(&[field("model", "stt"), file(bytes)])).await;
        assert_eq!(
            (answer.status, answer.header("x-tollgate-attempts")),
            (200, Some("2")),
            "{}",
            answer.text()
        );
        let seen = west.seen();
        assert!(seen.last().unwrap().contains(&field("model", "whisper-large-v3")));
    }
    drop(first);
    let failing = Scripted::start(|_| json_answer(503, "{}")).await;
    let second = stack_of(&config(failing.addr, west.addr)).await;
    let small = upload(&second, &[], &form(&[field("model", "stt"), file(100)])).await;
    assert_eq!(
        (small.status, small.header("x-tollgate-attempts")),
        (200, Some("2"))
    );
    let large = upload(&second, &[], &form(&[field("model", "stt"), file(300_000)])).await;
    assert_eq!(
        (large.status, large.header("x-tollgate-attempts")),
        (503, Some("1")),
        "{}",
        large.text()
    );
    assert_eq!(west.seen().len(), 3, "what has gone is not sent again");
}

#[tokio::test]
async fn a_model_behind_a_large_file_is_named_by_a_header_or_the_configuration() {
    let east = Scripted::start(|_| json_answer(200, HEARD)).await;
    let plain = config(east.addr, east.addr);
    let stack = stack_of(&plain).await;
    let late = form(&[file(200_000), field("model", "stt")]);
    let refused = upload(&stack, &[], &late).await;
    assert_eq!(refused.status, 400);
    let error = &refused.json()["error"];
    let words = error["message"].as_str().unwrap();
    for says in ["before the file", "x-tollgate-model", "passthrough.audio_model"] {
        assert!(words.contains(says), "{words}");
    }
    assert_eq!(error["param"], "model");
    // In a small form it may stand anywhere.
    let small = upload(&stack, &[], &form(&[file(1_000), field("model", "stt")])).await;
    assert_eq!(small.status, 200, "{}", small.text());
    let named = upload(&stack, &[("x-tollgate-model", "stt")], &late).await;
    assert_eq!(named.status, 200, "{}", named.text());
    assert!(east.seen().last().unwrap().contains(&field("model", "whisper-1")));
    stack.rewrite(&format!("{plain}passthrough: {{ audio_model: stt }}\n"));
    assert_eq!(stack.reload().await.status, 200);
    assert_eq!(upload(&stack, &[], &late).await.status, 200);
}

#[tokio::test]
async fn a_form_cannot_ask_for_another_model_than_the_one_it_was_let_in_for() {
    let (east, west) = (provider().await, provider().await);
    let stack = stack_of(&config(east.local_addr().unwrap(), west.local_addr().unwrap())).await;
    let header = [("x-tollgate-model", "stt")];
    let forms = [
        (
            form(&[file(200_000), field("model", "dear")]),
            &header[..],
            "'dear'",
        ),
        (
            form(&[field("model", "stt"), file(200_000), field("model", "dear")]),
            &[],
            "twice",
        ),
        (form(&[file(200_000)]), &header[..], "no field `model`"),
        (field("model", "stt") + &file(200_000), &[], "closing boundary"),
    ];
    for (form, headers, says) in forms {
        let reading = async {
            let mut upstream = accepted(&east).await;
            let mut bytes = Vec::new();
            let _ = upstream.read_to_end(&mut bytes).await;
            bytes
        };
        let (answer, reached) = tokio::join!(upload(&stack, headers, &form), reading);
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains(says), "{}", answer.text());
        assert!(
            !reached.ends_with(b"--xx--\r\n"),
            "{says}: it reached the provider as a whole"
        );
    }
    let log = stack.settled(4).await;
    assert!(
        log.iter().all(|record| record["outcome"] == "refused"),
        "{log:#?}"
    );
}

#[tokio::test]
async fn uploads_have_a_limit_of_their_own() {
    let east = Scripted::start(|_| json_answer(200, HEARD)).await;
    let stack = stack_of(&config(east.addr, east.addr)).await;
    let large = form(&[field("model", "stt"), file(2 << 20)]);
    let stated = upload(&stack, &[], &large).await;
    assert_eq!(stated.status, 413);
    assert!(stated.text().contains("server.upload_limit") && east.seen().is_empty());
    // What does not state its length is broken off where it becomes too large.
    let reading = provider().await;
    let second = stack_of(&config(reading.local_addr().unwrap(), east.addr)).await;
    let mut chunked = String::new();
    for piece in large.as_bytes().chunks(30_000) {
        let text = std::str::from_utf8(piece).unwrap();
        write!(chunked, "{:x}\r\n{text}\r\n", piece.len()).unwrap();
    }
    chunked.push_str("0\r\n\r\n");
    let mut wire = second.wire().await;
    let mut head = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n");
    for (name, value) in [BEARER, FORM] {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    let drained = async {
        let mut upstream = accepted(&reading).await;
        let mut bytes = Vec::new();
        let _ = upstream.read_to_end(&mut bytes).await;
        bytes
    };
    let asked = async {
        wire.write(format!("{head}\r\n{chunked}").as_bytes()).await;
        wire.response().await
    };
    let (streamed, reached) = tokio::join!(asked, drained);
    assert_eq!(streamed.status, 413, "{}", streamed.text());
    assert!((900_000..1_100_000).contains(&reached.len()), "{}", reached.len());
    let packed = upload(&stack, &[("content-encoding", "gzip")], "x").await;
    assert_eq!(packed.status, 415);
}

/// An upload of which a fifth has been sent, and has begun to reach the provider.
async fn begun(stack: &Stack, provider: &TcpListener) -> (Wire, TcpStream) {
    let form = form(&[field("model", "stt"), file(500_000)]);
    let mut client = stack.wire().await;
    let length = form.len().to_string();
    client
        .send(
            "POST",
            PATH,
            &[BEARER, FORM, ("content-length", &length)],
            &form.as_bytes()[..100_000],
        )
        .await;
    let mut upstream = accepted(provider).await;
    read_until(&mut upstream, "sssss").await;
    (client, upstream)
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_an_upload_ends_it_at_the_provider() {
    let (east, west) = (provider().await, provider().await);
    let stack = stack_of(&config(east.local_addr().unwrap(), west.local_addr().unwrap())).await;
    let (client, mut upstream) = begun(&stack, &east).await;
    drop(client);
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, upstream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the provider is left waiting");
    let record = &stack.settled(1).await[0];
    assert_eq!(
        (&record["outcome"], &record["status"]),
        (&"client_gone".into(), &499.into()),
        "{record}"
    );
}

#[tokio::test]
async fn a_large_upload_takes_little_memory() {
    const BYTES: usize = 64 << 20;
    let sink = provider().await;
    let addr = sink.local_addr().unwrap();
    tokio::spawn(async move {
        let mut upstream = accepted(&sink).await;
        let (mut buffer, mut tail) = (vec![0; 256 << 10], Vec::new());
        while !tail.ends_with(b"--xx--\r\n") {
            let Ok(read @ 1..) = upstream.read(&mut buffer).await else {
                return;
            };
            tail.extend_from_slice(&buffer[..read]);
            tail.drain(..tail.len().saturating_sub(64));
        }
        upstream.write_all(&json_answer(200, HEARD)).await.unwrap();
    });
    let config = format!(
        "server: {{ listen: \"127.0.0.1:0\", workers: 1 }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n\
         telemetry: {{ access_log: \"off\" }}\n\
         providers:\n  east: {{ kind: openai, base_url: \"http://{addr}/v1\", api_key: \"key-of-east-000001\" }}\n\
         models:\n  stt: {{ targets: [ {{ provider: east, model: whisper-1 }} ] }}\n"
    );
    let gateway = Process::serve(&config, &[]);
    let before = gateway.resident_bytes();
    let head = field("model", "stt") + file(0).strip_suffix("\r\n").unwrap();
    let foot = "\r\n--xx--\r\n";
    let length = (head.len() + BYTES + foot.len()).to_string();
    let mut client = Wire::connect(gateway.addr).await;
    client
        .send(
            "POST",
            PATH,
            &[FORM, ("content-length", &length)],
            head.as_bytes(),
        )
        .await;
    let piece = vec![b's'; 1 << 20];
    let mut most = before;
    for _ in 0..BYTES >> 20 {
        client.write(&piece).await;
        most = most.max(gateway.resident_bytes());
    }
    client.write(foot.as_bytes()).await;
    let answer = client.response().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let grown = most - before;
    assert!(grown < 8 << 20, "{grown} bytes more for an upload of {BYTES}");
}

#[tokio::test]
async fn a_provider_that_answers_before_the_end_is_heard() {
    let (east, west) = (provider().await, provider().await);
    let stack = stack_of(&config(east.local_addr().unwrap(), west.local_addr().unwrap())).await;
    let (mut client, mut upstream) = begun(&stack, &east).await;
    upstream
        .write_all(&json_answer(
            400,
            r#"{"error":{"message":"no such format","type":"invalid_request_error"}}"#,
        ))
        .await
        .unwrap();
    let answer = client.response().await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("no such format"), "{}", answer.text());
    drop(client);
    eventually("it is settled", || stack.log().len() == 1).await;
}
