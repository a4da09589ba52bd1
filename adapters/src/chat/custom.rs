//! Custom tools: tools that take text as it is, in place of arguments in JSON. Only OpenAI has them.
//!
//! Here one is a function with a single argument, [`INPUT`]: so it goes to every provider that knows functions, and
//! what its text must look like is told in its description. Its calls are held with the arguments `{"input": …}`.
//! Where custom tools are known, readers put the text into that, and writers take it out again: the text of an answer
//! by an [`InputReader`], which knows from [`super::names::Renamed`] that a tool is custom.

mod input;

use std::borrow::Cow;

use tollgate_core::Refusal;

use super::Function;
use super::read::{Node, Path, wrong};
use super::write;

pub(crate) use input::{InputReader, input};

/// The arguments of a call up to the text, and behind it.
const OPENING: &str = r#"{"input":""#;
pub(crate) const CLOSING: &str = r#""}"#;
/// The schema of the arguments.
const SCHEMA: &str = r#"{"type":"object","properties":{"input":{"type":"string","description":"The input of this tool: plain text, without quotes or code fences around it."}},"required":["input"],"additionalProperties":false}"#;

/// What is told of a custom tool where such tools are known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Custom<'a> {
    pub(crate) description: Option<Cow<'a, str>>,
    pub(crate) grammar: Option<Grammar<'a>>,
}

/// What the text must look like.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grammar<'a> {
    /// `lark` or `regex`.
    pub(crate) syntax: Cow<'a, str>,
    pub(crate) definition: Cow<'a, str>,
}

/// Reads name, description and format of a custom tool, as the function that stands for it.
pub(crate) fn read<'a>(tool: &Node<'a, '_>) -> Result<Function<'a>, Refusal> {
    let custom = Custom {
        description: tool.text("description")?,
        grammar: grammar(tool)?,
    };
    Ok(Function {
        name: tool.required("name")?,
        description: description(&custom),
        schema: Some(Cow::Borrowed(SCHEMA)),
        strict: None,
        custom: Some(custom),
    })
}

fn grammar<'a>(tool: &Node<'a, '_>) -> Result<Option<Grammar<'a>>, Refusal> {
    let path = Path::Key(&tool.path, "format");
    let Some(json) = tool.raw("format") else {
        return Ok(None);
    };
    let format = Node::of(json, path)?;
    match &*format.required("type")? {
        "text" => return Ok(None),
        "grammar" => {}
        _ => return Err(wrong(Path::Key(&path, "type"), "`text` or `grammar`")),
    }
    // Chat Completions has it in an object of its own, Responses has not.
    let grammar = match format.object("grammar")? {
        Some(json) => Node::of(json, Path::Key(&path, "grammar"))?,
        None => format,
    };
    Ok(Some(Grammar {
        syntax: grammar.required("syntax")?,
        definition: grammar.required("definition")?,
    }))
}

/// The description for those who know no grammars: the model is asked to keep to it.
fn description<'a>(custom: &Custom<'a>) -> Option<Cow<'a, str>> {
    let Some(Grammar { syntax, definition }) = &custom.grammar else {
        return custom.description.clone();
    };
    let rule = match &**syntax {
        "lark" => "The text of `input` must conform to this Lark grammar:".to_owned(),
        "regex" => "The whole text of `input` must match this regular expression:".to_owned(),
        syntax => format!("The text of `input` must conform to this grammar ({syntax}):"),
    };
    let rule = format!("{rule}\n{definition}");
    let own = custom.description.as_deref().filter(|text| !text.is_empty());
    Some(own.map_or(rule.clone(), |own| format!("{own}\n\n{rule}")).into())
}

/// The arguments that stand for a text.
pub(crate) fn arguments(text: &str) -> String {
    opening(text) + CLOSING
}

/// The arguments up to here, where more of the text is to come.
pub(crate) fn opening(text: &str) -> String {
    OPENING.to_owned() + &more(text)
}

/// More of the text, as it stands within the arguments.
pub(crate) fn more(text: &str) -> String {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    write::text(&mut quoted, text);
    let quoted = String::from_utf8(quoted).unwrap_or_default();
    let inside = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inside.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_tool(json: &str) -> Result<(Option<String>, bool), String> {
        let node = Node::of(json, Path::Root).unwrap();
        let function = read(&node).map_err(|refusal| refusal.param.unwrap().to_string())?;
        let description = function.description.map(Cow::into_owned);
        Ok((description, function.custom.unwrap().grammar.is_some()))
    }

    #[test]
    fn a_grammar_is_told_in_the_description() {
        let told = |json| read_tool(json).unwrap();
        assert_eq!(told(r#"{"name": "f"}"#), (None, false));
        assert_eq!(
            told(r#"{"name": "f", "description": "Runs it.", "format": {"type": "text"}}"#),
            (Some("Runs it.".to_owned()), false)
        );
        let lark = r#"{"name": "f", "description": "Adds.",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: \"+\""}}"#;
        let said = "Adds.\n\nThe text of `input` must conform to this Lark grammar:\nstart: \"+\"";
        assert_eq!(told(lark), (Some(said.to_owned()), true));
        let regex = r#"{"name": "f",
            "format": {"type": "grammar", "grammar": {"syntax": "regex", "definition": "a+"}}}"#;
        let said = "The whole text of `input` must match this regular expression:\na+";
        assert_eq!(told(regex), (Some(said.to_owned()), true));
    }

    #[test]
    fn what_is_no_custom_tool_is_refused_with_its_place() {
        let refused = |json| read_tool(json).unwrap_err();
        assert_eq!(refused(r#"{"description": "x"}"#), "name");
        assert_eq!(refused(r#"{"name": "f", "format": "text"}"#), "format");
        assert_eq!(
            refused(r#"{"name": "f", "format": {"type": "json"}}"#),
            "format.type"
        );
        let lacking = r#"{"name": "f", "format": {"type": "grammar", "grammar": {"syntax": "lark"}}}"#;
        assert_eq!(refused(lacking), "format.grammar.definition");
    }
}
