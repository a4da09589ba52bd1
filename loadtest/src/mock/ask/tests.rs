//! What a request asks a simulated model for, in each dialect.

use super::*;
use crate::mock::dialects::{Framing, Surface};

const CHAT: Endpoint = Endpoint::Write(Writer::Text(Surface::Chat));

fn ask(body: &str) -> Ask {
    read(CHAT, body.as_bytes(), None).expect("valid request")
}

#[test]
fn prompt_text_is_counted_wherever_it_stands() {
    let body = r#"{"model":"m","system":[{"type":"text","text":"12345678"}],"messages":[
        {"role":"user","content":"1234"},
        {"role":"user","content":[{"type":"text","text":"12"},{"type":"image_url","image_url":{"url":"data:xxxxxxxx"}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"long-id","content":[{"type":"text","text":"34"}]}]},
        {"role":"assistant","content":null,"tool_calls":[{"function":{"arguments":"{}"}}]}]}"#;
    assert_eq!(ask(body).prompt_tokens, 4);
    assert_eq!(ask(r#"{"model":"m","messages":[]}"#).prompt_tokens, 1);
    assert_eq!(ask(r#"{"model":"m","input":["12345","678"]}"#).prompt_tokens, 2);
    assert_eq!(ask(r#"{"model":"m","input":[[1,2,3],[4]]}"#).prompt_tokens, 4);
    assert_eq!(
        ask(r#"{"model":"m","messages":[{"content":"é\n"}]}"#).prompt_tokens,
        1
    );
}

#[test]
fn a_demanded_tool_is_found_in_both_dialects() {
    let openai = ask(
        r#"{"model":"m","tools":[{"type":"function","function":{"name":"a"}},{"type":"function","function":{"name":"b"}}],
            "tool_choice":{"type":"function","function":{"name":"b"}}}"#,
    );
    assert!(openai.tool_demanded);
    assert_eq!(openai.tool.expect("tool").name, "b");
    let anthropic = ask(
        r#"{"model":"m","tools":[{"name":"a","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"}}"#,
    );
    assert!(anthropic.tool_demanded);
    assert_eq!(
        anthropic.tool.expect("tool").schema,
        serde_json::json!({"type": "object"})
    );
    assert!(!ask(r#"{"model":"m","tools":[{"name":"a"}],"tool_choice":"auto"}"#).tool_demanded);
    assert!(!ask(r#"{"model":"m","tool_choice":"required"}"#).tool_demanded);
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    for bad in [
        "",
        "[]",
        "{",
        r#"{"messages":[]}"#,
        r#"{"model":""}"#,
        r#"{"model":7}"#,
        r#"{"model":"m","n":0}"#,
        r#"{"model":"m","n":9999}"#,
        r#"{"model":"m","stream":"yes"}"#,
        r#"{"model":"m","max_tokens":-1}"#,
        r#"{"model":"m","input":{"a":1}}"#,
        r#"{"model":"m","input":[]}"#,
        r#"{"model":"m","dimensions":1000000}"#,
        "{\"model\":\"\u{fffd}\",\"stream\":1}",
    ] {
        assert!(read(CHAT, bad.as_bytes(), None).is_err(), "{bad}");
    }
    assert!(read(CHAT, b"{\"model\":\"\xff\"}", None).is_err());
}

#[test]
fn the_model_in_the_path_wins() {
    assert_eq!(
        read(CHAT, b"{}", Some("deployment")).expect("valid").model,
        "deployment"
    );
}

#[test]
fn an_embedding_of_google_needs_a_text_and_a_chat_its_contents() {
    let generate = Endpoint::Write(Writer::Generate(Framing::Whole));
    let refused = |endpoint, body: &str| read(endpoint, body.as_bytes(), Some("m")).expect_err(body);
    assert!(refused(generate, r#"{"contents": "text"}"#).contains("contents is not specified"));
    let too_many = r#"{"contents": [], "generationConfig": {"candidateCount": 99}}"#;
    assert!(refused(generate, too_many).contains("found 99"));
    let embed = Endpoint::Tell(Teller::EmbedContent);
    assert!(refused(embed, r#"{"content": {"parts": []}}"#).contains("content.parts"));
    let huge = r#"{"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 1000000}"#;
    assert!(refused(embed, huge).contains("dimensions"));
    let batch = Endpoint::Tell(Teller::BatchEmbedContents);
    assert!(refused(batch, r#"{"requests": []}"#).contains("found 0 texts"));
    let mixed = r#"{"input_type": "x", "model": "e", "texts": ["a", 7]}"#;
    assert!(refused(Endpoint::Tell(Teller::Embed), mixed).contains("strings"));
}

#[test]
fn whether_it_streams_is_in_the_path_where_the_model_is() {
    let streams = |endpoint, body: &str| read(endpoint, body.as_bytes(), Some("m")).expect(body).stream;
    let google = |framing| Endpoint::Write(Writer::Generate(framing));
    assert!(streams(google(Framing::Events), r#"{"contents": []}"#));
    assert!(!streams(
        google(Framing::Whole),
        r#"{"contents": [], "stream": true}"#
    ));
    let converse = Endpoint::Write(Writer::Converse { streams: true });
    assert!(streams(converse, r#"{"messages": []}"#));
    assert!(streams(CHAT, r#"{"stream": true}"#));
    let responses = Endpoint::Write(Writer::Responses);
    let odd = read(
        responses,
        br#"{"model": "m", "input": "a", "stream": "yes"}"#,
        None,
    );
    assert!(odd.expect_err("no boolean").contains("'stream'"));
}
