//! What a body costs grows with its length, not with the square of it: thousands of messages, calls, tools, parts,
//! events, lines, whoever sends them.
//!
//! Times of the processor are compared with each other, the quickest of several tries each, so that a busy machine fails
//! nothing: twenty-four times as much may take sixty times as long, where a square takes more than five hundred.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "the whole crate is a test; its helpers stand outside of the functions that say so"
)]

mod shapes;

use std::time::Duration;

use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;
use tollgate_adapters::sse::Framer;
use tollgate_adapters::{
    Address, ArrayWriter, Egress, Encoded, Scratch, StreamEnd, encode, eventstream, read_head_at,
};
use tollgate_core::{ProviderKind, Refusal, RequestId, Surface, Timestamp};

use shapes::{ANSWERS, REQUESTS, STREAMS, turns};

const FEW: usize = 1_000;
const MANY: usize = 24 * FEW;
const AT_MOST: u32 = 60;
const TRIES: usize = 10;

/// Clients, and the kinds of provider whose dialect they speak.
const CLIENTS: [(Surface, ProviderKind); 6] = [
    (Surface::ChatCompletions, ProviderKind::OpenAi),
    (Surface::Responses, ProviderKind::OpenAiResponses),
    (Surface::Messages, ProviderKind::Anthropic),
    (Surface::GenerateContent, ProviderKind::Gemini),
    (Surface::CohereChat, ProviderKind::Cohere),
    (Surface::Converse, ProviderKind::Bedrock),
];

/// Answers all of them in chat completions.
const ANOTHER: ProviderKind = ProviderKind::DeepSeek;

/// What takes too long, if `work` takes far more than in proportion to that.
fn out_of_proportion<T>(what: &str, [few, many]: &[T; 2], work: impl Fn(&T)) -> Option<String> {
    let (mut short, mut long) = (Duration::MAX, Duration::MAX);
    for _ in 0..TRIES {
        short = short.min(timed(|| work(few)));
        long = long.min(timed(|| work(many)));
        if long <= short * AT_MOST {
            return None;
        }
    }
    Some(format!("{what}: {short:?} for {FEW}, {long:?} for {MANY}"))
}

/// A short one and a long one.
fn both<T>(make: impl Fn(usize) -> T) -> [T; 2] {
    [FEW, MANY].map(make)
}

/// How long this thread has worked at it.
fn timed(work: impl FnOnce()) -> Duration {
    let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let start = now();
    work();
    now().saturating_sub(start)
}

/// Each client with its own provider, and with the next one.
fn pairs() -> impl Iterator<Item = ((Surface, ProviderKind), ProviderKind)> {
    let next = CLIENTS.iter().cycle().skip(1);
    let with_both = |(client, next): (&(Surface, ProviderKind), &(_, ProviderKind))| {
        [(*client, client.1), (*client, next.1)]
    };
    CLIENTS.iter().zip(next).flat_map(with_both)
}

/// A request of a client.
struct Asked {
    surface: Surface,
    body: Bytes,
}

impl Asked {
    fn encode(&self, kind: ProviderKind) -> Result<Encoded, Refusal> {
        let (model, stream) = ("a-model", false);
        let address = Some(Address { model, stream }).filter(|_| self.surface.is_addressed());
        let head = read_head_at(self.surface, address, &self.body, &mut Scratch::default())?;
        let now = Timestamp::from_unix_millis(1_700_000_000_000);
        let egress = Egress {
            kind,
            model: "a-model",
            api_version: None,
            max_output_tokens: Some(4096),
            strict: false,
            request_id: RequestId::new(now, 7),
            now,
        };
        encode(self.surface, &head, &self.body, &egress)
    }

    /// What a client of OpenAI's asks.
    fn chat(chat: &Value) -> Self {
        let (surface, body) = (Surface::ChatCompletions, chat.to_string().into());
        Self { surface, body }
    }

    /// The same as a client of another dialect asks it.
    fn by(&self, (surface, own): (Surface, ProviderKind)) -> Self {
        let body = self.encode(own).unwrap().body;
        Self { surface, body }
    }

    /// A short request of this client.
    fn short(client: (Surface, ProviderKind)) -> Self {
        Self::chat(&turns(1)).by(client)
    }
}

