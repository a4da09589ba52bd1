//! What a successful answer says, before a dialect gives it a shape.

use super::ask::Ask;
use super::behaviour::{FaultPoint, ToolCall, UsageRule};
use super::exchange::Exchange;
use super::sample;
use super::script::Pieces;

const DEFAULT_TOKENS: u64 = 16;
/// Longer texts may not be ordered: one that is longer has no end, or a fault comes before it.
pub(crate) const LONGEST_TOKENS: u64 = 1_000_000;
const DEFAULT_THINKING_TOKENS: u64 = 8;
const SALT_TEXT: u64 = 10;
const SALT_THINKING: u64 = 11;
const SALT_ID: u64 = 12;

/// An answer to a chat, a completion or a message.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Unique by seed, model and number of the request: 24 hexadecimal digits.
    pub(crate) id: String,
    pub(crate) thinking: Pieces,
    pub(crate) thinking_tokens: u64,
    /// The name of the tool that is called; the pieces are its arguments then.
    pub(crate) tool: Option<String>,
    pub(crate) pieces: Pieces,
    /// Of one choice; `u64::MAX` never ends.
    pub(crate) tokens: u64,
    pub(crate) finish: Finish,
    /// `None`: usage is not reported.
    pub(crate) usage: Option<Tokens>,
    pub(crate) tokens_per_frame: u64,
}

/// Why an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    Length,
    ToolCall,
}

/// Token counts: `prompt` includes cached and written, `output` includes reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) prompt: u64,
    pub(crate) cached: u64,
    pub(crate) written: u64,
    pub(crate) output: u64,
    pub(crate) reasoning: u64,
}

impl Tokens {
    fn new(rule: &UsageRule, prompt: u64, output: u64, reasoning: u64) -> Option<Self> {
        let counted = Self {
            prompt: rule.prompt.unwrap_or(prompt),
            cached: rule.cached.unwrap_or(0),
            written: rule.cache_written.unwrap_or(0),
            output: rule.output.unwrap_or(output),
            reasoning: rule.reasoning.unwrap_or(reasoning),
        };
        (!rule.omit).then_some(counted)
    }

    /// Of a request that has no answer to count: embeddings.
    pub(crate) fn of_prompt(rule: &UsageRule, prompt: u64) -> Option<Self> {
        Self::new(rule, prompt, 0, 0)
    }
}

/// Whether a dialect's model thinks because the request says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thinking {
    OnRequest,
    OnOrder,
}

impl Answer {
    /// Composes the answer to `ask`. A fault that strikes after n chunks of a stream makes it long enough for that.
    pub(crate) fn compose(
        ask: &Ask,
        exchange: &Exchange,
        fault: Option<FaultPoint>,
        thinking: Thinking,
    ) -> Self {
        let behaviour = &exchange.lane.behaviour;
        let reply = &behaviour.reply;
        let dice = exchange.dice;
        let tokens_per_frame = u64::from(behaviour.pacing.tokens_per_chunk);
        let asked = ask.thinking && thinking == Thinking::OnRequest;
        let thinking_tokens = match reply.thinking_tokens {
            Some(tokens) => u64::from(tokens),
            None if asked => DEFAULT_THINKING_TOKENS,
            None => 0,
        };
        let tool = called_tool(ask, reply.tool.as_ref());
        let (pieces, mut tokens) = match (&tool, &reply.text, &ask.schema) {
            (Some((_, arguments)), ..) => counted(Pieces::of(arguments)),
            (None, Some(text), _) => counted(Pieces::of(text)),
            (None, None, Some(schema)) => counted(Pieces::of(&sample::fitting(schema).to_string())),
            (None, None, None) => {
                let words = reply.tokens.map_or(DEFAULT_TOKENS, u64::from);
                (Pieces::Words(dice.roll(SALT_TEXT)), words)
            }
        };
        let mut finish = if tool.is_some() {
            Finish::ToolCall
        } else {
            Finish::Stop
        };
        if let Some(limit) = ask.max_tokens
            && tokens > limit
            && tool.is_none()
        {
            (tokens, finish) = (limit, Finish::Length);
        }
        if let (Some(FaultPoint::AfterChunks(chunks)), true) = (fault, ask.stream) {
            tokens = tokens.max((u64::from(chunks) + 2) * tokens_per_frame);
        }
        if reply.endless && ask.stream {
            tokens = u64::MAX;
        }
        let output = tokens
            .saturating_mul(u64::from(ask.choices))
            .saturating_add(thinking_tokens);
        Self {
            id: format!("{:016x}{:08x}", dice.roll(SALT_ID), dice.roll(!SALT_ID) >> 32),
            thinking: Pieces::Words(dice.roll(SALT_THINKING)),
            thinking_tokens,
            tool: tool.map(|(name, _)| name),
            pieces,
            tokens,
            finish,
            usage: Tokens::new(&behaviour.usage, ask.prompt_tokens, output, thinking_tokens),
            tokens_per_frame,
        }
    }

    /// The whole text (or the arguments of the tool call).
    pub(crate) fn text(&self) -> String {
        self.pieces.text(self.tokens)
    }

    /// The whole arguments of the tool call, for dialects that do not stream them in pieces: those pieces may go on
    /// for longer.
    pub(crate) fn arguments(&self) -> String {
        self.pieces.text(self.pieces.count().unwrap_or(0))
    }

    pub(crate) fn thinking_text(&self) -> String {
        self.thinking.text(self.thinking_tokens)
    }
}

/// The tool to call and its arguments, when one is demanded by the request or by the behaviour.
fn called_tool(ask: &Ask, ordered: Option<&ToolCall>) -> Option<(String, String)> {
    if ordered.is_none() && !ask.tool_demanded {
        return None;
    }
    let offered = ask.tool.as_ref();
    let name = ordered
        .and_then(|call| call.name.clone())
        .or_else(|| offered.map(|tool| tool.name.clone()))
        .unwrap_or_else(|| "lookup".to_owned());
    let arguments = match (ordered.and_then(|call| call.arguments.as_ref()), offered) {
        (Some(arguments), _) => arguments.to_string(),
        (None, Some(tool)) => sample::fitting(&tool.schema).to_string(),
        (None, None) => "{}".to_owned(),
    };
    Some((name, arguments))
}

fn counted(pieces: Pieces) -> (Pieces, u64) {
    let count = pieces.count().unwrap_or(DEFAULT_TOKENS);
    (pieces, count)
}
