//! The whole line in this process: a worker as it runs in the gateway, between clients and providers in memory.
//!
//! Nothing is simulated between the two: the client's bytes go through the server's HTTP, its router and every stage,
//! and over a connection of the pool; the answer comes back the same way. Keys, metering, prices, metrics, routing by
//! scores over eight targets and the access log are on. What a socket would cost is not in it.

mod client;
mod provider;

use std::cell::Cell;
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_http::HttpService;
use actix_web::dev::{Service as _, ServiceFactory as _, fn_factory};
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, HttpResponse, web};
use bytes::Bytes;
use tollgate::bench::{InProcess, Premises, Step, Walk};
use tollgate_config::{Settings, Source};
use tollgate_core::{Clock, Pattern, Surface};
use tollgate_governance::{KeyHash, Keyring, VirtualKey};
use tollgate_routing::Board;

use crate::{chat_answer, chat_chunk, chat_request, message_request};

pub use client::{Client, Ends, Latencies};
pub use provider::Provider;

/// What the benches' clients present.
const KEY: &str = "tg-bench-0123456789abcdef";
/// That of a client with ten rules more.
const GOVERNED: &str = "tg-governed-0123456789abcdef";
/// Targets of each route.
const TARGETS: usize = 8;
/// Connections to each provider. One request is under way at a time, but the connection of the one before may still be
/// getting ready.
const CONNECTIONS: usize = 4;
/// Connections that nobody uses are closed after some time: before that there are new ones.
const FRESH_FOR: Duration = Duration::from_secs(15);
/// Chunks of a stream, of one word each.
pub const CHUNKS: usize = 64;

/// What is asked, and what a client sends to ask it.
#[derive(Debug, Clone)]
pub struct Asked {
    surface: Surface,
    path: &'static str,
    key: &'static str,
    body: Bytes,
    ends: Ends,
}

/// How much there is beside what is used.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Routes that nobody asks for.
    pub routes: usize,
    /// Virtual keys that nobody presents.
    pub keys: usize,
}

/// What another worker of the same gateway needs, on another thread.
#[derive(Clone)]
pub struct Place {
    premises: Premises,
    providers: Vec<Arc<str>>,
}

/// A worker, and the runtime that it lives in. Clones are of the same.
#[derive(Clone)]
pub struct Line {
    system: Rc<actix::SystemRunner>,
    gateway: Rc<InProcess>,
    providers: Rc<[Arc<str>]>,
    /// When connections were brought last.
    connected: Rc<Cell<Instant>>,
}

impl Asked {
    /// A chat of about `bytes` bytes that goes to a provider of the same dialect.
    pub fn chat(bytes: usize) -> Self {
        Self::of("fast", chat_request(bytes, false))
    }

    /// The same by a client whose key has ten rules more.
    pub fn governed(bytes: usize) -> Self {
        Self {
            key: GOVERNED,
            ..Self::chat(bytes)
        }
    }

    /// A chat whose answer is in the cache, once it was asked.
    pub fn kept(bytes: usize) -> Self {
        Self::of("kept", chat_request(bytes, false))
    }

    /// A chat that is answered as a stream of [`CHUNKS`].
    pub fn stream(bytes: usize) -> Self {
        Self {
            ends: Ends::WithLastChunk,
            ..Self::of("stream", chat_request(bytes, true))
        }
    }

    /// A message in Anthropic's dialect that goes to a provider of `OpenAI`'s.
    pub fn cross(bytes: usize) -> Self {
        Self {
            surface: Surface::Messages,
            path: "/v1/messages",
            ..Self::of("fast", message_request(bytes, false))
        }
    }

    /// The same as a stream.
    pub fn cross_stream(bytes: usize) -> Self {
        Self {
            ends: Ends::WithLastChunk,
            surface: Surface::Messages,
            path: "/v1/messages",
            ..Self::of("stream", message_request(bytes, true))
        }
    }

