//! `Signer`: a profile, a key, a clock and nonces, ready to sign any number of messages.

use std::sync::Arc;

use super::{Parameters, Prepared, SignError, SignedFields, prepared::prepare_target};
use crate::{
    clock::{Clock, SystemClock, UnixSeconds},
    nonce::{Nonces, RandomNonces},
    profile::{LABEL, MAX_VALIDITY, MessageKind, Profile},
    provider::SigningProvider,
    rfc9421::Request,
    target_uri::{TargetUri, unambiguous_target},
};

/// Signs messages of one profile with one key.
///
/// ```
/// use std::sync::Arc;
///
/// use adcp_signing_core::{profile::{Profile, WireVersion}, provider::InMemoryProvider, rfc9421::{FieldLine, Request}, sign::Signer, Algorithm, KeyPurpose};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning)?;
/// let signer = Signer::new(Profile::request(WireVersion::V3_2), Arc::new(key))?;
///
/// let fields = [FieldLine::new("Content-Type", "application/json")];
/// let request = Request::new("POST", "https://seller.example.com/adcp/create_media_buy", &fields, b"{}");
/// let signed = signer.sign(&request).await?;
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

/// What a signer does with URL shapes on which implementations disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AmbiguousUrls {
    /// Refuses them, so that what is sent verifies everywhere.
    #[default]
    Refuse,
    /// Canonicalizes them by the letter of the eight steps.
    Allow,
}

/// Whether legacy request profiles cover `content-digest`. Profile 3.2 and webhooks always do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DigestCoverage {
    /// Covered on messages with a body.
    #[default]
    Cover,
    /// Not covered, for an endpoint that advertises `forbidden`.
    Leave,
}

/// What a caller may choose for one message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SignOptions {
    /// When the signature is made, in place of now.
    pub created: Option<UnixSeconds>,
    /// How long it is valid, in seconds, 1 to 300; 300 by default.
    pub expires_in: Option<i64>,
    /// The nonce, in place of a random one.
    pub nonce: Option<String>,
    /// The label, in place of `sig1`.
    pub label: Option<String>,
}

impl Signer {
    /// A signer on the system's clock and random nonces.
    ///
    /// # Errors
    /// [`SignError::Purpose`] or [`SignError::Algorithm`] when the profile does not accept the provider's key.
    pub fn new(profile: Profile, provider: Arc<dyn SigningProvider>) -> Result<Self, SignError> {
        let signer = Self {
            profile,
            provider,
            clock: Arc::new(SystemClock),
            nonces: Arc::new(RandomNonces),
            ambiguous: AmbiguousUrls::default(),
            coverage: DigestCoverage::default(),
        };
        signer.accept(&*signer.provider)?;
        Ok(signer)
    }

    /// Another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Other nonces.
    #[must_use]
    pub fn with_nonces(mut self, nonces: Arc<dyn Nonces>) -> Self {
        self.nonces = nonces;
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
        let drawn = match options.nonce {
            Some(_) => None,
            None => Some(self.nonces.next()?),
        };
        let nonce = options
            .nonce
            .as_deref()
            .or(drawn.as_ref().map(|nonce| nonce.as_str()))
            .unwrap_or_default();
        let created = options.created.unwrap_or_else(|| self.clock.now());
        let cover_digest = match self.coverage {
            DigestCoverage::Cover => {
                !request.body.is_empty() || self.profile.kind() == MessageKind::Webhook
            }
            DigestCoverage::Leave => false,
        };
        let validity = options.expires_in.unwrap_or(MAX_VALIDITY);
        prepare_target(
            &self.profile,
            request,
            target,
            &Parameters {
                label: options.label.as_deref().unwrap_or(LABEL),
                created,
                expires: UnixSeconds::new(created.as_i64().saturating_add(validity)),
                nonce,
                keyid: provider.key_id(),
                algorithm: provider.algorithm(),
                cover_digest,
            },
        )
    }

    /// The canonical target URI of a URL that has one form only. One that has none at all is called
    /// malformed, not ambiguous, whatever else is strange about it.
    fn unambiguous(&self, url: &str) -> Result<TargetUri, SignError> {
        unambiguous_target(url).map_err(|ambiguous| {
            TargetUri::canonicalize(url, self.profile.signer_uri_rules())
                .map_or_else(Into::into, |_| ambiguous.into())
        })
    }

    fn accept(&self, provider: &dyn SigningProvider) -> Result<(), SignError> {
        if !self.profile.admits(provider.algorithm()) {
            return Err(SignError::Algorithm(provider.algorithm()));
        }
        if self.profile.accepts_purpose(provider.purpose()) {
            Ok(())
        } else {
            Err(SignError::Purpose {
                purpose: provider.purpose().clone(),
                profile: self.profile.to_string(),
            })
        }
    }
}
