//! Identities at clouds: who signs requests to AWS, whose access tokens Google is shown.

use std::sync::Arc;

use http::Uri;
use tollgate_core::{ProviderKind, Secret};
use tollgate_routing::{
    Auth, AwsIdentity, AwsRole, AwsSource, CloudIdentity, Credential, GoogleIdentity, GoogleSource, Proof,
};

use super::Context;
use crate::place::Place;
use crate::raw;

/// Whose identity it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cloud {
    Aws,
    Google,
}

impl Cloud {
    pub(super) const fn auth(self) -> Auth {
        match self {
            Self::Aws => Auth::Aws,
            Self::Google => Auth::Google,
        }
    }

    /// The name of its section, and of `auth`.
    pub(super) const fn name(self) -> &'static str {
        self.auth().name()
    }
}

/// The cloud whose identities a provider's kind usually takes; `None`: it takes keys.
pub(super) fn usual(written: &raw::Provider) -> Option<Cloud> {
    match ProviderKind::from_name(&written.kind.as_ref()?.0)? {
        ProviderKind::Bedrock => Some(Cloud::Aws),
        ProviderKind::Vertex | ProviderKind::VertexAnthropic => Some(Cloud::Google),
        _ => None,
    }
}

/// The cloud whose identity a provider is to show; `None`: it is shown keys, or nothing.
pub(super) fn cloud(context: Context<'_>, written: &raw::Provider, place: Place<'_>) -> Option<Cloud> {
    let auth = written.auth.as_ref().map(|auth| auth.0.as_str());
    let cloud = match (auth, &written.aws, &written.google) {
        (Some("aws"), _, _) | (None, Some(_), None) => Cloud::Aws,
        (Some("google"), _, _) | (None, None, Some(_)) => Cloud::Google,
        (None, Some(_), Some(_)) => {
            context
                .report
                .problem(place.key("google"), "both aws and google", "one of them");
            return None;
        }
        (Some(other), aws, google) => {
            let sections = [("aws", aws.is_some()), ("google", google.is_some())];
            for (section, _) in sections.into_iter().filter(|(_, is_there)| *is_there) {
                let found = format!("a section {section}, with auth: {other}");
                let expected = format!("auth: {section}, or no such section");
                context.report.problem(place.key(section), found, expected);
            }
            return None;
        }
        (None, None, None) => return None,
    };
    let others = [
        ("api_key", written.api_key.is_some()),
        ("api_keys", written.api_keys.is_some()),
        ("aws", written.aws.is_some() && cloud != Cloud::Aws),
        ("google", written.google.is_some() && cloud != Cloud::Google),
    ];
    for (key, _) in others.into_iter().filter(|(_, is_there)| *is_there) {
        let found = format!("{key}, beside an identity at {}", cloud.name());
        context.report.problem(place.key(key), found, "one of them");
    }
    for (name, _) in written.headers.iter().flatten() {
        if name.eq_ignore_ascii_case("authorization") {
            let found = format!("a header that auth: {} sets", cloud.name());
            context
                .report
                .problem(place.key("headers").key(name), found, "another header");
        }
    }
    Some(cloud)
}

/// The provider's one credential: its identity.
pub(super) fn credential(
    context: Context<'_>,
    cloud: Cloud,
    written: &raw::Provider,
    base_url: Option<&Uri>,
    place: Place<'_>,
) -> Option<Credential> {
    let section = place.key(cloud.name());
    let described = match cloud {
        Cloud::Aws => {
            let none = raw::Aws::default();
            let aws = written.aws.as_ref().unwrap_or(&none);
            CloudIdentity::Aws(AwsIdentity {
                region: region(context, written, aws, base_url, place)?,
                source: aws_source(context, aws, section)?,
                role: role(context, aws, section)?,
            })
        }
        Cloud::Google => CloudIdentity::Google(GoogleIdentity {
            source: google_source(context, written.google.as_ref(), section)?,
        }),
    };
    Some(Credential {
        name: cloud.name().into(),
        proof: Proof::Identity(context.board.identity(described)),
        weight: 1,
    })
}

/// The region that requests are signed for: as written, or as the endpoint's host says, or the provider's own.
fn region(
    context: Context<'_>,
    written: &raw::Provider,
    aws: &raw::Aws,
    base_url: Option<&Uri>,
    place: Place<'_>,
) -> Option<Arc<str>> {
    if let Some(region) = aws.region.as_deref() {
        if !is_region(region) {
            let section = place.key("aws");
            let place = section.key("region");
            let found = context.report.quoted(place, region);
            context
                .report
                .problem(place, found, "an AWS region such as \"us-east-1\"");
            return None;
        }
        return Some(region.into());
    }
    let host = base_url?.host().unwrap_or_default();
    let in_host = host.split('.').find(|label| is_region(label));
    let own = written.region.as_deref().filter(|region| is_region(region));
    let Some(region) = in_host.or(own) else {
        let expected = "aws: { region: \"us-east-1\" }, or another region that requests are signed for";
        let found = "no AWS region in base_url or region";
        context
            .report
            .problem(place.key("aws").key("region"), found, expected);
        return None;
    };
    Some(region.into())
}

/// Whether it looks like one: `us-east-1`, `us-gov-west-1`.
fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    let area = parts.next().unwrap_or_default();
    let number = parts.next_back().unwrap_or_default();
    let all = |text: &str, is: fn(&u8) -> bool| !text.is_empty() && text.bytes().all(|byte| is(&byte));
    let is_word = |text: &str| all(text, u8::is_ascii_lowercase);
    let mut between = parts.peekable();
    (2..=4).contains(&area.len())
        && is_word(area)
        && between.peek().is_some()
        && between.all(is_word)
        && number.len() <= 2
        && all(number, u8::is_ascii_digit)
}

