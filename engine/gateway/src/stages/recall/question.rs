//! What is looked for in the cache: the request as a key, and whether another question's answer will do.

use std::cell::OnceCell;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use tollgate_adapters::{Asked, Traits, asked};
use tollgate_cache::{Apart, Key, Policy, Scope, Vector, text};
use tollgate_core::{Digest, Digester, Surface};
use tollgate_routing::Route;

use crate::embedding::Residency;
use crate::exchange::call::Call;
use crate::exchange::incoming::header;
use crate::off_thread::{LARGE_BYTES, off_thread};
use crate::stages::authenticate::Caller;
use crate::stages::bounds::Bounds;

/// Digests of another version are of other keys.
const SCOPE: &str = "tollgate cache: scope, 1";
const EXACT: &str = "tollgate cache: exact, 1";
const FOLDED: &str = "tollgate cache: folded, 1";
const PARTITION: &str = "tollgate cache: partition, 1";

/// What a client's headers may change about its answer: those that go on to providers.
const HEADERS: [HeaderName; 5] = [
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("openai-project"),
];

/// Longer words are only found as they were said: folding them would take longer than a worker may.
const LONGEST_FOLDED_BYTES: usize = 16 * 1024;

/// The tenant of requests without a key.
const ANONYMOUS: &str = "";

/// What is looked for.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// The whole request, under which it is found first.
    pub(crate) exact: Digest,
    /// Made when it is not found by that.
    key: OnceCell<Key>,
    /// Everything but the request itself that must be the same.
    scope: Digest,
    /// All of the request but the last words.
    context: Digest,
    /// What the user said last. `None`: only the same request is the same question.
    pub(crate) words: Option<String>,
    /// Why no other question's answer will do; `None`: it will, if they mean the same.
    pub(crate) only_exact: Option<&'static str>,
    /// Whose it is: the key's name, or the space that is shared.
    pub(crate) tenant: Arc<str>,
    /// The route, by its own name.
    pub(crate) route: Arc<str>,
    /// Where its words may go.
    pub(crate) may_go: Residency,
    /// What an endpoint has made of its words.
    pub(crate) brought: Brought,
    /// What a lookup has made of them.
    pub(crate) apart: Option<Apart>,
}

/// What an endpoint has made of a question's words.
#[derive(Debug, Clone)]
pub(crate) enum Brought {
    /// It was not asked.
    Unasked,
    /// It was asked in vain.
    Nothing,
    /// A vector.
    Vector(Arc<Vector>),
}

impl Question {
    /// The question of a call. The reason why it has none that could be answered by a cache, otherwise.
    pub(super) async fn of(
        scope: Digest,
        call: &Call,
        caller: &Caller,
        bounds: &Bounds,
        route: &Route,
        policy: &Policy,
    ) -> Result<Self, &'static str> {
        if matches!(call.surface, Surface::Completions | Surface::CountTokens) {
            return Err("surface");
        }
        let Asked {
            context,
            exact,
            words,
            traits,
        } = read(call).await.ok_or("malformed")?;
        if traits.wants_logprobs {
            return Err("logprobs");
        }
        let only_exact = match &words {
            None => Some("no_words"),
            Some(_) => unlike_any(&traits, policy),
        };
        Ok(Self {
            exact: within(&scope, EXACT, &exact).finish(),
            key: OnceCell::new(),
            scope,
            context,
            words,
            only_exact,
            tenant: tenant(caller, policy),
            route: route.alias_of.as_ref().unwrap_or(&route.name).clone(),
            may_go: Residency {
                regions: bounds.regions.clone(),
                targets: caller.targets(),
            },
            brought: Brought::Unasked,
            apart: None,
        })
    }

    /// Under which it is found, one way or another.
    pub(crate) fn key(&self) -> &Key {
        self.key.get_or_init(|| {
            let foldable = |words: &&String| words.len() <= LONGEST_FOLDED_BYTES;
            let folded = self.words.as_ref().filter(foldable).map(|words| {
                within(&self.scope, FOLDED, &self.context)
                    .field(text::fold(words).as_bytes())
                    .finish()
            });
            Key {
                exact: self.exact,
                folded,
                partition: within(&self.scope, PARTITION, &self.context).finish(),
            }
        })
    }

    /// The words, where an answer to others will do if they mean the same.
    pub(crate) fn comparable(&self) -> Option<&str> {
        self.words.as_deref().filter(|_| self.only_exact.is_none())
    }
}

/// What is asked. A large body takes too long for a worker.
async fn read(call: &Call) -> Option<Asked> {
    if call.body.len() < LARGE_BYTES {
        return asked(call.surface, &call.body).ok();
    }
    let (surface, body) = (call.surface, call.body.clone());
    off_thread(move || asked(surface, &body).ok()).await.ok()?
}

/// A digest of something within a scope.
fn within(scope: &Digest, purpose: &str, of: &Digest) -> Digester {
    let mut digester = Digester::new(purpose);
    digester.field(&scope.to_bytes()).field(&of.to_bytes());
    digester
}

/// Everything but the request itself that must be the same: who asks, for which route and model, and from where the
/// answer may come.
pub(super) fn scope(
    request: &HttpRequest,
    call: &Call,
    caller: &Caller,
    bounds: &Bounds,
    route: &Route,
    policy: &Policy,
) -> Digest {
    let mut digester = Digester::new(SCOPE);
    match &policy.scope {
        Scope::Key => digester
            .number(0)
            .field(caller.name().map_or(ANONYMOUS, |name| name).as_bytes()),
        Scope::Shared(space) => digester.number(1).field(space.as_bytes()),
    };
    let owner = route.alias_of.as_ref().unwrap_or(&route.name);
    digester.field(owner.as_bytes());
    // What a pattern stands for is part of the question; another name of the same route is not.
    let model = if route.pattern.is_wildcard() {
        &*call.model
    } else {
        ""
    };
    digester.field(model.as_bytes());
    let regions = bounds.regions.as_deref().map(|regions| {
        let mut regions: Vec<&str> = regions.iter().map(|it| &**it).collect();
        regions.sort_unstable();
        regions.join("\n")
    });
    digester
        .number(u64::from(regions.is_some()))
        .field(regions.unwrap_or_default().as_bytes());
    for name in HEADERS {
        digester.field(header(request, &name).unwrap_or_default().as_bytes());
    }
    for target in &*caller.targets() {
        digester.field(target.to_string().as_bytes());
    }
    digester.finish()
}

fn tenant(caller: &Caller, policy: &Policy) -> Arc<str> {
    match &policy.scope {
        Scope::Key => caller.name().cloned().unwrap_or_else(|| ANONYMOUS.into()),
        Scope::Shared(space) => space.clone(),
    }
}

/// Why only the same request is the same question, whatever its words.
fn unlike_any(traits: &Traits, policy: &Policy) -> Option<&'static str> {
    let checks = [
        (!policy.mode.is_semantic(), "mode"),
        (traits.has_tools, "tools"),
        (traits.has_tool_results, "tool_results"),
        (traits.has_media, "media"),
        (traits.has_unknown_fields, "unknown_fields"),
        (traits.has_prefill, "prefill"),
        (traits.turns_before > 0, "conversation"),
        (traits.choices > 1, "choices"),
        (
            traits.temperature.is_some_and(|it| it > policy.max_temperature),
            "temperature",
        ),
    ];
    checks
        .into_iter()
        .find(|(holds, _)| *holds)
        .map(|(_, reason)| reason)
}
