//! What a backend says of its key URIs, so that a registry of schemes can read and open them.

use std::{fmt, str::FromStr};

use super::{CreatedKey, KeyOptions, KeyUriError};
use crate::{
    keys::Algorithm,
    provider::{Inspection, ProviderError, ProviderErrorKind, SigningProvider, Unseen},
};

/// The key URIs of one backend. What implements this can be registered with a scheme of its own and
/// opened as any other.
///
/// Parsing is pure. `Display` writes a URI that reads back as the same value.
pub trait KeyUriScheme:
    FromStr<Err = KeyUriError> + fmt::Display + fmt::Debug + Clone + Send + Sync + 'static
{
    /// The schemes, without their colons.
    const SCHEMES: &'static [&'static str];

    /// One URI of each form, as a text that help and errors can show.
    const EXAMPLES: &'static [&'static str];

    /// The provider of the key that a URI names.
    type Provider: SigningProvider + 'static;

    /// What the URI states about its key.
    fn options(&self) -> &KeyOptions;

    /// Why the key's name can come to stand for another key, where it can: it is an alias, or has
    /// no version.
    fn why_it_can_move(&self) -> Option<&'static str>;

    /// Builds the provider, from the URI and the environment. The service is called only where the
    /// URI leaves the algorithm or the `keyid` open.
    ///
    /// # Errors
    /// A [`ProviderError`] of the kind that the environment's or the service's answer stands for.
    fn connect(&self) -> impl Future<Output = Result<Self::Provider, ProviderError>> + Send;

    /// What the service shows about how it keeps the key of this provider. Asks with the provider's
    /// login; what that may not see is told as such.
    fn inspect(_provider: &Self::Provider) -> impl Future<Output = Inspection> + Send {
        let message = "this backend does not tell how a key is kept";
        std::future::ready(Inspection::unseen(Unseen::NotShown, message))
    }

    /// Makes the key that the URI names in its service: of this algorithm, which the service never
    /// hands out, and where there is none of its name. Answers with a URI that names this very key.
    ///
    /// The algorithm is the one of the URI, where that states one.
    ///
    /// # Errors
    /// [`Configuration`](ProviderErrorKind::Configuration) when there is such a key, or the URI
    /// names none that can be made; else as [`connect`](Self::connect). Nothing is left behind
    /// unless the error says so. A call that got no answer may have made the key.
    fn create(
        &self,
        _algorithm: Option<Algorithm>,
    ) -> impl Future<Output = Result<CreatedKey<Self>, ProviderError>> + Send {
        std::future::ready(Err(ProviderError::new(
            ProviderErrorKind::Configuration,
            "this backend makes no keys; make one with the tools of its service",
        )))
    }
}
