//! The fields that authenticate a webhook, one function for each mode.

use adcp_signing_core::{
    FieldLine, Request, SignError, Signer, UnixSeconds,
    webhook::{BearerToken, HmacHeaders, LegacyHmac},
};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, CONTENT_TYPE},
};

use crate::webhook::{AttemptFailure, WebhookTarget};

const JSON: &str = "application/json";
const SIGNATURE: HeaderName = HeaderName::from_static("x-adcp-signature");
const TIMESTAMP: HeaderName = HeaderName::from_static("x-adcp-timestamp");

/// Signs by RFC 9421.
pub(super) async fn sign(
    signer: &Signer,
    target: &WebhookTarget,
    body: &[u8],
) -> Result<HeaderMap, AttemptFailure> {
    let content_type = [FieldLine::new("Content-Type", JSON)];
    let request = Request::new("POST", target.as_str(), &content_type, body);
    let signed = signer.sign(&request).await.map_err(AttemptFailure::Sign)?;
    let mut fields = json();
    for (name, value) in signed.iter() {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| AttemptFailure::Sign(SignError::TooManyFields))?;
        fields.insert(name, field_value(value)?);
    }
    Ok(fields)
}

/// Authenticates by the legacy HMAC.
pub(super) fn hmac(
    scheme: &LegacyHmac,
    body: &[u8],
    now: UnixSeconds,
) -> Result<HeaderMap, AttemptFailure> {
    let HmacHeaders { signature, timestamp, .. } =
        scheme.sign(body, now).map_err(AttemptFailure::Hmac)?;
    let mut fields = json();
    fields.insert(SIGNATURE, field_value(&signature)?);
    fields.insert(TIMESTAMP, field_value(&timestamp)?);
    Ok(fields)
}

/// Shows the bearer token, in a field that no client logs or compresses.
pub(super) fn bearer(token: &BearerToken) -> Result<HeaderMap, AttemptFailure> {
    let mut authorization = field_value(&token.authorization())?;
    authorization.set_sensitive(true);
    let mut fields = json();
    fields.insert(AUTHORIZATION, authorization);
    Ok(fields)
}

fn json() -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(JSON))])
}

fn field_value(text: &str) -> Result<HeaderValue, AttemptFailure> {
    HeaderValue::from_str(text).map_err(|error| AttemptFailure::Sign(error.into()))
}
