//! The turns of the requests: rounds of a user who asks, a model that thinks, answers and calls, and results.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use tollgate_core::Dialect;

use super::asked::{cache, maybe};
use crate::chat::media::Source;
use crate::chat::{Call, ChatRequest, Extra, Kind, Part, Role, State, Turn};
use crate::testing::words;

/// What is said and done until the user speaks again.
#[derive(Debug, Clone)]
struct Round {
    instruction: Option<(Role, Part<'static>)>,
    name: Option<String>,
    asked: Vec<Part<'static>>,
    said: Vec<Part<'static>>,
    calls: Vec<Called>,
    /// The user's words beside the results.
    beside: Vec<Part<'static>>,
    /// How results come: in reverse order, each in a turn of its own, behind what the user says.
    order: (bool, bool, bool),
    extra: Extra<'static>,
}

#[derive(Debug, Clone)]
struct Called {
    call: Call<'static>,
    result: Vec<Part<'static>>,
    is_error: bool,
    is_answered: bool,
    state: Option<State<'static>>,
    extra: [Extra<'static>; 2],
}

/// A conversation of a client that has these tools.
pub(super) fn turns(client: Dialect, tools: Vec<String>) -> impl Strategy<Value = Vec<Turn<'static>>> {
    let prefix = select(vec![
        "call_",
        "toolu_",
        "functions.f:",
        "an-id-that-is-longer-than-all-of-them-allow-to-be-",
    ]);
    (
        vec(round(client, tools), 1..4),
        prefix,
        maybe(0.7, vec(asked(client), 1..3)),
    )
        .prop_map(move |(rounds, prefix, last)| {
            let mut turns = Vec::new();
            for (number, round) in rounds.into_iter().enumerate() {
                speak(round, &format!("{prefix}{number}_"), &mut turns);
            }
            turns.extend(last.map(|parts| turn(Role::User, parts)));
            turns
        })
}

fn turn(role: Role, parts: Vec<Part<'static>>) -> Turn<'static> {
    let (at, name, extra) = (String::new(), None, Vec::new());
    Turn {
        at,
        role,
        name,
        parts,
        extra,
    }
}

fn speak(round: Round, id: &str, turns: &mut Vec<Turn<'static>>) {
    turns.extend(round.instruction.map(|(role, part)| turn(role, vec![part])));
    let name = round.name.map(Cow::Owned);
    turns.push(Turn {
        name,
        extra: round.extra,
        ..turn(Role::User, round.asked)
    });
    let (mut said, mut results) = (round.said, Vec::new());
    for (index, called) in round.calls.into_iter().enumerate() {
        let id: Cow<'static, str> = format!("{id}{index}").into();
        let mut part = Part::new(
            String::new(),
            Kind::ToolCall(Call {
                id: id.clone(),
                ..called.call
            }),
        );
        let [of_call, of_result] = called.extra;
        (part.state, part.extra) = (called.state, of_call);
        said.push(part);
        let (parts, is_error) = (called.result, called.is_error);
        let mut part = Part::new(String::new(), Kind::ToolResult { id, parts, is_error });
        part.extra = of_result;
        results.extend(called.is_answered.then_some(part));
    }
    turns.push(turn(Role::Assistant, said));
    let (reversed, apart, behind) = round.order;
    if reversed {
        results.reverse();
    }
    if results.is_empty() {
        return;
    }
    if apart {
        turns.extend(results.into_iter().map(|result| turn(Role::User, vec![result])));
        turns.extend((!round.beside.is_empty()).then(|| turn(Role::User, round.beside)));
        return;
    }
    let parts = if behind {
        [round.beside, results].concat()
    } else {
        [results, round.beside].concat()
    };
    turns.push(turn(Role::User, parts));
}

fn round(client: Dialect, tools: Vec<String>) -> impl Strategy<Value = Round> {
    let instruction = (
        select(vec![Role::System, Role::Developer]),
        marked(client, text().boxed()),
    );
    let has_name = if client == Dialect::OpenAi { 0.2 } else { 0.0 };
    // Nobody sends any to Claude itself.
    let rate = if client == Dialect::Anthropic { 0.0 } else { 0.1 };
    let extra = maybe(rate, Just(vec![("mark".into(), "1")])).prop_map(Option::unwrap_or_default);
    let asks = (
        maybe(has_name, "[a-z]{1,5}"),
        vec(asked(client), 1..4),
        vec(asked(client), 0..3),
        extra,
    );
    let answers = (
        vec(answered(client), 0..4),
        vec(called(client, tools), 0..4),
        any::<(bool, bool, bool)>(),
    );
    (maybe(0.4, instruction), asks, answers).prop_map(move |(instruction, asks, answers)| {
        let is_blank = |part: &Part<'_>| matches!(&part.kind, Kind::Text(text) if text.trim().is_empty());
        let speaks = !asks.1.iter().all(is_blank);
        Round {
            instruction,
            name: asks.0,
            asked: asks.1,
            said: answers.0,
            calls: answers.1,
            beside: asks.2,
            order: answers.2,
            extra: asks.3.into_iter().filter(|_| speaks).collect(),
        }
    })
}

/// Texts that say something, odd ones among them, and some that say nothing.
fn text() -> impl Strategy<Value = Kind<'static>> {
    let odd = select(vec![
        "",
        " ",
        "\n\t ",
        "\u{0}",
        "{\"a\": 1}",
        "[1]",
        "null",
        "\u{202e}\u{feff}é\u{301}",
        "JSON ",
    ]);
    prop_oneof![8 => words(), 2 => odd.prop_map(str::to_owned), 1 => any::<String>()]
        .prop_map(|text| Kind::Text(text.into()))
}

fn data() -> impl Strategy<Value = Cow<'static, str>> {
    vec(any::<u8>(), 1..9).prop_map(|bytes| STANDARD.encode(bytes).into())
}

