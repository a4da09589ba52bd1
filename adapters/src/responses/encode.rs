//! The canonical model, written as a Responses request.
//!
//! The gateway holds no conversations: nothing is to be stored, and reasoning is asked for in its encrypted form, so
//! that the next turn can bring it back. What this dialect takes for granted and others do not is said aloud: that
//! schemas are not strict, that JSON is wanted.

use std::collections::HashSet;

use tollgate_core::{Dialect, Refusal};

use super::turns::{LONGEST, Writer};
use crate::anthropic::quirks::effort_of_budget;
use crate::chat::custom::Custom;
use crate::chat::names::{Renamed, legal};
use crate::chat::tier::{NoTier, openai_word};
use crate::chat::write::{Object, object};
use crate::chat::{
    ChatRequest, Kind, Output, Thinking, Tool, ToolChoice, ToolKind, Turn, lose_extra, schema, write_extra,
};
use crate::egress::Egress;
use crate::loss::Loss;
use crate::openai::quirks::{Takes, Thinks, is_official, least_effort, most_effort, takes};

/// What Chat Completions has under the same name, to be understood by the same provider.
const SHARED: &[&str] = &["metadata", "prompt_cache_key", "prompt_cache_retention"];
/// How much to say: at the top there, within `text` here.
const VERBOSITY: &str = "verbosity";
/// The smallest limit of tokens.
const LEAST_TOKENS: u64 = 16;

/// A request that is being written.
struct Encoder<'e> {
    egress: &'e Egress<'e>,
    takes: Takes,
    /// It was written in another dialect: what was not understood must not pass on.
    crosses: bool,
    renamed: Renamed,
}

/// Writes a request; names that had to be changed are in the second value.
///
/// # Errors
/// More than one answer cannot be asked for.
pub(crate) fn request(
    mut request: ChatRequest<'_>,
    egress: &Egress<'_>,
    loss: &mut Loss,
) -> Result<(Vec<u8>, Renamed), Refusal> {
    request.asks_for_one()?;
    let turns = std::mem::take(&mut request.turns);
    let mut encoder = Encoder {
        egress,
        takes: takes(egress.kind, egress.model),
        crosses: request.origin != Dialect::Responses,
        renamed: Renamed::default(),
    };
    for part in turns.iter().flat_map(|turn| &turn.parts) {
        if let Kind::ToolCall(call) = &part.kind {
            encoder.renamed.note(&call.name, &legal(&call.name, LONGEST));
        }
    }
    let wants_json = request
        .output
        .as_ref()
        .is_some_and(|output| output.value == Output::JsonObject);
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |o| {
        o.text("model", egress.model);
        let mut writer = Writer {
            crosses: encoder.crosses,
            custom: custom_calls(&request, &turns),
            loss,
        };
        writer.input(o, turns, wants_json);
        encoder.tools(o, &request, loss);
        encoder.sampling(o, &request, loss);
        encoder.text(o, &request);
        encoder.reasoning(o, &request, loss);
        encoder.rest(o, &request, loss);
    });
    Ok((out, encoder.renamed))
}

fn note_cache(tool: &Tool<'_>, loss: &mut Loss) {
    if tool.cache.is_some() {
        loss.note(format!("{}.cache_control", tool.at));
    }
}

/// The ids of the calls of custom tools.
fn custom_calls(request: &ChatRequest<'_>, turns: &[Turn<'_>]) -> HashSet<String> {
    let tools: HashSet<&str> = request.custom_tools().collect();
    let parts = turns.iter().flat_map(|turn| &turn.parts);
    let calls = parts.filter_map(|part| match &part.kind {
        Kind::ToolCall(call) if tools.contains(&*call.name) => Some(call.id.to_string()),
        _ => None,
    });
    calls.collect()
}

