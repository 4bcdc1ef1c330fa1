//! The buyer: orders by a client that signs, and receives the seller's webhooks.

use std::sync::Arc;

use adcp_signing::{
    InMemoryReplayStore, InMemoryRevocation, ReplayStore, Signer, StaticKeys, VerifiedSigner,
    Verifier, provider::SignerKey,
};
use adcp_signing_http::{
    BaseUrl, SignedCallError, Verify,
    reqwest::{client_from, signed_call_error},
    webhook::{InMemoryDedup, Webhook, WebhookReceiver, WebhookSource},
};
use anyhow::Result;
use axum::{Json, Router, routing::post};
use parking_lot::Mutex;
use reqwest_middleware::ClientWithMiddleware;
use serde_json::{Value, json};

use crate::wire::Answer;

/// Who the buyer is.
pub(crate) const AGENT: &str = "https://buyer.example";
/// Where its webhooks go.
pub(crate) const HOOK: &str = "/hooks/7";

/// Orders, by a client that signs with one key.
pub(crate) struct Buyer {
    client: ClientWithMiddleware,
    hook: String,
}

impl Buyer {
    /// A buyer that signs with this key, or with the keys of this rotation.
    pub(crate) fn new(key: impl Into<SignerKey>, hook: String) -> Result<Self> {
        let client =
            client_from(reqwest::Client::builder().no_proxy(), Signer::for_requests(key)?)?;
        Ok(Self { client, hook })
    }

    /// Sends an order, and gives what came back.
    ///
    /// # Errors
    /// When it was not sent, or not answered.
    pub(crate) async fn order(&self, url: &str) -> Result<Answer, reqwest_middleware::Error> {
        let order = json!({
            "idempotency_key": "7f2a9c34-5b1e-4d0a-9a3e-6c1f0b8d2e57",
            "budget": 1000,
            "push_notification_config": { "url": self.hook },
        });
        match self.client.post(url).json(&order).send().await {
            Ok(response) => Ok(Answer::new(response.status(), None)),
            Err(error) => match signed_call_error(&error) {
                Some(SignedCallError::Refused(refusal)) => {
                    Ok(Answer::new(refusal.status(), Some(refusal)))
                }
                _ => Err(error),
            },
        }
    }
}

/// The webhooks that reached the handler, by who sent them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Received(Arc<Mutex<Vec<VerifiedSigner>>>);

impl Received {
    pub(crate) fn all(&self) -> Vec<VerifiedSigner> {
        self.0.lock().clone()
    }
}

/// The buyer's server: `POST /hooks/7`, for webhooks that these keys signed.
pub(crate) fn hooks(
    url: &str,
    keys: StaticKeys,
    replay: Arc<dyn ReplayStore>,
    received: Received,
) -> Result<Router> {
    let verifier = Verifier::for_webhooks()
        .keys(keys)
        .revocation(InMemoryRevocation::default())
        .replay(replay)
        .build();
    let verify = Verify::new(verifier, url.parse::<BaseUrl>()?);
    let receiver = WebhookReceiver::rfc9421(&verify, InMemoryDedup::default());
    let on_event = async move |Webhook(origin, Json(_)): Webhook<Json<Value>>| {
        if let WebhookSource::Signed(signer) = origin.source() {
            received.0.lock().push(signer.clone());
        }
    };
    Ok(Router::new().route(HOOK, post(on_event).layer(receiver)))
}

/// The replay store of an endpoint in one process.
pub(crate) fn replay_store() -> Arc<dyn ReplayStore> {
    Arc::new(InMemoryReplayStore::default())
}
