//! The suite for wrappers: providers around providers, which must pass on what is not theirs.

use std::{sync::Arc, time::Duration};

use adcp_signing_core::{
    Algorithm, InMemoryProvider, KeyPurpose, ProviderError, ProviderErrorKind, PublicKey,
    SigningProvider,
    provider::{Capability, KeyIdentity, Signed},
};
use async_trait::async_trait;

use super::{CaseReport, Outcome, SuiteReport, cases::Identity};

type Dyn = Arc<dyn SigningProvider>;
type Checked = Result<(), String>;

const BASE: &[u8] = b"signature base";
/// Short, because a wrapper that retries waits for so long.
const RETRY_AFTER: Duration = Duration::from_millis(1);

/// Runs what holds for every wrapper: it passes on identity, keys, signatures and errors. `wrap` puts
/// the wrapper around a provider.
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
    fn identity(&self) -> &KeyIdentity {
        self.inner.identity()
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        Err(self.error())
    }

    async fn sign(&self, _: &[u8]) -> Result<Signed, ProviderError> {
        Err(self.error())
    }
}
