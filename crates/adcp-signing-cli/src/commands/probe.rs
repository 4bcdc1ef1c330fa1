//! `probe`: whether a key is ready to sign for an endpoint, found out by signing with it.

use std::{
    io::IsTerminal as _,
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use adcp_signing::{
    Clock as _, JwkSet, KeyPurpose, ProviderError, PublicKey, SigningProvider, SystemClock,
    provider::KeyVersion, provider_from_uri,
};
use serde_json::{Value, json};

use crate::{
    args::ProbeArgs,
    failure::Failure,
    input,
    output::{BAD, DIM, GOOD, heading},
};

/// Any clock that runs before this program was written is wrong.
const WRITTEN: i64 = 1_790_000_000;

/// One thing that was looked at.
struct Check {
    name: &'static str,
    /// What was seen, or what is wrong and how to mend it.
    outcome: Result<String, String>,
}

/// Everything a probe found.
struct Findings {
    checks: Vec<Check>,
    latencies: Vec<Duration>,
    provider: Arc<dyn SigningProvider>,
}

pub(crate) async fn run(args: &ProbeArgs) -> Result<ExitCode, Failure> {
    let provider = provider_from_uri(&args.key, args.uri.options())?;
    let findings = Findings::collect(args, provider).await?;
    if args.json {
        println!("{}", findings.to_json())
    } else {
        findings.print()
    }
    Ok(ExitCode::from(if findings.failed() { 3 } else { 0 }))
}

impl Findings {
    async fn collect(args: &ProbeArgs, provider: Arc<dyn SigningProvider>) -> Result<Self, Failure> {
        let provider = provider.snapshot().unwrap_or(provider);
        let mut findings = Self { checks: Vec::new(), latencies: Vec::new(), provider };
        findings.add("clock", clock());
        findings.add("purpose", purpose(&*findings.provider));
        let public = match findings.provider.public_key().await {
            Ok(public) => public,
            Err(error) => {
                findings.add("public key", Err(cure(&error)));
                return Ok(findings);
            }
        };
        findings
            .add("public key", Ok(format!("{} with thumbprint {}", public.algorithm(), public.thumbprint())));
        findings.add("algorithm", algorithm(&*findings.provider, &public));
        if let Some(path) = &args.pin {
            let pinned = read_pin(path)?;
            findings.add("pin", pin(&public, &pinned));
        }
        if let Some(path) = &args.jwks {
            let set = JwkSet::parse(&input::read(Some(path))?)
                .map_err(|error| Failure::invalid(format!("{}: {error}", path.display())))?;
            findings.add("published", published(&*findings.provider, &public, &set));
        }
        let signed = findings.sign(args.count.get(), &public).await;
        findings.add("signatures", signed);
        Ok(findings)
    }

    /// Signs and verifies `count` times, and holds every signature to one key version.
    async fn sign(&mut self, count: u32, public: &PublicKey) -> Result<String, String> {
        let mut version: Option<KeyVersion> = None;
        let progress = std::io::stderr().is_terminal() && count > 1;
        for number in 1..=count {
            if progress {
                anstream::eprint!("\r{DIM}signing {number} of {count}{DIM:#}");
            }
            let message = format!("\"@method\": POST\n\"probe\": {number} of {count}");
            let started = Instant::now();
            let signed = self.provider.sign(message.as_bytes()).await.map_err(|error| cure(&error))?;
            self.latencies.push(started.elapsed());
            public.verify(message.as_bytes(), &signed.signature).map_err(|_| {
                format!(
                    "signature {number} does not verify under the key's own public key; the service signs with \
                     another key or version than it shows: pin the version in the key URI"
                )
            })?;
            if number > 1 && signed.key_version != version {
                return Err(format!(
                    "signature {number} was made by another key version than those before it; a rotation is under \
                     way: pin the version in the key URI"
                ));
            }
            version = signed.key_version;
        }
        if progress {
            anstream::eprintln!();
        }
        self.latencies.sort_unstable();
        let version = if version.is_some() { "one key version" } else { "no key version reported" };
        Ok(format!("{count} verified, {version}"))
    }

    fn add(&mut self, name: &'static str, outcome: Result<String, String>) {
        self.checks.push(Check { name, outcome });
    }

    fn failed(&self) -> bool {
        self.checks.iter().any(|check| check.outcome.is_err())
    }

    /// The latency that `percent` of the signatures did not exceed.
    fn percentile(&self, percent: usize) -> Option<Duration> {
        let index = self.latencies.len().checked_mul(percent)?.div_ceil(100).checked_sub(1)?;
        self.latencies.get(index).copied()
    }

    fn print(&self) {
        anstream::println!("{} {DIM}{}{DIM:#}", self.provider.key_id(), self.provider.fingerprint());
        heading("Checks");
        for check in &self.checks {
            match &check.outcome {
                Ok(seen) => anstream::println!("  {GOOD}✓{GOOD:#} {:<11} {seen}", check.name),
                Err(wrong) => anstream::println!("  {BAD}✗{BAD:#} {:<11} {wrong}", check.name),
            }
        }
        if let (Some(p50), Some(p95), Some(p99)) =
            (self.percentile(50), self.percentile(95), self.percentile(99))
        {
            heading("Latency of a signature");
            anstream::println!("  p50 {p50:.1?}   p95 {p95:.1?}   p99 {p99:.1?}");
        }
    }

    fn to_json(&self) -> Value {
        let checks: Vec<_> = self
            .checks
            .iter()
            .map(|check| match &check.outcome {
                Ok(seen) => json!({"name": check.name, "ok": true, "detail": seen}),
                Err(wrong) => json!({"name": check.name, "ok": false, "detail": wrong}),
            })
            .collect();
        let micros = |percent| self.percentile(percent).map(|latency| latency.as_secs_f64() * 1e6);
        json!({
            "ok": !self.failed(),
            "keyid": self.provider.key_id(),
            "fingerprint": self.provider.fingerprint().to_string(),
            "checks": checks,
            "latency_us": {"p50": micros(50), "p95": micros(95), "p99": micros(99)},
        })
    }
}

fn clock() -> Result<String, String> {
    let now = SystemClock.now().as_i64();
    if now < WRITTEN {
        return Err(format!(
            "the clock says {now}, which is in the past: set it, or every signature is refused"
        ));
    }
    Ok(format!("{now}"))
}

fn purpose(provider: &dyn SigningProvider) -> Result<String, String> {
    match provider.purpose() {
        purpose @ (KeyPurpose::RequestSigning | KeyPurpose::WebhookSigning) => Ok(purpose.to_string()),
        other => Err(format!("the key is for {other}; requests and webhooks need a request-signing key")),
    }
}

fn algorithm(provider: &dyn SigningProvider, public: &PublicKey) -> Result<String, String> {
    let declared = provider.algorithm();
    if declared == public.algorithm() {
        Ok(declared.to_string())
    } else {
        Err(format!(
            "the provider declares {declared}, the key is for {}: mend alg= in the key URI",
            public.algorithm()
        ))
    }
}

fn pin(public: &PublicKey, pinned: &PublicKey) -> Result<String, String> {
    if public == pinned {
        Ok("the service's key is the pinned one".to_owned())
    } else {
        Err(format!(
            "the service's key {} is not the pinned one {}: the key URI names another key, or an alias moved",
            public.thumbprint(),
            pinned.thumbprint()
        ))
    }
}

/// Whether the published JWKS holds this key, under its name, for this use.
fn published(provider: &dyn SigningProvider, public: &PublicKey, set: &JwkSet) -> Result<String, String> {
    let kid = provider.key_id();
    let mut named = set.with_kid(kid);
    let Some(jwk) = named.next() else {
        return Err(format!("the JWKS has no key named {kid}: publish it before the first signature"));
    };
    if named.next().is_some() {
        return Err(format!("the JWKS has more than one key named {kid}: a kid is unique"));
    }
    let listed = jwk.public_key().map_err(|error| format!("the published JWK cannot be used: {error}"))?;
    if listed != *public {
        return Err(format!(
            "the published key named {kid} is another key: publish this one, or sign under its kid"
        ));
    }
    if !jwk.is_for_verifying() {
        return Err("the published JWK lacks use \"sig\" or key_ops \"verify\"".to_owned());
    }
    if jwk.purpose() != Some(provider.purpose()) {
        return Err(format!("the published JWK is not for {}: mend its adcp_use", provider.purpose()));
    }
    Ok(format!("{kid} is in the JWKS, for {}", provider.purpose()))
}

/// A pin is a public key as SPKI PEM or as a JWK.
fn read_pin(path: &Path) -> Result<PublicKey, Failure> {
    let text = input::read_text(Some(path))?;
    let invalid = |error: String| Failure::invalid(format!("{}: {error}", path.display()));
    if text.trim_start().starts_with('{') {
        PublicKey::from_jwk_json(text.as_bytes()).map_err(|error| invalid(error.to_string()))
    } else {
        PublicKey::from_spki_pem(&text).map_err(|error| invalid(error.to_string()))
    }
}

fn cure(error: &ProviderError) -> String {
    if error.is_retryable() { format!("{error} (try again)") } else { error.to_string() }
}
