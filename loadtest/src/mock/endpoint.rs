//! Where providers are asked: what a path addresses, in each provider's spelling. Pure.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::dialects::{Framing, Surface, Voice};

/// One endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Write(Writer),
    Tell(Teller),
}

/// Where a model writes an answer, which can be streamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    /// OpenAI's chats and completions.
    Text(Surface),
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// The same at Vertex AI.
    RawPredict { streams: bool },
    /// Google's `generateContent`.
    Generate(Framing),
    /// Cohere's chats.
    Chat,
    /// Bedrock's.
    Converse { streams: bool },
}

/// Where something is counted, embedded or ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Teller {
    /// OpenAI's embeddings.
    Embeddings,
    /// The tokens of OpenAI's Responses.
    InputTokens,
    /// The tokens of Anthropic's messages.
    CountTokens,
    /// The same at Vertex AI.
    RawCount,
    /// Google's tokens, and its embeddings: of one text, of several, and Vertex AI's.
    CountContents,
    EmbedContent,
    BatchEmbedContents,
    Predict,
    /// Cohere's embeddings and ranks.
    Embed,
    Rerank,
    /// Bedrock's tokens, and whatever a model's maker takes.
    CountConverse,
    Invoke,
}

/// What a path addresses. Models are as they were before they were encoded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Site<'a> {
    Models(Voice),
    Model(Voice, Cow<'a, str>),
    Endpoint {
        endpoint: Endpoint,
        /// Where the path names it.
        model: Option<Cow<'a, str>>,
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
pub(crate) fn site<'a>(path: &'a str, query: &str) -> Site<'a> {
    let path = path.trim_start_matches('/');
    google(path, query)
        .or_else(|| bedrock(path))
        .or_else(|| cohere(path))
        .unwrap_or_else(|| openai(path))
}

/// OpenAI's paths, Azure's, and Anthropic's: with `/v1` or without.
fn openai(path: &str) -> Site<'_> {
    let path = path.strip_prefix("openai/").unwrap_or(path);
    if let Some((deployment, operation)) = path
        .strip_prefix("deployments/")
        .and_then(|rest| rest.split_once('/'))
    {
        return match Endpoint::of(operation) {
            Some(endpoint) => at(endpoint, Some(deployment)),
            None => Site::Unknown,
        };
    }
    let path = path.strip_prefix("v1/").unwrap_or(path);
    match (path, path.strip_prefix("models/"), Endpoint::of(path)) {
        ("models", ..) => Site::Models(Voice::OpenAi),
        (_, Some(model), _) => Site::Model(Voice::OpenAi, decoded(model)),
        (_, _, Some(endpoint)) => at(endpoint, None),
        _ => Site::Unknown,
    }
}

/// `{version}/[projects/{p}/locations/{l}/][publishers/{maker}/]models/{model}:{method}`, of the Gemini API and of Vertex AI.
fn google<'a>(path: &'a str, query: &str) -> Option<Site<'a>> {
    match path.strip_prefix("v1beta/") {
        Some("models") => return Some(Site::Models(Voice::Google(Framing::Whole))),
        Some(rest) if !rest.contains(':') => {
            let model = rest.strip_prefix("models/")?;
            return Some(Site::Model(Voice::Google(Framing::Whole), decoded(model)));
        }
        _ => {}
    }
    let (resource, method) = path.rsplit_once(':')?;
    let in_maker = resource
        .split_once("publishers/")
        .and_then(|(_, rest)| rest.split_once('/'));
    let (maker, resource) = in_maker.unwrap_or(("google", resource));
    let version = ["v1beta/", "v1beta1/", "v1/"];
    let resource = version
        .iter()
        .find_map(|version| resource.strip_prefix(version))
        .unwrap_or(resource);
    // A tuned model is named with its collection.
    let model = resource.strip_prefix("models/").unwrap_or(resource);
    let endpoint = match (maker, method) {
        ("anthropic", "rawPredict") if model == "count-tokens" => {
            return Some(at(Endpoint::Tell(Teller::RawCount), None));
        }
        ("anthropic", "rawPredict") => Endpoint::Write(Writer::RawPredict { streams: false }),
        ("anthropic", "streamRawPredict") => Endpoint::Write(Writer::RawPredict { streams: true }),
        ("anthropic", _) => return None,
        (_, "generateContent") => Endpoint::Write(Writer::Generate(Framing::Whole)),
        (_, "streamGenerateContent") if query.split('&').any(|pair| pair == "alt=sse") => {
            Endpoint::Write(Writer::Generate(Framing::Events))
        }
        (_, "streamGenerateContent") => Endpoint::Write(Writer::Generate(Framing::Array)),
        (_, "countTokens") => Endpoint::Tell(Teller::CountContents),
        (_, "embedContent") => Endpoint::Tell(Teller::EmbedContent),
        (_, "batchEmbedContents") => Endpoint::Tell(Teller::BatchEmbedContents),
        (_, "predict") => Endpoint::Tell(Teller::Predict),
        _ => return None,
    };
    Some(at(endpoint, Some(model)))
}

/// `model/{id}/{operation}`. The id of an ARN has slashes of its own where it is not encoded.
fn bedrock(path: &str) -> Option<Site<'_>> {
    let (model, operation) = path.strip_prefix("model/")?.rsplit_once('/')?;
    let endpoint = match operation {
        "converse" => Endpoint::Write(Writer::Converse { streams: false }),
        "converse-stream" => Endpoint::Write(Writer::Converse { streams: true }),
        "count-tokens" => Endpoint::Tell(Teller::CountConverse),
        "invoke" => Endpoint::Tell(Teller::Invoke),
        _ => return None,
    };
    Some(at(endpoint, Some(model)))
}

