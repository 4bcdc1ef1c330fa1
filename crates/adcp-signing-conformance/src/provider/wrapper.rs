//! The suite for wrappers: providers around providers, which must pass on what is not theirs.

use std::{sync::Arc, time::Duration};

use adcp_signing_core::{
    Algorithm, InMemoryProvider, KeyPurpose, ProviderError, ProviderErrorKind, PublicKey,
    SigningProvider, SystemClock,
    provider::{
        Signed, forward_identity,
        layers::{Rotating, Rotation},
    },
};
use async_trait::async_trait;

use super::{CaseReport, Outcome, SuiteReport, cases::Identity};

type Dyn = Arc<dyn SigningProvider>;
type Checked = Result<(), String>;

const BASE: &[u8] = b"signature base";
/// Short, because a wrapper that retries waits for so long.
const RETRY_AFTER: Duration = Duration::from_millis(1);

/// Runs what holds for every wrapper: it passes on identity, keys, signatures, errors and, which is
/// the one that is forgotten because there is a default, [`snapshot`](SigningProvider::snapshot).
/// `wrap` puts the wrapper around a provider.
///
/// A wrapper that cannot hold a rotating key, as
/// [`Pinned`](adcp_signing_core::provider::layers::Pinned), is not for this suite.
///
/// ```
/// use std::time::Duration;
///
/// use adcp_signing_conformance::provider::run_wrapper;
/// use adcp_signing_core::provider::layers::SigningProviderExt as _;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # runtime.block_on(async {
/// run_wrapper("Deadline", |inner| inner.with_deadline(Duration::from_secs(1))).await.assert();
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn run_wrapper<W: SigningProvider + 'static>(
    name: impl Into<String>,
    wrap: impl Fn(Dyn) -> W,
) -> SuiteReport {
    let wrap = |inner: Dyn| -> Dyn { Arc::new(wrap(inner)) };
    let outcomes = [
        ("forwards-identity", forwards_identity(&wrap)),
        ("forwards-keys-and-signatures", forwards_signatures(&wrap).await),
        ("forwards-errors", forwards_errors(&wrap).await),
        ("forwards-snapshot", forwards_snapshot(&wrap).await),
        ("no-snapshot-of-a-fixed-key", no_snapshot(&wrap)),
    ];
    let cases = outcomes.map(|(case, checked)| {
        let outcome = checked.map_or_else(Outcome::Failed, |()| Outcome::Passed);
        CaseReport { case, outcome }
    });
    SuiteReport { name: name.into(), cases: cases.into() }
}

fn forwards_identity(wrap: &impl Fn(Dyn) -> Dyn) -> Checked {
    for purpose in [
        KeyPurpose::RequestSigning,
        KeyPurpose::WebhookSigning,
        KeyPurpose::from("a-later-purpose"),
    ] {
        for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256] {
            let inner = key("a-key", algorithm, purpose.clone())?;
            let wrapped = wrap(Arc::clone(&inner));
            if Identity::of(&*wrapped) != Identity::of(&*inner) {
                return Err(format!(
                    "a key for {algorithm} and `{purpose}` has another identity when wrapped"
                ));
            }
        }
    }
    Ok(())
}

async fn forwards_signatures(wrap: &impl Fn(Dyn) -> Dyn) -> Checked {
    let inner = key("a-key", Algorithm::Ed25519, KeyPurpose::RequestSigning)?;
    let wrapped = wrap(Arc::clone(&inner));
    let told = |error: ProviderError| error.to_string();
    let expected = inner.public_key().await.map_err(told)?;
    if wrapped.public_key().await.map_err(told)? != expected {
        return Err("the public key is another one when wrapped".to_owned());
    }
    let signed = wrapped.sign(BASE).await.map_err(told)?;
    expected.verify(BASE, &signed.signature).map_err(|_| "the signature does not verify".to_owned())
}

