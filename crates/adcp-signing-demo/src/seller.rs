//! The seller: takes orders that are signed, and reports back by webhooks that it signs.

use std::sync::Arc;

use adcp_signing::{
    Answer as Later, InMemoryRevocation, JwkSet, KeyResolver, ReplayStore,
    RequestSigningCapability, Signer, StaticKeys, VerificationKey, VerifiedSigner, Verifier,
    WireVersion,
    operation::{DigestPolicy, List},
    provider::SignerKey,
    resolver::{KeyQuery, ResolveError},
};
use adcp_signing_http::{
    BaseUrl, Verified, Verify,
    webhook::{
        AttemptFailure, DeliveryEvent, InMemoryDeliveries, Outcome, Payload, WebhookSender,
        WebhookTarget,
    },
};
use anyhow::{Context as _, Result, bail};
use axum::{Json, Router, http::StatusCode, routing::post};
use parking_lot::{Mutex, RwLock};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{buyer, wire::Answer};

/// Who the seller is.
pub(crate) const AGENT: &str = "https://seller.example";
/// Where orders go.
pub(crate) const ORDERS: &str = "/adcp/create_media_buy";
const OPERATION: &str = "create_media_buy";

/// The buyer's keys as the seller knows them: the JWKS that the buyer publishes, fetched anew when
/// it changes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Published(Arc<RwLock<StaticKeys>>);

impl Published {
    /// Takes over what is published now.
    pub(crate) fn fetch(&self, jwks: &Value) -> Result<()> {
        *self.0.write() = keys_of(buyer::AGENT, jwks)?;
        Ok(())
    }
}

/// The keys of a JWKS.
pub(crate) fn keys_of(agent: &str, jwks: &Value) -> Result<StaticKeys> {
    Ok(StaticKeys::from_jwks_of(agent, &JwkSet::parse(jwks.to_string().as_bytes())?)?)
}

impl KeyResolver for Published {
    fn resolve<'a>(
        &'a self,
        query: KeyQuery<'a>,
    ) -> Later<'a, Option<Arc<VerificationKey>>, ResolveError> {
        Later::later(async move {
            let keys = self.0.read().clone();
            keys.resolve(query).await
        })
    }
}

/// The orders that reached the handler: who signed, and where the buyer wants its webhooks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Orders(Arc<Mutex<Vec<(VerifiedSigner, String)>>>);

impl Orders {
    pub(crate) fn count(&self) -> usize {
        self.0.lock().len()
    }

    /// The last one.
    pub(crate) fn last(&self) -> Result<(VerifiedSigner, String)> {
        self.0.lock().last().cloned().context("no order has reached the handler")
    }
}

/// The seller's server: `POST /adcp/create_media_buy`, for requests that these keys signed.
pub(crate) fn shop(
    url: &str,
    keys: Published,
    replay: Arc<dyn ReplayStore>,
    orders: Orders,
) -> Result<Router> {
    let capability = RequestSigningCapability::supported_with(DigestPolicy::Required)
        .with_operations(List::Required, [OPERATION])?;
    let verifier = Verifier::for_requests(WireVersion::V3_2, capability)
        .keys(keys)
        .revocation(InMemoryRevocation::default())
        .replay(replay)
        .build();
    let verify = Verify::new(verifier, url.parse::<BaseUrl>()?);
    let create_media_buy = async move |Verified(buyer, Json(order)): Verified<Json<Value>>| {
        let hook = order.pointer("/push_notification_config/url").and_then(Value::as_str);
        orders.0.lock().push((buyer, hook.unwrap_or_default().to_owned()));
    };
    let buy = post(create_media_buy).layer(verify.operation(OPERATION));
    Ok(Router::new().route(ORDERS, buy))
}

/// Sends webhooks about one order.
pub(crate) struct Reporter {
    sender: WebhookSender,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
    target: WebhookTarget,
}

impl Reporter {
    /// Signs with this key, and sends to the URL of an order.
    pub(crate) fn new(key: impl Into<SignerKey>, hook: &str) -> Result<Self> {
        let (tell, outcomes) = mpsc::unbounded_channel();
        let sender = WebhookSender::builder(Signer::for_webhooks(key)?)
            .store(InMemoryDeliveries::default())
            .observer(move |event: DeliveryEvent| {
                let _ = tell.send(event.outcome);
            })
            .build()?;
        let worker = sender.clone();
        tokio::spawn(async move { worker.run().await });
        // In production `hook.parse()`, which takes public https addresses alone.
        let target = WebhookTarget::loopback_for_development(hook)?;
        Ok(Self { sender, outcomes, target })
    }

    /// Puts an event on its way, and waits for what becomes of it.
    pub(crate) async fn report(&mut self, idempotency_key: &str) -> Result<Answer> {
        self.sender.enqueue(&self.target, event(idempotency_key)?).await?;
        let outcome = self.outcomes.recv().await.context("the sender has ended")?;
        answer(outcome)
    }
}

fn event(idempotency_key: &str) -> Result<Payload> {
    let event = json!({
        "idempotency_key": idempotency_key,
        "task_id": "task-7",
        "status": "completed",
        "result": { "spend": 1000 },
    });
    Ok(Payload::from_json(&event)?)
}

fn answer(outcome: Outcome) -> Result<Answer> {
    match outcome {
        Outcome::Delivered => Ok(Answer::new(StatusCode::OK, None)),
        Outcome::Refused { failure: AttemptFailure::Refused(refusal) } => {
            Ok(Answer::new(refusal.status(), Some(&refusal)))
        }
        Outcome::Refused { failure }
        | Outcome::Retrying { failure, .. }
        | Outcome::GaveUp { failure } => Err(failure).context("the webhook was not delivered"),
        other => bail!("the webhook was not delivered: {other:?}"),
    }
}
