//! `Signer`: a profile, a key, a clock and nonces, ready to sign any number of messages.

use std::sync::Arc;

use tracing::{Instrument as _, Span, field::Empty};

use super::{
    AmbiguousUrls, DigestCoverage, Parameters, Prepared, SignError, SignOptions, SignedFields,
    error::check_key_id, prepared::prepare_target,
};
use crate::{
    clock::{Clock, SystemClock},
    keys::{Algorithm, KeyPurpose},
    nonce::{Nonces, RandomNonces},
    operation::DigestPolicy,
    profile::{LABEL, MAX_VALIDITY, Profile, PurposeVerdict, WireVersion},
    provider::{KeyIdentity, SignerKey, SigningProvider},
    rfc9421::Request,
    target_uri::{TargetUri, unambiguous_target},
};

/// Signs messages of one profile with one key.
///
/// ```
/// use adcp_signing_core::{
///     Algorithm, InMemoryProvider, KeyPurpose,
///     rfc9421::{FieldLine, Request},
///     sign::Signer,
/// };
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning)?;
/// let signer = Signer::for_requests(key)?;
///
/// let fields = [FieldLine::new("Content-Type", "application/json")];
/// let url = "https://seller.example.com/adcp/create_media_buy";
/// let signed = signer.sign(&Request::new("POST", url, &fields, b"{}")).await?;
/// for (name, value) in signed.iter() {
///     println!("{name}: {value}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Signer {
    profile: Profile,
    key: SignerKey,
    clock: Arc<dyn Clock>,
    nonces: Arc<dyn Nonces>,
    ambiguous: AmbiguousUrls,
    coverage: DigestCoverage,
}

impl Signer {
    /// A signer on the system's clock and random nonces. The key is a provider, a rotation, or a
    /// key that is opened at its first use.
    ///
    /// A key whose purpose the profile deprecates is accepted, with a warning in the log.
    ///
    /// # Errors
    /// [`SignError::Purpose`] or [`SignError::Algorithm`] when the profile does not accept the key,
    /// [`SignError::KeyId`] when no signature can carry its id. The algorithm and the id of a key
    /// that is not open yet are checked at the first signature.
    pub fn new(profile: Profile, key: impl Into<SignerKey>) -> Result<Self, SignError> {
        let signer = Self {
            profile,
            key: key.into(),
            clock: Arc::new(SystemClock),
            nonces: Arc::new(RandomNonces),
            ambiguous: AmbiguousUrls::default(),
            coverage: DigestCoverage::default(),
        };
        let identity = signer.key.identity();
        if let Some(identity) = identity {
            signer.accept_algorithm(identity.algorithm())?;
            check_key_id(identity.key_id())?;
        }
        let verdict = signer.accept_purpose(signer.key.purpose())?;
        if let PurposeVerdict::Deprecated { advice } = verdict {
            let kid = identity.map(KeyIdentity::key_id);
            tracing::warn!(kid, profile = %signer.profile, advice, "deprecated key");
        }
        Ok(signer)
    }

