//! Signing with reqwest, as a middleware of `reqwest-middleware`.

use std::sync::Arc;

use adcp_signing_core::{FieldLine, Request as Message, SignError, SignedFields, Signer};
use http::{Extensions, HeaderName, HeaderValue, StatusCode};
use reqwest::{Client, ClientBuilder, Request, Response, redirect, retry};
use reqwest_middleware::{ClientWithMiddleware, Error, Middleware, Next, Result};

use super::{
    Counterparties, Refusal, SignedCallError,
    counterparties::{signer_for, within_span},
};

/// A client that signs every request, and cannot undo a signature: it follows no redirects and sends
/// no request twice. Put a retry around it, so that each attempt is signed anew.
///
/// It takes a [`Signer`], or a [`SignMiddleware`] that tells counterparties apart.
///
/// ```
/// use adcp_signing_core::{Algorithm, InMemoryProvider, KeyPurpose, Signer};
///
/// # async fn buy() -> Result<(), Box<dyn std::error::Error>> {
/// let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning)?;
/// let client = adcp_signing_http::reqwest::client(Signer::for_requests(key)?)?;
/// let response = client
///     .post("https://seller.example.com/adcp/create_media_buy")
///     .header("content-type", "application/json")
///     .body(r#"{"budget":1000}"#)
///     .send()
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`reqwest::Error`] where the client cannot be built: the TLS library does not start.
pub fn client(
    signer: impl Into<SignMiddleware>,
) -> std::result::Result<ClientWithMiddleware, reqwest::Error> {
    client_from(Client::builder(), signer)
}

/// [`client`], with timeouts, proxies and certificates of your own. Redirects and retries that were
/// set on the builder are switched off.
///
/// # Errors
/// As [`client`].
pub fn client_from(
    builder: ClientBuilder,
    signer: impl Into<SignMiddleware>,
) -> std::result::Result<ClientWithMiddleware, reqwest::Error> {
    let client = plain(builder)?;
    Ok(reqwest_middleware::ClientBuilder::new(client).with(signer.into()).build())
}

/// A client that cannot undo a signature.
pub(crate) fn plain(builder: ClientBuilder) -> std::result::Result<Client, reqwest::Error> {
    builder.redirect(redirect::Policy::none()).retry(retry::never()).build()
}

/// Signs each request that passes. Attach it last, below retries, so that each attempt has a nonce
/// and a time of its own.
///
/// The client below should be one without redirects and retries, as [`client`] makes it. One that
/// follows a redirect is found out afterwards: [`SignedCallError::Redirected`]. One that repeats
/// requests by itself is refused by the counterparty as a replay.
///
/// Set `Content-Type` on the request. One among the client's default fields is added after the
/// signature was made, so it is not covered, and a request with a body is refused without it.
#[derive(Debug, Clone)]
pub struct SignMiddleware {
    signer: Signer,
    counterparties: Option<Arc<Counterparties>>,
}

/// Sends this one request unsigned: `request.with_extension(Unsigned)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsigned;

impl SignMiddleware {
    /// Signs every request with this signer.
    pub fn new(signer: Signer) -> Self {
        Self { signer, counterparties: None }
    }

    /// Signs for each counterparty as it wants it.
    #[must_use]
    pub fn counterparties(mut self, counterparties: impl Into<Arc<Counterparties>>) -> Self {
        self.counterparties = Some(counterparties.into());
        self
    }
}

impl From<Signer> for SignMiddleware {
    fn from(signer: Signer) -> Self {
        Self::new(signer)
    }
}

#[async_trait::async_trait]
impl Middleware for SignMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        if extensions.get::<Unsigned>().is_some() {
            return next.run(request, extensions).await;
        }
        let url = request.url().as_str();
        match within_span(url, self.sign(&request)).await.map_err(Error::middleware)? {
            Some(signed) => commit(&mut request, &signed).map_err(Error::middleware)?,
            None => return next.run(request, extensions).await,
        }
        let mut url = request.url().clone();
        url.set_fragment(None);
        let response = next.run(request, extensions).await?;
        check(&url, &response).map_err(Error::middleware)?;
        Ok(response)
    }
}

/// What this crate says about a failed call, where it is not the network's failure.
///
/// ```
/// use adcp_signing_http::{SignedCallError, reqwest::signed_call_error};
///
/// fn must_stop(error: &reqwest_middleware::Error) -> bool {
///     matches!(signed_call_error(error), Some(SignedCallError::Refused(_)))
/// }
/// ```
pub fn signed_call_error(error: &Error) -> Option<&SignedCallError> {
    match error {
        Error::Middleware(error) => error.downcast_ref(),
        Error::Reqwest(_) => None,
    }
}

impl SignMiddleware {
    /// The fields to set, or `None` where nobody asks for a signature.
    async fn sign(
        &self,
        request: &Request,
    ) -> std::result::Result<Option<SignedFields>, SignedCallError> {
        let body = match request.body() {
            None => &[][..],
            Some(body) => body.as_bytes().ok_or(SignedCallError::StreamingBody)?,
        };
        let fields: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| FieldLine { name: name.as_str(), value: value.as_bytes() })
            .collect();
        let message =
            Message::new(request.method().as_str(), request.url().as_str(), &fields, body);
        let signer = signer_for(self.counterparties.as_deref(), &self.signer, &message).await?;
        match signer {
            Some(signer) => Ok(Some(signer.sign(&message).await?)),
            None => Ok(None),
        }
    }
}

/// Sets the fields, all of them or none.
fn commit(
    request: &mut Request,
    signed: &SignedFields,
) -> std::result::Result<(), SignedCallError> {
    let mut headers = request.headers().clone();
    for (name, value) in signed.iter() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| SignError::TooManyFields)?;
        let value = HeaderValue::from_str(value).map_err(SignError::from)?;
        headers.try_insert(name, value).map_err(|_| SignError::TooManyFields)?;
    }
    *request.headers_mut() = headers;
    Ok(())
}

fn check(url: &reqwest::Url, response: &Response) -> std::result::Result<(), SignedCallError> {
    let mut answered = response.url().clone();
    answered.set_fragment(None);
    if answered != *url {
        return Err(SignedCallError::Redirected);
    }
    // A 503 is left to whoever retries.
    if response.status() == StatusCode::UNAUTHORIZED
        && let Some(refusal) = Refusal::of(response.status(), response.headers())
    {
        return Err(refusal.into());
    }
    Ok(())
}
