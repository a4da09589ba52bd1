//! Identities at clouds: what a file may say of them, and how it is told what it may not.

use std::path::PathBuf;

use tollgate_routing::{
    Auth, AwsIdentity, AwsRole, AwsSource, Board, CloudIdentity, GoogleIdentity, GoogleSource, Proof,
    Provider,
};

use super::{env, problems, read};
use crate::{Settings, Source, load};

fn with(provider: &str) -> String {
    format!("server: {{ listen: \"127.0.0.1:0\" }}\nproviders:\n  p: {provider}\n")
}

fn provider(settings: &Settings) -> &Provider {
    &settings.catalog.providers()[0]
}

fn described(provider: &Provider) -> &CloudIdentity {
    match &provider.credentials[..] {
        [only] => match &only.proof {
            Proof::Identity(identity) => identity.described(),
            Proof::Key(_) => panic!("a key"),
        },
        other => panic!("{other:?}"),
    }
}

fn aws(text: &str) -> AwsIdentity {
    let settings = read(&with(text)).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
    assert_eq!(provider(&settings).auth, Auth::Aws);
    match described(provider(&settings)) {
        CloudIdentity::Aws(aws) => aws.clone(),
        CloudIdentity::Google(_) => panic!("google"),
    }
}

fn google(text: &str) -> GoogleSource {
    let settings = read(&with(text)).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(provider(&settings).auth, Auth::Google);
    match described(provider(&settings)) {
        CloudIdentity::Google(GoogleIdentity { source }) => source.clone(),
        CloudIdentity::Aws(_) => panic!("aws"),
    }
}

#[test]
fn two_lines_are_enough() {
    let usual = aws("{ kind: bedrock, region: eu-central-1, auth: aws }");
    assert_eq!(
        (&*usual.region, usual.source, usual.role),
        ("eu-central-1", AwsSource::Usual, None)
    );
    let usual = google("{ kind: vertex, project: p, region: europe-west4, auth: google }");
    assert_eq!(usual, GoogleSource::Usual);
    let claude = google("{ kind: vertex-anthropic, project: p, region: eu, auth: google }");
    assert_eq!(claude, GoogleSource::Usual);
    // Other APIs at the same clouds.
    let openai = "{ kind: openai, base_url: \"https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1\", auth: aws }";
    assert_eq!(&*aws(openai).region, "us-west-2");
}

#[test]
fn a_section_says_who_where_the_usual_places_do_not() {
    let profile = aws("{ kind: bedrock, region: us-east-1, aws: { profile: prod } }");
    assert_eq!(profile.source, AwsSource::Profile("prod".into()));
    let role = aws(
        "{ kind: bedrock, region: us-east-1, aws: { access_key_id: \"${ID}\", secret_access_key: \"${KEY}\", \
         session_token: \"${TOKEN}\", role_arn: \"arn:aws:iam::123456789012:role/x\", external_id: \"${EXTERNAL}\", \
         role_session_name: gateway-1 } }",
    );
    let AwsSource::Written {
        secret_access_key,
        session_token,
        ..
    } = &role.source
    else {
        panic!("{:?}", role.source);
    };
    assert_eq!(secret_access_key.expose(), "very-secret-KEY");
    assert_eq!(session_token.as_ref().unwrap().expose(), "very-secret-TOKEN");
    let AwsRole {
        arn,
        external_id,
        session_name,
    } = role.role.unwrap();
    assert_eq!(
        (&*arn, &*session_name),
        ("arn:aws:iam::123456789012:role/x", "gateway-1")
    );
    assert_eq!(external_id.unwrap().expose(), "very-secret-EXTERNAL");
    let file =
        google("{ kind: vertex, project: p, region: global, google: { credentials_file: keys/sa.json } }");
    assert_eq!(file, GoogleSource::File(PathBuf::from("keys/sa.json")));
    let text = "'{\"type\":\"service_account\"}'";
    let text = google(&format!(
        "{{ kind: vertex, project: p, region: global, google: {{ credentials: {text} }} }}"
    ));
    assert!(matches!(text, GoogleSource::Written(_)));
}

#[test]
fn the_region_of_signatures_is_that_of_the_endpoint() {
    let region = |text: &str| aws(text).region.to_string();
    let own = "{ kind: bedrock, base_url: \"https://vpce-1a2b-c.bedrock-runtime.eu-west-1.vpce.amazonaws.com\", region: eu, auth: aws }";
    assert_eq!(region(own), "eu-west-1");
    let proxied = "{ kind: bedrock, base_url: \"https://bedrock.internal\", region: us-east-2, auth: aws }";
    assert_eq!(region(proxied), "us-east-2");
    let said =
        "{ kind: bedrock, base_url: \"https://bedrock.internal\", region: eu, aws: { region: eu-north-1 } }";
    assert_eq!(region(said), "eu-north-1");
}

