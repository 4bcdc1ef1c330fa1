//! What holds for every wrapper, tested on all of them.

use std::{
    error::Error as StdError,
    io,
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
    time::Duration,
};

use futures_util::poll;

use super::{
    Pin, Pinned, RateLimitPolicy, RetryPolicy, Rotating, Rotation, SigningProviderExt as _,
};
use crate::{
    clock::SystemClock,
    keys::{Algorithm, KeyPurpose},
    provider::{
        ProviderError, ProviderErrorKind, SigningProvider,
        captured::Captured,
        scripted::{Scripted, Step},
    },
};

type Dyn = Arc<dyn SigningProvider>;

const SECRET: &str = "hunter2";
const MESSAGE: &[u8] = b"the-signature-base";

/// Every wrapper that may sit around a rotation, by its name.
fn around_any(inner: &Dyn) -> Vec<(&'static str, Dyn)> {
    let inner = || inner.clone();
    let many = NonZeroUsize::new(8).unwrap();
    let rate = RateLimitPolicy::per_second(NonZeroU32::new(1000).unwrap());
    let once = RetryPolicy::default().with_max_attempts(NonZeroUsize::MIN);
    vec![
        ("Arc", Arc::new(inner())),
        ("Box", Arc::new(Box::new(inner()))),
        ("SelfChecking", Arc::new(inner().self_checking())),
        ("Instrumented", Arc::new(inner().instrumented())),
        ("Retrying", Arc::new(inner().retrying(once))),
        ("Deadline", Arc::new(inner().with_deadline(Duration::from_secs(1)))),
        ("ConcurrencyLimit", Arc::new(inner().with_concurrency_limit(many, 8))),
        ("RateLimit", Arc::new(inner().with_rate_limit(&rate))),
    ]
}

/// Every wrapper around a key that does not rotate.
fn around(kms: &Scripted) -> Vec<(&'static str, Dyn)> {
    let inner: Dyn = Arc::new(kms.clone());
    let next = Arc::new(Scripted::new("next").with_purpose(kms.purpose().clone()));
    let rotating =
        Rotating::new(inner.clone(), next, Rotation::by_operator(), Arc::new(SystemClock)).unwrap();
    let pinned = Pinned::new(inner.clone(), kms.true_public_key()).unwrap();
    // The replica plays the same script: it takes the step after the one that the primary failed
    // with.
    let replica = inner.clone();
    let failover = inner.clone().with_failover([replica], Duration::from_secs(1)).unwrap();
    let mut wrappers = around_any(&inner);
    wrappers.extend::<[(&str, Dyn); 3]>([
        ("Rotating", Arc::new(rotating)),
        ("Pinned", Arc::new(pinned)),
        ("Failover", Arc::new(failover)),
    ]);
    wrappers
}

fn rotation() -> Arc<Rotating> {
    let [current, next] = ["old", "new"].map(|kid| Arc::new(Scripted::new(kid)));
    Arc::new(Rotating::new(current, next, Rotation::by_operator(), Arc::new(SystemClock)).unwrap())
}

