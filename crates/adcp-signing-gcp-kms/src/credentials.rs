//! An access token that the caller already has, as credentials of the client.

use adcp_signing_core::{ProviderError, ProviderErrorKind};
use google_cloud_auth::{
    credentials::{CacheableResource, Credentials, CredentialsProvider, EntityTag},
    errors::CredentialsError,
};
use http::{Extensions, HeaderMap, HeaderValue, header::AUTHORIZATION};

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
