//! Answers become kept ones: those that are complete, and can be told again without a loss.

use bytes::Bytes;
use tollgate_core::{Dialect, FinishReason, ProviderKind, Surface};

use super::foreign;
use super::kept::{Kept, KeptChoice, KeptContent, KeptPart};
use crate::anthropic::stream::EventReader;
use crate::chat::answer::{ChatAnswer, Choice, End, Piece, finish_with};
use crate::chat::{Call, Kind, Part};
use crate::json::Fields;
use crate::openai::stream::ChunkReader;
use crate::passthrough::{
    AnthropicObserver, Observer, OpenAiObserver, Watching, read_anthropic, read_openai,
};
use crate::report::{Malformed, Report};
use crate::sse::{Event, Framer};
use crate::{anthropic, openai};

/// Streams of more choices are not kept.
const MOST_CHOICES: usize = 128;

/// What is kept although it is not, by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeepPolicy {
    /// Answers that call tools.
    pub tool_calls: bool,
    /// Answers in which the model refuses, in a message that is complete. What a filter cut off is never kept.
    pub refusals: bool,
    /// Answers that ended at the limit of tokens, which is part of the question.
    pub length: bool,
}

/// Why an answer is not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// An error came in its place, or in the middle of it.
    #[error("the answer is or holds an error")]
    Error,
    /// Its end is missing, or the provider gave it up.
    #[error("the answer is not complete")]
    Truncated,
    /// It ended at the limit of tokens.
    #[error("the answer ended at its limit of tokens")]
    Length,
    /// A filter cut it off, or the provider refused.
    #[error("the answer was filtered")]
    Filtered,
    /// The provider paused it.
    #[error("the answer was paused")]
    Paused,
    /// It calls tools.
    #[error("the answer calls tools")]
    ToolCalls,
    /// The model refused.
    #[error("the answer is a refusal")]
    Refusal,
    /// It says nothing.
    #[error("the answer is empty")]
    Empty,
    /// It holds what cannot be told again: what.
    #[error("the answer holds what cannot be kept: {0}")]
    Foreign(String),
    /// It is not what it should be.
    #[error("the answer is not readable")]
    Undecodable,
    /// Answers of this kind are not kept.
    #[error("answers of this surface are not kept")]
    Surface,
}

impl From<Malformed> for NotKept {
    fn from(_: Malformed) -> Self {
        Self::Undecodable
    }
}

impl Kept {
    /// Keeps a whole answer: the JSON body that a client of this surface was sent.
    ///
    /// # Errors
    /// Why it is not kept.
    pub fn of_whole(surface: Surface, body: &[u8], policy: KeepPolicy) -> Result<Self, NotKept> {
        let bytes = Bytes::copy_from_slice(body);
        let report = match surface.dialect() {
            Dialect::OpenAi => read_openai(surface, ProviderKind::OpenAi, &bytes)?,
            Dialect::Anthropic => read_anthropic(surface, &bytes)?,
            _ => return Err(NotKept::Surface),
        };
        if report.error.is_some() {
            return Err(NotKept::Error);
        }
        let fields = Fields::parse(body).map_err(|_| NotKept::Undecodable)?;
        let answer = match surface {
            Surface::ChatCompletions => {
                lossless(foreign::of_completion(&fields))?;
                let choices = fields.elements("choices").into_iter().filter_map(Fields::of);
                ended(choices.into_iter().find_map(|choice| foreign::odd_end(&choice)))?;
                openai::answer::read(body)?
            }
            Surface::Messages => {
                lossless(foreign::of_message(&fields))?;
                ended(foreign::odd_stop(&fields))?;
                anthropic::answer::read(body)?
            }
            Surface::Embeddings | Surface::CountTokens => return verbatim(body, &report),
            _ => return Err(NotKept::Surface),
        };
        let ChatAnswer { model, choices } = answer;
        let choices = choices.into_iter().map(Collected::of_choice).collect();
        keep(model.as_deref(), choices, &report, policy)
    }

    /// Keeps a stream: all the bytes that a client of this surface was sent.
    ///
    /// # Errors
    /// Why it is not kept.
    pub fn of_stream(surface: Surface, bytes: &[u8], policy: KeepPolicy) -> Result<Self, NotKept> {
        let (choices, report) = match surface {
            Surface::ChatCompletions => {
                let observer = OpenAiObserver::new(ProviderKind::OpenAi, Watching::Everything);
                read(bytes, Chunks::default(), observer)?
            }
            Surface::Messages => read(bytes, Events::default(), AnthropicObserver::default())?,
            _ => return Err(NotKept::Surface),
        };
        keep(report.model.as_deref(), choices, &report, policy)
    }
}

fn lossless(foreign: Option<String>) -> Result<(), NotKept> {
    foreign.map_or(Ok(()), |what| Err(NotKept::Foreign(what)))
}

fn ended(odd: Option<String>) -> Result<(), NotKept> {
    odd.map_or(Ok(()), |_| Err(NotKept::Truncated))
}

