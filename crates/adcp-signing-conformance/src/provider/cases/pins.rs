//! The tripwire: no signature by any key or version but the pinned one.

use std::sync::Arc;

use adcp_signing_core::{
    InMemoryProvider, KeyPurpose,
    ProviderErrorKind::{AlgorithmMismatch, Configuration, PublicKeyMismatch},
    provider::{
        KeyVersion,
        layers::{Pin, Pinned},
    },
};
use futures_util::future::join;

use crate::provider::{
    HarnessError, KeySpec, KeyState,
    suite::{Dyn, Run, Stop, concurrently, fail},
};

const BASE: &[u8] = b"signature base";
const ROTATION_SIGNATURES: usize = 100;
const ROTATION_WIDTH: usize = 8;

pub(super) async fn pin_match(run: &Run<'_>) -> Result<(), Stop> {
    let key = run.public_key(&run.provider(KeyState::Ready).await?).await?;
    let pinned = pinned(run, Pin::public_key(key.clone())).await?;
    run.sign_well(&pinned, &key, BASE).await?;
    if run.public_key(&pinned).await? != key {
        fail!("the pinned provider hands out another key");
    }
    run.sign_well(&pinned, &key, BASE).await
}

pub(super) async fn pin_mismatch(run: &Run<'_>) -> Result<(), Stop> {
    let algorithm = run.provider(KeyState::Ready).await?.algorithm();
    let other = InMemoryProvider::generate(algorithm, KeyPurpose::RequestSigning)
        .map_err(|error| run.unexpected("no other key could be made", error))?;
    let pin = Pin::public_key(other.verifying_key().clone());
    let pinned = match run.harness.pinned(pin).await {
        Ok(pinned) => run.limited(pinned),
        Err(HarnessError::Provider(error)) => {
            return run.expect("building the provider", Err::<(), _>(error), &[PublicKeyMismatch]);
        }
        Err(error) => return Err(run.stop(error)),
    };
    run.expect("signing with another key pinned", pinned.sign(BASE).await, &[PublicKeyMismatch])?;
    run.expect(
        "the public key with another key pinned",
        pinned.public_key().await,
        &[PublicKeyMismatch],
    )
}

pub(super) async fn wrong_key_version(run: &Run<'_>) -> Result<(), Stop> {
    let provider = run.provider(KeyState::Ready).await?;
    let key = run.public_key(&provider).await?;
    let Some(version) = run.sign(&provider, BASE).await?.key_version else {
        return Err(Stop::NotApplicable(
            "the service does not say which key version signed".to_owned(),
        ));
    };
    let right = pinned(run, Pin::public_key(key.clone()).with_key_version(version.clone())).await?;
    run.sign_well(&right, &key, BASE).await?;
    let other = KeyVersion::new(format!("{}-another", version.expose()));
    let wrong = pinned(run, Pin::public_key(key).with_key_version(other)).await?;
    run.expect("signing with another version pinned", wrong.sign(BASE).await, &[PublicKeyMismatch])
}

pub(super) async fn wrong_algorithm(run: &Run<'_>) -> Result<(), Stop> {
    let refused = [AlgorithmMismatch, Configuration];
    let provider = match run.harness.provider(&KeySpec::new(KeyState::WrongAlgorithm)).await {
        Ok(provider) => run.limited(provider),
        Err(HarnessError::Provider(error)) => {
            return run.expect("building the provider", Err::<(), _>(error), &refused);
        }
        Err(error) => return Err(run.stop(error)),
    };
    let key = match provider.public_key().await {
        Ok(key) => key,
        Err(error) => return run.expect("fetching the public key", Err::<(), _>(error), &refused),
    };
    let pinned = Pinned::new(provider, key);
    run.expect("signing", adcp_signing_core::SigningProvider::sign(&pinned, BASE).await, &refused)
}

pub(super) async fn rotation_while_signing(run: &Run<'_>) -> Result<(), Stop> {
    let provider = run.provider(KeyState::Rotatable).await?;
    let key = run.public_key(&provider).await?;
    let pinned = Pinned::new(provider, key.clone());
    let pinned: Dyn = Arc::new(pinned);
    // The first signature fixes the version; what comes later must be by it or be refused.
    run.sign_well(&pinned, &key, BASE).await?;
    let one = |_| async {
        match pinned.sign(BASE).await {
            Ok(signed) => match run.verify(&key, BASE, &signed) {
                Ok(()) => Ok(()),
                Err(_) => fail!("a signature by the next key left under the key id of the last"),
            },
            Err(error) => run.expect("signing", Err::<(), _>(error), &[PublicKeyMismatch]),
        }
    };
    let signing = || concurrently(ROTATION_WIDTH, (0..ROTATION_SIGNATURES).map(one));
    let (rotated, signed) = join(run.harness.rotate(), signing()).await;
    rotated.map_err(|error| run.stop(error))?;
    signed?;
    signing().await?;
    // Whatever a new provider signs with after the rotation, its public key says so.
    let fresh = run.provider(KeyState::Rotatable).await?;
    let key = run.public_key(&fresh).await?;
    run.sign_well(&fresh, &key, BASE).await
}

async fn pinned(run: &Run<'_>, pin: Pin) -> Result<Dyn, Stop> {
    run.harness
        .pinned(pin)
        .await
        .map(|provider| run.limited(provider))
        .map_err(|error| run.stop(error))
}
