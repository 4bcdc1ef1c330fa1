//! The challenge by which a seller makes sure that a registered URL belongs to the buyer, before it
//! sends anything else there.

use std::{collections::BTreeSet, fmt};

use adcp_signing_core::{
    json::check_no_duplicate_keys,
    target_uri::{RawHost, RootDot, Rules, TargetUri},
};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{AttemptFailure, WebhookSender, WebhookTarget, payload::is_name, post::Reply};

/// The `type` of a challenge.
const TYPE: &str = "webhook.challenge";

/// What a challenge binds besides the URL, which the signature covers: which registration becomes
/// active by it ("Webhook URL validation", security guide). Seller and buyer each make it of what
/// they know about the registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    subscriber: Subscriber,
    subscriber_id: String,
    seller_agent_url: String,
    auth: DeliveryAuth,
    event_types: BTreeSet<String>,
}

/// Whose registration it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscriber {
    /// An account's, of `accounts[].notification_configs[]`: the `account_id`.
    Account(String),
    /// An agent's, of `sync_agent_notification_configs`.
    Agent,
}

/// How the deliveries of the registration will be authenticated. The challenge itself is signed by
/// RFC 9421 in any case.
#[derive(Clone, PartialEq, Eq)]
pub struct DeliveryAuth {
    mode: &'static str,
    /// SHA-256 of the credential, in hex.
    fingerprint: Option<String>,
}

/// A registration that AdCP does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscriberError {
    /// The `subscriber_id` is malformed.
    #[error("`subscriber_id` is not 1 to 64 letters, digits, `_`, `.`, `:` and `-`")]
    SubscriberId,
    /// There are no event types.
    #[error("`event_types` is empty; name what the subscriber asks for")]
    NoEventTypes,
}

/// Why a challenge is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChallengeMismatch {
    /// The challenge is not 32 to 255 characters of its alphabet.
    #[error("`challenge` is not 32 to 255 letters, digits, `_`, `.`, `:` and `-`")]
    Malformed,
    /// The signer is not the seller of the registration.
    #[error("the challenge is not signed by the agent that the subscription is with")]
    Signer,
    /// A member differs from the registration.
    #[error("`{0}` is not that of the subscription")]
    Member(&'static str),
    /// There is a member that no challenge has.
    #[error("the challenge has a member that is not known")]
    UnknownMember,
}

/// Why a registration does not become active.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActivationError {
    /// The challenge did not get there, or was not accepted.
    #[error("the challenge was not accepted: {0}")]
    Attempt(#[from] AttemptFailure),
    /// The answer does not repeat the challenge.
    #[error("the receiver did not repeat the challenge; it answers {{\"challenge\": …}} with it")]
    NotRepeated,
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness for a challenge; try again")]
    NoRandomness,
}

impl DeliveryAuth {
    /// RFC 9421: the registration has no `authentication`.
    pub fn rfc9421() -> Self {
        Self { mode: "rfc9421", fingerprint: None }
    }

    /// Legacy HMAC-SHA256, with the `credentials` of the registration, of which a hash is kept.
    pub fn legacy_hmac(credentials: &str) -> Self {
        Self { mode: "HMAC-SHA256", fingerprint: Some(sha256_hex(credentials)) }
    }

    /// A bearer token, with the `credentials` of the registration, of which a hash is kept.
    pub fn bearer(credentials: &str) -> Self {
        Self { mode: "Bearer", fingerprint: Some(sha256_hex(credentials)) }
    }

    fn to_json(&self) -> Value {
        match &self.fingerprint {
            None => json!({ "mode": self.mode }),
            Some(hash) => json!({ "mode": self.mode, "credential_fingerprint": hash }),
        }
    }
}

impl fmt::Debug for DeliveryAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeliveryAuth({})", self.mode)
    }
}

