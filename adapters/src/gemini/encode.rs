//! The canonical model, written as a generateContent request. Model and streaming are in the URL, not in here.

use tollgate_core::{Dialect, ProviderKind};

use super::quirks::{Takes, takes};
use super::settings::{self, write_extra_in};
use super::turns::Writer;
use crate::chat::names::Renamed;
use crate::chat::schema::{JSON_HINT, json_hint};
use crate::chat::tier::Tier;
use crate::chat::write::{Array, Object, object};
use crate::chat::{ChatRequest, Output, Tool, ToolChoice, ToolKind, lose_extra, write_extra};
use crate::egress::Egress;
use crate::json::Fields;
use crate::loss::Loss;

/// Writes a request; names that had to be changed are in the second value. Nothing is refused here: what cannot be
/// carried is in the loss, and [`Egress::bear`] decides.
pub(crate) fn request(
    mut request: ChatRequest<'_>,
    egress: &Egress<'_>,
    loss: &mut Loss,
) -> (Vec<u8>, Renamed) {
    let takes = takes(egress.model);
    let mut renamed = Renamed::default();
    let turns = std::mem::take(&mut request.turns);
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |o| {
        let mut writer = Writer {
            origin: request.origin,
            takes,
            is_vertex: egress.kind == ProviderKind::Vertex,
            renamed: &mut renamed,
            loss,
        };
        let mut talk = writer.prepare(turns);
        let (has_form, hint) = form(&request, takes, writer.loss);
        writer.system(o, &mut talk, hint);
        writer.contents(o, &talk.turns);
        write_tools(o, &request, &mut writer);
        settings::write(o, &request, takes, has_form, loss);
        write_rest(o, &request, egress.kind, loss);
    });
    (out, renamed)
}

/// Whether the form of the answer is said in its fields, and what the model must be told of it.
fn form(request: &ChatRequest<'_>, takes: Takes, loss: &mut Loss) -> (bool, Option<String>) {
    let Some(output) = &request.output else {
        return (true, None);
    };
    let has_functions = request.tools.iter().any(|tool| tool.function().is_some());
    let is_said = takes.schema_beside_functions || !has_functions || request.origin == Dialect::Gemini;
    match &output.value {
        Output::Text => (true, None),
        Output::JsonObject if is_said => (true, None),
        Output::JsonObject => (false, Some(JSON_HINT.to_owned())),
        Output::JsonSchema { description, .. } if is_said => {
            let hint = description
                .as_ref()
                .map(|text| format!("The answer is JSON: {text}"));
            (true, hint)
        }
        Output::JsonSchema { schema, .. } => {
            loss.note(output.at);
            let hint = json_hint(schema);
            (false, Some(hint))
        }
    }
}

/// Writes the tools, and which of them to call.
fn write_tools(o: &mut Object<'_>, request: &ChatRequest<'_>, writer: &mut Writer<'_>) {
    let (tools, choice) = request.carried(Dialect::Gemini, writer.loss);
    if let Some(parallel) = request
        .parallel_tool_calls
        .as_ref()
        .filter(|parallel| !parallel.value)
    {
        writer.loss.note(parallel.at);
    }
    if !tools.is_empty() {
        let (functions, others): (Vec<_>, Vec<_>) = tools.iter().partition(|tool| tool.function().is_some());
        o.array("tools", |a| {
            if !functions.is_empty() {
                a.object(|o| {
                    o.array("functionDeclarations", |a| {
                        for tool in functions {
                            write_function(a, tool, writer);
                        }
                    });
                });
            }
            for tool in others {
                write_other(a, tool);
            }
        });
    }
    let choice = choice.filter(|_| !tools.is_empty());
    write_config(o, request, choice, writer);
}

fn write_function(a: &mut Array<'_>, tool: &Tool<'_>, writer: &mut Writer<'_>) {
    let Some(function) = tool.function() else {
        return;
    };
    if function.strict == Some(true) {
        // Google's models keep to schemas as they see fit.
        tool.lose_strict(writer.origin, writer.loss);
    }
    if tool.cache.is_some() {
        writer.loss.note(format!("{}.cache_control", tool.at));
    }
    a.object(|o| {
        o.text("name", &writer.name(&function.name));
        o.text("description", function.description.as_deref().unwrap_or_default());
        if let Some(schema) = &function.schema {
            crate::chat::schema::write_arguments(o, "parametersJsonSchema", Some(schema));
        }
        if writer.origin == Dialect::Gemini {
            write_extra(o, &tool.extra);
        } else {
            lose_extra(&tool.at, &tool.extra, writer.loss);
        }
    });
}

/// Writes one of Google's own tools; functions that were declared beside it are written elsewhere.
fn write_other(a: &mut Array<'_>, tool: &Tool<'_>) {
    let ToolKind::Opaque(json) = &tool.kind else {
        return;
    };
    let fields = Fields::of(json).unwrap_or_default().in_camel_case();
    a.object(|o| {
        let others = fields.iter().filter(|(name, _)| *name != "functionDeclarations");
        others.for_each(|(name, value)| o.raw(name, value).end());
    });
}

fn write_config(
    o: &mut Object<'_>,
    request: &ChatRequest<'_>,
    choice: Option<&ToolChoice<'_>>,
    writer: &mut Writer<'_>,
) {
    const CALLING: &str = "toolConfig.functionCallingConfig.";
    let is_own = request.origin == Dialect::Gemini;
    let has = |name: &str| {
        is_own
            && request
                .extra
                .iter()
                .any(|(path, _)| path.strip_prefix(CALLING) == Some(name))
    };
    let mode = match choice {
        None => None,
        Some(ToolChoice::Auto) => Some("AUTO"),
        Some(ToolChoice::None) => Some("NONE"),
        Some(ToolChoice::Required | ToolChoice::Tool(_)) => Some("ANY"),
    };
    let (mut calling, mut config) = (Vec::new(), Vec::new());
    object(&mut calling, |o| {
        if let Some(mode) = mode.filter(|_| !has("mode")) {
            o.text("mode", mode);
        }
        if let Some(ToolChoice::Tool(name)) = choice {
            let name = writer.name(name);
            o.array("allowedFunctionNames", |a| a.text(&name));
        }
        write_extra_in(o, request, CALLING);
    });
    object(&mut config, |o| {
        if calling != b"{}" {
            o.key("functionCallingConfig").append(&mut calling);
        }
        write_extra_in(o, request, "toolConfig.");
    });
    if config != b"{}" {
        o.key("toolConfig").append(&mut config);
    }
}

fn write_rest(o: &mut Object<'_>, request: &ChatRequest<'_>, kind: ProviderKind, loss: &mut Loss) {
    if let Some(user) = &request.user {
        loss.note(user.at);
    }
    if let Some(tier) = &request.service_tier {
        match Tier::of(&tier.value) {
            _ if request.origin == Dialect::Gemini => o.text("serviceTier", &tier.value).end(),
            Some(Tier::Standard) => {}
            Some(wanted @ (Tier::Flex | Tier::Priority)) if kind == ProviderKind::Gemini => {
                wanted.word().map(|word| o.text("serviceTier", word));
            }
            _ => loss.note(tier.at),
        }
    }
    if request.origin == Dialect::Gemini {
        write_extra_in(o, request, "");
    } else {
        lose_extra("", &request.extra, loss);
    }
}
