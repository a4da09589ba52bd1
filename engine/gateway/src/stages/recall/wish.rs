//! What a client wants of the cache: `x-tollgate-cache` and `cache-control`. It may tighten what its route allows,
//! never loosen it.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{CACHE_CONTROL, HeaderName};
use tollgate_cache::{Mode, Policy, Scope};
use tollgate_core::{Refusal, RefusalKind};

pub(super) const CACHE: HeaderName = HeaderName::from_static("x-tollgate-cache");

/// What is said in `x-tollgate-cache`, for messages.
const EXPECTED: &str = "expected off, refresh, only, ttl=SPAN, mode=exact|safe|balanced|aggressive|shadow or scope=key, separated by commas";

/// What a client wants of the cache.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "wishes that have nothing to do with each other"
)]
pub(super) struct Wish {
    /// Whether an answer may come from it.
    pub(super) reads: bool,
    /// Whether the answer may be kept.
    pub(super) writes: bool,
    /// Whether an answer must come from it.
    pub(super) only: bool,
    /// The oldest answer that will do; `None`: any that is kept.
    pub(super) max_age: Option<Duration>,
    /// How long the answer may be kept; `None`: as long as the route says.
    pub(super) ttl: Option<Duration>,
    /// How far questions may differ; `None`: as far as the route says.
    pub(super) mode: Option<Mode>,
    /// Whether nothing is to be given by meaning, but what would be is told.
    pub(super) shadow: bool,
    /// Whether the answer is for this key alone, whatever the route says.
    pub(super) is_private: bool,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            reads: true,
            writes: true,
            only: false,
            max_age: None,
            ttl: None,
            mode: None,
            shadow: false,
            is_private: false,
        }
    }
}

impl Wish {
    /// Reads what the client says.
    pub(super) fn read(request: &HttpRequest) -> Result<Self, Refusal> {
        let mut wish = Self::default();
        // Lists may be divided among several lines.
        for line in request.headers().get_all(&CACHE_CONTROL) {
            let text = line.to_str().unwrap_or_default();
            text.split(',').for_each(|word| wish.standard(word.trim()));
        }
        for line in request.headers().get_all(&CACHE) {
            let text = line.to_str().map_err(|_| invalid("no text"))?;
            for word in text
                .split([',', ';'])
                .map(str::trim)
                .filter(|word| !word.is_empty())
            {
                wish.own(word).ok_or_else(|| invalid(text))?;
            }
        }
        Ok(wish)
    }

    /// A directive of `cache-control` (RFC 9111, 5.2.1). Those that mean nothing here are none of our business.
    fn standard(&mut self, word: &str) {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match name.to_ascii_lowercase().as_str() {
            "no-store" => (self.reads, self.writes) = (false, false),
            "no-cache" => self.reads = false,
            "only-if-cached" => self.only = true,
            "max-age" => {
                let seconds = value.trim_matches('"').parse().ok();
                self.max_age = seconds.map(Duration::from_secs).or(self.max_age);
            }
            _ => {}
        }
    }

    /// A word of `x-tollgate-cache`. `None`: there is no such word.
    fn own(&mut self, word: &str) -> Option<()> {
        match word
            .split_once('=')
            .map(|(name, value)| (name.trim(), value.trim()))
        {
            None if word.eq_ignore_ascii_case("off") => (self.reads, self.writes) = (false, false),
            None if word.eq_ignore_ascii_case("refresh") => self.reads = false,
            None if word.eq_ignore_ascii_case("only") => self.only = true,
            Some(("ttl", value)) => {
                let seconds = value.parse().ok().map(Duration::from_secs);
                self.ttl = Some(seconds.or_else(|| tollgate_config::duration(value))?);
            }
            Some(("mode", Mode::SHADOW)) => self.shadow = true,
            Some(("mode", value)) => self.mode = Some(Mode::of_name(value)?),
            Some(("scope", "key")) => self.is_private = true,
            _ => return None,
        }
        Some(())
    }