    /// A chat that only the server's and the pool's HTTP see: no stage does anything.
    pub fn bare(bytes: usize) -> Self {
        Self {
            path: "/bare",
            ..Self::chat(bytes)
        }
    }

    /// A chat that is answered with a constant: the server's HTTP alone.
    pub fn constant(bytes: usize) -> Self {
        Self {
            path: "/constant",
            ..Self::chat(bytes)
        }
    }

    fn of(model: &str, body: Vec<u8>) -> Self {
        let text = String::from_utf8(body).expect("JSON is text");
        Self {
            surface: Surface::ChatCompletions,
            path: "/v1/chat/completions",
            key: KEY,
            body: text.replacen("\"fast\"", &format!("\"{model}\""), 1).into(),
            ends: Ends::AtOnce,
        }
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// What the client called.
    pub fn surface(&self) -> Surface {
        self.surface
    }

    /// Head and body, as an SDK sends them.
    fn bytes(&self) -> Bytes {
        let (path, key, len) = (self.path, self.key, self.body.len());
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nhost: tollgate.example\r\naccept: application/json\r\n\
             accept-encoding: gzip, deflate\r\nuser-agent: OpenAI/Python 2.8.0\r\nauthorization: Bearer {key}\r\n\
             x-stainless-lang: python\r\nx-stainless-retry-count: 0\r\ncontent-type: application/json\r\n\
             content-length: {len}\r\n\r\n"
        )
        .into_bytes();
        request.extend_from_slice(&self.body);
        request.into()
    }
}

impl Default for Size {
    fn default() -> Self {
        Self { routes: 6, keys: 8 }
    }
}

impl Line {
    /// Starts a gateway of that size.
    pub fn new(size: Size) -> Self {
        let system = Rc::new(actix::System::new());
        Self::on(system, size)
    }

    /// Another gateway within the same runtime.
    #[must_use]
    pub fn beside(&self, size: Size) -> Self {
        Self::on(self.system.clone(), size)
    }

    fn on(system: Rc<actix::SystemRunner>, size: Size) -> Self {
        let board = Arc::new(Board::default());
        let settings = settings(size, &board);
        let names: Vec<_> = settings
            .catalog
            .providers()
            .iter()
            .map(|it| it.name.clone())
            .collect();
        let gateway = system.block_on(async { InProcess::start(settings, board).expect("a gateway") });
        Self::of(system, gateway, names)
    }

    /// Another worker of the same gateway, on this thread.
    pub fn at(place: Place) -> Self {
        let system = Rc::new(actix::System::new());
        let gateway = system.block_on(async { InProcess::beside(place.premises) });
        Self::of(system, gateway, place.providers)
    }

    fn of(system: Rc<actix::SystemRunner>, gateway: InProcess, providers: Vec<Arc<str>>) -> Self {
        let line = Self {
            system,
            gateway: Rc::new(gateway),
            providers: providers.into(),
            connected: Rc::new(Cell::new(Clock.now())),
        };
        line.block_on(line.connect());
        line
    }

    /// A place for another worker of this gateway.
    pub fn place(&self) -> Place {
        Place {
            premises: self.gateway.premises(),
            providers: self.providers.to_vec(),
        }
    }

    /// Runs until `work` is done.
    pub fn block_on<F: Future>(&self, work: F) -> F::Output {
        self.system.block_on(work)
    }

