//! Answers of each provider as each client gets them, whole and as a stream in chunks of any size.
//!
//! An answer is written as its provider's wire and read, then as its client's wire and read again. An answer has no
//! account of losses: what a dialect has no place for is told by [`heard`], and nothing else may differ.

use std::collections::HashMap;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use tollgate_core::{Dialect, FinishReason, ProviderKind, Usage, UsageSource};

use super::asked::maybe;
use super::home;
use crate::chat::answer::{ChatAnswer, Choice, End, Piece, finish_with};
use crate::chat::carried::DIALECTS;
use crate::chat::names::Renamed;
use crate::chat::{Call, Kind, Part};
use crate::dialects;
use crate::framing::Framing;
use crate::gemini::signature::{self, Carried};
use crate::openai::render::REFUSED;
use crate::report::StreamEnd;
use crate::testing::{made, words};
use crate::translate::Translation;

/// An answer, and what it took.
#[derive(Debug, Clone, PartialEq)]
struct Answer {
    model: Option<String>,
    said: Vec<Said>,
    finish: FinishReason,
    stop_sequence: Option<String>,
    explanation: Option<String>,
    usage: Usage,
}

/// Something that is said in an answer.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    Thoughts {
        text: String,
        proof: Option<String>,
    },
    Redacted(String),
    Text(String),
    Refusal(String),
    Call {
        id: String,
        name: String,
        arguments: String,
    },
}

fn part(said: &Said) -> Part<'_> {
    let kind = match said {
        Said::Thoughts { text, proof } => Kind::Thinking {
            text: text.into(),
            signature: proof.as_ref().map(Into::into),
        },
        Said::Redacted(data) => Kind::RedactedThinking(data.into()),
        Said::Text(text) => Kind::Text(text.into()),
        Said::Refusal(text) => Kind::Refusal(text.into()),
        Said::Call { id, name, arguments } => Kind::ToolCall(Call {
            id: id.into(),
            name: name.into(),
            arguments: arguments.into(),
        }),
    };
    Part::new(String::new(), kind)
}

impl Answer {
    fn end(&self) -> End<'_> {
        End {
            finish: Some(self.finish),
            stop_sequence: self.stop_sequence.as_ref().map(Into::into),
            explanation: self.explanation.as_ref().map(Into::into),
        }
    }

    fn canonical(&self) -> ChatAnswer<'_> {
        let parts = self.said.iter().map(part).collect();
        let end = self.end();
        ChatAnswer {
            model: self.model.as_ref().map(Into::into),
            choices: vec![Choice { parts, end }],
        }
    }

    fn is_called(&self) -> bool {
        self.said.iter().any(|said| matches!(said, Said::Call { .. }))
    }
}

/// What is said of a part that has been read.
fn said(part: &Part<'_>) -> Option<Said> {
    let state = part
        .state
        .as_ref()
        .map(|state| signature::read(state.data.clone()));
    Some(match (&part.kind, state.flatten()) {
        // Google's clients keep proofs of others where Google has its own.
        (_, Some(Carried::Redacted(data))) => Said::Redacted(data),
        (Kind::Thinking { text, .. }, Some(Carried::Signature(proof))) => {
            let text = text.to_string();
            Said::Thoughts {
                text,
                proof: Some(proof),
            }
        }
        (Kind::Thinking { text, signature }, _) => Said::Thoughts {
            text: text.to_string(),
            proof: signature.as_ref().map(ToString::to_string),
        },
        (Kind::RedactedThinking(data), _) => Said::Redacted(data.to_string()),
        (Kind::Text(text), _) => Said::Text(text.to_string()),
        (Kind::Refusal(text), _) => Said::Refusal(text.to_string()),
        (Kind::ToolCall(call), _) => Said::Call {
            id: call.id.to_string(),
            name: call.name.to_string(),
            arguments: call.arguments.to_string(),
        },
        _ => return None,
    })
}

