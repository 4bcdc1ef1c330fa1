//! The credentials of the client: Application Default Credentials, or an access token that the
//! caller already has.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use adcp_signing_core::{ProviderError, ProviderErrorKind};
use google_cloud_auth::{
    credentials::{Builder, CacheableResource, Credentials, CredentialsProvider, EntityTag},
    errors::CredentialsError,
};
use http::{Extensions, HeaderMap, HeaderValue, header::AUTHORIZATION};

use crate::failure;

/// How long credentials that were built again are kept, whatever becomes of them: each of them has a
/// task of its own, for as long as its token lasts.
const KEPT_FOR: Duration = Duration::from_secs(10);

/// Application Default Credentials, built again after they have failed.
///
/// Google's client renews a token until the renewal is refused once. After that it gives the refusal
/// to every call, for as long as the process runs. A token that Cloud KMS does not take is kept to
/// its end, by which the clock may have been set right. Both would outlast their cause.
#[derive(Clone)]
pub(crate) struct DefaultCredentials(Arc<Shared>);

struct Shared {
    build: Box<dyn Fn() -> Option<Credentials> + Send + Sync>,
    current: Mutex<Current>,
}

struct Current {
    credentials: Credentials,
    /// Counts how often they were built again.
    generation: u64,
    built_again: Option<Instant>,
    have_failed: bool,
}

impl DefaultCredentials {
    /// The credentials that are found where every Google client finds them.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when there are none that can be used.
    pub(crate) fn find() -> Result<Self, ProviderError> {
        Self::built_by(|| Builder::default().build().ok())
            .ok_or_else(failure::no_default_credentials)
    }

    fn built_by(build: impl Fn() -> Option<Credentials> + Send + Sync + 'static) -> Option<Self> {
        let credentials = build()?;
        let current = Current { credentials, generation: 0, built_again: None, have_failed: false };
        Some(Self(Arc::new(Shared { build: Box::new(build), current: Mutex::new(current) })))
    }

    /// Cloud KMS did not take what these credentials gave: the next call gets new ones.
    pub(crate) fn refused(&self) {
        self.lock().have_failed = true;
    }

    /// Those of the same generation have failed.
    fn failed(&self, generation: u64) {
        let mut current = self.lock();
        current.have_failed |= current.generation == generation;
    }

    /// The credentials to use now. They are built again only when they are needed: from then on they
    /// fetch a token, or sign one with the time that it is.
    fn usable(&self) -> (Credentials, u64) {
        let mut current = self.lock();
        let are_new = current.built_again.is_some_and(|built| built.elapsed() < KEPT_FOR);
        if current.have_failed
            && !are_new
            && let Some(credentials) = (self.0.build)()
        {
            *current = Current {
                credentials,
                generation: current.generation.wrapping_add(1),
                built_again: Some(Instant::now()),
                have_failed: false,
            };
        }
        (current.credentials.clone(), current.generation)
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CredentialsProvider for DefaultCredentials {
    async fn headers(
        &self,
        extensions: Extensions,
    ) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        let (credentials, generation) = self.usable();
        let headers = credentials.headers(extensions).await;
        if headers.as_ref().is_err_and(|error| !error.is_transient()) {
            self.failed(generation);
        }
        headers
    }

    async fn universe_domain(&self) -> Option<String> {
        let credentials = self.lock().credentials.clone();
        credentials.universe_domain().await
    }
}

impl fmt::Debug for DefaultCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DefaultCredentials").finish_non_exhaustive()
    }
}

/// A bearer token that nobody renews. `HeaderValue` keeps it out of `Debug`.
#[derive(Debug)]
struct StaticToken {
    authorization: HeaderValue,
    tag: EntityTag,
}

/// Credentials of a token that nobody renews.
///
/// # Errors
/// [`ProviderErrorKind::Configuration`] when the token cannot be in a header.
pub(crate) fn static_token(token: &str) -> Result<Credentials, ProviderError> {
    let unusable = || {
        ProviderError::new(
            ProviderErrorKind::Configuration,
            "the access token (ADCP_GCP_KMS_ACCESS_TOKEN, with_access_token) is empty or holds characters that a header cannot; print one with \
             `gcloud auth print-access-token`",
        )
    };
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unusable());
    }
    let mut authorization =
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| unusable())?;
    authorization.set_sensitive(true);
    Ok(StaticToken { authorization, tag: EntityTag::new() }.into())
}

impl CredentialsProvider for StaticToken {
    async fn headers(
        &self,
        _: Extensions,
    ) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        let data = HeaderMap::from_iter([(AUTHORIZATION, self.authorization.clone())]);
        Ok(CacheableResource::New { entity_tag: self.tag.clone(), data })
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_shows_in_no_debug_and_is_checked() {
        let credentials = static_token("ya29.secret").unwrap();
        assert!(!format!("{credentials:?}").contains("secret"), "{credentials:?}");
        for token in ["", "a b", "a\nb", "ä"] {
            assert_eq!(
                static_token(token).unwrap_err().kind(),
                ProviderErrorKind::Configuration,
                "{token:?}"
            );
        }
    }
}
