//! What the demo plays: a buyer orders, rotates its key and is reported back to, and an attacker on
//! the network repeats and changes what they send.

use std::{path::PathBuf, sync::Arc};

use adcp_signing::{
    Algorithm, ReplayStore, SignError, SigningProvider, StaticKeys, SystemClock,
    provider::layers::{Rotating, Rotation, SigningProviderExt as _},
};
use adcp_signing_http::{SignedCallError, reqwest::signed_call_error};
use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::{
    buyer::{self, Buyer, HOOK, Received},
    key::{LastSignature, Watched},
    openbao::{Login, OpenBao},
    report::Report,
    seller::{self, ORDERS, Orders, Published, Reporter, keys_of},
    wire::{Message, Server},
};

const BUYER_KEY: &str = "buyer";
const SELLER_KEY: &str = "seller";
/// What a signature covers, of requests with a body from AdCP 3.2 on and of webhooks.
const COVERED: &str = "@method @target-uri @authority content-type content-digest";

/// What the demo needs.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The program `bao`.
    pub openbao: PathBuf,
    /// The replay store of the seller.
    pub seller_replay: Arc<dyn ReplayStore>,
    /// The replay store of the buyer's webhooks.
    pub buyer_replay: Arc<dyn ReplayStore>,
}

impl Stage {
    /// With stores in memory.
    pub fn new(openbao: PathBuf) -> Self {
        let [seller_replay, buyer_replay] = [buyer::replay_store(), buyer::replay_store()];
        Self { openbao, seller_replay, buyer_replay }
    }
}

/// Plays all of it, and ends OpenBao.
///
/// # Errors
/// When something could not be done at all. What was done and came out otherwise than it must is a
/// check of the report that has not passed.
pub async fn play(stage: &Stage, report: &mut Report) -> Result<()> {
    let bao = OpenBao::start(&stage.openbao).await?;
    let keys = make_keys(&bao, report).await?;
    let agents = Agents::start(stage, &bao, &keys).await?;
    agents.buyer_orders(report).await?;
    agents.buyer_rotates(&bao, &keys, report).await?;
    agents.seller_reports(&bao, &keys, report).await?;
    Ok(bao.stop()?)
}

/// The logins of both agents, each for its own key.
struct Keys {
    buyer: Login,
    seller: Login,
}

async fn make_keys(bao: &OpenBao, report: &mut Report) -> Result<Keys> {
    let heading = format!("Two private keys in OpenBao {}", bao.version().await?);
    report.chapter("keys", heading);
    let buyer = bao.make_key(BUYER_KEY, Algorithm::Ed25519).await?;
    let seller = bao.make_key(SELLER_KEY, Algorithm::EcdsaP256Sha256).await?;
    for (name, did, login, must) in [
        ("buyer-1", "made for the buyer", &buyer, "ed25519, key version 1"),
        ("seller-1", "made for the seller", &seller, "ecdsa-p256-sha256, key version 1"),
    ] {
        let public_key = bao.key(login, 1, &LastSignature::default()).await?.public_key().await?;
        let came = format!("{}, key version {}", public_key.algorithm(), login.version());
        report.check(name, did, must, came);
    }
    let statuses = [bao.export(&buyer).await?, bao.export(&seller).await?];
    let must = "refused, also to the root token";
    let came = match statuses {
        [400, 400] => must.to_owned(),
        [buyer, seller] => format!("answered {buyer} and {seller}"),
    };
    report.check("export", "of the private keys", must, came);
    let came = bao.sign_as(&buyer, &seller).await?;
    report.check("access", "the buyer's login, seller's key", "403", came);
    Ok(Keys { buyer, seller })
}

/// Both agents, the network between them, and what has reached their handlers.
struct Agents {
    buyer_first: Arc<Watched>,
    buyer_signed: LastSignature,
    seller_signed: LastSignature,
    published: Published,
    shop: Server,
    orders: Orders,
    hooks: Server,
    received: Received,
}

impl Agents {
    async fn start(stage: &Stage, bao: &OpenBao, keys: &Keys) -> Result<Self> {
        let (buyer_signed, seller_signed) = (LastSignature::default(), LastSignature::default());
        let buyer_first = Arc::new(bao.key(&keys.buyer, 1, &buyer_signed).await?);
        let published = Published::default();
        published.fetch(&jwks(&buyer_first).await?)?;
        let seller_key = bao.key(&keys.seller, 1, &seller_signed).await?;
        let seller_keys: StaticKeys = keys_of(seller::AGENT, &jwks(&seller_key).await?)?;
        let (orders, received) = (Orders::default(), Received::default());
        let shop = Server::start(|url| {
            seller::shop(url, published.clone(), stage.seller_replay.clone(), orders.clone())
        })
        .await?;
        let hooks = Server::start(|url| {
            buyer::hooks(url, seller_keys, stage.buyer_replay.clone(), received.clone())
        })
        .await?;
        Ok(Self {
            buyer_first,
            buyer_signed,
            seller_signed,
            published,
            shop,
            orders,
            hooks,
            received,
        })
    }