#[test]
fn what_does_not_fit_is_told_with_how_to_mend_it() {
    for (text, told) in [
        (
            "{ kind: bedrock, region: us-east-1 }",
            "p.api_key: missing; expected a key such as \"${AWS_BEARER_TOKEN_BEDROCK}\", or auth: aws",
        ),
        (
            "{ kind: vertex, project: p, region: global }",
            "p.api_key: missing; expected a key such as \"${VERTEX_ACCESS_TOKEN}\", or auth: google",
        ),
        (
            "{ kind: vertex-anthropic, project: p, region: global }",
            "p.api_key: missing; expected a key such as \"${API_KEY}\", or auth: google",
        ),
        (
            "{ kind: vertex-anthropic, region: global, auth: google }",
            "p.base_url: missing, and kind vertex-anthropic has no address of its own; expected a `project` and a `region` such as \"us-central1\", or the location's URL",
        ),
        (
            "{ kind: anthropic, project: p, api_key: k }",
            "p.project: a project; expected none: only kinds vertex and vertex-anthropic have one",
        ),
        (
            "{ kind: bedrock, base_url: \"https://b.example.com\", region: eu, auth: aws }",
            "p.aws.region: no AWS region in base_url or region; expected aws: { region: \"us-east-1\" }, or another region that requests are signed for",
        ),
        (
            "{ kind: bedrock, region: us-east-1, aws: { region: europe } }",
            "p.aws.region: \"europe\"; expected an AWS region such as \"us-east-1\"",
        ),
        (
            "{ kind: bedrock, region: us-east-1, api_key: k, auth: aws }",
            "p.api_key: api_key, beside an identity at aws; expected one of them",
        ),
        (
            "{ kind: bedrock, region: us-east-1, auth: bearer, api_key: k, aws: { profile: x } }",
            "p.aws: a section aws, with auth: bearer; expected auth: aws, or no such section",
        ),
        (
            "{ kind: bedrock, region: us-east-1, aws: { profile: x }, google: { credentials_file: x } }",
            "p.google: both aws and google; expected one of them",
        ),
        (
            "{ kind: bedrock, region: us-east-1, aws: { access_key_id: x } }",
            "p.aws.secret_access_key: missing; expected the one that belongs to access_key_id",
        ),
        (
            "{ kind: bedrock, region: us-east-1, aws: { profile: x, access_key_id: x, secret_access_key: y } }",
            "p.aws.profile: a profile beside an access key; expected one of them",
        ),
        (
            "{ kind: bedrock, region: us-east-1, aws: { role_arn: gateway } }",
            "p.aws.role_arn: \"gateway\"; expected a role such as \"arn:aws:iam::123456789012:role/NAME\"",
        ),
        (
            "{ kind: bedrock, region: us-east-1, aws: { external_id: abc } }",
            "p.aws.external_id: external_id without role_arn; expected the role that it is about",
        ),
        (
            "{ kind: bedrock, region: us-east-1, aws: { role_arn: \"arn:aws:iam::123456789012:role/x\", role_session_name: \"a b\" } }",
            "p.aws.role_session_name: \"a b\"; expected 2 to 64 letters, digits or any of _+=,.@-",
        ),
        (
            "{ kind: bedrock, region: us-east-1, auth: aws, headers: { Authorization: x } }",
            "p.headers.Authorization: a header that auth: aws sets; expected another header",
        ),
        (
            "{ kind: vertex, project: p, region: global, google: { credentials_file: a, credentials: b } }",
            "p.google.credentials: both credentials_file and credentials; expected one of them",
        ),
        (
            "{ kind: vertex, project: p, region: global, google: { credentials: \"${THE_FILE}\" } }",
            "p.google.credentials: something else; expected the text of a credentials file: a JSON object with a \"type\"",
        ),
    ] {
        let found = problems(&with(text));
        assert_eq!(found, format!("t.yaml:3: providers.{told}"), "{text}");
        assert!(!found.contains("very-secret"), "{found}");
    }
}

#[test]
fn claude_is_not_asked_for_in_the_dialect_of_gemini() {
    let with = |kind: &str| {
        let provider = format!("{{ kind: {kind}, project: p, region: global, auth: google }}");
        let model = "models:\n  m: { targets: [ { provider: p, model: claude-opus-4-6 } ] }\n";
        format!("{}{model}", with(&provider))
    };
    assert_eq!(
        problems(&with("vertex")),
        "t.yaml:5: models.m.targets[0].model: a Claude model, at a provider of kind vertex; expected a provider of kind \
         vertex-anthropic, which asks for Claude as it wants to be asked"
    );
    let settings = read(&with("vertex-anthropic")).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
}

#[test]
fn a_reload_finds_the_identity_that_it_had() {
    let board = Board::default();
    let load = |text: &str| {
        let text = with(text);
        let source = Source::Text {
            name: "t.yaml",
            text: &text,
        };
        let settings = load(source, &env, 1, &board).unwrap();
        match &provider(&settings).credentials[0].proof {
            Proof::Identity(identity) => identity.clone(),
            Proof::Key(_) => panic!("a key"),
        }
    };
    let first = load("{ kind: bedrock, region: us-east-1, auth: aws }");
    let same = load("{ kind: bedrock, region: us-east-1, auth: aws, max_idle_connections: 3 }");
    let other = load("{ kind: bedrock, region: us-east-2, auth: aws }");
    assert!(std::sync::Arc::ptr_eq(&first, &same) && !std::sync::Arc::ptr_eq(&first, &other));
}
