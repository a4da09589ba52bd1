//! Where keys for AWS come from: each source that AWS's own tools know, played on loopback, with the real binary.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Keys as the services of containers and instances hand them out.
fn handed_out(keys: Keys, expires: &str) -> Vec<u8> {
    let body = json!({
        "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z",
        "AccessKeyId": keys.id, "SecretAccessKey": keys.secret, "Token": keys.token, "Expiration": expires,
    });
    json_answer(200, &body.to_string())
}

/// Keys as AWS's token service gives them out.
fn assumed(operation: &str, keys: Keys, expires: &str) -> Vec<u8> {
    let (id, secret, token) = (keys.id, keys.secret, keys.token.unwrap());
    let body = format!(
        "<{operation}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{operation}Result>\
         <AssumedRoleUser><AssumedRoleId>AROA:x</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/x/y</Arn></AssumedRoleUser>\
         <Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
         <SessionToken>{token}</SessionToken><Expiration>{expires}</Expiration></Credentials>\
         </{operation}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{operation}Response>"
    );
    xml(200, &body)
}

fn xml(status: u16, body: &str) -> Vec<u8> {
    let text = String::from_utf8(json_answer(status, body)).unwrap();
    text.replacen("application/json", "text/xml", 1).into_bytes()
}

const NO_MACHINE: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");
const ROLE: &str = "arn:aws:iam::123456789012:role/gateway";

/// A gateway of which the first answer is good, and signed with these keys.
async fn assert_signs(env: &[(&str, &str)], provider: &str, keys: Keys, signatures: &Signatures) -> Process {
    let gateway = gateway(provider, env);
    let answer = ask(&gateway).await;
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), gateway.stderr());
    assert_eq!(signatures.last().access_key_id, keys.id);
    let standing = standing(&gateway).await;
    assert_eq!(
        (&standing["is_usable"], &standing["trouble"]),
        (&json!(true), &Value::Null),
        "{standing}"
    );
    let token = keys.token.unwrap_or(keys.secret);
    assert_hidden(&gateway, &[keys.secret, token]).await;
    gateway
}

#[tokio::test]
async fn keys_of_the_environment_sign() {
    let (server, signatures) = bedrock().await;
    let env = [
        ("AWS_ACCESS_KEY_ID", TEMPORARY.id),
        ("AWS_SECRET_ACCESS_KEY", TEMPORARY.secret),
        ("AWS_SESSION_TOKEN", TEMPORARY.token.unwrap()),
    ];
    assert_signs(&env, &signing(server.addr), TEMPORARY, &signatures).await;
}

#[tokio::test]
async fn a_profile_signs_also_by_a_process_of_its_own() {
    let (server, signatures) = bedrock().await;
    let script = format!(
        "#!/bin/sh\necho '{{\"Version\":1,\"AccessKeyId\":\"{}\",\"SecretAccessKey\":\"{}\",\"SessionToken\":\"{}\"}}'\n",
        OTHER.id,
        OTHER.secret,
        OTHER.token.unwrap()
    );
    let home = folder(&[
        (
            "credentials",
            &format!(
                "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
                LASTING.id, LASTING.secret
            ),
        ),
        ("process", &script),
    ]);
    let config = format!(
        "[profile process]\ncredential_process = /bin/sh {}\n",
        home.join("process").display()
    );
    std::fs::write(home.join("config"), config).unwrap();
    let path = |name: &str| home.join(name).display().to_string();
    let (config, credentials) = (path("config"), path("credentials"));
    let env = [
        ("AWS_CONFIG_FILE", config.as_str()),
        ("AWS_SHARED_CREDENTIALS_FILE", credentials.as_str()),
        ("PATH", "/usr/bin:/bin"),
        NO_MACHINE,
    ];
    assert_signs(&env, &signing(server.addr), LASTING, &signatures).await;
    let of_profile = signing(server.addr).replace("auth: aws", "aws: { profile: process }");
    assert_signs(&env, &of_profile, OTHER, &signatures).await;
    // A profile that there is not.
    let nobody = signing(server.addr).replace("auth: aws", "aws: { profile: nobody }");
    let gateway = gateway(&nobody, &env);
    let answer = ask(&gateway).await;
    assert!(
        answer.status >= 500 && answer.text().contains("aws profile \\\"nobody\\\""),
        "{}",
        answer.text()
    );
    std::fs::remove_dir_all(home).unwrap();
}