fn base64(media_types: &[&'static str]) -> impl Strategy<Value = Source<'static>> {
    (select(media_types.to_vec()), data()).prop_map(|(media_type, data)| {
        let media_type = media_type.into();
        Source::Base64 { media_type, data }
    })
}

fn image(client: Dialect) -> BoxedStrategy<Kind<'static>> {
    let bytes = base64(&["image/png", "image/jpeg", "image/webp"]);
    let url = "https://x/[a-z]{1,5}(\\.png)?".prop_map(|url| Source::Url(url.into()));
    let source = match client {
        Dialect::Bedrock => bytes.boxed(),
        Dialect::Gemini => {
            let file = Just(Source::File("gs://b/a.png".into()));
            prop_oneof![3 => bytes, 2 => url, 1 => file].boxed()
        }
        Dialect::Responses | Dialect::Anthropic => {
            let file = Just(Source::File("f-1".into()));
            prop_oneof![3 => bytes, 2 => url, 1 => file].boxed()
        }
        Dialect::OpenAi | Dialect::Cohere => prop_oneof![bytes, url].boxed(),
    };
    let tells = matches!(client, Dialect::OpenAi | Dialect::Responses | Dialect::Cohere);
    let detail = maybe(if tells { 0.5 } else { 0.0 }, select(vec!["low", "high", "auto"]));
    (source, detail)
        .prop_map(|(source, detail)| Kind::Image {
            source,
            detail: detail.map(Cow::Borrowed),
        })
        .boxed()
}

const PDF: &str = "application/pdf";
const WORD: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

fn document(client: Dialect) -> BoxedStrategy<Kind<'static>> {
    let url = || "https://x/[a-z]{1,5}(\\.pdf)?".prop_map(|url| Source::Url(url.into()));
    let told = || words().prop_map(|text| Source::Text(text.into()));
    let file = Just(Source::File("file-1".into()));
    let source = match client {
        Dialect::OpenAi => prop_oneof![4 => base64(&[PDF, WORD]), 1 => file].boxed(),
        Dialect::Responses => prop_oneof![3 => base64(&[PDF, WORD]), 1 => url(), 1 => file].boxed(),
        Dialect::Anthropic => prop_oneof![3 => base64(&[PDF]), 1 => url(), 1 => told(), 1 => file].boxed(),
        Dialect::Gemini => prop_oneof![3 => base64(&[PDF, WORD]), 1 => url(), 1 => told()].boxed(),
        Dialect::Bedrock => prop_oneof![3 => base64(&[PDF, WORD]), 1 => told()].boxed(),
        // It has texts only, elsewhere.
        Dialect::Cohere => return text().boxed(),
    };
    let titles = match client {
        Dialect::Bedrock => "[A-Z][a-z]{1,5}( [0-9]{1,3})?".boxed(),
        _ => "[a-zé./_]{1,6}(\\.pdf)?".boxed(),
    };
    let rate = if client == Dialect::Bedrock { 0.99 } else { 0.6 };
    (source, maybe(rate, titles))
        .prop_map(|(source, title)| {
            // What is stored has its name there.
            let is_stored = matches!(source, Source::File(_) | Source::Url(_));
            let title = title.filter(|_| !is_stored).map(Cow::Owned);
            Kind::Document { source, title }
        })
        .boxed()
}

