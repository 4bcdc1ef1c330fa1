mod registrations;

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicUsize, Ordering},
};

use adcp_signing_core::{
    Algorithm, InMemoryProvider, KeyPurpose, ProviderError, ProviderErrorKind, PublicKey,
    SignError, SigningProvider, UnixSeconds,
    provider::{Capability, KeyIdentity, Signed},
};
use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::{sync::mpsc, time::Instant};

use http::{HeaderMap, HeaderValue};

use super::*;
use crate::webhook::InMemoryDeliveries;

const EPOCH: i64 = 1_776_520_800;

/// Wall time that runs with the runtime's, paused or not.
#[derive(Debug)]
struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> UnixSeconds {
        UnixSeconds::new(EPOCH).plus(self.0.elapsed().as_secs() as i64)
    }
}

/// One answer of a receiver.
#[derive(Debug, Clone)]
enum Answer {
    Status(u16, &'static [(&'static str, &'static str)]),
    Reserved,
    Refuses,
    Hangs,
}

/// A receiver that answers as it is told, and then with 200.
#[derive(Debug, Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    seen: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

impl Script {
    fn of(answers: impl IntoIterator<Item = Answer>) -> Self {
        let answers = Arc::new(Mutex::new(answers.into_iter().collect()));
        Self { answers, seen: Arc::default() }
    }

    fn count(&self) -> usize {
        self.seen.lock().len()
    }
}

#[async_trait]
impl Post for Script {
    async fn post(
        &self,
        _: &WebhookTarget,
        fields: HeaderMap,
        body: Bytes,
    ) -> Result<Reply, AttemptFailure> {
        self.seen.lock().push((fields, body));
        let answer = self.answers.lock().pop_front().unwrap_or(Answer::Status(200, &[]));
        match answer {
            Answer::Status(status, set) => {
                let status = http::StatusCode::from_u16(status).unwrap();
                let mut fields = HeaderMap::new();
                for (name, value) in set {
                    fields.insert(*name, HeaderValue::from_static(value));
                }
                Ok(Reply { status, fields, body: Bytes::new() })
            }
            Answer::Reserved => Err(AttemptFailure::ReservedAddress { range: "loopback" }),
            Answer::Refuses => Err(AttemptFailure::Unreachable("refused".into())),
            Answer::Hangs => std::future::pending().await,
        }
    }
}

fn signer() -> Signer {
    let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning);
    Signer::for_webhooks(Arc::new(key.unwrap())).unwrap()
}

struct Setup {
    sender: WebhookSender,
    script: Script,
    store: Arc<InMemoryDeliveries>,
    events: mpsc::UnboundedReceiver<DeliveryEvent>,
    started: Instant,
}

fn setup_with(signer: Signer, answers: impl IntoIterator<Item = Answer>) -> Setup {
    let script = Script::of(answers);
    let store = Arc::new(InMemoryDeliveries::default());
    let (events_in, events) = mpsc::unbounded_channel();
    let started = Instant::now();
    let sender = WebhookSender::builder(signer)
        .store(Arc::clone(&store))
        .observer(move |event| events_in.send(event).unwrap())
        .clock(RuntimeClock(started))
        .build_on(script.clone())
        .unwrap();
    Setup { sender, script, store, events, started }
}

fn setup(answers: impl IntoIterator<Item = Answer>) -> Setup {
    setup_with(signer(), answers)
}

fn target() -> WebhookTarget {
    "https://buyer.example.com/hooks".parse().unwrap()
}

