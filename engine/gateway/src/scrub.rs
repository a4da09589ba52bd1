//! Our own secrets, taken out of what a provider says: some repeat the request in their errors.
//!
//! What looks like a key is masked wherever errors are put into words; here the very secrets that were sent are
//! looked for, whatever they look like. Only on the way of failures, which are few.

use bytes::Bytes;
use tollgate_routing::{Proof, Provider};

/// Shorter values (a version, a flag) are no secrets, and would be found in any text.
const SHORTEST_SECRET: usize = 6;

const MASK: &[u8] = b"***";

/// `said` without the provider's credentials and the values of the headers configured for it.
pub(crate) fn without_secrets(provider: &Provider, said: Bytes) -> Bytes {
    let values = provider.headers.iter().map(|(_, value)| value.as_bytes());
    let said = values.fold(said, masked);
    provider
        .credentials
        .iter()
        .fold(said, |said, it| match &it.proof {
            Proof::Key(secret) => masked(said, secret.expose().as_bytes()),
            Proof::Identity(identity) => match &identity.standing().minted {
                Some(minted) => minted
                    .secrets()
                    .fold(said, |said, secret| masked(said, secret.expose().as_bytes())),
                None => said,
            },
        })
}

fn masked(said: Bytes, secret: &[u8]) -> Bytes {
    if secret.len() < SHORTEST_SECRET {
        return said;
    }
    replace(said, secret)
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