    /// The route's policy, as far as the client wants it.
    pub(super) fn tighten(&self, policy: &Policy) -> Policy {
        let mut tight = policy.clone();
        tight.mode = self.mode.map_or(policy.mode, |mode| mode.min(policy.mode));
        tight.ttl = self.ttl.map_or(policy.ttl, |ttl| ttl.min(policy.ttl));
        tight.shadow |= self.shadow;
        if self.is_private {
            tight.scope = Scope::Key;
        }
        tight
    }
}

fn invalid(text: &str) -> Refusal {
    let shown: String = text.chars().take(100).collect();
    let message = format!("the header x-tollgate-cache is not understood: '{shown}'; {EXPECTED}");
    Refusal::new(RefusalKind::InvalidField, message).at("x-tollgate-cache")
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn wish(headers: &[(&str, &str)]) -> Result<Wish, Refusal> {
        let mut request = TestRequest::default();
        for (name, value) in headers {
            request = request.append_header((*name, *value));
        }
        Wish::read(&request.to_http_request())
    }

    #[test]
    fn both_headers_are_understood() {
        assert_eq!(wish(&[]).unwrap(), Wish::default());
        let off = wish(&[("cache-control", "no-store")]).unwrap();
        assert_eq!(off, wish(&[("x-tollgate-cache", "OFF")]).unwrap());
        assert!(!off.reads && !off.writes);
        let fresh = wish(&[("cache-control", "No-Cache, no-transform")]).unwrap();
        assert!(!fresh.reads && fresh.writes);
        let only = wish(&[("cache-control", "only-if-cached, max-age=60")]).unwrap();
        assert_eq!((only.only, only.max_age), (true, Some(Duration::from_secs(60))));
        let much = wish(&[("x-tollgate-cache", "ttl=90s, mode=exact; scope=key")]).unwrap();
        assert_eq!(
            (much.ttl, much.mode, much.is_private),
            (Some(Duration::from_secs(90)), Some(Mode::Exact), true)
        );
        assert_eq!(wish(&[("x-tollgate-cache", "ttl=90")]).unwrap().ttl, much.ttl);
        for nonsense in ["on", "ttl=soon", "mode=brave", "scope=all", "ttl=-1", "="] {
            let refusal = wish(&[("x-tollgate-cache", nonsense)]).unwrap_err();
            assert!(refusal.message.contains(nonsense), "{}", refusal.message);
        }
    }

    #[test]
    fn what_is_said_in_several_lines_is_said_together() {
        let standard = wish(&[("cache-control", "no-cache"), ("cache-control", "no-store")]).unwrap();
        assert!(!standard.reads && !standard.writes);
        let own = wish(&[("x-tollgate-cache", "ttl=90"), ("x-tollgate-cache", "off")]).unwrap();
        assert!(!own.reads && !own.writes && own.ttl.is_some());
        let request = TestRequest::default().append_header(("x-tollgate-cache", &b"off\xff"[..]));
        assert_eq!(Wish::read(&request.to_http_request()).unwrap_err().status(), 400);
    }

    #[test]
    fn a_client_may_only_tighten() {
        let route = Policy {
            mode: Mode::Balanced,
            ttl: Duration::from_secs(100),
            scope: Scope::Shared("all".into()),
            ..Policy::default()
        };
        let tight = |text: &str| wish(&[("x-tollgate-cache", text)]).unwrap().tighten(&route);
        assert_eq!(tight("mode=aggressive, ttl=1h"), route);
        let shadowed = tight("mode=shadow");
        assert_eq!((shadowed.mode, shadowed.shadow), (Mode::Balanced, true));
        let shadow = Policy {
            shadow: true,
            ..route.clone()
        };
        let wish = wish(&[("x-tollgate-cache", "mode=aggressive")]).unwrap();
        assert!(wish.tighten(&shadow).shadow, "nobody leaves the shadow by asking");
        let tighter = tight("mode=exact, ttl=5s, scope=key");
        assert_eq!(
            (tighter.mode, tighter.ttl, tighter.scope),
            (Mode::Exact, Duration::from_secs(5), Scope::Key)
        );
    }
}
