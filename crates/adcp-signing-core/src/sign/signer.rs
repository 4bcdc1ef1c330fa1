//! `Signer`: a profile, a key, a clock and nonces, ready to sign any number of messages.

use std::sync::Arc;

use super::{
    AmbiguousUrls, DigestCoverage, Parameters, Prepared, SignError, SignOptions, SignedFields,
    prepared::prepare_target,
};
use crate::{
    clock::{Clock, SystemClock},
    nonce::{Nonces, RandomNonces},
    profile::{LABEL, MAX_VALIDITY, Profile, PurposeVerdict, WireVersion},
    provider::SigningProvider,
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
    provider: Arc<dyn SigningProvider>,
    clock: Arc<dyn Clock>,
    nonces: Arc<dyn Nonces>,
    ambiguous: AmbiguousUrls,
    coverage: DigestCoverage,
}

impl Signer {
    /// A signer on the system's clock and random nonces.
    ///
    /// A key whose purpose the profile deprecates is accepted, with a warning in the log.
    ///
    /// # Errors
    /// [`SignError::Purpose`] or [`SignError::Algorithm`] when the profile does not accept the
    /// provider's key.
    pub fn new(
        profile: Profile,
        provider: impl SigningProvider + 'static,
    ) -> Result<Self, SignError> {
        let signer = Self {
            profile,
            provider: Arc::new(provider),
            clock: Arc::new(SystemClock),
            nonces: Arc::new(RandomNonces),
            ambiguous: AmbiguousUrls::default(),
            coverage: DigestCoverage::default(),
        };
        let key = &signer.provider;
        if let PurposeVerdict::Deprecated { advice } = signer.accept(key)? {
            tracing::warn!(kid = key.key_id(), profile = %signer.profile, advice, "deprecated key");
        }
        Ok(signer)
    }

    /// A signer of requests of the newest contract.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn for_requests(provider: impl SigningProvider + 'static) -> Result<Self, SignError> {
        Self::new(Profile::request(WireVersion::NEWEST), provider)
    }

    /// A signer of webhooks of the newest contract.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn for_webhooks(provider: impl SigningProvider + 'static) -> Result<Self, SignError> {
        Self::new(Profile::webhook(), provider)
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

    /// Whether legacy profiles cover the digest.
    #[must_use]
    pub fn with_digest_coverage(mut self, coverage: DigestCoverage) -> Self {
        self.coverage = coverage;
        self
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
        // A key that rotates is asked once, so that `keyid` and signature are of the same key.
        let snapshot = self.provider.snapshot();
        let provider = snapshot.as_deref().unwrap_or(&*self.provider);
        let prepared = self.prepare_for(provider, request, options)?;
        let signed = provider.sign(prepared.signature_base()).await?;
        prepared.finalize(&signed.signature)
    }

    /// The first half alone, for a key that this crate does not drive.
    ///
    /// # Errors
    /// [`SignError`]; nothing has changed.
    pub fn prepare(
        &self,
        request: &Request<'_>,
        options: &SignOptions,
    ) -> Result<Prepared, SignError> {
        let snapshot = self.provider.snapshot();
        self.prepare_for(snapshot.as_deref().unwrap_or(&*self.provider), request, options)
    }

    fn prepare_for(
        &self,
        provider: &dyn SigningProvider,
        request: &Request<'_>,
        options: &SignOptions,
    ) -> Result<Prepared, SignError> {
        self.accept(provider)?;
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

    /// What the profile makes of the key; a refusal is an error.
    fn accept(&self, provider: &dyn SigningProvider) -> Result<PurposeVerdict, SignError> {
        if !self.profile.admits(provider.algorithm()) {
            return Err(SignError::Algorithm(provider.algorithm()));
        }
        match self.profile.judge_purpose(provider.purpose()) {
            PurposeVerdict::Refused { cure } => Err(SignError::Purpose {
                purpose: provider.purpose().clone(),
                profile: self.profile.to_string(),
                cure,
            }),
            verdict @ (PurposeVerdict::Accepted | PurposeVerdict::Deprecated { .. }) => Ok(verdict),
        }
    }
}
