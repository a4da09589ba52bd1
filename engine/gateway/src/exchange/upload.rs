//! A body that is passed on while the client is still sending it: a form, a file.
//!
//! Its beginning is read before anybody is asked, as far as it takes to find the model that a form names, and no further
//! than [`LOOK_AHEAD`]. That much is kept, so that another target can be asked as long as no byte behind it has gone; the
//! rest is handed from connection to connection, and is gone then.

mod progress;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::Payload;
use bytes::Bytes;
use futures_util::Stream as _;
use thiserror::Error;
use tokio::time::{Instant, Sleep, sleep_until};
use tollgate_adapters::{Absent, FormScan, ModelField};
use tollgate_core::{Clock, Refusal, RefusalKind};

use crate::exchange::incoming::{BODY_PAUSE, gone, header, next_piece, unreadable};

pub(crate) use progress::Progress;

/// So much of a body is read before anybody is asked, bytes.
const LOOK_AHEAD: usize = 64 << 10;

/// A body that is passed on.
pub(crate) struct Upload {
    source: Rc<Source>,
    content_type: Option<Box<str>>,
    /// Its length, where the client states it.
    stated: Option<u64>,
    form: Option<Form>,
}

/// A form whose model is told to each target in its own words.
struct Form {
    /// What the request was routed by.
    named: Box<str>,
    field: Field,
}

/// Where a form names its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// In what was read ahead.
    Seen,
    /// Nowhere: all of it was read.
    Missing,
    /// Further behind, or nowhere.
    Behind,
}

/// What a client sends.
struct Source {
    /// What was read ahead.
    begun: Vec<Bytes>,
    /// What follows; `None`: nothing does.
    rest: RefCell<Option<Payload>>,
    most: u64,
    received: Rc<Cell<u64>>,
    /// Something has gone that was not kept.
    is_spent: Cell<bool>,
    fault: RefCell<Option<Fault>>,
    progress: Rc<Progress>,
}

enum Fault {
    Refused(Refusal),
    /// The client has hung up.
    Gone,
}

/// The body could not be passed on to its end; why, its upload knows.
#[derive(Debug, Clone, Copy, Error)]
#[error("the upload was broken off")]
pub(crate) struct UploadBroken;

/// An upload on its way to one target.
pub(crate) struct UploadBody {
    source: Rc<Source>,
    next: usize,
    scan: Option<FormScan>,
    ready: VecDeque<Bytes>,
    scratch: Vec<Bytes>,
    pause: Option<Pin<Box<Sleep>>>,
    len: Option<u64>,
    is_over: bool,
}

impl Upload {
    /// Begins to read a body: of a form, until its model is found; of anything else, if it is small enough to be kept.
    /// The model and where it stands, of a form.
    pub(crate) async fn open(
        request: &HttpRequest,
        mut payload: Payload,
        most: usize,
        is_form: bool,
    ) -> Result<(Self, Option<Box<str>>, Field), Refusal> {
        let stated = stated(request, most)?;
        let content_type = header(request, &CONTENT_TYPE).map(Into::into);
        let kind: Option<&str> = content_type.as_deref();
        let mut scan = is_form
            .then(|| FormScan::new(kind.unwrap_or_default(), ModelField::Read))
            .transpose()?;
        let keeps = is_form || stated.is_none_or(|len| len <= LOOK_AHEAD as u64);
        let (mut begun, mut kept, mut ends) = (Vec::new(), 0, false);
        let mut passed = Vec::new();
        while keeps && kept < LOOK_AHEAD && scan.as_ref().is_none_or(|scan| scan.model().is_none()) {
            let Some(piece) = next_piece(&mut payload).await? else {
                ends = true;
                break;
            };
            kept += piece.len();
            if kept > most {
                return Err(too_large(most));
            }
            if let Some(scan) = &mut scan {
                scan.push(piece.clone(), &mut passed)?;
                passed.clear();
            }
            begun.push(piece);
        }
        if let Some(scan) = scan.as_ref().filter(|_| ends) {
            scan.finish()?;
        }
        let model = scan.and_then(|scan| scan.model().map(Into::into));
        let field = match (&model, ends) {
            (Some(_), _) => Field::Seen,
            (None, true) => Field::Missing,
            (None, false) => Field::Behind,
        };
        let upload = Self {
            source: Rc::new(Source {
                begun,
                rest: RefCell::new((!ends).then_some(payload)),
                most: most as u64,
                received: Rc::new(Cell::new(kept as u64)),
                is_spent: Cell::new(false),
                fault: RefCell::default(),
                progress: Rc::default(),
            }),
            content_type,
            stated: stated.or(ends.then_some(kept as u64)),
            form: None,
        };
        Ok((upload, model, field))
    }

    /// The form was routed by this name.
    pub(crate) fn named(&mut self, model: &str, field: Field) {
        self.form = Some(Form {
            named: model.into(),
            field,
        });
    }

    /// What the client calls it.
    pub(crate) fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// How much has come of it, bytes.
    pub(crate) fn received(&self) -> Rc<Cell<u64>> {
        self.source.received.clone()
    }

    /// Whether nobody else can be asked, because something has gone that was not kept.
    pub(crate) fn is_spent(&self) -> bool {
        self.source.is_spent.get() || self.source.fault.borrow().is_some()
    }

