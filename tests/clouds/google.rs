//! Access tokens for Vertex AI: of service accounts, users, federated workloads and machines.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;

use super::*;

const KEY: &str = include_str!("../fixtures/service-account.pem");
const ACCOUNT: &str = "gateway@the-project.iam.gserviceaccount.com";
const TOKEN: &str = "ya29.c.first-token-of-the-tests-0123456789";
const SECOND: &str = "ya29.c.second-token-of-the-tests-0123456789";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Vertex AI, which answers whoever shows one of these tokens.
async fn vertex() -> Scripted {
    Scripted::start(|request| {
        let shown = request.lines().find_map(|line| line.strip_prefix("authorization: Bearer "));
        let good = shown.is_some_and(|token| [TOKEN, SECOND].contains(&token.trim()));
        if !good || !request.contains("/v1/projects/the-project/locations/europe-west4/publishers/google/models/") {
            let no = json!({ "error": { "code": 401, "message": "no token", "status": "UNAUTHENTICATED" } });
            return json_answer(401, &no.to_string());
        }
        let answer = json!({
            "candidates": [{ "content": { "role": "model", "parts": [{ "text": "hello" }] }, "finishReason": "STOP" }],
            "usageMetadata": { "promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5 },
        });
        json_answer(200, &answer.to_string())
    })
    .await
}

fn token(token: &str, expires_in: u64) -> Vec<u8> {
    json_answer(
        200,
        &json!({ "access_token": token, "expires_in": expires_in, "token_type": "Bearer" }).to_string(),
    )
}

fn provider(vertex: &Scripted, google: &str) -> String {
    format!(
        "{{ kind: vertex, base_url: \"http://{}/v1/projects/the-project/locations/europe-west4\", {google} }}",
        vertex.addr
    )
}

fn account_file(token_uri: &str) -> String {
    let file = json!({
        "type": "service_account", "project_id": "the-project", "private_key_id": "the-key-id",
        "private_key": KEY, "client_email": ACCOUNT, "client_id": "1", "token_uri": token_uri,
    });
    file.to_string()
}

/// What an assertion says, if its signature is that of the account.
fn asserted(assertion: &str) -> (Value, Value) {
    let (said, signature) = assertion.rsplit_once('.').unwrap();
    let pair = RsaKeyPair::from_pkcs8(
        PrivatePkcs8KeyDer::from_pem_slice(KEY.as_bytes())
            .unwrap()
            .secret_pkcs8_der(),
    );
    let pair = pair.unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public().as_ref());
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    public
        .verify(said.as_bytes(), &signature)
        .expect("the account's own signature");
    let part = |text: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap();
    let (head, claims) = said.split_once('.').unwrap();
    (part(head), part(claims))
}

async fn assert_answers(gateway: &Process) {
    let answer = ask(gateway).await;
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), gateway.stderr());
}

#[tokio::test]
async fn a_service_account_signs_an_assertion_and_a_hundred_requests_wait_for_one_token() {
    let vertex = vertex().await;
    let (asked, said) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(String::new())));
    let (counted, noted) = (asked.clone(), said.clone());
    let service = Scripted::start(move |request| {
        counted.fetch_add(1, Ordering::Relaxed);
        let form = form(request);
        assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
        noted.lock().clone_from(&form["assertion"]);
        // Slow: everybody is there by then.
        std::thread::sleep(Duration::from_millis(700));
        token(TOKEN, 3599)
    })
    .await;
    let uri = format!("http://{}/token", service.addr);
    let home = folder(&[("account.json", &account_file(&uri))]);
    let file = home.join("account.json");
    let config = provider(
        &vertex,
        &format!("google: {{ credentials_file: \"{}\" }}", file.display()),
    );
    let gateway = gateway(&config, &[]);
    let answers = join_all((0..100).map(|_| ask(&gateway))).await;
    assert!(answers.iter().all(|it| it.status == 200), "{}", answers[0].text());
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    let (head, claims) = asserted(&said.lock());
    assert_eq!(head, json!({ "alg": "RS256", "typ": "JWT", "kid": "the-key-id" }));
    assert_eq!(
        (&claims["iss"], &claims["aud"], &claims["scope"]),
        (&json!(ACCOUNT), &json!(uri), &json!(SCOPE))
    );
    let (issued, ends) = (claims["iat"].as_u64().unwrap(), claims["exp"].as_u64().unwrap());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(ends - issued == 3600 && now - issued < 60, "{claims}");
    let private = KEY.lines().nth(3).unwrap();
    let said = said.lock().clone();
    assert_hidden(&gateway, &[TOKEN, private, &said]).await;
    assert_eq!(standing(&gateway).await["is_usable"], true);
    std::fs::remove_dir_all(home).unwrap();
}

