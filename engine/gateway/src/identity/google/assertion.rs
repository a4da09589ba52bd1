//! The assertion of a service account: a JSON web token (RFC 7523), signed with its private key by RS256.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use tollgate_core::Timestamp;

use super::file::ServiceAccount;

/// How long it is good for: the most that Google takes.
const GOOD_FOR_SECONDS: u64 = 3600;

/// What a service account says to the token service at `audience`.
///
/// # Errors
/// The private key cannot be used. Of the key itself, nothing is said.
pub(super) fn assertion(
    account: &ServiceAccount,
    audience: &str,
    scope: &str,
    now: Timestamp,
) -> Result<String, String> {
    let mut head = json!({ "alg": "RS256", "typ": "JWT" });
    if let (Some(id), Some(head)) = (&account.private_key_id, head.as_object_mut()) {
        head.insert("kid".to_owned(), id.as_str().into());
    }
    let issued = now.unix_seconds();
    let claims = json!({
        "iss": account.client_email,
        "scope": scope,
        "aud": audience,
        "iat": issued,
        "exp": issued + GOOD_FOR_SECONDS,
    });
    let encoded = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let said = format!("{}.{}", encoded(&head), encoded(&claims));
    let key = key_pair(&account.private_key)?;
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        said.as_bytes(),
        &mut signature,
    )
    .map_err(|_| "the private key does not sign".to_owned())?;
    Ok(format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn key_pair(pem: &str) -> Result<RsaKeyPair, String> {
    let unusable = || "the private_key is no RSA key in PEM".to_owned();
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| unusable())?;
    let read = match &key {
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
        _ => return Err(unusable()),
    };
    read.map_err(|_| unusable())
}