    /// A signer of requests of the newest contract.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn for_requests(key: impl Into<SignerKey>) -> Result<Self, SignError> {
        Self::new(Profile::request(WireVersion::NEWEST), key)
    }

    /// A signer of webhooks of the newest contract.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn for_webhooks(key: impl Into<SignerKey>) -> Result<Self, SignError> {
        Self::new(Profile::webhook(), key)
    }

    /// Another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Other nonces.
    #[must_use]
    pub fn with_nonces(mut self, nonces: impl Nonces + 'static) -> Self {
        self.nonces = Arc::new(nonces);
        self
    }

    /// What to do with ambiguous URLs.
    #[must_use]
    pub fn with_ambiguous_urls(mut self, ambiguous: AmbiguousUrls) -> Self {
        self.ambiguous = ambiguous;
        self
    }

    /// Whether signatures cover the digest of the body.
    #[must_use]
    pub fn with_digest_coverage(mut self, coverage: DigestCoverage) -> Self {
        self.coverage = coverage;
        self
    }

    /// The same signer for an agent of this wire version: key, clock and nonces are shared, and
    /// nothing of this signer changes. `digest` is the agent's policy, which counts before 3.2
    /// alone: where the agent forbids the digest, it is not covered, and where it requires the
    /// digest, it is covered without a body too.
    ///
    /// ```
    /// use adcp_signing_core::{
    ///     Algorithm, InMemoryProvider, KeyPurpose, Signer, WireVersion, operation::DigestPolicy,
    /// };
    ///
    /// let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning)?;
    /// let signer = Signer::for_requests(key)?;
    /// let older = signer.for_peer(WireVersion::V3_1, DigestPolicy::Either);
    /// assert_eq!(older.profile().to_string(), "request 3.1 (contract 3.1.19)");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn for_peer(&self, peer: WireVersion, digest: DigestPolicy) -> Self {
        let profile = self.profile.for_peer(peer);
        let coverage = match digest {
            _ if profile.forbids_content_digest(digest) => DigestCoverage::Leave,
            DigestPolicy::Required => DigestCoverage::Always,
            DigestPolicy::Either | DigestPolicy::Forbidden => DigestCoverage::Cover,
        };
        Self { profile, coverage, ..self.clone() }
    }

    /// The profile.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Signs a message with a fresh nonce, valid for 300 seconds from now.
    ///
    /// # Errors
    /// [`SignError`]; the message is as it was.
    pub async fn sign(&self, request: &Request<'_>) -> Result<SignedFields, SignError> {
        self.sign_with(request, &SignOptions::default()).await
    }

    /// Signs a message with parameters of the caller's.
    ///
    /// # Errors
    /// [`SignError`]; the message is as it was.
    pub async fn sign_with(
        &self,
        request: &Request<'_>,
        options: &SignOptions,
    ) -> Result<SignedFields, SignError> {
        let span = tracing::info_span!(
            target: "adcp_signing::sign",
            "adcp_signing.sign_message",
            profile = %self.profile,
            kid = Empty,
            "error.type" = Empty,
        );
        let outcome = self.sign_within(&span, request, options).instrument(span.clone()).await;
        if let Err(error) = &outcome {
            span.record("error.type", error.code());
        }
        outcome
    }

    async fn sign_within(
        &self,
        span: &Span,
        request: &Request<'_>,
        options: &SignOptions,
    ) -> Result<SignedFields, SignError> {
        // Drawn once, so that `keyid` and signature are of the same key.
        let key = self.key.draw().await?;
        span.record("kid", key.key_id());
        let prepared = self.prepare_for(&*key, request, options)?;
        let signed = key.sign(prepared.signature_base()).await?;
        prepared.finalize(&signed.signature)
    }

    /// The first half alone, for a signature that the caller makes.
    ///
    /// # Errors
    /// [`SignError`]; nothing has changed.
    pub async fn prepare(
        &self,
        request: &Request<'_>,
        options: &SignOptions,
    ) -> Result<Prepared, SignError> {
        self.prepare_for(&*self.key.draw().await?, request, options)
    }

    fn prepare_for(
        &self,
        provider: &dyn SigningProvider,
        request: &Request<'_>,
        options: &SignOptions,
    ) -> Result<Prepared, SignError> {
        self.accept_algorithm(provider.algorithm())?;
        self.accept_purpose(provider.purpose())?;
        let target = match self.ambiguous {
            AmbiguousUrls::Refuse => Some(self.unambiguous(request.url)?),
            AmbiguousUrls::Allow => None,
        };
        let nonce = match &options.nonce {
            Some(nonce) => nonce.clone(),
            None => self.nonces.next()?,
        };
        let created = options.created.unwrap_or_else(|| self.clock.now());
        let parameters = Parameters {
            label: options.label.as_deref().unwrap_or(LABEL),
            expires: created.plus(options.expires_in.unwrap_or(MAX_VALIDITY)),
            coverage: self.coverage,
            ..Parameters::new(created, &nonce, provider.key_id(), provider.algorithm())
        };
        prepare_target(&self.profile, request, target, &parameters)
    }

    /// The canonical target URI of a URL that has one form only. One that has none at all is called
    /// malformed, not ambiguous, whatever else is strange about it.
    fn unambiguous(&self, url: &str) -> Result<TargetUri, SignError> {
        unambiguous_target(url).map_err(|ambiguous| {
            TargetUri::canonicalize(url, self.profile.signer_uri_rules())
                .map_or_else(Into::into, |_| ambiguous.into())
        })
    }

    fn accept_algorithm(&self, algorithm: Algorithm) -> Result<(), SignError> {
        if self.profile.admits(algorithm) { Ok(()) } else { Err(SignError::Algorithm(algorithm)) }
    }

    /// The profile's verdict on the key's purpose; a refusal is an error.
    fn accept_purpose(&self, purpose: &KeyPurpose) -> Result<PurposeVerdict, SignError> {
        match self.profile.judge_purpose(purpose) {
            PurposeVerdict::Refused { cure } => Err(SignError::Purpose {
                purpose: purpose.clone(),
                profile: self.profile.to_string(),
                cure,
            }),
            verdict @ (PurposeVerdict::Accepted | PurposeVerdict::Deprecated { .. }) => Ok(verdict),
        }
    }
}
