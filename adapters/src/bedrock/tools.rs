//! `toolConfig`: the tools, and which of them to call.
//!
//! History that mentions tools is refused without it: then they are defined by their names alone. There is no way to
//! forbid calls but to send no tools, except to Claude in its maker's words.

use tollgate_core::Dialect;

use super::quirks::{Chooses, LONGEST_NAME, Thinks};
use super::turns::{Way, carried, write_cache};
use crate::anthropic::encode::mentioned;
use crate::chat::names::{Renamed, legal};
use crate::chat::write::{Array, Object};
use crate::chat::{
    ChatRequest, Extra, Function, Tool, ToolChoice, ToolKind, Turn, lose_extra, schema, write_extra,
};
use crate::loss::Loss;

/// What is to be written of tools.
#[derive(Debug)]
pub(crate) struct Tools<'r, 'a> {
    given: Vec<&'r Tool<'a>>,
    mentioned: Vec<&'r str>,
    choice: Option<&'r ToolChoice<'a>>,
    /// Claude's own `tool_choice`, where the dialect has no words for it.
    claude: Option<ClaudesChoice<'r>>,
}

/// `tool_choice` in the words of Claude's maker.
#[derive(Debug, Clone, Copy)]
struct ClaudesChoice<'r> {
    kind: &'static str,
    name: Option<&'r str>,
    one_at_a_time: bool,
}

/// Decides which tools go out; names that had to be changed are noted.
pub(crate) fn settle<'r, 'a>(
    request: &'r ChatRequest<'a>,
    turns: &'r [Turn<'_>],
    way: Way,
    renamed: &mut Renamed,
    loss: &mut Loss,
) -> Tools<'r, 'a> {
    // Settings of Claude's are read in its maker's words, tools never.
    let own = if way.is_own() {
        request.origin
    } else {
        Dialect::Bedrock
    };
    let (mut given, choice) = request.carried(own, loss);
    let mut mentioned = mentioned(turns);
    let is_claude = matches!(way.takes.thinks, Thinks::Claude(_));
    let forbids = choice == Some(&ToolChoice::None);
    if forbids && mentioned.is_empty() && !is_claude {
        // What is not there cannot be called.
        given.clear();
    }
    if !given.is_empty() {
        mentioned.clear();
    }
    let functions = given.iter().filter_map(|tool| tool.function());
    let names = functions.map(|function| &*function.name);
    for name in names.chain(mentioned.iter().copied()) {
        renamed.note(name, &legal(name, LONGEST_NAME));
    }
    let mut tools = Tools {
        given,
        mentioned,
        choice,
        claude: None,
    };
    tools.choose(request, way, is_claude, loss);
    tools
}

