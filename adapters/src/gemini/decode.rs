//! A generateContent request, read into the canonical model. Parts are read in `parts`.
//!
//! The model and whether to stream stand in the URL: [`ChatRequest::stream`] is the caller's to set. What is not
//! understood inside of `generationConfig` and `toolConfig` goes into the request's `extra`, under its whole path.

use std::borrow::Cow;

use tollgate_core::{Dialect, Refusal};

use super::lenient::{camel, list, object};
use super::parts::{self, Calls};
use super::schema;
use crate::chat::read::{Node, Path, wrong};
use crate::chat::{
    At, ChatRequest, Extra, Function, Kind, Output, Reasoning, Role, Sampling, Thinking, Tool, ToolChoice,
    ToolKind, Turn, at,
};
use crate::json;

/// The fields that are understood. The model is in the URL, and what some clients repeat of it says nothing.
const KNOWN: &[&str] = &[
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "generationConfig",
    "serviceTier",
    "model",
];
const KNOWN_SETTINGS: &[&str] = &[
    "temperature",
    "topP",
    "topK",
    "candidateCount",
    "maxOutputTokens",
    "stopSequences",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseLogprobs",
    "logprobs",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "_responseJsonSchema",
    "thinkingConfig",
];

/// Where a client says how much to think: the budget or the level.
pub(crate) const BUDGET: &str = "generationConfig.thinkingConfig.thinkingBudget";
pub(crate) const LEVEL: &str = "generationConfig.thinkingConfig.thinkingLevel";
/// The same where it wants to see the thoughts, too: then the whole object says it.
pub(crate) const THINKING: &str = "generationConfig.thinkingConfig";
/// Where it only says that it wants to see them.
pub(crate) const SHOWN: &str = "generationConfig.thinkingConfig.includeThoughts";

/// Reads a request.
///
/// # Errors
/// What is not JSON, and fields of the wrong type.
pub(crate) fn request(body: &[u8]) -> Result<ChatRequest<'_>, Refusal> {
    let node = camel(Node::root(body)?);
    let mut extra = node.extra(KNOWN);
    let settings = inside(&node, "generationConfig")?;
    settings.note_others(KNOWN_SETTINGS, &mut extra);
    Ok(ChatRequest {
        origin: Dialect::Gemini,
        turns: turns(&node)?,
        tools: tools(&node)?,
        tool_choice: tool_choice(&node, &mut extra)?,
        parallel_tool_calls: None,
        sampling: sampling(&settings)?,
        output: output(&settings, &mut extra)?,
        reasoning: reasoning(&settings, &mut extra)?,
        stream: false,
        include_usage: true,
        user: None,
        service_tier: at("serviceTier", node.text("serviceTier")?),
        extra,
    })
}

/// The object `name`; an empty one where there is none.
fn inside<'a, 'p>(node: &'p Node<'a, 'p>, name: &'p str) -> Result<Node<'a, 'p>, Refusal> {
    object(node.raw(name).unwrap_or("{}"), Path::Key(&node.path, name))
}

fn turns<'a>(node: &Node<'a, '_>) -> Result<Vec<Turn<'a>>, Refusal> {
    let path = Path::Key(&node.path, "contents");
    let contents = list(node, "contents")?;
    if contents.is_empty() {
        return Err(wrong(path, "an array with at least one content"));
    }
    let mut turns = Vec::with_capacity(contents.len() + 1);
    let mut calls = Calls::default();
    turns.extend(system(node)?);
    for (index, json) in contents.into_iter().enumerate() {
        let content = object(json, Path::Index(&path, index))?;
        let role = match content.text("role")?.as_deref().unwrap_or_default() {
            "user" | "function" | "" => Role::User,
            "model" => Role::Assistant,
            _ => return Err(wrong(Path::Key(&content.path, "role"), "`user` or `model`")),
        };
        calls.turn(role);
        turns.push(turn(&content, role, &mut calls)?);
    }
    Ok(join_thoughts(turns))
}

fn turn<'a>(content: &Node<'a, '_>, role: Role, calls: &mut Calls<'a>) -> Result<Turn<'a>, Refusal> {
    let list_path = Path::Key(&content.path, "parts");
    let mut parts = Vec::new();
    for (index, json) in list(content, "parts")?.into_iter().enumerate() {
        parts.extend(parts::read(json, Path::Index(&list_path, index), calls)?);
    }
    Ok(Turn {
        at: content.path.to_string(),
        role,
        name: None,
        parts,
        extra: content.extra(&["role", "parts"]),
    })
}

