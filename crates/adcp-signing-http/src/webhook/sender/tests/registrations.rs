//! Deliveries to registrations: one mode for each, looked up at each attempt.

use adcp_signing_core::webhook::{BearerToken, HmacSecret, LegacyBearer, LegacyHmac};

use super::*;
use crate::webhook::{InMemoryRegistrations, LookupFailure, RegistrationId};

const SECRET: &str = "k1J8#qWz0Lr7vBn3Yx5Tm9Pc2Hd6Gs4F";
const NEXT_SECRET: &str = "next8#qWz0Lr7vBn3Yx5Tm9Pc2Hd6Gs4";

fn id() -> RegistrationId {
    RegistrationId::new("registration-7")
}

fn hmac(secret: &str) -> LegacyHmac {
    LegacyHmac::new(HmacSecret::new(secret.into()).unwrap())
}

fn bearer(secret: &str) -> BearerToken {
    BearerToken::new(secret.to_owned()).unwrap()
}

/// A sender that knows one registration.
fn registered(
    authentication: Authentication,
    answers: impl IntoIterator<Item = Answer>,
) -> (Setup, Arc<InMemoryRegistrations>) {
    let registrations = Arc::new(InMemoryRegistrations::default());
    registrations.set(id(), Registration::new(target(), authentication));
    (setup_over(Arc::clone(&registrations), answers), registrations)
}

fn setup_over(
    registrations: impl Registrations + 'static,
    answers: impl IntoIterator<Item = Answer>,
) -> Setup {
    let mut setup = setup(answers);
    let (events_in, events) = mpsc::unbounded_channel();
    setup.events = events;
    setup.sender = WebhookSender::builder(signer())
        .store(Arc::clone(&setup.store))
        .registrations(registrations)
        .observer(move |event| events_in.send(event).unwrap())
        .clock(RuntimeClock(setup.started))
        .build_on(setup.script.clone())
        .unwrap();
    setup
}

fn lines(fields: &HeaderMap) -> Vec<adcp_signing_core::FieldLine<'_>> {
    let lines = fields.iter().map(|(name, value)| adcp_signing_core::FieldLine {
        name: name.as_str(),
        value: value.as_bytes(),
    });
    lines.collect()
}

