//! Stage "accept": bytes become a [`Call`].

use std::io::Read as _;
use std::rc::Rc;

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{BytesMut, Payload};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use tollgate_adapters::{Scratch, read_head_at};
use tollgate_core::{Clock, Refusal, RefusalKind, Surface};

use crate::exchange::address::{Addressed, addressed};
use crate::exchange::call::Call;
use crate::exchange::incoming::{header, next_piece};
use crate::off_thread::{LARGE_BYTES, off_thread};
use crate::stages::carry::{carry, is_carried, may_be_form};
use crate::stages::settle::Settlement;
use crate::worker::Worker;

/// Packed bodies from this size on may be large ones.
const LARGE_PACKED_BYTES: usize = LARGE_BYTES / 10;

/// Reads the body and finds out what is asked.
pub(crate) async fn accept(
    worker: &Rc<Worker>,
    surface: Surface,
    request: &HttpRequest,
    payload: Payload,
    settlement: &mut Settlement,
) -> Result<Call, Refusal> {
    if let Some(through) = surface.through().filter(|it| is_carried(*it, request)) {
        return carry(through, request, payload, settlement).await;
    }
    require_json(request).map_err(|refusal| match surface.through() {
        Some(through) if may_be_form(through) => neither_json_nor_form(),
        _ => refusal,
    })?;
    let addressed = addressed(surface, request)?;
    let limit_bytes = settlement.settings().server.body_limit_bytes;
    let waiting = Clock.now();
    let packed = receive(request, payload, limit_bytes).await?;
    let receiving = Clock.now().duration_since(waiting);
    let body = unpack(request, packed, limit_bytes).await?;
    let head = if body.len() < LARGE_BYTES {
        let address = addressed.as_ref().map(Addressed::as_address);
        read_head_at(surface, address, &body, &mut worker.scratch.borrow_mut())?
    } else {
        let (body, addressed) = (body.clone(), addressed.map(Addressed::into_owned));
        off_thread(move || {
            let address = addressed.as_ref().map(Addressed::as_address);
            read_head_at(surface, address, &body, &mut Scratch::default())
        })
        .await??
    };
    let model = head.model.clone();
    let call = Call {
        surface,
        body,
        head,
        model,
        carried: None,
    };
    settlement.call(&call, receiving);
    Ok(call)
}

/// The body of a call that is no model's business, at most so many bytes of it.
pub(crate) async fn json_body(
    request: &HttpRequest,
    payload: Payload,
    limit_bytes: usize,
) -> Result<Bytes, Refusal> {
    require_json(request)?;
    let packed = receive(request, payload, limit_bytes).await?;
    unpack(request, packed, limit_bytes).await
}

/// Anything but JSON is refused, a missing type included: a browser sends those to another origin without
/// asking, and a gateway on a developer's own machine may have no other door.
fn require_json(request: &HttpRequest) -> Result<(), Refusal> {
    let given = header(request, &CONTENT_TYPE).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    let suffix = essence.rsplit_once('+').map_or("", |(_, suffix)| suffix);
    if essence.eq_ignore_ascii_case("application/json") || suffix.eq_ignore_ascii_case("json") {
        return Ok(());
    }
    let found = if given.is_empty() {
        "none".to_owned()
    } else {
        format!("'{given}'")
    };
    let message = format!("the body must be JSON: send 'content-type: application/json' (found: {found})");
    Err(Refusal::new(RefusalKind::UnsupportedMedia, message))
}

fn neither_json_nor_form() -> Refusal {
    let message =
        "the body must be a form or JSON: send 'content-type: multipart/form-data' or 'application/json'";
    Refusal::new(RefusalKind::UnsupportedMedia, message)
}

async fn receive(request: &HttpRequest, mut payload: Payload, limit_bytes: usize) -> Result<Bytes, Refusal> {
    let stated = header(request, &CONTENT_LENGTH).and_then(|text| text.parse::<usize>().ok());
    if stated.is_some_and(|len| len > limit_bytes) {
        return Err(too_large(limit_bytes));
    }
    let Some(first) = next_piece(&mut payload).await? else {
        return Ok(Bytes::new());
    };
    if first.len() > limit_bytes {
        return Err(too_large(limit_bytes));
    }
    if stated == Some(first.len()) {
        return Ok(first);
    }
    let mut body = BytesMut::with_capacity(stated.unwrap_or(0).clamp(first.len(), 1 << 20));
    body.extend_from_slice(&first);
    while let Some(piece) = next_piece(&mut payload).await? {
        if body.len() + piece.len() > limit_bytes {
            return Err(too_large(limit_bytes));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

fn too_large(limit_bytes: usize) -> Refusal {
    let message =
        format!("the body is larger than this gateway's limit of {limit_bytes} bytes (server.body_limit)");
    Refusal::new(RefusalKind::BodyTooLarge, message)
}

async fn unpack(request: &HttpRequest, packed: Bytes, limit_bytes: usize) -> Result<Bytes, Refusal> {
    let encoding = header(request, &CONTENT_ENCODING)
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match encoding.as_str() {
        "" | "identity" => Ok(packed),
        "gzip" | "x-gzip" if packed.len() < LARGE_PACKED_BYTES => gunzip(&packed, limit_bytes),
        "gzip" | "x-gzip" => off_thread(move || gunzip(&packed, limit_bytes)).await?,
        other => {
            let message = format!("content-encoding '{other}' is not understood: send gzip or none");
            Err(Refusal::new(RefusalKind::UnsupportedMedia, message))
        }
    }
}

/// Unpacks at most `limit_bytes`: a small body cannot become a large one.
fn gunzip(packed: &[u8], limit_bytes: usize) -> Result<Bytes, Refusal> {
    let mut body = Vec::with_capacity(packed.len().saturating_mul(4).min(limit_bytes));
    let ceiling = u64::try_from(limit_bytes).unwrap_or(u64::MAX).saturating_add(1);
    let unpacked = MultiGzDecoder::new(packed).take(ceiling).read_to_end(&mut body);
    unpacked.map_err(|error| {
        Refusal::new(
            RefusalKind::MalformedBody,
            format!("the body is not valid gzip: {error}"),
        )
    })?;
    if body.len() > limit_bytes {
        Err(too_large(limit_bytes))
    } else {
        Ok(body.into())
    }
}