fn system<'a>(node: &Node<'a, '_>) -> Result<Option<Turn<'a>>, Refusal> {
    let path = Path::Key(&node.path, "systemInstruction");
    let Some(json) = node.raw("systemInstruction") else {
        return Ok(None);
    };
    if let Some(text) = json::text(json) {
        return Ok(Some(Turn {
            at: path.to_string(),
            role: Role::System,
            name: None,
            parts: vec![crate::chat::Part::new(path.to_string(), Kind::Text(text))],
            extra: Vec::new(),
        }));
    }
    let content = object(json, path)?;
    Ok(Some(turn(&content, Role::System, &mut Calls::default())?))
}

/// A streamed answer comes back as many contents and parts; thoughts are proven as a whole. So turns of the model
/// that follow each other are one, and thoughts go to the proof behind them.
fn join_thoughts(turns: Vec<Turn<'_>>) -> Vec<Turn<'_>> {
    let mut joined: Vec<Turn<'_>> = Vec::with_capacity(turns.len());
    for mut turn in turns {
        match joined.last_mut() {
            Some(last) if turn.role == Role::Assistant && last.role == Role::Assistant => {
                last.parts.append(&mut turn.parts);
                last.extra.append(&mut turn.extra);
            }
            _ => joined.push(turn),
        }
    }
    for turn in joined.iter_mut().filter(|turn| turn.role == Role::Assistant) {
        let mut parts: Vec<crate::chat::Part<'_>> = Vec::with_capacity(turn.parts.len());
        for mut part in std::mem::take(&mut turn.parts) {
            if let Kind::Thinking {
                text,
                signature: Some(_),
            } = &mut part.kind
            {
                while let Some(before) = parts.pop_if(|before| {
                    before.state.is_none() && matches!(before.kind, Kind::Thinking { signature: None, .. })
                }) {
                    if let Kind::Thinking { text: earlier, .. } = before.kind {
                        *text = Cow::Owned(earlier.into_owned() + text);
                    }
                }
            }
            parts.push(part);
        }
        turn.parts = parts;
    }
    joined
}

fn tools<'a>(node: &Node<'a, '_>) -> Result<Vec<Tool<'a>>, Refusal> {
    let list_path = Path::Key(&node.path, "tools");
    let mut tools = Vec::new();
    for (index, json) in list(node, "tools")?.into_iter().enumerate() {
        let path = Path::Index(&list_path, index);
        let tool = object(json, path)?;
        let declarations = Path::Key(&path, "functionDeclarations");
        for (index, json) in list(&tool, "functionDeclarations")?.into_iter().enumerate() {
            tools.push(function(&object(json, Path::Index(&declarations, index))?)?);
        }
        if tool
            .fields
            .iter()
            .any(|(name, value)| name != "functionDeclarations" && value != "null")
        {
            tools.push(Tool {
                at: path.to_string(),
                kind: ToolKind::Opaque(json),
                cache: None,
                extra: Vec::new(),
            });
        }
    }
    Ok(tools)
}

fn function<'a>(node: &Node<'a, '_>) -> Result<Tool<'a>, Refusal> {
    let schema = match node.object("parametersJsonSchema")? {
        Some(schema) => Some(Cow::Borrowed(schema)),
        None => node
            .object("parameters")?
            .map(|schema| Cow::Owned(schema::of_google(schema))),
    };
    let kind = ToolKind::Function(Function {
        name: node.required("name")?,
        description: node.text("description")?.filter(|text| !text.is_empty()),
        schema,
        strict: None,
        custom: None,
    });
    Ok(Tool {
        at: node.path.to_string(),
        kind,
        cache: None,
        extra: node.extra(&["name", "description", "parameters", "parametersJsonSchema"]),
    })
}

fn tool_choice<'a>(
    node: &Node<'a, '_>,
    extra: &mut Extra<'a>,
) -> Result<Option<At<ToolChoice<'a>>>, Refusal> {
    let config = inside(node, "toolConfig")?;
    config.note_others(&["functionCallingConfig"], extra);
    let calling = inside(&config, "functionCallingConfig")?;
    let path = Path::Key(&calling.path, "allowedFunctionNames");
    let mut names = Vec::new();
    for (index, json) in calling.elements("allowedFunctionNames")?.into_iter().enumerate() {
        names.push(json::text(json).ok_or_else(|| wrong(Path::Index(&path, index), "a string"))?);
    }
    let mode = calling.text("mode")?.unwrap_or_default().to_ascii_uppercase();
    let mut known = vec!["mode", "allowedFunctionNames"];
    let choice = match &*mode {
        "" | "MODE_UNSPECIFIED" if names.is_empty() => None,
        "ANY" if names.len() == 1 => names.pop().map(ToolChoice::Tool),
        "ANY" => Some(ToolChoice::Required),
        "NONE" => Some(ToolChoice::None),
        "AUTO" | "" | "MODE_UNSPECIFIED" => Some(ToolChoice::Auto),
        // Calls that must fit their schema, and words that come in the future.
        _ => {
            known.retain(|name| *name != "mode");
            Some(ToolChoice::Auto)
        }
    };
    if !names.is_empty() {
        known.retain(|name| *name != "allowedFunctionNames");
    }
    calling.note_others(&known, extra);
    Ok(at("toolConfig.functionCallingConfig", choice))
}