    /// Lets everything else that wants to run do so, folds the metrics, and brings new connections where those that
    /// are there may soon be taken for idle.
    pub fn rest(&self) {
        self.block_on(async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if Clock.now().duration_since(self.connected.get()) > FRESH_FOR {
                self.connect().await;
            }
        });
        self.gateway.upkeep();
    }

    async fn connect(&self) {
        let stream = stream_pieces();
        let whole: Rc<[Bytes]> = Rc::new([whole_piece()]);
        for name in &*self.providers {
            let pieces = if name.starts_with('s') { &stream } else { &whole };
            for _ in 0..CONNECTIONS {
                let connected = self.gateway.connect(name, Provider::new(pieces.clone())).await;
                connected.expect("a connection");
            }
        }
        self.connected.set(Clock.now());
    }

    /// A client asks so many times over one connection, and hangs up: each answer is a 200, and all of them come,
    /// or this stops the process.
    #[expect(
        clippy::async_yields_async,
        reason = "it is got ready here, and run where it is measured"
    )]
    pub fn serve(&self, asked: &Asked, times: u64, latencies: Option<&Latencies>) -> Conversation {
        let client = Client::new(asked.bytes(), asked.ends, times);
        let client = match latencies {
            Some(latencies) => client.timed(latencies.clone()),
            None => client,
        };
        let answers = client.answers();
        let gateway = self.gateway.clone();
        let app = move || {
            let (routes, bare) = (gateway.clone(), gateway.clone());
            async move {
                let provider = bare.provider("p0").expect("a provider");
                let bare = move |body: Bytes| {
                    let (gateway, provider) = (bare.clone(), provider.clone());
                    async move {
                        HttpResponse::Ok().body(gateway.exchange(&provider, body).await.expect("an answer"))
                    }
                };
                let constant = |_: Bytes| async { HttpResponse::Ok().body("constant") };
                // In front of the gateway's: whoever comes last is found last.
                let app = App::new()
                    .route("/bare", web::post().to(bare))
                    .route("/constant", web::post().to(constant))
                    .configure(|config| routes.routes(config));
                Ok::<_, ()>(init_service(app).await)
            }
        };
        self.block_on(async move {
            let service = HttpService::build()
                .keep_alive(actix_http::KeepAlive::Timeout(Duration::from_secs(75)))
                .client_request_timeout(Duration::from_secs(30))
                .h1_allow_half_closed(false)
                .h1(fn_factory(app));
            let service = service.new_service(()).await.expect("a service");
            let conversation = service.call((client, None));
            Box::pin(async move {
                conversation.await.expect("a conversation without an error");
                assert_eq!(answers.get(), times, "requests went unanswered");
            })
        })
    }

    /// A request at the beginning of the line, and its first steps taken, up to but not including `step`.
    pub async fn walk(&self, asked: &Asked, step: Step) -> Walk {
        let (request, payload) = TestRequest::post()
            .uri(asked.path)
            .insert_header(("authorization", format!("Bearer {}", asked.key)))
            .insert_header(("content-type", "application/json"))
            .insert_header(("content-length", asked.body.len()))
            .insert_header(("user-agent", "OpenAI/Python 2.8.0"))
            .insert_header(("x-stainless-retry-count", "0"))
            .set_payload(asked.body.clone())
            .to_http_parts();
        let walk = self.gateway.walk(asked.surface, request, payload).await;
        let mut walk = walk.expect("a request");
        for before in Step::ALL.into_iter().take_while(|it| *it != step) {
            walk.take(before).await.expect("a step");
        }
        walk
    }
}

/// A client's requests and their answers, ready to be run to the end.
pub type Conversation = std::pin::Pin<Box<dyn Future<Output = ()>>>;

fn whole_piece() -> Bytes {
    let body = chat_answer(120);
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\ndate: Sat, 21 Nov 2026 12:00:00 GMT\r\ncontent-type: application/json\r\n\
         x-request-id: req_0123456789abcdef\r\nopenai-processing-ms: 120\r\nx-ratelimit-remaining-requests: 9999\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    answer.into()
}

