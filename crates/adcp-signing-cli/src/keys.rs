//! Keys that URIs name, opened and called within a time limit.

use std::{collections::HashMap, sync::Arc, time::Duration};

use adcp_signing::{
    SigningProvider, UriOptions,
    provider::{layers::SigningProviderExt as _, toolkit::LocalKeyUri},
    provider_from_uri,
};

use crate::failure::Failure;

/// How long opening a key, and each call to it, may take: not every client has a limit of its own.
const LIMIT: Duration = Duration::from_secs(10);
/// How many opened keys are kept.
const MAX_KEPT: usize = 64;

/// Opens the key of a URI.
pub(crate) async fn open(
    uri: &str,
    options: UriOptions,
) -> Result<Arc<dyn SigningProvider>, Failure> {
    let provider =
        tokio::time::timeout(LIMIT, provider_from_uri(uri, options)).await.map_err(|_| {
            let message = format!(
                "the key could not be opened within {LIMIT:?}; is the key service reachable?"
            );
            Failure::Unavailable { code: "timeout", message }
        })??;
    Ok(Arc::new(provider.with_deadline(LIMIT)))
}

/// The keys of a run, each service's opened once: a connection and a login for every line would be
/// far slower than its signature.
pub(crate) struct Keys {
    options: UriOptions,
    kept: HashMap<String, Arc<dyn SigningProvider>>,
}

impl Keys {
    pub(crate) fn new(options: UriOptions) -> Self {
        Self { options, kept: HashMap::new() }
    }

    /// The key of a URI. Those in this process are opened each time, as `memory:` says that each is
    /// a fresh one.
    pub(crate) async fn open(&mut self, uri: &str) -> Result<Arc<dyn SigningProvider>, Failure> {
        if let Some(provider) = self.kept.get(uri) {
            return Ok(Arc::clone(provider));
        }
        let provider = open(uri, self.options).await?;
        if !LocalKeyUri::has_scheme(uri) {
            if self.kept.len() >= MAX_KEPT {
                self.kept.clear();
            }
            self.kept.insert(uri.to_owned(), Arc::clone(&provider));
        }
        Ok(provider)
    }
}