#[tokio::test]
async fn a_container_hands_keys_out_to_whoever_shows_its_token() {
    let (server, signatures) = bedrock().await;
    let container = Scripted::start(|request| {
        let shows = request
            .to_ascii_lowercase()
            .contains("authorization: the-containers-token");
        match (request.starts_with("GET /keys "), shows) {
            (true, true) => handed_out(TEMPORARY, &after(3600)),
            _ => json_answer(403, "{}"),
        }
    })
    .await;
    let home = folder(&[("token", "the-containers-token")]);
    let (url, token) = (format!("http://{}/keys", container.addr), home.join("token"));
    let of_ecs = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "the-containers-token"),
    ];
    assert_signs(&of_ecs, &signing(server.addr), TEMPORARY, &signatures).await;
    // EKS pod identity: the token is in a file.
    let of_pods = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.to_str().unwrap()),
    ];
    assert_signs(&of_pods, &signing(server.addr), TEMPORARY, &signatures).await;
    std::fs::remove_dir_all(home).unwrap();
}

#[tokio::test]
async fn an_instance_hands_keys_out_in_a_session() {
    let (server, signatures) = bedrock().await;
    let machine = Scripted::start(|request| {
        let lower = request.to_ascii_lowercase();
        if request.starts_with("PUT /latest/api/token ")
            && lower.contains("x-aws-ec2-metadata-token-ttl-seconds")
        {
            let text = String::from_utf8(json_answer(200, "the-session")).unwrap();
            return text
                .replacen("\r\n", "\r\nx-aws-ec2-metadata-token-ttl-seconds: 21600\r\n", 1)
                .into_bytes();
        }
        if !lower.contains("x-aws-ec2-metadata-token: the-session") {
            return json_answer(401, "");
        }
        match request
            .split(' ')
            .nth(1)
            .unwrap_or_default()
            .trim_end_matches('/')
        {
            "/latest/meta-data/iam/security-credentials" => json_answer(200, "the-role"),
            "/latest/meta-data/iam/security-credentials/the-role" => handed_out(TEMPORARY, &after(3600)),
            _ => json_answer(404, ""),
        }
    })
    .await;
    let url = format!("http://{}", machine.addr);
    // What is on the machine is not looked for behind the proxy.
    let env = [
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str()),
        ("HTTPS_PROXY", "http://127.0.0.1:9"),
    ];
    assert_signs(&env, &signing(server.addr), TEMPORARY, &signatures).await;
}

#[tokio::test]
async fn a_web_identity_is_exchanged_for_keys() {
    let (server, signatures) = bedrock().await;
    let sts = Scripted::start(|request| {
        let form = form(request);
        let good = form["Action"] == "AssumeRoleWithWebIdentity"
            && form["RoleArn"] == ROLE
            && form["WebIdentityToken"] == "a.web.token";
        if good { assumed("AssumeRoleWithWebIdentity", TEMPORARY, &after(3600)) } else { xml(400, "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>no</Message></Error></ErrorResponse>") }
    })
    .await;
    let home = folder(&[("token", "a.web.token")]);
    let (url, token) = (format!("http://{}", sts.addr), home.join("token"));
    let env = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_ENDPOINT_URL_STS", url.as_str()),
    ];
    assert_signs(&env, &signing(server.addr), TEMPORARY, &signatures).await;
    std::fs::remove_dir_all(home).unwrap();
}