fn thoughts() -> impl Strategy<Value = Vec<Said>> {
    let text = prop_oneof![4 => words(), 1 => Just(String::new())];
    let signed = (text, "[A-Za-z0-9+/]{4,12}").prop_map(|(text, proof)| Said::Thoughts {
        text,
        proof: Some(proof),
    });
    let redacted = "[A-Za-z0-9+/]{4}".prop_map(Said::Redacted);
    let alone = words().prop_map(|text| vec![Said::Thoughts { text, proof: None }]);
    // A provider proves all its thoughts, or none.
    prop_oneof![
        1 => Just(Vec::new()),
        1 => alone,
        2 => vec(prop_oneof![3 => signed, 1 => redacted], 1..4),
    ]
}

fn calls() -> impl Strategy<Value = Vec<Said>> {
    let object = words().prop_map(|text| json!({"a": text, "n": 1, "b": [{}, null]}).to_string());
    let arguments = prop_oneof![4 => object, 1 => Just("{}".to_owned()), 1 => Just(String::new())];
    vec(("[a-z]{1,5}", arguments), 0..4).prop_map(|calls| {
        let calls = calls.into_iter().enumerate();
        calls
            .map(|(index, (name, arguments))| Said::Call {
                id: format!("call_{index}"),
                name,
                arguments,
            })
            .collect()
    })
}

fn spoken() -> impl Strategy<Value = Vec<Said>> {
    let text = prop_oneof![6 => words(), 1 => any::<String>(), 1 => select(vec!["", " ", "\n", "\u{0}"]).prop_map(str::to_owned)];
    let refusal = maybe(0.1, words().prop_map(Said::Refusal));
    (vec(text.prop_map(Said::Text), 0..3), refusal).prop_map(|(mut texts, refusal)| {
        texts.extend(refusal);
        texts
    })
}

/// Tokens, in numbers that make none of them look like another.
fn usage() -> impl Strategy<Value = Usage> {
    prop::array::uniform8(0..1_000_u64).prop_map(|counts| Usage {
        input: counts[0] + 1,
        cache_read: counts[1],
        cache_write: counts[2],
        cache_write_1h: counts[3],
        audio_input: counts[4] % 10,
        output: counts[5] + 1,
        reasoning: counts[6],
        audio_output: counts[7] % 10,
        source: UsageSource::Reported,
        ..Usage::default()
    })
}

prop_compose! {
    fn answers()(
        (thoughts, spoken, calls) in (thoughts(), spoken(), calls()),
        finish in select(vec![FinishReason::Stop, FinishReason::StopSequence, FinishReason::Length,
            FinishReason::ContentFilter, FinishReason::Paused]),
        stop in "[a-z]{1,3}",
        explanation in maybe(0.5, words()),
        usage in usage(),
        model in "[a-z]{1,5}",
    ) -> Answer {
        let stops = finish == FinishReason::StopSequence;
        let filters = finish == FinishReason::ContentFilter;
        let finish = if calls.is_empty() || filters { finish } else { FinishReason::ToolCalls };
        Answer {
            model: Some(model),
            said: [thoughts, spoken, if filters { Vec::new() } else { calls }].concat(),
            finish,
            stop_sequence: Some(stop).filter(|_| stops && finish == FinishReason::StopSequence),
            explanation: explanation.filter(|_| filters),
            usage,
        }
    }
}

/// What is left of an answer that is told in a dialect: what it has a place for.
fn heard(answer: &Answer, dialect: Dialect) -> Answer {
    let mut heard = answer.clone();
    let has_refusals = matches!(dialect, Dialect::OpenAi | Dialect::Responses);
    let has_refused = heard.said.iter().any(|said| matches!(said, Said::Refusal(_)));
    heard.finish = finish(
        finish_with(heard.finish, answer.is_called()),
        dialect,
        answer.is_called(),
    );
    let is_filtered = answer.finish == FinishReason::ContentFilter;
    if has_refusals && is_filtered && !has_refused {
        // Clients look for the words there.
        let words = answer.explanation.clone().unwrap_or_else(|| REFUSED.to_owned());
        heard.said.push(Said::Refusal(words));
    }
    if !has_refusals {
        if has_refused {
            heard.finish = FinishReason::ContentFilter;
        }
        for said in &mut heard.said {
            if let Said::Refusal(text) = said {
                *said = Said::Text(std::mem::take(text));
            }
        }
    }
    if dialect == Dialect::Cohere {
        // It has neither proofs nor encrypted thoughts.
        heard.said.retain(|said| !matches!(said, Said::Redacted(_)));
        for said in &mut heard.said {
            if let Said::Thoughts { proof, .. } = said {
                *proof = None;
            }
        }
        let is_silent = |said: &Said| match said {
            Said::Text(text) => text.is_empty(),
            said => matches!(said, Said::Thoughts { .. }),
        };
        // Where nothing was said, the reason stands.
        if heard.said.iter().all(is_silent) {
            heard.said.extend(answer.explanation.clone().map(Said::Text));
        }
    }
    if dialect != Dialect::Gemini {
        heard.explanation = None;
    }
    if !matches!(dialect, Dialect::Anthropic | Dialect::Bedrock) {
        heard.stop_sequence = None;
    }
    if matches!(dialect, Dialect::Cohere | Dialect::Bedrock) {
        heard.model = None;
    }
    heard.usage = counted(&answer.usage, dialect);
    heard
}