    /// Why it was broken off; `None`: it was not. Does not come back if the client has hung up.
    pub(crate) async fn fault(&self) -> Option<Refusal> {
        match self.source.fault.take()? {
            Fault::Refused(refusal) => Some(refusal),
            Fault::Gone => Some(gone().await),
        }
    }

    /// All of it, for a target whose model has this name.
    pub(crate) fn body(&self, target: &str) -> Result<UploadBody, Refusal> {
        let mut len = self.stated;
        let mut scan = None;
        if let Some(Form { named, field }) = &self.form {
            let absent = match field {
                Field::Missing => Absent::Added,
                Field::Seen | Field::Behind => Absent::Refused,
            };
            let wanted = ModelField::Replace {
                named: named.clone(),
                target: target.into(),
                absent,
            };
            let form = FormScan::new(self.content_type().unwrap_or_default(), wanted)?;
            len = len.and_then(|len| match field {
                Field::Missing => len.checked_add(form.added_len(target) as u64),
                _ => len
                    .checked_add(target.len() as u64)?
                    .checked_sub(named.len() as u64),
            });
            scan = Some(form);
        }
        Ok(UploadBody {
            source: self.source.clone(),
            next: 0,
            scan,
            ready: VecDeque::new(),
            scratch: Vec::new(),
            pause: None,
            len,
            is_over: false,
        })
    }
}

impl UploadBody {
    /// How far it has come.
    pub(crate) fn progress(&self) -> Rc<Progress> {
        self.source.progress.clone()
    }

    /// Whether more is to come than what is kept.
    pub(crate) fn is_unrepeatable(&self) -> bool {
        self.source.rest.borrow().is_some()
    }

    /// Its length; `None`: the client does not say.
    pub(crate) fn len(&self) -> Option<u64> {
        self.len
    }

    /// The next piece; `None` at the end.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UploadBroken>>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                self.source.progress.moved();
                return Poll::Ready(Some(Ok(piece)));
            }
            if self.is_over {
                return Poll::Ready(None);
            }
            let went = match self.source.begun.get(self.next).cloned() {
                Some(piece) => {
                    self.next += 1;
                    self.take(piece)
                }
                None => match self.poll_rest(cx) {
                    Poll::Ready(went) => went,
                    Poll::Pending => return Poll::Pending,
                },
            };
            if let Err(fault) = went {
                self.is_over = true;
                *self.source.fault.borrow_mut() = Some(fault);
                return Poll::Ready(Some(Err(UploadBroken)));
            }
        }
    }

    /// What was not read ahead.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let source = self.source.clone();
        let mut rest = source.rest.borrow_mut();
        let Some(payload) = rest.as_mut() else {
            return Poll::Ready(self.finish());
        };
        let polled = Pin::new(payload).poll_next(cx);
        match polled {
            Poll::Ready(Some(Ok(piece))) => {
                self.pause = None;
                source.is_spent.set(true);
                let received = source.received.get().saturating_add(piece.len() as u64);
                source.received.set(received);
                if received > source.most {
                    let most = usize::try_from(source.most).unwrap_or(usize::MAX);
                    return Poll::Ready(Err(Fault::Refused(too_large(most))));
                }
                Poll::Ready(self.take(piece))
            }
            Poll::Ready(None) => {
                *rest = None;
                Poll::Ready(self.finish())
            }
            Poll::Ready(Some(Err(PayloadError::Incomplete(_)))) => Poll::Ready(Err(Fault::Gone)),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Err(Fault::Refused(unreadable(&error)))),
            Poll::Pending => {
                source.progress.waits();
                let pause = self.pause.get_or_insert_with(|| {
                    Box::pin(sleep_until(Instant::from_std(Clock.now()) + BODY_PAUSE))
                });
                std::task::ready!(pause.as_mut().poll(cx));
                let message = format!("nothing of the body arrived for {BODY_PAUSE:?}");
                Poll::Ready(Err(Fault::Refused(Refusal::new(
                    RefusalKind::BodyTimeout,
                    message,
                ))))
            }
        }
    }

    fn take(&mut self, piece: Bytes) -> Result<(), Fault> {
        match &mut self.scan {
            None => self.ready.push_back(piece),
            Some(scan) => {
                let went = scan.push(piece, &mut self.scratch);
                went.map_err(Fault::Refused)?;
                self.ready.extend(self.scratch.drain(..));
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Fault> {
        self.is_over = true;
        self.source.progress.complete();
        match &self.scan {
            Some(scan) => scan.finish().map_err(Fault::Refused),
            None => Ok(()),
        }
    }
}

/// The length that the client states, if it may be passed on.
fn stated(request: &HttpRequest, most: usize) -> Result<Option<u64>, Refusal> {
    if let Some(encoding) =
        header(request, &CONTENT_ENCODING).filter(|it| !it.eq_ignore_ascii_case("identity"))
    {
        let message =
            format!("uploads are passed on as they come: send no content-encoding (found: '{encoding}')");
        return Err(Refusal::new(RefusalKind::UnsupportedMedia, message));
    }
    let stated = header(request, &CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok());
    match stated {
        Some(len) if len > most as u64 => Err(too_large(most)),
        stated => Ok(stated),
    }
}

fn too_large(most: usize) -> Refusal {
    let message =
        format!("the upload is larger than this gateway's limit of {most} bytes (server.upload_limit)");
    Refusal::new(RefusalKind::BodyTooLarge, message)
}
