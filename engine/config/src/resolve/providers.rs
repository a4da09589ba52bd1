//! Providers: presets, credentials, headers, clocks.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use tollgate_adapters::{AuthScheme, Profile, profile};
use tollgate_core::ProviderKind;
use tollgate_routing::{Auth, Credential, HttpVersion, Proof, Provider, Timeouts};

use super::clouds::{self, Cloud};
use super::health::Watch;
use super::{Context, health, url};
use crate::address;
use crate::place::Place;
use crate::raw::{self, ApiKey, Config};

/// Providers by name.
pub(super) type Providers = BTreeMap<Arc<str>, Arc<Provider>>;

/// Names are parts of labels and of `provider/model`.
const LONGEST_NAME: usize = 64;
/// Headers that belong to the exchange itself, not to its user.
const RESERVED_HEADERS: [&str; 11] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Resolves all providers. One with a problem may be missing or half right.
pub(super) fn resolve(context: Context<'_>, config: &Config) -> Providers {
    let section = Place::ROOT.key("providers");
    let mut providers = Providers::new();
    let watched = Watch::of_all(context, config);
    for (name, written) in config.providers.iter().flatten() {
        let place = section.key(name);
        check_name(context, name, place);
        if let Some(provider) = provider(context, name, written, place, watched) {
            providers.insert(provider.name.clone(), Arc::new(provider));
        }
    }
    providers
}

fn check_name(context: Context<'_>, name: &str, place: Place<'_>) {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(allowed) {
        let expected = "1 to 64 letters, digits, dots, underscores or dashes";
        context
            .report
            .problem(place, "a name that cannot be used for a provider", expected);
    }
}

/// `watched`: how providers are watched that do not say otherwise.
fn provider(
    context: Context<'_>,
    name: &str,
    written: &raw::Provider,
    place: Place<'_>,
    watched: Watch,
) -> Option<Provider> {
    let kind = ProviderKind::from_name(&written.kind.as_ref()?.0)?;
    let presets = profile(kind);
    let base_url = base_url(context, written, kind, presets, place);
    let headers = headers(context, written, place);
    let cloud = clouds::cloud(context, written, place);
    let (auth, credentials) = if let Some(cloud) = cloud {
        let found = clouds::credential(context, cloud, written, base_url.as_ref(), place);
        (cloud.auth(), found.into_iter().collect())
    } else {
        let credentials = credentials(context, written, place);
        (auth(written, presets, &credentials), credentials)
    };
    check_credentials(
        context,
        written,
        (cloud, &credentials),
        base_url.as_ref(),
        presets,
        place,
    );
    if written.api_version.is_some() && kind != ProviderKind::Azure {
        context.report.problem(
            place.key("api_version"),
            "an api_version",
            "none: only kind azure has one",
        );
    }
    if written.project.is_some() && !is_vertex(kind) {
        context.report.problem(
            place.key("project"),
            "a project",
            "none: only kinds vertex and vertex-anthropic have one",
        );
    }
    let watch = watched.with(context, written.health.as_ref(), written.breaker.as_ref(), place);
    Some(Provider {
        name: name.into(),
        kind,
        base_url: base_url?,
        api_version: api_version(context, written, place),
        auth,
        credentials,
        headers,
        timeouts: timeouts(context, written.timeouts.as_ref(), place.key("timeouts")),
        http: match written.http {
            Some(http) if http.is_http2() => HttpVersion::Http2,
            _ => HttpVersion::Http1,
        },
        max_idle_connections: written.max_idle_connections.unwrap_or(64),
        max_streams_per_connection: written.max_streams_per_connection.unwrap_or(100),
        region: region(context, written, place.key("region")),
        health: watch.health,
        breaker: watch.breaker(),
        probe: health::probe(context, written.probe.as_ref(), place.key("probe")),
        outcomes: context.board.outcomes(name),
    })
}

/// Whether it is at Google's Vertex AI, in a project's location.
const fn is_vertex(kind: ProviderKind) -> bool {
    matches!(kind, ProviderKind::Vertex | ProviderKind::VertexAnthropic)
}

fn region(context: Context<'_>, written: &raw::Provider, place: Place<'_>) -> Option<Arc<str>> {
    let region = written.region.as_deref()?;
    if region.trim().is_empty() || region.contains(',') {
        let found = context.report.quoted(place, region);
        context
            .report
            .problem(place, found, "a region's name, without commas");
    }
    Some(region.into())
}