#[tokio::test(start_paused = true)]
async fn each_registration_is_authenticated_in_its_mode_alone() {
    const MODES: [&str; 4] = ["signature", "signature-input", "x-adcp-signature", "authorization"];
    for (authentication, expected) in [
        (Authentication::Rfc9421, &["signature", "signature-input"][..]),
        (Authentication::LegacyHmac(hmac(SECRET)), &["x-adcp-signature"]),
        (Authentication::Bearer(bearer(SECRET)), &["authorization"]),
    ] {
        let (mut setup, _) = registered(authentication.clone(), []);
        setup.sender.enqueue(id(), payload(1)).await.unwrap();
        let heard = setup.run_to_end().await;
        assert!(matches!(heard[0].outcome, Outcome::Delivered), "{heard:?}");
        assert_eq!(heard[0].recipient, Recipient::Registration(id()));
        let seen = setup.script.seen.lock();
        let (fields, body) = &seen[0];
        let present: Vec<_> = MODES.into_iter().filter(|name| fields.contains_key(*name)).collect();
        assert_eq!(present, expected, "{authentication:?}");
        assert_eq!(fields["content-type"], "application/json");
        let now = UnixSeconds::new(EPOCH);
        match authentication {
            Authentication::Rfc9421 => {}
            Authentication::LegacyHmac(scheme) => {
                scheme.verify(&lines(fields), body, now).unwrap();
            }
            Authentication::Bearer(token) => {
                LegacyBearer::new(token).verify(&lines(fields), now).unwrap();
                assert!(!format!("{fields:?}").contains(SECRET), "{fields:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotated_credential_and_a_changed_mode_count_from_the_next_attempt_on() {
    let busy = Answer::Status(503, &[]);
    let (mut setup, registrations) =
        registered(Authentication::LegacyHmac(hmac(SECRET)), [busy.clone(), busy]);
    setup.sender.enqueue(id(), payload(1)).await.unwrap();
    let mut changes =
        [Authentication::LegacyHmac(hmac(NEXT_SECRET)), Authentication::Rfc9421].into_iter();
    let sender = setup.sender.clone();
    let hear = async {
        while let Some(event) = setup.events.recv().await {
            match changes.next() {
                Some(next) => registrations.set(id(), Registration::new(target(), next)),
                None => return event,
            }
        }
        panic!("the sender ended")
    };
    let last = tokio::select! {
        () = sender.run() => panic!("the sender ended"),
        event = hear => event,
    };
    assert!(matches!(last.outcome, Outcome::Delivered), "{last:?}");
    let seen = setup.script.seen.lock();
    let at = |index: usize| {
        let timestamp = seen[index].0["x-adcp-timestamp"].to_str().unwrap();
        UnixSeconds::new(timestamp.parse().unwrap())
    };
    hmac(SECRET).verify(&lines(&seen[0].0), &seen[0].1, at(0)).unwrap();
    hmac(NEXT_SECRET).verify(&lines(&seen[1].0), &seen[1].1, at(1)).unwrap();
    assert!(seen[2].0.contains_key("signature") && !seen[2].0.contains_key("x-adcp-signature"));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_to_a_withdrawn_registration_ends() {
    let (mut setup, registrations) = registered(Authentication::Rfc9421, []);
    setup.sender.enqueue(id(), payload(1)).await.unwrap();
    registrations.withdraw(&id());
    let heard = setup.run_to_end().await;
    let withdrawn = Outcome::Refused { failure: AttemptFailure::Withdrawn };
    assert_eq!(format!("{:?}", heard[0].outcome), format!("{withdrawn:?}"));
    assert_eq!((setup.script.count(), setup.store.len()), (0, 0));
}

/// Registrations that cannot be read at first.
#[derive(Debug, Default)]
struct AwayAtFirst(AtomicUsize);

#[async_trait]
impl Registrations for AwayAtFirst {
    async fn find(&self, _: &RegistrationId) -> Result<Option<Registration>, LookupFailure> {
        match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => Err(LookupFailure::new("away")),
            _ => Ok(Some(Registration::new(target(), Authentication::Bearer(bearer(SECRET))))),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn registrations_that_cannot_be_read_are_waited_for() {
    let mut setup = setup_over(AwayAtFirst::default(), []);
    setup.sender.enqueue(id(), payload(1)).await.unwrap();
    let heard = setup.run_to_end().await;
    let Outcome::Retrying { failure: AttemptFailure::Lookup(_), .. } = heard[0].outcome else {
        panic!("{heard:?}")
    };
    assert!(matches!(heard[1].outcome, Outcome::Delivered), "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sender_without_registrations_takes_no_delivery_for_one_and_keeps_what_others_took() {
    let setup = setup([]);
    let refused = setup.sender.enqueue(id(), payload(1)).await;
    assert!(matches!(refused, Err(EnqueueError::NoRegistrations)), "{refused:?}");
    assert!(setup.store.is_empty());
    let failure = setup.sender.send_once(id(), &payload(1)).await.unwrap_err();
    assert!(matches!(failure, AttemptFailure::NoRegistrations), "{failure:?}");
    assert!(!failure.is_terminal());
    assert_eq!(setup.script.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn hmac_is_for_compact_json_alone() {
    let spaced = r#"{"idempotency_key": "whk_20260526_000031"}"#;
    let spaced = Payload::from_bytes(spaced).unwrap();
    let (setup, _) = registered(Authentication::LegacyHmac(hmac(SECRET)), []);
    let refused = setup.sender.enqueue(id(), spaced.clone()).await;
    assert!(matches!(refused, Err(EnqueueError::NotCompact)), "{refused:?}");
    let failure = setup.sender.send_once(id(), &spaced).await.unwrap_err();
    assert!(matches!(failure, AttemptFailure::NotCompact), "{failure:?}");
    assert!(failure.is_terminal());
    assert_eq!((setup.script.count(), setup.store.len()), (0, 0));
    // RFC 9421 covers the bytes by their digest, and nobody writes them anew.
    setup.sender.send_once(&target(), &spaced).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_wrong_is_waited_for() {
    let failure = AttemptFailure::Hmac(hmac(SECRET).sign(b"", UnixSeconds::new(-1)).unwrap_err());
    assert!(!failure.is_terminal());
    let failure = AttemptFailure::Hmac(hmac(SECRET).sign(b"{", UnixSeconds::new(1)).unwrap_err());
    assert!(failure.is_terminal());
}
