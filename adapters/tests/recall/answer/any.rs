//! Answers of any kind, whole and damaged: what is told again is what was kept, and nothing panics.

use proptest::prelude::*;
use serde_json::json;
use tollgate_adapters::{Kept, KeptChoice, KeptContent, KeptPart, Shape};
use tollgate_core::{FinishReason, Surface, Usage, UsageSource};

use super::{ANTHROPIC, LAX, OPENAI, STREAM, kept_again, told};

/// What is left of an answer that is told in a dialect: what it has words for.
fn as_told(kept: &Kept, surface: Surface) -> Kept {
    let mut kept = kept.clone();
    let KeptContent::Chat(choices) = &mut kept.content else {
        return kept;
    };
    if surface == ANTHROPIC {
        choices.truncate(1);
    }
    for choice in choices {
        if surface == OPENAI {
            choice.stop_sequence = None;
            if choice.finish == FinishReason::StopSequence {
                choice.finish = FinishReason::Stop;
            }
        }
    }
    if let Some(usage) = &mut kept.usage {
        if surface == OPENAI {
            usage.cache_write += std::mem::take(&mut usage.cache_write_1h);
        } else {
            usage.input += std::mem::take(&mut usage.audio_input);
            usage.output += std::mem::take(&mut usage.audio_output);
        }
    } else if surface == ANTHROPIC {
        // The dialect knows no answer without.
        kept.usage = Some(Usage {
            source: UsageSource::Reported,
            ..Usage::default()
        });
    }
    kept
}
fn words() -> impl Strategy<Value = Box<str>> {
    "([a-z]{1,8}[ \n,.\"\\\\]|é|🦀|\u{1}){1,30}x".prop_map(Into::into)
}

prop_compose! {
    fn thoughts()(
        text in words(),
        signed in prop::collection::vec((words(), any::<bool>()), 0..3),
        kind in 0..3,
    ) -> Vec<KeptPart> {
        match kind {
            0 => Vec::new(),
            1 => vec![KeptPart::Thinking { text, signature: None }],
            _ => signed.into_iter().map(|(text, is_shown)| KeptPart::Thinking {
                text: if is_shown { text } else { Box::default() },
                signature: Some("c2ln".into()),
            }).chain([KeptPart::RedactedThinking("ZGF0YQ==".into())]).collect(),
        }
    }
}

prop_compose! {
    fn answers()(
        thoughts in thoughts(),
        said in words(),
        calls in prop::collection::vec(("[a-z]{1,5}", "[a-z ]{0,9}"), 0..3),
        counts: [u32; 8],
        stop in prop::option::of("[a-z]{1,3}"),
    ) -> Kept {
        let calls: Vec<_> = calls.into_iter().map(|(name, value)| KeptPart::ToolCall {
            name: name.into(),
            arguments: json!({ "a": value }).to_string().into(),
        }).collect();
        let finish = match (&stop, calls.is_empty()) {
            (_, false) => FinishReason::ToolCalls,
            (Some(_), _) => FinishReason::StopSequence,
            (None, _) => FinishReason::Stop,
        };
        let stop = stop.filter(|_| finish == FinishReason::StopSequence);
        let counts = counts.map(u64::from);
        Kept {
            model: Some("m".into()),
            content: KeptContent::Chat(vec![KeptChoice {
                parts: thoughts.into_iter().chain([KeptPart::Text(said)]).chain(calls).collect(),
                finish,
                stop_sequence: stop.map(Into::into),
            }]),
            usage: Some(Usage {
                input: counts[0], cache_read: counts[1], cache_write: counts[2], cache_write_1h: counts[3],
                audio_input: counts[4], output: counts[5], reasoning: counts[6], audio_output: counts[7],
                units: tollgate_core::Units::default(), source: UsageSource::Reported,
            }),
        }
    }
}

proptest! {
    #[test]
    fn what_is_told_is_what_was_kept(kept in answers(), piece_bytes in 0usize..80) {
        prop_assert_eq!(Kept::from_bytes(&kept.to_bytes()), Ok(kept.clone()));
        for surface in [OPENAI, ANTHROPIC] {
            for shape in [Shape::Whole, Shape::Stream { include_usage: true, piece_bytes }] {
                let told = told(&kept, surface, shape);
                prop_assert_eq!(kept_again(&told, surface, shape), as_told(&kept, surface), "{}", told);
            }
        }
    }

    #[test]
    fn any_bytes_are_kept_or_not(bytes: Vec<u8>, text in "(data: |event: message_stop\n|[{}\\[\\]\":,a\n]|\"choices\"|\"delta\"|\"index\":9){0,30}") {
        for surface in [OPENAI, ANTHROPIC, Surface::Embeddings, Surface::CountTokens, Surface::Completions] {
            for bytes in [&bytes[..], text.as_bytes()] {
                let _ = (Kept::of_whole(surface, bytes, LAX), Kept::of_stream(surface, bytes, LAX));
            }
        }
        let _ = Kept::from_bytes(&bytes);
        let _ = Kept::from_bytes(&[&[1], &bytes[..]].concat());
    }

    #[test]
    fn damaged_answers_are_read_or_not(kept in answers(), at: prop::sample::Index, put: u8) {
        for surface in [OPENAI, ANTHROPIC] {
            for shape in [Shape::Whole, STREAM] {
                let mut told = told(&kept, surface, shape).into_bytes();
                let at = at.index(told.len());
                told[at] = put;
                let _ = (Kept::of_whole(surface, &told, LAX), Kept::of_stream(surface, &told, LAX));
            }
        }
        let mut bytes = kept.to_bytes();
        let at = at.index(bytes.len());
        bytes[at] = put;
        let _ = Kept::from_bytes(&bytes);
    }
}
