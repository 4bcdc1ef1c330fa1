//! The head of a message, judged before its body is read.

use tracing::Instrument as _;

use super::{
    Context, FallbackCredential, Received, Rejection, Signed, Verifier,
    driver::{Endpoints, record},
    span,
    step00_operation::Asked,
};
use crate::{
    operation::{RequestSigningCapability, Transport},
    rfc9421::Request,
};

/// What the head of a message says about it, before the body is read. The message is not verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeadVerdict {
    /// It claims to be signed, by a key that is published for this, and the claim is worth reading
    /// the body for. Whoever copied a `keyid` can have sent it.
    ClaimsSignature,
    /// It claims to be signed, and the signature fails already. The body is wanted only because the
    /// protocol has it name the operation first, and refuses a body that names none before it looks
    /// at any signature (step 0). Read no more of it than of an unsigned one.
    FailsClaim,
    /// It makes no claim to be signed. The body decides whether it must be, or nothing does.
    Unsigned,
}

impl Verifier {
    /// Judges a message by its head, so that no body is read for a message that will be refused
    /// anyway.
    ///
    /// Refuses what the head alone rules out: a body that is announced as larger than the bounds, an
    /// unsigned request to a route that requires a signature, and, where the route names the
    /// operation, a signature that fails in steps 1 to 8 of the checklist: parameters, tag,
    /// algorithm, window, components, key, purpose. Nothing is remembered and nothing is verified:
    /// [`verify`](Self::verify) makes every check again with the body, so a message that passes here
    /// is no more trusted than before.
    ///
    /// `head.body` must be empty; it is not looked at.
    ///
    /// ```
    /// use adcp_signing_core::{
    ///     Context, FieldLine, Rejection, Request, Transport, Verified, Verifier,
    /// };
    ///
    /// async fn receive(
    ///     verifier: &Verifier,
    ///     fields: &[FieldLine<'_>],
    ///     read_body: impl AsyncFnOnce() -> Vec<u8>,
    /// ) -> Result<Verified, Rejection> {
    ///     let context = Context::request(&Transport::Mcp);
    ///     let url = "https://seller.example.com/mcp";
    ///     verifier.check_head(&Request::new("POST", url, fields, b""), &context).await?;
    ///     let body = read_body().await;
    ///     verifier.verify(&Request::new("POST", url, fields, &body), &context).await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Rejection`]: answer with it as with any other. It has been logged.
    pub async fn check_head(
        &self,
        head: &Request<'_>,
        context: &Context<'_>,
    ) -> Result<HeadVerdict, Rejection> {
        let span = self.head_span();
        let outcome = self.judge_head(head, context).instrument(span.clone()).await;
        if let Err(rejection) = &outcome {
            span.in_scope(|| record(rejection, false));
            span::refused(&span, rejection);
        }
        outcome
    }

    async fn judge_head(
        &self,
        head: &Request<'_>,
        context: &Context<'_>,
    ) -> Result<HeadVerdict, Rejection> {
        let received = Received::head(&self.profile, head)?;
        match self.endpoint_of(context)? {
            Endpoints::Webhook => self.claim(&received.check_webhook_mode()?, context).await?,
            Endpoints::Request { capability, .. } if !capability.supported() => {
                return Ok(HeadVerdict::Unsigned);
            }
            Endpoints::Request { transport, capability } if received.is_unsigned() => {
                let has_fallback = context.fallback == FallbackCredential::Valid;
                received.check_unsigned_head(transport, capability, has_fallback)?;
                return Ok(HeadVerdict::Unsigned);
            }
            Endpoints::Request { transport, capability } => {
                let asked = Asked::by_head(transport, capability);
                let operation = asked.resolved.shared_operation();
                let claimed = self.claim(&Signed { received: &received, asked }, context).await;
                return match claimed {
                    Ok(()) => Ok(HeadVerdict::ClaimsSignature),
                    Err(_) if transport.reads_body() => Ok(HeadVerdict::FailsClaim),
                    Err(_) if may_be_shadowed(capability, context) => Ok(HeadVerdict::FailsClaim),
                    Err(rejection) => Err(rejection.with_operation(operation.as_deref())),
                };
            }
        }
        Ok(HeadVerdict::ClaimsSignature)
    }

    /// Steps 1 to 8.
    async fn claim(&self, signed: &Signed<'_>, context: &Context<'_>) -> Result<(), Rejection> {
        self.purposed(signed, context, self.clock.now()).await.map(drop)
    }
}

/// Whether shadow mode can turn the failure of a signature into a finding, which the operation
/// decides, and so the body.
fn may_be_shadowed(capability: &RequestSigningCapability, context: &Context<'_>) -> bool {
    capability.warns_for_anything() && context.fallback == FallbackCredential::Valid
}

impl Asked {
    /// What a head says about the operation: all of it where the route names it.
    fn by_head(transport: &Transport, capability: &RequestSigningCapability) -> Self {
        let digest = capability.covers_content_digest();
        match transport.routed() {
            Some(resolved) => {
                let posture = capability.posture(&resolved);
                Self { resolved, posture, digest }
            }
            None => Self { digest, ..Self::anything() },
        }
    }
}
