//! AWS's side of a signature: what arrived is signed once more, as AWS describes Signature Version 4, and compared.
//! Written from that description alone, so that a mistake of the gateway's library is not made twice.

use std::fmt::Write as _;

use ring::{digest, hmac};

/// What a good signature says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Whose key it is.
    pub access_key_id: String,
    /// `REGION/SERVICE`
    pub scope: String,
    /// The session token that came with it.
    pub session_token: Option<String>,
    /// When it was made: `20260131T120000Z`.
    pub date: String,
    /// The names of the headers that are signed.
    pub headers: Vec<String>,
}

/// Checks the signature of a request, as it came over the wire. `secret` knows the secret of each access key.
///
/// # Errors
/// What is wrong with it.
pub fn verified(request: &str, secret: impl Fn(&str) -> Option<String>) -> Result<Signature, String> {
    let (head, body) = request.split_once("\r\n\r\n").ok_or("no end of the head")?;
    let mut lines = head.split("\r\n");
    let mut start = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (start.next().unwrap_or_default(), start.next().unwrap_or_default());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), squeezed(value)))
        .collect();
    let header = |wanted: &str| {
        let mut found = headers.iter().filter(|(name, _)| name == wanted);
        let value = found.next().map(|(_, value)| value.clone());
        assert!(found.next().is_none(), "two headers {wanted}");
        value
    };
    let authorization = header("authorization").ok_or("no authorization")?;
    let parts = authorization
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .ok_or("not signed")?;
    let part = |name: &str| {
        let mut parts = parts.split(',').map(str::trim);
        parts
            .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
            .map(str::to_owned)
    };
    let credential = part("Credential").ok_or("no credential")?;
    let [id, day, region, service, "aws4_request"] = *credential.split('/').collect::<Vec<_>>() else {
        return Err(format!("a credential {credential}"));
    };
    let signed: Vec<String> = part("SignedHeaders")
        .ok_or("no headers")?
        .split(';')
        .map(str::to_owned)
        .collect();
    let date = header("x-amz-date").ok_or("no date")?;
    if !date.starts_with(day) {
        return Err(format!("of the day {day} and the date {date}"));
    }
    for (name, _) in &headers {
        if (name.starts_with("x-amz-") || name == "host") && !signed.contains(name) {
            return Err(format!("{name} is not signed"));
        }
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut canonical = format!("{method}\n{}\n{}\n", encoded_once_more(path), sorted(query));
    for name in &signed {
        let value = header(name).ok_or_else(|| format!("{name} is signed and not there"))?;
        let _ = writeln!(canonical, "{name}:{value}");
    }
    let payload = match header("x-amz-content-sha256") {
        Some(stated) if stated == "UNSIGNED-PAYLOAD" => stated,
        _ => hex(digest::digest(&digest::SHA256, body.as_bytes()).as_ref()),
    };
    let _ = write!(canonical, "\n{}\n{payload}", signed.join(";"));
    let hash = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{day}/{region}/{service}/aws4_request\n{hash}");
    let secret = secret(id).ok_or_else(|| format!("nobody knows the key {id}"))?;
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [day, region, service, "aws4_request"] {
        key = mac(&key, part);
    }
    if part("Signature") != Some(hex(&mac(&key, &to_sign))) {
        return Err(format!(
            "the signature does not match; expected over\n{canonical}"
        ));
    }
    Ok(Signature {
        access_key_id: id.to_owned(),
        scope: format!("{region}/{service}"),
        session_token: header("x-amz-security-token"),
        date,
        headers: signed,
    })
}

fn mac(key: &[u8], said: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), said.as_bytes())
        .as_ref()
        .to_vec()
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// A value without the spaces that do not count.
fn squeezed(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every service but S3: the path as it was sent, encoded once more.
fn encoded_once_more(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

fn sorted(query: &str) -> String {
    let mut parts: Vec<&str> = query.split('&').filter(|part| !part.is_empty()).collect();
    parts.sort_unstable();
    parts.join("&")
}
