//! `admit`: what every adapter does with a request, whatever its framework.

use std::{pin::pin, time::Duration};

use adcp_signing_core::{Verified as Verdict, VerifiedSigner, http_message::RequestHead};
use bytes::Bytes;
use tracing::{Instrument as _, field::Empty};

use super::{
    AcceptedCredential, BodyBudget, Held, PeerAddress, Received, Refused, Route,
    refused::TWO_LAYERS,
};

/// The head of a received request, and the extensions by which layers and handlers talk.
pub(crate) trait Inbound {
    /// The head, as received.
    fn head(&self) -> impl RequestHead;

    /// Path and query before routers changed them, where they are known.
    fn original_path(&self) -> Option<&str>;

    /// The other end of the connection, where the server says so.
    fn peer(&self) -> Option<PeerAddress>;

    /// An extension.
    fn extension<T: Clone + Send + Sync + 'static>(&self) -> Option<T>;

    /// Sets an extension in place of any of its type.
    fn set_extension<T: Clone + Send + Sync + 'static>(&mut self, value: T);

    /// Removes an extension.
    fn remove_extension<T: Clone + Send + Sync + 'static>(&mut self);
}

/// How much of a body is read, and for how long.
#[derive(Debug)]
pub(crate) struct Limits {
    bytes: usize,
    pub(crate) time: Duration,
    held: Held,
}

impl Limits {
    /// At most so many bytes, or all of the budget where that has fewer.
    pub(crate) fn new(bytes: usize, time: Duration, budget: &BodyBudget) -> Self {
        Self { bytes: bytes.min(budget.limit()), time, held: budget.open() }
    }

    /// Admits a chunk of as many bytes behind what was read already.
    pub(crate) fn admit(&mut self, chunk: usize, read: usize) -> Result<(), Refused> {
        if chunk > self.bytes.saturating_sub(read) {
            return Err(Refused::BodyTooLarge { limit: self.bytes });
        }
        if !self.held.take(chunk) {
            return Err(Refused::BudgetUsedUp { until: self.time });
        }
        Ok(())
    }

    /// What the body takes of the budget.
    pub(crate) fn into_held(self) -> Held {
        self.held
    }
}

/// Verifies a request and sets the answer as extensions. The body is read, by `read`, where the head
/// passes.
pub(crate) async fn admit(
    route: &Route,
    request: &mut impl Inbound,
    read: impl AsyncFnOnce(Limits) -> Result<(Bytes, Held), Refused>,
) -> Result<Bytes, Refused> {
    let span = tracing::info_span!(
        target: "adcp_signing::http",
        "adcp_signing.verify_request",
        "error.type" = Empty,
    );
    // Pinned where it is made: the future is large, and a span around it would move it twice.
    let admitting = pin!(admit_within(route, request, read));
    let outcome = admitting.instrument(span.clone()).await;
    if let Err(refused) = &outcome {
        span.record("error.type", refused.reason());
    }
    outcome
}

async fn admit_within(
    route: &Route,
    request: &mut impl Inbound,
    read: impl AsyncFnOnce(Limits) -> Result<(Bytes, Held), Refused>,
) -> Result<Bytes, Refused> {
    if request.extension::<Verdict>().is_some() {
        return Err(Refused::Misconfigured { cure: TWO_LAYERS });
    }
    // Only this layer says who signed.
    request.remove_extension::<VerifiedSigner>();
    let credential = request.extension::<AcceptedCredential>();
    let received = Received {
        original_path: request.original_path(),
        credential: credential.as_ref(),
        peer: request.extension::<PeerAddress>().or_else(|| request.peer()),
    };
    let (verdict, body) = route.verify(&request.head(), received, read).await?;
    if let Verdict::Signed(signer) = &verdict {
        request.set_extension(signer.clone());
    }
    request.set_extension(verdict);
    Ok(body)
}
