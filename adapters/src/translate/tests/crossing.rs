//! From every dialect into every other: whatever a client says comes out on the other side, or is named.
//!
//! A request is written as its client's wire and read, then written as each provider's wire and read again. What is
//! there before and not there after must be in the account of what was lost, or be one of the ways to say the same
//! that `said` and `settings` tell, each with its reason.

mod answers;
mod asked;
mod found;
mod said;
mod settings;
mod talk;
mod unknown;

use proptest::prelude::*;
use tollgate_core::{Dialect, ProviderKind, RefusalKind};

use self::asked::requests;
use self::said::{Listener, Named, beside_turns, expected, ordered, rules};
use self::settings::Way;
use crate::chat::names::Renamed;
use crate::chat::{ChatRequest, Kind, Part, Role, Turn};
use crate::dialects;
use crate::loss::Loss;
use crate::testing::egress;

/// Targets of each dialect: of each generation that is told something in another way, one.
const TARGETS: [(ProviderKind, &str); 15] = [
    (ProviderKind::OpenAi, "gpt-4.1"),
    (ProviderKind::OpenAi, "gpt-5.2"),
    (ProviderKind::OpenAiResponses, "gpt-4.1"),
    (ProviderKind::OpenAiResponses, "gpt-5.2"),
    (ProviderKind::Anthropic, "claude-sonnet-4-5"),
    (ProviderKind::Anthropic, "claude-opus-4-7"),
    (ProviderKind::Anthropic, "claude-3-5-haiku-20241022"),
    (ProviderKind::Gemini, "gemini-2.5-flash"),
    (ProviderKind::Gemini, "gemini-3-pro-preview"),
    (ProviderKind::Cohere, "command-a-reasoning-08-2025"),
    (ProviderKind::Cohere, "command-r-08-2024"),
    (ProviderKind::Bedrock, "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    (ProviderKind::Bedrock, "us.amazon.nova-2-lite-v1:0"),
    (ProviderKind::Bedrock, "openai.gpt-oss-120b-1:0"),
    (ProviderKind::Bedrock, "mistral.mistral-large-3-675b-instruct"),
];

fn dialect(kind: ProviderKind) -> Dialect {
    match kind {
        ProviderKind::OpenAiResponses => Dialect::Responses,
        ProviderKind::Anthropic => Dialect::Anthropic,
        ProviderKind::Gemini => Dialect::Gemini,
        ProviderKind::Cohere => Dialect::Cohere,
        ProviderKind::Bedrock => Dialect::Bedrock,
        _ => Dialect::OpenAi,
    }
}

/// A target that takes all that its dialect has: what its clients write for.
const fn home(client: Dialect) -> (ProviderKind, &'static str) {
    match client {
        Dialect::OpenAi => (ProviderKind::OpenAi, "m"),
        Dialect::Responses => (ProviderKind::OpenAiResponses, "m"),
        Dialect::Anthropic => (ProviderKind::Anthropic, "m"),
        Dialect::Gemini => (ProviderKind::Gemini, "gemini-2.5-flash"),
        Dialect::Cohere => (ProviderKind::Cohere, "command-a-reasoning-08-2025"),
        Dialect::Bedrock => (ProviderKind::Bedrock, "m"),
    }
}

/// The wire of a request for a target, and what became of names. `None`: it cannot be had there.
fn sent(
    request: &ChatRequest<'_>,
    (kind, model): (ProviderKind, &str),
    loss: &mut Loss,
) -> Option<(Vec<u8>, Renamed)> {
    match dialects::encode(dialect(kind), request.clone(), &egress(kind, model), loss) {
        Ok(sent) => Some(sent),
        Err(refusal) => {
            assert_eq!(refusal.kind, RefusalKind::NotTranslatable);
            assert!(request.sampling.n > Some(1), "{refusal:?}");
            None
        }
    }
}

/// What is there of the request before and not after, and accounted for nowhere.
fn lost(
    before: &ChatRequest<'_>,
    after: &ChatRequest<'_>,
    to: Dialect,
    loss: &Loss,
    renamed: &Renamed,
) -> Vec<String> {
    let (named, nothing, unchanged) = (Named::of(loss), Named::default(), Renamed::default());
    let mut way = Way {
        before,
        after,
        to,
        named: &named,
        renamed,
        lost: Vec::new(),
    };
    way.compare();
    let mut silent = way.lost;
    let rules = rules(to);
    let listener = |named, renamed| Listener {
        rules,
        named,
        renamed,
        ids: std::collections::HashMap::new(),
    };
    let arrived = listener(&nothing, renamed).hear(after);
    let said = expected(listener(&named, &unchanged).hear(before), &arrived);
    let (said, arrived) = (ordered(said, rules), ordered(arrived, rules));
    if said != arrived {
        let place = said
            .iter()
            .zip(&arrived)
            .position(|(said, arrived)| said != arrived);
        let place = place.unwrap_or(said.len().min(arrived.len()));
        silent.push(format!("{:?} became {:?}", said.get(place), arrived.get(place)));
    }
    let (said, kept) = (beside_turns(before, &named), beside_turns(after, &nothing));
    if said != kept {
        silent.push(format!("beside turns: {said:?} became {kept:?}"));
    }
    let is_told = |turn: &Turn<'_>| turn.role == Role::Assistant && named.has(&turn.at);
    if is_cut(before, after, to, &named) && !before.turns.iter().any(is_told) {
        silent.push("the last turn is not continued, and that is not named".to_owned());
    }
    silent
}

/// Whether an answer that the model was to continue is sent to one that begins another.
fn is_cut(before: &ChatRequest<'_>, after: &ChatRequest<'_>, to: Dialect, named: &Named) -> bool {
    let is_blank = |part: &Part<'_>| matches!(&part.kind, Kind::Text(text) if text.trim().is_empty());
    let asks = |part: &Part<'_>| matches!(&part.kind, Kind::Text(text) if text == "Please continue.");
    let begun = before.turns.last().filter(|turn| turn.role == Role::Assistant);
    let is_begun = begun.is_some_and(|turn| {
        !turn
            .parts
            .iter()
            .all(|part| is_blank(part) || named.has(&part.at))
    });
    let is_last = |turn: &Turn<'_>| match turn.role {
        // Where the turn is the last one all the same, only these do not go on with it.
        Role::Assistant => matches!(to, Dialect::OpenAi | Dialect::Responses),
        _ => turn.parts.iter().any(asks),
    };
    is_begun && before.origin != to && after.turns.last().is_some_and(is_last)
}