fn verbatim(body: &[u8], report: &Report) -> Result<Kept, NotKept> {
    if !report.has_content {
        return Err(NotKept::Empty);
    }
    let text = std::str::from_utf8(body).map_err(|_| NotKept::Undecodable)?;
    Ok(Kept {
        model: report.model.clone(),
        content: KeptContent::Verbatim(text.into()),
        usage: report.usage,
    })
}

/// Keeps what was collected, if it may be.
fn keep(
    model: Option<&str>,
    choices: Vec<Collected>,
    report: &Report,
    policy: KeepPolicy,
) -> Result<Kept, NotKept> {
    if report.error.is_some() {
        return Err(NotKept::Error);
    }
    if choices.is_empty() || !report.complete {
        return Err(NotKept::Truncated);
    }
    let choices: Result<Vec<_>, _> = choices.into_iter().map(|choice| choice.judged(policy)).collect();
    Ok(Kept {
        model: model.map(Into::into),
        content: KeptContent::Chat(choices?),
        usage: report.usage,
    })
}

/// What is there of an answer.
#[derive(Debug, Default)]
struct Collected {
    parts: Vec<Growing>,
    /// Where among the parts each call is.
    calls: Vec<usize>,
    finish: Option<FinishReason>,
    stop_sequence: Option<Box<str>>,
}

/// A part that may grow.
#[derive(Debug)]
enum Growing {
    Text(String),
    Refusal(String),
    Thinking(String, Option<Box<str>>),
    Redacted(Box<str>),
    Call(Box<str>, String),
}

impl Collected {
    fn of_choice(choice: Choice<'_>) -> Self {
        let mut collected = Self::default();
        for Part { kind, .. } in choice.parts {
            match kind {
                Kind::Text(text) => collected.text(&text),
                Kind::Refusal(text) => collected.refusal(&text),
                Kind::Thinking { text, signature } => {
                    collected.thinking(&text);
                    if let Some(signature) = signature {
                        collected.signature(&signature);
                    }
                }
                Kind::RedactedThinking(data) => collected.parts.push(Growing::Redacted(data.as_ref().into())),
                Kind::ToolCall(Call { name, arguments, .. }) => {
                    let call = Growing::Call(name.as_ref().into(), arguments.into_owned());
                    collected.parts.push(call);
                }
                // Answers have no others.
                Kind::Image { .. }
                | Kind::Document { .. }
                | Kind::Audio { .. }
                | Kind::ToolResult { .. }
                | Kind::Opaque(_) => {}
            }
        }
        collected.end(&choice.end);
        collected
    }

    fn take(&mut self, piece: &Piece<'_>) {
        match piece {
            Piece::Start { .. } | Piece::Done | Piece::State(_) | Piece::StateAhead(_) => {}
            Piece::Text(text) => self.text(text),
            Piece::Refusal(text) => self.refusal(text),
            Piece::Thinking(text) => self.thinking(text),
            Piece::Signature(signature) => self.signature(signature),
            Piece::RedactedThinking(data) => self.parts.push(Growing::Redacted(data.as_ref().into())),
            Piece::Call { name, .. } => {
                self.calls.push(self.parts.len());
                self.parts
                    .push(Growing::Call(name.as_ref().into(), String::new()));
            }
            Piece::Arguments { call, json } => {
                let place = self.calls.get(*call).copied();
                if let Some(Growing::Call(_, arguments)) = place.and_then(|place| self.parts.get_mut(place)) {
                    arguments.push_str(json);
                }
            }
            Piece::Finish(end) => self.end(end),
        }
    }

    fn text(&mut self, more: &str) {
        match self.parts.last_mut() {
            Some(Growing::Text(text)) => text.push_str(more),
            _ if more.is_empty() => {}
            _ => self.parts.push(Growing::Text(more.to_owned())),
        }
    }

    fn refusal(&mut self, more: &str) {
        match self.parts.last_mut() {
            Some(Growing::Refusal(text)) => text.push_str(more),
            _ if more.is_empty() => {}
            _ => self.parts.push(Growing::Refusal(more.to_owned())),
        }
    }

    fn thinking(&mut self, more: &str) {
        match self.parts.last_mut() {
            Some(Growing::Thinking(text, None)) => text.push_str(more),
            _ if more.is_empty() => {}
            _ => self.parts.push(Growing::Thinking(more.to_owned(), None)),
        }
    }

    fn signature(&mut self, signature: &str) {
        let signature: Option<Box<str>> = (!signature.is_empty()).then(|| signature.into());
        match self.parts.last_mut() {
            Some(Growing::Thinking(_, signed @ None)) => *signed = signature,
            // Thoughts that are not shown.
            _ if signature.is_some() => self.parts.push(Growing::Thinking(String::new(), signature)),
            _ => {}
        }
    }

    fn end(&mut self, end: &End<'_>) {
        self.finish = end.finish.or(self.finish);
        if let Some(stop) = &end.stop_sequence {
            self.stop_sequence = Some(stop.as_ref().into());
        }
    }

