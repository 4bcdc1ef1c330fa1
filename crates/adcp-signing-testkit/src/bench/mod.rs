//! What a provider costs beside its client's bare call, measured against one running server.
//!
//! A backend's `benches/kms.rs` gives a [`Service`] for each server and algorithm to [`main`],
//! which prints one line of JSON for each. What is compared takes turns, so that a machine that
//! slows down slows down both. `cargo xtask bench kms` brings the servers up, runs the benches and
//! judges the numbers.

mod bare;
mod cold_start;
mod latency;
mod sample;
mod throughput;

use std::{error::Error, num::NonZeroUsize, process::ExitCode, sync::Arc, time::Duration};

use adcp_signing_core::{
    Algorithm, KeyPurpose, ProviderError, ProviderErrorKind, PublicKey, Signature, SigningProvider,
    provider::layers::{LazyKey, RetryPolicy, SigningProviderExt as _, Stack},
};
use async_trait::async_trait;
use serde_json::{Value, json};

use self::sample::{median, nanoseconds};
use crate::FaultProxy;

/// How many calls are in flight where throughput is measured.
const IN_FLIGHT: usize = 64;
/// The settings of the default stack, for what is built without its check.
const ATTEMPT: Duration = Duration::from_secs(2);
const WAITING: usize = 1024;
const WAIT: Duration = Duration::from_secs(20);
/// A signature base of an ordinary request is as long.
const MESSAGE: [u8; 512] = [b'a'; 512];
/// How often the verification is timed.
const VERIFICATIONS: usize = 500;

/// Whatever keeps a bench from its numbers.
pub type BenchError = Box<dyn Error + Send + Sync>;

/// One key of one server, as a bench uses it.
#[async_trait]
pub trait Service: Send + Sync + 'static {
    /// The service and the server that stands for it.
    fn name(&self) -> String;

    /// What the key signs with.
    fn algorithm(&self) -> Algorithm;

    /// One signature by the client's own call, and nothing of ours: no decoding, no check.
    ///
    /// # Errors
    /// Whatever the client says.
    async fn bare(&self, message: &[u8]) -> Result<(), BenchError>;

    /// Whether the client's call holds its thread until the answer is there.
    fn blocks(&self) -> bool {
        false
    }

    /// A proxy in front of the server, which sees what is asked of it; a library has none.
    ///
    /// # Errors
    /// When none can be had.
    async fn proxy(&self) -> Result<Option<FaultProxy>, BenchError>;

    /// Whether a request with this head, in lower case, is one for the public key.
    fn asks_for_key(&self, head: &str) -> bool;

    /// A new provider of the key, with connections of its own, as the backend builds it; at the
    /// proxy in place of the server, where one is given.
    ///
    /// # Errors
    /// Whatever the backend says.
    async fn provider(
        &self,
        proxy: Option<&FaultProxy>,
    ) -> Result<Box<dyn SigningProvider>, BenchError>;

    /// How the command line reaches the same key.
    fn command_line(&self, proxy: Option<&FaultProxy>) -> CommandLine;
}

/// A key URI, and the variables that it needs.
#[derive(Debug, Clone)]
pub struct CommandLine {
    /// The key URI; with `alg` and `kid`, as a deployment has it.
    pub key: String,
    /// The environment.
    pub variables: Vec<(String, String)>,
}

