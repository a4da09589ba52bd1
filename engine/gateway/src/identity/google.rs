//! Access tokens from Google, where Google's own tools look for credentials (Application Default Credentials).
//!
//! A file of credentials says what it is: a service account signs an assertion of its own, a user has a refresh token, a
//! federated workload shows the token of somebody else. Without a file the machine's metadata service is asked. Files
//! are read anew each time.

mod assertion;
mod file;

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};
use tollgate_core::{Secret, Timestamp};
use tollgate_routing::{GoogleIdentity, GoogleSource, Minted, MintedKey};

use crate::upstream::{Connector, Limits, exchange};
use assertion::assertion;
use file::{Federation, Impersonation, KeyFile, ServiceAccount, Subject, User, WELL_KNOWN};

/// What a token is to be good for: everything that the identity may do, as IAM says.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
const METADATA_HOST: &str = "metadata.google.internal";
const METADATA_FLAVOR: HeaderName = HeaderName::from_static("metadata-flavor");

const USUAL: Limits = Limits {
    connect: Duration::from_secs(5),
    answer: Duration::from_secs(10),
};
/// On the machine's own link; where it is not, waiting does not help.
const NEAR: Limits = Limits {
    connect: Duration::from_secs(3),
    answer: Duration::from_secs(5),
};

/// What a token service answers.
#[derive(Deserialize)]
struct Answer {
    #[serde(alias = "accessToken")]
    access_token: String,
    /// Seconds from now.
    #[serde(default)]
    expires_in: Option<u64>,
    /// A moment.
    #[serde(default, rename = "expireTime")]
    expire_time: Option<String>,
}

/// Asks for an access token.
///
/// # Errors
/// What was tried, and what became of it.
pub(super) async fn mint(
    identity: &GoogleIdentity,
    connector: &Connector,
    now: Timestamp,
) -> Result<Minted, String> {
    let asker = Asker { connector, now };
    let text = match &identity.source {
        GoogleSource::Written(text) => text.expose().to_owned(),
        GoogleSource::File(path) => file::read(path).await?,
        GoogleSource::Usual => match file::usual()? {
            Some(path) => file::read(&path).await?,
            None => return asker.machine().await,
        },
    };
    asker.by(KeyFile::parse(&text)?).await
}

#[derive(Clone, Copy)]
struct Asker<'a> {
    connector: &'a Connector,
    now: Timestamp,
}

