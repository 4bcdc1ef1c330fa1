//! The head of a message, judged before its body is read.
//!
//! | | from → to |
//! |---|---|
//! | steps 0 to 10, as far as the head has them | [`Signed`] → [`VerifiedHead`] |
//! | the body is read, and step 0 again with it | [`VerifiedHead`] → [`SignatureVerified`] |
//!
//! A signature covers fields, and of the body only the digest. So it is verified before the body is
//! read, and nobody but a signer can make a server hold a large one.

use std::{future::Future, pin::pin};

use tracing::Instrument as _;

use super::{
    Context, FallbackCredential, Purposed, Rejection, SignatureVerified, Signed, Step, Verified,
    VerifiedSigner, Verifier,
    driver::{Endpoints, record},
    measured::Measured,
    received::{Body, BodyReading, Head, Message},
    span,
    step00_operation::Asked,
};
use crate::{
    clock::UnixSeconds,
    operation::{RequestSigningCapability, Transport},
    rfc9421::{Request, digest::CONTENT_DIGEST},
};

/// What the head of a message says about it, before the body is read. The message is not verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeadVerdict {
    /// It claims to be signed by a key that is published for this. Where the signature covers the
    /// digest of the body, it verifies; otherwise whoever copied a `keyid` can have sent it.
    ClaimsSignature,
    /// It claims to be signed, and the signature fails already. The body is wanted only because the
    /// protocol has it name the operation first, and refuses a body that names none before it looks
    /// at any signature (step 0). Read no more of it than of an unsigned one.
    FailsClaim,
    /// It makes no claim to be signed. The body decides whether it must be, or nothing does.
    Unsigned,
}

/// What became of the claim to be signed: the signature verifies over the head, or fails whatever
/// the body is. `None` where the body decides.
type Claim<'r> = Option<Result<VerifiedHead<'r>, Rejection>>;

/// A head whose signature verifies (steps 1 to 10). Its body is still to be read, so nothing of
/// steps 11 to 14 can be reached from here.
struct VerifiedHead<'r>(SignatureVerified<'r>);

impl<'r> VerifiedHead<'r> {
    /// The message, now that its body is there. The body may have taken long, so the window has to
    /// be open now as well: the replay store remembers the nonce only for so long.
    fn with_body<'b>(
        self,
        body: &'b Body<'b>,
        asked: &'b Asked,
        now: UnixSeconds,
    ) -> Result<SignatureVerified<'b>, Rejection>
    where
        'r: 'b,
    {
        let mut verified: SignatureVerified<'b> = self.0;
        let claims = &mut verified.keyed.announced.claims;
        claims.check_window(now)?;
        claims.signature.received.body = body;
        claims.signature.asked = asked;
        Ok(verified)
    }
}

impl Verifier {
    /// Verifies a message whose body is still to be read, and reads it only where that is worth it.
    ///
    /// What the head alone rules out is refused before a byte of the body is read: a body that is
    /// announced as larger than the bounds, an unsigned request to a route that requires a
    /// signature, and, where the route names the operation, a signature that fails in steps 1 to 10
    /// of the checklist. Then `read` is called with the verdict, by which it can choose a limit.
    /// The rest of the checklist follows. The body comes back only together with the answer.
    ///
    /// Key and revocation list are those of the time when the head came, and the window has to be
    /// open at the end too. Give `read` a time limit: it may wait for the sender.
    ///
    /// `head.body` must be empty; it is not looked at.
    ///
    /// ```
    /// use adcp_signing_core::{
    ///     Context, FieldLine, Rejection, Request, Transport, Verified, Verifier,
    ///     verify::HeadVerdict,
    /// };
    ///
    /// async fn receive(
    ///     verifier: &Verifier,
    ///     fields: &[FieldLine<'_>],
    ///     read_body: impl AsyncFnOnce(usize) -> Vec<u8>,
    /// ) -> Result<(Verified, Vec<u8>), Rejection> {
    ///     let context = Context::request(&Transport::Mcp);
    ///     let head = Request::new("POST", "https://seller.example.com/mcp", fields, b"");
    ///     let read = async |verdict| {
    ///         let limit = match verdict {
    ///             HeadVerdict::ClaimsSignature => verifier.profile().bounds().max_body_bytes(),
    ///             HeadVerdict::FailsClaim | HeadVerdict::Unsigned => 256 * 1024,
    ///         };
    ///         Ok(read_body(limit).await)
    ///     };
    ///     verifier.verify_head_first(&head, &context, read).await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Rejection`]: answer with it as with any other. It has been logged. And whatever `read`
    /// fails with.
    pub async fn verify_head_first<B, E, F>(
        &self,
        head: &Request<'_>,
        context: &Context<'_>,
        read: impl FnOnce(HeadVerdict) -> F,
    ) -> Result<(Verified, B), E>
    where
        B: AsRef<[u8]>,
        E: From<Rejection>,
        F: Future<Output = Result<B, E>>,
    {
        let head_span = self.head_span();
        let refused = |rejection: Rejection| {
            head_span.in_scope(|| record(&rejection, false));
            span::refused(&head_span, &rejection);
            E::from(rejection)
        };
        let mut measured = Measured::begin();
        let received = Head::of(&self.profile, head);
        let unread = Body::unread(&received).map_err(&refused)?;
        let message = Message { head: &received, body: &unread };
        let signed = self.open(message, context).map_err(&refused)?;
        let (verdict, claim) = match &signed {
            Some(signed) => {
                let judging = pin!(self.judge(signed, context));
                let judged = judging.instrument(head_span.clone()).await;
                judged.map_err(&refused)?
            }
            None => (HeadVerdict::Unsigned, None),
        };
        let body = measured.without(read(verdict)).await?;
        let span = self.span();
        let verified = async {
            let bytes = body.as_ref();
            let outcome = match claim {
                Some(claim) => self.finish(claim, &received, bytes, context).await,
                None => self.verify_whole(&Request { body: bytes, ..*head }, context).await,
            };
            self.log(&outcome);
            measured.end(&outcome);
            outcome
        };
        let outcome = pin!(verified).instrument(span.clone()).await;
        span::end(&span, &outcome);
        Ok((outcome?, body))
    }