/// What a user's turn holds.
fn asked(client: Dialect) -> BoxedStrategy<Part<'static>> {
    let audio = (select(vec!["wav", "mp3"]), data()).prop_map(|(format, data)| Kind::Audio {
        format: format.into(),
        data,
    });
    let has_audio = u32::from(!matches!(client, Dialect::Anthropic | Dialect::Cohere));
    let opaque = Just(Kind::Opaque(match client {
        Dialect::Gemini | Dialect::Bedrock => r#"{"newThing":{"a":1}}"#,
        _ => r#"{"type":"new_thing","a":1}"#,
    }));
    let kind = prop_oneof![
        6 => text(), 2 => image(client), 2 => document(client), has_audio => audio, 1 => opaque,
    ];
    marked(client, kind.boxed()).boxed()
}

/// A part, with what may stand beside it.
fn marked(client: Dialect, kind: BoxedStrategy<Kind<'static>>) -> impl Strategy<Value = Part<'static>> {
    let marks = matches!(
        client,
        Dialect::OpenAi | Dialect::Responses | Dialect::Anthropic | Dialect::Bedrock
    );
    let rate = if marks { 0.2 } else { 0.0 };
    (kind, maybe(rate, cache(client)), any::<u8>()).prop_map(|(kind, cache, mark)| {
        let mut part = Part::new(String::new(), kind);
        let is_plain = matches!(&part.kind, Kind::Text(text) if !text.trim().is_empty());
        if is_plain && mark < 25 {
            part.extra = vec![("mark".into(), "1")];
        }
        let is_blank = matches!(&part.kind, Kind::Text(_)) && !is_plain;
        part.cache = cache.filter(|_| !is_blank && !matches!(part.kind, Kind::Opaque(_)));
        part
    })
}

/// What the provider of a client's own dialect wants back.
fn own_state(client: Dialect, data: &str) -> Option<State<'static>> {
    (client == Dialect::Gemini).then(|| State {
        of: client,
        data: data.to_owned().into(),
    })
}

/// What a model's turn holds, calls apart.
fn answered(client: Dialect) -> BoxedStrategy<Part<'static>> {
    let said = (text(), maybe(0.3, "[A-Za-z0-9]{4,8}")).prop_map(move |(kind, proof)| {
        let mut part = Part::new(String::new(), kind);
        let is_blank = matches!(&part.kind, Kind::Text(text) if text.trim().is_empty());
        part.state = proof
            .filter(|_| !is_blank)
            .and_then(|proof| own_state(client, &proof));
        part
    });
    let refusal = words().prop_map(|text| Part::new(String::new(), Kind::Refusal(text.into())));
    let has_refusal = u32::from(matches!(client, Dialect::OpenAi | Dialect::Responses));
    let redacted = data().prop_map(|data| Part::new(String::new(), Kind::RedactedThinking(data)));
    let has_redacted = u32::from(matches!(
        client,
        Dialect::OpenAi | Dialect::Anthropic | Dialect::Bedrock
    ));
    prop_oneof![4 => said, has_refusal => refusal, has_redacted => redacted, 2 => thoughts(client)].boxed()
}

