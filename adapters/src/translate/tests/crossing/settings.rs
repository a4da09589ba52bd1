//! How an answer is asked for, before and after a way through another dialect.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde_json::Value;
use tollgate_core::Dialect;

use super::said::{Named, unnamed};
use crate::anthropic::quirks::effort_of_budget;
use crate::chat::names::{Renamed, legal};
use crate::chat::tier::Tier;
use crate::chat::{At, ChatRequest, Function, Output, Reasoning, Thinking, Tool, ToolChoice};

/// A request on one side and the other, and what tells how it got there.
pub(super) struct Way<'w> {
    pub(super) before: &'w ChatRequest<'w>,
    pub(super) after: &'w ChatRequest<'w>,
    pub(super) to: Dialect,
    pub(super) named: &'w Named,
    pub(super) renamed: &'w Renamed,
    /// What differs, and is accounted for nowhere.
    pub(super) lost: Vec<String>,
}

impl Way<'_> {
    pub(super) fn compare(&mut self) {
        self.sampling();
        self.limit();
        self.stop();
        self.tools();
        self.choice();
        self.output();
        self.reasoning();
        self.rest();
    }

    /// Complains of a value that is another one, and not named by any of `names`.
    fn keep<T: PartialEq + Debug>(&mut self, names: &[&str], before: &T, after: &T) {
        if before != after && !names.iter().any(|name| self.named.has(name)) {
            self.lost
                .push(format!("{}: {before:?} became {after:?}", names[0]));
        }
    }

    fn sampling(&mut self) {
        let (before, after) = (self.before.sampling.clone(), self.after.sampling.clone());
        let floats = [
            ("temperature", before.temperature, after.temperature, 1.0),
            ("top_p", before.top_p, after.top_p, 1.0),
            (
                "frequency_penalty",
                before.frequency_penalty,
                after.frequency_penalty,
                0.0,
            ),
            (
                "presence_penalty",
                before.presence_penalty,
                after.presence_penalty,
                0.0,
            ),
        ];
        for (name, before, after, default) in floats {
            // The default, said aloud, need not be said.
            let is_default = before == Some(default) && after.is_none();
            // Cohere takes neither end of the range: the nearest is meant.
            let is_near =
                self.to == Dialect::Cohere && name == "top_p" && before.map(|p| p.clamp(0.01, 0.99)) == after;
            if !is_default && !is_near {
                self.keep(&[name], &before, &after);
            }
        }
        self.keep(&["top_k"], &before.top_k, &after.top_k);
        self.keep(&["seed"], &before.seed, &after.seed);
        // One answer is what is given anyway; no probabilities, too.
        self.keep(&["n"], &before.n.filter(|n| *n > 1), &after.n.filter(|n| *n > 1));
        self.keep(
            &["logprobs"],
            &before.logprobs.filter(|on| *on),
            &after.logprobs.filter(|on| *on),
        );
        let some = |count: Option<u64>| count.filter(|count| *count > 0);
        self.keep(
            &["top_logprobs"],
            &some(before.top_logprobs),
            &some(after.top_logprobs),
        );
    }

    fn limit(&mut self) {
        let before = self.before.sampling.max_output_tokens.clone();
        let after = self
            .after
            .sampling
            .max_output_tokens
            .as_ref()
            .map(|limit| limit.value);
        let mode = self.after.reasoning.mode.as_ref().map(|mode| mode.value);
        let budget = matches!(mode, Some(Thinking::Budget(_)));
        let is_claude = matches!(self.to, Dialect::Anthropic | Dialect::Bedrock);
        let Some(At { at, value }) = before else {
            // Claude must be given a limit, on Bedrock if it is to think.
            let is_demanded = self.to == Dialect::Anthropic || (self.to == Dialect::Bedrock && budget);
            if after.is_some() && !is_demanded {
                self.lost
                    .push(format!("a limit of {after:?} that nobody asked for"));
            }
            return;
        };
        // A limit that is too small for any thinking is taken for the answer alone.
        let is_grown = is_claude && budget && value <= 1024 && after == Some(value + 1024);
        if !is_grown {
            self.keep(&[at], &Some(value), &after);
        }
    }

    fn stop(&mut self) {
        let texts = |request: &ChatRequest<'_>| -> Vec<String> {
            let stop = request.sampling.stop.iter().flat_map(|stop| &stop.value);
            stop.map(ToString::to_string).collect()
        };
        let mut before = texts(self.before);
        if let Some(At { at, .. }) = self.before.sampling.stop {
            let mut index = 0;
            before.retain(|_| {
                index += 1;
                !self.named.has(&format!("{at}[{}]", index - 1)) && !self.named.has(at)
            });
        }
        self.keep(&["stop sequences"], &before, &texts(self.after));
    }

    /// A tool, or what it comes to.
    fn tool(&self, tool: &Tool<'_>, named: &Named) -> String {
        let at = &tool.at;
        let lost = |name: &str| named.has(&format!("{at}.{name}"));
        let extra: Vec<_> = unnamed(at, &tool.extra, named).collect();
        let cache = tool.cache.as_ref().filter(|_| !lost("cache_control"));
        // Five minutes are what is meant where nothing is said.
        let ttl = |ttl: Option<&str>| {
            ttl.filter(|_| !lost("cache_control.ttl"))
                .unwrap_or("5m")
                .to_owned()
        };
        let cache = cache.map(|cache| ttl(cache.ttl.as_deref()));
        let Some(function) = tool.function() else {
            return format!("{:?} {cache:?} {extra:?}", tool.kind);
        };
        // No description is a blank one.
        let description = function
            .description
            .as_deref()
            .filter(|text| !text.trim().is_empty());
        let strict_at = ["strict", "function.strict"].into_iter().any(lost) || named.has("strict_tools");
        // Not to be strict is the default, but in Responses, where the encoder says it.
        let strict = function.strict == Some(true) && !strict_at;
        let name = self.renamed.original(&function.name);
        format!(
            "{name} {description:?} {} {strict} {cache:?} {extra:?}",
            arguments(function.schema.as_deref())
        )
    }

    fn tools(&mut self) {
        let nothing = Named::default();
        let kept = self.before.tools.iter().filter(|tool| !self.named.has(&tool.at));
        let mut before: Vec<String> = kept.map(|tool| self.tool(tool, self.named)).collect();
        let mut after: Vec<String> = self
            .after
            .tools
            .iter()
            .map(|tool| self.tool(tool, &nothing))
            .collect();
        if self.to == Dialect::Gemini {
            // Functions stand together.
            before.sort();
            after.sort();
        }
        if before.is_empty() {
            // What history mentions must be there at Claude's, if only by its name.
            let is_mentioned = |tool: &&Tool<'_>| tool.function().is_some_and(is_bare);
            let mentioned = self.after.tools.iter().filter(is_mentioned).count();
            if matches!(self.to, Dialect::Anthropic | Dialect::Bedrock) && mentioned == after.len() {
                return;
            }
        }
        let forbids = matches!(self.to, Dialect::Cohere | Dialect::Bedrock) && after.is_empty();
        if forbids && chosen(self.before) == Some(ToolChoice::None) {
            // What is not there cannot be called.
            return;
        }
        if let (Dialect::Cohere, Some(ToolChoice::Tool(name))) = (self.to, chosen(self.before)) {
            // Who must call some tool, and knows but one, calls that.
            before.retain(|tool| tool.starts_with(&format!("{name} ")));
        }
        self.keep(&["tools"], &before, &after);
    }

    fn choice(&mut self) {
        let is_kept = |tool: &&Tool<'_>| !self.named.has(&tool.at);
        if self.before.tools.iter().filter(is_kept).count() == 0 {
            // Without tools there is nothing to choose.
            return;
        }
        let at = self
            .before
            .tool_choice
            .as_ref()
            .map_or("tool_choice", |choice| choice.at);
        let (asked, claudes) = (claudes_choice(self.before), claudes_choice(self.after));
        // Who speaks of Claude in its maker's words is heard on Bedrock only.
        let asked = asked.0.filter(|_| self.to == Dialect::Bedrock);
        let is_said = |choice: &ToolChoice<'_>| *choice != ToolChoice::Auto;
        let before = chosen(self.before).or(asked).filter(is_said);
        let after = chosen(self.after).or(claudes.0).filter(is_said);
        let after = after.map(|choice| match choice {
            ToolChoice::Tool(name) => ToolChoice::Tool(self.renamed.original(&name).to_owned().into()),
            choice => choice,
        });
        let before = match before {
            Some(ToolChoice::Tool(_)) if self.to == Dialect::Cohere => Some(ToolChoice::Required),
            before => before,
        };
        // What is not there cannot be called.
        let is_forbidden = before == Some(ToolChoice::None) && self.after.tools.is_empty();
        if !is_forbidden {
            self.keep(&[at], &before, &after);
        }
        let parallel = self.before.parallel_tool_calls.clone();
        let after = self
            .after
            .parallel_tool_calls
            .as_ref()
            .map(|parallel| parallel.value)
            .or(claudes.1);
        let Some(At { at, value: false }) = parallel else {
            return;
        };
        if before != Some(ToolChoice::None) {
            self.keep(&[at], &Some(false), &after);
        }
    }

    fn output(&mut self) {
        let Some(At { at, value }) = &self.before.output else {
            return self.keep(
                &["an output that nobody asked for"],
                &None,
                &self.after.output.clone(),
            );
        };
        let hint = self.hint();
        let after = self.after.output.as_ref().map(|output| &output.value);
        let is_kept = match (value, after) {
            // Anything may come anyway.
            (Output::Text, None | Some(Output::Text)) | (Output::JsonObject, Some(Output::JsonObject)) => {
                true
            }
            // Who has no word for it is told in a sentence.
            (Output::JsonObject, None) => hint.contains("JSON object"),
            (Output::JsonSchema { .. }, Some(Output::JsonSchema { .. })) => {
                self.same_schema(value, after, &hint)
            }
            _ => false,
        };
        if !is_kept && !self.named.has(at) {
            self.lost
                .push(format!("{at}: {value:?} became {after:?}, and `{hint}` was said"));
        }
    }

    fn same_schema(&self, before: &Output<'_>, after: Option<&Output<'_>>, hint: &str) -> bool {
        let (
            Output::JsonSchema {
                name,
                description,
                schema,
                strict,
            },
            Some(Output::JsonSchema {
                name: told_name,
                description: told,
                schema: sent,
                strict: is_strict,
            }),
        ) = (before, after)
        else {
            return false;
        };
        // Where a schema has no name, and where it must have one.
        let is_named = match (self.to, name) {
            (Dialect::OpenAi | Dialect::Responses, None) => told_name.as_deref() == Some("response"),
            (Dialect::OpenAi | Dialect::Responses, Some(name)) => {
                told_name.as_deref() == Some(&*legal(name, 64))
            }
            (Dialect::Bedrock, name) => told_name == name,
            _ => told_name.is_none(),
        };
        let is_described =
            description == told || description.as_ref().is_none_or(|text| hint.contains(&**text));
        // Elsewhere schemas are kept to, whatever is said.
        let is_as_strict = match self.to {
            Dialect::OpenAi | Dialect::Responses if strict.is_some() => strict == is_strict,
            _ => true,
        };
        let sent: Value = serde_json::from_str(sent).unwrap();
        let wanted = match self.to {
            // There each object must require something.
            Dialect::Cohere if self.before.origin != self.to => crate::cohere::schema::mended(schema),
            _ => schema.as_bytes().to_vec(),
        };
        is_named && is_described && is_as_strict && serde_json::from_slice::<Value>(&wanted).unwrap() == sent
    }

    /// What the model is told in words of the answer's form.
    fn hint(&self) -> String {
        let parts = self.after.turns.iter().flat_map(|turn| &turn.parts);
        let texts = parts.filter_map(|part| match &part.kind {
            crate::chat::Kind::Text(text) if text.contains("JSON") => Some(&**text),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }

    fn reasoning(&mut self) {
        let (before, after) = (&self.before.reasoning, &self.after.reasoning);
        let places = [
            before.mode.as_ref().map(|mode| mode.at),
            before.effort.as_ref().map(|effort| effort.at),
        ];
        if places.into_iter().flatten().any(|at| self.named.has(at)) {
            return;
        }
        let is_limited = self.before.sampling.max_output_tokens.is_some();
        let is_kept = match (amount(before), amount(after)) {
            (Amount::Unsaid, Amount::Unsaid) | (Amount::Off, Amount::Off) => true,
            // Those who do not think unless asked need not be told.
            (Amount::Off, Amount::Unsaid) => self.to != Dialect::Gemini,
            // OpenAI's models think as little as they can.
            (Amount::Off, Amount::Tokens(_) | Amount::Word(_)) => {
                after.effort.as_ref().is_some_and(|e| e.value == "minimal")
            }
            // As much as the model sees fit is what it does.
            (Amount::AsItSeesFit, told) => told != Amount::Off,
            (Amount::Tokens(wanted), Amount::Tokens(told)) => {
                let least = wanted.max(1024);
                told == wanted || told == least || (is_limited && told < least)
            }
            // Not every level is there: it is the next one, if no word was said for it.
            (Amount::Tokens(wanted), Amount::Word(word)) if self.to == Dialect::Gemini => {
                rank(effort_of_budget(wanted)) <= rank(word)
            }
            (Amount::Tokens(wanted), Amount::Word(word)) => effort_of_budget(wanted) == word,
            (Amount::Word(word), Amount::Word(told)) => word == told,
            (Amount::Word(word), Amount::Tokens(told)) => {
                word == effort_of_budget(told) || (is_limited && rank(effort_of_budget(told)) < rank(word))
            }
            // The most is as much as it sees fit.
            (Amount::Word("high"), Amount::AsItSeesFit) => self.to == Dialect::Cohere,
            _ => false,
        };
        if !is_kept {
            self.lost.push(format!("reasoning: {before:?} became {after:?}"));
        }
    }

    fn rest(&mut self) {
        let streams = |dialect| !matches!(dialect, Dialect::Gemini | Dialect::Bedrock);
        // There it stands in the URL.
        if streams(self.to) {
            self.keep(&["stream"], &self.before.stream, &self.after.stream);
        }
        if let Some(At { at, value }) = self.before.user.clone() {
            let openai = matches!(self.to, Dialect::OpenAi | Dialect::Responses);
            // OpenAI takes so many characters, and the same name must come of the same user.
            let is_cut = openai && value.len() > 64 && self.before.origin != self.to;
            let expected = if is_cut {
                legal(&value, 64).into_owned()
            } else {
                value.into_owned()
            };
            let after = self.after.user.as_ref().map(|user| user.value.to_string());
            self.keep(&[at], &Some(expected), &after);
        }
        if let Some(At { at, value }) = self.before.service_tier.clone() {
            let after = self
                .after
                .service_tier
                .as_ref()
                .map(|tier| tier.value.to_string());
            let tier = |word: Option<&str>| word.map_or(Some(Tier::Standard), Tier::of);
            let is_same = Some(&*value) == after.as_deref()
                || (tier(Some(&value)).is_some() && tier(Some(&value)) == tier(after.as_deref()));
            if !is_same {
                self.keep(&[at], &Some(value.to_string()), &after);
            }
        }
        let nothing = Named::default();
        let after: Vec<String> = unnamed("", &self.after.extra, &nothing).collect();
        for field in unnamed("", &self.before.extra, self.named) {
            // The two dialects of OpenAI have it in different places.
            let elsewhere = field
                .strip_prefix("verbosity")
                .map(|value| format!("text.verbosity{value}"));
            if !after.contains(&field) && !elsewhere.is_some_and(|field| after.contains(&field)) {
                self.lost.push(format!("extra {field}"));
            }
        }
    }
}

/// What Claude is told on Bedrock in its maker's words.
fn claudes_choice(request: &ChatRequest<'_>) -> (Option<ToolChoice<'static>>, Option<bool>) {
    let find =
        |(name, _): &&(std::borrow::Cow<'_, str>, &str)| name == "additionalModelRequestFields.tool_choice";
    let Some((_, json)) = request.extra.iter().find(find) else {
        return (None, None);
    };
    let choice: Value = serde_json::from_str(json).unwrap();
    let chosen = match choice["type"].as_str() {
        Some("none") => Some(ToolChoice::None),
        Some("any") => Some(ToolChoice::Required),
        Some("tool") => Some(ToolChoice::Tool(
            choice["name"].as_str().unwrap().to_owned().into(),
        )),
        _ => None,
    };
    (
        chosen,
        choice["disable_parallel_tool_use"]
            .as_bool()
            .map(|disabled| !disabled),
    )
}

fn chosen(request: &ChatRequest<'_>) -> Option<ToolChoice<'static>> {
    Some(match &request.tool_choice.as_ref()?.value {
        ToolChoice::Auto => ToolChoice::Auto,
        ToolChoice::None => ToolChoice::None,
        ToolChoice::Required => ToolChoice::Required,
        ToolChoice::Tool(name) => ToolChoice::Tool(name.to_string().into()),
    })
}

fn is_bare(function: &Function<'_>) -> bool {
    function.description.is_none() && arguments(function.schema.as_deref()) == arguments(None)
}

/// The same, whatever the order of its fields.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields
                .into_iter()
                .map(|(name, value)| (name, sorted(value)))
                .collect();
            fields.into_iter().collect()
        }
        Value::Array(values) => values.into_iter().map(sorted).collect(),
        value => value,
    }
}

