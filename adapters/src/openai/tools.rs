//! The tools of a Chat Completions request, and which of them to call, read into the canonical model.

use std::collections::HashSet;

use tollgate_core::Refusal;

use crate::chat::custom;
use crate::chat::read::{Node, Path, wrong};
use crate::chat::{At, Extra, Tool, ToolChoice, ToolKind, at};
use crate::json::{self, Fields};

/// Tools, and the choice of them.
pub(super) type Tools<'a> = (Vec<Tool<'a>>, Option<At<ToolChoice<'a>>>);

/// The types of tools, and the names of the fields that tell the rest.
const FUNCTION: &str = "function";
const CUSTOM: &str = "custom";

/// Reads `tools` and `tool_choice`.
pub(super) fn read<'a>(node: &Node<'a, '_>) -> Result<Tools<'a>, Refusal> {
    let mut tools = tools(node)?;
    let choice = choice(node, &mut tools)?;
    Ok((tools, at("tool_choice", choice)))
}

fn tools<'a>(node: &Node<'a, '_>) -> Result<Vec<Tool<'a>>, Refusal> {
    node.each("tools", |json, tool| {
        let kind = tool.text("type")?.unwrap_or_else(|| FUNCTION.into());
        let (kind, extra) = match (&*kind, tool.raw(&kind)) {
            (FUNCTION, Some(function)) => {
                let function = Node::of(function, Path::Key(&tool.path, FUNCTION))?;
                let kind = ToolKind::Function(function.function("parameters")?);
                let known = ["name", "description", "parameters", "strict"];
                (kind, extra(&tool, FUNCTION, &known))
            }
            (CUSTOM, Some(custom)) => {
                let custom = Node::of(custom, Path::Key(&tool.path, CUSTOM))?;
                let kind = ToolKind::Function(custom::read(&custom)?);
                (kind, extra(&tool, CUSTOM, &["name", "description", "format"]))
            }
            _ => (ToolKind::Opaque(json), Vec::new()),
        };
        Ok(Tool {
            at: tool.path.to_string(),
            kind,
            cache: tool.cache()?,
            extra,
        })
    })
}

/// What is not known beside a tool's own object, and in it.
fn extra<'a>(tool: &Node<'a, '_>, own: &str, known: &[&str]) -> Extra<'a> {
    let mut extra = tool.extra(&["type", own, "cache_control"]);
    extra.append(&mut tool.extra_in(own, known));
    extra.append(&mut tool.extra_of_cache());
    extra
}

fn choice<'a>(node: &Node<'a, '_>, tools: &mut Vec<Tool<'a>>) -> Result<Option<ToolChoice<'a>>, Refusal> {
    let Some(json) = node.raw("tool_choice") else {
        return Ok(None);
    };
    let path = Path::Key(&node.path, "tool_choice");
    let expected = "`none`, `auto`, `required` or a tool";
    let choice = match json::text(json).as_deref() {
        Some("auto") => ToolChoice::Auto,
        Some("none") => ToolChoice::None,
        Some("required" | "any") => ToolChoice::Required,
        Some(_) => return Err(wrong(path, expected)),
        None => {
            let choice = Node::of(json, path).map_err(|_| wrong(path, expected))?;
            if let Some(allowed) = choice.object("allowed_tools")? {
                return only(&Node::of(allowed, Path::Key(&path, "allowed_tools"))?, tools).map(Some);
            }
            let named = [FUNCTION, CUSTOM]
                .into_iter()
                .find_map(|kind| Some((kind, choice.raw(kind)?)));
            let (kind, tool) = named.ok_or_else(|| wrong(path, expected))?;
            ToolChoice::Tool(Node::of(tool, Path::Key(&path, kind))?.required("name")?)
        }
    };
    Ok(Some(choice))
}

/// Only some of the tools may be called: the others are as if they were not there.
fn only<'a>(allowed: &Node<'a, '_>, tools: &mut Vec<Tool<'a>>) -> Result<ToolChoice<'a>, Refusal> {
    let choice = match &*allowed.required("mode")? {
        "auto" => ToolChoice::Auto,
        "required" => ToolChoice::Required,
        _ => return Err(wrong(Path::Key(&allowed.path, "mode"), "`auto` or `required`")),
    };
    let name = |tool: &'a str| {
        let tool = Fields::of(tool)?;
        let named = tool.object(FUNCTION).or_else(|| tool.object(CUSTOM));
        named?.text("name")
    };
    let listed: HashSet<_> = allowed.elements("tools")?.into_iter().filter_map(name).collect();
    tools.retain(|tool| {
        tool.function()
            .is_some_and(|function| listed.contains(&function.name))
    });
    if choice == ToolChoice::Required && tools.is_empty() {
        let path = Path::Key(&allowed.path, "tools");
        return Err(wrong(
            path,
            "a list of tools that are among `tools`, for one must be called",
        ));
    }
    Ok(choice)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::openai::decode;

    fn body(mode: &str, allowed: &[&str]) -> Value {
        let tool = |name: &str| json!({"type": "function", "function": {"name": name}});
        let allowed: Vec<_> = allowed.iter().map(|name| tool(name)).collect();
        json!({"model": "m", "messages": [{"role": "user", "content": "go"}], "tools": [tool("f"), tool("g")],
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": allowed}}})
    }

    #[test]
    fn of_allowed_tools_the_others_are_as_if_they_were_not_there() {
        let bytes = body("required", &["g", "h"]).to_string();
        let request = decode::request(bytes.as_bytes()).unwrap();
        assert_eq!(request.tool_choice.unwrap().value, ToolChoice::Required);
        let names: Vec<_> = request
            .tools
            .iter()
            .map(|tool| &*tool.function().unwrap().name)
            .collect();
        assert_eq!(names, ["g"]);
    }

    #[test]
    fn a_choice_that_cannot_be_made_is_refused_with_its_place() {
        let refused = |body: &Value| {
            let refusal = decode::request(body.to_string().as_bytes()).unwrap_err();
            refusal.param.unwrap().to_string()
        };
        assert_eq!(refused(&body("none", &["g"])), "tool_choice.allowed_tools.mode");
        assert_eq!(
            refused(&body("required", &["h"])),
            "tool_choice.allowed_tools.tools"
        );
    }
}
