//! The parts that stages are made of, without a gateway around them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tollgate_adapters::{
    Fresh, KeepPolicy, Kept, Reader, Scratch, Shape, encode, read_head, request_headers,
};
use tollgate_cache::{Cache, Filled, Key, Labels, Made, StoreSettings, Worth};
use tollgate_core::{Digest, Digester, ProviderKind, RequestId, Surface, Timestamp};
use tollgate_routing::{OutcomeRing, Planner, Ranking, Urgency};
use tollgate_telemetry::{Line as _, RequestRecord};

use super::Stage;
use crate::decisions::{NOW, Routed, answered, ask};
use crate::{chat_answer, chat_chunk, chat_request, egress, message_request};

const CHAT: Surface = Surface::ChatCompletions;

pub(super) fn stages() -> Vec<Stage> {
    let mut stages = vec![
        read("accept/read_head", 1024),
        read("accept/read_head_100k", 100 * 1024),
    ];
    stages.extend(encoded());
    stages.extend(answers());
    stages.extend(decided());
    stages.extend(told());
    stages
}

fn read(name: &'static str, bytes: usize) -> Stage {
    let (body, mut scratch) = (chat_request(bytes, false), Scratch::default());
    Stage::plain(name, move || {
        read_head(CHAT, &body, &mut scratch).expect("a good body")
    })
}

/// About 1 KiB in the words of a surface.
fn request(surface: Surface, stream: bool) -> Bytes {
    match surface {
        Surface::Messages => message_request(1024, stream).into(),
        _ => chat_request(1024, stream).into(),
    }
}

fn encoded() -> Vec<Stage> {
    let encoded = |name, surface, kind| {
        let body = request(surface, false);
        let head = read_head(surface, &body, &mut Scratch::default()).expect("a good body");
        let egress = egress(kind);
        Stage::consuming(
            name,
            || (),
            move |()| encode(surface, &head, &body, &egress).expect("encodes"),
        )
    };
    vec![
        encoded("attempt/encode_same", CHAT, ProviderKind::OpenAi),
        encoded("attempt/encode_to_anthropic", CHAT, ProviderKind::Anthropic),
        encoded(
            "attempt/encode_to_openai",
            Surface::Messages,
            ProviderKind::OpenAi,
        ),
        Stage::plain("attempt/dialect_headers", || {
            let mut headers = http::HeaderMap::new();
            request_headers(CHAT, ProviderKind::OpenAi, &|_| None, &mut headers);
            headers
        }),
    ]
}

/// Who reads what a provider of `kind` answers to a client on `surface`.
fn reader(surface: Surface, kind: ProviderKind, stream: bool) -> impl Fn() -> Reader {
    let body = request(surface, stream);
    let head = read_head(surface, &body, &mut Scratch::default()).expect("a good body");
    let egress = egress(kind);
    move || encode(surface, &head, &body, &egress).expect("encodes").reader
}

fn answers() -> Vec<Stage> {
    let whole = |name, surface| {
        let answer = Bytes::from(chat_answer(120));
        let read = move |reader: Reader| reader.read(answer.clone()).expect("a good answer");
        Stage::consuming(name, reader(surface, ProviderKind::OpenAi, false), read)
    };
    let chunk = |name, surface, kind, chunk: Vec<u8>, before: Vec<u8>| {
        let mut reader = reader(surface, kind, true)().stream();
        let (chunk, mut out) = (Bytes::from(chunk), Vec::new());
        reader.push(before.into(), &mut out);
        Stage::plain(name, move || {
            out.clear();
            reader.push(chunk.clone(), &mut out);
            assert!(!out.is_empty(), "a chunk was swallowed");
        })
    };
    let opened = chat_chunk("first");
    vec![
        whole("attempt/read_same", CHAT),
        whole("attempt/read_to_anthropic", Surface::Messages),
        chunk(
            "chunk/same",
            CHAT,
            ProviderKind::OpenAi,
            chat_chunk(" word"),
            opened.clone(),
        ),
        chunk(
            "chunk/to_anthropic",
            Surface::Messages,
            ProviderKind::OpenAi,
            chat_chunk(" word"),
            opened,
        ),
        chunk(
            "chunk/to_openai",
            CHAT,
            ProviderKind::Anthropic,
            message_delta(),
            message_start(),
        ),
    ]
}

