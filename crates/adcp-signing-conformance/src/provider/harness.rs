//! What a backend tells the suite: how to make providers for keys in every state, and how to make
//! its service fail.

use std::{borrow::Cow, sync::Arc, time::Duration};

use adcp_signing_core::{
    KeyPurpose, ProviderError, SigningProvider,
    provider::layers::{Pin, SigningProviderExt as _},
};
use async_trait::async_trait;

use super::Case;

/// A backend under test, with keys of one algorithm.
///
/// [`name`](Self::name), [`secrets`](Self::secrets) and [`provider`](Self::provider) are all that a backend must write;
/// each hook beyond them opens the cases that need it. A case whose hook answers
/// [`HarnessError::NotApplicable`] is listed with that reason. The providers are the bare
/// backend's, with no wrapper of core around them.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The backend, the server and the algorithm, as the report is to name them: `aws-kms,
    /// LocalStack, P-256`.
    fn name(&self) -> String;

    /// What must show nowhere: tokens, passwords, private keys, full resource names. At least one,
    /// each long enough to be unmistakable in a page of logs.
    fn secrets(&self) -> Vec<String>;

    /// A provider for a key as `spec` describes it. Called many times; for one spec always the same
    /// key, but each time a new provider.
    ///
    /// # Errors
    /// [`HarnessError::Provider`] with the backend's own error where it refuses to build the provider; the suite judges
    /// that as it judges an error of the first use.
    async fn provider(&self, spec: &KeySpec) -> Result<Arc<dyn SigningProvider>, HarnessError>;

    /// A provider for the [ready](KeyState::Ready) key that is held to `pin`. A backend with a pin
    /// in its own configuration overrides this to test that way; the rest get core's
    /// [`Pinned`](adcp_signing_core::provider::layers::Pinned).
    ///
    /// # Errors
    /// As [`provider`](Self::provider).
    async fn pinned(&self, pin: Pin) -> Result<Arc<dyn SigningProvider>, HarnessError> {
        let provider = self.provider(&KeySpec::new(KeyState::Ready)).await?;
        Ok(Arc::new(provider.pinned(pin)))
    }

    /// Makes a new version of the [rotatable](KeyState::Rotatable) key and makes it the one that
    /// the service signs with where the caller names none.
    ///
    /// # Errors
    /// [`HarnessError`].
    async fn rotate(&self) -> Result<(), HarnessError> {
        Err(HarnessError::not_applicable("the harness cannot rotate a key"))
    }

    /// A new provider for the [ready](KeyState::Ready) key, whose traffic passes a place where
    /// faults can be injected, such as a proxy of its own, and that place.
    ///
    /// # Errors
    /// [`HarnessError`].
    async fn through_faults(
        &self,
    ) -> Result<(Arc<dyn SigningProvider>, Box<dyn Faults>), HarnessError> {
        Err(HarnessError::not_applicable("the harness injects no faults"))
    }

    /// How many times the service was asked for a public key so far, where that can be counted.
    fn public_key_fetches(&self) -> Option<u64> {
        None
    }

    /// Why the case cannot be asked of this backend or this server. A [required](Case::is_required)
    /// case cannot be waived.
    fn not_applicable(&self, case: Case) -> Option<Cow<'static, str>> {
        let _ = case;
        None
    }

    /// The prefixes of the backend's own `tracing` targets, which are searched for secrets at every
    /// level. Everything else is searched from `INFO` up: below that, client libraries show their
    /// traffic to those who ask for it. What background tasks and threads record is seen unless the
    /// process has a global subscriber of its own.
    fn log_targets(&self) -> Vec<String> {
        vec!["adcp_signing".to_owned()]
    }
}

/// The provider that a case needs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeySpec {
    /// The state of the key at the service.
    pub state: KeyState,
    /// The purpose to configure the provider with.
    pub purpose: KeyPurpose,
}

impl KeySpec {
    /// A key in this state, for request signing.
    pub const fn new(state: KeyState) -> Self {
        Self { state, purpose: KeyPurpose::RequestSigning }
    }

    /// Sets the purpose.
    #[must_use]
    pub fn with_purpose(mut self, purpose: KeyPurpose) -> Self {
        self.purpose = purpose;
        self
    }
}

/// The state of a key at the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyState {
    /// Ready to sign with the harness' algorithm.
    Ready,
    /// Ready to sign, but with another algorithm than the one that the provider is declared for.
    WrongAlgorithm,
    /// No key of that name.
    Missing,
    /// A key with no version of that name.
    MissingVersion,
    /// Disabled, or destroyed where nothing can be disabled.
    Disabled,
    /// Ready, but the provider's credentials may not sign with it.
    AccessDenied,
    /// Ready, and [`Harness::rotate`] rotates it. Of its own: no other state is affected.
    Rotatable,
}

/// Why a harness could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HarnessError {
    /// This backend or this server cannot do it, and why.
    #[error("not applicable: {0}")]
    NotApplicable(Cow<'static, str>),
    /// The backend refused to build the provider.
    #[error("the provider could not be built")]
    Provider(#[from] ProviderError),
    /// The harness itself failed, which fails the case.
    #[error("the harness failed: {0}")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl HarnessError {
    /// This backend or this server cannot do it.
    pub fn not_applicable(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::NotApplicable(reason.into())
    }

    /// The harness itself failed.
    pub fn setup(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Setup(cause.into())
    }
}

/// A place between a provider and its service where faults can be injected.
#[async_trait]
pub trait Faults: Send + Sync + std::fmt::Debug {
    /// From now on, every request meets this fault, whether over a new connection or an open one,
    /// until [`heal`](Self::heal) or the next fault.
    ///
    /// # Errors
    /// [`HarnessError::NotApplicable`] where this fault cannot be brought about here.
    async fn inject(&self, fault: Fault) -> Result<(), HarnessError>;

    /// Lets every request through again.
    ///
    /// # Errors
    /// [`HarnessError::Setup`].
    async fn heal(&self) -> Result<(), HarnessError>;

    /// How many requests arrived so far, those that met a fault included, where that can be
    /// counted.
    fn requests(&self) -> Option<u64> {
        None
    }
}

/// What happens to requests on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The service's own answer to too many requests, with the time to wait in the service's own
    /// form.
    Throttled {
        /// How long to wait, in whole seconds, where the service says so.
        retry_after: Option<Duration>,
    },
    /// The service's own answer when it is down: HTTP 503 or its like.
    Unavailable,
    /// Requests are taken and never answered.
    Hang,
    /// Nothing listens; open connections are gone.
    Refuse,
    /// The connection ends after a request was taken and before it is answered.
    CutMidCall,
    /// A successful answer that the service would never give.
    Garbage,
    /// The service's own answer, cut off in the middle.
    Truncate,
    /// A successful answer whose body has no end, and comes as fast as it is read.
    Endless,
    /// A successful answer that goes on for longer than a call may take, a byte at a time: each
    /// read brings something, so a limit on reads alone never ends it.
    Drip,
}
