//! A seller that reports the end of a task to the URL that a buyer has registered.
//!
//! ```text
//! cargo run --example webhook_sender --features webhooks -- \
//!     http://127.0.0.1:8080/hooks/7 seller.jwk.json
//! ```
//!
//! The key is a file here, so that the example needs no key service. In production it is
//! `adcp_signing::provider_from_uri("awskms:///…")?`, the store is a database or
//! `adcp_signing_sqlite::SqliteDeliveries`, and the target is parsed from the registration.

use adcp_signing_core::{InMemoryProvider, Signer};
use adcp_signing_http::webhook::{
    IdempotencyKey, InMemoryDeliveries, Outcome, Payload, WebhookSender, WebhookTarget,
};
use serde_json::json;
use tokio::sync::mpsc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("give the URL of the receiver")?;
    let target = WebhookTarget::loopback_for_development(&url)?;
    let key = std::fs::read(arguments.next().ok_or("give the file of the seller's key")?)?;
    let signer = Signer::for_webhooks(InMemoryProvider::from_jwk_json(&key)?)?;

    let (events_in, mut events) = mpsc::unbounded_channel();
    let sender = WebhookSender::builder(signer)
        .store(InMemoryDeliveries::default())
        .observer(move |event| drop(events_in.send(event)))
        .build()?;
    let worker = sender.clone();
    tokio::spawn(async move { worker.run().await }); // once in each process that shall send

    let key = IdempotencyKey::random()?; // once for each event
    let event = json!({ "idempotency_key": key, "task_id": "task-7", "status": "completed" });
    sender.enqueue(&target, Payload::from_json(&event)?).await?;

    while let Some(event) = events.recv().await {
        match event.outcome {
            Outcome::Delivered => {
                println!("{} has it", event.recipient);
                break;
            }
            Outcome::Retrying { failure, wait } => println!("{failure}; again in {wait:?}"),
            Outcome::Refused { failure } | Outcome::GaveUp { failure } => {
                return Err(failure.into());
            }
            _ => {}
        }
    }
    Ok(())
}