fn stream_pieces() -> Rc<[Bytes]> {
    let head = "HTTP/1.1 200 OK\r\ndate: Sat, 21 Nov 2026 12:00:00 GMT\r\ncontent-type: text/event-stream\r\n\
                x-request-id: req_0123456789abcdef\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = |event: &[u8]| {
        let mut chunk = format!("{:x}\r\n", event.len()).into_bytes();
        chunk.extend_from_slice(event);
        chunk.extend_from_slice(b"\r\n");
        Bytes::from(chunk)
    };
    let finish = serde_json::json!({
        "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "gpt-4o-mini",
        "choices": [ { "index": 0, "delta": {}, "finish_reason": "stop" } ],
    });
    let usage = serde_json::json!({
        "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "gpt-4o-mini",
        "choices": [], "usage": { "prompt_tokens": 200, "completion_tokens": CHUNKS, "total_tokens": 200 + CHUNKS },
    });
    let mut pieces = vec![Bytes::from_static(head.as_bytes())];
    pieces.extend((0..CHUNKS).map(|_| chunk(&chat_chunk(" word"))));
    pieces.push(chunk(format!("data: {finish}\n\n").as_bytes()));
    pieces.push(chunk(format!("data: {usage}\n\n").as_bytes()));
    pieces.push(chunk(b"data: [DONE]\n\n"));
    pieces.push(Bytes::from_static(b"0\r\n\r\n"));
    pieces.into()
}

/// A configuration with everything on that a request of a paying customer meets.
fn settings(size: Size, board: &Board) -> Settings {
    let mut text = String::from(
        "server: { listen: \"127.0.0.1:0\", workers: 1 }\ntelemetry: { access_log: \"/dev/null\" }\n\
         cache: { max_size: 64MiB }\nproviders:\n",
    );
    let mut say = |line: std::fmt::Arguments<'_>| text.write_fmt(line).expect("text");
    for group in ["p", "s"] {
        for number in 0..TARGETS {
            say(format_args!(
                "  {group}{number}: {{ kind: openai, base_url: \"http://{group}{number}.invalid/v1\", api_key: k, \
                 region: eu }}\n"
            ));
        }
    }
    say(format_args!("models:\n"));
    for (name, group, extra) in [
        ("fast", "p", ""),
        ("stream", "s", ""),
        ("kept", "p", "    cache: { mode: exact }\n"),
    ] {
        say(format_args!(
            "  {name}:\n    strategy: scored\n{extra}    targets:\n"
        ));
        for number in 0..TARGETS {
            say(format_args!(
                "      - {{ provider: {group}{number}, model: gpt-4o-mini }}\n"
            ));
        }
    }
    for number in 0..size.routes {
        say(format_args!(
            "  route-{number}: {{ targets: [ {{ provider: p0, model: gpt-4o-mini }} ] }}\n"
        ));
    }
    say(format_args!("keys:\n  - {{ name: bench, key: {KEY} }}\n"));
    let governed_targets: Vec<_> = (0..TARGETS).map(|number| format!("\"p{number}/*\"")).collect();
    say(format_args!(
        "  - {{ name: governed, key: {GOVERNED}, max_cost: \"$5\", regions: [us, eu], \
         models: [\"gpt-*\", \"claude-*\", \"fast\"], targets: [{}] }}\n",
        governed_targets.join(", ")
    ));
    for number in 0..size.keys.min(100) {
        say(format_args!(
            "  - {{ name: key-{number}, key: tg-nobody-{number:09} }}\n"
        ));
    }
    let source = Source::Text {
        name: "bench",
        text: &text,
    };
    let mut settings = tollgate_config::load(source, &|_| None, 1, board).expect("a good configuration");
    if size.keys > 100 {
        settings.keyring = crowd(size.keys);
    }
    settings
}

/// So many keys that nobody presents, and the two that somebody does.
fn crowd(keys: usize) -> Keyring {
    let key = |name: String, secret: &str| VirtualKey {
        name: name.into(),
        hash: KeyHash::of(secret),
        models: vec![Pattern::parse("*").expect("a pattern")],
        expires_at: None,
        regions: None,
        targets: Arc::new([]),
        max_cost: None,
    };
    let nobody = |number| key(format!("key-{number}"), &format!("tg-nobody-{number:09}"));
    let known = [key("bench".to_owned(), KEY)];
    Keyring::new((0..keys).map(nobody).chain(known))
}
