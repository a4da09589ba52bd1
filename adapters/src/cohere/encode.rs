//! The canonical model, written as a Cohere chat request.
//!
//! The dialect refuses fields it does not know, wherever they stand: of another dialect's request, only what is
//! named here goes out.

use tollgate_core::{Dialect, Refusal};

use super::quirks::{Takes, takes, tool_name};
use super::schema as rules;
use super::turns::Writer;
use crate::anthropic::quirks::budget;
use crate::chat::names::Renamed;
use crate::chat::schema::JSON_HINT;
use crate::chat::tier::Tier;
use crate::chat::write::{Object, object};
use crate::chat::{
    ChatRequest, Function, Output, Thinking, Tool, ToolChoice, ToolKind, lose_extra, schema, write_extra,
};
use crate::egress::Egress;
use crate::loss::Loss;

/// The most stop sequences.
const MOST_STOPS: usize = 5;
/// The most tokens to choose from.
const MOST_K: u64 = 500;

/// A request that is being written.
struct Encoder<'l> {
    takes: Takes,
    /// The request was written in another dialect.
    crosses: bool,
    loss: &'l mut Loss,
    renamed: Renamed,
}

/// How the answer's form is asked for.
enum Form<'f> {
    Unsaid,
    Text,
    Json,
    /// JSON of this schema, and what it is.
    Schema(&'f str, Option<&'f str>),
    /// In words.
    Hint(String),
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
        takes: takes(egress.model),
        crosses: request.origin != Dialect::Cohere,
        loss,
        renamed: Renamed::default(),
    };
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |o| {
        o.text("model", egress.model);
        let form = encoder.form(&request);
        let hint = match &form {
            Form::Hint(hint) => Some(hint.clone()),
            Form::Schema(_, description) => description.map(|text| format!("The answer is JSON: {text}")),
            _ => None,
        };
        let mut writer = Writer {
            takes: encoder.takes,
            crosses: encoder.crosses,
            loss: encoder.loss,
        };
        writer.messages(o, turns, hint.as_deref());
        encoder.tools(o, &request);
        encoder.sampling(o, &request);
        encoder.output(o, &form);
        encoder.reasoning(o, &request);
        encoder.rest(o, &request);
    });
    Ok((out, encoder.renamed))
}

