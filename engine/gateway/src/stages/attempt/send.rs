//! One request on its way to a provider: with what it is shown, and again where nobody has read it.

use bytes::Bytes;
use tollgate_core::OutcomeClass;
use tollgate_routing::{Credential, Provider};

use super::errand::Errand;
use super::failed::{Unanswered, gateway};
use super::proof::Shown;
use super::request::{self, Message};
use crate::upstream;

/// What the provider is shown.
pub(super) async fn shown<'p>(
    errand: &Errand<'_>,
    credential: Option<&'p Credential>,
) -> Result<Shown<'p>, Unanswered> {
    let identities = &errand.worker.shared.identities;
    let shown = Shown::wait(credential, identities).await;
    shown.map_err(|why| gateway(OutcomeClass::CredentialUnavailable, why))
}

/// Sends the request, once more where nobody has read it, or where it was only our clock that the provider refused.
pub(super) async fn send(
    errand: &Errand<'_>,
    (provider, shown): (&Provider, &Shown<'_>),
    model: &str,
    (path, body): (&str, &Bytes),
) -> Result<upstream::Answer, Unanswered> {
    let hash = shown.hash(body).await;
    let build = || {
        let hash = hash.as_deref();
        let message = Message { path, body, hash };
        request::build(errand.call, (provider, shown), model, errand.headers, message)
            .map_err(|error| gateway(OutcomeClass::InvalidRequest, error.to_string()))
    };
    let (mut is_again, mut is_corrected) = (false, false);
    loop {
        match errand.worker.upstream.send(provider, build()?).await {
            // It closed an idle connection just as the request was on its way: nobody has read that.
            Err(error) if error.was_stale() && !is_again && !errand.call.is_spent() => is_again = true,
            Err(error) => return Err(gateway(error.class(), error.to_string())),
            Ok(answer) => {
                let (status, headers) = (answer.response.status(), answer.response.headers());
                if !shown.learns_the_time(status, headers) || is_corrected || errand.call.is_spent() {
                    return Ok(answer);
                }
                is_corrected = true;
            }
        }
    }
}