fn first_token(
    context: Context<'_>,
    written: &raw::Timeouts,
    place: Place<'_>,
    first_byte: Duration,
) -> Duration {
    let first_token = context.duration(written.first_token.as_ref(), place, first_byte);
    if first_token < first_byte {
        let found = format!("less than first_byte ({first_byte:?})");
        context.report.problem(place, found, "first_byte, or longer");
    }
    first_token
}

fn base_url(
    context: Context<'_>,
    written: &raw::Provider,
    kind: ProviderKind,
    presets: &Profile,
    place: Place<'_>,
) -> Option<Uri> {
    let place = place.key("base_url");
    let region = written.region.as_deref();
    let made = match (kind, region, written.project.as_deref()) {
        (ProviderKind::Bedrock, Some(region), _) => Some(address::bedrock(region)),
        (kind, Some(location), Some(project)) if is_vertex(kind) => Some(address::vertex(project, location)),
        _ => None,
    };
    let known = written
        .base_url
        .as_deref()
        .or(made.as_deref())
        .or(presets.base_url);
    let Some(text) = known else {
        let expected = match kind {
            ProviderKind::Bedrock => "a `region` such as \"us-east-1\", or the endpoint's URL",
            kind if is_vertex(kind) => {
                "a `project` and a `region` such as \"us-central1\", or the location's URL"
            }
            _ => "the resource's URL such as \"https://NAME.openai.azure.com\"",
        };
        context.report.problem(
            place,
            format!("missing, and kind {kind} has no address of its own"),
            expected,
        );
        return None;
    };
    url::parse(text)
        .map_err(|found| {
            let expected =
                "a URL such as \"https://api.example.com/v1\", without credentials, query or fragment";
            context.report.problem(place, found, expected);
        })
        .ok()
}

fn api_version(context: Context<'_>, written: &raw::Provider, place: Place<'_>) -> Option<Arc<str>> {
    let version = written.api_version.as_deref()?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if version.is_empty() || !version.bytes().all(allowed) {
        context.report.problem(
            place.key("api_version"),
            "no version",
            "a version such as \"2024-10-21\"",
        );
    }
    Some(version.into())
}

fn credentials(context: Context<'_>, written: &raw::Provider, place: Place<'_>) -> Vec<Credential> {
    if written.api_key.is_some() && written.api_keys.is_some() {
        context
            .report
            .problem(place.key("api_keys"), "both api_key and api_keys", "one of them");
    }
    let single = written.api_key.as_ref().and_then(|key| {
        Some(Credential {
            name: "default".into(),
            proof: Proof::Key(context.secret(key, place.key("api_key"), 1)?),
            weight: 1,
        })
    });
    let list = place.key("api_keys");
    let mut names = HashSet::new();
    let mut several = Vec::new();
    for (index, key) in written.api_keys.iter().flatten().enumerate() {
        let place = list.item(index);
        let credential = credential(context, key, index, place);
        let name = key.name.as_deref().unwrap_or_default();
        if !name.is_empty() && !names.insert(name) {
            context.report.problem(
                place.key("name"),
                "a name that another key has",
                "a name of its own",
            );
        }
        several.extend(credential);
    }
    let listed = written.api_keys.as_deref().unwrap_or_default();
    if !listed.is_empty() && listed.iter().all(|key| key.weight == Some(0)) {
        context
            .report
            .problem(list, "only keys of weight 0", "one key in use at least");
    }
    single.into_iter().chain(several).collect()
}

fn credential(context: Context<'_>, key: &ApiKey, index: usize, place: Place<'_>) -> Option<Credential> {
    let name = match &key.name {
        Some(name) if name.is_empty() || name.len() > LONGEST_NAME || name.contains(char::is_control) => {
            context.report.problem(
                place.key("name"),
                "a name that cannot be used",
                "1 to 64 characters",
            );
            return None;
        }
        Some(name) => name.as_str().into(),
        None => format!("key-{}", index + 1).into(),
    };
    Some(Credential {
        name,
        proof: Proof::Key(context.secret(key.key.as_ref()?, place.key("key"), 1)?),
        weight: key.weight.unwrap_or(1),
    })
}

