//! The canonical chat model: what every dialect is decoded to, and encoded from.
//!
//! A dialect has one decoder and one encoder, never a translation to another dialect. Texts are borrowed from
//! the body they were read from; JSON that only passes through (schemas, arguments) stays text. Whatever a
//! decoder does not understand goes into `extra` beside what it belongs to: an encoder of the same dialect
//! writes it back, one of another dialect names it in [`crate::Loss`].

pub(crate) mod answer;
pub(crate) mod blocks;
pub(crate) mod carried;
pub(crate) mod custom;
pub(crate) mod history;
pub(crate) mod made;
pub(crate) mod media;
pub(crate) mod names;
pub(crate) mod read;
pub(crate) mod schema;
pub(crate) mod tier;
pub(crate) mod write;

use std::borrow::Cow;

use tollgate_core::{Dialect, Refusal, RefusalKind};

use crate::loss::Loss;
use custom::Custom;
use media::Source;
use write::Object;

/// A field that was not understood: its name and its JSON text.
pub(crate) type Extra<'a> = Vec<(Cow<'a, str>, &'a str)>;

/// A value, and the path of the client's request at which it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct At<T> {
    pub(crate) at: &'static str,
    pub(crate) value: T,
}

/// A value that may be missing, and the path at which it stands.
pub(crate) fn at<T>(at: &'static str, value: Option<T>) -> Option<At<T>> {
    value.map(|value| At { at, value })
}

/// A request for an answer in a conversation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChatRequest<'a> {
    /// The dialect it was written in.
    pub(crate) origin: Dialect,
    /// In order; instructions are turns of their own ([`Role::System`]).
    pub(crate) turns: Vec<Turn<'a>>,
    pub(crate) tools: Vec<Tool<'a>>,
    pub(crate) tool_choice: Option<At<ToolChoice<'a>>>,
    /// Whether several tools may be called at once.
    pub(crate) parallel_tool_calls: Option<At<bool>>,
    pub(crate) sampling: Sampling<'a>,
    pub(crate) output: Option<At<Output<'a>>>,
    pub(crate) reasoning: Reasoning<'a>,
    pub(crate) stream: bool,
    /// Whether the client wants usage in the stream, where its dialect leaves the choice.
    pub(crate) include_usage: bool,
    /// Who the end user is, for abuse detection.
    pub(crate) user: Option<At<Cow<'a, str>>>,
    pub(crate) service_tier: Option<At<Cow<'a, str>>>,
    pub(crate) extra: Extra<'a>,
}

impl<'a> ChatRequest<'a> {
    /// That no more than one answer is asked for, which is all that most dialects give.
    ///
    /// # Errors
    /// If there are more.
    pub(crate) fn asks_for_one(&self) -> Result<(), Refusal> {
        if self.sampling.n.is_none_or(|n| n <= 1) {
            return Ok(());
        }
        let message = "this target gives one answer per request: `n` must be 1";
        Err(Refusal::new(RefusalKind::NotTranslatable, message).at("n"))
    }

    /// The names of the custom tools.
    pub(crate) fn custom_tools(&self) -> impl Iterator<Item = &str> {
        let functions = self.tools.iter().filter_map(Tool::function);
        functions
            .filter(|function| function.custom.is_some())
            .map(|function| &*function.name)
    }

    /// The tools that a provider of the dialect `own` can be given, and which of them to call; what it cannot is lost.
    pub(crate) fn carried(&self, own: Dialect, loss: &mut Loss) -> (Vec<&Tool<'a>>, Option<&ToolChoice<'a>>) {
        let is_carried = |tool: &&Tool<'_>| self.origin == own || tool.function().is_some();
        let (carried, unknown): (Vec<_>, Vec<_>) = self.tools.iter().partition(is_carried);
        for tool in unknown {
            loss.note(&*tool.at);
        }
        let is_there = |choice: &&At<ToolChoice<'_>>| match &choice.value {
            ToolChoice::Auto | ToolChoice::None => true,
            ToolChoice::Required => !carried.is_empty(),
            // One of the dialect's own may have any name.
            ToolChoice::Tool(wanted) => carried
                .iter()
                .any(|tool| tool.function().is_none_or(|function| function.name == *wanted)),
        };
        let choice = self.tool_choice.as_ref();
        if let Some(choice) = choice.filter(|choice| !is_there(choice)) {
            loss.note(choice.at);
        }
        let choice = choice.filter(is_there).map(|choice| &choice.value);
        (carried, choice)
    }
}