fn message_start() -> Vec<u8> {
    let message = serde_json::json!({ "type": "message_start", "message": {
        "id": "msg_bench", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": { "input_tokens": 200, "output_tokens": 1 },
    } });
    let block = serde_json::json!({
        "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" },
    });
    format!("event: message_start\ndata: {message}\n\nevent: content_block_start\ndata: {block}\n\n")
        .into_bytes()
}

fn message_delta() -> Vec<u8> {
    let delta = serde_json::json!({
        "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": " word" },
    });
    format!("event: content_block_delta\ndata: {delta}\n\n").into_bytes()
}

fn decided() -> Vec<Stage> {
    let scored = |name, targets| {
        let mut question = Routed::new(targets)
            .and_then(|it| it.question())
            .expect("a question");
        let mut ranking = Ranking::default();
        Stage::plain(name, move || {
            question.seed = question.seed.wrapping_add(1);
            let ranked = u32::try_from(ranking.rank(&question).len());
            assert_eq!(ranked, Ok(targets), "not every target was ranked");
        })
    };
    let planned = |name, targets| {
        let (routed, mut planner) = (Routed::new(targets).expect("a route"), Planner::default());
        let mut seed = 0_u64;
        Stage::plain(name, move || {
            seed = seed.wrapping_add(1);
            planner.plan(&routed.catalog, &ask(seed)).expect("a plan")
        })
    };
    let routed = Routed::new(1).expect("a route");
    let ring = Arc::new(OutcomeRing::new(64));
    let permit = move || {
        let target = routed.targets.first().expect("a target");
        let permit = target
            .cell
            .admit(&ring, NOW, Urgency::Ordinary)
            .expect("a permit");
        permit.ended(NOW, answered());
        ring.pop().expect("the outcome was told")
    };
    vec![
        scored("plan/score_8", 8),
        scored("plan/score_100", 100),
        planned("plan/planner_8", 8),
        planned("plan/planner_100", 100),
        Stage::plain("attempt/permit", permit),
    ]
}

fn told() -> Vec<Stage> {
    let at = Timestamp::from_unix_millis(1_700_000_000_000);
    let record = RequestRecord::new(RequestId::new(at, 7), at);
    let mut line = Vec::new();
    let log = move || {
        line.clear();
        record.write_line(&mut line);
        line.len()
    };
    let kept = Kept::of_whole(CHAT, &chat_answer(120), KeepPolicy::default()).expect("a good answer");
    let stored = kept.to_bytes();
    let fresh = Fresh {
        request_id: RequestId::new(at, 7),
        now: at,
        model: None,
    };
    let tell = move || {
        let kept = Kept::from_bytes(&stored).expect("what was written");
        kept.render(CHAT, Shape::Whole, fresh).expect("a chat")
    };
    vec![
        Stage::plain("journal/log_line", log),
        looked_up(),
        Stage::consuming("recall/tell", || (), move |()| tell()),
    ]
}

/// An answer is kept.
fn fill(cache: &Cache, exact: Digest, at: Timestamp) {
    let filled = Filled {
        key: Key {
            exact,
            folded: None,
            partition: exact,
        },
        labels: Labels {
            tenant: "tenant".into(),
            route: "route".into(),
            tags: [].into(),
        },
        words: None,
        answer: Bytes::from_static(&[b'a'; 600]),
        worth: Worth::default(),
        created: at,
        ttl: Duration::from_secs(3_600),
        begun: cache.store().begin(),
        made: Made::default(),
    };
    cache.fill(filled, at);
}

fn looked_up() -> Stage {
    let at = Timestamp::from_unix_millis(1_700_000_000_000);
    let cache = Cache::new(StoreSettings::default());
    let exact = |number: u32| Digester::new("exact").field(&number.to_le_bytes()).finish();
    for number in 0..1_000 {
        fill(&cache, exact(number), at);
    }
    let mut number = 0;
    Stage::plain("recall/exact_lookup", move || {
        number = (number + 1) % 1_000;
        let found = cache.exact(&exact(number), None, at);
        assert!(found.is_some(), "what was kept is not there");
    })
}
