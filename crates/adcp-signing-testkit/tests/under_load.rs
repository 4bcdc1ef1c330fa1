//! The run under load passes a provider that outlives its server's end, and says what is wrong with
//! another.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    future, io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use adcp_signing_core::{
    Algorithm, InMemoryProvider, KeyPurpose, ProviderError,
    ProviderErrorKind::{self, KeyNotFound, Timeout, Unavailable},
    PublicKey, SigningProvider,
    provider::{Capability, KeyIdentity, Signed},
};
use adcp_signing_testkit::{OwnServer, survives_a_kill};
use async_trait::async_trait;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    HangsWhileAway,
    HangsForGood,
    SaysThatTheKeyIsGone,
    ComesBackWithAnotherKey,
    DoesNotComeBack,
}

/// A service in this process, and the provider of its key.
#[derive(Debug)]
struct Service {
    flaw: Flaw,
    away: AtomicBool,
    was_away: AtomicBool,
    key: InMemoryProvider,
    another: InMemoryProvider,
}

impl Service {
    fn new(flaw: Flaw) -> Arc<Self> {
        let key = || {
            InMemoryProvider::generate(Algorithm::EcdsaP256Sha256, KeyPurpose::RequestSigning)
                .unwrap()
        };
        let (away, was_away) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { flaw, away, was_away, key: key(), another: key().with_key_id("k") })
    }
}

#[async_trait]
impl SigningProvider for Service {
    fn identity(&self) -> &KeyIdentity {
        self.key.identity()
    }

    fn capability(&self) -> Capability {
        self.key.capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.key.public_key().await
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        // Time passes only while everybody waits, and those who hang wait for it to.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let (away, was_away) =
            (self.away.load(Ordering::SeqCst), self.was_away.load(Ordering::SeqCst));
        match self.flaw {
            Flaw::HangsForGood if was_away => future::pending().await,
            Flaw::HangsWhileAway if away => future::pending().await,
            Flaw::SaysThatTheKeyIsGone if away => {
                Err(ProviderError::new(KeyNotFound, "no such key"))
            }
            _ if away => Err(ProviderError::new(Unavailable, "nobody is there")),
            Flaw::ComesBackWithAnotherKey if was_away => self.another.sign(message).await,
            _ => self.key.sign(message).await,
        }
    }
}

struct Switch(Arc<Service>);

#[async_trait]
impl OwnServer for Switch {
    async fn kill(&mut self) -> io::Result<()> {
        self.0.was_away.store(true, Ordering::SeqCst);
        self.0.away.store(true, Ordering::SeqCst);
        Ok(())
    }

    async fn restart(&mut self) -> io::Result<()> {
        if self.0.flaw == Flaw::DoesNotComeBack {
            return Err(io::Error::other("no disk"));
        }
        self.0.away.store(false, Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn what_callers_must_not_see_ends_the_run() {
    let cases: [(Flaw, Result<&[ProviderErrorKind], &str>); 6] = [
        (Flaw::None, Ok(&[Unavailable])),
        (Flaw::HangsWhileAway, Ok(&[Timeout])),
        (Flaw::HangsForGood, Err("failed: timeout")),
        (Flaw::SaysThatTheKeyIsGone, Err("failed: key_not_found")),
        (Flaw::ComesBackWithAnotherKey, Err("failed: invalid_response")),
        (Flaw::DoesNotComeBack, Err("did not come back: no disk")),
    ];
    for (flaw, expected) in cases {
        let service = Service::new(flaw);
        let outcome = survives_a_kill(service.clone(), &mut Switch(service)).await;
        match (&outcome, expected) {
            (Ok(survived), Ok(kinds)) => {
                assert_eq!(survived.kinds, kinds, "{flaw:?}");
                assert!(survived.signed >= 4 * 32 && survived.refused > 0, "{survived:?}");
            }
            (Err(error), Err(says)) => assert!(error.contains(says), "{flaw:?}: {error}"),
            _ => panic!("{flaw:?}: {outcome:?}"),
        }
    }
}
