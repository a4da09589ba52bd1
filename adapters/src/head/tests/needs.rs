//! What a request needs, and how its conversation is known.

use proptest::prelude::*;

use super::super::tape;
use super::*;

/// What `a` hashes to.
const SESSION_A: u64 = 6_457_959_414_642_172_395;

fn needs_of(surface: Surface, body: &str) -> Vec<&'static str> {
    head_of(surface, body).unwrap().needs.names().collect()
}

#[test]
fn what_a_request_needs_is_found_in_fields_and_in_parts_however_nested() {
    let chat = |fields: &str| needs_of(Surface::ChatCompletions, &format!(r#"{{"model":"m",{fields}}}"#));
    let said = |part: &str| chat(&format!(r#""messages":[{{"role":"user","content":[{part}]}}]"#));
    assert_eq!(said(r#"{"type":"text","text":"image_url"}"#), [""; 0]);
    assert_eq!(
        said(r#"{"image_url":{"url":"u"},"type":"image_\u0075rl"}"#),
        ["vision"]
    );
    assert_eq!(
        said(r#"{"type":"input_audio"},{"type":"file"}"#),
        ["audio", "documents"]
    );
    let cases = [
        (r#""tools":[{"type":"function"}]"#, &["tools"][..]),
        (r#""functions":[{}],"tools":[]"#, &["tools"]),
        (
            r#""tools":[],"functions":null,"response_format":{"type":"text"}"#,
            &[],
        ),
        (
            r#""response_format":{"x":{"type":"json_object"},"type":"json_schema"}"#,
            &["json_schema"],
        ),
        (r#""response_format":{"type":"json_object"}"#, &["json_mode"]),
        (r#""reasoning_effort":"low""#, &["reasoning"]),
        (r#""reasoning_effort":"none","thinking":{"type":"disabled"}"#, &[]),
        (
            r#""thinking":{"budget_tokens":1,"type":"enabled"}"#,
            &["reasoning"],
        ),
        (
            r#""response_format":7,"reasoning_effort":{},"thinking":"enabled","tools":"x""#,
            &[],
        ),
    ];
    for (fields, expected) in cases {
        assert_eq!(chat(&format!(r#""messages":[],{fields}"#)), expected, "{fields}");
    }
}

#[test]
fn a_messages_request_tells_its_needs_in_its_own_words() {
    let messages = |fields: &str| needs_of(Surface::Messages, &format!(r#"{{"model":"m",{fields}}}"#));
    let nested = concat!(
        r#""messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":["#,
        r#"{"type":"image","source":{"type":"base64","data":"AA"}}]}]}]"#
    );
    assert_eq!(messages(nested), ["vision"]);
    let within = concat!(
        r#""messages":[{"role":"user","content":[{"type":"document","source":{"type":"content","content":["#,
        r#"{"type":"image"}]}}]}]"#
    );
    assert_eq!(messages(within), ["vision", "documents"]);
    // What a tool was called with is nobody's picture.
    let call = concat!(
        r#""messages":[{"role":"assistant","content":[{"type":"tool_use","input":{"type":"image","content":["#,
        r#"{"type":"document"}]}}],"type":"image"},["image"],{"content":{"type":"image"}}],"tools":[{"type":"image"}]"#
    );
    assert_eq!(messages(call), ["tools"]);
    assert_eq!(
        messages(r#""messages":[],"system":[{"type":"image"}]"#),
        ["vision"]
    );
    let format = r#"{"type":"json_schema","schema":{"type":"object"}}"#;
    assert_eq!(
        messages(&format!(r#""messages":[],"output_format":{format}"#)),
        ["json_schema"]
    );
    let config = format!(r#""messages":[],"output_config":{{"effort":"low","format":{format}}}"#);
    assert_eq!(messages(&config), ["json_schema"]);
    assert_eq!(
        messages(r#""messages":[],"thinking":{"type":"adaptive"}"#),
        ["reasoning"]
    );
    let other = r#""messages":[],"response_format":{"type":"json_schema"}"#;
    assert_eq!(messages(other), [""; 0]);
    let embedded = r#"{"model":"m","input":"x","tools":[{}],"messages":[{"content":[{"type":"image"}]}]}"#;
    assert_eq!(needs_of(Surface::Embeddings, embedded), [""; 0]);
}

#[test]
fn a_conversation_is_known_by_the_clients_own_word_for_it() {
    let session = |surface, fields: &str| {
        head_of(surface, &format!(r#"{{"model":"m","messages":[],{fields}}}"#))
            .unwrap()
            .session
    };
    let chat = |fields: &str| session(Surface::ChatCompletions, fields);
    let (a, b) = (chat(r#""user":"a""#), chat(r#""user":"b""#));
    assert!(a.is_some() && b.is_some() && a != b);
    assert_eq!(chat(r#""safety_identifier":"a""#), a);
    assert_eq!(
        chat(r#""user":"b","safety_identifier":"c","prompt_cache_key":"a""#),
        a
    );
    assert_eq!(
        chat(r#""user":"b","prompt_cache_key":"","safety_identifier":"c""#),
        b
    );
    assert_eq!(
        session(
            Surface::Messages,
            r#""metadata":{"user_\u0069d":"a","x":1},"user":"b""#
        ),
        a
    );
    for nothing in [
        r#""user":"""#,
        r#""user":null"#,
        r#""user":7"#,
        r#""metadata":{"user_id":"a"}"#,
        r#""x":1"#,
    ] {
        assert_eq!(chat(nothing), None, "{nothing}");
    }
    for nothing in [
        r#""metadata":{}"#,
        r#""metadata":"a""#,
        r#""metadata":{"user_id":["a"]}"#,
        r#""user":"a""#,
    ] {
        assert_eq!(session(Surface::Messages, nothing), None, "{nothing}");
    }
    // The same tomorrow, on another machine.
    assert_eq!(a, Some(SESSION_A));
}

#[test]
fn the_beginning_of_a_prompt_is_told_by_texts_not_by_marks_media_or_form() {
    let prefix = |body: &str| head_of(Surface::Messages, body).unwrap().prefix;
    let first = prefix(concat!(
        r#"{"model":"m","system":"S","tools":[{"name":"f"}],"messages":[{"role":"user","content":[{"type":"text","text":"Hi","#,
        r#""cache_control":{"type":"ephemeral","ttl":"1h"}}]}]}"#
    ));
    let later = prefix(concat!(
        r#"{"model":"n","max_tokens":4,"system":[{"type":"text","text":"S"}],"tools":[{"name":"f","cache_control":{"type":"x"}}],"#,
        r#""messages":[{"content":"Hi","role":"user"},{"role":"assistant","content":"Yes?"},{"role":"user","content":"Go"}]}"#
    ));
    assert_eq!(first, later);
    for other in [
        r#"{"model":"m","system":"S","tools":[{"name":"g"}],"messages":[{"role":"user","content":"Hi"}]}"#,
        r#"{"model":"m","system":"T","tools":[{"name":"f"}],"messages":[{"role":"user","content":"Hi"}]}"#,
        r#"{"model":"m","system":"S","tools":[{"name":"f"}],"messages":[{"role":"user","content":"Ho"}]}"#,
        r#"{"model":"m","system":"SH","tools":[{"name":"f"}],"messages":[{"role":"user","content":"i"}]}"#,
    ] {
        assert_ne!(prefix(other), first, "{other}");
    }
}

#[test]
fn only_so_much_of_a_prompt_tells_its_beginning() {
    let prefix = |text: &str| {
        let body = serde_json::json!({"model": "m", "messages": [{"role": "user", "content": text}], "tools": [{"name": "f"}]});
        chat(&body.to_string()).unwrap().prefix
    };
    let long = "é".repeat(tape::PREFIX_BYTES);
    assert_eq!(prefix(&long), prefix(&format!("{long}x")));
    assert_ne!(prefix(&long), prefix(&format!("x{long}")));
}

#[test]
fn turns_are_counted() {
    let turns = |messages: &str| {
        chat(&format!(r#"{{"model":"m","messages":{messages}}}"#))
            .unwrap()
            .turns
    };
    assert_eq!((turns("[]"), turns(r#"[{"content":[1,2]},{},3]"#)), (0, 3));
    assert_eq!(
        head_of(Surface::Embeddings, r#"{"model":"m","input":["a","b"]}"#)
            .unwrap()
            .turns,
        0
    );
}

/// A message as clients write them.
fn message(role: &'static str) -> impl Strategy<Value = serde_json::Value> {
    let text = "[a-z\"\\\\é🦀]{0,8}";
    prop_oneof![
        text.prop_map(move |text| serde_json::json!({"role": role, "content": text})),
        text.prop_map(
            move |text| serde_json::json!({"content": [{"type": "text", "text": text}], "role": role})
        ),
        (text, any::<bool>()).prop_map(move |(text, is_last)| {
            let image = serde_json::json!({"type": "image_url", "image_url": {"url": text}});
            let words =
                serde_json::json!({"text": text, "type": "text", "cache_control": {"type": "ephemeral"}});
            let parts = if is_last { [words, image] } else { [image, words] };
            serde_json::json!({"role": role, "content": parts})
        }),
    ]
}

proptest! {
    #[test]
    fn later_turns_begin_as_the_first_one_did(
        system in prop::option::of(message("system")),
        first in message("user"),
        later in prop::collection::vec((message("assistant"), message("user")), 0..4),
        tools_last: bool,
        surface in prop::sample::select(vec![Surface::ChatCompletions, Surface::Messages]),
    ) {
        let mut messages: Vec<_> = system.into_iter().chain([first]).collect();
        let opening = messages.len();
        messages.extend(later.into_iter().flat_map(|(answer, question)| [answer, question]));
        let mut known = None;
        for count in (opening..=messages.len()).step_by(2) {
            let said = serde_json::to_string(&messages[..count]).unwrap();
            let tools = r#""tools":[{"function":{"name":"f","description":"d"}}]"#;
            let body = if tools_last {
                format!(r#"{{"model":"m","messages":{said},{tools}}}"#)
            } else {
                format!(r#"{{"model":"m",{tools},"messages":{said}}}"#)
            };
            let head = head_of(surface, &body).unwrap();
            prop_assert_eq!(head.turns as usize, count);
            prop_assert_eq!(*known.get_or_insert(head.prefix), head.prefix);
            let has_image = said.contains("image_url");
            prop_assert_eq!(head.needs.contains(tollgate_core::Capabilities::VISION), has_image);
        }
    }

    /// JSON of any form, with the words that matter in any place.
    #[test]
    fn bodies_of_any_form_are_read_or_refused(
        words in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"messages\"", "\"content\"", "\"type\"", "\"image\"", "\"role\"", "\"user\"",
            "\"system\"", "\"tools\"", "\"metadata\"", "\"user_id\"", "\"thinking\"", "\"model\"", "\"m\"", "null", "1",
        ]), 0..60),
    ) {
        let body = format!(r#"{{"model":"m","messages":[],{}}}"#, words.concat());
        for surface in [Surface::ChatCompletions, Surface::Messages, Surface::Completions, Surface::Embeddings] {
            let _ = head_of(surface, &body);
        }
    }
}
