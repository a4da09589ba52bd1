//! How a request shows who sends it: by a key, by an access token, by a signature.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, DATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use tollgate_adapters::{BEDROCK, NotSigned, Payload, Signer, sign_request};
use tollgate_core::{Clock, Secret, Timestamp};
use tollgate_routing::{Auth, CloudIdentity, Credential, Identity, Minted, MintedKey, Proof};

use crate::identity::Identities;
use crate::off_thread::off_thread;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// Bodies from this size on are hashed off the worker's thread (hashing runs at 300 MB/s, where the processor has no
/// instructions for it).
const LARGE_HASH_BYTES: usize = 32 * 1024;
/// AWS takes signatures that are five minutes off at the most. A clock that is off by this is to blame for a refusal.
const CLOCK_IS_OFF: Duration = Duration::from_secs(4 * 60);

/// What a request has to show.
pub(crate) enum Shown<'p> {
    /// Nothing is wanted.
    Nothing,
    /// A key from the config file.
    Key(&'p Secret),
    /// What a cloud has given out for an identity.
    Minted(&'p Arc<Identity>, Arc<Minted>),
}

impl<'p> Shown<'p> {
    /// What a credential has to show; a request waits for it where there is none yet.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn wait(
        credential: Option<&'p Credential>,
        identities: &Identities,
    ) -> Result<Self, String> {
        match credential.map(|it| &it.proof) {
            None => Ok(Self::Nothing),
            Some(Proof::Key(secret)) => Ok(Self::Key(secret)),
            Some(Proof::Identity(identity)) => {
                let minted = identities.key(identity).await?;
                Ok(Self::Minted(identity, minted))
            }
        }
    }

    /// What a credential has to show at once; `None`: nothing yet.
    pub(super) fn at_hand(credential: Option<&'p Credential>) -> Option<Self> {
        match credential.map(|it| &it.proof) {
            None => Some(Self::Nothing),
            Some(Proof::Key(secret)) => Some(Self::Key(secret)),
            Some(Proof::Identity(identity)) => {
                let minted = identity.key(Clock.wall())?;
                Some(Self::Minted(identity, minted))
            }
        }
    }

    /// Shows a key or a token in the headers, as `auth` says.
    pub(super) fn show(&self, auth: Auth, headers: &mut HeaderMap) -> Result<(), http::Error> {
        let (auth, key) = match self {
            Self::Nothing => return Ok(()),
            Self::Key(key) => (auth, key.expose()),
            Self::Minted(_, minted) => match &minted.key {
                MintedKey::Token(token) => (Auth::Bearer, token.expose()),
                MintedKey::Aws { .. } => return Ok(()),
            },
        };
        let bare = || Bytes::copy_from_slice(key.as_bytes());
        let (name, value) = match auth {
            Auth::Bearer => (AUTHORIZATION, Bytes::from(["Bearer ", key].concat())),
            Auth::XApiKey => (X_API_KEY, bare()),
            Auth::XGoogApiKey => (X_GOOG_API_KEY, bare()),
            Auth::ApiKey => (API_KEY, bare()),
            Auth::Aws | Auth::Google | Auth::None => return Ok(()),
        };
        let mut value = HeaderValue::from_maybe_shared(value)?;
        value.set_sensitive(true);
        headers.insert(name, value);
        Ok(())
    }

    /// Signs a request that has all of its headers, where the provider wants that.
    pub(super) fn sign(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &mut HeaderMap,
        payload: Payload<'_>,
    ) -> Result<(), NotSigned> {
        let Self::Minted(identity, minted) = self else {
            return Ok(());
        };
        let (
            CloudIdentity::Aws(aws),
            MintedKey::Aws {
                access_key_id,
                secret_access_key,
                session_token,
            },
        ) = (identity.described(), &minted.key)
        else {
            return Ok(());
        };
        let signer = Signer {
            access_key_id: access_key_id.expose(),
            secret_access_key: secret_access_key.expose(),
            session_token: session_token.as_ref().map(Secret::expose),
            region: &aws.region,
            service: BEDROCK,
            now: identity.provider_time(Clock.wall()),
        };
        sign_request(&signer, method, uri, headers, payload)
    }

    /// The hash of a large body that is to be signed, in hex digits. `None`: it is small, or is not signed.
    pub(super) async fn hash(&self, body: &Bytes) -> Option<String> {
        let is_signed =
            matches!(self, Self::Minted(_, minted) if matches!(minted.key, MintedKey::Aws { .. }));
        if !is_signed || body.len() < LARGE_HASH_BYTES {
            return None;
        }
        let body = body.clone();
        off_thread(move || sha256_hex(&body)).await.ok()
    }

    /// Whether a provider has refused a signature because our clock is off: then the next one will be by its clock.
    pub(super) fn learns_the_time(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        let Self::Minted(identity, minted) = self else {
            return false;
        };
        let may_be = matches!(minted.key, MintedKey::Aws { .. })
            && matches!(status, StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST);
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        let Some(theirs) = date
            .filter(|_| may_be)
            .and_then(|date| httpdate::parse_http_date(date).ok())
        else {
            return false;
        };
        let since = theirs
            .duration_since(std::time::SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let theirs = Timestamp::from_unix_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        let ours = Clock.wall();
        let supposed = identity.provider_time(ours);
        let is_off = theirs.since(supposed).max(supposed.since(theirs)) > CLOCK_IS_OFF;
        if is_off {
            identity.set_clock(ours, theirs);
        }
        is_off
    }
}

fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest
        .as_ref()
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use tollgate_routing::{AwsIdentity, AwsSource};

    use super::*;

    #[test]
    fn a_hash_is_written_as_aws_wants_it() {
        assert_eq!(
            sha256_hex(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn a_refusal_is_blamed_on_the_clock_only_if_the_clock_is_off() {
        let identity = Arc::new(Identity::new(CloudIdentity::Aws(AwsIdentity {
            region: "us-east-1".into(),
            source: AwsSource::Usual,
            role: None,
        })));
        let key = MintedKey::Aws {
            access_key_id: Secret::new("a"),
            secret_access_key: Secret::new("b"),
            session_token: None,
        };
        let shown = Shown::Minted(
            &identity,
            Arc::new(Minted {
                key,
                expires_at: None,
            }),
        );
        let after = |seconds: u64| {
            let date = std::time::SystemTime::UNIX_EPOCH
                + Duration::from_secs(Clock.wall().unix_seconds() + seconds);
            let date = HeaderValue::from_str(&httpdate::fmt_http_date(date)).unwrap();
            HeaderMap::from_iter([(DATE, date)])
        };
        assert!(!shown.learns_the_time(StatusCode::FORBIDDEN, &after(30)));
        assert!(!shown.learns_the_time(StatusCode::OK, &after(900)));
        assert!(!shown.learns_the_time(StatusCode::FORBIDDEN, &HeaderMap::new()));
        assert!(shown.learns_the_time(StatusCode::FORBIDDEN, &after(900)));
        // It is known by now: another refusal has another reason.
        assert!(!shown.learns_the_time(StatusCode::FORBIDDEN, &after(900)));
        let secret = Secret::new("k");
        assert!(!Shown::Key(&secret).learns_the_time(StatusCode::FORBIDDEN, &after(900)));
    }
}
