//! The request that all servers get, with fresh nonces.

use std::sync::Arc;

use adcp_signing_core::{
    Algorithm, InMemoryProvider, KeyPurpose, Nonces as _, RandomNonces, SigningProvider as _,
    UnixSeconds,
    rfc9421::{digest::content_digest, structured_fields::Alphabet},
};
use base64ct::{Base64, Encoding as _};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::BenchError;

/// Where the servers are said to be. What they are sent names this host, so that the same bytes
/// verify at each of them.
pub(crate) const ORIGIN: &str = "http://seller.example.com";
pub(crate) const HOST: &str = "seller.example.com";
pub(crate) const PATH: &str = "/adcp/create_media_buy";
pub(crate) const OPERATION: &str = "create_media_buy";

/// A key pair.
pub(crate) struct Key(Arc<InMemoryProvider>);

/// A request as it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    pub(crate) fields: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

impl Key {
    pub(crate) fn generate(algorithm: Algorithm) -> Result<Self, BenchError> {
        let provider = InMemoryProvider::generate(algorithm, KeyPurpose::RequestSigning)?;
        Ok(Self(Arc::new(provider.with_key_id(algorithm.rfc9421_name()))))
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.0.identity().algorithm()
    }
}

/// The public halves, as JSON text in one line.
pub(crate) fn jwks(keys: &[Key]) -> String {
    let keys: Vec<Value> = keys.iter().map(|Key(provider)| json!(provider.jwk())).collect();
    json!({ "keys": keys }).to_string()
}

/// An order of about as many packages as fill `length` bytes, and a note that fills the rest.
pub(crate) fn body(length: usize) -> Bytes {
    let package = |nth: usize| {
        json!({
            "product_id": format!("prod_premium_video_{nth}"),
            "pricing_option_id": "cpm_eur_fixed",
            "budget": 25_000,
            "pacing": "even",
            "targeting_overlay": {
                "geo_countries": ["NL"],
                "frequency_cap": { "max_impressions": 3, "per": "day" },
            },
            "creative_assignments": [{ "creative_id": format!("cr_nova_{nth}"), "weight": 60 }],
        })
    };
    let order = |packages: usize, note: usize| {
        let order = json!({
            "idempotency_key": "7f2a9c34-5b1e-4d0a-9a3e-6c1f0b8d2e57",
            "account": {
                "brand": { "domain": "nova-athletics.example" },
                "operator": "pinnacle-media.example",
            },
            "name": "Nova spring launch",
            "start_time": "2027-03-01T00:00:00Z",
            "end_time": "2027-03-31T23:59:59Z",
            "packages": (0..packages).map(package).collect::<Vec<_>>(),
            "context": { "note": "x".repeat(note) },
        });
        order.to_string()
    };
    let one = order(2, 0).len() - order(1, 0).len();
    let mut packages = length / one + 1;
    while packages > 0 && order(packages, 0).len() > length {
        packages -= 1;
    }
    let rest = length.saturating_sub(order(packages, 0).len());
    order(packages, rest).into()
}

/// What is signed, in this order.
const COVERED: &str = r#"("@method" "@target-uri" "@authority" "content-type" "content-digest")"#;
const CONTENT_TYPE: &str = "application/json";

/// The signature base of the request, for this `Content-Digest` and this `@signature-params`.
pub(crate) fn signature_base(digest: &str, params: &str) -> String {
    format!(
        "\"@method\": POST\n\"@target-uri\": {ORIGIN}{PATH}\n\"@authority\": {HOST}\n\
         \"content-type\": {CONTENT_TYPE}\n\"content-digest\": {digest}\n\
         \"@signature-params\": {params}"
    )
}

/// So many requests, each with its own nonce.
pub(crate) fn sign(
    key: &Key,
    now: UnixSeconds,
    body: &Bytes,
    count: usize,
) -> Result<Vec<Signed>, BenchError> {
    let Key(provider) = key;
    let digest = content_digest(body, Alphabet::Standard);
    let (created, expires) = (now.as_i64(), now.plus(300).as_i64());
    let alg = key.algorithm().rfc9421_name();
    let one = || {
        let nonce = RandomNonces.next()?;
        // `httpsig` writes the parameters anew before it verifies, always in this order, so it
        // verifies only what was signed so.
        let params = format!(
            "{COVERED};created={created};expires={expires};nonce=\"{}\";alg=\"{alg}\";\
             keyid=\"{alg}\";tag=\"adcp/request-signing/v1\"",
            nonce.as_str()
        );
        let base = signature_base(&digest, &params);
        let signed = futures_executor::block_on(provider.sign(base.as_bytes()))?;
        let signature = Base64::encode_string(signed.signature.as_bytes());
        Ok(Signed {
            fields: vec![
                ("host", HOST.to_owned()),
                ("user-agent", "buyer-agent/4.2".to_owned()),
                ("accept", "application/json".to_owned()),
                ("content-type", CONTENT_TYPE.to_owned()),
                ("content-length", body.len().to_string()),
                ("content-digest", digest.clone()),
                ("signature-input", format!("sig1={params}")),
                ("signature", format!("sig1=:{signature}:")),
            ],
            body: body.clone(),
        })
    };
    (0..count).map(|_| one()).collect()
}

impl Signed {
    /// The head as HTTP/1.1 has it.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut head = format!("POST {PATH} HTTP/1.1\r\n");
        for (name, value) in &self.fields {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// The request as a server library has it.
    pub(crate) fn request<B: From<Bytes>>(&self) -> Result<http::Request<B>, BenchError> {
        let mut request = http::Request::post(PATH);
        for (name, value) in &self.fields {
            request = request.header(*name, value);
        }
        Ok(request.body(self.body.clone().into())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_the_length_asked_for_and_are_json() {
        for length in [1 << 10, 64 << 10] {
            let body = body(length);
            assert_eq!(body.len(), length);
            assert!(serde_json::from_slice::<Value>(&body).is_ok());
        }
    }
}
