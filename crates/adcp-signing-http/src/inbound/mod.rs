//! Verifying what comes in: one pipeline, and a thin adapter for each server framework.

#[cfg(feature = "a2a-server")]
pub(crate) mod a2a;
#[cfg(feature = "actix")]
pub(crate) mod actix;
mod admit;
#[cfg(feature = "axum")]
mod axum;
mod base_url;
mod budget;
#[cfg(any(feature = "axum", feature = "actix"))]
mod extract;
mod forwarded;
mod head;
mod layer;
pub(crate) mod refused;
#[cfg(feature = "tower")]
pub(crate) mod tower;

use std::time::Duration;

use adcp_signing_core::{
    Context, FallbackCredential, Transport, Verified as Verdict, Verifier,
    http_message::RequestHead, profile::Fault, verify::HeadVerdict,
};
use bytes::Bytes;

#[cfg(any(feature = "axum", feature = "actix"))]
pub use self::extract::{Caller, NotVerified, Verified};
use self::head::ExternalHead;
pub(crate) use self::{
    admit::{Inbound, Limits, admit},
    budget::{BodyBudget, Held},
    refused::Refused,
};
pub use self::{
    base_url::{BaseUrl, BaseUrlError},
    forwarded::{PeerAddress, TrustedProxies, TrustedProxiesError},
    layer::VerifyLayer,
};

/// How long a body may take to arrive.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How many bytes of an unsigned body are read: nobody answers for them.
const MAX_UNSIGNED_BODY_BYTES: usize = 256 * 1024;

/// A verifier and the URL of the server that it stands in front of.
///
/// Each route says how its requests name their operation. There is no default: a layer comes from
/// [`operation`](Self::operation), [`mcp`](Self::mcp), [`a2a`](Self::a2a),
/// [`rest_path`](Self::rest_path) or [`webhooks`](Self::webhooks).
///
/// A request is judged by its head first. Its body is read only when that passes: within the bounds
/// of the verifier's profile where the request is signed, within
/// [`max_unsigned_body`](Self::max_unsigned_body) where it is not or the signature fails already,
/// and within
/// [`read_timeout`](Self::read_timeout) in any case. The handler gets the bytes that were verified.
#[derive(Debug, Clone)]
pub struct Verify {
    verifier: Verifier,
    base: BaseUrl,
    proxies: Option<TrustedProxies>,
    read_timeout: Duration,
    max_unsigned_body: usize,
    budget: BodyBudget,
}

/// A credential of the request that another authenticator has accepted: bearer token, API key,
/// mTLS. Set it as an extension of the request in a layer in front.
///
/// The verifier then lets an unsigned request pass where the contract accepts another credential in
/// place of a signature. Set it only where the credential is valid for every operation that the
/// route can carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedCredential {
    /// Your name for the credential's owner.
    subject: String,
}

impl AcceptedCredential {
    /// A credential of this owner. The check of A2A tasks is told the name.
    pub fn of(subject: impl Into<String>) -> Self {
        Self { subject: subject.into() }
    }

    /// Your name for the credential's owner.
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

impl Verify {
    /// Verifies for a server that clients reach under this URL.
    pub fn new(verifier: Verifier, base: impl Into<BaseUrl>) -> Self {
        Self {
            verifier,
            base: base.into(),
            proxies: None,
            read_timeout: READ_TIMEOUT,
            max_unsigned_body: MAX_UNSIGNED_BODY_BYTES,
            budget: BodyBudget::default(),
        }
    }

    /// Believes these proxies for which URL a request was made, in place of `Host`. Without this, no
    /// forwarded field is read.
    #[must_use]
    pub fn behind(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = Some(proxies);
        self
    }

    /// How long a body may take to arrive, in place of 10 seconds. A slower one is answered 408.
    #[must_use]
    pub fn read_timeout(mut self, limit: Duration) -> Self {
        self.read_timeout = limit;
        self
    }

    /// How many bytes of an unsigned body are read, in place of 256 KiB. A larger one is answered
    /// 413. The bounds of the verifier's profile hold as well.
    #[must_use]
    pub fn max_unsigned_body(mut self, bytes: usize) -> Self {
        self.max_unsigned_body = bytes;
        self
    }

    /// How many bytes of bodies are held at once over all connections, in place of 256 MiB. A body
    /// counts from its first byte until the request is verified. All layers of this `Verify` and of
    /// its clones share the budget.
    ///
    /// A request whose body exceeds what is left is answered 503, with `Retry-After`: by then, the
    /// bodies that are held now have arrived or timed out. A body that is larger than the whole
    /// budget is answered 413.
    #[must_use]
    pub fn body_budget(mut self, bytes: usize) -> Self {
        self.budget = BodyBudget::of(bytes);
        self
    }
}

/// One route: what its requests name their operation by. None for webhooks.
#[derive(Debug)]
pub(crate) struct Route {
    verify: Verify,
    transport: Option<Transport>,
}

/// What the adapters know of a request besides its head.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Received<'a> {
    /// Path and query before routers changed them.
    pub(crate) original_path: Option<&'a str>,
    pub(crate) credential: Option<&'a AcceptedCredential>,
    /// The other end of the connection, where the server says so.
    pub(crate) peer: Option<PeerAddress>,
}

impl Route {
    /// Verifies a request by its head first. `read` reads the body, within limits that the head
    /// sets.
    pub(crate) async fn verify(
        &self,
        head: &impl RequestHead,
        received: Received<'_>,
        read: impl AsyncFnOnce(Limits) -> Result<(Bytes, Held), Refused>,
    ) -> Result<(Verdict, Bytes), Refused> {
        let Verify { verifier, base, read_timeout, max_unsigned_body, budget, .. } = &self.verify;
        let head = self.external(head, received)?;
        let context = self.context(received.credential);
        let bound = verifier.profile().bounds().max_body_bytes();
        // Until the request is verified.
        let mut _held = None;
        let read = async |verdict| {
            let bytes = match verdict {
                HeadVerdict::ClaimsSignature => bound,
                HeadVerdict::FailsClaim | HeadVerdict::Unsigned => bound.min(*max_unsigned_body),
            };
            let (body, held) = read(Limits::new(bytes, *read_timeout, budget)).await?;
            _held = Some(held);
            Ok(body)
        };
        verifier.verify_parts_head_first(&head, &base.origin, &context, read).await
    }

    /// The head as the client sent it.
    fn external<'a, H: RequestHead>(
        &'a self,
        head: &'a H,
        received: Received<'_>,
    ) -> Result<ExternalHead<'a, H>, Refused> {
        let Verify { verifier, base, proxies, .. } = &self.verify;
        let external = ExternalHead::new(head, &base.prefix, received.original_path);
        let Some(proxies) = proxies else { return Ok(external) };
        match proxies.attest(&base.origin, received.peer, head.fields()) {
            Ok(true) => Ok(external.attested(&base.origin)),
            Ok(false) => Ok(external),
            Err(error) => Err(error.refused(verifier.profile().code(Fault::TargetUriMalformed))),
        }
    }

    /// Whether requests come over A2A.
    #[cfg(feature = "a2a-server")]
    pub(crate) fn is_a2a(&self) -> bool {
        self.transport == Some(Transport::A2a)
    }

    fn context<'a>(&'a self, credential: Option<&'a AcceptedCredential>) -> Context<'a> {
        let Some(transport) = &self.transport else { return Context::webhook() };
        let context = Context::request(transport);
        match credential {
            Some(credential) => {
                context.with_fallback(FallbackCredential::Valid).with_subject(credential.subject())
            }
            None => context,
        }
    }
}
