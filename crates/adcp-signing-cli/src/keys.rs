//! Keys that URIs name, opened and called within a time limit.

use std::{collections::HashMap, num::NonZeroUsize, sync::Arc, time::Duration};

use adcp_signing::{
    SigningProvider, UriOptions,
    provider::{layers::RetryPolicy, toolkit::LocalKeyUri},
    provider_from_uri_with,
};

use crate::failure::Failure;

/// How long opening a key, and each call to it, may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How many opened keys are kept.
const MAX_KEPT: usize = 64;

/// How often a call is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempts {
    /// Once: whoever probes a key wants to see what fails.
    One,
    /// A few times, within the limit.
    Few,
}

/// Opens the key of a URI.
pub(crate) async fn open(
    uri: &str,
    options: UriOptions,
    attempts: Attempts,
) -> Result<Arc<dyn SigningProvider>, Failure> {
    let attempts = match attempts {
        Attempts::One => NonZeroUsize::MIN,
        Attempts::Few => NonZeroUsize::MIN.saturating_add(2),
    };
    let retry = RetryPolicy::default().with_max_attempts(attempts).with_total_deadline(LIMIT);
    let stack = options.stack.clone();
    let stack = stack.with_retry(retry).with_attempt_deadline(LIMIT).with_opening_deadline(LIMIT);
    Ok(provider_from_uri_with(uri, &options.with_stack(stack))?.open().await?)
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
        let provider = open(uri, self.options.clone(), Attempts::Few).await?;
        if !LocalKeyUri::has_scheme(uri) {
            if self.kept.len() >= MAX_KEPT {
                self.kept.clear();
            }
            self.kept.insert(uri.to_owned(), Arc::clone(&provider));
        }
        Ok(provider)
    }
}
