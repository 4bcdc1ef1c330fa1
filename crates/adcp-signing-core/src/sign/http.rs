//! Signing `http::request::Parts` in place.

use ::http::{HeaderName, HeaderValue, request::Parts};

use super::{SignError, SignedFields, Signer};
use crate::http_message::Origin;

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
const SIGNATURE: HeaderName = HeaderName::from_static("signature");

impl Signer {
    /// Signs a request and sets the signature's fields on it, in place of any of the same name.
    ///
    /// `body` must be the bytes that are sent. `origin` is the scheme and authority that the
    /// receiver is known by; an absolute URI in `parts` must agree with it.
    ///
    /// ```
    /// use adcp_signing_core::{
    ///     Algorithm, InMemoryProvider, KeyPurpose, http_message::Origin, sign::Signer,
    /// };
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning)?;
    /// let signer = Signer::for_requests(key)?;
    /// let seller: Origin = "https://seller.example.com".parse()?;
    ///
    /// let request = http::Request::post("https://seller.example.com/adcp/create_media_buy")
    ///     .header("content-type", "application/json")
    ///     .body("{}")?;
    /// let (mut parts, body) = request.into_parts();
    /// signer.sign_http(&mut parts, body.as_bytes(), &seller).await?;
    /// assert!(parts.headers.contains_key("signature"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`SignError`]; the request is as it was.
    pub async fn sign_http(
        &self,
        parts: &mut Parts,
        body: &[u8],
        origin: &Origin,
    ) -> Result<(), SignError> {
        let signed = self.sign(&origin.request(parts, body)?.as_request()).await?;
        commit(parts, &signed)
    }
}

/// Sets the fields, all of them or none.
fn commit(parts: &mut Parts, signed: &SignedFields) -> Result<(), SignError> {
    let mut headers = parts.headers.clone();
    let values = [
        (CONTENT_DIGEST, signed.content_digest.as_deref()),
        (SIGNATURE_INPUT, Some(signed.signature_input.as_str())),
        (SIGNATURE, Some(signed.signature.as_str())),
    ];
    for (name, value) in values {
        if let Some(value) = value {
            let value = HeaderValue::from_str(value)?;
            headers.try_insert(name, value).map_err(|_| SignError::TooManyFields)?;
        }
    }
    parts.headers = headers;
    Ok(())
}
