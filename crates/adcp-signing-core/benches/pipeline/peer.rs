//! `httpsig`, with the same key and the same components.

use httpsig::prelude::{
    AlgorithmName, HttpSignatureBase, HttpSignatureHeaders, HttpSignatureParams, PublicKey,
    SecretKey,
    message_component::{HttpMessageComponent, HttpMessageComponentId},
};

use crate::{keys::KEYID, message::URL};

pub(crate) struct Peer {
    secret: SecretKey,
    public: PublicKey,
    algorithm: AlgorithmName,
}

impl Peer {
    pub(crate) fn new(algorithm: AlgorithmName, seed: &[u8]) -> Self {
        let secret = SecretKey::from_bytes(&algorithm, seed).expect("a sound key");
        let public = secret.public_key();
        Self { secret, public, algorithm }
    }

    pub(crate) fn sign(&self, ids: &[HttpMessageComponentId], digest: &str) -> [String; 2] {
        let mut params = HttpSignatureParams::try_new(ids).expect("distinct components");
        params.set_random_nonce().set_expires_with_duration(Some(300));
        params.set_keyid(KEYID).set_alg(&self.algorithm).set_tag("adcp/request-signing/v1");
        let base = HttpSignatureBase::try_new(&components(ids, digest), &params).expect("a base");
        let headers =
            base.build_signature_headers(&self.secret, Some("sig1")).expect("a signature");
        [headers.signature_input_header_value(), headers.signature_header_value()]
    }

    pub(crate) fn verify(&self, [input, signature]: &[String; 2], digest: &str) {
        let labels = HttpSignatureHeaders::try_parse(signature, input).expect("both fields parse");
        let headers = labels.get("sig1").expect("the label");
        let params = headers.signature_params();
        let components = components(&params.covered_components, digest);
        let base = HttpSignatureBase::try_new(&components, params).expect("a base");
        base.verify_signature_headers(&self.public, headers).expect("the request verifies");
    }
}

/// The components that are covered.
pub(crate) fn covered() -> [HttpMessageComponentId; 5] {
    ["@method", "@target-uri", "@authority", "content-type", "content-digest"]
        .map(|name| HttpMessageComponentId::try_from(name).expect("a component"))
}

/// The request's component values, as `httpsig` takes them.
fn components(ids: &[HttpMessageComponentId], digest: &str) -> Vec<HttpMessageComponent> {
    let values = ["POST", URL, "seller.example.com", "application/json", digest];
    let component = |(id, value): (&HttpMessageComponentId, &str)| {
        HttpMessageComponent::try_from((id, [value.to_owned()].as_slice())).expect("a component")
    };
    ids.iter().zip(values).map(component).collect()
}
