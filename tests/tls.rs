//! TLS on the data plane: HTTP/2 and HTTP/1.1 by ALPN, with the certificate that the config names.

use std::path::PathBuf;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tollgate_actors::ConfigSource;
use tollgate_tests::{BEARER, Http2, KEY, Stack, chat, chat_stream, run, scratch_file};

/// A certificate for `localhost`, in files.
struct Certificate {
    der: CertificateDer<'static>,
    cert_file: PathBuf,
    key_file: PathBuf,
}

impl Certificate {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (cert_file, key_file) = (scratch_file("pem"), scratch_file("pem"));
        std::fs::write(&cert_file, made.cert.pem()).unwrap();
        std::fs::write(&key_file, made.signing_key.serialize_pem()).unwrap();
        Self {
            der: made.cert.der().clone(),
            cert_file,
            key_file,
        }
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.cert_file);
        let _ = std::fs::remove_file(&self.key_file);
    }
}

fn config(cert_file: &std::path::Path, key_file: &std::path::Path) -> String {
    format!(
        r#"
providers:
  openai: {{ kind: openai, base_url: "http://{{mock}}/v1", api_key: "key-of-openai-000" }}
models:
  "*": {{ targets: [ {{ provider: openai }} ] }}
server:
  listen: "127.0.0.1:0"
  workers: 1
  tls: {{ cert_file: "{}", key_file: "{}" }}
"#,
        cert_file.display(),
        key_file.display()
    )
}

async fn connect(
    stack: &Stack,
    root: &CertificateDer<'static>,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(stack.addr).await?;
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from("localhost").unwrap(), stream)
        .await
}

#[tokio::test]
async fn both_protocols_are_served() {
    let certificate = Certificate::new();
    let stack = Stack::start(&config(&certificate.cert_file, &certificate.key_file)).await;
    let stream = connect(&stack, &certificate.der, &["h2", "http/1.1"])
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut client = Http2::over(TokioIo::new(stream)).await;
    let response = client
        .post("/v1/chat/completions", &[BEARER], &chat_stream("m"))
        .await;
    assert!(
        response.status == 200 && response.text().contains("[DONE]"),
        "{}",
        response.text()
    );
    for protocols in [&["http/1.1"] as &[&str], &[]] {
        let mut stream = connect(&stack, &certificate.der, protocols).await.unwrap();
        let body = chat("m");
        let (name, key) = BEARER;
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n{name}: {key}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // The server may close without saying so in TLS.
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains("chat.completion"),
            "{answer}"
        );
    }
    stack.settled(3).await;
}

#[tokio::test]
async fn a_load_test_runs_over_tls() {
    let certificate = Certificate::new();
    let stack = Stack::start(&config(&certificate.cert_file, &certificate.key_file)).await;
    let (url, roots) = (
        format!("https://localhost:{}", stack.addr.port()),
        certificate.cert_file.to_str().unwrap().to_owned(),
    );
    let load = move |protocol: &str, roots: &str| {
        let args = [
            "bench",
            "smoke",
            "--url",
            &url,
            "--key",
            KEY,
            "--model",
            "m",
            "--protocol",
            protocol,
            "--duration",
            "300ms",
            "--warm-up",
            "0s",
            "--lag-limit",
            "1h",
            "--rate",
            "100",
        ];
        run(&std::env::temp_dir(), &args, &[("SSL_CERT_FILE", roots)])
    };
    let runs = move || {
        (
            load("http1", &roots),
            load("http2", &roots),
            load("http2", "/dev/null"),
        )
    };
    let (http1, http2, stranger) = tokio::task::spawn_blocking(runs).await.unwrap();
    for finished in [http1, http2] {
        assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
        assert!(
            finished.stdout.contains("passed fail if errors>0%"),
            "{}",
            finished.stdout
        );
    }
    assert_eq!(stranger.code, Some(3), "{}{}", stranger.stdout, stranger.stderr);
    assert!(
        stranger.stderr.contains("cannot be reached"),
        "{}",
        stranger.stderr
    );
}

#[tokio::test]
async fn plain_text_and_strangers_certificates_are_no_way_in() {
    let (certificate, stranger) = (Certificate::new(), Certificate::new());
    let stack = Stack::start(&config(&certificate.cert_file, &certificate.key_file)).await;
    assert!(connect(&stack, &stranger.der, &[]).await.is_err());
    let mut wire = stack.wire().await;
    wire.post("/v1/chat/completions", &[BEARER], &chat("m")).await;
    assert!(wire.try_head().await.is_none(), "an answer in plain text");
    assert!(stack.mock.control().journal().is_empty());
}

#[tokio::test]
async fn files_that_do_not_fit_are_no_start() {
    let (one, other) = (Certificate::new(), Certificate::new());
    let missing = scratch_file("pem");
    for (cert_file, key_file) in [
        (&one.cert_file, &other.key_file),
        (&missing, &one.key_file),
        (&one.key_file, &one.key_file),
    ] {
        let file = scratch_file("yaml");
        let text = config(cert_file, key_file).replace("{mock}", "127.0.0.1:1")
            + "keys: [ { name: test, key: \"tg-test-key-0123456789\" } ]\nadmin: { listen: \"127.0.0.1:0\" }\ntelemetry: { access_log: \"off\" }\n";
        std::fs::write(&file, text).unwrap();
        let source = ConfigSource::File(file.clone());
        let started = tokio::task::spawn_blocking(move || {
            actix_rt::System::new().block_on(async move {
                let board = std::sync::Arc::new(tollgate_routing::Board::default());
                let Ok(settings) = source.load(1, &board) else {
                    return false;
                };
                tollgate::Gateway::start(source, settings, board).is_ok()
            })
        });
        assert!(
            !started.await.unwrap(),
            "{} with {}",
            cert_file.display(),
            key_file.display()
        );
        std::fs::remove_file(file).unwrap();
    }
}