    async fn buyer_orders(&self, report: &mut Report) -> Result<()> {
        report.chapter("order", format!("The buyer orders: POST {ORDERS}"));
        let url = self.shop.url(ORDERS);
        let buyer = Buyer::new(Arc::clone(&self.buyer_first), self.hooks.url(HOOK))?;
        let answer = buyer.order(&url).await?;
        let order = self.shop.wire.last()?;
        signed(report, &order, &self.buyer_signed, "buyer-1, ed25519, key version 1");
        let (signer, _) = self.orders.last()?;
        let operation = signer.operation().unwrap_or_default();
        let agent = signer.agent_url().unwrap_or("nobody");
        let must = "200, create_media_buy of https://buyer.example/";
        let came = format!("{answer}, {operation} of {agent}");
        report.check("verified", "by the seller", must, came);

        let replay = self.shop.send(order.clone()).await?;
        let must = "401 request_signature_replayed";
        report.check("replay", "the same bytes again", must, replay);
        self.shop.wire.change_next();
        let must = "401 request_signature_digest_mismatch";
        let changed = buyer.order(&url).await?;
        report.check("changed", "one byte: budget 1000 became 9000", must, changed);
        let must = "401 request_signature_required";
        let unsigned = self.shop.send(order.unsigned()).await?;
        report.check("unsigned", "without the signature", must, unsigned);
        report.check("handler", "of the seller, called", "once", times(self.orders.count()));
        Ok(())
    }

    async fn buyer_rotates(&self, bao: &OpenBao, keys: &Keys, report: &mut Report) -> Result<()> {
        report.chapter("rotation", "The buyer rotates its key");
        bao.rotate(&keys.buyer).await?;
        let next = Arc::new(bao.key(&keys.buyer, 2, &self.buyer_signed).await?);
        let first = Arc::clone(&self.buyer_first);
        let rotation = Rotation::by_operator();
        let rotating = Arc::new(Rotating::new(first, next, rotation, SystemClock)?);
        let jwks = json!({ "keys": rotating.public_keys().await? });
        self.published.fetch(&jwks)?;
        let must = "buyer-1 and buyer-2";
        report.check("published", "before anything is signed anew", must, kids(&jwks));

        let url = self.shop.url(ORDERS);
        let buyer = Buyer::new(Arc::clone(&rotating), self.hooks.url(HOOK))?;
        rotating.promote();
        let answer = buyer.order(&url).await?;
        let order = self.shop.wire.last()?;
        signed(report, &order, &self.buyer_signed, "buyer-2, ed25519, key version 2");
        let came = format!("{answer}, {}", self.orders.last()?.0.keyid());
        report.check("verified", "by the seller", "200, buyer-2", came);

        let late = Buyer::new(Arc::clone(&self.buyer_first), self.hooks.url(HOOK))?;
        let answer = late.order(&url).await?;
        let version = self.buyer_signed.key_version();
        let came = format!("{answer}, {}, key version {version}", self.orders.last()?.0.keyid());
        let must = "200, buyer-1, key version 1";
        report.check("overlap", "a process with the old key", must, came);

        bao.retire_before(&keys.buyer, 2).await?;
        let came = match late.order(&url).await {
            Ok(answer) => format!("signed: {answer}"),
            Err(error) => match signed_call_error(&error) {
                Some(SignedCallError::Sign(SignError::Provider(error))) => {
                    format!("not sent: {}", error.kind())
                }
                _ => return Err(error.into()),
            },
        };
        report.check("retired", "the old key, in OpenBao", "not sent: key_disabled", came);
        Ok(())
    }

    async fn seller_reports(&self, bao: &OpenBao, keys: &Keys, report: &mut Report) -> Result<()> {
        report.chapter("webhook", format!("The seller reports back: POST {HOOK}"));
        let key = bao.key(&keys.seller, 1, &self.seller_signed).await?;
        let (_, hook) = self.orders.last()?;
        let mut seller = Reporter::new(key, &hook)?;
        let answer = seller.report("whk_20261129_000001").await?;
        let webhook = self.hooks.wire.last()?;
        let must = "seller-1, ecdsa-p256-sha256, key version 1";
        signed(report, &webhook, &self.seller_signed, must);
        let received = self.received.all();
        let sender = received.last().and_then(|signer| signer.agent_url()).unwrap_or("nobody");
        let must = "200, https://seller.example/";
        report.check("verified", "by the buyer", must, format!("{answer}, {sender}"));

        let replay = self.hooks.send(webhook).await?;
        let must = "401 webhook_signature_replayed";
        report.check("replay", "the same bytes again", must, replay);
        self.hooks.wire.change_next();
        let must = "401 webhook_signature_digest_mismatch";
        let changed = seller.report("whk_20261129_000002").await?;
        report.check("changed", "one byte: spend 1000 became 9000", must, changed);
        let again = seller.report("whk_20261129_000001").await?;
        report.check("repeated", "the same event, signed anew", "200", again);
        let called = times(self.received.all().len());
        report.check("handler", "of the buyer, called", "once", called);
        Ok(())
    }
}

/// Notes what was signed, and by which version of which key.
fn signed(report: &mut Report, message: &Message, by: &LastSignature, must: &str) {
    let mut details = Map::new();
    details.insert("signature_input".to_owned(), message.signature_input().into());
    report.check_with("covers", "", COVERED, message.covered(), details);
    let (kid, algorithm) = (message.parameter("keyid"), message.parameter("alg"));
    let came = format!("{kid}, {algorithm}, key version {}", by.key_version());
    report.check("signed", "in OpenBao", must, came);
}

/// The JWKS of one key.
async fn jwks(key: &Watched) -> Result<Value> {
    Ok(json!({ "keys": [key.public_jwk().await?] }))
}

/// The kids of a JWKS.
fn kids(jwks: &Value) -> String {
    let keys = jwks.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let kids: Vec<&str> = keys.iter().filter_map(|key| key.get("kid")?.as_str()).collect();
    kids.join(" and ")
}

fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}
