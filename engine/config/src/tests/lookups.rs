//! Prices and zero configuration.

use tollgate_core::{Capabilities, Price, ProviderKind};
use tollgate_routing::Board;

use crate::{PriceBook, zero_config};

#[test]
fn the_shipped_catalogue_is_complete() {
    let book = PriceBook::shipped();
    assert!(book.models(ProviderKind::OpenAi).count() > 40);
    assert!(
        book.models(ProviderKind::Anthropic)
            .any(|model| model == "claude-haiku-4-5")
    );
    let is_claude = |kind| {
        book.models(kind)
            .map(|model| model.starts_with("claude"))
            .collect::<Vec<_>>()
    };
    let (google, anthropic) = (
        is_claude(ProviderKind::Vertex),
        is_claude(ProviderKind::VertexAnthropic),
    );
    assert!(google.len() > 10 && !google.contains(&true));
    assert!(anthropic.len() > 10 && !anthropic.contains(&false));
}

#[test]
fn models_are_found_as_people_write_them() {
    use ProviderKind::{Anthropic, Azure, Groq, OpenAi, OpenRouter, VertexAnthropic};
    let book = PriceBook::shipped();
    let input = |kind, model| {
        book.find(kind, model)
            .map(|facts| facts.price.as_ref().unwrap().base.input.0)
    };
    for (kind, model, expected) in [
        (OpenAi, "gpt-4o-mini", Some(150_000)),
        (OpenAi, "gpt-4o-mini-2024-07-18", Some(150_000)),
        (OpenAi, "openai/gpt-4o-mini", Some(150_000)),
        (OpenAi, "gpt-4o-mini-2031-12-31", Some(150_000)),
        (Anthropic, "claude-haiku-4-5", Some(1_000_000)),
        (Anthropic, "claude-haiku-4-5-20251001", Some(1_000_000)),
        (Anthropic, "claude-haiku-4-5-20991231", Some(1_000_000)),
        (Anthropic, "claude-haiku-4-5@20991231", Some(1_000_000)),
        (Anthropic, "claude-haiku-4-5-latest", Some(1_000_000)),
        (OpenRouter, "openai/gpt-4o-mini", Some(150_000)),
        (OpenRouter, "anthropic/claude-haiku-4.5:nitro", Some(1_000_000)),
        (OpenRouter, "meta-llama/llama-3-8b:free", Some(0)),
        (OpenRouter, "meta-llama/llama-3-8b", None),
        (VertexAnthropic, "claude-opus-4-5@20251101", Some(5_000_000)),
        (VertexAnthropic, "claude-sonnet-4-6@default", Some(3_000_000)),
        // Not listed there: what its vendor takes.
        (VertexAnthropic, "claude-haiku-4-5@20251001", Some(1_000_000)),
        (Azure, "gpt-4.1", Some(2_000_000)),
        (
            Groq,
            "openai/gpt-oss-20b",
            book.find(Groq, "openai/gpt-oss-20b")
                .map(|it| it.price.as_ref().unwrap().base.input.0),
        ),
        (OpenAi, "ft:gpt-4o-mini:org::id", None),
        (OpenAi, "", None),
        (OpenAi, "-2024-07-18", None),
        (OpenAi, "é-20240718", None),
        (Anthropic, "gpt-4o-mini", None),
    ] {
        assert_eq!(input(kind, model), expected, "{kind} {model}");
    }
    assert!(input(Groq, "openai/gpt-oss-20b").is_some());
}

#[test]
fn cached_tokens_tiers_and_service_levels_have_their_prices() {
    let book = PriceBook::shipped();
    let haiku = book.find(ProviderKind::Anthropic, "claude-haiku-4-5").unwrap();
    let base = haiku.price.as_ref().unwrap().base;
    let classes = [base.cache_read, base.cache_write, base.cache_write_1h].map(|rate| rate.unwrap().0);
    assert_eq!(
        (base.output.0, classes),
        (5_000_000, [100_000, 1_250_000, 2_000_000])
    );
    assert_eq!(
        (haiku.context_tokens, haiku.max_output_tokens),
        (Some(200_000), Some(64_000))
    );

    let gpt = book
        .find(ProviderKind::Azure, "gpt-5.4")
        .unwrap()
        .price
        .as_ref()
        .unwrap();
    assert_eq!(
        (gpt.tiers[0].above_prompt_tokens, gpt.tiers[0].rates.output.0),
        (272_000, 22_500_000)
    );
    assert_eq!(gpt.flex.unwrap().input.0, 1_250_000);
    let priority = gpt.priority.unwrap();
    assert_eq!(
        (priority.output.0, priority.cache_read.unwrap().0),
        (30_000_000, 500_000)
    );
}

#[test]
fn the_catalogue_knows_what_models_can_do() {
    use Capabilities as C;
    let book = PriceBook::shipped();
    let can = |kind, model| book.find(kind, model).unwrap().capabilities;
    let haiku = can(ProviderKind::Anthropic, "claude-haiku-4-5").unwrap();
    assert!(haiku.contains(C::TOOLS.union(C::VISION).union(C::DOCUMENTS).union(C::REASONING)));
    let mini = can(ProviderKind::OpenAi, "gpt-4o-mini").unwrap();
    assert!(mini.contains(C::TOOLS.union(C::VISION).union(C::JSON_SCHEMA)));
    assert!(!mini.contains(C::REASONING) && !mini.contains(C::AUDIO));
    let oss = can(ProviderKind::Groq, "openai/gpt-oss-20b").unwrap();
    assert!(oss.contains(C::TOOLS) && !oss.contains(C::VISION));
}

