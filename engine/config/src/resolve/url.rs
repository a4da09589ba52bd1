//! Base URLs: what makes a good one, and whose machine it points to.

use std::net::{IpAddr, Ipv6Addr};

use http::Uri;

/// Reads a base URL and drops the slash at its end. The error says what is wrong, and never quotes the text,
/// which may hold credentials.
pub(super) fn parse(text: &str) -> Result<Uri, &'static str> {
    let text = text.trim();
    if text.contains('#') {
        return Err("a URL with a fragment");
    }
    let url: Uri = text.trim_end_matches('/').parse().map_err(|_| "not a URL")?;
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        return Err("a URL without http:// or https://");
    }
    if url.authority().is_some_and(|it| it.as_str().contains('@')) {
        return Err("a URL with credentials");
    }
    if url.query().is_some() {
        return Err("a URL with a query");
    }
    if url.host().is_none_or(str::is_empty) {
        return Err("a URL without a host");
    }
    if url
        .authority()
        .is_some_and(|it| it.as_str().ends_with(':') || (has_port(it.as_str()) && it.port_u16().is_none()))
    {
        return Err("a URL with an impossible port");
    }
    Ok(url)
}

/// Whether something like a port stands after the host.
fn has_port(authority: &str) -> bool {
    let after_brackets = authority.rsplit(']').next().unwrap_or_default();
    after_brackets.contains(':')
}

/// Whether the host is on this machine or a private network, by its name or address: no name is resolved.
pub(super) fn is_private(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => {
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
        }
        Ok(IpAddr::V6(ip)) => is_private_v6(ip),
        Err(_) => {
            let host = host.to_ascii_lowercase();
            let ends = [".localhost", ".local", ".internal", ".lan", ".home.arpa", ".svc"];
            !host.contains('.') || ends.iter().any(|end| host.ends_with(end))
        }
    }
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_lose_the_slash_at_their_end() {
        assert_eq!(
            parse("https://api.example.com/v1/").unwrap().to_string(),
            "https://api.example.com/v1"
        );
        assert_eq!(parse(" http://[::1]:8000/v1 ").unwrap().path(), "/v1");
    }

    #[test]
    fn what_is_no_base_url_is_refused_without_being_quoted() {
        for bad in [
            "",
            "api.example.com/v1",
            "ftp://example.com",
            "https://user:secret@example.com",
            "https://example.com/v1?key=secret",
            "https://example.com/v1#top",
            "https://",
            "https://example.com:99999",
            "https://example.com:",
            "/v1",
            "https://exa mple.com",
        ] {
            let error = parse(bad).unwrap_err();
            assert!(!error.contains("secret"), "{bad}");
        }
    }

    #[test]
    fn private_hosts_are_told_from_public_ones() {
        for (url, private) in [
            ("http://127.0.0.1:8000/v1", true),
            ("http://10.1.2.3", true),
            ("http://172.16.0.1", true),
            ("http://[::1]:1", true),
            ("http://[fd00::1]", true),
            ("http://localhost", true),
            ("http://ollama:11434", true),
            ("http://vllm.ml.svc:8000", true),
            ("http://host.docker.internal", true),
            ("https://8.8.8.8", false),
            ("https://api.openai.com/v1", false),
            ("https://[2001:db8::1]", false),
        ] {
            assert_eq!(is_private(&parse(url).unwrap()), private, "{url}");
        }
    }
}
