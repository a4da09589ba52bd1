//! The canonical model, written as a Chat Completions request, as one provider takes it.

use tollgate_core::{Dialect, ProviderKind};

use super::quirks::{LONGEST_NAME, Takes, Thinks, is_official, least_effort, most_effort, takes};
use super::turns::{self, Writer};
use crate::anthropic::quirks::{budget, effort_of_budget};
use crate::chat::names::{Renamed, legal};
use crate::chat::tier::{NoTier, openai_word};
use crate::chat::write::{Object, object};
use crate::chat::{
    ChatRequest, Output, Thinking, Tool, ToolChoice, ToolKind, lose_extra, schema, write_extra,
};
use crate::egress::Egress;
use crate::loss::Loss;
use crate::profile::profile;

/// The longest word for an end user.
const LONGEST_USER: usize = 64;
/// Mistral's highest temperature.
const HOTTEST: f64 = 1.5;
/// What Mistral takes at the top beyond the fields that are understood here.
const MISTRAL_EXTRA: &[&str] = &[
    "metadata",
    "prediction",
    "prompt_mode",
    "safe_prompt",
    "guardrails",
    "prompt_cache_key",
    "random_seed",
];

/// A request that is being written.
struct Encoder<'e> {
    egress: &'e Egress<'e>,
    takes: Takes,
    /// What was not understood must not pass on: it was written in another dialect, or the provider is strict.
    crosses: bool,
    renamed: Renamed,
}

/// Writes a request; names that had to be changed are in the second value.
pub(crate) fn request(
    mut request: ChatRequest<'_>,
    egress: &Egress<'_>,
    loss: &mut Loss,
) -> (Vec<u8>, Renamed) {
    let turns = std::mem::take(&mut request.turns);
    let mut encoder = Encoder {
        egress,
        takes: takes(egress.kind, egress.model),
        crosses: request.origin != Dialect::OpenAi || profile(egress.kind).quirks.is_strict,
        renamed: Renamed::default(),
    };
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |o| {
        o.text("model", egress.model);
        let mut writer = Writer {
            kind: egress.kind,
            takes: encoder.takes,
            crosses: encoder.crosses,
            loss,
        };
        writer.messages(o, turns, encoder.schema_hint(&request).as_deref());
        encoder.tools(o, &request, loss);
        encoder.sampling(o, &request, loss);
        encoder.output(o, &request, loss);
        encoder.reasoning(o, &request, loss);
        encoder.rest(o, &request, loss);
    });
    (out, encoder.renamed)
}

