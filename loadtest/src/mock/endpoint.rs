//! Where providers are asked: what a path addresses, in each provider's spelling. Pure.

use super::dialects::Surface;

/// One endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Text(Surface),
    Embeddings,
    Messages,
    CountTokens,
}

/// What a path addresses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Site<'a> {
    Models,
    Model(&'a str),
    Endpoint {
        endpoint: Endpoint,
        deployment: Option<&'a str>,
    },
    Unknown,
}

/// Splits `/p/{provider}/…` off a path.
pub(crate) fn provider_of<'a>(path: &'a str, root: &'a str) -> (&'a str, &'a str) {
    path.strip_prefix("/p/")
        .and_then(|rest| rest.split_once('/'))
        .unwrap_or((root, path.trim_start_matches('/')))
}

/// What a path addresses, once the provider is split off.
pub(crate) fn site(path: &str) -> Site<'_> {
    let path = path.trim_start_matches('/');
    let path = path.strip_prefix("openai/").unwrap_or(path);
    if let Some((deployment, operation)) = path
        .strip_prefix("deployments/")
        .and_then(|rest| rest.split_once('/'))
    {
        return match Endpoint::of(operation) {
            Some(endpoint) => Site::Endpoint {
                endpoint,
                deployment: Some(deployment),
            },
            None => Site::Unknown,
        };
    }
    let path = path.strip_prefix("v1/").unwrap_or(path);
    match (path, path.strip_prefix("models/"), Endpoint::of(path)) {
        ("models", ..) => Site::Models,
        (_, Some(model), _) => Site::Model(model),
        (_, _, Some(endpoint)) => Site::Endpoint {
            endpoint,
            deployment: None,
        },
        _ => Site::Unknown,
    }
}

impl Endpoint {
    fn of(operation: &str) -> Option<Self> {
        match operation {
            "chat/completions" => Some(Self::Text(Surface::Chat)),
            "completions" => Some(Self::Text(Surface::Completions)),
            "embeddings" => Some(Self::Embeddings),
            "messages" => Some(Self::Messages),
            "messages/count_tokens" => Some(Self::CountTokens),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_understood_with_and_without_prefixes() {
        let chat = |deployment| Site::Endpoint {
            endpoint: Endpoint::Text(Surface::Chat),
            deployment,
        };
        assert_eq!(site("/v1/chat/completions"), chat(None));
        assert_eq!(site("chat/completions"), chat(None));
        assert_eq!(site("/openai/v1/chat/completions"), chat(None));
        assert_eq!(
            site("/openai/deployments/gpt/chat/completions"),
            chat(Some("gpt"))
        );
        assert_eq!(site("/v1/models"), Site::Models);
        assert_eq!(site("/v1/models/a/b"), Site::Model("a/b"));
        assert_eq!(site("/v1/nothing"), Site::Unknown);
        assert_eq!(site("/openai/deployments/gpt"), Site::Unknown);
        assert_eq!(provider_of("/p/east/v1/models", "root"), ("east", "v1/models"));
        assert_eq!(provider_of("/v1/models", "root"), ("root", "v1/models"));
        assert_eq!(provider_of("/p/east", "root"), ("root", "p/east"));
    }
}