impl Subscription {
    /// A registration: whose it is and its `subscriber_id`, the URL of the seller's agent as both
    /// sides know it, how deliveries will be authenticated, and the types of events.
    ///
    /// # Errors
    /// [`SubscriberError`].
    pub fn new(
        subscriber: Subscriber,
        subscriber_id: impl Into<String>,
        seller_agent_url: impl Into<String>,
        auth: DeliveryAuth,
        event_types: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, SubscriberError> {
        let subscriber_id = subscriber_id.into();
        if !is_name(&subscriber_id, 1..=64) {
            return Err(SubscriberError::SubscriberId);
        }
        let event_types: BTreeSet<_> = event_types.into_iter().map(Into::into).collect();
        if event_types.is_empty() {
            return Err(SubscriberError::NoEventTypes);
        }
        let seller_agent_url = seller_agent_url.into();
        Ok(Self { subscriber, subscriber_id, seller_agent_url, auth, event_types })
    }

    /// The body that answers a challenge about this subscription. The webhook's signature has been
    /// verified, and `signer` is the agent that made it.
    /// [`WebhookReceiver`](super::WebhookReceiver) calls it: see `activating`.
    ///
    /// # Errors
    /// [`ChallengeMismatch`]; do not answer with the challenge.
    pub fn answer(&self, signer: Option<&str>, body: &[u8]) -> Result<String, ChallengeMismatch> {
        check_no_duplicate_keys(body).map_err(|_| ChallengeMismatch::Malformed)?;
        let value = serde_json::from_slice(body).map_err(|_| ChallengeMismatch::Malformed)?;
        self.answer_value(signer, value)
    }

    pub(super) fn answer_value(
        &self,
        signer: Option<&str>,
        value: Value,
    ) -> Result<String, ChallengeMismatch> {
        let seller = agent_name(&self.seller_agent_url);
        if signer.map(agent_name) != Some(seller) {
            return Err(ChallengeMismatch::Signer);
        }
        let Value::Object(mut members) = value else { return Err(ChallengeMismatch::Malformed) };
        let challenge = match members.get("challenge").and_then(Value::as_str) {
            Some(challenge) if is_name(challenge, 32..=255) => challenge.to_owned(),
            _ => return Err(ChallengeMismatch::Malformed),
        };
        // A set: the order says nothing, and a repetition is refused.
        if let Some(Value::Array(types)) = members.get_mut("event_types") {
            types.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
        }
        let expected = self.members(&challenge);
        const MEMBERS: [&str; 7] = [
            "type",
            "scope",
            "account_id",
            "subscriber_id",
            "seller_agent_url",
            "delivery_auth",
            "event_types",
        ];
        for name in MEMBERS {
            if members.get(name) != expected.get(name) {
                return Err(ChallengeMismatch::Member(name));
            }
        }
        if members.len() != expected.len() {
            return Err(ChallengeMismatch::UnknownMember);
        }
        Ok(json!({ "challenge": challenge }).to_string())
    }

    fn members(&self, challenge: &str) -> Map<String, Value> {
        let mut members = Map::new();
        let mut set = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
        set("type", TYPE.into());
        match &self.subscriber {
            Subscriber::Account(id) => set("account_id", id.as_str().into()),
            Subscriber::Agent => set("scope", "agent".into()),
        }
        set("challenge", challenge.into());
        set("subscriber_id", self.subscriber_id.as_str().into());
        set("seller_agent_url", self.seller_agent_url.as_str().into());
        set("delivery_auth", self.auth.to_json());
        set("event_types", self.event_types.iter().map(String::as_str).collect());
        members
    }
}

impl WebhookSender {
    /// Sends a challenge to a registered URL and checks that the answer repeats it: call this
    /// before a new or changed subscriber becomes active. One attempt is made.
    ///
    /// # Errors
    /// [`ActivationError`]; the subscriber stays inactive. Tell the counterparty that it failed and
    /// not how: the reason would let it explore your network.
    pub async fn activate(
        &self,
        target: &WebhookTarget,
        subscription: &Subscription,
    ) -> Result<(), ActivationError> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|_| ActivationError::NoRandomness)?;
        let challenge = hex(&random);
        let body = Value::Object(subscription.members(&challenge)).to_string();
        let reply = self.post_signed(target, Bytes::from(body)).await?;
        let Reply { body, .. } = reply.accepted()?;
        if repeats(&body, &challenge) { Ok(()) } else { Err(ActivationError::NotRepeated) }
    }
}

/// The URL of an agent in the form in which resolvers of keys have it, or another name as it is.
pub(super) fn agent_name(name: &str) -> String {
    let rules = Rules { root_dot: RootDot::Strip, raw_host: RawHost::Convert };
    match TargetUri::canonicalize(name, rules) {
        Ok(url) => url.as_str().to_owned(),
        Err(_) => name.to_owned(),
    }
}

/// Whether an authentic webhook is a challenge.
pub(super) fn is_challenge(value: &Value) -> bool {
    value.get("type").and_then(Value::as_str) == Some(TYPE)
}

/// Whether a reply is the challenge in one of the two members that it may stand in, and no more.
fn repeats(body: &[u8], challenge: &str) -> bool {
    if check_no_duplicate_keys(body).is_err() {
        return false;
    }
    let reply: Option<Map<String, Value>> = serde_json::from_slice(body).ok();
    reply.is_some_and(|reply| {
        reply.len() == 1
            && ["challenge", "token"]
                .iter()
                .any(|name| reply.get(*name).and_then(Value::as_str) == Some(challenge))
    })
}