impl Encoder<'_> {
    fn tools(&mut self, o: &mut Object<'_>, request: &ChatRequest<'_>, loss: &mut Loss) {
        let (tools, choice) = request.carried(Dialect::OpenAi, loss);
        if tools.is_empty() {
            return;
        }
        o.array("tools", |a| {
            for tool in &tools {
                self.tool(a.element(), tool, loss);
            }
        });
        if let Some(choice) = choice {
            match choice {
                ToolChoice::Auto => o.text("tool_choice", "auto").end(),
                ToolChoice::None => o.text("tool_choice", "none").end(),
                ToolChoice::Required if self.egress.kind == ProviderKind::Mistral => {
                    o.text("tool_choice", "any");
                }
                ToolChoice::Required => o.text("tool_choice", "required").end(),
                ToolChoice::Tool(name) => {
                    o.object("tool_choice", |o| {
                        o.text("type", "function");
                        o.object("function", |o| o.text("name", &legal(name, LONGEST_NAME)).end());
                    });
                }
            }
        }
        match &request.parallel_tool_calls {
            Some(parallel) if self.takes.parallel_switch => {
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
        let sent = legal(&function.name, LONGEST_NAME);
        self.renamed.note(&function.name, &sent);
        let is_taken = |strict: bool| !strict || !self.crosses || arguments.is_some_and(schema::is_strict);
        object(out, |o| {
            o.text("type", "function").object("function", |o| {
                o.text("name", &sent);
                if let Some(description) = &function.description {
                    o.text("description", description);
                }
                schema::write_arguments(o, "parameters", arguments);
                match function.strict {
                    Some(strict) if is_taken(strict) => o.plain("strict", strict).end(),
                    Some(_) => loss.note(format!("{}.strict", tool.at)),
                    None => {}
                }
            });
            turns::write_cache(o, &tool.at, tool.cache.as_ref(), self.takes, self.crosses, loss);
            if self.crosses {
                lose_extra(&tool.at, &tool.extra, loss);
            } else {
                write_extra(o, &tool.extra);
            }
        });
    }

    fn sampling(&self, o: &mut Object<'_>, request: &ChatRequest<'_>, loss: &mut Loss) {
        let sampling = &request.sampling;
        let is_mistral = self.egress.kind == ProviderKind::Mistral;
        if let Some(limit) = &sampling.max_output_tokens {
            let is_asked_for = limit.at == "max_completion_tokens" && !self.crosses;
            let name = if self.takes.completion_limit || is_asked_for {
                "max_completion_tokens"
            } else {
                "max_tokens"
            };
            o.plain(name, limit.value);
        }
        let floats = [
            ("temperature", sampling.temperature, 1.0),
            ("top_p", sampling.top_p, 1.0),
            ("frequency_penalty", sampling.frequency_penalty, 0.0),
            ("presence_penalty", sampling.presence_penalty, 0.0),
        ];
        for (name, value, default) in floats {
            match value {
                Some(value) if is_mistral && name == "temperature" && value > HOTTEST => {
                    o.plain(name, HOTTEST);
                    loss.note(name);
                }
                Some(value) if self.takes.sampling => o.plain(name, value).end(),
                Some(value) if (value - default).abs() > f64::EPSILON => loss.note(name),
                _ => {}
            }
        }
        if let Some(top_k) = sampling.top_k {
            if self.takes.top_k || !self.crosses {
                o.plain("top_k", top_k);
            } else {
                loss.note("top_k");
            }
        }
        self.stop(o, request, loss);
        if let Some(seed) = sampling.seed {
            o.plain(if is_mistral { "random_seed" } else { "seed" }, seed);
        }
        match sampling.n {
            // Of a stream that is written anew, the first answer is read.
            Some(2..) if self.crosses && request.stream => loss.note("n"),
            Some(n) => o.plain("n", n).end(),
            None => {}
        }
        match sampling.logprobs {
            // What comes back of them has no place in an answer that is written anew.
            Some(_) if self.crosses => loss.note("logprobs"),
            Some(logprobs) => o.plain("logprobs", logprobs).end(),
            None => {}
        }
        match sampling.top_logprobs {
            Some(_) if self.crosses => loss.note("top_logprobs"),
            Some(top) => o.plain("top_logprobs", top).end(),
            None => {}
        }
    }

    fn stop(&self, o: &mut Object<'_>, request: &ChatRequest<'_>, loss: &mut Loss) {
        let Some(stop) = &request.sampling.stop else {
            return;
        };
        if !self.takes.sampling {
            return loss.note(stop.at);
        }
        let most = if self.crosses {
            self.takes.most_stops
        } else {
            usize::MAX
        };
        for index in most..stop.value.len() {
            loss.note(format!("{}[{index}]", stop.at));
        }
        o.array("stop", |a| {
            stop.value.iter().take(most).for_each(|stop| a.text(stop));
        });
    }

    /// The schema in words, for those who take JSON mode only.
    fn schema_hint(&self, request: &ChatRequest<'_>) -> Option<String> {
        match request.output.as_ref().map(|output| &output.value) {
            Some(Output::JsonSchema { schema, .. }) if !self.takes.json_schema => Some(format!(
                "Respond with a single JSON object that conforms to this JSON schema:\n{schema}"
            )),
            _ => None,
        }
    }

    fn output(&self, o: &mut Object<'_>, request: &ChatRequest<'_>, loss: &mut Loss) {
        let Some(output) = &request.output else { return };
        object(o.key("response_format"), |o| match &output.value {
            Output::Text => o.text("type", "text").end(),
            Output::JsonObject => o.text("type", "json_object").end(),
            Output::JsonSchema { .. } if !self.takes.json_schema => {
                loss.note(output.at);
                o.text("type", "json_object");
            }
            Output::JsonSchema {
                name,
                description,
                schema,
                strict,
            } => {
                o.text("type", "json_schema").object("json_schema", |o| {
                    o.text("name", name.as_deref().unwrap_or("response"));
                    if let Some(description) = description {
                        o.text("description", description);
                    }
                    o.raw("schema", schema);
                    match strict {
                        Some(strict) => o.plain("strict", strict).end(),
                        None if self.crosses && schema::is_strict(schema) => o.plain("strict", true).end(),
                        None => {}
                    }
                });
            }
        });
    }

    fn reasoning(&self, o: &mut Object<'_>, request: &ChatRequest<'_>, loss: &mut Loss) {
        let (mode, effort) = (&request.reasoning.mode, &request.reasoning.effort);
        let word = effort.as_ref().map(|effort| &*effort.value);
        let Some(at) = mode
            .as_ref()
            .map(|mode| mode.at)
            .or(effort.as_ref().map(|effort| effort.at))
        else {
            return;
        };
        if !self.crosses {
            if let Some(effort) = word {
                o.text("reasoning_effort", effort);
            }
            if let Some(mode) = mode {
                write_thinking(o, mode.value);
            }
            return;
        }
        let mode = mode.as_ref().map(|mode| mode.value);
        let is_off = mode == Some(Thinking::Off) || (mode.is_none() && word == Some("none"));
        let word = match (mode, word) {
            (_, Some(word)) => Some(word),
            (Some(Thinking::Budget(tokens)), None) => Some(effort_of_budget(tokens)),
            _ => None,
        };
        match self.takes.thinks {
            // A client of the same dialect asks in the provider's own word.
            Thinks::Never if at == "reasoning_effort" && self.egress.kind == ProviderKind::Mistral => {
                o.text(at, word.unwrap_or_default());
            }
            Thinks::Never if is_off => {}
            Thinks::Never => loss.note(at),
            Thinks::Effort => self.effort(o, is_off, word, at, loss),
            Thinks::Switch => {
                let kind = if is_off { "disabled" } else { "enabled" };
                o.object("thinking", |o| o.text("type", kind).end());
            }
            // Without a stream, DashScope refuses to think.
            Thinks::Budget => {
                o.plain("enable_thinking", !is_off && request.stream);
                if !is_off && !request.stream {
                    loss.note(at);
                } else if let (Some(Thinking::Budget(tokens)), false) = (mode, is_off) {
                    o.plain("thinking_budget", tokens);
                } else if let (Some(word), false) = (word, is_off) {
                    o.plain("thinking_budget", budget(word));
                }
            }
            Thinks::Object => {
                o.object("reasoning", |o| {
                    match (mode, word) {
                        _ if is_off => o.plain("enabled", false),
                        (Some(Thinking::Budget(tokens)), _) => o.plain("max_tokens", tokens),
                        (_, Some(word)) => o.text("effort", if word == "max" { "xhigh" } else { word }),
                        _ => o.plain("enabled", true),
                    };
                });
            }
        }
    }

    fn effort(
        &self,
        o: &mut Object<'_>,
        is_off: bool,
        word: Option<&str>,
        at: &'static str,
        loss: &mut Loss,
    ) {
        let official = is_official(self.egress.kind);
        if is_off {
            match least_effort(self.egress.model).filter(|_| official) {
                Some(least) => o.text("reasoning_effort", least).end(),
                None => loss.note(at),
            }
            return;
        }
        let Some(word) = word else { return };
        let sent = match word {
            "xhigh" | "max" => most_effort(self.egress.model),
            word => word,
        };
        if sent == "high" && word != "high" {
            loss.note(at);
        }
        o.text("reasoning_effort", sent);
    }

    fn rest(&self, o: &mut Object<'_>, request: &ChatRequest<'_>, loss: &mut Loss) {
        match &request.user {
            Some(user) if !self.takes.user => loss.note(user.at),
            Some(user) if self.crosses && user.value.len() > LONGEST_USER => {
                o.text("user", &legal(&user.value, LONGEST_USER));
            }
            Some(user) if user.at == "safety_identifier" => o.text(user.at, &user.value).end(),
            Some(user) => o.text("user", &user.value).end(),
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
        if request.stream {
            o.plain("stream", true);
            if profile(self.egress.kind).quirks.takes_stream_options {
                o.object("stream_options", |o| o.plain("include_usage", true).end());
            }
        }
        if self.crosses {
            let is_mistral = self.egress.kind == ProviderKind::Mistral && request.origin == Dialect::OpenAi;
            for (name, value) in &request.extra {
                let is_seed = name == "random_seed" && request.sampling.seed.is_some();
                if is_mistral && MISTRAL_EXTRA.contains(&&**name) && !is_seed {
                    o.raw(name, value);
                } else {
                    loss.note(&**name);
                }
            }
        } else {
            let whole = request.extra.iter().filter(|(name, _)| !name.contains('.'));
            whole.for_each(|(name, value)| o.raw(name, value).end());
            let dotted = request.extra.iter().filter(|(name, _)| name.contains('.'));
            dotted.for_each(|(name, _)| loss.note(&**name));
        }
    }
}

/// `thinking`, as `DeepSeek` and other gateways take it.
fn write_thinking(o: &mut Object<'_>, mode: Thinking) {
    o.object("thinking", |o| {
        match mode {
            Thinking::Off => o.text("type", "disabled"),
            Thinking::Adaptive => o.text("type", "adaptive"),
            Thinking::Budget(tokens) => o.text("type", "enabled").plain("budget_tokens", tokens),
        };
    });
}
