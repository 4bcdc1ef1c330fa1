//! What a backend says of its key URIs, so that a registry of schemes can read and open them.

use std::{fmt, str::FromStr};

use super::{KeyOptions, KeyUriError};
use crate::provider::{ProviderError, SigningProvider};

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
}
