//! What an operator does with the key of a URI besides signing: to look at how it is kept, and to
//! make it.

use adcp_signing_core::{
    Algorithm, ProviderError, PublicKey,
    provider::{
        Inspection, Unseen,
        toolkit::{LocalKeyUri, add_pin, take_pin},
    },
};

use super::{KeySchemes, OpenError};

/// A key that was made in its service just now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MadeKey {
    /// The key URI to sign with: it names this very key, and pins it with `spki-sha256`.
    pub uri: String,
    /// Its public half.
    pub public_key: PublicKey,
}

impl KeySchemes {
    /// What the service shows about how it keeps the key that a URI names. Connects by itself, with
    /// none of the layers that [`open`](Self::open) puts around a key.
    ///
    /// # Errors
    /// [`OpenError`] when the URI cannot be read, or the key cannot be opened.
    pub async fn inspect(&self, uri: &str) -> Result<Inspection, OpenError> {
        let (uri, _) = take_pin(uri)?;
        if LocalKeyUri::has_scheme(&uri) {
            uri.parse::<LocalKeyUri>()?;
            let message = "the key is in this process, and no service keeps it";
            return Ok(Inspection::unseen(Unseen::NotShown, message));
        }
        Ok((self.read(&uri)?.inspect)().await?)
    }

    /// Makes the key that a URI names in its service, which never hands it out. The algorithm is
    /// that of the URI, else this one, else Ed25519 where the service has it, and ECDSA on P-256
    /// where not.
    ///
    /// Signing needs fewer rights: make keys with a login of their own.
    ///
    /// # Errors
    /// [`OpenError::NotMade`] when the URI is pinned, of a key in this process, or states another
    /// algorithm; [`OpenError::Provider`] when there is such a key already, or the service refuses.
    /// Nothing is left behind unless the error says so. A call that got no answer may have made the
    /// key.
    pub async fn create(
        &self,
        uri: &str,
        algorithm: Option<Algorithm>,
    ) -> Result<MadeKey, OpenError> {
        let (uri, pin) = take_pin(uri)?;
        if LocalKeyUri::has_scheme(&uri) {
            return Err(OpenError::NotMade { why: "it is no key of a service" });
        }
        if pin.is_some() {
            return Err(OpenError::NotMade {
                why: "a key that is not made yet cannot be pinned; take out `spki-sha256`",
            });
        }
        let read = self.read(&uri)?;
        let algorithm = match (read.algorithm, algorithm) {
            (Some(stated), Some(asked)) if stated != asked => {
                return Err(OpenError::NotMade {
                    why: "its URI states another algorithm than was asked for",
                });
            }
            (stated, asked) => stated.or(asked),
        };
        let made = (read.create)(algorithm).await?;
        Ok(MadeKey { uri: add_pin(&made.name, &made.public_key), public_key: made.public_key })
    }
}

/// The future of a call to a service.
pub(super) type Call<T> =
    std::pin::Pin<Box<dyn Future<Output = Result<T, ProviderError>> + Send + 'static>>;