/// What a dialect's word for an end means.
const fn finish(finish: FinishReason, dialect: Dialect, has_calls: bool) -> FinishReason {
    use FinishReason::{ContentFilter, Length, Paused, Stop, StopSequence, ToolCalls};
    match (dialect, finish) {
        (_, Length | ContentFilter | Stop) | (Dialect::Anthropic, _) => finish,
        // They tell that there are calls by the calls alone.
        (Dialect::Responses | Dialect::Gemini, _) => finish_with(Stop, has_calls),
        (_, ToolCalls) => ToolCalls,
        (Dialect::Cohere | Dialect::Bedrock, StopSequence) => StopSequence,
        (_, StopSequence | Paused) => Stop,
    }
}

/// The tokens in the classes that a dialect has: those that it does not have are in those that it has.
fn counted(usage: &Usage, dialect: Dialect) -> Usage {
    let mut counted = *usage;
    let has_audio = dialect == Dialect::OpenAi;
    if !has_audio {
        counted.input += std::mem::take(&mut counted.audio_input);
        counted.output += std::mem::take(&mut counted.audio_output);
    }
    if !matches!(dialect, Dialect::Anthropic | Dialect::Bedrock) {
        counted.cache_write += std::mem::take(&mut counted.cache_write_1h);
    }
    if matches!(dialect, Dialect::Gemini | Dialect::Cohere) {
        counted.input += std::mem::take(&mut counted.cache_write);
    }
    if dialect == Dialect::Bedrock {
        counted.output += std::mem::take(&mut counted.reasoning);
    }
    counted
}

/// The same in a form in which it does not matter in how many pieces a dialect has it.
fn plain(mut answer: Answer, dialect: Dialect) -> Answer {
    answer.said.retain(|said| match said {
        Said::Thoughts { text, proof } => {
            !text.is_empty() || proof.as_ref().is_some_and(|proof| !proof.is_empty())
        }
        Said::Text(text) | Said::Refusal(text) => !text.is_empty(),
        Said::Redacted(_) | Said::Call { .. } => true,
    });
    for said in &mut answer.said {
        match said {
            Said::Thoughts { proof, .. } => *proof = proof.take().filter(|proof| !proof.is_empty()),
            // No arguments are an empty object.
            Said::Call { arguments, .. } if arguments.is_empty() => "{}".clone_into(arguments),
            _ => {}
        }
    }
    if matches!(dialect, Dialect::OpenAi | Dialect::Cohere) {
        // A message has a place for each.
        answer.said.sort_by_key(|said| match said {
            Said::Thoughts { .. } | Said::Redacted(_) => 0,
            Said::Text(_) => 1,
            Said::Refusal(_) => 2,
            Said::Call { .. } => 3,
        });
    }
    answer.said.dedup_by(|next, last| match (last, next) {
        (Said::Text(text), Said::Text(more)) | (Said::Refusal(text), Said::Refusal(more)) => {
            text.push_str(more);
            true
        }
        (
            Said::Thoughts {
                text,
                proof: proof @ None,
            },
            Said::Thoughts {
                text: more,
                proof: proven,
            },
        ) => {
            text.push_str(more);
            *proof = proven.take();
            true
        }
        _ => false,
    });
    answer
}