impl Encoder<'_> {
    /// `response_format` is refused beside tools, and takes schemas of objects only.
    fn form<'f>(&mut self, request: &'f ChatRequest<'_>) -> Form<'f> {
        let Some(output) = &request.output else {
            return Form::Unsaid;
        };
        let is_taken = !self.crosses || request.tools.is_empty();
        match &output.value {
            Output::Text => Form::Text,
            Output::JsonObject if is_taken => Form::Json,
            Output::JsonObject => {
                self.loss.note(output.at);
                Form::Hint(JSON_HINT.to_owned())
            }
            Output::JsonSchema {
                schema, description, ..
            } if is_taken && (!self.crosses || rules::is_object(schema)) => {
                Form::Schema(schema, description.as_deref())
            }
            Output::JsonSchema { schema, .. } => {
                self.loss.note(output.at);
                Form::Hint(format!(
                    "Respond with a single JSON value that conforms to this JSON schema, and nothing else:\n{schema}"
                ))
            }
        }
    }

    fn output(&self, o: &mut Object<'_>, form: &Form<'_>) {
        let kind = match form {
            Form::Unsaid | Form::Hint(_) => return,
            Form::Text => "text",
            Form::Json | Form::Schema(..) => "json_object",
        };
        o.object("response_format", |o| {
            o.text("type", kind);
            match form {
                Form::Schema(schema, _) if self.crosses => {
                    o.key("json_schema").append(&mut rules::mended(schema));
                }
                Form::Schema(schema, _) => o.raw("json_schema", schema).end(),
                _ => {}
            }
        });
    }

    fn tools(&mut self, o: &mut Object<'_>, request: &ChatRequest<'_>) {
        let crosses = self.crosses;
        let (mut tools, choice) = request.carried(Dialect::Cohere, self.loss);
        let forces = matches!(choice, Some(ToolChoice::Required | ToolChoice::Tool(_)));
        if let Some(choice) = request.tool_choice.as_ref()
            && forces
            && crosses
            && !self.takes.tool_choice
        {
            self.loss.note(choice.at);
        }
        let mut word = None;
        match choice {
            None | Some(ToolChoice::Auto) => {}
            // Nothing to call is as good.
            Some(ToolChoice::None) if crosses && !self.takes.tool_choice => tools.clear(),
            Some(ToolChoice::None) => word = Some("NONE"),
            Some(ToolChoice::Required) => word = Some("REQUIRED"),
            Some(ToolChoice::Tool(wanted)) => {
                // Who must call some tool, and knows but one, calls that.
                let is_it = |function: &Function<'_>| function.name == *wanted;
                tools.retain(|tool| tool.function().is_some_and(is_it));
                word = Some("REQUIRED");
            }
        }
        if let Some(parallel) = request.parallel_tool_calls.as_ref().filter(|wish| !wish.value) {
            self.loss.note(parallel.at);
        }
        if tools.is_empty() {
            return;
        }
        let strict = self.strict(&tools, request.origin);
        o.array("tools", |a| {
            for tool in &tools {
                self.tool(a.element(), tool);
            }
        });
        if let Some(strict) = strict {
            o.plain("strict_tools", strict);
        }
        if let Some(word) = word.filter(|_| self.takes.tool_choice || !crosses) {
            o.text("tool_choice", word);
        }
    }

    /// `strict_tools`: of all of them or none, and not of those whose arguments are all optional.
    fn strict(&mut self, tools: &[&Tool<'_>], origin: Dialect) -> Option<bool> {
        let said = |tool: &Tool<'_>| tool.function().and_then(|function| function.strict);
        if !self.crosses {
            return tools.iter().find_map(|tool| said(tool));
        }
        let can_be = |function: &Function<'_>| {
            function.strict == Some(true) && rules::requires_something(function.schema.as_deref())
        };
        if tools.iter().all(|tool| tool.function().is_some_and(can_be)) {
            return Some(true);
        }
        for tool in tools.iter().filter(|tool| said(tool) == Some(true)) {
            tool.lose_strict(origin, self.loss);
        }
        None
    }

    fn tool(&mut self, out: &mut Vec<u8>, tool: &Tool<'_>) {
        let function = match &tool.kind {
            ToolKind::Opaque(json) => return out.extend_from_slice(json.as_bytes()),
            ToolKind::Function(function) => function,
        };
        let name = &function.name;
        let sent = if self.crosses {
            tool_name(name)
        } else {
            (&**name).into()
        };
        self.renamed.note(name, &sent);
        object(out, |o| {
            o.text("type", "function").object("function", |o| {
                o.text("name", &sent);
                if let Some(description) = &function.description {
                    o.text("description", description);
                }
                schema::write_arguments(o, "parameters", function.schema.as_deref());
            });
            if !self.crosses {
                write_extra(o, &tool.extra);
            }
        });
        if tool.cache.is_some() {
            self.loss.note(format!("{}.cache_control", tool.at));
        }
        if self.crosses {
            lose_extra(&tool.at, &tool.extra, self.loss);
        }
    }

    fn sampling(&mut self, o: &mut Object<'_>, request: &ChatRequest<'_>) {
        let sampling = &request.sampling;
        if let Some(limit) = &sampling.max_output_tokens {
            o.plain("max_tokens", limit.value);
        }
        let floats = [
            ("temperature", "temperature", sampling.temperature, 0.0, 1.0),
            (
                "frequency_penalty",
                "frequency_penalty",
                sampling.frequency_penalty,
                0.0,
                1.0,
            ),
            (
                "presence_penalty",
                "presence_penalty",
                sampling.presence_penalty,
                0.0,
                1.0,
            ),
            // 0 and 1 are what others say for "the first" and "all": the nearest is meant.
            ("p", "top_p", sampling.top_p, 0.01, 0.99),
        ];
        for (name, at, value, least, most) in floats {
            let Some(value) = value else { continue };
            if !self.crosses {
                o.plain(name, value);
                continue;
            }
            if !(0.0..=1.0).contains(&value) {
                self.loss.note(at);
            }
            o.plain(name, value.clamp(least, most));
        }
        if let Some(top_k) = sampling.top_k {
            if self.crosses && top_k > MOST_K {
                self.loss.note("top_k");
            }
            o.plain("k", if self.crosses { top_k.min(MOST_K) } else { top_k });
        }
        if let Some(stop) = &sampling.stop {
            let most = if self.crosses { MOST_STOPS } else { usize::MAX };
            for index in most..stop.value.len() {
                self.loss.note(format!("{}[{index}]", stop.at));
            }
            o.array("stop_sequences", |a| {
                stop.value.iter().take(most).for_each(|stop| a.text(stop));
            });
        }
        match sampling.seed {
            Some(seed) if seed < 0 && self.crosses => self.loss.note("seed"),
            Some(seed) => o.plain("seed", seed).end(),
            None => {}
        }
        // What comes back of them has no place in an answer that is translated.
        match sampling.logprobs {
            Some(_) if self.crosses => self.loss.note("logprobs"),
            Some(logprobs) => o.plain("logprobs", logprobs).end(),
            None => {}
        }
        if sampling.top_logprobs.is_some() {
            self.loss.note("top_logprobs");
        }
    }

    fn reasoning(&mut self, o: &mut Object<'_>, request: &ChatRequest<'_>) {
        let mode = request.reasoning.mode.as_ref();
        let effort = request.reasoning.effort.as_ref();
        let Some(at) = mode.map(|mode| mode.at).or(effort.map(|effort| effort.at)) else {
            return;
        };
        let (mode, word) = (mode.map(|mode| mode.value), effort.map(|effort| &*effort.value));
        let is_off = mode == Some(Thinking::Off) || (mode.is_none() && word == Some("none"));
        if self.crosses && !self.takes.thinking {
            if !is_off {
                self.loss.note(at);
            }
            return;
        }
        let tokens = match (mode, word) {
            (Some(Thinking::Budget(tokens)), _) => Some(tokens),
            (_, Some(word @ ("minimal" | "low" | "medium"))) => Some(budget(word)),
            // As long as it sees fit: what is most.
            _ => None,
        };
        let limit = request.sampling.max_output_tokens.as_ref();
        let limit = limit.map(|limit| limit.value).filter(|_| self.crosses);
        // Thoughts count against the limit, and are to leave room for an answer.
        let room = limit.map_or(u64::MAX, |limit| limit.saturating_sub((limit / 5).max(1)).max(1));
        o.object("thinking", |o| {
            o.text("type", if is_off { "disabled" } else { "enabled" });
            if let Some(tokens) = tokens.filter(|_| !is_off) {
                o.plain("token_budget", tokens.min(room));
            }
        });
    }

    fn rest(&mut self, o: &mut Object<'_>, request: &ChatRequest<'_>) {
        if let Some(user) = &request.user {
            self.loss.note(user.at);
        }
        if let Some(tier) = &request.service_tier
            && Tier::of(&tier.value) != Some(Tier::Standard)
        {
            self.loss.note(tier.at);
        }
        if request.stream {
            o.plain("stream", true);
        }
        if self.crosses {
            return lose_extra("", &request.extra, self.loss);
        }
        for (name, value) in &request.extra {
            if name.contains('.') {
                self.loss.note(&**name);
            } else {
                o.raw(name, value);
            }
        }
    }
}
