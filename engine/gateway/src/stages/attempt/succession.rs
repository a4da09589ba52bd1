//! Who goes on with a stream that has broken: another target is asked to continue where the answer stopped.
//!
//! Only where the route asks for it: the seam can be heard, and both targets are billed. The broken reader stays as
//! it is until somebody has taken over, so that nobody doing so leaves an ordinary broken stream.

use std::rc::Rc;

use actix_web::HttpRequest;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use tollgate_adapters::StreamReader;
use tollgate_core::{RequestId, Timestamp, Usage};
use tollgate_routing::{Candidate, Plan};
use tollgate_telemetry::AttemptRole;

use super::errand::{Continuing, Errand};
use super::once::attempt_once;
use super::request::ClientHeaders;
use super::turns::Turns;
use crate::exchange::answered::{Answered, Heirs, Opened, Succeeded};
use crate::exchange::call::Call;
use crate::exchange::ledger::Ledger;
use crate::exchange::leg::Leg;
use crate::stages::bounds::Bounds;
use crate::worker::Worker;

/// Everything that asking another target takes, kept for as long as the stream flows.
pub(crate) struct Succession {
    pub(crate) worker: Rc<Worker>,
    pub(crate) call: Call,
    pub(crate) request: HttpRequest,
    pub(crate) plan: Plan,
    pub(crate) bounds: Bounds,
    pub(crate) ledger: Rc<Ledger>,
    pub(crate) request_id: RequestId,
    pub(crate) arrived: Timestamp,
}

impl Heirs for Succession {
    fn go_on(
        self: Box<Self>,
        broken: StreamReader,
        by: Candidate,
        spent: Usage,
    ) -> LocalBoxFuture<'static, Succeeded> {
        async move {
            let heir = self.find_heir(&broken, &by, spent).await;
            Succeeded {
                heirs: self,
                broken,
                heir,
            }
        }
        .boxed_local()
    }
}

impl Succession {
    /// Asks the other candidates of the plan, in their order.
    async fn find_heir(
        &self,
        broken: &StreamReader,
        by: &Candidate,
        spent: Usage,
    ) -> Option<(Leg, Box<Opened>)> {
        let errand = Errand {
            worker: &self.worker,
            call: &self.call,
            headers: ClientHeaders(&self.request),
            strict: self.plan.route.strict,
            request_id: self.request_id,
            arrived: self.arrived,
            deadline: None,
            is_collecting: true,
            continuing: Some(Continuing { broken, spent }),
        };
        let mut turns = Turns::new(&self.plan, &self.bounds, self.ledger.clone(), false);
        while let Some(asked) = turns.ask_anyone_but(&by.target, AttemptRole::Continuation) {
            match attempt_once(&errand, asked).await {
                Ok((leg, Answered::Stream(opened))) => return Some((leg, opened)),
                // Not a stream: nothing that could be joined to one.
                Ok(_) => {}
                Err(failed) => turns.failed(&failed),
            }
        }
        None
    }
}
