//! Whether receivers can verify what a sender signs: the check of its JWKS before it goes live.

use adcp_signing_core::{
    FieldLine, InMemoryReplayStore, InMemoryRevocation, JwkSet, KeyPurpose, Rejection, Request,
    RequestSigningCapability, SignError, StaticKeys, Verifier, profile::JwksRegistrationError,
    verify::Context,
};

use super::WebhookSender;

/// A URL that nobody has (RFC 2606): nothing is sent.
const NOWHERE: &str = "https://webhook.invalid/";
/// What to do where one key signs everything.
const SECOND_KEY: &str = "one request-signing key signs requests and webhooks; publish a second \
                          request-signing key for webhooks alone, under its own kid: a key that \
                          leaks then costs one of the two";

/// The published key that a sender signs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedKey {
    kid: String,
    advice: Option<&'static str>,
}

/// Why receivers would refuse what a sender signs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishedKeyError {
    /// The JWKS has defects, or no key for webhooks.
    #[error(transparent)]
    Jwks(#[from] JwksRegistrationError),
    /// The key did not sign.
    #[error("the key did not sign: {0}")]
    Sign(#[from] SignError),
    /// The JWKS does not have the key, or has another one under its `kid`.
    #[error(
        "receivers would refuse webhooks with {}: publish the public key of the signer under the \
         `kid` that it signs with{}",
        .0.reason(),
        named(.0)
    )]
    Refused(Rejection),
}

impl PublishedKey {
    /// The `kid`.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What could be better.
    pub fn advice(&self) -> Option<&'static str> {
        self.advice
    }
}

impl WebhookSender {
    /// Whether receivers that read this JWKS can verify what this sender signs: each key of it is
    /// sound, and a signature that the sender makes now verifies. Call it at the start, with the
    /// JWKS as it is published, and for each tenant's key before that goes live.
    ///
    /// # Errors
    /// [`PublishedKeyError`], which names the key and the cure.
    pub async fn check_published(&self, jwks: &JwkSet) -> Result<PublishedKey, PublishedKeyError> {
        let profile = self.signer().profile();
        let registration = profile.check_jwks_registration(jwks)?;
        let content_type = [FieldLine::new("Content-Type", "application/json")];
        let body = b"{}";
        let request = Request::new("POST", NOWHERE, &content_type, body);
        let signed = self.signer().sign(&request).await?;
        let mut fields = content_type.to_vec();
        fields.extend(signed.iter().map(|(name, value)| FieldLine::new(name, value)));
        let capability = RequestSigningCapability::unsupported();
        let verifier = Verifier::builder(profile.clone(), capability)
            .keys(StaticKeys::from_jwks(jwks))
            .revocation(InMemoryRevocation::default())
            .replay(InMemoryReplayStore::default())
            .build();
        let request = Request::new("POST", NOWHERE, &fields, body);
        let verified = verifier.verify(&request, &Context::webhook()).await;
        let signer =
            verified.and_then(|verified| verified.signer()).map_err(PublishedKeyError::Refused)?;
        let keys = registration.keys();
        let used = keys.iter().find(|key| key.kid() == signer.keyid());
        let for_requests = keys.iter().filter(|key| *key.purpose() == KeyPurpose::RequestSigning);
        let is_only_one =
            *signer.purpose() == KeyPurpose::RequestSigning && for_requests.count() < 2;
        let advice =
            used.and_then(|key| key.advice()).or_else(|| is_only_one.then_some(SECOND_KEY));
        Ok(PublishedKey { kid: signer.keyid().to_owned(), advice })
    }
}

fn named(rejection: &Rejection) -> String {
    rejection.claimed_keyid().map(|kid| format!(", {kid:?}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use adcp_signing_core::{Algorithm, InMemoryProvider, Signer};
    use serde_json::{Value, json};

    use super::*;
    use crate::webhook::InMemoryDeliveries;

    fn key(kid: &str, purpose: KeyPurpose) -> Arc<InMemoryProvider> {
        let key = InMemoryProvider::generate(Algorithm::Ed25519, purpose).unwrap();
        Arc::new(key.with_key_id(kid))
    }

    fn jwks(keys: &[&Arc<InMemoryProvider>], change: impl FnOnce(&mut Value)) -> JwkSet {
        let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
        let mut jwks = json!({ "keys": keys });
        change(&mut jwks);
        JwkSet::parse(jwks.to_string().as_bytes()).unwrap()
    }

    async fn check(
        key: &Arc<InMemoryProvider>,
        jwks: &JwkSet,
    ) -> Result<PublishedKey, PublishedKeyError> {
        let signer = Signer::for_webhooks(Arc::clone(key)).unwrap();
        let store = InMemoryDeliveries::default();
        WebhookSender::builder(signer).store(store).build().unwrap().check_published(jwks).await
    }

    #[tokio::test]
    async fn a_published_key_passes_and_a_single_one_is_advised_a_second() {
        let (one, two) =
            (key("a", KeyPurpose::RequestSigning), key("b", KeyPurpose::RequestSigning));
        let found = check(&two, &jwks(&[&one, &two], |_| {})).await.unwrap();
        assert_eq!((found.kid(), found.advice()), ("b", None));
        let found = check(&one, &jwks(&[&one], |_| {})).await.unwrap();
        assert_eq!((found.kid(), found.advice()), ("a", Some(SECOND_KEY)));
        let old = key("old", KeyPurpose::WebhookSigning);
        let found = check(&old, &jwks(&[&old, &one], |_| {})).await.unwrap();
        assert!(found.advice().is_some_and(|advice| advice.contains("deprecated")), "{found:?}");
    }

    #[tokio::test]
    async fn a_key_that_is_not_published_or_another_under_its_kid_is_named() {
        let (one, two) =
            (key("a", KeyPurpose::RequestSigning), key("b", KeyPurpose::RequestSigning));
        let refused = async |jwks: &JwkSet| check(&two, jwks).await.unwrap_err().to_string();
        let absent = refused(&jwks(&[&one], |_| {})).await;
        assert!(absent.contains("webhook_signature_key_unknown"), "{absent}");
        assert!(absent.contains(r#""b""#), "{absent}");
        let renamed = jwks(&[&one], |jwks| jwks["keys"][0]["kid"] = json!("b"));
        let other = refused(&renamed).await;
        assert!(other.contains("webhook_signature_invalid"), "{other}");
        let defective = jwks(&[&two], |jwks| jwks["keys"][0]["use"] = json!("enc"));
        assert!(refused(&defective).await.contains("`use` is not \"sig\""));
        let tmp = key("c", KeyPurpose::ResponseSigning);
        assert!(refused(&jwks(&[&tmp], |_| {})).await.contains("no key for it"));
    }
}