/// A whole answer, read.
fn read(dialect: Dialect, body: &Bytes) -> Answer {
    let answer = dialects::read(dialect, body).unwrap();
    let report = dialects::report(dialect, None, home(dialect).0, body).unwrap();
    let choice = &answer.choices[0];
    assert_eq!(report.finish, choice.end.finish);
    Answer {
        model: answer.model.as_ref().map(ToString::to_string),
        said: choice.parts.iter().filter_map(said).collect(),
        finish: choice.end.finish.unwrap(),
        stop_sequence: choice.end.stop_sequence.as_ref().map(ToString::to_string),
        explanation: choice.end.explanation.as_ref().map(ToString::to_string),
        usage: report.usage.unwrap(),
    }
}

/// A stream, read as its provider writes it: `piece` characters of a text at a time.
fn streamed(answer: &Answer, dialect: Dialect, piece: usize) -> Vec<u8> {
    let (mut sink, mut out) = (
        dialects::sink(dialect, made(), Renamed::default(), true),
        Vec::new(),
    );
    let model = answer.model.as_ref().map(Into::into);
    sink.write(Piece::Start { model }, &mut out);
    let mut number = 0;
    for said in &answer.said {
        let pieces = |text: &str| -> Vec<String> {
            let characters: Vec<char> = text.chars().collect();
            characters
                .chunks(piece)
                .map(|piece| piece.iter().collect())
                .collect()
        };
        match said {
            Said::Thoughts { text, proof } => {
                for text in pieces(text) {
                    sink.write(Piece::Thinking(text.into()), &mut out);
                }
                if let Some(proof) = proof {
                    sink.write(Piece::Signature(proof.into()), &mut out);
                }
            }
            Said::Redacted(data) => sink.write(Piece::RedactedThinking(data.into()), &mut out),
            Said::Text(text) => {
                let texts = pieces(text).into_iter();
                texts.for_each(|text| sink.write(Piece::Text(text.into()), &mut out));
            }
            Said::Refusal(text) => {
                let texts = pieces(text).into_iter();
                texts.for_each(|text| sink.write(Piece::Refusal(text.into()), &mut out));
            }
            Said::Call { id, name, arguments } => {
                let (id, name) = (id.into(), name.into());
                sink.write(
                    Piece::Call {
                        call: number,
                        id,
                        name,
                    },
                    &mut out,
                );
                for json in pieces(arguments) {
                    let json = json.into();
                    sink.write(Piece::Arguments { call: number, json }, &mut out);
                }
                number += 1;
            }
        }
    }
    sink.write(Piece::Finish(answer.end()), &mut out);
    sink.close(Some(&answer.usage), &mut out);
    out
}

/// What a client puts together of a stream.
fn assembled(dialect: Dialect, stream: &[u8]) -> Answer {
    let mut source = dialects::source(dialect, home(dialect).0);
    let (mut model, mut end, mut all) = (None, End::default(), Vec::<Said>::new());
    let mut calls = HashMap::new();
    let mut framing = Framing::of(dialect);
    let framed = framing.push(stream, |frame| {
        let Some(event) = &frame.event else { return };
        source.read(event, &mut |piece| match piece {
            Piece::Start { model: told } => model = told.map(|told| told.to_string()),
            Piece::Finish(told) => end = told.into_owned(),
            Piece::Call { call, id, name } => {
                calls.insert(call, all.len());
                let (id, name, arguments) = (id.to_string(), name.to_string(), String::new());
                all.push(Said::Call { id, name, arguments });
            }
            Piece::Arguments { call, json } => {
                let Said::Call { arguments, .. } = &mut all[calls[&call]] else {
                    unreachable!()
                };
                arguments.push_str(&json);
            }
            Piece::Signature(proof) => prove(&mut all, proof.to_string()),
            Piece::State(state) => match signature::read(state.data) {
                Some(Carried::Signature(proof)) => prove(&mut all, proof),
                Some(Carried::Redacted(data)) => all.push(Said::Redacted(data)),
                _ => {}
            },
            Piece::Text(text) => all.push(Said::Text(text.to_string())),
            Piece::Thinking(text) => all.push(Said::Thoughts {
                text: text.to_string(),
                proof: None,
            }),
            Piece::RedactedThinking(data) => all.push(Said::Redacted(data.to_string())),
            Piece::Refusal(text) => all.push(Said::Refusal(text.to_string())),
            Piece::StateAhead(_) | Piece::Done => {}
        });
    });
    framed.unwrap();
    let report = source.report();
    assert!(report.error.is_none(), "{report:?}");
    assert_eq!(report.finish, end.finish);
    Answer {
        model,
        said: all,
        finish: end.finish.unwrap(),
        stop_sequence: end.stop_sequence.map(|stop| stop.to_string()),
        explanation: end.explanation.map(|words| words.to_string()),
        usage: report.usage.unwrap(),
    }
}

