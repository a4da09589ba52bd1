//! Streams as one JSON array, for clients of Google's dialect that do not ask for events.
//!
//! `streamGenerateContent` is answered so unless its path says `alt=sse`: also by Google. Errors stand in an array, too.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use tollgate_adapters::ArrayWriter;
use tollgate_core::Surface;

/// How a stream in Google's dialect is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As server-sent events.
    Events,
    /// As the elements of an array.
    Array,
}

impl Form {
    /// The form that a query string asks for; `None`: one that is not spoken here.
    pub(crate) fn of_query(query: &str) -> Option<Self> {
        let asked = query.split('&').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            matches!(name, "alt" | "$alt" | "%24alt").then_some(value)
        });
        match asked {
            Some("sse") => Some(Self::Events),
            None | Some("json") => Some(Self::Array),
            Some(_) => None,
        }
    }
}

/// The response in the form that the request asks for.
pub(crate) fn in_form(surface: Surface, request: &HttpRequest, response: HttpResponse) -> HttpResponse {
    let is_array = surface == Surface::GenerateContent
        && request.path().ends_with(":streamGenerateContent")
        && Form::of_query(request.query_string()) != Some(Form::Events);
    if !is_array {
        return response;
    }
    let is_stream = matches!(response.body().size(), BodySize::Stream);
    let mut response = response.map_body(|_, body| {
        let writer = is_stream.then(ArrayWriter::default);
        InArray {
            body,
            writer,
            state: State::Before,
        }
        .boxed()
    });
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// A body, with brackets around it.
struct InArray {
    body: BoxBody,
    /// `None`: the body is one element.
    writer: Option<ArrayWriter>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    Within,
    Over,
}

impl InArray {
    /// What a piece of the body is in the array; empty: nothing yet.
    fn piece(&mut self, piece: &Bytes) -> Vec<u8> {
        let is_first = std::mem::replace(&mut self.state, State::Within) == State::Before;
        let mut out = Vec::with_capacity(piece.len() + 3);
        if let Some(writer) = &mut self.writer {
            if writer.push(piece, &mut out).is_err() {
                self.end(&mut out);
            }
            return out;
        }
        if is_first {
            out.push(b'[');
        }
        out.extend_from_slice(piece);
        out
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        match &mut self.writer {
            Some(writer) => writer.finish(out),
            None if self.state == State::Before => out.extend_from_slice(b"[]"),
            None => out.push(b']'),
        }
        self.state = State::Over;
    }
}

impl MessageBody for InArray {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        match self.body.size() {
            BodySize::Sized(bytes) => BodySize::Sized(bytes + 2),
            _ => BodySize::Stream,
        }
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        while self.state != State::Over {
            let out = match ready!(Pin::new(&mut self.body).poll_next(cx)) {
                Some(Ok(piece)) => self.piece(&piece),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    let mut out = Vec::new();
                    self.end(&mut out);
                    out
                }
            };
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(out.into())));
            }
        }
        Poll::Ready(None)
    }
}