/// What becomes of a request on its way through a target's wire: the complaint, and the request that arrives.
fn cross(
    request: &ChatRequest<'_>,
    target: (ProviderKind, &str),
    then: &mut dyn FnMut(&[u8], &ChatRequest<'_>),
) -> Result<(), String> {
    let to = dialect(target.0);
    let mut loss = Loss::default();
    let Some((wire, renamed)) = sent(request, target, &mut loss) else {
        return Ok(());
    };
    let told = String::from_utf8_lossy(&wire);
    let arrived =
        dialects::decode(to, &wire).map_err(|refusal| format!("not even read: {refusal:?}\nsent {told}"))?;
    let silent = lost(request, &arrived, to, &loss, &renamed);
    if !silent.is_empty() {
        let silent = silent.join("\n");
        return Err(format!("{silent}\nsent {told}\nnamed {loss}"));
    }
    then(&wire, &arrived);
    Ok(())
}

proptest! {
    #[test]
    fn what_a_client_says_arrives_or_is_named(first in requests()) {
        let client = first.origin;
        let mut found = Ok(());
        let itself = cross(&first, home(client), &mut |wire, asked| {
            for (kind, model) in TARGETS {
                let crossed = cross(asked, (kind, model), &mut |_, _| {});
                if let (Ok(()), Err(lost)) = (&found, crossed) {
                    found = Err(format!("{client:?} to {kind} {model}: {lost}\nof {}", String::from_utf8_lossy(wire)));
                }
            }
        });
        prop_assert!(itself.is_ok(), "{:?} itself: {}\nof {:#?}", client, itself.unwrap_err(), first);
        prop_assert!(found.is_ok(), "{}", found.unwrap_err());
    }
}