/// Without credentials nothing is sent, whatever the kind expects.
fn auth(written: &raw::Provider, presets: &Profile, credentials: &[Credential]) -> Auth {
    if credentials.is_empty() {
        return Auth::None;
    }
    match written.auth.as_ref().map(|auth| auth.0.as_str()) {
        Some("bearer") => Auth::Bearer,
        Some("x-api-key") => Auth::XApiKey,
        Some("api-key") => Auth::ApiKey,
        Some("x-goog-api-key") => Auth::XGoogApiKey,
        Some("none") => Auth::None,
        _ => match presets.auth {
            AuthScheme::Bearer => Auth::Bearer,
            AuthScheme::XApiKey => Auth::XApiKey,
            AuthScheme::ApiKey => Auth::ApiKey,
            AuthScheme::XGoogApiKey => Auth::XGoogApiKey,
            AuthScheme::None => Auth::None,
        },
    }
}

/// A key must be there where one is needed, and nowhere else.
fn check_credentials(
    context: Context<'_>,
    written: &raw::Provider,
    (cloud, credentials): (Option<Cloud>, &[Credential]),
    base_url: Option<&Uri>,
    presets: &Profile,
    place: Place<'_>,
) {
    let sends_none = written.auth.as_ref().is_some_and(|auth| auth.0 == "none");
    if sends_none && !credentials.is_empty() {
        context
            .report
            .problem(place.key("auth"), "none, with a key", "another auth, or no key");
    }
    let Some(base_url) = base_url else { return };
    let is_private = url::is_private(base_url);
    // A signature is no secret.
    let sends_secret = !credentials.is_empty() && cloud != Some(Cloud::Aws);
    if sends_secret && base_url.scheme_str() == Some("http") && !is_private {
        context
            .report
            .warn(place.key("base_url"), "the key is sent over plain http");
    }
    if cloud.is_some() {
        return;
    }
    let is_given = written.api_key.is_some() || written.api_keys.is_some();
    let in_header = |name: &String| {
        let names = ["authorization", "x-api-key", "api-key"];
        names.iter().any(|it| name.eq_ignore_ascii_case(it))
    };
    let by_header = written.headers.iter().flatten().any(|(name, _)| in_header(name));
    let is_broken = || {
        ["api_key", "api_keys", "auth", "aws", "google"]
            .iter()
            .any(|key| context.report.is_broken(place.key(key)))
    };
    let is_needed = !presets.key_is_optional && !sends_none && !is_private;
    if is_needed && !is_given && !by_header && !is_broken() {
        let variable = presets.api_key_env.first().copied().unwrap_or("API_KEY");
        let expected = match clouds::usual(written) {
            Some(cloud) => format!("a key such as \"${{{variable}}}\", or auth: {}", cloud.name()),
            None => format!("a key such as \"${{{variable}}}\", or auth: none"),
        };
        context.report.problem(place.key("api_key"), "missing", expected);
    }
}

fn headers(
    context: Context<'_>,
    written: &raw::Provider,
    place: Place<'_>,
) -> Vec<(HeaderName, HeaderValue)> {
    let section = place.key("headers");
    let mut headers = Vec::new();
    for (name, value) in written.headers.iter().flatten() {
        let place = section.key(name);
        let Ok(header) = name.parse::<HeaderName>() else {
            context
                .report
                .problem(place, "no name of a header", "letters, digits and dashes");
            continue;
        };
        if RESERVED_HEADERS.contains(&header.as_str()) {
            context
                .report
                .problem(place, "a header that the gateway sets itself", "another header");
        }
        match HeaderValue::from_str(value.0.trim()) {
            Ok(mut value) => {
                value.set_sensitive(true);
                headers.push((header, value));
            }
            Err(_) => {
                context
                    .report
                    .problem(place, "a value that cannot be sent", "visible ASCII characters");
            }
        }
    }
    headers
}

fn timeouts(context: Context<'_>, written: Option<&raw::Timeouts>, place: Place<'_>) -> Timeouts {
    let default = Timeouts::default();
    let Some(written) = written else { return default };
    let first_byte = context.duration(
        written.first_byte.as_ref(),
        place.key("first_byte"),
        default.first_byte,
    );
    Timeouts {
        connect: context.duration(written.connect.as_ref(), place.key("connect"), default.connect),
        first_byte,
        first_token: first_token(context, written, place.key("first_token"), first_byte),
        idle: context.duration(written.idle.as_ref(), place.key("idle"), default.idle),
        total: context.duration(written.total.as_ref(), place.key("total"), default.total),
    }
}