impl<'r> Tools<'r, '_> {
    fn is_empty(&self) -> bool {
        self.given.is_empty() && self.mentioned.is_empty()
    }

    /// Leaves of the choice what the model takes.
    fn choose(&mut self, request: &'r ChatRequest<'_>, way: Way, is_claude: bool, loss: &mut Loss) {
        let said = self.choice.take();
        if self.is_empty() {
            return;
        }
        let single = request.parallel_tool_calls.as_ref();
        let single = single.filter(|parallel| !parallel.value);
        let Some(choice) = said.or(single.is_some().then_some(&ToolChoice::Auto)) else {
            return;
        };
        let at = request
            .tool_choice
            .as_ref()
            .map_or("tool_choice", |choice| choice.at);
        let (kind, name, needed) = match choice {
            ToolChoice::None => ("none", None, Chooses::Itself),
            ToolChoice::Auto => ("auto", None, Chooses::Itself),
            ToolChoice::Required => ("any", None, Chooses::Any),
            ToolChoice::Tool(name) => ("tool", Some(&**name), Chooses::Named),
        };
        let forbids = *choice == ToolChoice::None;
        if is_claude && (single.is_some() || forbids) {
            self.claude = Some(ClaudesChoice {
                kind,
                name,
                one_at_a_time: single.is_some() && !forbids,
            });
            return;
        }
        if let Some(single) = single.filter(|_| !forbids) {
            loss.note(single.at);
        }
        if forbids || (needed > way.takes.chooses && !way.is_own()) {
            loss.note(at);
        } else if way.is_own() || *choice != ToolChoice::Auto {
            // Elsewhere it is the default, said aloud.
            self.choice = Some(choice);
        }
    }

    /// Writes the choice in the words of Claude's maker, among what goes to the model as it is.
    pub(crate) fn write_claudes(&self, o: &mut Object<'_>) {
        let Some(choice) = self.claude else { return };
        o.object("tool_choice", |o| {
            o.text("type", choice.kind);
            if let Some(name) = choice.name {
                o.text("name", &legal(name, LONGEST_NAME));
            }
            if choice.one_at_a_time {
                o.plain("disable_parallel_tool_use", true);
            }
        });
    }

    /// Writes `toolConfig`, if there is any. `extra` is what else belongs there.
    pub(crate) fn write(&self, o: &mut Object<'_>, extra: &Extra<'_>, way: Way, loss: &mut Loss) {
        if self.is_empty() {
            return;
        }
        o.object("toolConfig", |o| {
            o.array("tools", |a| {
                for tool in &self.given {
                    write_tool(a, tool, way, loss);
                }
                for name in &self.mentioned {
                    a.object(|o| write_mentioned(o, name));
                }
            });
            match self.choice {
                None | Some(ToolChoice::None) => {}
                Some(choice) => o.object("toolChoice", |o| write_choice(o, choice)).end(),
            }
            for (name, value) in extra {
                let inside = name.strip_prefix("toolConfig.");
                if let Some(name) = inside.filter(|name| !name.contains('.')) {
                    o.raw(name, value);
                }
            }
        });
    }
}

fn write_choice(o: &mut Object<'_>, choice: &ToolChoice<'_>) {
    match choice {
        ToolChoice::Auto | ToolChoice::None => o.raw("auto", "{}").end(),
        ToolChoice::Required => o.raw("any", "{}").end(),
        ToolChoice::Tool(name) => o
            .object("tool", |o| o.text("name", &legal(name, LONGEST_NAME)).end())
            .end(),
    }
}

fn write_mentioned(o: &mut Object<'_>, name: &str) {
    o.object("toolSpec", |o| {
        o.text("name", &legal(name, LONGEST_NAME));
        o.object("inputSchema", |o| schema::write_arguments(o, "json", None));
    });
}

fn write_tool(a: &mut Array<'_>, tool: &Tool<'_>, way: Way, loss: &mut Loss) {
    match &tool.kind {
        ToolKind::Opaque(json) => a.raw(json),
        ToolKind::Function(function) => a.object(|o| {
            o.object("toolSpec", |o| write_spec(o, tool, function, way, loss));
        }),
    }
    write_cache(a, carried(tool.cache.clone(), &tool.at, way, loss).as_ref());
}

fn write_spec(o: &mut Object<'_>, tool: &Tool<'_>, function: &Function<'_>, way: Way, loss: &mut Loss) {
    o.text("name", &legal(&function.name, LONGEST_NAME));
    // A blank one is refused.
    let description = function.description.as_deref();
    if let Some(description) = description.filter(|text| !text.trim().is_empty()) {
        o.text("description", description);
    }
    o.object("inputSchema", |o| {
        schema::write_arguments(o, "json", function.schema.as_deref());
    });
    match function.strict {
        Some(strict) if way.is_own() || (way.takes.strict && strict) => o.plain("strict", strict).end(),
        Some(true) => loss.note(format!("{}.strict", tool.at)),
        _ => {}
    }
    if way.is_own() {
        write_extra(o, &tool.extra);
    } else {
        lose_extra(&tool.at, &tool.extra, loss);
    }
}
