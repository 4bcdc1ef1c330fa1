//! Signatures: their form, that they verify, how many and how long.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use adcp_signing_core::{
    Algorithm, ProviderError,
    ProviderErrorKind::MessageTooLarge,
    PublicKey, SigningProvider,
    provider::{Capability, KeyIdentity, Signed, layers::Pinned},
};
use async_trait::async_trait;
use rand::RngExt as _;

use crate::provider::{
    KeyState, independent,
    suite::{Dyn, Faulty, Run, Stop, concurrently, fail},
};

/// Enough that their agreement on a prefix is no chance.
const FORMS: usize = 8;
/// How many signatures are under way while many are made: a hard-working caller, and not yet a load
/// test.
const WIDTH: usize = 16;
/// What preparing once may take: a login, its renewal, a look at the key.
const INIT_REQUESTS: u64 = 4;
const LONGEST_RANDOM_BASE: usize = 2048;

pub(super) async fn wire_form(run: &Run<'_>) -> Result<(), Stop> {
    let provider = run.provider(KeyState::Ready).await?;
    let mut like_der = 0;
    let mut lengths = Vec::new();
    for _ in 0..FORMS {
        let signature = run.sign(&provider, &random_base()).await?.signature;
        if signature.algorithm() != provider.algorithm() {
            fail!(
                "declared for {}, but signed with {}",
                provider.algorithm(),
                signature.algorithm()
            );
        }
        let bytes = signature.as_bytes();
        like_der += usize::from(matches!(bytes, [0x30, _, 0x02, ..]));
        lengths.push(bytes.len());
    }
    if like_der == FORMS && provider.algorithm() == Algorithm::EcdsaP256Sha256 {
        fail!("the signatures begin as DER does; they must be r and s, 32 bytes each");
    }
    let key = run.public_key(&provider).await?;
    let expected = key
        .algorithm()
        .signature_len()
        .or_else(|| independent::rsa_components(&key).map(|[n, _]| n.len()));
    match lengths.iter().find(|len| Some(**len) != expected) {
        Some(len) => {
            fail!("a signature has {len} bytes; expected {}", expected.unwrap_or_default())
        }
        None => Ok(()),
    }
}

pub(super) async fn signs_and_verifies(run: &Run<'_>) -> Result<(), Stop> {
    let provider = run.provider(KeyState::Ready).await?;
    let key = run.public_key(&provider).await?;
    let base = b"\"@method\": POST\n\"@signature-params\": (\"@method\")";
    run.sign_well(&provider, &key, base).await?;
    // The public key from another provider of the same key is the same, and a signature of one is
    // good for the other.
    let other = run.provider(KeyState::Ready).await?;
    run.sign_well(&other, &key, base).await
}

pub(super) async fn many_signatures(run: &Run<'_>) -> Result<(), Stop> {
    let provider = run.provider(KeyState::Ready).await?;
    let key = run.public_key(&provider).await?;
    let one = |_| async {
        let base = random_base();
        run.sign_well(&provider, &key, &base).await
    };
    concurrently(WIDTH, (0..run.suite.signatures).map(one)).await
}

pub(super) async fn concurrent_signs(run: &Run<'_>) -> Result<(), Stop> {
    let key = run.public_key(&run.provider(KeyState::Ready).await?).await?;
    let fetched_before = run.harness.public_key_fetches();
    let counted = Arc::new(Counted {
        inner: run.provider(KeyState::Ready).await?,
        fetches: AtomicU64::new(0),
    });
    all_at_once(run, Arc::clone(&counted), &key).await?;
    let width = run.suite.concurrency;
    let fetches = match (fetched_before, run.harness.public_key_fetches()) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => counted.fetches.load(Ordering::SeqCst),
    };
    if fetches > 1 {
        fail!("{width} first signatures fetched the public key {fetches} times; once is enough");
    }
    one_init_at_the_service(run, &key).await
}

/// As the service counts it, where requests on the way to it can be counted.
async fn one_init_at_the_service(run: &Run<'_>, key: &PublicKey) -> Result<(), Stop> {
    let Faulty { provider, faults } = match run.faulty().await {
        Err(Stop::NotApplicable(_)) => return Ok(()),
        faulty => faulty?,
    };
    let Some(before) = faults.requests() else { return Ok(()) };
    all_at_once(run, provider, key).await?;
    let width = run.suite.concurrency;
    let asked = faults.requests().unwrap_or_default().saturating_sub(before);
    if asked > width as u64 + INIT_REQUESTS {
        fail!("{width} first signatures made {asked} requests; one of them is to prepare for all");
    }
    Ok(())
}

/// The first signatures of a pinned provider, all under way at once.
async fn all_at_once<P>(run: &Run<'_>, provider: P, key: &PublicKey) -> Result<(), Stop>
where
    P: SigningProvider + 'static,
{
    let pinned = Pinned::new(provider, key.clone());
    let pinned: Dyn = Arc::new(pinned);
    let one = |index: usize| {
        let pinned = &pinned;
        async move { run.sign_well(pinned, key, format!("signature base {index}").as_bytes()).await }
    };
    let width = run.suite.concurrency;
    concurrently(width.max(1), (0..width).map(one)).await
}

pub(super) async fn base_of(run: &Run<'_>, len: usize) -> Result<(), Stop> {
    let provider = run.provider(KeyState::Ready).await?;
    let base = vec![b'a'; len];
    if provider.capability().max_message_len.is_some_and(|limit| limit < len) {
        return run.expect(
            &format!("signing {len} bytes"),
            provider.sign(&base).await,
            &[MessageTooLarge],
        );
    }
    let key = run.public_key(&provider).await?;
    run.sign_well(&provider, &key, &base).await
}

pub(super) async fn longest_base(run: &Run<'_>) -> Result<(), Stop> {
    let provider = run.provider(KeyState::Ready).await?;
    let Some(limit) = provider.capability().max_message_len else {
        return Err(Stop::NotApplicable("the capability states no limit".to_owned()));
    };
    let key = run.public_key(&provider).await?;
    run.sign_well(&provider, &key, &vec![b'a'; limit]).await?;
    let too_long = vec![b'a'; limit.saturating_add(1)];
    run.expect(
        &format!("signing {} bytes", too_long.len()),
        provider.sign(&too_long).await,
        &[MessageTooLarge],
    )
}

pub(super) async fn empty_base(run: &Run<'_>) -> Result<(), Stop> {
    let provider = run.provider(KeyState::Ready).await?;
    let key = run.public_key(&provider).await?;
    match provider.sign(b"").await {
        Ok(signed) => run.verify(&key, b"", &signed),
        Err(error) => {
            run.leaks.search_error(&error);
            match error.kind() {
                kind if kind.is_retryable() => {
                    fail!("refused with {kind}, as if it might be signed later")
                }
                _ => Ok(()),
            }
        }
    }
}

fn random_base() -> Vec<u8> {
    let mut random = rand::rng();
    let mut base = vec![0; random.random_range(1..=LONGEST_RANDOM_BASE)];
    random.fill(base.as_mut_slice());
    base
}

/// Counts how often the public key is asked for.
#[derive(Debug)]
struct Counted {
    inner: Dyn,
    fetches: AtomicU64,
}

#[async_trait]
impl SigningProvider for Counted {
    fn identity(&self) -> &KeyIdentity {
        self.inner.identity()
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        self.inner.public_key().await
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        self.inner.sign(message).await
    }
}