/// Gives a proof to the thoughts so far.
fn prove(all: &mut Vec<Said>, proof: String) {
    match all.last_mut() {
        Some(Said::Thoughts {
            proof: own @ None, ..
        }) => *own = Some(proof),
        _ => all.push(Said::Thoughts {
            text: String::new(),
            proof: Some(proof),
        }),
    }
}

fn way(provider: Dialect, client: Dialect) -> Translation {
    let kind: ProviderKind = home(provider).0;
    Translation {
        client,
        upstream: provider,
        ..Translation::untouched(client, kind, true, made())
    }
}

/// What a provider of a dialect may say: one that proves nothing has nothing to be proven.
fn of_provider(mut answer: Answer, provider: Dialect) -> Answer {
    if matches!(provider, Dialect::Responses | Dialect::Gemini | Dialect::Cohere) {
        answer.said.retain(|said| !matches!(said, Said::Redacted(_)));
        for said in &mut answer.said {
            if let Said::Thoughts { proof, .. } = said {
                *proof = None;
            }
        }
    }
    answer
}

/// What differs between an answer and what becomes of it.
fn differs(what: &str, expected: Answer, got: Answer, dialect: Dialect) -> Result<(), String> {
    let (expected, got) = (plain(expected, dialect), plain(got, dialect));
    if expected == got {
        return Ok(());
    }
    Err(format!("{what}: {expected:#?}\nbecame {got:#?}"))
}

/// What becomes of an answer on its way from a provider to a client.
fn cross(
    answer: &Answer,
    provider: Dialect,
    client: Dialect,
    piece: usize,
    chunk: usize,
) -> Result<(), String> {
    let render = |dialect: Dialect, answer: &Answer| {
        let (canonical, usage) = (answer.canonical(), Some(&answer.usage));
        Bytes::from(dialects::render(
            dialect,
            &canonical,
            usage,
            &made(),
            &Renamed::default(),
        ))
    };
    let answer = of_provider(answer.clone(), provider);
    let body = render(provider, &answer);
    let given = read(provider, &body);
    differs(
        "the provider itself",
        heard(&answer, provider),
        given.clone(),
        provider,
    )?;
    let way = way(provider, client);
    let (told, _) = way.answer(&body).map_err(|fault| fault.to_string())?;
    let mut expected = heard(&given, client);
    expected.model = expected
        .model
        .or_else(|| Some("the-model".to_owned()))
        .filter(|_| has_model(client));
    let mut got = read(client, &told.into());
    differs("the client, whole", expected.clone(), got.clone(), client)?;
    let stream = streamed(&answer, provider, piece);
    let (mut translated, mut out) = (way.stream(), Vec::new());
    for chunk in stream.chunks(chunk) {
        translated.push(chunk, &mut out);
    }
    translated.finish(StreamEnd::Eof, &mut out);
    let told = out.concat();
    got = assembled(client, &told);
    differs("the client, streamed", expected, got, client).map_err(|lost| {
        format!(
            "{lost}\nof {}\nto {}",
            String::from_utf8_lossy(&stream),
            String::from_utf8_lossy(&told)
        )
    })
}

const fn has_model(dialect: Dialect) -> bool {
    !matches!(dialect, Dialect::Cohere | Dialect::Bedrock)
}

proptest! {
    #[test]
    fn what_a_provider_answers_is_told_whole_and_in_pieces(
        answer in answers(), provider in select(DIALECTS.to_vec()), piece in 1_usize..20, chunk in 1_usize..200,
    ) {
        for client in DIALECTS {
            let crossed = cross(&answer, provider, client, piece, chunk);
            prop_assert!(crossed.is_ok(), "{:?} to {:?}: {}", provider, client, crossed.unwrap_err());
        }
    }
}