/// The schema of arguments, which describes an object whether it says so or not.
fn arguments(schema: Option<&str>) -> Value {
    let mut schema: Value = serde_json::from_str(schema.unwrap_or("{}")).unwrap();
    if schema["type"] != "object" {
        schema["type"] = "object".into();
        if schema["properties"].is_null() {
            schema["properties"] = serde_json::json!({});
        }
    }
    sorted(schema)
}

/// How much to think.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Amount {
    Unsaid,
    Off,
    AsItSeesFit,
    Tokens(u64),
    /// `low`, `medium` or `high`.
    Word(&'static str),
}

fn amount(reasoning: &Reasoning<'_>) -> Amount {
    let word = reasoning.effort.as_ref().map(|effort| &*effort.value);
    match (reasoning.mode.as_ref().map(|mode| mode.value), word) {
        (Some(Thinking::Off), _) | (None, Some("none")) => Amount::Off,
        (Some(Thinking::Budget(tokens)), _) => Amount::Tokens(tokens),
        (_, Some("minimal" | "low")) => Amount::Word("low"),
        (_, Some("medium")) => Amount::Word("medium"),
        (_, Some(_)) => Amount::Word("high"),
        (Some(Thinking::Adaptive), None) => Amount::AsItSeesFit,
        (None, None) => Amount::Unsaid,
    }
}

fn rank(word: &str) -> usize {
    ["low", "medium", "high"]
        .into_iter()
        .position(|known| known == word)
        .unwrap_or(3)
}