#[test]
fn every_wrapper_forwards_the_whole_identity() {
    for purpose in [KeyPurpose::WebhookSigning, KeyPurpose::from("a-later-purpose")] {
        let kms =
            Scripted::new("key-1").with_purpose(purpose).with_algorithm(Algorithm::EcdsaP256Sha256);
        for (name, wrapper) in around(&kms) {
            assert_eq!(wrapper.key_id(), kms.key_id(), "{name}");
            assert_eq!(wrapper.algorithm(), kms.algorithm(), "{name}");
            assert_eq!(wrapper.purpose(), kms.purpose(), "{name}");
            assert_eq!(wrapper.key_ref(), kms.key_ref(), "{name}");
            assert_eq!(wrapper.capability(), kms.capability(), "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_wrapper_hands_on_signatures_and_keys() {
    let kms = Scripted::new("key-1");
    let key = kms.true_public_key();
    for (name, wrapper) in around(&kms) {
        assert_eq!(wrapper.public_key().await.unwrap(), key, "{name}");
        let signed = wrapper.sign(MESSAGE).await.unwrap();
        assert_eq!(key.verify(MESSAGE, &signed.signature), Ok(()), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_wrapper_still_wraps_the_snapshot_of_a_rotation() {
    let rotating = rotation();
    let wrappers = around_any(&(rotating.clone() as Dyn));
    let before: Vec<_> = wrappers.iter().map(|(_, wrapper)| wrapper.snapshot().unwrap()).collect();
    rotating.promote();
    for ((name, wrapper), before) in wrappers.iter().zip(before) {
        let after = wrapper.snapshot().unwrap();
        for (snapshot, key_id) in [(before, "old"), (after, "new")] {
            assert_eq!(snapshot.key_id(), key_id, "{name}");
            assert!(snapshot.snapshot().is_none(), "{name}");
            let key = snapshot.public_key().await.unwrap();
            let signed = snapshot.sign(MESSAGE).await.unwrap();
            assert_eq!(key.verify(MESSAGE, &signed.signature), Ok(()), "{name}");
            if !matches!(*name, "Arc" | "Box") {
                assert!(format!("{snapshot:?}").starts_with(name), "{name} was lost: {snapshot:?}");
            }
        }
    }
}

#[test]
fn no_wrapper_makes_a_snapshot_of_a_key_that_does_not_rotate() {
    for (name, wrapper) in around(&Scripted::new("key-1")) {
        assert_eq!(wrapper.snapshot().is_some(), name == "Rotating", "{name}");
    }
}

/// What a call answers. On paused time one that waits for ever fails at once.
async fn in_an_hour<T>(call: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(3_600), call).await.expect("the call waits for ever")
}

#[tokio::test(start_paused = true)]
async fn limits_hold_across_snapshots() {
    let [current, next] = ["old", "new"].map(|kid| Scripted::new(kid).on_sign([Step::Hang]));
    let rotating = Rotating::new(
        Arc::new(current),
        Arc::new(next),
        Rotation::by_operator(),
        Arc::new(SystemClock),
    )
    .unwrap();
    let rotating = Arc::new(rotating);
    let rate = RateLimitPolicy::per_second(NonZeroU32::MIN).with_max_wait(Duration::ZERO);
    let limits: [Dyn; 2] = [
        Arc::new(rotating.clone().with_concurrency_limit(NonZeroUsize::MIN, 0)),
        Arc::new(rotating.clone().with_rate_limit(&rate)),
    ];
    let befores = limits.each_ref().map(|limit| limit.snapshot().unwrap());
    let mut calls = befores.each_ref().map(|before| before.public_key());
    let mut running = befores[0].sign(MESSAGE);
    assert!(poll!(&mut running).is_pending());
    assert!(poll!(&mut calls[1]).is_ready());
    rotating.promote();
    for limit in &limits {
        let after = limit.snapshot().unwrap();
        let refused = in_an_hour(after.sign(MESSAGE)).await.unwrap_err();
        assert_eq!(refused.kind(), ProviderErrorKind::Throttled, "{limit:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_a_call_drops_it_in_every_wrapper() {
    for index in 0..around(&Scripted::new("key-1")).len() {
        let kms = Scripted::new("key-1").on_sign([Step::Hang]).on_public_key([Step::Hang]);
        let (name, wrapper) = around(&kms).swap_remove(index);
        let mut fetching = wrapper.public_key();
        assert!(poll!(&mut fetching).is_pending(), "{name}");
        drop(fetching);
        assert_eq!(kms.under_way(), 0, "{name}");
        let mut signing = wrapper.sign(MESSAGE);
        assert!(poll!(&mut signing).is_pending(), "{name}");
        assert_eq!((kms.sign_calls(), kms.under_way()), (1, 1), "{name}");
        drop(signing);
        assert_eq!(kms.under_way(), 0, "{name}");
        // With the service quick again the wrapper works: the drop has left nothing held.
        assert!(in_an_hour(wrapper.sign(MESSAGE)).await.is_ok(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_wrapper_copies_the_text_of_a_cause_or_the_message_anywhere() {
    let (captured, _guard) = Captured::start();
    for kind in ProviderErrorKind::ALL {
        for index in 0..around(&Scripted::new("key-1")).len() {
            let failure = |_| {
                let cause = io::Error::other(SECRET);
                Step::FailWith(ProviderError::new(kind, "safe").with_source(cause))
            };
            let kms = Scripted::new("key-1").on_sign((0..2).map(failure));
            let (name, wrapper) = around(&kms).swap_remove(index);
            let Err(error) = wrapper.sign(MESSAGE).await else { panic!("{name} hid {kind}") };
            assert_eq!(error.kind(), kind, "{name}");
            let mut next: Option<&(dyn StdError + 'static)> = Some(&error);
            while let Some(link) = next {
                // The cause itself stays in the chain, as the backend made it.
                assert!(
                    link.is::<io::Error>() || !link.to_string().contains(SECRET),
                    "{name}: {link}"
                );
                next = link.source();
            }
            for line in captured.take() {
                assert!(!line.contains(SECRET) && !line.contains("safe"), "{name}: {line}");
                assert!(!line.contains("the-signature-base"), "{name}: {line}");
            }
        }
    }
}

#[test]
fn a_pin_can_be_any_of_its_forms() {
    let kms = Scripted::new("key-1");
    let jwk = kms.true_public_key().to_jwk();
    assert!(kms.clone().pinned(Pin::jwk(&jwk).unwrap()).is_ok());
    assert!(kms.pinned(Pin::spki_sha256([0; 32])).is_ok());
}
