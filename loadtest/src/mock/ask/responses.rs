//! OpenAI Responses.

use serde_json::Value;

use super::{Ask, OfferedTool, chosen, items, model, required, text_at, text_bytes};

/// Reads a request.
pub(super) fn read(body: &Value) -> Result<Ask, String> {
    let model = model(body.get("model").and_then(Value::as_str))?;
    let input = required(body, "input")?;
    if !(input.is_string() || input.is_array()) {
        return Err("invalid 'input': expected a string or a list of items".to_owned());
    }
    let stream = match body.get("stream") {
        None | Some(Value::Null) => false,
        Some(stream) => stream.as_bool().ok_or("invalid 'stream': expected a boolean")?,
    };
    let (tool, tool_demanded) = read_tool(body);
    Ok(Ask {
        stream,
        max_tokens: body.get("max_output_tokens").and_then(Value::as_u64),
        tool,
        tool_demanded,
        schema: match text_at(Some(body), "/text/format/type") {
            Some("json_schema") => body.pointer("/text/format/schema").cloned(),
            Some("json_object") => Some(Value::Null),
            _ => None,
        },
        // Reasoning is shown to those only who ask for a summary of it.
        thinking: text_at(Some(body), "/reasoning/summary").is_some(),
        ..Ask::new(
            model,
            text_bytes(Some(input)) + text_bytes(body.get("instructions")),
        )
    })
}

fn read_tool(body: &Value) -> (Option<OfferedTool>, bool) {
    let choice = body.get("tool_choice");
    let named = text_at(choice, "/name");
    let demanded = choice.and_then(Value::as_str) == Some("required") || named.is_some();
    let offered = items(body.get("tools"))
        .filter_map(|tool| Some((tool.get("name")?.as_str()?, tool.get("parameters"))));
    let tool = chosen(offered, named);
    let demanded = demanded && tool.is_some();
    (tool, demanded)
}
