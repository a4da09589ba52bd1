//! Stage "accept" for what passes through unread: forms, files, and what is asked of an account instead of a model.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use actix_web::web::Payload;
use http::Method;
use tollgate_adapters::Head;
use tollgate_core::{Account, Clock, Refusal, RefusalKind, Surface, Through, Whom};

use crate::exchange::call::{Call, Carried};
use crate::exchange::incoming::header;
use crate::exchange::upload::{Field, Upload};
use crate::stages::settle::Settlement;

/// Whose account is used.
const PROVIDER: HeaderName = HeaderName::from_static("x-tollgate-provider");
/// The model of a form that names it too late.
const MODEL: HeaderName = HeaderName::from_static("x-tollgate-model");
/// The longest name of a file, a batch or a response.
const MAX_ID_BYTES: usize = 256;

/// Whether a request of this surface is passed on unread.
pub(crate) fn is_carried(through: Through, request: &HttpRequest) -> bool {
    matches!(through.row().whom, Whom::Account(_)) || (may_be_form(through) && is_form(request))
}

/// Whether a request of this surface may come as a form: where files are uploaded.
pub(crate) fn may_be_form(through: Through) -> bool {
    use Through::{ImageEdits, ImageVariations, Transcriptions, Translations};
    matches!(
        through,
        ImageEdits | ImageVariations | Transcriptions | Translations
    )
}

/// Reads as much of the request as it takes to know whom it is for.
pub(crate) async fn carry(
    through: Through,
    request: &HttpRequest,
    payload: Payload,
    settlement: &mut Settlement,
) -> Result<Call, Refusal> {
    let most = settlement.settings().server.upload_limit_bytes;
    let waiting = Clock.now();
    let (model, carried) = if let Whom::Account(account) = through.row().whom {
        let model = of_account(through, account, request, settlement)?;
        (model, for_account(through, request, payload, most).await?)
    } else {
        let (mut upload, seen, field) = Upload::open(request, payload, most, true).await?;
        let model = match seen {
            Some(model) => model.into(),
            None => not_in_form(through, request, settlement, field)?,
        };
        upload.named(&model, field);
        (model, Carried::form(request, upload))
    };
    let receiving = Clock.now().duration_since(waiting);
    let call = Call {
        surface: Surface::Through(through),
        body: bytes::Bytes::new(),
        head: Head::of(model.clone()),
        model,
        carried: Some(carried),
    };
    settlement.call(&call, receiving);
    Ok(call)
}

impl Carried {
    fn form(request: &HttpRequest, upload: Upload) -> Self {
        Self {
            method: Method::POST,
            rest: Box::default(),
            query: query(request),
            upload: Some(upload),
        }
    }
}

async fn for_account(
    through: Through,
    request: &HttpRequest,
    payload: Payload,
    most: usize,
) -> Result<Carried, Refusal> {
    let (method, rest) = called(through, request)?;
    let stated = header(request, &CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok());
    let is_chunked = request.headers().contains_key("transfer-encoding");
    let is_http2 = request.version() == actix_web::http::Version::HTTP_2;
    let has_body = stated.is_some_and(|len| len > 0) || is_chunked || is_http2;
    let upload = if method == Method::POST && has_body {
        Some(Upload::open(request, payload, most, false).await?.0)
    } else {
        None
    };
    Ok(Carried {
        method,
        rest,
        query: query(request),
        upload,
    })
}

/// The model of a form in whose beginning there is none.
fn not_in_form(
    through: Through,
    request: &HttpRequest,
    settlement: &Settlement,
    field: Field,
) -> Result<Arc<str>, Refusal> {
    if let Some(model) = header(request, &MODEL)
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        return Ok(model.into());
    }
    let late = &settlement.settings().passthrough;
    let (configured, key) = match through {
        Through::Transcriptions | Through::Translations => (&late.audio_model, "passthrough.audio_model"),
        _ => (&late.image_model, "passthrough.image_model"),
    };
    let usual = match through.row().whom {
        Whom::ModelOr(model) if field == Field::Missing => Some(Arc::from(model)),
        _ => None,
    };
    if let Some(model) = usual.or_else(|| configured.clone()) {
        return Ok(model);
    }
    let message = match field {
        Field::Behind => format!(
            "the form does not name its `model` in its first 64 KiB: send `model` before the file, or name it in the \
             header {MODEL} (or set {key})"
        ),
        _ => "the form has no field `model`: name the model that is to answer".to_owned(),
    };
    Err(Refusal::new(RefusalKind::InvalidField, message).at("model"))
}

/// Whose account is used: what the client says, else the first one that speaks its dialect.
fn of_account(
    through: Through,
    account: Account,
    request: &HttpRequest,
    settlement: &Settlement,
) -> Result<Arc<str>, Refusal> {
    let row = through.row();
    let surface = Surface::Through(through);
    let catalog = &settlement.settings().catalog;
    let mut open = catalog
        .accounts(account)
        .filter(|(provider, _)| provider.kind.dialect_for(surface) == row.dialect);
    let name = account.name();
    let asked = header(request, &PROVIDER).map(str::trim);
    let found = match asked {
        Some(asked) => open.find(|(provider, _)| *provider.name == *asked),
        None => open.next(),
    };
    if let Some((_, route)) = found {
        return Ok(route.name.clone());
    }
    let message = match asked {
        Some(asked) => format!(
            "the {name} of '{asked}' are not open here to clients of this dialect: its provider must be listed in \
             passthrough.{name}"
        ),
        None => format!(
            "no provider's {name} are open here to clients of this dialect: one must be listed in passthrough.{name}"
        ),
    };
    Err(Refusal::new(RefusalKind::NotPermitted, message))
}

