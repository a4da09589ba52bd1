//! What makes two requests the same question, and what does not.

use proptest::prelude::*;
use serde_json::{Value, json};
use tollgate_adapters::{Asked, asked};
use tollgate_core::Surface;

use changes::said;

mod changes;

const OPENAI: Surface = Surface::ChatCompletions;
const ANTHROPIC: Surface = Surface::Messages;

fn ask(surface: Surface, body: &Value) -> Asked {
    try_ask(surface, body).unwrap_or_else(|| panic!("refused: {body}"))
}

fn try_ask(surface: Surface, body: &Value) -> Option<Asked> {
    asked(surface, body.to_string().as_bytes()).ok()
}

/// A request with something of everything that the OpenAI dialect knows.
fn rich_openai() -> Value {
    json!({
        "model": "fast", "stream": true, "user": "u", "stream_options": {"include_usage": true},
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]},
            {"role": "user", "name": "kim", "content": [
                {"type": "text", "text": "Look", "cache_control": {"type": "ephemeral"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
                {"type": "input_audio", "input_audio": {"format": "wav", "data": "BBBB"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,CCCC"}},
                {"type": "file", "file": {"file_id": "file-1"}},
                {"type": "hologram", "hologram": {"depth": 3}},
            ]},
            {"role": "assistant", "content": "Calling", "reasoning_content": "hm", "refusal": "no", "audio": {"id": "a1"},
             "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1,\"b\":[2]}"}},
                {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "not json"}},
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "42"},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "43"}]},
            {"role": "assistant", "content": "Done", "thinking_blocks": [
                {"type": "thinking", "thinking": "t", "signature": "s"}, {"type": "redacted_thinking", "data": "d"}]},
            {"role": "user", "content": "And now?"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "does f", "strict": true,
             "parameters": {"type": "object", "properties": {"a": {"type": "number", "minimum": 0.5}}}}},
            {"type": "function", "function": {"name": "g"}},
            {"type": "custom", "custom": {"name": "h", "description": "does h", "format":
             {"type": "grammar", "grammar": {"syntax": "regex", "definition": "h+"}}}},
            {"type": "web_search", "depth": 2},
        ],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": false, "max_tokens": 100, "max_completion_tokens": 200, "temperature": 0.5,
        "top_p": 0.25, "top_k": 7, "stop": ["a", "b"], "seed": 4, "frequency_penalty": 0.75, "presence_penalty": -0.5,
        "n": 2, "logprobs": true, "top_logprobs": 3, "reasoning_effort": "low",
        "thinking": {"type": "enabled", "budget_tokens": 64},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "description": "d", "strict": true,
             "schema": {"type": "object", "properties": {"x": {"enum": [1, "1", null, true]}}}}},
        "logit_bias": {"50": -100}, "verbosity": "low", "web_search_options": {"size": "low"},
        "something_new": [{"deep": {"er": 1.5}}],
    })
}

/// The same for Anthropic's.
fn rich_anthropic() -> Value {
    json!({
        "model": "fast", "max_tokens": 100, "stream": false, "metadata": {"user_id": "u"}, "service_tier": "auto",
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                   {"type": "text", "text": "Be kind."}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "Look"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
                {"type": "document", "title": "T", "context": "C", "citations": {"enabled": true},
                 "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
                {"type": "document", "source": {"type": "file", "file_id": "f1"}},
                {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "in"}]}},
                {"type": "search_result", "source": "s", "title": "t", "content": []},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "t", "signature": "s"},
                {"type": "redacted_thinking", "data": "d"},
                {"type": "text", "text": "Calling"},
                {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1, "b": [2]}, "caller": {"type": "direct"}},
            ]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "is_error": true, "content": [
                {"type": "text", "text": "42"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "BBBB"}}]}]},
            {"role": "assistant", "content": "Done"},
            {"role": "user", "content": "And now?"},
        ],
        "temperature": 0.5, "top_k": 7, "top_p": 0.25, "stop_sequences": ["a", "b"],
        "tools": [
            {"name": "f", "description": "does f", "strict": true,
             "input_schema": {"type": "object", "properties": {"a": {"type": "number"}}}, "input_examples": [{"a": 1}]},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
        ],
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": true},
        "thinking": {"type": "enabled", "budget_tokens": 64, "display": "summarized"},
        "output_config": {"effort": "low", "task_budget": 5,
            "format": {"type": "json_schema", "schema": {"type": "object"}}},
        "context_management": {"edits": []}, "mcp_servers": [{"url": "https://m"}],
    })
}

