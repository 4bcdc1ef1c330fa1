//! What holds for every wrapper, tested on all of them.

use std::{
    error::Error as StdError,
    io,
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
    time::Duration,
};

use futures_util::poll;

use super::{Pin, Pinned, RateLimitPolicy, RetryPolicy, SigningProviderExt as _};
use crate::{
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

/// Every wrapper, by its name.
fn around(kms: &Scripted) -> Vec<(&'static str, Dyn)> {
    let inner: Dyn = Arc::new(kms.clone());
    let inner = || inner.clone();
    let many = NonZeroUsize::new(8).unwrap();
    let rate = RateLimitPolicy::per_second(NonZeroU32::new(1000).unwrap());
    let once = RetryPolicy::default().with_max_attempts(NonZeroUsize::MIN);
    let pinned = Pinned::new(inner(), kms.true_public_key());
    // The replica plays the same script: it takes the step after the one that the primary failed
    // with.
    let failover = inner().with_failover([inner()], Duration::from_secs(1)).unwrap();
    vec![
        ("Arc", Arc::new(inner())),
        ("Box", Arc::new(Box::new(inner()))),
        ("SelfChecking", Arc::new(inner().self_checking())),
        ("Instrumented", Arc::new(inner().instrumented())),
        ("Retrying", Arc::new(inner().retrying(once))),
        ("Deadline", Arc::new(inner().with_deadline(Duration::from_secs(1)))),
        ("ConcurrencyLimit", Arc::new(inner().with_concurrency_limit(many, 8))),
        ("RateLimit", Arc::new(inner().with_rate_limit(&rate))),
        ("Pinned", Arc::new(pinned)),
        ("Failover", Arc::new(failover)),
    ]
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

/// What a call answers. On paused time one that waits for ever fails at once.
async fn in_an_hour<T>(call: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(3_600), call).await.expect("the call waits for ever")
}

#[tokio::test(start_paused = true)]
async fn the_keys_of_a_rotation_share_a_limit_that_is_put_around_both() {
    let current = Scripted::new("old").on_sign([Step::Hang, Step::Hang]);
    let next = Scripted::new("new");
    let rate = RateLimitPolicy::per_second(NonZeroU32::MIN).with_max_wait(Duration::ZERO);
    let counted = current.clone().with_concurrency_limit(NonZeroUsize::MIN, 0);
    let rated = current.with_rate_limit(&rate);
    let pairs: [[Dyn; 2]; 2] = [
        [Arc::new(counted.around(next.clone())), Arc::new(counted)],
        [Arc::new(rated.around(next)), Arc::new(rated)],
    ];
    for [next, current] in pairs {
        let mut running = current.sign(MESSAGE);
        assert!(poll!(&mut running).is_pending());
        let refused = in_an_hour(next.sign(MESSAGE)).await.unwrap_err();
        assert_eq!(refused.kind(), ProviderErrorKind::Throttled, "{next:?}");
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
    let _ = kms.clone().pinned(Pin::jwk(&jwk).unwrap());
    let _ = kms.pinned(Pin::spki_sha256([0; 32]));
}