/// The method, and the path below the collection, of what is served there.
fn called(through: Through, request: &HttpRequest) -> Result<(Method, Box<str>), Refusal> {
    let collection = through.row().path.trim_start_matches("/v1");
    let path = request.path();
    let (_, rest) = path.split_once(collection).unwrap_or_default();
    let rest = rest.trim_end_matches('/');
    let (id, action) = match rest.strip_prefix('/') {
        None => ("", ""),
        Some(below) => below.split_once('/').unwrap_or((below, "")),
    };
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let is_id = id.len() <= MAX_ID_BYTES && id.bytes().all(is_plain) && !id.starts_with('.');
    if !is_id {
        let message = "an id in the path has letters, digits, '-', '_' and '.' only";
        return Err(Refusal::new(RefusalKind::InvalidField, message).at("id"));
    }
    let methods = methods(through, !id.is_empty(), action);
    if methods.is_empty() {
        let message = format!("{} {path} is not served here", request.method());
        return Err(Refusal::new(RefusalKind::UnknownPath, message));
    }
    let method = request.method().as_str();
    if !methods.contains(&method) {
        let message = format!("{method} is not served at {path}: use {}", methods.join(" or "));
        return Err(Refusal::new(RefusalKind::MethodNotAllowed, message));
    }
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|_| Refusal::new(RefusalKind::Internal, "a method that is none"))?;
    Ok((method, rest.into()))
}

/// What is served of an account: at the collection, at one of its things, at an action of that.
fn methods(through: Through, has_id: bool, action: &str) -> &'static [&'static str] {
    use Through::{AnthropicFiles, Batches, Files, MessageBatches, StoredResponses};
    match (through, has_id, action) {
        (Files | AnthropicFiles | Batches | MessageBatches, false, "") => &["GET", "POST"],
        (Files | AnthropicFiles | MessageBatches | StoredResponses, true, "") => &["GET", "DELETE"],
        (Batches, true, "")
        | (Files | AnthropicFiles, true, "content")
        | (MessageBatches, true, "results")
        | (StoredResponses, true, "input_items") => &["GET"],
        (Batches | MessageBatches | StoredResponses, true, "cancel") => &["POST"],
        _ => &[],
    }
}

/// The query, without the key that Google's clients put there: it is ours.
fn query(request: &HttpRequest) -> Box<str> {
    let pairs = request.query_string().split('&');
    let kept: Vec<_> = pairs
        .filter(|pair| !pair.is_empty() && !pair.starts_with("key="))
        .collect();
    kept.join("&").into()
}

fn is_form(request: &HttpRequest) -> bool {
    let kind = header(request, &CONTENT_TYPE).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("multipart/form-data")
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn call(through: Through, method: &str, path: &str) -> Result<String, RefusalKind> {
        let method = actix_web::http::Method::from_bytes(method.as_bytes()).unwrap();
        let request = TestRequest::with_uri(path).method(method).to_http_request();
        called(through, &request)
            .map(|(method, rest)| format!("{method} {rest}"))
            .map_err(|refusal| refusal.kind)
    }

    #[test]
    fn only_what_is_in_the_table_is_passed_on() {
        use Through::{Batches, Files, MessageBatches, StoredResponses};
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(call(Files, "POST", "/v1/files"), ok("POST "));
        assert_eq!(call(Files, "GET", "/v1/files/"), ok("GET "));
        assert_eq!(
            call(Files, "GET", "/v1/files/file-1/content"),
            ok("GET /file-1/content")
        );
        assert_eq!(
            call(Batches, "POST", "/v1/batches/b_1/cancel"),
            ok("POST /b_1/cancel")
        );
        assert_eq!(
            call(MessageBatches, "GET", "/v1/messages/batches/m/results"),
            ok("GET /m/results")
        );
        assert_eq!(
            call(StoredResponses, "DELETE", "/v1/responses/resp_1"),
            ok("DELETE /resp_1")
        );
        assert_eq!(
            call(Files, "PUT", "/v1/files/file-1"),
            Err(RefusalKind::MethodNotAllowed)
        );
        assert_eq!(
            call(Batches, "DELETE", "/v1/batches/b"),
            Err(RefusalKind::MethodNotAllowed)
        );
        assert_eq!(
            call(Files, "GET", "/v1/files/file-1/secret"),
            Err(RefusalKind::UnknownPath)
        );
        assert_eq!(
            call(Files, "GET", "/v1/files/../models"),
            Err(RefusalKind::InvalidField)
        );
        assert_eq!(
            call(Files, "GET", "/v1/files/%2e%2e"),
            Err(RefusalKind::InvalidField)
        );
        assert_eq!(
            call(Files, "GET", "/v1/files/a/content/more"),
            Err(RefusalKind::UnknownPath)
        );
    }

    #[test]
    fn the_clients_key_does_not_go_to_the_provider() {
        let request = TestRequest::with_uri("/v1/files?limit=2&key=tg-secret&after=x").to_http_request();
        assert_eq!(&*query(&request), "limit=2&after=x");
    }
}