#[test]
fn what_does_not_change_the_answer_does_not_change_the_question() {
    let plain = json!({"model": "a", "messages": [{"role": "user", "content": "Hi"}]});
    let known = ask(OPENAI, &plain);
    let noisy = json!({
        "user": "me", "safety_identifier": "x", "stream": true, "stream_options": {"include_usage": true},
        "metadata": {"a": "b"}, "service_tier": "flex", "store": true, "prompt_cache_key": "k",
        "prompt_cache_retention": "24h", "model": "b", "n": 1, "response_format": {"type": "text"},
        "tools": [], "temperature": null, "timeout": 5, "logprobs": false, "frequency_penalty": 0,
        "messages": [{"content": [{"text": "Hi \n", "type": "text", "cache_control": {"type": "ephemeral"}}], "role": "user"}],
    });
    assert_eq!(ask(OPENAI, &noisy), known);
    let spaced = serde_json::to_string_pretty(&noisy).unwrap();
    assert_eq!(asked(OPENAI, spaced.as_bytes()).unwrap(), known);
    assert_eq!(known.words.as_deref(), Some("Hi"));
}

#[test]
fn the_same_conversation_in_both_dialects_is_one_question() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let openai = json!({
        "model": "x", "max_completion_tokens": 50, "temperature": 1, "stop": "END",
        "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": schema}}],
        "tool_choice": "required", "parallel_tool_calls": false,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": "data:image/png;base64,AAAA"}]},
            {"role": "assistant", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"b\": 1.0, \"a\": \"x\"}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "42"},
            {"role": "assistant", "content": "So it is."},
            {"role": "user", "content": "Sure?"},
        ],
    });
    let anthropic = json!({
        "model": "y", "max_tokens": 50, "temperature": 1.0, "stop_sequences": ["END"], "system": "Be brief.",
        "tools": [{"name": "f", "description": "d", "input_schema": schema}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Look"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {"a": "x", "b": 1}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "42"}]}]},
            {"role": "assistant", "content": [{"type": "text", "text": "So it is."}]},
            {"role": "user", "content": "Sure?"},
        ],
    });
    let (one, other) = (ask(OPENAI, &openai), ask(ANTHROPIC, &anthropic));
    assert_eq!(one, other);
    assert_eq!(one.words.as_deref(), Some("Sure?"));
    assert_eq!(
        (one.traits.turns_before, one.traits.has_unknown_fields),
        (4, false)
    );
    assert!(one.traits.has_tools && one.traits.has_tool_results && one.traits.has_media);
}

#[test]
fn words_are_apart_from_the_context() {
    let say = |content: Value| {
        ask(
            OPENAI,
            &json!({"model": "x", "messages": [{"role": "user", "content": content}]}),
        )
    };
    let text = |text: &str| json!({"type": "text", "text": text});
    let (one, other) = (say(json!("What is 1 + 1?")), say(json!("What is 1 + 2?")));
    assert_eq!(one.context, other.context);
    assert_ne!(one.exact, other.exact);
    // Composed and decomposed.
    assert_eq!(say(json!("caf\u{e9} \u{3000}\n")), say(json!("cafe\u{301}")));
    assert_ne!(say(json!(" a")).exact, say(json!("a")).exact);
    // Several texts are lines, but not the same as one text of lines.
    let (parts, lines) = (say(json!([text("a"), text("b")])), say(json!("a\nb")));
    assert_eq!((&parts.words, parts.context), (&lines.words, lines.context));
    assert_ne!(parts.exact, lines.exact);
    assert_ne!(
        say(json!([text("ab"), text("c")])).exact,
        say(json!([text("a"), text("bc")])).exact
    );
}