fn cohere(path: &str) -> Option<Site<'_>> {
    let endpoint = match path.strip_prefix("v2/")? {
        "chat" => Endpoint::Write(Writer::Chat),
        "embed" => Endpoint::Tell(Teller::Embed),
        "rerank" => Endpoint::Tell(Teller::Rerank),
        _ => return None,
    };
    Some(at(endpoint, None))
}

fn at(endpoint: Endpoint, model: Option<&str>) -> Site<'_> {
    Site::Endpoint {
        endpoint,
        model: model.map(decoded),
    }
}

fn decoded(model: &str) -> Cow<'_, str> {
    percent_decode_str(model).decode_utf8_lossy()
}

impl Endpoint {
    fn of(operation: &str) -> Option<Self> {
        match operation {
            "chat/completions" => Some(Endpoint::Write(Writer::Text(Surface::Chat))),
            "completions" => Some(Endpoint::Write(Writer::Text(Surface::Completions))),
            "embeddings" => Some(Endpoint::Tell(Teller::Embeddings)),
            "responses" => Some(Endpoint::Write(Writer::Responses)),
            "responses/input_tokens" => Some(Endpoint::Tell(Teller::InputTokens)),
            "messages" => Some(Endpoint::Write(Writer::Messages)),
            "messages/count_tokens" => Some(Endpoint::Tell(Teller::CountTokens)),
            _ => None,
        }
    }

    /// Whether it streams. `None`: the request's body says so.
    pub(crate) const fn streams(self) -> Option<bool> {
        match self {
            Self::Write(Writer::Generate(framing)) => Some(!matches!(framing, Framing::Whole)),
            Self::Write(Writer::RawPredict { streams } | Writer::Converse { streams }) => Some(streams),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str) -> (Endpoint, Option<String>) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        match site(path, query) {
            Site::Endpoint { endpoint, model } => (endpoint, model.map(Cow::into_owned)),
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn paths_are_understood_with_and_without_prefixes() {
        let chat = |model: Option<&str>| {
            (
                Endpoint::Write(Writer::Text(Surface::Chat)),
                model.map(str::to_owned),
            )
        };
        assert_eq!(asked("/v1/chat/completions"), chat(None));
        assert_eq!(asked("chat/completions"), chat(None));
        assert_eq!(asked("/openai/v1/chat/completions"), chat(None));
        assert_eq!(
            asked("/openai/deployments/gpt%204/chat/completions?api-version=1"),
            chat(Some("gpt 4"))
        );
        assert_eq!(
            asked("/openai/responses?api-version=1").0,
            Endpoint::Write(Writer::Responses)
        );
        assert_eq!(site("/v1/models", ""), Site::Models(Voice::OpenAi));
        assert_eq!(
            site("/v1/models/a/b", ""),
            Site::Model(Voice::OpenAi, "a/b".into())
        );
        for unknown in [
            "/v1/nothing",
            "/openai/deployments/gpt",
            "/v2/nothing",
            "/model/m/nothing",
            "/v1beta/models/m:nothing",
        ] {
            assert_eq!(site(unknown, ""), Site::Unknown, "{unknown}");
        }
        assert_eq!(provider_of("/p/east/v1/models", "root"), ("east", "v1/models"));
        assert_eq!(provider_of("/v1/models", "root"), ("root", "v1/models"));
        assert_eq!(provider_of("/p/east", "root"), ("root", "p/east"));
    }

    #[test]
    fn google_is_asked_at_the_gemini_api_and_at_vertex() {
        let vertex = "/v1/projects/p/locations/eu/publishers/google/models/gemini:generateContent";
        for path in [
            "/v1beta/models/gemini:generateContent",
            vertex,
            "/publishers/google/models/gemini:generateContent",
        ] {
            assert_eq!(
                asked(path),
                (
                    Endpoint::Write(Writer::Generate(Framing::Whole)),
                    Some("gemini".to_owned())
                ),
                "{path}"
            );
        }
        let stream = "/v1beta/models/any--latency200--cut10:streamGenerateContent";
        let model = Some("any--latency200--cut10".to_owned());
        assert_eq!(
            asked(&format!("{stream}?key=k&alt=sse")),
            (Endpoint::Write(Writer::Generate(Framing::Events)), model.clone())
        );
        assert_eq!(
            asked(stream),
            (Endpoint::Write(Writer::Generate(Framing::Array)), model)
        );
        assert_eq!(
            asked("/v1beta/tunedModels/mine%3A1:countTokens"),
            (
                Endpoint::Tell(Teller::CountContents),
                Some("tunedModels/mine:1".to_owned())
            )
        );
        assert_eq!(
            site("/v1beta/models", ""),
            Site::Models(Voice::Google(Framing::Whole))
        );
        let claude = "/v1/projects/p/locations/eu/publishers/anthropic/models";
        assert_eq!(
            asked(&format!("{claude}/claude-opus-4-5@20251101:streamRawPredict")),
            (
                Endpoint::Write(Writer::RawPredict { streams: true }),
                Some("claude-opus-4-5@20251101".to_owned())
            )
        );
        assert_eq!(
            asked(&format!("{claude}/count-tokens:rawPredict")),
            (Endpoint::Tell(Teller::RawCount), None)
        );
    }

    #[test]
    fn models_of_bedrock_are_decoded() {
        let converse = Endpoint::Write(Writer::Converse { streams: true });
        assert_eq!(
            asked("/model/anthropic.claude-v1%3A0--cut10/converse-stream"),
            (converse, Some("anthropic.claude-v1:0--cut10".to_owned()))
        );
        let arn = "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.m";
        let encoded = "arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Feu.m";
        for written in [arn, encoded] {
            assert_eq!(
                asked(&format!("/model/{written}/converse-stream")),
                (converse, Some(arn.to_owned()))
            );
        }
    }
}
