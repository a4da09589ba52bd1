//! What each OpenAI-compatible provider takes beyond, or refuses of, the dialect.

use tollgate_core::ProviderKind;

/// The longest name of a tool.
pub(crate) const LONGEST_NAME: usize = 64;

/// How a target is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thinks {
    /// It is not, as far as is known.
    Never,
    /// `reasoning_effort`.
    Effort,
    /// `thinking: {type}` (DeepSeek).
    Switch,
    /// `enable_thinking` and `thinking_budget` (DashScope).
    Budget,
    /// `reasoning: {effort | max_tokens | enabled}` (OpenRouter).
    Object,
}

/// What a target takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each of which either holds for a target or does not"
)]
pub(crate) struct Takes {
    /// `developer` messages; elsewhere they are `system`.
    pub(crate) developer: bool,
    /// `max_completion_tokens` in place of `max_tokens`.
    pub(crate) completion_limit: bool,
    /// `temperature`, `top_p`, penalties, `logprobs`, `stop`.
    pub(crate) sampling: bool,
    pub(crate) top_k: bool,
    pub(crate) parallel_switch: bool,
    pub(crate) user: bool,
    /// `service_tier` with OpenAI's values.
    pub(crate) service_tier: bool,
    pub(crate) json_schema: bool,
    /// `cache_control` on parts.
    pub(crate) cache_marks: bool,
    /// Messages that are lists of texts; elsewhere texts are joined.
    pub(crate) text_lists: bool,
    /// The most stop sequences.
    pub(crate) most_stops: usize,
    /// Documents by URL (`document_url`).
    pub(crate) document_url: bool,
    /// Ids of tool calls of any form; else nine letters and digits.
    pub(crate) any_id: bool,
    pub(crate) thinks: Thinks,
}

/// Whether it is OpenAI itself, under whichever of its APIs.
pub(crate) const fn is_official(kind: ProviderKind) -> bool {
    matches!(
        kind,
        ProviderKind::OpenAi | ProviderKind::OpenAiResponses | ProviderKind::Azure
    )
}

/// What `model` at a provider of `kind` takes.
pub(crate) fn takes(kind: ProviderKind, model: &str) -> Takes {
    let official = is_official(kind);
    let reasons = official && is_reasoning(model);
    Takes {
        developer: official || matches!(kind, ProviderKind::OpenRouter | ProviderKind::Xai),
        completion_limit: reasons,
        sampling: !reasons,
        top_k: matches!(
            kind,
            ProviderKind::Together
                | ProviderKind::Fireworks
                | ProviderKind::OpenRouter
                | ProviderKind::DashScope
                | ProviderKind::Vllm
        ),
        parallel_switch: !(official && is_o_series(model)),
        user: kind != ProviderKind::Mistral,
        service_tier: official,
        json_schema: kind != ProviderKind::DeepSeek,
        cache_marks: kind == ProviderKind::OpenRouter,
        text_lists: official || kind == ProviderKind::OpenRouter,
        most_stops: if official || kind == ProviderKind::Groq {
            4
        } else {
            16
        },
        document_url: kind == ProviderKind::Mistral,
        any_id: kind != ProviderKind::Mistral,
        thinks: thinks(kind, model, reasons),
    }
}

fn thinks(kind: ProviderKind, model: &str, reasons: bool) -> Thinks {
    match kind {
        ProviderKind::DeepSeek => Thinks::Switch,
        ProviderKind::DashScope => Thinks::Budget,
        ProviderKind::OpenRouter => Thinks::Object,
        _ if reasons => Thinks::Effort,
        ProviderKind::Vllm => Thinks::Effort,
        ProviderKind::Xai if model.contains("mini") || model.contains("grok-4.") => Thinks::Effort,
        ProviderKind::Groq | ProviderKind::Together | ProviderKind::Fireworks | ProviderKind::Ollama
            if model.contains("gpt-oss") =>
        {
            Thinks::Effort
        }
        _ => Thinks::Never,
    }
}

/// The model's name without a vendor in front of it (`openai/gpt-5`, `ft:gpt-5:org`).
fn bare(model: &str) -> &str {
    let model = model.rsplit('/').next().unwrap_or(model);
    model.strip_prefix("ft:").unwrap_or(model)
}

/// `o1`, `o3-mini`, …
fn is_o_series(model: &str) -> bool {
    let mut rest = bare(model).chars();
    rest.next() == Some('o') && rest.next().is_some_and(|c| c.is_ascii_digit())
}

/// The version of a GPT model: `gpt-5.2-codex` is (5, 2).
fn gpt_version(model: &str) -> Option<(u32, u32)> {
    let version = bare(model).strip_prefix("gpt-")?;
    let version = version.split(['-', ':']).next()?;
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Whether it is one of OpenAI's reasoning models: the o series, and GPT from 5 on unless made for chat.
pub(crate) fn is_reasoning(model: &str) -> bool {
    is_o_series(model)
        || (gpt_version(model).is_some_and(|version| version >= (5, 0)) && !model.contains("chat"))
}

/// The word for thinking as little as possible; `None`: there is none.
pub(crate) fn least_effort(model: &str) -> Option<&'static str> {
    match gpt_version(model)? {
        (5, 0) => Some("minimal"),
        version if version > (5, 0) => Some("none"),
        _ => None,
    }
}

/// The most effort that has a name.
pub(crate) fn most_effort(model: &str) -> &'static str {
    if gpt_version(model).is_some_and(|version| version >= (5, 2)) {
        "xhigh"
    } else {
        "high"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasoning_models_are_known_by_their_names() {
        for model in [
            "o1",
            "o3-mini-2025-01-31",
            "gpt-5",
            "gpt-5.2-codex",
            "openai/gpt-5-nano",
            "ft:gpt-5:x",
        ] {
            assert!(is_reasoning(model), "{model}");
        }
        for model in [
            "gpt-4o",
            "gpt-4.1",
            "gpt-5-chat-latest",
            "omni",
            "gpt-oss-120b",
            "llama",
            "",
        ] {
            assert!(!is_reasoning(model), "{model}");
        }
        assert_eq!(least_effort("gpt-5.1"), Some("none"));
        assert_eq!(
            (least_effort("gpt-5-mini"), least_effort("o3")),
            (Some("minimal"), None)
        );
        assert_eq!((most_effort("gpt-5.2"), most_effort("o3")), ("xhigh", "high"));
    }

    #[test]
    fn what_names_mean_depends_on_who_serves_them() {
        assert!(!takes(ProviderKind::OpenAi, "o3").sampling);
        let asked_by_responses = takes(ProviderKind::OpenAiResponses, "o3");
        assert_eq!(asked_by_responses, takes(ProviderKind::OpenAi, "o3"));
        assert!(takes(ProviderKind::Vllm, "o3").sampling);
        assert!(!takes(ProviderKind::Mistral, "mistral-large").any_id);
    }
}
