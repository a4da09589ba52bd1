//! The data plane's paths: what is served where.

use std::rc::Rc;

use actix_web::http::Method;
use actix_web::web::{self, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, guard};
use tollgate_core::{Refusal, RefusalKind, Surface, Through};

use crate::exchange::address::dialect_of;
use crate::serve::serve;
use crate::stages::respond::refuse;
use crate::stages::settle::Settlement;
use crate::worker::Worker;
use crate::{feedback, health, models};

/// Each surface under its usual paths; the hottest first, for the router tries them in order.
const SURFACES: &[(Surface, &[&str])] = &[
    (
        Surface::ChatCompletions,
        &[
            "/v1/chat/completions",
            "/chat/completions",
            "/openai/v1/chat/completions",
        ],
    ),
    (
        Surface::Messages,
        &["/v1/messages", "/messages", "/anthropic/v1/messages"],
    ),
    (
        Surface::Responses,
        &["/v1/responses", "/responses", "/openai/v1/responses"],
    ),
    (
        Surface::GenerateContent,
        &[
            "/{version:v1beta|v1|v1alpha}/models/{model:.+:(streamG|g)enerateContent}",
            "/gemini/{version:v1beta|v1|v1alpha}/models/{model:.+:(streamG|g)enerateContent}",
            "/{version:v1|v1beta1}/projects/{project}/locations/{location}/publishers/google/models/{model:.+}",
        ],
    ),
    (
        Surface::Converse,
        &[
            "/model/{model}/{way:converse(-stream)?}",
            "/bedrock/model/{model}/{way:converse(-stream)?}",
        ],
    ),
    (Surface::CohereChat, &["/v2/chat", "/cohere/v2/chat"]),
    (
        Surface::Embeddings,
        &["/v1/embeddings", "/embeddings", "/openai/v1/embeddings"],
    ),
    (
        Surface::Completions,
        &["/v1/completions", "/completions", "/openai/v1/completions"],
    ),
    (
        Surface::CountTokens,
        &[
            "/v1/messages/count_tokens",
            "/messages/count_tokens",
            "/anthropic/v1/messages/count_tokens",
        ],
    ),
    (
        Surface::Through(Through::Moderations),
        &["/v1/moderations", "/moderations", "/openai/v1/moderations"],
    ),
    (
        Surface::Through(Through::ImageGenerations),
        &[
            "/v1/images/generations",
            "/images/generations",
            "/openai/v1/images/generations",
        ],
    ),
    (
        Surface::Through(Through::ImageEdits),
        &["/v1/images/edits", "/images/edits", "/openai/v1/images/edits"],
    ),
    (
        Surface::Through(Through::ImageVariations),
        &[
            "/v1/images/variations",
            "/images/variations",
            "/openai/v1/images/variations",
        ],
    ),
    (
        Surface::Through(Through::Speech),
        &["/v1/audio/speech", "/audio/speech", "/openai/v1/audio/speech"],
    ),
    (
        Surface::Through(Through::Transcriptions),
        &[
            "/v1/audio/transcriptions",
            "/audio/transcriptions",
            "/openai/v1/audio/transcriptions",
        ],
    ),
    (
        Surface::Through(Through::Translations),
        &[
            "/v1/audio/translations",
            "/audio/translations",
            "/openai/v1/audio/translations",
        ],
    ),
    (
        Surface::Through(Through::Rerank),
        &["/v1/rerank", "/rerank", "/cohere/v1/rerank"],
    ),
    (
        Surface::Through(Through::CohereRerank),
        &["/v2/rerank", "/cohere/v2/rerank"],
    ),
    (
        Surface::Through(Through::InputTokens),
        &[
            "/v1/responses/input_tokens",
            "/responses/input_tokens",
            "/openai/v1/responses/input_tokens",
        ],
    ),
    (
        Surface::Through(Through::GeminiCountTokens),
        &[
            "/{version:v1beta|v1|v1alpha}/models/{model:.+:countTokens}",
            "/gemini/{version:v1beta|v1|v1alpha}/models/{model:.+:countTokens}",
        ],
    ),
    (
        Surface::Through(Through::EmbedContent),
        &[
            "/{version:v1beta|v1|v1alpha}/models/{model:.+:embedContent}",
            "/gemini/{version:v1beta|v1|v1alpha}/models/{model:.+:embedContent}",
        ],
    ),
    (
        Surface::Through(Through::BatchEmbedContents),
        &[
            "/{version:v1beta|v1|v1alpha}/models/{model:.+:batchEmbedContents}",
            "/gemini/{version:v1beta|v1|v1alpha}/models/{model:.+:batchEmbedContents}",
        ],
    ),
    (
        Surface::Through(Through::BedrockCountTokens),
        &[
            "/model/{model}/count-tokens",
            "/bedrock/model/{model}/count-tokens",
        ],
    ),
];