#[tokio::test]
async fn a_user_who_has_signed_in_is_found_where_gcloud_puts_the_file() {
    let vertex = vertex().await;
    let service = Scripted::start(|request| {
        let form = form(request);
        let given = ["grant_type", "client_id", "client_secret", "refresh_token"].map(|name| &*form[name]);
        match given {
            [
                "refresh_token",
                "the-client",
                "the client's secret/+",
                "1//refresh",
            ] => token(TOKEN, 3599),
            _ => json_answer(400, r#"{"error":"invalid_grant"}"#),
        }
    })
    .await;
    let user = json!({
        "type": "authorized_user", "client_id": "the-client", "client_secret": "the client's secret/+",
        "refresh_token": "1//refresh", "token_uri": format!("http://{}/token", service.addr), "universe_domain": "googleapis.com",
    });
    let home = folder(&[
        (
            ".config/gcloud/application_default_credentials.json",
            &user.to_string(),
        ),
        ("named.json", &user.to_string()),
    ]);
    let config = provider(&vertex, "auth: google");
    let env = [("HOME", home.to_str().unwrap())];
    assert_answers(&gateway(&config, &env)).await;
    let named = home.join("named.json");
    let env = [("GOOGLE_APPLICATION_CREDENTIALS", named.to_str().unwrap())];
    assert_answers(&gateway(&config, &env)).await;
    // The text of the file in a variable.
    let config = provider(&vertex, "google: { credentials: \"${THE_FILE}\" }");
    assert_answers(&gateway(&config, &[("THE_FILE", &user.to_string())])).await;
    std::fs::remove_dir_all(home).unwrap();
}

#[tokio::test]
async fn a_federated_workload_shows_somebody_elses_token_and_becomes_a_service_account() {
    let vertex = vertex().await;
    let google = Scripted::start(|request| {
        let lower = request.to_ascii_lowercase();
        if request.starts_with("GET /subject ") && lower.contains("x-asks: the-workload") {
            return json_answer(200, r#"{"value":"subject-by-url"}"#);
        }
        if request.starts_with("POST /sts ") {
            let form = form(request);
            assert_eq!(
                form["grant_type"],
                "urn:ietf:params:oauth:grant-type:token-exchange"
            );
            assert_eq!(form["audience"], "//iam.googleapis.com/pools/p");
            return match &*form["subject_token"] {
                "subject-by-file" => token(TOKEN, 3599),
                "subject-by-url" => token("federated", 3599),
                other => panic!("{other}"),
            };
        }
        if request.starts_with("POST /become:generateAccessToken ")
            && lower.contains("authorization: bearer federated")
        {
            return json_answer(
                200,
                &json!({ "accessToken": SECOND, "expireTime": after(3600) }).to_string(),
            );
        }
        json_answer(404, "{}")
    })
    .await;
    let at = |path: &str| format!("http://{}/{path}", google.addr);
    let home = folder(&[("subject", "subject-by-file\n")]);
    let mut file = json!({
        "type": "external_account", "audience": "//iam.googleapis.com/pools/p",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": at("sts"),
        "credential_source": { "file": home.join("subject") },
    });
    let config = provider(&vertex, "google: { credentials: \"${THE_FILE}\" }");
    assert_answers(&gateway(&config, &[("THE_FILE", &file.to_string())])).await;
    file["credential_source"] = json!({
        "url": at("subject"), "headers": { "x-asks": "the-workload" },
        "format": { "type": "json", "subject_token_field_name": "value" },
    });
    file["service_account_impersonation_url"] = json!(at("become:generateAccessToken"));
    assert_answers(&gateway(&config, &[("THE_FILE", &file.to_string())])).await;
    assert!(vertex.seen()[1].contains(SECOND));
    // What is not supported says so.
    file["credential_source"] = json!({ "executable": { "command": "x" } });
    let refusing = gateway(&config, &[("THE_FILE", &file.to_string())]);
    let text = ask(&refusing).await.text();
    assert!(
        text.contains("federation by a program is not supported"),
        "{text}"
    );
    std::fs::remove_dir_all(home).unwrap();
}

#[tokio::test]
async fn a_machine_has_a_token_of_its_own_and_it_is_renewed_before_it_ends() {
    let vertex = vertex().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let machine = Scripted::start(move |request| {
        let good = request.starts_with("GET /computeMetadata/v1/instance/service-accounts/default/token ")
            && request.to_ascii_lowercase().contains("metadata-flavor: google");
        assert!(good, "{request}");
        match counted.fetch_add(1, Ordering::Relaxed) {
            0 => token(TOKEN, 10),
            _ => token(SECOND, 3599),
        }
    })
    .await;
    let host = machine.addr.to_string();
    let gateway = gateway(
        &provider(&vertex, "auth: google"),
        &[("GCE_METADATA_HOST", &host)],
    );
    until("the second token", || async {
        assert_answers(&gateway).await;
        vertex.seen().last().is_some_and(|seen| seen.contains(SECOND))
    })
    .await;
    assert!(vertex.seen()[0].contains(TOKEN));
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert_hidden(&gateway, &[TOKEN, SECOND]).await;
}

#[tokio::test]
async fn a_token_service_that_refuses_or_hangs_is_named_and_another_provider_answers() {
    let (vertex, spare) = (vertex().await, bedrock().await);
    let service = Scripted::start(|_| {
        json_answer(
            400,
            r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#,
        )
    })
    .await;
    let refusing = account_file(&format!("http://{}/token", service.addr));
    // Takes the connection, and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hanging = account_file(&format!("http://{}/token", silent.local_addr().unwrap()));
    for (file, words) in [
        (&refusing, "invalid_grant (Invalid JWT Signature.)"),
        (&hanging, "no answer within"),
    ] {
        let config = provider(&vertex, "google: { credentials: \"${THE_FILE}\" }");
        let env = [
            ("THE_FILE", file.as_str()),
            ("ID", LASTING.id),
            ("SECRET", LASTING.secret),
        ];
        let alone = gateway(&config, &env);
        let started = Instant::now();
        let text = ask(&alone).await.text();
        assert!(text.contains(words) && text.contains("p ("), "{text}");
        assert!(
            started.elapsed() < Duration::from_secs(25),
            "a request waits for ten seconds, and not for the thirty of who fetches the token"
        );
        assert_hidden(&alone, &[KEY.lines().nth(3).unwrap()]).await;
        let both = format!(
            "{config}\n  spare: {}\n",
            signing(spare.0.addr).replace(
                "auth: aws",
                "aws: { access_key_id: \"${ID}\", secret_access_key: \"${SECRET}\" }"
            )
        );
        let text = std::fs::read_to_string(&alone.config_file).unwrap();
        let text = text.replace(&config, both.trim_end()).replace(
            "targets: [ {",
            "targets: [ { provider: spare, model: x, priority: 1 }, {",
        );
        assert_eq!(ask(&Process::serve(&text, &env)).await.status, 200);
    }
    assert!(vertex.seen().is_empty());
}

#[tokio::test]
async fn a_reload_keeps_the_token_of_an_identity_that_stays() {
    let vertex = vertex().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let service = Scripted::start(move |_| match counted.fetch_add(1, Ordering::Relaxed) {
        0 => token(TOKEN, 3599),
        _ => token(SECOND, 3599),
    })
    .await;
    let uri = format!("http://{}/token", service.addr);
    let home = folder(&[("a.json", &account_file(&uri)), ("b.json", &account_file(&uri))]);
    let of = |name: &str| {
        let path = home.join(name);
        provider(
            &vertex,
            &format!(
                "google: {{ credentials_file: \"{}\" }}",
                Path::new(&path).display()
            ),
        )
    };
    let gateway = gateway(&of("a.json"), &[]);
    assert_answers(&gateway).await;
    let rewrite = |from: &str, to: &str| {
        let text = std::fs::read_to_string(&gateway.config_file).unwrap();
        assert!(text.contains(from));
        std::fs::write(&gateway.config_file, text.replace(from, to)).unwrap();
    };
    let reload = async || {
        let reloaded = post(gateway.admin, "/admin/v1/reload", &[], "").await;
        assert_eq!(
            (reloaded.status, &reloaded.json()["changed"]),
            (200, &json!(true)),
            "{}",
            reloaded.text()
        );
    };
    rewrite("models:", "telemetry: { access_log: off }\nmodels:");
    reload().await;
    assert_answers(&gateway).await;
    assert_eq!(asked.load(Ordering::Relaxed), 1, "the token is still good");
    rewrite("a.json", "b.json");
    reload().await;
    assert_answers(&gateway).await;
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert!(vertex.seen().last().unwrap().contains(SECOND));
    std::fs::remove_dir_all(home).unwrap();
}

#[tokio::test]
async fn a_written_token_is_sent_as_it_always_was() {
    let vertex = vertex().await;
    let config = provider(&vertex, "api_key: \"${VERTEX_ACCESS_TOKEN}\"");
    assert_answers(&gateway(&config, &[("VERTEX_ACCESS_TOKEN", TOKEN)])).await;
}