impl Asker<'_> {
    /// A token for whoever the file is about.
    async fn by(self, file: KeyFile) -> Result<Minted, String> {
        match file {
            KeyFile::ServiceAccount(account) => self.service_account(&account).await,
            KeyFile::AuthorizedUser(user) => self.user(&user).await,
            KeyFile::ExternalAccount(federation) => self.federated(&federation).await,
            KeyFile::ImpersonatedServiceAccount(impersonation) => self.impersonated(impersonation).await,
        }
    }

    async fn service_account(self, account: &ServiceAccount) -> Result<Minted, String> {
        let uri = account.token_uri.as_deref().unwrap_or(TOKEN_URI);
        let assertion = assertion(account, uri, SCOPE, self.now)?;
        let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        self.form(uri, &[("grant_type", grant), ("assertion", &assertion)])
            .await
    }

    async fn user(self, user: &User) -> Result<Minted, String> {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", &*user.client_id),
            ("client_secret", &*user.client_secret),
            ("refresh_token", &*user.refresh_token),
        ];
        self.form(user.token_uri.as_deref().unwrap_or(TOKEN_URI), &form)
            .await
    }

    async fn federated(self, federation: &Federation) -> Result<Minted, String> {
        let subject = self.subject(&federation.credential_source).await?;
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            (
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:access_token",
            ),
            ("audience", &*federation.audience),
            ("scope", SCOPE),
            ("subject_token_type", &*federation.subject_token_type),
            ("subject_token", &*subject),
        ];
        let own = self.form(&federation.token_url, &form).await?;
        match &federation.service_account_impersonation_url {
            Some(url) => self.become_account(&own, url, &[]).await,
            None => Ok(own),
        }
    }

    async fn impersonated(self, impersonation: Impersonation) -> Result<Minted, String> {
        let Impersonation {
            service_account_impersonation_url: url,
            source_credentials,
            delegates,
        } = impersonation;
        let own = Box::pin(self.by(*source_credentials)).await?;
        self.become_account(&own, &url, &delegates).await
    }

    /// The token of the service account at `url`, for somebody who may be it.
    async fn become_account(self, own: &Minted, url: &str, delegates: &[String]) -> Result<Minted, String> {
        let MintedKey::Token(token) = &own.key else {
            return Err("no access token to show".to_owned());
        };
        let bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
        let bearer = bearer.map_err(|_| "an access token that cannot be sent".to_owned())?;
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, bearer),
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        ]);
        let body = json!({ "scope": [SCOPE], "delegates": delegates, "lifetime": "3600s" });
        let answer = self
            .send(Method::POST, url, headers, body.to_string(), USUAL)
            .await?;
        self.minted(url, &answer)
    }

    /// The token that a federated workload has from somebody else.
    async fn subject(self, subject: &Subject) -> Result<String, String> {
        let text = match subject {
            Subject::File { file, .. } => file::read(file).await?,
            Subject::Url { url, headers, .. } => {
                let mut sent = HeaderMap::new();
                for (name, value) in headers {
                    let header = HeaderName::try_from(name)
                        .ok()
                        .zip(HeaderValue::from_str(value).ok());
                    let (name, value) =
                        header.ok_or_else(|| format!("{name} is no header that can be sent"))?;
                    sent.insert(name, value);
                }
                let answer = self.send(Method::GET, url, sent, String::new(), USUAL).await?;
                String::from_utf8(answer.to_vec()).map_err(|_| format!("{url} answered with no text"))?
            }
            Subject::Other(what) => {
                return Err(format!(
                    "federation by {} is not supported: by a file or a url it is",
                    what.name()
                ));
            }
        };
        let (Subject::File { format, .. } | Subject::Url { format, .. }) = subject else {
            return Ok(text);
        };
        let Some(field) = format.field() else {
            return Ok(text.trim().to_owned());
        };
        let found = serde_json::from_str::<Value>(&text).ok();
        let found = found.as_ref().and_then(|it| it.get(field)?.as_str());
        found
            .map(str::to_owned)
            .ok_or_else(|| format!("no field '{field}' in the subject token's document"))
    }

    /// The token of the machine's own service account.
    async fn machine(self) -> Result<Minted, String> {
        let host = std::env::var("GCE_METADATA_HOST")
            .ok()
            .filter(|host| !host.is_empty());
        let host = host.as_deref().unwrap_or(METADATA_HOST);
        let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
        let headers = HeaderMap::from_iter([(METADATA_FLAVOR, HeaderValue::from_static("Google"))]);
        let answered = self.send(Method::GET, &url, headers, String::new(), NEAR).await;
        let answer = answered.map_err(|why| {
            format!(
                "neither GOOGLE_APPLICATION_CREDENTIALS nor gcloud's {WELL_KNOWN}, and no metadata service: {why}"
            )
        })?;
        self.minted(&url, &answer)
    }

    async fn form(self, url: &str, fields: &[(&str, &str)]) -> Result<Minted, String> {
        let field =
            |(name, value): &(&str, &str)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
        let body: Vec<String> = fields.iter().map(field).collect();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, form)]);
        let answer = self
            .send(Method::POST, url, headers, body.join("&"), USUAL)
            .await?;
        self.minted(url, &answer)
    }

    /// The body of a good answer. What is said of others is short, and holds nothing that was sent.
    async fn send(
        self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: String,
        limits: Limits,
    ) -> Result<Bytes, String> {
        let uri = url.parse::<Uri>().ok().filter(is_safe);
        let uri = uri.ok_or_else(|| format!("{url} is no https URL"))?;
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().entry(ACCEPT).or_insert(json);
        let answer = exchange(self.connector, request, limits).await;
        let answer = answer.map_err(|error| format!("{url}: {error}"))?;
        let (status, body) = (answer.status(), answer.into_body());
        if status.is_success() {
            return Ok(body);
        }
        Err(format!("{url} answered {}{}", status.as_u16(), reason(&body)))
    }

    fn minted(self, url: &str, answer: &[u8]) -> Result<Minted, String> {
        let answer: Answer =
            serde_json::from_slice(answer).map_err(|_| format!("{url} answered without an access token"))?;
        // Google pads some of its tokens with dots.
        if answer.access_token.is_empty() || !answer.access_token.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(format!("{url} answered with an access token that cannot be sent"));
        }
        let later = |seconds: u64| {
            Timestamp::from_unix_millis(
                self.now
                    .unix_millis()
                    .saturating_add(seconds.saturating_mul(1000)),
            )
        };
        let stated = answer.expire_time.as_deref().and_then(Timestamp::parse_rfc3339);
        Ok(Minted {
            key: MintedKey::Token(Secret::new(answer.access_token)),
            expires_at: stated.or(answer.expires_in.map(later)),
        })
    }
}

/// Secrets are sent over TLS, or to this machine.
fn is_safe(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let is_loopback = || {
        let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
    };
    let is_near = || host == METADATA_HOST || host == "169.254.169.254";
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_loopback() || is_near(),
        _ => false,
    }
}

/// What an answer says of its reason: `: invalid_grant (Invalid JWT)`. Nothing, if it does not say.
fn reason(body: &[u8]) -> String {
    let Ok(said) = serde_json::from_slice::<Value>(body) else {
        return String::new();
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let error = said.get("error");
    let code = error.and_then(|it| text(it).or_else(|| text(it.get("status")?)));
    let description = said
        .get("error_description")
        .and_then(text)
        .or_else(|| text(error?.get("message")?));
    match (code, description) {
        (Some(code), Some(description)) => format!(": {code} ({description})"),
        (Some(one), None) | (None, Some(one)) => format!(": {one}"),
        (None, None) => String::new(),
    }
}