fn aws_source(context: Context<'_>, aws: &raw::Aws, place: Place<'_>) -> Option<AwsSource> {
    let parts = [
        ("access_key_id", aws.access_key_id.as_ref()),
        ("secret_access_key", aws.secret_access_key.as_ref()),
        ("session_token", aws.session_token.as_ref()),
    ];
    let is_written = parts.iter().any(|(_, part)| part.is_some());
    if let (Some(_), true) = (&aws.profile, is_written) {
        context.report.problem(
            place.key("profile"),
            "a profile beside an access key",
            "one of them",
        );
        return None;
    }
    if let Some(profile) = aws.profile.as_deref() {
        if profile.trim().is_empty() || profile.contains(char::is_control) {
            context
                .report
                .problem(place.key("profile"), "no name", "a profile's name");
            return None;
        }
        return Some(AwsSource::Profile(profile.trim().into()));
    }
    if !is_written {
        return Some(AwsSource::Usual);
    }
    let [id, secret, token] =
        parts.map(|(name, part)| part.map(|part| context.secret(part, place.key(name), 1)));
    for (name, other, is_missing) in [
        ("access_key_id", "secret_access_key", id.is_none()),
        ("secret_access_key", "access_key_id", secret.is_none()),
    ] {
        if is_missing && !context.report.is_broken(place.key(name)) {
            let expected = format!("the one that belongs to {other}");
            context.report.problem(place.key(name), "missing", expected);
        }
    }
    let session_token = match token {
        Some(token) => Some(token?),
        None => None,
    };
    Some(AwsSource::Written {
        access_key_id: id??,
        secret_access_key: secret??,
        session_token,
    })
}

/// The role; `None`: with a problem. `Some(None)`: there is none.
#[expect(clippy::option_option, reason = "as it is said above")]
fn role(context: Context<'_>, aws: &raw::Aws, place: Place<'_>) -> Option<Option<AwsRole>> {
    let Some(arn) = aws.role_arn.as_deref().map(str::trim) else {
        for (name, is_there) in [
            ("external_id", aws.external_id.is_some()),
            ("role_session_name", aws.role_session_name.is_some()),
        ] {
            if is_there && !context.report.is_broken(place.key("role_arn")) {
                let found = format!("{name} without role_arn");
                context
                    .report
                    .problem(place.key(name), found, "the role that it is about");
            }
        }
        return Some(None);
    };
    if !is_role(arn) {
        let place = place.key("role_arn");
        let found = context.report.quoted(place, arn);
        let expected = "a role such as \"arn:aws:iam::123456789012:role/NAME\"";
        context.report.problem(place, found, expected);
        return None;
    }
    let session_name = aws.role_session_name.as_deref().unwrap_or("tollgate");
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if !(2..=64).contains(&session_name.len()) || !session_name.bytes().all(allowed) {
        let place = place.key("role_session_name");
        let found = context.report.quoted(place, session_name);
        let expected = "2 to 64 letters, digits or any of _+=,.@-";
        context.report.problem(place, found, expected);
        return None;
    }
    let external_id = match &aws.external_id {
        Some(id) => Some(context.secret(id, place.key("external_id"), 2)?),
        None => None,
    };
    Some(Some(AwsRole {
        arn: arn.into(),
        external_id,
        session_name: session_name.into(),
    }))
}

fn is_role(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", partition, "iam", "", account, resource] => {
            partition.starts_with("aws")
                && account.len() == 12
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && resource
                    .strip_prefix("role/")
                    .is_some_and(|name| !name.is_empty())
        }
        _ => false,
    }
}

fn google_source(
    context: Context<'_>,
    google: Option<&raw::Google>,
    place: Place<'_>,
) -> Option<GoogleSource> {
    let (file, text) = google.map_or((None, None), |it| {
        (it.credentials_file.as_deref(), it.credentials.as_ref())
    });
    match (file, text) {
        (None, None) => Some(GoogleSource::Usual),
        (Some(_), Some(_)) => {
            let found = "both credentials_file and credentials";
            context
                .report
                .problem(place.key("credentials"), found, "one of them");
            None
        }
        (Some(file), None) if file.trim().is_empty() => {
            context
                .report
                .problem(place.key("credentials_file"), "empty", "the path of a file");
            None
        }
        (Some(file), None) => Some(GoogleSource::File(context.path(file.trim()))),
        (None, Some(text)) => {
            let is_document = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text.0)
                .is_ok_and(|document| document.contains_key("type"));
            if !is_document {
                let expected = "the text of a credentials file: a JSON object with a \"type\"";
                context
                    .report
                    .problem(place.key("credentials"), "something else", expected);
                return None;
            }
            Some(GoogleSource::Written(Secret::new(text.0.as_str())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_and_roles_are_told_from_what_only_looks_like_them() {
        for region in ["us-east-1", "eu-central-1", "us-gov-west-1", "ap-southeast-12"] {
            assert!(is_region(region), "{region}");
        }
        for other in [
            "eu",
            "us-east",
            "europe-west4",
            "bedrock-runtime",
            "us--1",
            "a-b-1",
            "US-EAST-1",
            "vpce-1a-2",
            "",
        ] {
            assert!(!is_region(other), "{other}");
        }
        assert!(
            is_role("arn:aws:iam::123456789012:role/path/name")
                && is_role("arn:aws-us-gov:iam::123456789012:role/x")
        );
        for other in [
            "role/x",
            "arn:aws:iam::123456789012:user/x",
            "arn:aws:iam::12:role/x",
            "arn:aws:iam::123456789012:role/",
        ] {
            assert!(!is_role(other), "{other}");
        }
    }
}