/// The client that is told in its own dialect what a provider of this kind says.
fn whose(kind: ProviderKind) -> (Surface, ProviderKind) {
    let found = CLIENTS.into_iter().find(|(_, own)| *own == kind);
    found.expect("each kind here has a client")
}

#[test]
fn requests_cost_what_they_are_long() {
    let mut slow = Vec::new();
    for (name, make) in REQUESTS {
        let chats = both(|count| Asked::chat(&make(count)));
        for (client, kind) in pairs() {
            let what = format!("{name}, {:?} to {kind:?}", client.0);
            let requests = chats.each_ref().map(|chat| chat.by(client));
            slow.extend(out_of_proportion(&what, &requests, |asked| {
                asked.encode(kind).unwrap();
            }));
        }
    }
    assert!(slow.is_empty(), "{slow:#?}");
}

#[test]
fn answers_cost_what_they_are_long() {
    let mut slow = Vec::new();
    for (name, make) in ANSWERS {
        let chats = both(|count| Bytes::from(make(count).to_string()));
        for (client, kind) in pairs() {
            let what = format!("{name}, {kind:?} to {:?}", client.0);
            let (asked, of_other) = (Asked::short(client), Asked::short(whose(kind)));
            let answers = chats.each_ref().map(|chat| {
                let reader = of_other.encode(ANOTHER).unwrap().reader;
                reader.read(chat.clone()).unwrap().body
            });
            slow.extend(out_of_proportion(&what, &answers, |answer| {
                asked.encode(kind).unwrap().reader.read(answer.clone()).unwrap();
            }));
        }
    }
    assert!(slow.is_empty(), "{slow:#?}");
}

/// What a client is sent of a stream that comes in chunks of so many bytes.
fn translated(asked: &Asked, kind: ProviderKind, stream: &[u8], chunk: usize) -> Vec<u8> {
    let mut reader = asked.encode(kind).unwrap().reader.stream();
    let mut out = Vec::new();
    for chunk in stream.chunks(chunk) {
        reader.push(Bytes::copy_from_slice(chunk), &mut out);
    }
    reader.finish(StreamEnd::Eof, &mut out);
    out.concat()
}

#[test]
fn streams_cost_what_they_are_long() {
    let mut slow = Vec::new();
    for (name, make) in STREAMS {
        let chats = both(|count| {
            let chunks = make(count);
            let framed = |chunk: &Value| format!("data: {chunk}\n\n");
            let chunks: String = chunks.as_array().unwrap().iter().map(framed).collect();
            chunks + "data: [DONE]\n\n"
        });
        for (client, kind) in pairs() {
            let what = format!("{name}, {kind:?} to {:?}", client.0);
            let (asked, of_other) = (Asked::short(client), Asked::short(whose(kind)));
            let made = |chat: &String| translated(&of_other, ANOTHER, chat.as_bytes(), usize::MAX);
            let streams = chats.each_ref().map(made);
            slow.extend(out_of_proportion(&what, &streams, |stream| {
                translated(&asked, kind, stream, 64);
            }));
        }
    }
    assert!(slow.is_empty(), "{slow:#?}");
}

#[test]
fn framing_costs_what_a_stream_is_long() {
    let framed = |stream: &String| {
        let (mut framer, mut array) = (Framer::default(), ArrayWriter::default());
        for byte in stream.as_bytes().chunks(1) {
            framer.push(byte, |_| {}).unwrap();
            array.push(byte, &mut Vec::new()).unwrap();
        }
        framer.finish(|_| {});
    };
    let lines: [(&str, &str); 5] = [
        ("comments", ": still here\n"),
        ("lines of one event", "data: 1\n"),
        ("returns of one event", "data: 1\r"),
        ("empty events", "\n\n"),
        ("one endless line", "data: data: "),
    ];
    let mut slow = Vec::new();
    for (name, line) in lines {
        slow.extend(out_of_proportion(name, &both(|count| line.repeat(count)), framed));
    }
    let messages = both(|count| {
        let (mut out, long) = (Vec::new(), "\"long\",".repeat(count));
        eventstream::write("contentBlockDelta", long.as_bytes(), &mut out);
        out
    });
    let what = "a message of an event stream";
    slow.extend(out_of_proportion(what, &messages, |stream| {
        let mut cutter = eventstream::Framer::default();
        for bytes in stream.chunks(3) {
            cutter.push(bytes, |_| {}).unwrap();
        }
    }));
    assert!(slow.is_empty(), "{slow:#?}");
}
