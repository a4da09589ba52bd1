//! Signs requests to AWS: Signature Version 4, as every service but S3 wants it.
//!
//! Signed are the method, the path and query, the host, the content type, AWS's own headers, and the body by its hash:
//! what a proxy may add or change on the way is not. The path is encoded once more for the signature than it is on the
//! wire, which is where model ids with `:` and `/` go wrong. Pure: time and keys are arguments.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use thiserror::Error;
use tollgate_core::Timestamp;

/// The service that models are asked of, as signatures name it.
pub const BEDROCK: &str = "bedrock";

/// AWS's own headers begin so; those that are there must be signed.
const AMZ: &str = "x-amz-";
/// These are written by whoever signs.
const WRITTEN: [&str; 3] = ["x-amz-date", "x-amz-security-token", "x-amz-content-sha256"];

/// Who signs, for where, and when.
#[derive(Clone, Copy)]
pub struct Signer<'s> {
    /// `AKIA…`
    pub access_key_id: &'s str,
    /// The secret that belongs to it.
    pub secret_access_key: &'s str,
    /// For temporary keys.
    pub session_token: Option<&'s str>,
    /// `us-east-1`
    pub region: &'s str,
    /// [`BEDROCK`], or another service.
    pub service: &'s str,
    /// The time at AWS: a signature is good for five minutes around it.
    pub now: Timestamp,
}

/// What is signed of a body.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'p> {
    /// All of it.
    Bytes(&'p [u8]),
    /// Its SHA-256, in lower-case hex digits, where that is known already.
    Sha256(&'p str),
    /// Nothing, and the request says so: for bodies that are not there yet when the request begins.
    Unsigned,
}

/// A request cannot be signed.
#[derive(Debug, Error)]
#[error("the request cannot be signed: {0}")]
pub struct NotSigned(String);

/// Signs a request with all the headers that it will have. What is in `headers` of another signature is replaced.
///
/// # Errors
/// A header that would be signed is not text, or the URI is none.
pub fn sign_request(
    signer: &Signer<'_>,
    method: &Method,
    uri: &Uri,
    headers: &mut HeaderMap,
    payload: Payload<'_>,
) -> Result<(), NotSigned> {
    let why = |error: &dyn std::fmt::Display| NotSigned(error.to_string());
    headers.remove(AUTHORIZATION);
    for name in WRITTEN {
        headers.remove(name);
    }
    let instructions = {
        let mut own = Vec::with_capacity(4);
        for (name, value) in headers.iter() {
            if *name == HOST || *name == CONTENT_TYPE || name.as_str().starts_with(AMZ) {
                own.push((name.as_str(), value.to_str().map_err(|error| why(&error))?));
            }
        }
        let mut settings = SigningSettings::default();
        let body = match payload {
            Payload::Bytes(bytes) => SignableBody::Bytes(bytes),
            Payload::Sha256(hash) => SignableBody::Precomputed(hash.to_owned()),
            Payload::Unsigned => {
                settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
                SignableBody::UnsignedPayload
            }
        };
        let identity = signer.credentials().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(signer.region)
            .name(signer.service)
            .time(SystemTime::UNIX_EPOCH + Duration::from_millis(signer.now.unix_millis()))
            .settings(settings)
            .build()
            .map_err(|error| why(&error))?
            .into();
        let request = SignableRequest::new(method.as_str(), uri.to_string(), own.into_iter(), body)
            .map_err(|error| why(&error))?;
        let (instructions, _) = sign(request, &params).map_err(|error| why(&error))?.into_parts();
        instructions
    };
    for (name, value) in instructions.headers() {
        let name = HeaderName::try_from(name).map_err(|error| why(&error))?;
        let mut value = HeaderValue::from_str(value).map_err(|error| why(&error))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(())
}

impl Signer<'_> {
    fn credentials(&self) -> Credentials {
        Credentials::new(
            self.access_key_id,
            self.secret_access_key,
            self.session_token.map(str::to_owned),
            None,
            "tollgate",
        )
    }
}

#[cfg(test)]
mod tests;
