//! Verifying `http::Request`, and giving it back only together with the answer.

use std::{fmt, future::Future, sync::Arc};

use ::http::Request as HttpMessage;

use super::{
    Context, HeadVerdict, Rejection, Step, Verified, VerifiedSigner, Verifier, driver::record,
};
use crate::{
    http_message::{Origin, OriginError, RequestHead},
    profile::Fault,
};

/// A request that may be processed, with the answer on whose authority.
///
/// The request cannot be reached without the answer: a handler asks for the signer with
/// [`signed`](Self::signed), or takes both and tells the cases of [`Verified`] apart.
#[must_use = "a request that may be processed need not be signed: ask for the signer"]
pub struct VerifiedHttp<B> {
    verified: Verified,
    request: HttpMessage<B>,
}

impl Verifier {
    /// Verifies a request, and gives it back with the answer.
    ///
    /// `origin` is the scheme and authority that the endpoint's clients know it by. The body must be
    /// the bytes that were received: read it whole, with a limit, before.
    ///
    /// A [`VerifiedSigner`] that the request already carries as an extension is removed: only
    /// [`VerifiedHttp::signed`] sets one.
    ///
    /// ```
    /// use adcp_signing_core::{Context, Origin, Rejection, Transport, Verifier};
    ///
    /// async fn create_media_buy(
    ///     verifier: &Verifier,
    ///     origin: &Origin,
    ///     request: http::Request<Vec<u8>>,
    /// ) -> Result<String, Rejection> {
    ///     let route = Transport::Rest { operation: "create_media_buy".into() };
    ///     let received = verifier.verify_http(request, origin, &Context::request(&route)).await?;
    ///     let (signer, request) = received.signed()?; // a rejection unless the request is signed
    ///     Ok(format!("{:?} sent {} bytes", signer.agent_url(), request.body().len()))
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Rejection`], as [`verify`](Self::verify); and as [`verify_parts`](Self::verify_parts) where
    /// the request is not one to the origin.
    pub async fn verify_http<B: AsRef<[u8]>>(
        &self,
        request: HttpMessage<B>,
        origin: &Origin,
        context: &Context<'_>,
    ) -> Result<VerifiedHttp<B>, Rejection> {
        let (mut parts, body) = request.into_parts();
        let bytes = body.as_ref();
        let verified = self.verify_parts(&parts, bytes, origin, context).await?;
        parts.extensions.remove::<VerifiedSigner>();
        Ok(VerifiedHttp { verified, request: HttpMessage::from_parts(parts, body) })
    }

    /// Verifies a request whose body is held apart from it.
    ///
    /// Prefer [`verify_http`](Self::verify_http) where the request can be given away: it cannot be
    /// processed by mistake while the answer is ignored.
    ///
    /// # Errors
    /// [`Rejection`], as [`verify`](Self::verify). A request that is not one to the origin, signed
    /// or not, is refused at step 0 with `request_target_uri_malformed` or
    /// `webhook_target_uri_malformed`: it has no target URI that the rest of the checklist could
    /// look at.
    pub async fn verify_parts(
        &self,
        head: &impl RequestHead,
        body: &[u8],
        origin: &Origin,
        context: &Context<'_>,
    ) -> Result<Verified, Rejection> {
        match origin.request(head, body) {
            Ok(message) => self.verify(&message.as_request(), context).await,
            Err(error) => Err(self.not_to_origin(error)),
        }
    }

    /// Verifies a request whose body is still to be read: see
    /// [`verify_head_first`](Self::verify_head_first).
    ///
    /// # Errors
    /// As [`verify_head_first`](Self::verify_head_first); and [`Rejection`], as
    /// [`verify_parts`](Self::verify_parts), where the request is not one to the origin.
    pub async fn verify_parts_head_first<B, E, F>(
        &self,
        head: &impl RequestHead,
        origin: &Origin,
        context: &Context<'_>,
        read: impl FnOnce(HeadVerdict) -> F,
    ) -> Result<(Verified, B), E>
    where
        B: AsRef<[u8]>,
        E: From<Rejection>,
        F: Future<Output = Result<B, E>>,
    {
        match origin.request(head, &[]) {
            Ok(message) => self.verify_head_first(&message.as_request(), context, read).await,
            Err(error) => Err(self.not_to_origin(error).into()),
        }
    }

    #[cold]
    fn not_to_origin(&self, error: OriginError) -> Rejection {
        let fault = Fault::TargetUriMalformed;
        let rejection = Rejection::new(&self.profile, Step::Precheck, fault, error.to_string())
            .with_source(Arc::new(error));
        record(&rejection, false);
        rejection
    }
}

impl<B> VerifiedHttp<B> {
    /// Who signed the request, and the request. The signer is set as an extension of the request
    /// too, for handlers further in.
    ///
    /// # Errors
    /// A rejection with `request_signature_required` where nobody signed, whatever the endpoint's
    /// capability requires: answer with it as with any other.
    pub fn signed(self) -> Result<(VerifiedSigner, HttpMessage<B>), Rejection> {
        let Self { verified, mut request } = self;
        let signer = verified.signer()?;
        request.extensions_mut().insert(signer.clone());
        Ok((signer, request))
    }

    /// The answer and the request, for handlers that serve unsigned requests as well. No extension
    /// is set.
    #[must_use = "a request that may be processed need not be signed: look at the answer"]
    pub fn into_parts(self) -> (Verified, HttpMessage<B>) {
        (self.verified, self.request)
    }

    /// The answer.
    pub fn verified(&self) -> &Verified {
        &self.verified
    }
}

/// Neither the body nor the fields, which may hold what no log should.
impl<B> fmt::Debug for VerifiedHttp<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedHttp").field("verified", &self.verified).finish_non_exhaustive()
    }
}
