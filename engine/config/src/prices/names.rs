//! The names under which a model may stand in a price catalogue.

use std::borrow::Cow;

use tollgate_core::ProviderKind;

/// Vendors as OpenRouter names them, and their providers in the catalogue.
const VENDORS: [(&str, &str); 10] = [
    ("openai", "openai"),
    ("anthropic", "anthropic"),
    ("google", "gemini"),
    ("mistralai", "mistral"),
    ("deepseek", "deepseek"),
    ("x-ai", "xai"),
    ("qwen", "dashscope"),
    ("cohere", "cohere"),
    ("moonshotai", "moonshot"),
    ("z-ai", "zai"),
];

/// Where to look for `model`, best first: a provider of the catalogue and a name there.
pub(super) fn candidates(
    kind: ProviderKind,
    model: &str,
) -> impl Iterator<Item = (&'static str, Cow<'_, str>)> {
    let listed = listed_as(kind);
    let own = spellings(model).map(move |name| (listed, name));
    // `openai/gpt-4o` at a provider of kind openai.
    let bare = model.strip_prefix(listed).and_then(|rest| rest.strip_prefix('/'));
    let unprefixed = bare
        .into_iter()
        .flat_map(spellings)
        .map(move |name| (listed, name));
    // What is not listed there costs what it costs at its vendor's.
    let elsewhere = match kind {
        ProviderKind::Azure => Some("azure-foundry"),
        ProviderKind::VertexAnthropic => Some(ProviderKind::Anthropic.name()),
        _ => None,
    };
    let elsewhere = elsewhere
        .into_iter()
        .flat_map(|listed| spellings(model).map(move |name| (listed, name)));
    let vendor = (kind == ProviderKind::OpenRouter)
        .then(|| of_vendor(model))
        .into_iter()
        .flatten();
    own.chain(unprefixed).chain(elsewhere).chain(vendor)
}

/// Under which provider the catalogue lists the models of one of this kind.
pub(super) const fn listed_as(kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::OpenAiResponses => ProviderKind::OpenAi.name(),
        ProviderKind::VertexAnthropic => ProviderKind::Vertex.name(),
        _ => kind.name(),
    }
}

/// Whether a provider of this kind has a model that is listed under its name. Vertex AI's are listed together, and served
/// in their makers' dialects.
pub(super) fn is_of(kind: ProviderKind, model: &str) -> bool {
    let is_claude = model.starts_with("claude");
    match kind {
        ProviderKind::Vertex => !is_claude,
        ProviderKind::VertexAnthropic => is_claude,
        _ => true,
    }
}

/// Whether a model costs nothing although no catalogue lists it.
pub(super) fn is_free(kind: ProviderKind, model: &str) -> bool {
    match kind {
        ProviderKind::Ollama | ProviderKind::Vllm => true,
        ProviderKind::OpenRouter => model.ends_with(":free"),
        _ => false,
    }
}

/// A name as OpenRouter writes it: `anthropic/claude-sonnet-4.5:nitro`. Free variants are left to [`is_free`].
fn of_vendor(model: &str) -> impl Iterator<Item = (&'static str, Cow<'_, str>)> {
    let found = model.split_once('/').and_then(|(vendor, name)| {
        let (_, provider) = VENDORS.iter().find(|(known, _)| *known == vendor)?;
        let (name, variant) = name.split_once(':').unwrap_or((name, ""));
        (variant != "free").then_some((*provider, name))
    });
    found.into_iter().flat_map(|(provider, name)| {
        // Anthropic's own names have dashes where OpenRouter's have dots.
        let dashed = name.contains('.').then(|| Cow::Owned(name.replace('.', "-")));
        spellings(name).chain(dashed).map(move |name| (provider, name))
    })
}

/// The name, and the name without a date, `-latest` or (Vertex AI's) `@default` at its end.
fn spellings(name: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let undated = without_date(name)
        .or_else(|| name.strip_suffix("-latest"))
        .or_else(|| name.strip_suffix("@default"));
    std::iter::once(name).chain(undated).map(Cow::Borrowed)
}

/// Without `-2024-07-18`, `-20251001` or `@20251001`.
fn without_date(name: &str) -> Option<&str> {
    let split = |len: usize| name.split_at_checked(name.len().checked_sub(len)?);
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((rest, date)) = split(9)
        && let Some(digits) = date.strip_prefix(['-', '@'])
        && is_digits(digits)
        && digits.starts_with("20")
    {
        return Some(rest);
    }
    let (rest, date) = split(11)?;
    let date = date.strip_prefix("-20")?;
    let (year, month_and_day) = date.split_once('-')?;
    let (month, day) = month_and_day.split_once('-')?;
    let is_date = [year, month, day]
        .iter()
        .all(|part| part.len() == 2 && is_digits(part));
    is_date.then_some(rest)
}
