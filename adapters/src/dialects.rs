//! The dialects, side by side: the one place that knows which module speaks which.
//!
//! Each has a decoder and an encoder of requests, a reader and a renderer of whole answers, and the same of streams.
//! Whoever translates asks here, and never names a dialect.

use bytes::Bytes;
use tollgate_core::{Dialect, ProviderKind, Refusal, RequestId, Surface, Usage};

use crate::chat::answer::{ChatAnswer, Piece};
use crate::chat::made::Made;
use crate::chat::names::Renamed;
use crate::chat::{ChatRequest, lose_states};
use crate::egress::Egress;
use crate::error_words::ErrorWords;
use crate::loss::Loss;
use crate::passthrough::{
    AnthropicObserver, Observer, OpenAiObserver, Passing, PassingStream, Watching, read_anthropic,
    read_openai,
};
use crate::render::{as_event, error_body};
use crate::report::{Malformed, Report};
use crate::sse::Event;
use crate::streaming::{Pieces, Source, Writer};
use crate::{anthropic, bedrock, cohere, gemini, openai, responses};

/// Reads a request.
///
/// # Errors
/// What is malformed or of the wrong type.
pub(crate) fn decode(dialect: Dialect, body: &[u8]) -> Result<ChatRequest<'_>, Refusal> {
    match dialect {
        Dialect::OpenAi => openai::decode::request(body),
        Dialect::Responses => responses::decode::request(body),
        Dialect::Anthropic => anthropic::decode::request(body),
        Dialect::Gemini => gemini::decode::request(body),
        Dialect::Cohere => cohere::decode::request(body),
        Dialect::Bedrock => bedrock::decode::request(body),
    }
}

/// Writes a request; what became of the names of tools is in the second value.
///
/// # Errors
/// What cannot be had in this dialect at all.
pub(crate) fn encode(
    dialect: Dialect,
    mut request: ChatRequest<'_>,
    egress: &Egress<'_>,
    loss: &mut Loss,
) -> Result<(Vec<u8>, Renamed), Refusal> {
    lose_states(&mut request, dialect, loss);
    let custom: Vec<Box<str>> = request.custom_tools().map(Into::into).collect();
    let (body, mut renamed) = match dialect {
        Dialect::OpenAi => openai::encode::request(request, egress, loss),
        Dialect::Responses => responses::encode::request(request, egress, loss)?,
        Dialect::Anthropic => anthropic::encode::request(request, egress, loss)?,
        Dialect::Gemini => gemini::encode::request(request, egress, loss),
        Dialect::Cohere => cohere::encode::request(request, egress, loss)?,
        Dialect::Bedrock => bedrock::encode::request(request, egress, loss)?,
    };
    renamed.note_custom(custom);
    Ok((body, renamed))
}

/// What a whole answer tells of itself. `surface`: what the provider was asked for, in this dialect; `None`: a chat.
///
/// # Errors
/// If it is no JSON object, or none that holds an answer.
pub(crate) fn report(
    dialect: Dialect,
    surface: Option<Surface>,
    kind: ProviderKind,
    body: &Bytes,
) -> Result<Report, Malformed> {
    match dialect {
        Dialect::OpenAi => read_openai(surface.unwrap_or(Surface::ChatCompletions), kind, body),
        Dialect::Responses => responses::answer::report(body),
        Dialect::Anthropic => read_anthropic(surface.unwrap_or(Surface::Messages), body),
        Dialect::Gemini => gemini::answer::report(body),
        Dialect::Cohere => cohere::answer::report(body),
        Dialect::Bedrock => bedrock::answer::report(body),
    }
}

/// Reads a whole answer.
///
/// # Errors
/// If it is no JSON object, or none that holds an answer.
pub(crate) fn read(dialect: Dialect, body: &[u8]) -> Result<ChatAnswer<'_>, Malformed> {
    match dialect {
        Dialect::OpenAi => openai::answer::read(body),
        Dialect::Responses => responses::answer::read(body),
        Dialect::Anthropic => anthropic::answer::read(body),
        Dialect::Gemini => gemini::answer::read(body),
        Dialect::Cohere => cohere::answer::read(body),
        Dialect::Bedrock => bedrock::answer::read(body),
    }
}

/// Writes a whole answer.
pub(crate) fn render(
    dialect: Dialect,
    answer: &ChatAnswer<'_>,
    usage: Option<&Usage>,
    made: &Made,
    renamed: &Renamed,
) -> Vec<u8> {
    match dialect {
        Dialect::OpenAi => openai::render::answer(answer, usage, made, renamed),
        Dialect::Responses => responses::render::answer(answer, usage, made, renamed),
        Dialect::Anthropic => anthropic::render::answer(answer, usage, made, renamed),
        Dialect::Gemini => gemini::render::answer(answer, usage, made, renamed),
        Dialect::Cohere => cohere::render::answer(answer, usage, made, renamed),
        Dialect::Bedrock => bedrock::render::answer(answer, usage, made, renamed),
    }
}

/// What reads a provider's stream.
pub(crate) fn source(dialect: Dialect, kind: ProviderKind) -> Box<dyn Source> {
    match dialect {
        Dialect::OpenAi => watched(
            OpenAiObserver::new(kind, Watching::Everything),
            openai::stream::ChunkReader::default(),
        ),
        Dialect::Responses => watched(
            responses::observe::ResponseObserver::default(),
            responses::stream::ResponseReader::default(),
        ),
        Dialect::Anthropic => watched(
            AnthropicObserver::default(),
            anthropic::stream::EventReader::default(),
        ),
        Dialect::Gemini => Box::new(gemini::stream::GeminiSource::default()),
        Dialect::Cohere => watched(
            cohere::observe::CohereObserver::default(),
            cohere::stream::EventReader::default(),
        ),
        Dialect::Bedrock => watched(
            bedrock::observe::ConverseObserver::default(),
            bedrock::stream::ConverseReader::default(),
        ),
    }
}