    /// Step 0, as far as the head has it. A message that makes no claim to be signed is `None`.
    fn open<'r>(
        &self,
        message: Message<'r>,
        context: &Context<'_>,
    ) -> Result<Option<Signed<'r>>, Rejection> {
        match self.endpoint_of(context)? {
            Endpoints::Webhook => message.check_webhook_mode().map(Some),
            Endpoints::Request { capability, .. } if !capability.supported() => Ok(None),
            Endpoints::Request { transport, capability } if message.is_unsigned() => {
                let has_fallback = context.fallback == FallbackCredential::Valid;
                message.check_unsigned_head(transport, capability, has_fallback)?;
                Ok(None)
            }
            Endpoints::Request { transport, capability } => {
                let asked = Asked::by_head(transport, capability);
                Ok(Some(Signed { received: message, asked }))
            }
        }
    }

    /// Steps 1 to 10, and what their outcome means while the body is still to be read.
    async fn judge<'r>(
        &self,
        signed: &'r Signed<'r>,
        context: &Context<'_>,
    ) -> Result<(HeadVerdict, Claim<'r>), Rejection> {
        let rejection = match self.claim(signed, context).await {
            Ok(claim) => return Ok((HeadVerdict::ClaimsSignature, claim)),
            Err(rejection) => rejection,
        };
        let body_decides = match self.endpoint_of(context)? {
            Endpoints::Webhook => false,
            Endpoints::Request { transport, capability } => {
                transport.reads_body() || may_be_shadowed(capability, context)
            }
        };
        if !body_decides {
            let operation = signed.asked.resolved.shared_operation();
            return Err(rejection.with_operation(operation.as_deref()));
        }
        // What comes after step 8 was looked at only where no body could make step 6 fail.
        let is_settled = rejection.step() > Step::Purpose;
        Ok((HeadVerdict::FailsClaim, is_settled.then_some(Err(rejection))))
    }

    /// Steps 1 to 8, and to 10 where no body could make step 6 fail.
    async fn claim<'r>(
        &self,
        signed: &'r Signed<'r>,
        context: &Context<'_>,
    ) -> Result<Claim<'r>, Rejection> {
        let now = self.clock.now();
        let purposed = self.purposed(signed, context, now).await?;
        if !purposed.covers_any_body() {
            return Ok(None);
        }
        let verified = self.signature_verified(purposed, now).await?;
        Ok(Some(Ok(VerifiedHead(verified))))
    }

    /// Step 0 with the body, and steps 11 to 14.
    async fn finish(
        &self,
        claim: Result<VerifiedHead<'_>, Rejection>,
        head: &Head<'_>,
        bytes: &[u8],
        context: &Context<'_>,
    ) -> Result<Verified, Rejection> {
        match self.endpoint_of(context)? {
            Endpoints::Webhook => {
                let body = Body::read(head, bytes, BodyReading::Scan)?;
                let signed = Message { head, body: &body }.check_webhook_mode()?;
                self.conclude(claim, &signed).await.map(Verified::Signed)
            }
            Endpoints::Request { transport, capability } => {
                let reading = self.body_reading(transport, capability);
                let body = Body::read(head, bytes, reading)?;
                let message = Message { head, body: &body };
                let signed = message.check_signed_operation(transport, capability)?;
                let outcome = self.conclude(claim, &signed).await;
                self.settle(&signed, outcome, context).await
            }
        }
    }

    async fn conclude(
        &self,
        claim: Result<VerifiedHead<'_>, Rejection>,
        signed: &Signed<'_>,
    ) -> Result<VerifiedSigner, Rejection> {
        let head = claim?;
        let now = self.clock.now();
        let verified = head.with_body(signed.received.body, &signed.asked, now)?;
        self.committed(verified, now).await
    }
}

impl Purposed<'_> {
    /// Whether step 6 holds, whatever the body is.
    fn covers_any_body(&self) -> bool {
        let signature = &self.claims().signature;
        let profile = signature.received.head.profile;
        let mut required = profile.required_components(true, signature.asked.digest);
        signature.covers(CONTENT_DIGEST) && required.all(|name| signature.covers(name.as_str()))
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