async fn forwards_errors(wrap: &impl Fn(Dyn) -> Dyn) -> Checked {
    for kind in ProviderErrorKind::ALL {
        let inner = key("a-key", Algorithm::Ed25519, KeyPurpose::RequestSigning)?;
        let wrapped = wrap(Arc::new(Fails { inner, kind }));
        for (call, failure) in [
            ("sign", wrapped.sign(BASE).await.err()),
            ("public_key", wrapped.public_key().await.err()),
        ] {
            match failure {
                Some(error) if error.kind() != kind => {
                    return Err(format!("{call}: {kind} became {}", error.kind()));
                }
                Some(error) if error.retry_after() != Some(RETRY_AFTER) => {
                    return Err(format!("{call}: {kind} lost its retry_after"));
                }
                Some(_) => {}
                None => return Err(format!("{call}: {kind} was hidden")),
            }
        }
    }
    Ok(())
}

async fn forwards_snapshot(wrap: &impl Fn(Dyn) -> Dyn) -> Checked {
    let [current, next] =
        ["old", "new"].map(|kid| key(kid, Algorithm::Ed25519, KeyPurpose::RequestSigning));
    let rotating = Rotating::new(current?, next?, Rotation::by_operator(), Arc::new(SystemClock))
        .map_err(|error| error.to_string())?;
    let rotating = Arc::new(rotating);
    let wrapped = wrap(Arc::clone(&rotating) as Dyn);
    let snapshot =
        || wrapped.snapshot().ok_or("around a key that rotates there is no snapshot".to_owned());
    let before = snapshot()?;
    rotating.promote();
    for (snapshot, key_id) in [(before, "old"), (snapshot()?, "new")] {
        if snapshot.key_id() != key_id {
            return Err(format!(
                "the snapshot of the key `{key_id}` is of `{}`",
                snapshot.key_id()
            ));
        }
        if snapshot.snapshot().is_some() {
            return Err("a snapshot has a snapshot of its own".to_owned());
        }
        let told = |error: ProviderError| error.to_string();
        let key = snapshot.public_key().await.map_err(told)?;
        let signed = snapshot.sign(BASE).await.map_err(told)?;
        key.verify(BASE, &signed.signature)
            .map_err(|_| "a snapshot's signature does not verify under its key".to_owned())?;
    }
    // A wrapper that shows itself must show itself around the snapshot too; one that does not
    // cannot be told apart.
    let shown = |provider: Option<Dyn>| format!("{provider:?}");
    let shows_itself = format!("{wrapped:?}") != format!("{rotating:?}");
    if shows_itself && shown(wrapped.snapshot()) == shown(rotating.snapshot()) {
        return Err(
            "the snapshot is the inner provider's, without the wrapper around it".to_owned()
        );
    }
    Ok(())
}

fn no_snapshot(wrap: &impl Fn(Dyn) -> Dyn) -> Checked {
    match wrap(key("a-key", Algorithm::Ed25519, KeyPurpose::RequestSigning)?).snapshot() {
        Some(_) => Err("around a key that never changes there is a snapshot".to_owned()),
        None => Ok(()),
    }
}

fn key(kid: &str, algorithm: Algorithm, purpose: KeyPurpose) -> Result<Dyn, String> {
    let key = InMemoryProvider::generate(algorithm, purpose).map_err(|error| error.to_string())?;
    Ok(Arc::new(key.with_key_id(kid)))
}

/// Fails every call.
#[derive(Debug)]
struct Fails {
    inner: Dyn,
    kind: ProviderErrorKind,
}

impl Fails {
    fn error(&self) -> ProviderError {
        ProviderError::new(self.kind, "as it should").with_retry_after(RETRY_AFTER)
    }
}

#[async_trait]
impl SigningProvider for Fails {
    forward_identity!(inner);

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        Err(self.error())
    }

    async fn sign(&self, _: &[u8]) -> Result<Signed, ProviderError> {
        Err(self.error())
    }
}