fn thoughts(client: Dialect) -> impl Strategy<Value = Part<'static>> {
    (words(), "[A-Za-z0-9]{4,8}").prop_map(move |(text, proof)| {
        let signs = matches!(client, Dialect::OpenAi | Dialect::Anthropic | Dialect::Bedrock);
        let mut state = own_state(client, &proof);
        if client == Dialect::Responses {
            let summary = json!([{"type": "summary_text", "text": text}]);
            let data = format!(
                r#"{{"type":"reasoning","id":"rs_1","summary":{summary},"encrypted_content":"{proof}"}}"#
            );
            state = Some(State {
                of: client,
                data: data.into(),
            });
        }
        let signature = signs.then(|| proof.into());
        let mut part = Part::new(
            String::new(),
            Kind::Thinking {
                text: text.into(),
                signature,
            },
        );
        part.state = state;
        part
    })
}

fn called(client: Dialect, tools: Vec<String>) -> impl Strategy<Value = Called> {
    let mut names: Vec<_> = tools.into_iter().filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        names.push("f".to_owned());
    }
    let object = words().prop_map(|text| json!({"a": text, "n": 1.0e-7, "b": [{}, null]}).to_string());
    // Models of dialects that give arguments as text get them wrong now and then.
    let is_text = matches!(client, Dialect::OpenAi | Dialect::Responses | Dialect::Cohere);
    let wrong = select(if is_text {
        vec!["", "{\"a\": ", " {} "]
    } else {
        vec!["{}", "{ \"a\" : 1 }"]
    });
    let arguments = prop_oneof![4 => object, 1 => wrong.prop_map(str::to_owned)];
    let files = matches!(client, Dialect::Responses | Dialect::Anthropic | Dialect::Bedrock);
    let files = if files { 2 } else { 0 };
    let result = prop_oneof![6 => text(), files => image(client), files => document(client)];
    let result = result.prop_map(|kind| Part::new(String::new(), kind));
    let fails = if matches!(client, Dialect::Anthropic | Dialect::Gemini | Dialect::Bedrock) {
        0.3
    } else {
        0.0
    };
    let flags = (
        proptest::bool::weighted(fails),
        proptest::bool::weighted(0.9),
        maybe(0.3, "[A-Za-z0-9]{4,8}"),
    );
    let has_results = !matches!(client, Dialect::OpenAi | Dialect::Cohere);
    let extra = || maybe(0.1, Just(vec![("mark".into(), "1")])).prop_map(Option::unwrap_or_default);
    (
        select(names),
        arguments,
        vec(result, 0..3),
        flags,
        (extra(), extra()),
    )
        .prop_map(
            move |(name, arguments, result, (is_error, is_answered, proof), extra)| Called {
                call: Call {
                    id: "".into(),
                    name: name.into(),
                    arguments: arguments.into(),
                },
                result,
                is_error,
                is_answered,
                state: proof.and_then(|proof| own_state(client, &proof)),
                // What a message of a tool holds stands beside it, where it has one.
                extra: [extra.0, extra.1.into_iter().filter(|_| has_results).collect()],
            },
        )
}

/// Gives everything a place of its own, for the loss to name.
pub(super) fn place(request: &mut ChatRequest<'static>) {
    for (index, tool) in request.tools.iter_mut().enumerate() {
        tool.at = format!("tools[{index}]");
    }
    for (index, turn) in request.turns.iter_mut().enumerate() {
        turn.at = format!("turns[{index}]");
        place_parts(&turn.at, &mut turn.parts);
    }
}

fn place_parts(at: &str, parts: &mut [Part<'static>]) {
    for (index, part) in parts.iter_mut().enumerate() {
        part.at = format!("{at}.parts[{index}]");
        if let Kind::ToolResult { parts, .. } = &mut part.kind {
            place_parts(&part.at, parts);
        }
    }
}
