//! The layer that signs, for any `tower` client.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use adcp_signing_core::{Origin, Signer};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Counterparties, Refusal, SignedCallError,
    counterparties::{signer_for, within_span},
};

/// How many bytes of a body are held to be digested.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// Signs requests before they reach a client service. Put it below retries, so that each attempt has
/// a nonce and a time of its own, and above a client that follows no redirects.
///
/// A request names its receiver: its URI is absolute. The body is read once, up to
/// [`max_body`](Self::max_body), digested, and sent as the same bytes.
///
/// An answer of 401 that carries an AdCP code becomes [`SignedCallError::Refused`].
///
/// ```
/// use adcp_signing_core::{Algorithm, InMemoryProvider, KeyPurpose, Signer};
/// use adcp_signing_http::SignLayer;
/// use tower_layer::Layer;
///
/// # fn wrap<C>(client: C) -> Result<(), Box<dyn std::error::Error>> {
/// let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning)?;
/// let client = SignLayer::new(Signer::for_requests(key)?).layer(client);
/// # let _ = client;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SignLayer {
    signer: Signer,
    counterparties: Option<Arc<Counterparties>>,
    max_body: usize,
}

/// The service of [`SignLayer`].
#[derive(Debug, Clone)]
pub struct SignService<S> {
    inner: S,
    layer: SignLayer,
}

impl SignLayer {
    /// Signs every request with this signer.
    pub fn new(signer: Signer) -> Self {
        Self { signer, counterparties: None, max_body: MAX_BODY_BYTES }
    }

    /// Signs for each counterparty as it wants it. Fetching what they advertise needs tokio's timer.
    #[must_use]
    pub fn counterparties(mut self, counterparties: impl Into<Arc<Counterparties>>) -> Self {
        self.counterparties = Some(counterparties.into());
        self
    }

    /// How many bytes a body may have, in place of 4 MiB.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// The signed request.
    async fn sign<B>(&self, request: Request<B>) -> Result<Request<Full<Bytes>>, SignedCallError>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (mut parts, body) = request.into_parts();
        let (Some(scheme), Some(authority)) = (parts.uri.scheme_str(), parts.uri.authority())
        else {
            return Err(SignedCallError::NotAbsolute);
        };
        let origin: Origin =
            format!("{scheme}://{authority}").parse().map_err(SignedCallError::Origin)?;
        let body = Limited::new(body, self.max_body).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                SignedCallError::BodyTooLarge { limit: self.max_body }
            } else {
                SignedCallError::Body(error.to_string())
            }
        })?;
        let body = body.to_bytes();
        let message = origin.request(&parts, &body).map_err(SignedCallError::Origin)?;
        let counterparties = self.counterparties.as_deref();
        let signer = signer_for(counterparties, &self.signer, &message.as_request()).await?;
        if let Some(signer) = signer {
            signer.sign_http(&mut parts, &body, &origin).await?;
        }
        Ok(Request::from_parts(parts, Full::new(body)))
    }
}

impl<S> Layer<S> for SignLayer {
    type Service = SignService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SignService { inner, layer: self.clone() }
    }
}

impl<S, B, R> Service<Request<B>> for SignService<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<R>;
    /// A [`SignedCallError`], or the client's own error.
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let layer = self.layer.clone();
        // The service that was polled ready is the one to call; a clone need not be.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let url = request.uri().to_string();
            let request = within_span(&url, layer.sign(request)).await?;
            let response = inner.call(request).await.map_err(Into::into)?;
            // A 503 is left to whoever retries.
            if response.status() == StatusCode::UNAUTHORIZED
                && let Some(refusal) = Refusal::of(response.status(), response.headers())
            {
                return Err(SignedCallError::from(refusal).into());
            }
            Ok(response)
        })
    }
}
