//! How many files, connections among them, this process and those that it starts may have open.

/// Raises the limit as far as this process may by itself, and beyond that where it is privileged and `wanted` is more.
/// Returns what is allowed now.
#[cfg(unix)]
pub(super) fn raise(wanted: u64) -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let raise_to = |current, maximum| setrlimit(Resource::Nofile, Rlimit { current, maximum }).is_ok();
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let is_more = |limit: Option<u64>| limit.is_none_or(|it| it >= wanted);
    if !is_more(maximum) && raise_to(Some(wanted), Some(wanted)) {
        return wanted;
    }
    if current == maximum || raise_to(maximum, maximum) {
        return maximum.unwrap_or(u64::MAX);
    }
    current.unwrap_or(u64::MAX)
}

#[cfg(not(unix))]
pub(super) const fn raise(_wanted: u64) -> u64 {
    u64::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_never_lowered() {
        let before = raise(0);
        assert!(before > 0);
        assert!(raise(1) >= before);
    }
}
