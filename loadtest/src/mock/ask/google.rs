//! Google's `generateContent` and `countTokens`. Google takes members in camel case and in snake case.

use serde_json::Value;

use super::{Ask, OfferedTool, checked_choices, chosen, items, model, text_bytes};

/// Reads a request to the model that the path names.
pub(super) fn read(body: &Value, in_path: Option<&str>) -> Result<Ask, String> {
    // A count may be of a whole request.
    let body = member(Some(body), "generateContentRequest").unwrap_or(body);
    let contents = member(Some(body), "contents").filter(|it| it.is_array());
    let contents = contents.ok_or("* GenerateContentRequest.contents: contents is not specified")?;
    let config = member(Some(body), "generationConfig");
    let number = |name: &str| member(config, name).and_then(Value::as_u64);
    let choices = number("candidateCount").map_or(1, |it| u32::try_from(it).unwrap_or(u32::MAX));
    let (tool, tool_demanded) = read_tool(body);
    let system = member(Some(body), "systemInstruction");
    Ok(Ask {
        max_tokens: number("maxOutputTokens"),
        choices: checked_choices(choices)?,
        tool,
        tool_demanded,
        schema: read_schema(config),
        thinking: member(member(config, "thinkingConfig"), "includeThoughts").and_then(Value::as_bool)
            == Some(true),
        ..Ask::new(model(in_path)?, text_bytes(Some(contents)) + text_bytes(system))
    })
}

fn read_schema(config: Option<&Value>) -> Option<Value> {
    let kind = member(config, "responseMimeType").and_then(Value::as_str);
    if kind != Some("application/json") {
        return None;
    }
    let schema = member(config, "responseJsonSchema").or_else(|| member(config, "responseSchema"));
    Some(schema.cloned().unwrap_or(Value::Null))
}

fn read_tool(body: &Value) -> (Option<OfferedTool>, bool) {
    let calling = member(member(Some(body), "toolConfig"), "functionCallingConfig");
    let demanded = member(calling, "mode").and_then(Value::as_str) == Some("ANY");
    let named = member(calling, "allowedFunctionNames").and_then(|names| names.get(0)?.as_str());
    let declared =
        items(body.get("tools")).flat_map(|tool| items(member(Some(tool), "functionDeclarations")));
    let offered = declared.filter_map(|tool| {
        let schema = member(Some(tool), "parametersJsonSchema").or_else(|| tool.get("parameters"));
        Some((tool.get("name")?.as_str()?, schema))
    });
    let tool = chosen(offered, named);
    let demanded = demanded && tool.is_some();
    (tool, demanded)
}

/// A member by its name in camel case.
pub(super) fn member<'a>(value: Option<&'a Value>, name: &str) -> Option<&'a Value> {
    let value = value?;
    value.get(name).or_else(|| value.get(snake(name)))
}

fn snake(camel: &str) -> String {
    let mut out = String::with_capacity(camel.len() + 4);
    for c in camel.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
