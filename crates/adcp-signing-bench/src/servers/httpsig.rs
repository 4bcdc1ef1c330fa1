//! The handler that verifies by `httpsig-hyper`: signature and digest, nothing of AdCP.

use std::sync::Arc;

use adcp_signing_core::{Algorithm, JwkSet, PublicKey};
use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{StatusCode, Uri},
    routing::{MethodRouter, post},
};
use http_body_util::Full;
use httpsig_hyper::{
    MessageSignatureReq as _, RequestContentDigest as _,
    prelude::{AlgorithmName, PublicKey as PeerKey},
};

use crate::{
    BenchError,
    message::{ORIGIN, PATH},
};

/// More than any request here has.
const MOST_BYTES: usize = 1 << 20;

pub(super) fn route(jwks: &JwkSet) -> Result<MethodRouter, BenchError> {
    let mut keys = Vec::new();
    for jwk in jwks.keys() {
        let kid = jwk.kid().ok_or("a key without `kid`")?;
        keys.push((format!("keyid=\"{kid}\""), peer_key(&jwk.public_key()?)?));
    }
    let keys = Arc::new(keys);
    Ok(post(move |request: Request| {
        let keys = Arc::clone(&keys);
        async move { check(&keys, request).await.ok_or(StatusCode::UNAUTHORIZED) }
    }))
}

fn peer_key(key: &PublicKey) -> Result<PeerKey, BenchError> {
    let algorithm = match key.algorithm() {
        Algorithm::Ed25519 => AlgorithmName::Ed25519,
        _ => AlgorithmName::EcdsaP256Sha256,
    };
    Ok(PeerKey::from_pem(&algorithm, &key.to_spki_pem())?)
}

async fn check(keys: &[(String, PeerKey)], request: Request) -> Option<String> {
    let (head, body) = request.into_parts();
    // It takes no body that cannot be shared.
    let body = Full::new(to_bytes(body, MOST_BYTES).await.ok()?);
    let mut request = axum::http::Request::from_parts(head, body);
    // It reads scheme and authority from the URI, which a request of HTTP/1.1 does not have.
    *request.uri_mut() = format!("{ORIGIN}{PATH}").parse::<Uri>().ok()?;
    let input = request.headers().get("signature-input")?.to_str().ok()?;
    let (_, key) = keys.iter().find(|(keyid, _)| input.contains(keyid.as_str()))?;
    request.verify_message_signature(key, None).await.ok()?;
    let verified = request.verify_content_digest().await.ok()?;
    let body = to_bytes(Body::new(verified.into_body()), MOST_BYTES).await.ok()?;
    Some(body.len().to_string())
}