#[tokio::test]
async fn a_role_is_assumed_with_written_keys_and_renewed_before_it_ends() {
    let (server, signatures) = bedrock().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let sts = Scripted::start(move |request| {
        let signature = checked(request, "us-east-1/sts");
        let form = form(request);
        let good = signature.is_ok_and(|it| it.access_key_id == LASTING.id)
            && form["Action"] == "AssumeRole"
            && (&*form["RoleArn"], &*form["ExternalId"], &*form["RoleSessionName"])
                == (ROLE, "told-by-the-owner", "tollgate");
        assert!(good, "{request}");
        match counted.fetch_add(1, Ordering::Relaxed) {
            // Good for ten seconds: it is renewed after half of that, while it is still in use.
            0 => assumed("AssumeRole", TEMPORARY, &after(10)),
            _ => assumed("AssumeRole", OTHER, &after(3600)),
        }
    })
    .await;
    let url = format!("http://{}", sts.addr);
    let provider = format!(
        "{{ kind: bedrock, base_url: \"http://{}\", region: us-east-1, aws: {{ access_key_id: \"${{ID}}\", \
         secret_access_key: \"${{SECRET}}\", role_arn: \"{ROLE}\", external_id: told-by-the-owner }} }}",
        server.addr
    );
    let env = [
        ("ID", LASTING.id),
        ("SECRET", LASTING.secret),
        ("AWS_ENDPOINT_URL_STS", url.as_str()),
    ];
    let gateway = gateway(&provider, &env);
    until("the second key", || async {
        let answer = ask(&gateway).await;
        assert_eq!(answer.status, 200, "nobody waits in vain: {}", answer.text());
        signatures.last().access_key_id == OTHER.id
    })
    .await;
    assert_eq!(signatures.ids()[0], TEMPORARY.id);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    let metrics = metrics(&gateway).await;
    assert_eq!(
        metrics.sum("tollgate_identity_asked_total", &[("result", "renewed")]),
        2.0
    );
    assert!(metrics.sum("tollgate_identity_expires_timestamp_seconds", &[]) > 1.7e9);
    assert_hidden(
        &gateway,
        &[
            LASTING.secret,
            TEMPORARY.secret,
            OTHER.secret,
            OTHER.token.unwrap(),
            "told-by-the-owner",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_token_service_that_refuses_is_named_and_comes_back() {
    let (server, signatures) = bedrock().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let sts = Scripted::start(move |_| match counted.fetch_add(1, Ordering::Relaxed) {
        0..=1 => xml(
            403,
            "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole</Message></Error><RequestId>r</RequestId></ErrorResponse>",
        ),
        _ => assumed("AssumeRole", TEMPORARY, &after(3600)),
    })
    .await;
    let url = format!("http://{}", sts.addr);
    let provider = signing(server.addr).replace("auth: aws", &format!("aws: {{ role_arn: \"{ROLE}\" }}"));
    let env = [
        ("AWS_ACCESS_KEY_ID", LASTING.id),
        ("AWS_SECRET_ACCESS_KEY", LASTING.secret),
        ("AWS_ENDPOINT_URL_STS", url.as_str()),
    ];
    let gateway = gateway(&provider, &env);
    let answer = ask(&gateway).await;
    let text = answer.text();
    for part in ["p (", ROLE, "AccessDenied"] {
        assert!(
            answer.status >= 500 && text.contains(part),
            "{part}: {} {text}",
            answer.status
        );
    }
    says(&gateway, "no new credentials from aws as arn:aws:iam").await;
    let trouble = standing(&gateway).await["trouble"].clone();
    assert!(
        trouble["what"].as_str().unwrap().contains("AccessDenied"),
        "{trouble}"
    );
    let metrics = metrics(&gateway).await;
    assert!(metrics.sum("tollgate_identity_asked_total", &[("result", "failed")]) >= 1.0);
    until("it answers", || async { ask(&gateway).await.status == 200 }).await;
    assert_eq!(signatures.last().access_key_id, TEMPORARY.id);
    says(&gateway, "are back").await;
    assert_eq!(standing(&gateway).await["trouble"], Value::Null);
}

#[tokio::test]
async fn where_there_are_no_keys_at_all_the_answer_says_where_they_were_looked_for() {
    let (server, _) = bedrock().await;
    let gateway = gateway(&signing(server.addr), &[NO_MACHINE, ("HOME", "/nonexistent")]);
    let answer = ask(&gateway).await;
    let text = answer.text();
    assert!(answer.status >= 500, "{} {text}", answer.status);
    for part in ["no credential from aws", "environment"] {
        assert!(text.to_lowercase().contains(part), "{part}: {text}");
    }
    assert!(server.seen().is_empty(), "nothing was sent unsigned");
    // Somebody else may answer all the same.
    let mut log = String::new();
    until("the log", || {
        log = gateway.stdout();
        let there = log.contains("credential_unavailable");
        async move { there }
    })
    .await;
}