#[test]
fn only_a_user_who_says_nothing_but_text_has_words() {
    let last = |turn: Value| {
        ask(
            OPENAI,
            &json!({"model": "x", "messages": [{"role": "user", "content": "Hi"}, turn]}),
        )
    };
    let image = json!({"type": "image_url", "image_url": {"url": "https://x/y"}});
    for turn in [
        json!({"role": "assistant", "content": "Well"}),
        json!({"role": "system", "content": "Well"}),
        json!({"role": "tool", "tool_call_id": "a", "content": "Well"}),
        json!({"role": "user", "content": [{"type": "text", "text": "Well"}, image]}),
        json!({"role": "user", "content": []}),
        json!({"role": "user"}),
    ] {
        assert_eq!(last(turn.clone()).words, None, "{turn}");
    }
    assert!(
        last(json!({"role": "assistant", "content": "Well"}))
            .traits
            .has_prefill
    );
    assert_eq!(
        last(json!({"role": "user", "content": ""})).words.as_deref(),
        Some("")
    );
}

#[test]
fn traits_say_what_a_cache_must_beware_of() {
    let plain = json!({"model": "x", "messages": [{"role": "user", "content": "Hi"}]});
    let with = |name: &str, value: Value| {
        let mut body = plain.clone();
        body[name] = value;
        ask(OPENAI, &body).traits
    };
    let none = ask(OPENAI, &plain).traits;
    assert_eq!((none.turns_before, none.choices, none.temperature), (0, 1, None));
    assert!(!none.has_tools && !none.has_unknown_fields && !none.thinks && !none.is_structured);
    assert!(with("web_search_options", json!({})).has_tools);
    assert!(with("tools", json!([{"type": "web_search"}])).has_unknown_fields);
    assert!(with("modalities", json!(["text", "audio"])).has_media);
    assert!(with("new_field", json!({})).has_unknown_fields);
    assert!(!with("logit_bias", json!({"1": 2})).has_unknown_fields);
    assert!(with("logprobs", json!(true)).wants_logprobs);
    assert!(with("response_format", json!({"type": "json_object"})).is_structured);
    assert!(with("reasoning_effort", json!("low")).thinks && !with("reasoning_effort", json!("none")).thinks);
    assert!(with("seed", json!(1)).has_seed);
    assert_eq!(with("n", json!(3)).choices, 3);
    assert_eq!(with("max_completion_tokens", json!(9)).max_output_tokens, Some(9));
}

