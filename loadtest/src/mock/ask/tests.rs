//! What a request asks a simulated model for.

use super::*;

fn ask(body: &str) -> Ask {
    read(body.as_bytes(), None).expect("valid request")
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
        assert!(read(bad.as_bytes(), None).is_err(), "{bad}");
    }
    assert!(read(b"{\"model\":\"\xff\"}", None).is_err());
}

#[test]
fn the_model_in_the_path_wins() {
    assert_eq!(
        read(b"{}", Some("deployment")).expect("valid").model,
        "deployment"
    );
}
