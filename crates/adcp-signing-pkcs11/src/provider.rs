//! The provider over one key of a token.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use adcp_signing_core::{
    Algorithm, ProviderError, ProviderErrorKind, PublicKey, Signature, SigningProvider,
    provider::{Capability, Custody, Inspection, KeyIdentity, Signed, Unseen, toolkit::CreatedKey},
};
use async_trait::async_trait;

use crate::{
    config::Pkcs11Config,
    module::TokenPlace,
    pool::Pool,
    selector::KeySelector,
    station::{Answer, Request, Shared, TokenStation},
    token::Token,
};

/// A [`SigningProvider`] over one private key of a PKCS#11 token.
///
/// Calls run on threads of the provider's own, which start with the first call and end with the
/// provider; the futures need no particular runtime. The key is found, and its type and public half
/// read, when a session opens; every later session must find the same key. A session that is lost
/// is opened again once within the call. Retries, pinning and self-checks are the wrappers' work
/// ([`SigningProviderExt`](adcp_signing_core::provider::layers::SigningProviderExt)).
///
/// Dropping the provider ends its threads, and waits for up to half a second while they close their
/// sessions. A provider does not survive a fork: build it in the child.
pub struct Pkcs11Provider {
    identity: KeyIdentity,
    sessions: Sessions,
}

impl Pkcs11Provider {
    /// A provider that loads and opens nothing until the first call.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when nothing names the module, or the algorithm or the
    /// key id is left open, which only the token can tell: see [`Pkcs11Config::connect`].
    pub fn new(config: Pkcs11Config) -> Result<Self, ProviderError> {
        let place = config.place()?;
        let identity = config.options.identity(config.key_ref(&place))?;
        Ok(Self { identity, sessions: Sessions::new(place, config) })
    }

    pub(crate) async fn connect(
        place: TokenPlace,
        config: Pkcs11Config,
    ) -> Result<Self, ProviderError> {
        let (options, key_ref) = (config.options.clone(), config.key_ref(&place));
        let sessions = Sessions::new(place, config);
        let identity = options.identity_or_ask(key_ref, || sessions.public_key()).await?;
        Ok(Self { identity, sessions })
    }

    /// What the token shows about how it keeps the key. It does not show what a login may do.
    pub async fn inspect(&self) -> Inspection {
        match self.sessions.inspect().await {
            Ok(inspection) => inspection,
            Err(error) => {
                let message = format!("asking for it failed: {error}");
                Inspection::unseen(Unseen::NotAnswered, message)
            }
        }
    }
}

/// How long a token may take to make a key.
const PATIENCE: Duration = Duration::from_secs(120);

/// Makes the key of a configuration.
pub(crate) async fn create(
    config: Pkcs11Config,
    algorithm: Option<Algorithm>,
) -> Result<CreatedKey<KeySelector>, ProviderError> {
    let algorithm = config.options.algorithm.or(algorithm).unwrap_or(Algorithm::Ed25519);
    // Past its time a call runs to its end all the same, and its key would be there unseen.
    let limit = config.limits.timeout.max(PATIENCE);
    let place = config.place()?;
    Sessions::new(place, config.with_timeout(limit)).create(algorithm).await
}

#[async_trait]
impl SigningProvider for Pkcs11Provider {
    fn identity(&self) -> &KeyIdentity {
        &self.identity
    }

    fn capability(&self) -> Capability {
        Capability::new(Custody::External, Algorithm::ALL)
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.sessions.public_key().await
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        let signature = self.sessions.sign(message).await?;
        // PKCS#11 has no key versions; the sessions see to it that the key stays the same.
        Ok(Signed::new(signature))
    }
}

impl fmt::Debug for Pkcs11Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkcs11Provider").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// The threads of one provider, and what they share.
struct Sessions {
    shared: Arc<Shared>,
    pool: Pool<TokenStation>,
}

impl Sessions {
    fn new(place: TokenPlace, config: Pkcs11Config) -> Self {
        let Pkcs11Config { key, pin, options, limits, .. } = config;
        let shared = Arc::new(Shared {
            token: Token::new(place, pin),
            key,
            algorithm: options.algorithm,
            public_key: OnceLock::new(),
        });
        let for_threads = shared.clone();
        let pool = Pool::new(limits, move || TokenStation::new(for_threads.clone()));
        Self { shared, pool }
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.pool.check_process()?;
        // No session serves under another key, so the first one's answer stays true.
        if let Some(key) = self.shared.public_key.get() {
            return Ok(key.clone());
        }
        match self.pool.call(Request::PublicKey).await? {
            Answer::PublicKey(key) => Ok(key),
            _ => Err(mixed_up()),
        }
    }

    async fn inspect(&self) -> Result<Inspection, ProviderError> {
        match self.pool.call(Request::Inspect).await? {
            Answer::Inspection(inspection) => Ok(inspection),
            _ => Err(mixed_up()),
        }
    }

    async fn create(&self, algorithm: Algorithm) -> Result<CreatedKey<KeySelector>, ProviderError> {
        match self.pool.call(Request::Create(algorithm)).await? {
            Answer::Created(key) => Ok(key),
            _ => Err(mixed_up()),
        }
    }

    async fn sign(&self, message: &[u8]) -> Result<Signature, ProviderError> {
        match self.pool.call(Request::Sign(message.to_vec())).await? {
            Answer::Signature(signature) => Ok(signature),
            _ => Err(mixed_up()),
        }
    }
}

fn mixed_up() -> ProviderError {
    ProviderError::new(
        ProviderErrorKind::InvalidResponse,
        "a thread answered another call than it was given",
    )
}