#[test]
fn a_field_that_is_given_twice_counts_twice() {
    let body = |messages: &str, end: &str| {
        let body = format!(r#"{{"model":"x",{messages}"messages":[{{"role":"user","content":"Hi"{end}}}]}}"#);
        asked(OPENAI, body.as_bytes()).unwrap()
    };
    let plain = body("", "");
    let evil = body(r#""messages":[{"role":"user","content":"Ho"}],"#, "");
    let worse = body(r#""messages":[{"role":"user","content":"Hu"}],"#, "");
    assert_ne!(plain.context, evil.context);
    assert_ne!(worse.context, evil.context);
    assert!(evil.traits.has_unknown_fields);
    let (one, other) = (body("", r#","role":"user""#), body("", r#","content":"Hi""#));
    assert_ne!(one.context, other.context);
    assert_ne!(one.context, plain.context);
}

#[test]
fn surfaces_without_turns_are_compared_whole() {
    let embed = |body: Value| ask(Surface::Embeddings, &body);
    let one = embed(json!({"model": "e", "input": ["a", "b"], "user": "u"}));
    assert_eq!(one, embed(json!({"input": ["a", "b"], "model": "f"})));
    assert_eq!(one.words, None);
    for other in [
        json!({"input": ["b", "a"]}),
        json!({"input": "ab"}),
        json!({"input": ["a", "b"], "dimensions": 256}),
        json!({"input": ["a", "b"], "encoding_format": "base64"}),
    ] {
        assert_ne!(embed(other.clone()).exact, one.exact, "{other}");
    }
    let prompt = json!({"model": "e", "prompt": "a"});
    assert_ne!(ask(Surface::Completions, &prompt).exact, embed(prompt).exact);
}

#[test]
fn deep_bodies_are_refused() {
    let nested = |depth: usize| {
        let (open, close) = (
            r#"{"type":"tool_result","tool_use_id":"a","content":["#.repeat(depth),
            "]}".repeat(depth),
        );
        format!(r#"{{"messages":[{{"role":"user","content":[{open}{close}]}}]}}"#)
    };
    assert!(asked(ANTHROPIC, nested(100).as_bytes()).is_ok());
    assert!(asked(ANTHROPIC, nested(100_000).as_bytes()).is_err());
}

/// Providers that have no custom tools are given such a function: the question is another all the same.
#[test]
fn a_custom_tool_is_not_the_function_that_stands_for_it() {
    let asking = |tool: Value| json!({"messages": [{"role": "user", "content": "x"}], "tools": [tool]});
    let custom = asking(json!({"type": "custom", "custom": {"name": "h"}}));
    let schema = json!({"type": "object", "required": ["input"], "additionalProperties": false, "properties": {"input":
        {"type": "string", "description": "The input of this tool: plain text, without quotes or code fences around it."}}});
    let function = asking(json!({"type": "function", "function": {"name": "h", "parameters": schema}}));
    assert_ne!(ask(OPENAI, &custom).exact, ask(OPENAI, &function).exact);
    assert_ne!(ask(OPENAI, &custom).context, ask(OPENAI, &function).context);
}

#[test]
fn names_of_media_types_are_in_any_case() {
    for (surface, document) in [(OPENAI, rich_openai()), (ANTHROPIC, rich_anthropic())] {
        let other_case = document
            .to_string()
            .replace("data:image/png;base64", "DATA:Image/PNG;Base64")
            .replace("image/png", "image/PNG");
        assert_ne!(other_case, document.to_string());
        assert_eq!(
            asked(surface, other_case.as_bytes()).unwrap(),
            ask(surface, &document)
        );
    }
}

/// Every letter of both requests, one at a time.
#[test]
fn a_letter_in_the_other_case_is_another_question_unless_it_says_the_same() {
    for (surface, document) in [(OPENAI, rich_openai()), (ANTHROPIC, rich_anthropic())] {
        let whole = document.to_string().into_bytes();
        for letter in (0..whole.len()).filter(|at| whole[*at].is_ascii_alphabetic()) {
            let mut damaged = whole.clone();
            damaged[letter] ^= 0x20;
            is_another_question_or_refused(surface, &document, &damaged);
        }
    }
}

/// Checks that what was damaged is not asked as what it was, unless both say the same.
fn is_another_question_or_refused(surface: Surface, document: &Value, damaged: &[u8]) {
    if let Ok(other) = asked(surface, damaged) {
        let changed: Value = serde_json::from_slice(damaged).unwrap();
        let same = said(&changed, true) == said(document, true);
        assert!(other.exact != ask(surface, document).exact || same, "{changed}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_asked_or_refused(bytes: Vec<u8>, text in "[\"\\\\{}\\[\\],: a-d0-9]{0,60}") {
        for surface in [OPENAI, ANTHROPIC, Surface::Embeddings] {
            let _ = (asked(surface, &bytes), asked(surface, text.as_bytes()));
        }
    }

    #[test]
    fn a_cut_or_damaged_request_is_another_question_or_refused(cut in 0usize..2000, put: u8) {
        for (surface, document) in [(OPENAI, rich_openai()), (ANTHROPIC, rich_anthropic())] {
            let whole = document.to_string().into_bytes();
            let cut = cut.min(whole.len() - 1);
            prop_assert!(asked(surface, &whole[..cut]).is_err());
            let mut damaged = whole.clone();
            damaged[cut] = put;
            is_another_question_or_refused(surface, &document, &damaged);
        }
    }

    #[test]
    fn different_conversations_are_different_questions(
        a in prop::collection::vec((0..4_usize, "[ab|]{0,3}"), 1..5),
        b in prop::collection::vec((0..4_usize, "[ab|]{0,3}"), 1..5),
    ) {
        let body = |turns: &[(usize, String)]| {
            let roles = ["user", "assistant", "system", "developer"];
            let turns = turns.iter().map(|(role, text)| json!({"role": roles[*role], "content": text}));
            json!({"messages": turns.collect::<Vec<_>>()})
        };
        let (one, other) = (ask(OPENAI, &body(&a)), ask(OPENAI, &body(&b)));
        prop_assert_eq!(one.exact == other.exact, a == b);
        prop_assert_eq!(one.context == other.context && one.words == other.words, a == b);
    }
}