/// What is kept for an account, of whatever method, under its usual paths and all below them. Of OpenAI and Anthropic
/// both have files at the same path: the second surface is that of clients who name a version of Anthropic's API.
const ACCOUNTS: &[(Through, Option<Through>, &[&str])] = &[
    (
        Through::Files,
        Some(Through::AnthropicFiles),
        &["/v1/files", "/files", "/openai/v1/files"],
    ),
    (Through::AnthropicFiles, None, &["/anthropic/v1/files"]),
    (
        Through::Batches,
        None,
        &["/v1/batches", "/batches", "/openai/v1/batches"],
    ),
    (
        Through::MessageBatches,
        None,
        &[
            "/v1/messages/batches",
            "/messages/batches",
            "/anthropic/v1/messages/batches",
        ],
    ),
    (
        Through::StoredResponses,
        None,
        &["/v1/responses", "/responses", "/openai/v1/responses"],
    ),
];

/// Registers the data plane's paths for one worker.
pub(crate) fn routes(worker: &Rc<Worker>, config: &mut ServiceConfig) {
    for &(surface, paths) in SURFACES {
        let serving = worker.clone();
        let refusing = worker.clone();
        let post =
            move |request: HttpRequest, payload: Payload| serve(serving.clone(), surface, request, payload);
        let other = move |request: HttpRequest| wrong_method(refusing.clone(), request);
        for path in paths {
            // Not `web::post`: that keeps a list of methods with each request.
            let posted = guard::fn_guard(|context| context.head().method == Method::POST);
            let resource = web::resource(*path).route(web::route().guard(posted).to(post.clone()));
            config.service(resource.default_service(web::to(other.clone())));
        }
    }
    accounts(worker, config);
    let refusing = worker.clone();
    let other = web::to(move |request: HttpRequest| wrong_method(refusing.clone(), request));
    feedback::routes(worker, config, other);
    models::routes(worker, config);
    health::routes(&worker.shared, config);
    config
        .route("/", web::get().to(welcome))
        .route("/", web::head().to(welcome));
    let refusing = worker.clone();
    config.default_service(web::to(move |request: HttpRequest| {
        unknown_path(refusing.clone(), request)
    }));
}

/// Registers what is kept for accounts.
fn accounts(worker: &Rc<Worker>, config: &mut ServiceConfig) {
    for &(through, anthropic, paths) in ACCOUNTS {
        let serving = worker.clone();
        let any = move |request: HttpRequest, payload: Payload| {
            let is_anthropic = request.headers().contains_key("anthropic-version");
            let through = anthropic.filter(|_| is_anthropic).unwrap_or(through);
            serve(serving.clone(), Surface::Through(through), request, payload)
        };
        for path in paths {
            // Responses are made at that path itself.
            if through != Through::StoredResponses {
                config.service(web::resource(*path).route(web::to(any.clone())));
            }
            let below = format!("{path}/{{below:.*}}");
            config.service(web::resource(below).route(web::to(any.clone())));
        }
    }
}

async fn wrong_method(worker: Rc<Worker>, request: HttpRequest) -> HttpResponse {
    let message = format!(
        "{} is not served at {}: use POST",
        request.method(),
        request.path()
    );
    let refusal = Refusal::new(RefusalKind::MethodNotAllowed, message);
    let mut response = refuse(dialect_of(&request), &refusal, Settlement::open(&worker, None));
    let allow = actix_web::http::header::HeaderValue::from_static("POST");
    response
        .headers_mut()
        .insert(actix_web::http::header::ALLOW, allow);
    response
}

async fn unknown_path(worker: Rc<Worker>, request: HttpRequest) -> HttpResponse {
    let message = format!(
        "{} {} is not served here: POST /v1/chat/completions, /v1/responses, /v1/messages, \
         /v1/messages/count_tokens, /v1beta/models/MODEL:generateContent, /v2/chat, /model/MODEL/converse, \
         /v1/completions, /v1/embeddings, /v1/rerank, /v1/moderations, /v1/images/…, /v1/audio/…, /v1/files, \
         /v1/batches, /v1/cache/feedback or GET /v1/models",
        request.method(),
        request.path()
    );
    let refusal = Refusal::new(RefusalKind::UnknownPath, message);
    refuse(dialect_of(&request), &refusal, Settlement::open(&worker, None))
}

async fn welcome() -> HttpResponse {
    let text = concat!(
        "Tollgate ",
        env!("CARGO_PKG_VERSION"),
        ": an AI gateway.\n\n",
        "OpenAI SDKs:     base_url = http://THIS-HOST/v1\n",
        "Anthropic SDKs:  base_url = http://THIS-HOST\n",
        "Google SDKs:     base_url = http://THIS-HOST\n",
        "Cohere SDKs:     base_url = http://THIS-HOST\n",
        "AWS SDKs:        endpoint_url = http://THIS-HOST (Bedrock Runtime, Converse)\n",
        "Your models:     GET /v1/models\n",
        "Health:          GET /livez, /readyz\n",
    );
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body(text)
}
