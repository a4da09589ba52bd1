//! The tools of a Responses request, and which of them to call, read into the canonical model.
//!
//! Functions and custom tools are the client's; everything else is run by OpenAI or has a form of its own, and is opaque. A request
//! that leaves the model no other choice than one of those is refused, for elsewhere it would be another request.

use std::borrow::Cow;
use std::collections::HashSet;

use tollgate_core::Refusal;

use super::items::elsewhere;
use crate::chat::custom;
use crate::chat::read::{Node, Path, wrong};
use crate::chat::{At, Tool, ToolChoice, ToolKind};
use crate::json::{self, Fields};

/// Tools, and the choice of them.
pub(super) type Tools<'a> = (Vec<Tool<'a>>, Option<At<ToolChoice<'a>>>);

const FORCED: &str = "it demands a tool that only OpenAI has";

/// Reads `tools` and `tool_choice`.
pub(super) fn read<'a>(node: &Node<'a, '_>) -> Result<Tools<'a>, Refusal> {
    let mut tools = tools(node)?;
    let choice = choice(node, &mut tools)?;
    let is_forced = choice == Some(ToolChoice::Required);
    if is_forced && !tools.is_empty() && tools.iter().all(|tool| tool.function().is_none()) {
        return Err(elsewhere(Path::Key(&node.path, "tool_choice"), FORCED));
    }
    let at = "tool_choice";
    Ok((tools, choice.map(|value| At { at, value })))
}

fn tools<'a>(node: &Node<'a, '_>) -> Result<Vec<Tool<'a>>, Refusal> {
    node.each("tools", |json, tool| {
        let (kind, extra) = match tool.text("type")?.as_deref() {
            None | Some("function") => {
                let kind = ToolKind::Function(tool.function("parameters")?);
                let known = ["type", "name", "description", "parameters", "strict"];
                (kind, tool.extra(&known))
            }
            Some("custom") => {
                let kind = ToolKind::Function(custom::read(&tool)?);
                (kind, tool.extra(&["type", "name", "description", "format"]))
            }
            Some(_) => (ToolKind::Opaque(json), Vec::new()),
        };
        Ok(Tool {
            at: tool.path.to_string(),
            kind,
            cache: None,
            extra,
        })
    })
}

fn choice<'a>(node: &Node<'a, '_>, tools: &mut Vec<Tool<'a>>) -> Result<Option<ToolChoice<'a>>, Refusal> {
    let Some(json) = node.raw("tool_choice") else {
        return Ok(None);
    };
    let path = Path::Key(&node.path, "tool_choice");
    let expected = "`none`, `auto`, `required` or an object that names a tool";
    if let Some(word) = json::text(json) {
        return word_of(&word).map(Some).ok_or_else(|| wrong(path, expected));
    }
    let choice = Node::of(json, path).map_err(|_| wrong(path, expected))?;
    match &*choice.required("type")? {
        "function" | "custom" => Ok(Some(ToolChoice::Tool(choice.required("name")?))),
        "allowed_tools" => allowed(&choice, tools).map(Some),
        _ => Err(elsewhere(path, FORCED)),
    }
}

fn word_of<'a>(word: &str) -> Option<ToolChoice<'a>> {
    match word {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        "required" => Some(ToolChoice::Required),
        _ => None,
    }
}

/// Only some of the tools may be called: the others are as if they were not there.
fn allowed<'a>(choice: &Node<'a, '_>, tools: &mut Vec<Tool<'a>>) -> Result<ToolChoice<'a>, Refusal> {
    let mode = choice.text("mode")?.unwrap_or(Cow::Borrowed("auto"));
    let wanted = word_of(&mode).filter(|mode| *mode != ToolChoice::None);
    let wanted = wanted.ok_or_else(|| wrong(Path::Key(&choice.path, "mode"), "`auto` or `required`"))?;
    let named = |fields: Fields<'a>| (fields.text("type").unwrap_or_default(), fields.text("name"));
    let listed = choice.elements("tools")?.into_iter().filter_map(Fields::of);
    let listed: HashSet<_> = listed.map(named).collect();
    tools.retain(|tool| {
        listed.contains(&match &tool.kind {
            ToolKind::Function(function) => {
                let kind = function.custom.as_ref().map_or("function", |_| "custom");
                (Cow::Borrowed(kind), Some(function.name.clone()))
            }
            ToolKind::Opaque(json) => named(Fields::of(json).unwrap_or_default()),
        })
    });
    if wanted == ToolChoice::Required && tools.is_empty() {
        return Err(elsewhere(Path::Key(&choice.path, "tools"), FORCED));
    }
    Ok(wanted)
}
