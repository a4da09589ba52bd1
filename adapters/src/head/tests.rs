//! What one pass over a request finds, and what it refuses.

mod needs;

use proptest::prelude::*;

use super::*;

fn head_of(surface: Surface, body: &str) -> Result<Head, Refusal> {
    read_head(surface, body.as_bytes(), &mut Scratch::default())
}

fn chat(body: &str) -> Result<Head, Refusal> {
    head_of(Surface::ChatCompletions, body)
}

fn refused(body: &str) -> (RefusalKind, Option<String>, String) {
    let refusal = chat(body).unwrap_err();
    (
        refusal.kind,
        refusal.param.map(Into::into),
        refusal.message.into(),
    )
}

#[test]
fn the_head_of_an_ordinary_request_is_read() {
    let body =
        r#"{"model":"gpt-4o","messages":[{"role":"user","content":"Hello"}],"max_tokens":5,"stream":true}"#;
    let head = chat(body).unwrap();
    assert_eq!(
        (&*head.model, head.stream, head.include_usage),
        ("gpt-4o", true, false)
    );
    assert_eq!((head.max_output_tokens, head.prompt_bytes), (Some(5), 9));
    assert_eq!(&body[head.model_place.unwrap()], r#""gpt-4o""#);
    assert_eq!(head.usage_place, UsagePlace::Absent(1));
}

#[test]
fn places_are_right_behind_escapes_of_every_kind() {
    let body = concat!(
        " \r\n{ \"a\\\"\\\\\\u00e9\\ud83e\\udd80\" : \"\\n\\u4e2d \\\" {\" , \"m\\u006fdel\"\t:\n \"a\\/b \\\"\" ,",
        "\"messages\":[],\"stream_options\" : { \"x\" : [ 1 ] , \"include_usag\\u0065\" : false } }"
    );
    let head = chat(body).unwrap();
    assert_eq!(&*head.model, "a/b \"");
    assert_eq!(&body[head.model_place.unwrap()], r#""a\/b \"""#);
    let UsagePlace::Off(place) = head.usage_place else {
        panic!("{:?}", head.usage_place)
    };
    assert_eq!(&body[place], "false");
}

#[test]
fn every_state_of_stream_options_has_its_patch() {
    let place = |options: &str| {
        chat(&format!(
            r#"{{"model":"m","messages":[],"stream_options":{options}}}"#
        ))
        .map(|head| head.usage_place)
    };
    assert_eq!(place("null"), Ok(UsagePlace::Null(44..48)));
    assert_eq!(place("{}"), Ok(UsagePlace::Lacking(45, false)));
    assert_eq!(place("{ \"a\":1}"), Ok(UsagePlace::Lacking(45, true)));
    assert_eq!(place(r#"{"include_usage":true}"#), Ok(UsagePlace::Nowhere));
    assert_eq!(place(r#"{"include_usage":null}"#), Ok(UsagePlace::Off(61..65)));
    for bad in [
        "true",
        r#"{"include_usage":1}"#,
        r#"{"include_usage":true,"include_usage":false}"#,
    ] {
        assert_eq!(place(bad).unwrap_err().kind, RefusalKind::InvalidField);
    }
}

#[test]
fn wrong_types_name_the_field_what_was_found_and_what_is_wanted() {
    let cases = [
        (r#"{"messages":[]}"#, "model", "missing"),
        (
            r#"{"model":5,"messages":[]}"#,
            "model",
            "must be a string, not a number",
        ),
        (r#"{"model":" ","messages":[]}"#, "model", "empty"),
        (r#"{"model":"m"}"#, "messages", "missing"),
        (
            r#"{"model":"m","messages":"hi"}"#,
            "messages",
            "must be an array of messages, not a string",
        ),
        (
            r#"{"model":"m","messages":[],"stream":"yes"}"#,
            "stream",
            "must be true or false, not a string",
        ),
        (
            r#"{"model":"m","messages":[],"max_tokens":"9"}"#,
            "max_tokens",
            "whole number",
        ),
        (
            r#"{"model":"m","messages":[],"max_tokens":1.5}"#,
            "max_tokens",
            "whole number",
        ),
    ];
    for (body, param, words) in cases {
        let (kind, found, message) = refused(body);
        assert_eq!(
            (kind, found.as_deref()),
            (RefusalKind::InvalidField, Some(param)),
            "{body}"
        );
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_field_given_twice_is_refused_however_it_is_spelled() {
    for key in [
        "model",
        "stream",
        "stream_options",
        "messages",
        "max_tokens",
        "\\u006dodel",
    ] {
        let body = format!(
            r#"{{"model":"m","messages":[],"stream":false,"stream_options":null,"max_tokens":1,"{key}":"x"}}"#
        );
        let (kind, _, message) = refused(&body);
        assert_eq!(kind, RefusalKind::InvalidField);
        assert!(message.contains("twice"), "{message}");
    }
}

#[test]
fn what_is_not_a_json_object_is_refused_with_its_place() {
    for (body, words) in [
        ("", "empty"),
        (" \n", "empty"),
        ("[]", "object"),
        ("\"x\"", "object"),
        ("{\"model\":\"m\"", "line 1 column"),
        ("{\"model\":\"m\",}", "line 1 column 14"),
        ("{\"model\":\"m\"} x", "column 15"),
        ("{\"a\":1e999}", "out of range"),
    ] {
        let (kind, _, message) = refused(body);
        assert_eq!(kind, RefusalKind::MalformedBody, "{body}");
        assert!(message.contains(words), "{body}: {message}");
    }
    let long = r#"{"model":"m","messages":[],"seed":123456789012345678901234567890}"#;
    assert!(chat(long).is_ok(), "a number is a number, however long");
    let refusal = read_head(Surface::Messages, b"{\"a\":\"\xff\"}", &mut Scratch::default()).unwrap_err();
    assert!(refusal.message.contains("offset 6"), "{}", refusal.message);
}

#[test]
fn what_the_parser_overlooks_behind_numbers_and_literals_is_refused() {
    let body = |value: &str| format!(r#"{{"model":"m","messages":[],"x":{value}}}"#);
    for zeros in ["false\0", "true\0\0", "null\0", "1\0", "1.5\0 ", "-0\0"] {
        assert_eq!(refused(&body(zeros)).0, RefusalKind::MalformedBody, "{zeros:?}");
    }
    for number in [
        "1234567890123456789",
        "-12345678901234567890",
        "123456789012345678901234567890",
        "0.1234567890123456789012",
        "123456789012345678.5",
        "1234567890123456789012e3",
    ] {
        assert!(chat(&body(number)).is_ok(), "{number}");
        assert!(chat(&body(&format!("[{number}, {number} ]"))).is_ok(), "{number}");
        for behind in ["x", "e", "/", "1.2.3", "-1", "\0"] {
            let (kind, _, message) = refused(&body(&format!("{number}{behind}")));
            assert_eq!(kind, RefusalKind::MalformedBody, "{number}{behind}");
            assert!(message.contains("line 1 column"), "{message}");
        }
    }
}

#[test]
fn depth_and_number_of_values_are_bounded() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        chat(&format!(r#"{{"model":"m","messages":[],"x":{open}{close}}}"#))
    };
    assert!(nested(MAX_DEPTH - 1).is_ok());
    assert!(nested(MAX_DEPTH).unwrap_err().message.contains("nested deeper"));
    assert!(nested(1_000_000).unwrap_err().message.contains("nested deeper"));
    let wide = format!(
        r#"{{"model":"m","messages":[],"x":[{}0]}}"#,
        "0,".repeat(MAX_VALUES)
    );
    assert!(chat(&wide).unwrap_err().message.contains("more than"));
}

#[test]
fn limits_of_tokens_come_from_either_field() {
    let limit = |fields: &str| {
        chat(&format!(r#"{{"model":"m","messages":[],{fields}}}"#))
            .unwrap()
            .max_output_tokens
    };
    assert_eq!(limit(r#""max_tokens":7,"max_completion_tokens":9"#), Some(9));
    assert_eq!(limit(r#""max_tokens":7,"max_completion_tokens":null"#), Some(7));
    assert_eq!(limit(r#""max_tokens":-1"#), None);
    assert_eq!(limit(r#""max_tokens":0"#), Some(0));
    assert_eq!(limit(r#""max_tokens":64.0"#), Some(64));
    assert_eq!(limit(r#""max_tokens":18446744073709551615"#), Some(u32::MAX));
}

#[test]
fn the_prompt_is_text_without_media() {
    let bytes = |surface, body: &str| head_of(surface, body).unwrap().prompt_bytes;
    let image = r#"{"model":"m","messages":[{"content":[{"text":"abc"},{"image_url":{"url":"data:image/png;base64,AAAA"}}]}]}"#;
    assert_eq!(bytes(Surface::ChatCompletions, image), 3);
    let block = r#"{"model":"m","system":"xy","messages":[{"content":[{"source":{"data":"AAAA"}}]}],"metadata":{"a":"bcd"}}"#;
    assert_eq!(bytes(Surface::Messages, block), 2);
    assert_eq!(
        bytes(Surface::Embeddings, r#"{"model":"m","input":[[1,2,3],"ab"]}"#),
        14
    );
    assert_eq!(
        bytes(Surface::Completions, r#"{"model":"m","prompt":"\u00e9"}"#),
        2
    );
    assert_eq!(
        bytes(
            Surface::ChatCompletions,
            r#"{"model":"m","messages":[],"tools":[{"name":"ab"}]}"#
        ),
        6
    );
}

#[test]
fn surfaces_without_streams_never_stream() {
    let body = r#"{"model":"m","input":"x","stream":true,"stream_options":7}"#;
    let head = head_of(Surface::Embeddings, body).unwrap();
    assert_eq!((head.stream, head.include_usage), (false, false));
}

#[test]
fn a_scratch_serves_request_after_request_and_gives_large_buffers_back() {
    let mut scratch = Scratch::default();
    let large = format!(r#"{{"model":"large","messages":["{}"]}}"#, "x".repeat(4 << 20));
    assert_eq!(
        &*read_head(Surface::Messages, large.as_bytes(), &mut scratch)
            .unwrap()
            .model,
        "large"
    );
    assert!(scratch.copy.capacity() < KEPT_BYTES);
    for name in ["a", "bb", "ccc"] {
        let body = format!(r#"{{"model":"{name}","messages":[]}}"#);
        assert_eq!(
            &*read_head(Surface::Messages, body.as_bytes(), &mut scratch)
                .unwrap()
                .model,
            name
        );
        assert!(read_head(Surface::Messages, b"{\"model\":", &mut scratch).is_err());
    }
}

/// JSON with spaces and escapes wherever they are allowed.
fn body() -> impl Strategy<Value = (String, String)> {
    let space = "[ \t\r\n]{0,2}";
    let string = r#"([a-z{}\[\]:, é中🦀]|\\n|\\"|\\\\|\\u00e9|\\ud83e\\udd80){0,40}"#;
    let value = prop_oneof![
        string.prop_map(|text| format!("\"{text}\"")),
        "-?[1-9][0-9]{0,3}(\\.[0-9]{1,3})?",
        Just("null".to_owned()),
        Just("[ {\"model\" : \"inner\"} , [] ]".to_owned()),
    ];
    let others = prop::collection::vec((string, value, space), 0..6);
    (others, string, space, 0usize..6).prop_map(|(others, model, gap, place)| {
        let mut fields: Vec<String> = others
            .into_iter()
            .enumerate()
            .map(|(n, (key, value, gap))| format!("{gap}\"{n}{key}\"{gap}:{gap}{value}{gap}"))
            .collect();
        let model = format!("\"m{model}\"");
        fields.insert(
            place.min(fields.len()),
            format!("{gap}\"model\"{gap}:{gap}{model}{gap}"),
        );
        fields.push("\"messages\":[]".to_owned());
        (format!("{gap}{{{}}}{gap}", fields.join(",")), model)
    })
}

proptest! {
    #[test]
    fn the_model_is_found_in_any_body((body, model) in body()) {
        let head = chat(&body).unwrap();
        prop_assert_eq!(&body[head.model_place.clone().unwrap()], &model);
        prop_assert_eq!(&*head.model, serde_json::from_str::<String>(&model).unwrap());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let _ = read_head(Surface::ChatCompletions, &bytes, &mut Scratch::default());
    }

    #[test]
    fn damaged_bodies_are_read_or_refused((body, _) in body(), at: prop::sample::Index, byte: u8, cut: bool) {
        let mut bytes = body.into_bytes();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        let _ = read_head(Surface::ChatCompletions, &bytes, &mut Scratch::default());
    }
}

#[test]
fn developers_are_found_as_roles_of_messages_and_nowhere_else() {
    let body = concat!(
        r#"{"model":"developer","role":"developer","x":[{"role":"developer"}],"messages":["role","developer","#,
        r#"{"role":"developer","content":"developer"},{"role" : "\u0064eveloper" ,"name":"developer"},"#,
        r#"{"content":[{"role":"developer"}],"role":"system"},{"role":"Developer"},["developer"],"#,
        r#"{"role":["developer"]},{"role":{"role":"developer"}}],"tools":[{"role":"developer"}],"system":[{"role":"developer"}]}"#
    );
    let head = chat(body).unwrap();
    let roles: Vec<_> = head
        .developers
        .iter()
        .map(|quote| &body[value_span(body.as_bytes(), *quote).unwrap()])
        .collect();
    assert_eq!(roles, [r#""developer""#, r#""\u0064eveloper""#]);
    let unwrapped = chat(r#"{"model":"m","messages":[{"role":"user"}]}"#).unwrap();
    assert!(unwrapped.developers.is_empty() && unwrapped.refusable.is_empty());
}

#[test]
fn fields_that_some_refuse_are_found_at_the_top_in_order() {
    let body = concat!(
        r#"{"stop":[],"model":"m","logit_bias":{"1":2},"messages":[{"store":true}],"l\u006fgprobs":false,"#,
        r#""presence_penalty":0.0,"frequency_penalty":0.5,"top_logprobs":0,"metadata":null,"max_completion_tokens":4}"#
    );
    let head = chat(body).unwrap();
    let found: Vec<_> = head
        .refusable
        .iter()
        .map(|member| (member.name, member.is_idle))
        .collect();
    assert_eq!(
        found,
        [
            ("stop", true),
            ("logit_bias", false),
            ("logprobs", true),
            ("presence_penalty", true),
            ("frequency_penalty", false),
            ("top_logprobs", true),
            ("metadata", true),
        ]
    );
    assert!(body[head.refusable[2].key_at..].starts_with(r#"l\u006fgprobs""#));
    assert!(body[head.completion_limit.unwrap()..].starts_with("max_completion_tokens"));
    let both = chat(r#"{"model":"m","messages":[],"max_tokens":1,"max_completion_tokens":2}"#).unwrap();
    assert_eq!((both.completion_limit, both.max_output_tokens), (None, Some(2)));
}
