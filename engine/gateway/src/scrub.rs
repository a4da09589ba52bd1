//! Our own secrets, taken out of what a provider says: some repeat the request in their errors.
//!
//! What looks like a key is masked wherever errors are put into words; here the very secrets that were sent are
//! looked for, whatever they look like. Only on the way of failures, which are few.

use bytes::Bytes;
use tollgate_routing::Provider;

/// Shorter values (a version, a flag) are no secrets, and would be found in any text.
const SHORTEST_SECRET: usize = 6;

const MASK: &[u8] = b"***";

/// `said` without the provider's credentials and the values of the headers configured for it.
pub(crate) fn without_secrets(provider: &Provider, said: Bytes) -> Bytes {
    let keys = provider
        .credentials
        .iter()
        .map(|credential| credential.secret.expose().as_bytes());
    let values = provider.headers.iter().map(|(_, value)| value.as_bytes());
    let secrets = keys
        .chain(values)
        .filter(|secret| secret.len() >= SHORTEST_SECRET);
    secrets.fold(said, replace)
}

fn replace(said: Bytes, secret: &[u8]) -> Bytes {
    let Some(first) = find(&said, secret) else {
        return said;
    };
    let mut clean = Vec::with_capacity(said.len());
    let (mut rest, mut next): (&[u8], _) = (&said, Some(first));
    while let Some((before, tail)) = next.and_then(|at| rest.split_at_checked(at)) {
        clean.extend_from_slice(before);
        clean.extend_from_slice(MASK);
        rest = tail.get(secret.len()..).unwrap_or_default();
        next = find(rest, secret);
    }
    clean.extend_from_slice(rest);
    clean.into()
}

fn find(said: &[u8], secret: &[u8]) -> Option<usize> {
    said.windows(secret.len()).position(|window| window == secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_occurrence_is_masked_and_nothing_else() {
        let said = Bytes::from_static(b"bad key hunter22: hunter2hunter22");
        assert_eq!(replace(said, b"hunter22"), "bad key ***: hunter2***");
        let harmless = Bytes::from_static(b"bad key");
        assert_eq!(replace(harmless.clone(), b"hunter22"), harmless);
    }
}