impl Encoder<'_> {
    fn tools(&mut self, o: &mut Object<'_>, request: &ChatRequest<'_>, loss: &mut Loss) {
        let (tools, choice) = request.carried(Dialect::Responses, loss);
        if !tools.is_empty() {
            o.array("tools", |a| {
                for tool in &tools {
                    self.tool(a.element(), tool, loss);
                }
            });
        }
        if tools.is_empty() && self.crosses {
            return;
        }
        if let Some(choice) = choice {
            match choice {
                ToolChoice::Auto => o.text("tool_choice", "auto").end(),
                ToolChoice::None => o.text("tool_choice", "none").end(),
                ToolChoice::Required => o.text("tool_choice", "required").end(),
                ToolChoice::Tool(name) => {
                    let is_custom = request.custom_tools().any(|custom| custom == name);
                    o.object("tool_choice", |o| {
                        o.text("type", if is_custom { "custom" } else { "function" });
                        o.text("name", &legal(name, LONGEST));
                    });
                }
            }
        }
        match &request.parallel_tool_calls {
            Some(parallel) if self.takes.parallel_switch || !self.crosses => {
                o.plain("parallel_tool_calls", parallel.value);
            }
            Some(parallel) if !parallel.value => loss.note(parallel.at),
            _ => {}
        }
    }

    fn tool(&mut self, out: &mut Vec<u8>, tool: &Tool<'_>, loss: &mut Loss) {
        let function = match &tool.kind {
            ToolKind::Opaque(json) => return out.extend_from_slice(json.as_bytes()),
            ToolKind::Function(function) => function,
        };
        let arguments = function.schema.as_deref();
        let sent = legal(&function.name, LONGEST);
        self.renamed.note(&function.name, &sent);
        if let Some(custom) = &function.custom {
            return self.custom(out, &sent, custom, tool, loss);
        }
        object(out, |o| {
            o.text("type", "function").text("name", &sent);
            if let Some(description) = &function.description {
                o.text("description", description);
            }
            if self.crosses {
                // Strict unless told otherwise, here and only here.
                let wants_strict = function.strict == Some(true);
                let is_strict = wants_strict && arguments.is_some_and(schema::is_strict);
                if wants_strict && !is_strict {
                    loss.note(format!("{}.strict", tool.at));
                }
                schema::write_arguments(o, "parameters", arguments);
                o.plain("strict", is_strict);
                lose_extra(&tool.at, &tool.extra, loss);
            } else {
                if let Some(arguments) = arguments {
                    o.raw("parameters", arguments);
                }
                if let Some(strict) = function.strict {
                    o.plain("strict", strict);
                }
                write_extra(o, &tool.extra);
            }
        });
        note_cache(tool, loss);
    }

    fn custom(&self, out: &mut Vec<u8>, name: &str, custom: &Custom<'_>, tool: &Tool<'_>, loss: &mut Loss) {
        object(out, |o| {
            o.text("type", "custom").text("name", name);
            if let Some(description) = &custom.description {
                o.text("description", description);
            }
            if let Some(grammar) = &custom.grammar {
                o.object("format", |o| {
                    o.text("type", "grammar").text("syntax", &grammar.syntax);
                    o.text("definition", &grammar.definition);
                });
            }
            if self.crosses {
                lose_extra(&tool.at, &tool.extra, loss);
            } else {
                write_extra(o, &tool.extra);
            }
        });
        note_cache(tool, loss);
    }

    fn sampling(&self, o: &mut Object<'_>, request: &ChatRequest<'_>, loss: &mut Loss) {
        let sampling = &request.sampling;
        if let Some(limit) = &sampling.max_output_tokens {
            let least = if self.crosses { LEAST_TOKENS } else { 0 };
            o.plain("max_output_tokens", limit.value.max(least));
            if limit.value < least {
                loss.note(limit.at);
            }
        }
        let floats = [("temperature", sampling.temperature), ("top_p", sampling.top_p)];
        for (name, value) in floats {
            match value {
                Some(value) if self.takes.sampling || !self.crosses => o.plain(name, value).end(),
                Some(value) if (value - 1.0).abs() > f64::EPSILON => loss.note(name),
                _ => {}
            }
        }
        let names = [
            "top_k",
            "seed",
            "frequency_penalty",
            "presence_penalty",
            "logprobs",
            "top_logprobs",
        ];
        sampling.lose(&names, loss);
        if let Some(stop) = &sampling.stop {
            loss.note(stop.at);
        }
    }

    /// The fields of `extra` that stand within the object `name`.
    fn within<'r>(
        &self,
        request: &'r ChatRequest<'_>,
        name: &str,
    ) -> impl Iterator<Item = (&'r str, &'r str)> {
        let own = request.extra.iter().filter(|_| !self.crosses);
        let inside = own.filter_map(move |(key, value)| {
            let inside = key.strip_prefix(name)?.strip_prefix('.')?;
            Some((inside, *value))
        });
        inside.filter(|(name, _)| !name.contains('.'))
    }

    /// Whether the request is of the provider's other dialect.
    fn shares(&self, request: &ChatRequest<'_>) -> bool {
        request.origin == Dialect::OpenAi && is_official(self.egress.kind)
    }

    fn text(&self, o: &mut Object<'_>, request: &ChatRequest<'_>) {
        let mut others: Vec<_> = self.within(request, "text").collect();
        if self.shares(request) {
            let named = request.extra.iter().filter(|(name, _)| name == VERBOSITY);
            others.extend(named.map(|(name, value)| (&**name, *value)));
        }
        if request.output.is_none() && others.is_empty() {
            return;
        }
        o.object("text", |o| {
            if let Some(output) = &request.output {
                object(o.key("format"), |o| self.format(o, &output.value));
            }
            for (name, value) in others {
                o.raw(name, value);
            }
        });
    }

    fn format(&self, o: &mut Object<'_>, output: &Output<'_>) {
        match output {
            Output::Text => o.text("type", "text").end(),
            Output::JsonObject => o.text("type", "json_object").end(),
            Output::JsonSchema {
                name,
                description,
                schema,
                strict,
            } => {
                o.text("type", "json_schema");
                match name {
                    Some(name) if self.crosses => o.text("name", &legal(name, LONGEST)).end(),
                    Some(name) => o.text("name", name).end(),
                    None => o.text("name", "response").end(),
                }
                if let Some(description) = description {
                    o.text("description", description);
                }
                o.raw("schema", schema);
                match strict {
                    Some(strict) => o.plain("strict", *strict).end(),
                    None if self.crosses => o.plain("strict", schema::is_strict(schema)).end(),
                    None => {}
                }
            }
        }
    }

    fn reasoning(&self, o: &mut Object<'_>, request: &ChatRequest<'_>, loss: &mut Loss) {
        let others: Vec<_> = self.within(request, "reasoning").collect();
        let effort = self.effort(request, loss);
        if effort.is_none() && others.is_empty() {
            return;
        }
        o.object("reasoning", |o| {
            if let Some(effort) = effort {
                o.text("effort", effort);
            }
            for (name, value) in others {
                o.raw(name, value);
            }
        });
    }

    /// The word for how much to think, if there is anything to be said of it.
    fn effort<'r>(&self, request: &'r ChatRequest<'_>, loss: &mut Loss) -> Option<&'r str> {
        let (mode, effort) = (&request.reasoning.mode, &request.reasoning.effort);
        let word = effort.as_ref().map(|effort| &*effort.value);
        if !self.crosses {
            return word;
        }
        let at = mode
            .as_ref()
            .map(|mode| mode.at)
            .or(effort.as_ref().map(|effort| effort.at))?;
        let mode = mode.as_ref().map(|mode| mode.value);
        let is_off = mode == Some(Thinking::Off) || (mode.is_none() && word == Some("none"));
        if !self.thinks() {
            if !is_off {
                loss.note(at);
            }
            return None;
        }
        let official = is_official(self.egress.kind);
        if is_off {
            let least = least_effort(self.egress.model).filter(|_| official);
            if least.is_none() {
                loss.note(at);
            }
            return least;
        }
        let word = match (mode, word) {
            (_, Some(word)) => word,
            (Some(Thinking::Budget(tokens)), None) => effort_of_budget(tokens),
            _ => return None,
        };
        match word {
            "xhigh" | "max" => {
                let most = most_effort(self.egress.model);
                if most == "high" {
                    loss.note(at);
                }
                Some(most)
            }
            word => Some(word),
        }
    }

    /// Whether the model reasons, and can be told how much.
    const fn thinks(&self) -> bool {
        matches!(self.takes.thinks, Thinks::Effort | Thinks::Object)
    }

    fn rest(&self, o: &mut Object<'_>, request: &ChatRequest<'_>, loss: &mut Loss) {
        match &request.user {
            Some(user) if self.crosses => {
                let name = if user.at == "safety_identifier" {
                    user.at
                } else {
                    "user"
                };
                if user.value.len() > LONGEST {
                    o.text(name, &legal(&user.value, LONGEST));
                } else {
                    o.text(name, &user.value);
                }
            }
            Some(user) => o.text(user.at, &user.value).end(),
            None => {}
        }
        if let Some(tier) = &request.service_tier {
            match openai_word(&tier.value, self.takes.service_tier) {
                _ if !self.crosses => o.text("service_tier", &tier.value).end(),
                Ok(Some(word)) => o.text("service_tier", word).end(),
                Ok(None) => {}
                Err(NoTier) => loss.note(tier.at),
            }
        }
        let says = |name: &str| !self.crosses && request.extra.iter().any(|(key, _)| key == name);
        if !says("store") {
            o.plain("store", false);
        }
        if !says("include") && self.thinks() {
            o.array("include", |a| a.text("reasoning.encrypted_content"));
        }
        if request.stream {
            o.plain("stream", true);
        }
        for (name, value) in &request.extra {
            let is_written = ["text.", "reasoning."]
                .iter()
                .any(|within| name.strip_prefix(within).is_some_and(|name| !name.contains('.')));
            match name.contains('.') {
                false if self.shares(request) && SHARED.contains(&&**name) => o.raw(name, value).end(),
                _ if self.shares(request) && name == VERBOSITY => {}
                _ if self.crosses => loss.note(&**name),
                true if is_written => {}
                true => loss.note(&**name),
                false => o.raw(name, value).end(),
            }
        }
    }
}
