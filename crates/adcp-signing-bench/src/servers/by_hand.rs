//! The raw verification: the signature and the digest of a request whose shape is taken for
//! granted, and nothing else.
//!
//! It takes the text of `sig1` as it is, writes the signature base over the five components that
//! the signer is known to cover, decodes 64 bytes of Base64, checks the signature, and compares the
//! digest of the body as text. It parses no structured field, and checks no parameter, window, URL,
//! key purpose, revocation, nonce or JSON. No server could do less.

use std::{collections::HashMap, sync::Arc};

use adcp_signing_core::{
    JwkSet, PublicKey,
    rfc9421::{digest::content_digest, structured_fields::Alphabet},
};
use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    routing::{MethodRouter, post},
};
use base64ct::{Base64, Encoding as _};

use crate::{BenchError, message::signature_base};

/// The public keys by `keyid`.
pub(crate) struct Keys(HashMap<String, PublicKey>);

impl Keys {
    pub(crate) fn of(jwks: &JwkSet) -> Result<Self, BenchError> {
        let mut keys = HashMap::new();
        for jwk in jwks.keys() {
            let kid = jwk.kid().ok_or("a key without `kid`")?;
            keys.insert(kid.to_owned(), jwk.public_key()?);
        }
        Ok(Self(keys))
    }

    /// The raw verification.
    pub(crate) fn check(&self, headers: &HeaderMap, body: &[u8]) -> Option<()> {
        let field = |name| headers.get(name)?.to_str().ok();
        let params = field("signature-input")?.strip_prefix("sig1=")?;
        let digest = field("content-digest")?;
        let signature = field("signature")?.strip_prefix("sig1=:")?.strip_suffix(':')?;
        let (_, keyid) = params.split_once("keyid=\"")?;
        let key = self.0.get(keyid.split_once('"')?.0)?;
        let base = signature_base(digest, params);
        let mut bytes = [0; 64];
        Base64::decode(signature, &mut bytes).ok().filter(|decoded| decoded.len() == 64)?;
        key.verify_bytes(base.as_bytes(), &bytes).ok()?;
        (content_digest(body, Alphabet::Standard) == digest).then_some(())
    }
}

pub(super) fn route(jwks: &JwkSet) -> Result<MethodRouter, BenchError> {
    let keys = Arc::new(Keys::of(jwks)?);
    Ok(post(|headers: HeaderMap, body: Bytes| async move {
        match keys.check(&headers, &body) {
            Some(()) => Ok(body.len().to_string()),
            None => Err(StatusCode::UNAUTHORIZED),
        }
    }))
}