/// What writes a client's stream. `include_usage`: the client wants usage in it, where its dialect leaves the choice.
pub(crate) fn sink(dialect: Dialect, made: Made, renamed: Renamed, include_usage: bool) -> Box<dyn Writer> {
    match dialect {
        Dialect::OpenAi => Box::new(openai::events::ChunkWriter::new(made, renamed, include_usage)),
        Dialect::Responses => Box::new(responses::events::ResponseWriter::new(made, renamed)),
        Dialect::Anthropic => Box::new(anthropic::events::EventWriter::new(made, renamed)),
        Dialect::Gemini => Box::new(gemini::events::ResponseWriter::new(made, renamed)),
        Dialect::Cohere => Box::new(cohere::events::EventWriter::new(made, renamed)),
        Dialect::Bedrock => Box::new(bedrock::events::ConverseWriter::new(made, renamed)),
    }
}

/// What passes on a stream in the client's own dialect.
pub(crate) fn passing(
    dialect: Dialect,
    kind: ProviderKind,
    watching: Watching,
    request_id: RequestId,
) -> Box<dyn Passing> {
    match dialect {
        Dialect::OpenAi => passes(OpenAiObserver::new(kind, watching), request_id),
        Dialect::Responses => passes(responses::observe::ResponseObserver::default(), request_id),
        Dialect::Anthropic => passes(AnthropicObserver::default(), request_id),
        Dialect::Gemini => passes(gemini::observe::GeminiObserver::default(), request_id),
        Dialect::Cohere => passes(cohere::observe::CohereObserver::default(), request_id),
        Dialect::Bedrock => passes(bedrock::observe::ConverseObserver::default(), request_id),
    }
}

#[derive(Debug)]
struct Watched<O, R> {
    observer: O,
    reader: R,
}

fn watched<O, R>(observer: O, reader: R) -> Box<dyn Source>
where
    O: Observer + 'static,
    R: Pieces + 'static,
{
    Box::new(Watched { observer, reader })
}

fn passes<O: Observer + 'static>(observer: O, request_id: RequestId) -> Box<dyn Passing> {
    Box::new(PassingStream::new(observer, request_id))
}

impl<O: Observer, R: Pieces> Source for Watched<O, R> {
    fn read(&mut self, event: &Event<'_>, each: &mut dyn FnMut(Piece<'_>)) {
        self.observer.observe(event);
        if self.observer.report().error.is_none() {
            self.reader.read(event, each);
        }
    }

    fn report(&self) -> &Report {
        self.observer.report()
    }

    fn report_mut(&mut self) -> &mut Report {
        self.observer.report_mut()
    }
}

macro_rules! reads {
    ($($reader:ty),+ $(,)?) => {$(
        impl Pieces for $reader {
            fn read(&mut self, event: &Event<'_>, each: &mut dyn FnMut(Piece<'_>)) {
                Self::read(self, event, each);
            }
        }
    )+};
}

macro_rules! writes {
    ($($writer:ty { $fail:item })+) => {$(
        impl Writer for $writer {
            fn write(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
                Self::write(self, piece, out);
            }

            fn close(&mut self, usage: Option<&Usage>, out: &mut Vec<u8>) {
                Self::close(self, usage, out);
            }

            $fail

            fn is_finished(&self) -> bool {
                Self::is_finished(self)
            }

            fn rename(&mut self, renamed: Renamed) {
                Self::rename(self, renamed);
            }

            fn fork(&self) -> Box<dyn Writer> {
                Box::new(self.clone())
            }
        }
    )+};
}

reads!(
    openai::stream::ChunkReader,
    responses::stream::ResponseReader,
    anthropic::stream::EventReader,
    cohere::stream::EventReader,
    bedrock::stream::ConverseReader,
);
writes!(
    openai::events::ChunkWriter {
        fn fail(&mut self, words: &ErrorWords<'_>, out: &mut Vec<u8>) {
            out.extend(as_event(Dialect::OpenAi, &error_body(Dialect::OpenAi, words)));
        }
    }
    responses::events::ResponseWriter {
        fn fail(&mut self, words: &ErrorWords<'_>, out: &mut Vec<u8>) {
            Self::fail(self, words, out);
        }
    }
    anthropic::events::EventWriter {
        fn fail(&mut self, words: &ErrorWords<'_>, out: &mut Vec<u8>) {
            self.break_off(out);
            out.extend(as_event(Dialect::Anthropic, &error_body(Dialect::Anthropic, words)));
        }
    }
    gemini::events::ResponseWriter {
        fn fail(&mut self, words: &ErrorWords<'_>, out: &mut Vec<u8>) {
            out.extend(as_event(Dialect::Gemini, &error_body(Dialect::Gemini, words)));
        }
    }
    cohere::events::EventWriter {
        fn fail(&mut self, words: &ErrorWords<'_>, out: &mut Vec<u8>) {
            self.break_off(out);
            out.extend(as_event(Dialect::Cohere, &error_body(Dialect::Cohere, words)));
        }
    }
    bedrock::events::ConverseWriter {
        fn fail(&mut self, words: &ErrorWords<'_>, out: &mut Vec<u8>) {
            self.break_off(out);
            out.extend(bedrock::error::event_of(words.status, &bedrock::error::body(words)));
        }
    }
);