/// Measures each service and prints its line. Fails if one cannot be measured or there is none.
pub fn main(services: impl Future<Output = Result<Vec<Box<dyn Service>>, BenchError>>) -> ExitCode {
    let run = || -> Result<(), BenchError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let services = services.await?;
            if services.is_empty() {
                return Err("the environment names no server: `cargo xtask emulators env`".into());
            }
            for service in services {
                eprintln!("measuring {}, {}", service.name(), service.algorithm());
                println!("{}", measure(Arc::from(service)).await?);
            }
            Ok(())
        })
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(service: Arc<dyn Service>) -> Result<Value, BenchError> {
    let public = service.provider(None).await?.public_key().await?;
    let unchecked = unchecked(service.provider(None).await?);
    let default = Arc::new(by_default(&service, None));
    let latency = latency::measure(&service, &default).await?;
    let throughput = throughput::measure(&service, &unchecked, &default).await?;
    let mut numbers = json!({
        "service": service.name(),
        "algorithm": service.algorithm().rfc9421_name(),
        "latency": latency,
        "throughput": throughput,
        "verification_ns": verification(&default, &public).await?,
        "cores": std::thread::available_parallelism()?.get(),
    });
    if let Some(members) = numbers.as_object_mut() {
        members.insert("public_key_calls".to_owned(), public_key_calls(&service).await?);
        members.insert("cold_start".to_owned(), cold_start::measure(&*service).await?);
    }
    Ok(numbers)
}

/// The default stack without the check of each signature, which `Stack` does not offer.
fn unchecked(provider: Box<dyn SigningProvider>) -> Arc<dyn SigningProvider> {
    let in_flight = NonZeroUsize::new(IN_FLIGHT).unwrap_or(NonZeroUsize::MIN);
    let limited = provider
        .with_deadline(ATTEMPT)
        .retrying(RetryPolicy::default())
        .with_concurrency_limit(in_flight, WAITING)
        .with_max_wait(WAIT);
    Arc::new(limited.instrumented())
}

/// What `provider_from_uri` gives for the key: opened at its first use, with the default stack.
fn by_default(service: &Arc<dyn Service>, proxy: Option<&Arc<FaultProxy>>) -> LazyKey {
    let (service, proxy) = (Arc::clone(service), proxy.cloned());
    LazyKey::new(KeyPurpose::RequestSigning, Stack::default(), move || {
        let (service, proxy) = (Arc::clone(&service), proxy.clone());
        async move {
            service.provider(proxy.as_deref()).await.map_err(|error| {
                ProviderError::new(ProviderErrorKind::Configuration, error.to_string())
            })
        }
    })
}

/// One signature, from the look for the open key on, as a signer makes it.
async fn sign(key: &LazyKey) -> Result<Signature, BenchError> {
    Ok(key.open().await?.sign(&MESSAGE).await?.signature)
}

/// What one verification takes alone.
async fn verification(key: &LazyKey, public: &PublicKey) -> Result<f64, BenchError> {
    let signature = sign(key).await?;
    let mut times = Vec::with_capacity(VERIFICATIONS);
    for _ in 0..VERIFICATIONS {
        let started = std::time::Instant::now();
        public.verify(&MESSAGE, &signature)?;
        times.push(nanoseconds(started.elapsed()));
    }
    median(times)
}

/// How often a provider asks for its public key in its life: many first uses at once, then more.
async fn public_key_calls(service: &Arc<dyn Service>) -> Result<Value, BenchError> {
    let Some(proxy) = service.proxy().await?.map(Arc::new) else { return Ok(Value::Null) };
    let key = Arc::new(by_default(service, Some(&proxy)));
    for _ in 0..2 {
        let signatures = (0..16).map(|_| {
            let key = Arc::clone(&key);
            tokio::spawn(async move { sign(&key).await })
        });
        for signature in signatures.collect::<Vec<_>>() {
            signature.await??;
        }
        key.open().await?.public_key().await?;
    }
    let heads = proxy.exchanges().into_iter().map(|exchange| exchange.head.to_ascii_lowercase());
    Ok(heads.filter(|head| service.asks_for_key(head)).count().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_without_the_check_has_the_settings_of_the_default_stack() {
        let stack = format!("{:?}", Stack::default());
        for setting in [
            format!("attempt_limit: {ATTEMPT:?}"),
            format!("max_in_flight: {IN_FLIGHT}"),
            format!("max_waiting: {WAITING}"),
            format!("max_wait: {WAIT:?}"),
            "pin: None".to_owned(),
        ] {
            assert!(stack.contains(&setting), "{setting}: {stack}");
        }
    }
}
