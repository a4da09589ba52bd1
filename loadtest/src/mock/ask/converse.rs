//! AWS Bedrock's Converse, and the count of its tokens.

use serde_json::Value;

use super::{Ask, OfferedTool, chosen, items, model, required, text_at, text_bytes};

/// Reads a request to the model that the path names.
pub(super) fn read(body: &Value, in_path: Option<&str>) -> Result<Ask, String> {
    let messages = required(body, "messages")?;
    let (tool, tool_demanded) = read_tool(body);
    Ok(Ask {
        max_tokens: body.pointer("/inferenceConfig/maxTokens").and_then(Value::as_u64),
        tool,
        tool_demanded,
        schema: read_schema(body),
        thinking: matches!(
            text_at(Some(body), "/additionalModelRequestFields/thinking/type"),
            Some("enabled" | "adaptive")
        ),
        ..Ask::new(
            model(in_path)?,
            text_bytes(Some(messages)) + text_bytes(body.get("system")),
        )
    })
}

/// Reads a request whose tokens are to be counted.
pub(super) fn read_counted(body: &Value, in_path: Option<&str>) -> Result<Ask, String> {
    let counted = body.pointer("/input/converse");
    let counted = counted.ok_or("missing required parameter: 'input.converse'")?;
    read(counted, in_path)
}

/// The schema of a structured answer is a text in a text.
fn read_schema(body: &Value) -> Option<Value> {
    let schema = text_at(Some(body), "/outputConfig/textFormat/structure/jsonSchema/schema")?;
    Some(serde_json::from_str(schema).unwrap_or(Value::Null))
}

fn read_tool(body: &Value) -> (Option<OfferedTool>, bool) {
    let choice = body.pointer("/toolConfig/toolChoice");
    let named = text_at(choice, "/tool/name");
    let demanded = named.is_some() || choice.is_some_and(|choice| choice.get("any").is_some());
    let tools = items(body.pointer("/toolConfig/tools"));
    let offered = tools.filter_map(|tool| {
        let tool = tool.get("toolSpec")?;
        Some((tool.get("name")?.as_str()?, tool.pointer("/inputSchema/json")))
    });
    let tool = chosen(offered, named);
    let demanded = demanded && tool.is_some();
    (tool, demanded)
}