#[test]
fn what_the_catalogue_does_not_know_is_held_against_nobody() {
    use Capabilities as C;
    let book = PriceBook::shipped();
    for kind in ProviderKind::ALL {
        for model in book.models(kind) {
            let known = book.find(kind, model).unwrap().capabilities;
            assert!(known.is_none_or(|it| it.contains(C::JSON_MODE)), "{kind} {model}");
        }
    }
    // Mistral's models are not described by whether they read documents, or hear.
    let codestral = book
        .find(ProviderKind::Mistral, "codestral-2508")
        .unwrap()
        .capabilities
        .unwrap();
    assert!(codestral.contains(C::DOCUMENTS.union(C::AUDIO)) && !codestral.contains(C::VISION));
    // Nothing is said of this one at all, nor of models on one's own machine.
    let facts = book.find(ProviderKind::Together, "Qwen/Qwen3.7-Plus").unwrap();
    assert_eq!(facts.capabilities, None);
    assert_eq!(book.find(ProviderKind::Vllm, "any").unwrap().capabilities, None);
    let embedding = book.find(ProviderKind::OpenAi, "text-embedding-3-small").unwrap();
    assert_eq!(embedding.capabilities, None);
}

#[test]
fn what_runs_on_own_machines_costs_nothing() {
    let book = PriceBook::shipped();
    let local = book
        .find(ProviderKind::Vllm, "meta-llama/Llama-3.3-70B-Instruct")
        .unwrap();
    assert_eq!(**local.price.as_ref().unwrap(), Price::default());
}

#[test]
fn a_file_of_prices_replaces_single_entries() {
    let newer = r#"{"unit":"picodollars per token","models":[
        {"provider":"openai","model":"gpt-4o-mini","price":{"input":1,"output":2}},
        {"provider":"openai","model":"my-own","aliases":["mine"],"capabilities":["vision"],
         "price":{"input":3,"output":4}}]}"#;
    let book = PriceBook::from_json(newer).unwrap();
    let capabilities = |model| book.find(ProviderKind::OpenAi, model).unwrap().capabilities;
    assert_eq!(
        (capabilities("mine"), capabilities("gpt-4o-mini")),
        (Some(Capabilities::VISION), None)
    );
    let input = |model| {
        book.find(ProviderKind::OpenAi, model)
            .unwrap()
            .price
            .as_ref()
            .unwrap()
            .base
            .input
            .0
    };
    assert_eq!((input("gpt-4o-mini"), input("mine")), (1, 3));
    assert_eq!(input("gpt-4o"), 2_500_000);
    for bad in [
        "",
        "{}",
        r#"{"unit":"dollars","models":[]}"#,
        r#"{"unit":"picodollars per token","models":[{}]}"#,
        r#"{"unit":"picodollars per token","models":[{"provider":"p","model":"m","price":{"input":1,"output":2},"capabilities":["flying"]}]}"#,
        r#"{"unit":"picodollars per token","models":[],"abilities":{"p":["flying"]}}"#,
    ] {
        assert!(PriceBook::from_json(bad).is_err(), "{bad}");
    }
}

#[test]
fn each_key_in_the_environment_makes_a_provider() {
    let env = |name: &str| match name {
        "OPENAI_API_KEY" => Some("sk-one".to_owned()),
        "ANTHROPIC_API_KEY" => Some("sk-two".to_owned()),
        "MISTRAL_API_KEY" => Some(String::new()),
        "OLLAMA_HOST" => Some("0.0.0.0".to_owned()),
        "AZURE_API_KEY" => Some("no base".to_owned()),
        _ => None,
    };
    let settings = zero_config(&env, 3, &Board::default()).unwrap();
    let providers: Vec<_> = settings
        .catalog
        .providers()
        .iter()
        .map(|it| it.name.to_string())
        .collect();
    assert_eq!(providers, ["anthropic", "ollama", "openai"]);
    assert!(settings.server.listen.ip().is_loopback());
    let target = |name: &str| {
        settings
            .catalog
            .find(name)
            .map(|it| it.route.targets[0].target.clone())
    };
    assert_eq!(&*target("gpt-4o").unwrap().provider.name, "openai");
    assert_eq!(target("openai/gpt-new").unwrap().model, None);
    assert_eq!(&*target("claude-haiku-4-5").unwrap().provider.name, "anthropic");
    assert_eq!(
        target("ollama/llama3").unwrap().provider.base_url.to_string(),
        "http://127.0.0.1:11434/v1"
    );
    assert!(target("unheard-of").is_none());
    assert_eq!(
        settings.hash,
        zero_config(&env, 4, &Board::default()).unwrap().hash
    );
}

#[test]
fn a_single_provider_answers_to_any_name() {
    let env = |name: &str| (name == "DEEPSEEK_API_KEY").then(|| "sk-one".to_owned());
    let settings = zero_config(&env, 1, &Board::default()).unwrap();
    assert!(settings.catalog.find("unheard-of").is_some());
}

#[test]
fn every_kind_with_a_key_works_without_a_file() {
    let env = |name: &str| match name {
        "AZURE_API_BASE" => Some("https://res.openai.azure.com".to_owned()),
        "OLLAMA_HOST" => Some("https://ollama.example.com".to_owned()),
        _ => Some("sk-key".to_owned()),
    };
    let settings = zero_config(&env, 1, &Board::default()).unwrap();
    // OpenAI has two, and one key; so has Vertex AI.
    assert_eq!(settings.catalog.providers().len(), ProviderKind::ALL.len() - 2);
}

#[test]
fn without_keys_in_the_environment_there_is_a_hint() {
    let found = zero_config(&|_| None, 1, &Board::default())
        .unwrap_err()
        .to_string();
    assert!(
        found.contains("tollgate init") && found.contains("OPENAI_API_KEY"),
        "{found}"
    );
}
