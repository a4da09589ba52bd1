//! `additionalModelRequestFields`: what a model takes beyond the dialect, in the words of its maker. Those that mean
//! what the canonical model has a place for are understood.

use std::borrow::Cow;

use tollgate_core::Refusal;

use crate::chat::read::{Node, Path, wrong};
use crate::chat::{At, Extra, Reasoning, Thinking, at};
use crate::json::Fields;

/// The field's name.
pub(crate) const FIELD: &str = "additionalModelRequestFields";

/// What was understood.
#[derive(Debug, Default)]
pub(crate) struct Additional<'a> {
    pub(crate) reasoning: Reasoning<'a>,
    pub(crate) top_k: Option<u64>,
    pub(crate) parallel: Option<At<bool>>,
    /// The rest, named as what it is part of.
    pub(crate) extra: Extra<'a>,
}

/// Reads the fields.
pub(crate) fn read<'a>(node: &Node<'a, '_>) -> Result<Additional<'a>, Refusal> {
    let mut read = Additional::default();
    let Some(json) = node.object(FIELD)? else {
        return Ok(read);
    };
    let fields = Node::of(json, Path::Key(&node.path, FIELD))?;
    let mut known = vec!["top_k", "reasoning_effort"];
    read.top_k = fields.count("top_k")?;
    let effort = fields.text("reasoning_effort")?;
    read.reasoning.effort = at("additionalModelRequestFields.reasoning_effort", effort);
    for name in ["thinking", "reasoning_config", "reasoningConfig"] {
        if let Some(json) = fields.raw(name) {
            known.push(name);
            reasoning(json, name, Path::Key(&fields.path, name), &mut read.reasoning)?;
            let known = ["type", "budget_tokens", "maxReasoningEffort"];
            fields.note_others_in(name, &known, &mut read.extra);
        }
    }
    if let Some(config) = only(&fields, "output_config", &["effort"]) {
        known.push("output_config");
        let effort = at(
            "additionalModelRequestFields.output_config",
            config.text("effort"),
        );
        read.reasoning.effort = read.reasoning.effort.or(effort);
    }
    if let Some(config) = only(&fields, "inferenceConfig", &["topK"]) {
        known.push("inferenceConfig");
        read.top_k = read.top_k.or(config.count("topK"));
    }
    if let Some(choice) = only(&fields, "tool_choice", &["type", "disable_parallel_tool_use"])
        && choice.text("type").as_deref() == Some("auto")
    {
        known.push("tool_choice");
        let disabled = choice.raw("disable_parallel_tool_use");
        let parallel = disabled.map(|disabled| disabled != "true");
        read.parallel = at("additionalModelRequestFields.tool_choice", parallel);
    }
    let rest = fields.extra(&known);
    let named = |(name, value)| (Cow::Owned(format!("{FIELD}.{name}")), value);
    read.extra.extend(rest.into_iter().map(named));
    Ok(read)
}

/// A field that is an object of nothing but these fields.
fn only<'a>(node: &Node<'a, '_>, name: &str, known: &[&str]) -> Option<Fields<'a>> {
    let fields = node.fields.object(name)?;
    let is_known = fields.iter().all(|(name, _)| known.contains(&name));
    is_known.then_some(fields)
}

/// Reads one of the objects, or words, that tell how to think.
fn reasoning<'a>(json: &'a str, name: &str, path: Path<'_>, into: &mut Reasoning<'a>) -> Result<(), Refusal> {
    let place = match name {
        "thinking" => "additionalModelRequestFields.thinking",
        "reasoning_config" => "additionalModelRequestFields.reasoning_config",
        _ => "additionalModelRequestFields.reasoningConfig",
    };
    if let Some(effort) = crate::json::text(json) {
        into.effort = at(place, Some(effort));
        return Ok(());
    }
    let config = Node::of(json, path)?;
    let effort = config.text("maxReasoningEffort")?;
    let budget = config.count("budget_tokens")?;
    let mode = match &*config.required("type")? {
        "disabled" => Thinking::Off,
        "enabled" | "adaptive" => budget.map_or(Thinking::Adaptive, Thinking::Budget),
        _ => {
            let path = Path::Key(&config.path, "type");
            return Err(wrong(path, "`enabled`, `adaptive` or `disabled`"));
        }
    };
    match effort {
        Some(effort) if mode != Thinking::Off => into.effort = at(place, Some(effort)),
        _ => into.mode = at(place, Some(mode)),
    }
    Ok(())
}