fn sha256_hex(text: &str) -> String {
    hex(&Sha256::digest(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SELLER: &str = "https://seller.example.com/adcp";
    const CHALLENGE: &str = "example-challenge-token-000000000000";

    fn subscription(subscriber: Subscriber) -> Subscription {
        let events = ["creative.purged", "creative.status_changed"];
        Subscription::new(subscriber, "buyer-primary", SELLER, DeliveryAuth::rfc9421(), events)
            .unwrap()
    }

    /// A challenge as the schema has it.
    fn challenge(change: impl FnOnce(&mut Value)) -> Vec<u8> {
        let mut value = json!({
            "type": "webhook.challenge",
            "challenge": CHALLENGE,
            "account_id": "acct_123",
            "subscriber_id": "buyer-primary",
            "seller_agent_url": SELLER,
            "delivery_auth": { "mode": "rfc9421" },
            "event_types": ["creative.status_changed", "creative.purged"],
        });
        change(&mut value);
        value.to_string().into_bytes()
    }

    #[test]
    fn a_challenge_about_the_subscription_is_repeated() {
        let account = subscription(Subscriber::Account("acct_123".to_owned()));
        let answer = account.answer(Some(SELLER), &challenge(|_| {})).unwrap();
        assert_eq!(answer, format!(r#"{{"challenge":"{CHALLENGE}"}}"#));
        let shouted = "https://SELLER.example.com:443/adcp";
        assert!(account.answer(Some(shouted), &challenge(|_| {})).is_ok(), "the same agent");
        let agent = challenge(|value| {
            value["scope"] = json!("agent");
            value.as_object_mut().unwrap().remove("account_id");
        });
        assert!(subscription(Subscriber::Agent).answer(Some(SELLER), &agent).is_ok());
        assert_eq!(
            account.answer(Some(SELLER), &agent),
            Err(ChallengeMismatch::Member("scope")),
            "a challenge of another scope"
        );
    }

    #[test]
    fn whatever_differs_from_the_subscription_is_not_answered() {
        let account = subscription(Subscriber::Account("acct_123".to_owned()));
        let set = |name: &'static str, new: Value| challenge(move |value| value[name] = new);
        let hmac = DeliveryAuth::legacy_hmac("a secret of at least 32 characters").to_json();
        for (body, mismatch) in [
            (set("challenge", json!("short")), ChallengeMismatch::Malformed),
            (set("challenge", json!(7)), ChallengeMismatch::Malformed),
            (b"[]".to_vec(), ChallengeMismatch::Malformed),
            (b"{\"type\":1,\"type\":1}".to_vec(), ChallengeMismatch::Malformed),
            (set("type", json!("other")), ChallengeMismatch::Member("type")),
            (set("account_id", json!("acct_9")), ChallengeMismatch::Member("account_id")),
            (set("subscriber_id", json!("other")), ChallengeMismatch::Member("subscriber_id")),
            (set("seller_agent_url", json!("x")), ChallengeMismatch::Member("seller_agent_url")),
            (set("delivery_auth", hmac), ChallengeMismatch::Member("delivery_auth")),
            (
                set("event_types", json!(["creative.purged"])),
                ChallengeMismatch::Member("event_types"),
            ),
            (
                set("event_types", json!(["creative.purged", "creative.purged"])),
                ChallengeMismatch::Member("event_types"),
            ),
            (set("more", json!(1)), ChallengeMismatch::UnknownMember),
        ] {
            let text = String::from_utf8_lossy(&body).into_owned();
            assert_eq!(account.answer(Some(SELLER), &body), Err(mismatch), "{text}");
        }
        for signer in [None, Some("https://other.example.com/adcp")] {
            let refused = account.answer(signer, &challenge(|_| {}));
            assert_eq!(refused, Err(ChallengeMismatch::Signer));
        }
    }

    #[test]
    fn only_the_challenge_alone_repeats_it() {
        for (reply, repeated) in [
            (format!(r#"{{"challenge":"{CHALLENGE}"}}"#), true),
            (format!(r#"{{"token":"{CHALLENGE}"}}"#), true),
            (format!(r#"{{"challenge":"{CHALLENGE}","token":"{CHALLENGE}"}}"#), false),
            (format!(r#"{{"challenge":"{CHALLENGE}","challenge":"{CHALLENGE}"}}"#), false),
            (format!(r#"{{"echo":"{CHALLENGE}"}}"#), false),
            (r#"{"challenge":"another-challenge-token-000000000000"}"#.to_owned(), false),
            (format!(r#""{CHALLENGE}""#), false),
            (String::new(), false),
        ] {
            assert_eq!(repeats(reply.as_bytes(), CHALLENGE), repeated, "{reply}");
        }
    }

    #[test]
    fn credentials_are_hashed_and_a_registration_is_checked() {
        let secret = "a secret of at least 32 characters";
        for auth in [DeliveryAuth::legacy_hmac(secret), DeliveryAuth::bearer(secret)] {
            assert!(!format!("{auth:?} {}", auth.to_json()).contains(secret));
            let hash = auth.to_json()["credential_fingerprint"].as_str().map(str::len);
            assert_eq!(hash, Some(64));
        }
        let of = |id: &str, events: &[&str]| {
            Subscription::new(
                Subscriber::Agent,
                id,
                SELLER,
                DeliveryAuth::rfc9421(),
                events.iter().copied(),
            )
        };
        assert_eq!(of("", &["a"]), Err(SubscriberError::SubscriberId));
        assert_eq!(of(&"a".repeat(65), &["a"]), Err(SubscriberError::SubscriberId));
        assert_eq!(of("a b", &["a"]), Err(SubscriberError::SubscriberId));
        assert_eq!(of("a", &[]), Err(SubscriberError::NoEventTypes));
    }
}