fn payload(number: u32) -> Payload {
    let body = format!(r#"{{"idempotency_key":"whk_20260526_{number:06}","status":"completed"}}"#);
    Payload::from_bytes(body).unwrap()
}

impl Setup {
    /// Enqueues one webhook and runs until it has come to its end.
    async fn run_one(&mut self) -> Vec<DeliveryEvent> {
        self.sender.enqueue(&target(), payload(1)).await.unwrap();
        self.run_to_end().await
    }

    async fn run_to_end(&mut self) -> Vec<DeliveryEvent> {
        let mut heard = Vec::new();
        let sender = self.sender.clone();
        let hear = async {
            while let Some(event) = self.events.recv().await {
                let is_end = !matches!(event.outcome, Outcome::Retrying { .. });
                heard.push(event);
                if is_end {
                    break;
                }
            }
        };
        tokio::select! {
            () = sender.run() => {}
            () = hear => {}
        }
        heard
    }
}

#[tokio::test(start_paused = true)]
async fn each_attempt_sends_the_same_bytes_under_a_new_signature() {
    let busy = Answer::Status(503, &[]);
    let mut setup = setup([busy.clone(), Answer::Refuses, Answer::Reserved, busy]);
    let heard = setup.run_one().await;
    let attempts: Vec<_> = heard.iter().map(|event| event.attempts).collect();
    assert_eq!(attempts, [1, 2, 3, 4, 5]);
    assert!(matches!(heard[4].outcome, Outcome::Delivered), "{heard:?}");
    assert_eq!(heard[0].idempotency_key.as_str(), "whk_20260526_000001");
    let seen = setup.script.seen.lock();
    let mut nonces: Vec<_> =
        seen.iter().map(|(fields, _)| fields["signature-input"].clone()).collect();
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 5);
    assert!(seen.iter().all(|(fields, body)| {
        fields["content-type"] == "application/json" && body == payload(1).bytes()
    }));
    assert!(setup.store.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_webhook_code_and_a_conflict_are_the_end_and_another_401_is_not() {
    const REFUSED: &[(&str, &str)] =
        &[("www-authenticate", r#"Signature error="webhook_signature_key_unknown""#)];
    let mut refused = setup([Answer::Status(401, REFUSED)]);
    let heard = refused.run_one().await;
    let Outcome::Refused { failure: AttemptFailure::Refused(refusal) } = &heard[0].outcome else {
        panic!("{heard:?}")
    };
    assert_eq!(refusal.code(), "webhook_signature_key_unknown");
    assert_eq!((refused.script.count(), refused.store.len()), (1, 0));

    let mut conflict = setup([Answer::Status(409, &[])]);
    let heard = conflict.run_one().await;
    let conflicting = Outcome::Refused { failure: AttemptFailure::Conflict };
    assert_eq!(format!("{:?}", heard[0].outcome), format!("{conflicting:?}"));

    // A receiver that misses its bearer token, a code of requests, and the code under another status.
    for answer in [
        Answer::Status(401, &[("www-authenticate", "Bearer")]),
        Answer::Status(
            401,
            &[("www-authenticate", r#"Signature error="request_signature_invalid""#)],
        ),
        Answer::Status(500, REFUSED),
        Answer::Status(307, &[("location", "https://elsewhere.example.com/")]),
    ] {
        let mut setup = setup([answer.clone()]);
        let heard = setup.run_one().await;
        assert_eq!(heard.len(), 2, "{answer:?}");
        assert!(matches!(heard[1].outcome, Outcome::Delivered), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_never_comes_sooner_than_the_receiver_asked() {
    let mut setup = setup([Answer::Status(429, &[("retry-after", "7200")])]);
    let heard = setup.run_one().await;
    let Outcome::Retrying { wait, .. } = &heard[0].outcome else { panic!("{heard:?}") };
    assert!(*wait >= Duration::from_secs(7200), "{wait:?}");
    assert!(setup.started.elapsed() >= Duration::from_secs(7200));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_is_given_up_where_no_attempt_fits_into_the_horizon() {
    let mut asked = setup([Answer::Status(503, &[("retry-after", "86401")])]);
    let heard = asked.run_one().await;
    assert!(matches!(heard[0].outcome, Outcome::GaveUp { .. }), "{heard:?}");
    assert!(asked.store.is_empty());

    let mut down = setup(std::iter::repeat_n(Answer::Refuses, 10_000));
    let heard = down.run_one().await;
    let last = heard.last().unwrap();
    assert!(matches!(last.outcome, Outcome::GaveUp { .. }), "{last:?}");
    let spent = down.started.elapsed();
    assert!(spent <= Duration::from_secs(86_400), "{spent:?}");
    assert!(spent >= Duration::from_secs(86_400 - 3_600 - 60), "{spent:?}");
    assert!(heard.len() < 120, "{} attempts", heard.len());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_is_cut_off_and_made_again() {
    let mut setup = setup([Answer::Hangs]);
    let heard = setup.run_one().await;
    let Outcome::Retrying { failure, .. } = &heard[0].outcome else { panic!("{heard:?}") };
    assert!(matches!(failure, AttemptFailure::TimedOut), "{failure}");
    assert_eq!(heard.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_stored_before_a_restart_is_delivered_after_it() {
    let mut first = setup([Answer::Hangs]);
    first.sender.enqueue(&target(), payload(1)).await.unwrap();
    // The process ends while the attempt is under way.
    let ended = time::timeout(Duration::from_secs(5), first.sender.run()).await;
    assert!(ended.is_err());
    assert_eq!((first.script.count(), first.store.len()), (1, 1));
    assert!(first.events.try_recv().is_err());

    let mut second = setup([]);
    let now = Instant::now();
    let events = std::mem::replace(&mut second.events, mpsc::unbounded_channel().1);
    drop(events);
    let (events_in, events) = mpsc::unbounded_channel();
    second.events = events;
    second.sender = WebhookSender::builder(signer())
        .store(Arc::clone(&first.store))
        .observer(move |event| events_in.send(event).unwrap())
        .clock(RuntimeClock(first.started))
        .build_on(second.script.clone())
        .unwrap();
    let heard = second.run_to_end().await;
    assert!(matches!(heard[0].outcome, Outcome::Delivered), "{heard:?}");
    assert!(first.store.is_empty());
    let waited = now.elapsed().as_secs() as i64;
    assert!(waited <= CLAIM_SECONDS + 1, "the claim of the first ends: {waited} s");
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_ran_out_while_the_process_stood_still_is_not_used() {
    let mut setup = setup([]);
    let now = UnixSeconds::new(EPOCH);
    let delivery = Delivery::new(target().into(), payload(1), now);
    setup.store.add(&delivery).await.unwrap();
    let claimed = setup.store.claim_due(now, now.plus(CLAIM_SECONDS), 1).await.unwrap().remove(0);
    time::advance(Duration::from_secs(61)).await;
    setup.sender.deliver(claimed.clone()).await;
    assert_eq!((setup.script.count(), setup.store.len()), (0, 1));
    assert!(setup.events.try_recv().is_err());
    setup.sender.deliver(claimed.claimed_until(now.plus(61 + 30))).await;
    assert_eq!(setup.script.count(), 1, "there is time for one attempt");
}

#[tokio::test(start_paused = true)]
async fn no_more_attempts_are_made_at_a_time_than_allowed() {
    let mut setup = setup(std::iter::repeat_n(Answer::Hangs, 3));
    let one = std::num::NonZeroUsize::new(2).unwrap();
    let (events_in, events) = mpsc::unbounded_channel();
    setup.events = events;
    setup.sender = WebhookSender::builder(signer())
        .store(Arc::clone(&setup.store))
        .observer(move |event| events_in.send(event).unwrap())
        .clock(RuntimeClock(setup.started))
        .concurrency(one)
        .build_on(setup.script.clone())
        .unwrap();
    for number in 0..3 {
        setup.sender.enqueue(&target(), payload(number)).await.unwrap();
    }
    let _ = time::timeout(Duration::from_secs(20), setup.sender.run()).await;
    assert_eq!(setup.script.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_enqueued_twice_is_delivered_once() {
    let mut setup = setup([]);
    let first = setup.sender.enqueue(&target(), payload(1)).await.unwrap();
    let again = setup.sender.enqueue(&target(), payload(1)).await.unwrap();
    assert_eq!(first, again);
    setup.run_to_end().await;
    assert_eq!(setup.script.count(), 1);
}

/// A store that fails when it is asked for something.
#[derive(Debug, Default)]
struct Failing {
    store: InMemoryDeliveries,
    claims: AtomicUsize,
    dones: AtomicUsize,
}

#[async_trait]
impl DeliveryStore for Failing {
    async fn add(&self, delivery: &Delivery) -> Result<(), StoreFailure> {
        self.store.add(delivery).await
    }

    async fn claim_due(
        &self,
        now: UnixSeconds,
        until: UnixSeconds,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreFailure> {
        if self.claims.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err(StoreFailure::new("away"));
        }
        self.store.claim_due(now, until, limit).await
    }

    async fn put_back(&self, claimed: &Delivery, due: UnixSeconds) -> Result<(), StoreFailure> {
        self.store.put_back(claimed, due).await
    }

    async fn done(&self, claimed: &Delivery) -> Result<(), StoreFailure> {
        if self.dones.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err(StoreFailure::new("away"));
        }
        self.store.done(claimed).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_delays_and_loses_nothing() {
    let mut setup = setup([]);
    let (events_in, events) = mpsc::unbounded_channel();
    setup.events = events;
    setup.sender = WebhookSender::builder(signer())
        .store(Failing::default())
        .observer(move |event| events_in.send(event).unwrap())
        .clock(RuntimeClock(setup.started))
        .build_on(setup.script.clone())
        .unwrap();
    let heard = setup.run_one().await;
    assert!(matches!(heard[..], [DeliveryEvent { outcome: Outcome::Delivered, .. }]), "{heard:?}");
    assert_eq!(setup.script.count(), 2, "sent again, since its end was not recorded");
}

/// A key that fails, with a kind that passes or does not.
#[derive(Debug)]
struct Broken(InMemoryProvider, ProviderErrorKind);

#[async_trait]
impl SigningProvider for Broken {
    fn identity(&self) -> &KeyIdentity {
        self.0.identity()
    }

    fn capability(&self) -> Capability {
        self.0.capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.0.public_key().await
    }

    async fn sign(&self, _: &[u8]) -> Result<Signed, ProviderError> {
        Err(ProviderError::new(self.1, "no"))
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_cannot_sign_is_waited_for() {
    for kind in [ProviderErrorKind::Unavailable, ProviderErrorKind::AccessDenied] {
        let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning);
        let signer = Signer::for_webhooks(Arc::new(Broken(key.unwrap(), kind))).unwrap();
        let mut setup = setup_with(signer, []);
        setup.sender.enqueue(&target(), payload(1)).await.unwrap();
        let sender = setup.sender.clone();
        let event = tokio::select! {
            () = sender.run() => None,
            event = setup.events.recv() => event,
        };
        let outcome = event.unwrap().outcome;
        let Outcome::Retrying { failure: AttemptFailure::Sign(_), .. } = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!((setup.script.count(), setup.store.len()), (0, 1));
    }
}

#[test]
fn a_failure_of_the_message_is_the_end() {
    assert!(AttemptFailure::Sign(SignError::ContentTypeMissing).is_terminal());
    assert!(!AttemptFailure::TimedOut.is_terminal());
}

#[tokio::test]
async fn a_signer_of_requests_is_refused() {
    let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning);
    let signer = Signer::for_requests(Arc::new(key.unwrap())).unwrap();
    let built = WebhookSender::builder(signer).store(InMemoryDeliveries::default()).build();
    assert!(matches!(built, Err(SenderError::NotForWebhooks)), "{built:?}");
}