fn sampling<'a>(node: &Node<'a, '_>) -> Result<Sampling<'a>, Refusal> {
    let list = Path::Key(&node.path, "stopSequences");
    let mut stop = Vec::new();
    for (index, json) in node.elements("stopSequences")?.into_iter().enumerate() {
        stop.push(json::text(json).ok_or_else(|| wrong(Path::Index(&list, index), "a string"))?);
    }
    let stop = Some(stop).filter(|stop| !stop.is_empty());
    Ok(Sampling {
        max_output_tokens: at("generationConfig.maxOutputTokens", node.count("maxOutputTokens")?),
        temperature: node.number("temperature")?,
        top_p: node.number("topP")?,
        top_k: node.count("topK")?,
        stop: at("generationConfig.stopSequences", stop),
        seed: node.integer("seed")?,
        frequency_penalty: node.number("frequencyPenalty")?.filter(|penalty| *penalty != 0.0),
        presence_penalty: node.number("presencePenalty")?.filter(|penalty| *penalty != 0.0),
        n: node.count("candidateCount")?,
        logprobs: node.flag("responseLogprobs")?.filter(|asked| *asked),
        top_logprobs: node.count("logprobs")?.filter(|count| *count > 0),
    })
}

fn output<'a>(node: &Node<'a, '_>, extra: &mut Extra<'a>) -> Result<Option<At<Output<'a>>>, Refusal> {
    let google = node.object("responseSchema")?;
    let json_schema = match node.object("responseJsonSchema")? {
        None => node.object("_responseJsonSchema")?,
        schema => schema,
    };
    let schema = match json_schema {
        Some(schema) => at("generationConfig.responseJsonSchema", Some(Cow::Borrowed(schema))),
        None => at(
            "generationConfig.responseSchema",
            google.map(|schema| schema::of_google(schema).into()),
        ),
    };
    let media_type = node.text("responseMimeType")?.unwrap_or_default();
    let output = match (&*media_type, schema) {
        ("" | "application/json", Some(At { at, value: schema })) => Some(At {
            at,
            value: Output::JsonSchema {
                name: None,
                description: None,
                schema,
                strict: None,
            },
        }),
        ("application/json", None) => at("generationConfig.responseMimeType", Some(Output::JsonObject)),
        ("text/plain", None) => at("generationConfig.responseMimeType", Some(Output::Text)),
        ("", None) => None,
        // Such as `text/x.enum`, which answers with one word of the schema's.
        _ => {
            let names = [
                "responseMimeType",
                "responseSchema",
                "responseJsonSchema",
                "_responseJsonSchema",
            ];
            for name in names {
                let value = node.raw(name);
                extra.extend(value.map(|value| (format!("{}.{name}", node.path).into(), value)));
            }
            None
        }
    };
    Ok(output)
}

fn reasoning<'a>(node: &Node<'a, '_>, extra: &mut Extra<'a>) -> Result<Reasoning<'a>, Refusal> {
    let config = inside(node, "thinkingConfig")?;
    config.note_others(&["thinkingBudget", "thinkingLevel", "includeThoughts"], extra);
    let is_shown = config.flag("includeThoughts")?.unwrap_or(false);
    let place = |alone| if is_shown { THINKING } else { alone };
    let mode = match config.integer("thinkingBudget")? {
        Some(0) => Some(Thinking::Off),
        Some(budget) => Some(u64::try_from(budget).map_or(Thinking::Adaptive, Thinking::Budget)),
        None => None,
    };
    let effort = config
        .text("thinkingLevel")?
        .map(|level| level.to_ascii_lowercase())
        .filter(|level| !matches!(&**level, "" | "thinking_level_unspecified"));
    let is_only_shown = is_shown && mode.is_none() && effort.is_none();
    Ok(Reasoning {
        mode: if is_only_shown {
            at(SHOWN, Some(Thinking::Adaptive))
        } else {
            at(place(BUDGET), mode)
        },
        effort: at(place(LEVEL), effort.map(Cow::Owned)),
    })
}