/// How tokens are chosen, and how many.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Sampling<'a> {
    pub(crate) max_output_tokens: Option<At<u64>>,
    pub(crate) temperature: Option<f64>,
    pub(crate) top_p: Option<f64>,
    pub(crate) top_k: Option<u64>,
    pub(crate) stop: Option<At<Vec<Cow<'a, str>>>>,
    pub(crate) seed: Option<i64>,
    pub(crate) frequency_penalty: Option<f64>,
    pub(crate) presence_penalty: Option<f64>,
    /// How many answers.
    pub(crate) n: Option<u64>,
    pub(crate) logprobs: Option<bool>,
    pub(crate) top_logprobs: Option<u64>,
}

impl Sampling<'_> {
    /// Notes as lost what is given of these, none of which the target has.
    pub(crate) fn lose(&self, names: &[&str], loss: &mut Loss) {
        for name in names {
            let is_given = match *name {
                "top_k" => self.top_k.is_some(),
                "seed" => self.seed.is_some(),
                "frequency_penalty" => self.frequency_penalty.is_some(),
                "presence_penalty" => self.presence_penalty.is_some(),
                "logprobs" => self.logprobs.is_some(),
                "top_logprobs" => self.top_logprobs.is_some(),
                _ => false,
            };
            if is_given {
                loss.note(*name);
            }
        }
    }
}

/// What the answer's text must be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Output<'a> {
    /// Anything; said explicitly.
    Text,
    /// A JSON object.
    JsonObject,
    /// JSON of this schema.
    JsonSchema {
        name: Option<Cow<'a, str>>,
        description: Option<Cow<'a, str>>,
        /// JSON text.
        schema: Cow<'a, str>,
        strict: Option<bool>,
    },
}

/// How much the model shall think before it answers.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Reasoning<'a> {
    pub(crate) mode: Option<At<Thinking>>,
    /// `none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`.
    pub(crate) effort: Option<At<Cow<'a, str>>>,
}

/// Whether and how long to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thinking {
    Off,
    /// At most so many tokens.
    Budget(u64),
    /// As long as the model sees fit.
    Adaptive,
}

/// Which tools the model may or must call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToolChoice<'a> {
    Auto,
    None,
    /// Some tool.
    Required,
    /// This one.
    Tool(Cow<'a, str>),
}

/// A tool that the client runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tool<'a> {
    pub(crate) at: String,
    pub(crate) kind: ToolKind<'a>,
    pub(crate) cache: Option<Cache<'a>>,
    pub(crate) extra: Extra<'a>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ToolKind<'a> {
    Function(Function<'a>),
    /// One that only the client's dialect knows: JSON text.
    Opaque(&'a str),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Function<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) description: Option<Cow<'a, str>>,
    /// JSON text of the schema of its arguments.
    pub(crate) schema: Option<Cow<'a, str>>,
    pub(crate) strict: Option<bool>,
    /// What it stands for, if that is a tool which takes text as it is.
    pub(crate) custom: Option<Custom<'a>>,
}

impl<'a> Tool<'a> {
    /// `None`: only the client's dialect knows what it is.
    pub(crate) const fn function(&self) -> Option<&Function<'a>> {
        match &self.kind {
            ToolKind::Function(function) => Some(function),
            ToolKind::Opaque(_) => None,
        }
    }

    /// Notes as lost that its arguments were to keep to the schema.
    pub(crate) fn lose_strict(&self, origin: Dialect, loss: &mut Loss) {
        loss.note(match origin {
            Dialect::OpenAi => format!("{}.function.strict", self.at),
            Dialect::Cohere => "strict_tools".to_owned(),
            _ => format!("{}.strict", self.at),
        });
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Instructions.
    System,
    /// Instructions, in the word of newer OpenAI models.
    Developer,
    /// The user, and the results of tools.
    User,
    Assistant,
}

impl Role {
    pub(crate) const fn instructs(self) -> bool {
        matches!(self, Self::System | Self::Developer)
    }
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Turn<'a> {
    /// Where it stands in the client's request.
    pub(crate) at: String,
    pub(crate) role: Role,
    /// The participant's name.
    pub(crate) name: Option<Cow<'a, str>>,
    pub(crate) parts: Vec<Part<'a>>,
    pub(crate) extra: Extra<'a>,
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part<'a> {
    /// Where it stands in the client's request.
    pub(crate) at: String,
    pub(crate) kind: Kind<'a>,
    /// The prompt up to here is worth caching.
    pub(crate) cache: Option<Cache<'a>>,
    /// What its provider wants back with it, unread.
    pub(crate) state: Option<State<'a>>,
    pub(crate) extra: Extra<'a>,
}

/// What a provider wants back with the next turn as it was, and no other may be sent: a proof or an encrypted form
/// of what the model thought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State<'a> {
    /// The dialect of the provider that gave it.
    pub(crate) of: Dialect,
    pub(crate) data: Cow<'a, str>,
}

impl State<'_> {
    /// The same, whatever it was read from.
    pub(crate) fn into_owned(self) -> State<'static> {
        let data = Cow::Owned(self.data.into_owned());
        State { of: self.of, data }
    }
}