    fn judged(self, policy: KeepPolicy) -> Result<KeptChoice, NotKept> {
        let is_call = |part: &Growing| matches!(part, Growing::Call(..));
        let is_refusal = |part: &Growing| matches!(part, Growing::Refusal(_));
        let says = |part: &Growing| matches!(part, Growing::Text(text) if !text.trim().is_empty());
        let (calls, refuses) = (self.parts.iter().any(is_call), self.parts.iter().any(is_refusal));
        let finish = self.finish.ok_or(NotKept::Truncated)?;
        match finish_with(finish, calls) {
            FinishReason::Length if !policy.length => return Err(NotKept::Length),
            FinishReason::ContentFilter => return Err(NotKept::Filtered),
            FinishReason::Paused => return Err(NotKept::Paused),
            FinishReason::ToolCalls if !policy.tool_calls => return Err(NotKept::ToolCalls),
            _ if calls && !policy.tool_calls => return Err(NotKept::ToolCalls),
            _ if refuses && !policy.refusals => return Err(NotKept::Refusal),
            _ if !calls && !refuses && !self.parts.iter().any(says) => return Err(NotKept::Empty),
            // As OpenAI ends an answer to a forced call. It could only be told as every other answer with calls is.
            FinishReason::ToolCalls if finish == FinishReason::Stop => {
                return Err(NotKept::Foreign("calls after which it just stops".to_owned()));
            }
            _ => {}
        }
        Ok(KeptChoice {
            parts: self.parts.into_iter().map(Growing::grown).collect(),
            finish,
            stop_sequence: self.stop_sequence,
        })
    }
}

impl Growing {
    fn grown(self) -> KeptPart {
        match self {
            Self::Text(text) => KeptPart::Text(text.into()),
            Self::Refusal(text) => KeptPart::Refusal(text.into()),
            Self::Thinking(text, signature) => KeptPart::Thinking {
                text: text.into(),
                signature,
            },
            Self::Redacted(data) => KeptPart::RedactedThinking(data),
            Self::Call(name, arguments) => KeptPart::ToolCall {
                name,
                arguments: arguments.into(),
            },
        }
    }
}

/// Reads the events of a dialect.
trait Source {
    /// Takes the next event in.
    fn event(&mut self, event: &Event<'_>) -> Result<(), NotKept>;

    /// What the events said.
    fn collected(self) -> Vec<Collected>;
}

/// Reads all of a stream, up to the event that closes it.
fn read<S: Source, O: Observer>(
    bytes: &[u8],
    mut source: S,
    mut observer: O,
) -> Result<(Vec<Collected>, Report), NotKept> {
    let mut result = Ok(());
    let mut each = |event: Option<Event<'_>>| {
        if let Some(event) = event
            && result.is_ok()
            && !observer.report().complete
        {
            observer.observe(&event);
            result = if observer.report().error.is_some() {
                Err(NotKept::Error)
            } else {
                source.event(&event)
            };
        }
    };
    let mut framer = Framer::default();
    framer
        .push(bytes, |frame| each(frame.event))
        .map_err(|_| NotKept::Undecodable)?;
    framer.finish(|frame| each(frame.event));
    result?;
    Ok((source.collected(), observer.report().clone()))
}

/// Chat completion chunks.
#[derive(Debug, Default)]
struct Chunks(Vec<(ChunkReader, Collected)>);

impl Source for Chunks {
    fn event(&mut self, event: &Event<'_>) -> Result<(), NotKept> {
        if event.data.trim_ascii() == b"[DONE]" {
            return Ok(());
        }
        let chunk = Fields::parse(event.data).map_err(|_| NotKept::Undecodable)?;
        lossless(foreign::of_completion(&chunk))?;
        for index in foreign::indices(&chunk) {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            if index >= MOST_CHOICES {
                return Err(NotKept::Foreign(format!("more than {MOST_CHOICES} choices")));
            }
            while self.0.len() <= index {
                let reader = ChunkReader::of_choice(self.0.len() as u64);
                self.0.push((reader, Collected::default()));
            }
        }
        for (reader, collected) in &mut self.0 {
            reader.read(event, &mut |piece| collected.take(&piece));
        }
        for choice in chunk.elements("choices").into_iter().filter_map(Fields::of) {
            ended(foreign::odd_end(&choice))?;
        }
        Ok(())
    }

    fn collected(self) -> Vec<Collected> {
        self.0.into_iter().map(|(_, collected)| collected).collect()
    }
}

/// Message events.
#[derive(Debug, Default)]
struct Events {
    reader: EventReader,
    collected: Collected,
    has_started: bool,
}

impl Source for Events {
    fn event(&mut self, event: &Event<'_>) -> Result<(), NotKept> {
        let fields = Fields::parse(event.data).map_err(|_| NotKept::Undecodable)?;
        let kind = fields.text("type");
        let kind = kind.as_deref().or(event.name).unwrap_or_default();
        self.has_started |= kind == "message_start";
        lossless(foreign::of_event(kind, &fields))?;
        if let Some(delta) = fields.object("delta").filter(|_| kind == "message_delta") {
            ended(foreign::odd_stop(&delta))?;
        }
        let collected = &mut self.collected;
        self.reader.read(event, &mut |piece| collected.take(&piece));
        Ok(())
    }

    fn collected(self) -> Vec<Collected> {
        self.has_started.then_some(self.collected).into_iter().collect()
    }
}