impl<'a> Part<'a> {
    pub(crate) const fn new(at: String, kind: Kind<'a>) -> Self {
        Self {
            at,
            kind,
            cache: None,
            state: None,
            extra: Vec::new(),
        }
    }

    /// Whether it says nothing: text without characters.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(&self.kind, Kind::Text(text) | Kind::Refusal(text) if text.is_empty())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind<'a> {
    Text(Cow<'a, str>),
    Image {
        source: Source<'a>,
        detail: Option<Cow<'a, str>>,
    },
    Document {
        source: Source<'a>,
        title: Option<Cow<'a, str>>,
    },
    /// Base64.
    Audio {
        format: Cow<'a, str>,
        data: Cow<'a, str>,
    },
    ToolCall(Call<'a>),
    ToolResult {
        id: Cow<'a, str>,
        parts: Vec<Part<'a>>,
        is_error: bool,
    },
    /// What the model thought; the signature proves it to the provider. `None` or empty: there is none.
    Thinking {
        text: Cow<'a, str>,
        signature: Option<Cow<'a, str>>,
    },
    /// Encrypted thoughts.
    RedactedThinking(Cow<'a, str>),
    /// The words with which the model refused.
    Refusal(Cow<'a, str>),
    /// One that only the dialect it came in knows: JSON text.
    Opaque(&'a str),
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call<'a> {
    /// Empty: there is none.
    pub(crate) id: Cow<'a, str>,
    pub(crate) name: Cow<'a, str>,
    /// JSON text, as the model wrote it: not always JSON. Empty: no arguments.
    pub(crate) arguments: Cow<'a, str>,
}

/// A mark that ends a cacheable prefix of the prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cache<'a> {
    /// `5m`, `1h`; `None`: the provider's default.
    pub(crate) ttl: Option<Cow<'a, str>>,
}

/// Writes what is in `extra`, but for what stands inside of fields that are understood (`source.width`).
pub(crate) fn write_extra(o: &mut Object<'_>, extra: &Extra<'_>) {
    for (name, value) in extra.iter().filter(|(name, _)| !name.contains('.')) {
        o.raw(name, value);
    }
}

/// Notes everything in `extra` as lost.
pub(crate) fn lose_extra(at: &str, extra: &Extra<'_>, loss: &mut Loss) {
    for (name, _) in extra {
        if at.is_empty() {
            loss.note(&**name);
        } else {
            loss.note(format!("{at}.{name}"));
        }
    }
}

/// Takes out what others than a provider of the dialect `own` want back with what is said and called, and notes it:
/// only who gave it may have it. What stands with thoughts is for whoever knows whether those are carried; but what is
/// tagged after all that was read is no proof of anybody's, and goes to nobody.
pub(crate) fn lose_states(request: &mut ChatRequest<'_>, own: Dialect, loss: &mut Loss) {
    for turn in &mut request.turns {
        lose_tagged(&mut turn.parts, loss);
        for part in &mut turn.parts {
            let is_thought = matches!(part.kind, Kind::Thinking { .. });
            let is_lost = |state: &mut State<'_>| !is_thought && state.of != own;
            if part.state.take_if(is_lost).is_none() {
                continue;
            }
            loss.note(match (request.origin, &part.kind) {
                (Dialect::OpenAi, Kind::ToolCall(_)) => format!("{}.extra_content", part.at),
                (Dialect::OpenAi, _) => format!("{}.extra_content", turn.at),
                (Dialect::Gemini, _) => format!("{}.thoughtSignature", part.at),
                (Dialect::Responses, _) => format!("{}.encrypted_content", part.at),
                _ => format!("{}.state", part.at),
            });
        }
    }
}

/// Takes out proofs and states that are themselves tagged: a client made them up.
fn lose_tagged(parts: &mut Vec<Part<'_>>, loss: &mut Loss) {
    let is_tagged = |text: &mut Cow<'_, str>| carried::is_tagged(text);
    parts.retain_mut(|part| {
        let is_redacted = matches!(&part.kind, Kind::RedactedThinking(data) if carried::is_tagged(data));
        let proof = match &mut part.kind {
            Kind::Thinking { signature, .. } => signature.take_if(is_tagged).is_some(),
            _ => is_redacted,
        };
        let state = part.state.take_if(|state| is_tagged(&mut state.data)).is_some();
        if proof || state {
            loss.note(format!("{}.signature", part.at));
        }
        !is_redacted
    });
}
