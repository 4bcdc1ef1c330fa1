//! `probe`: whether a key is ready to sign for an endpoint, found out by signing with it.

mod checks;
mod report;
mod signatures;

use std::{path::Path, process::ExitCode, sync::Arc};

use adcp_signing::{
    JwkError, JwkSet, ProviderError, PublicKey, SigningProvider,
    json::{format_name, without_bom},
    profile::Profile,
};

use self::{report::Check, signatures::Signatures};
use crate::{
    args::ProbeArgs,
    failure::{Failure, chain},
    input, keys,
    output::{json, outln},
    published::{Place, Published},
};

pub(crate) async fn run(args: &ProbeArgs) -> Result<ExitCode, Failure> {
    // What cannot be read is found before a key is used.
    let profile = args.profile.selector().or_newest().profile()?;
    let pinned = args.pin.as_deref().map(read_pin).transpose()?;
    let published = match &args.jwks {
        Some(place) => Some(read_jwks(place).await?),
        None => None,
    };
    let provider = keys::open(&args.key, args.uri.options(), keys::Attempts::One).await?;
    let probe = Probe { provider, profile, checks: Vec::new(), signatures: None };
    let probe = probe.collect(args, pinned.as_ref(), published.as_ref()).await;
    if args.json {
        outln!("{}", json(&probe.to_json()));
    } else {
        probe.print();
    }
    Ok(ExitCode::from(if probe.failed() { 3 } else { 0 }))
}

/// Everything a probe finds.
struct Probe {
    provider: Arc<dyn SigningProvider>,
    /// What the key is to sign.
    profile: Profile,
    checks: Vec<Check>,
    signatures: Option<Signatures>,
}

impl Probe {
    async fn collect(
        mut self,
        args: &ProbeArgs,
        pinned: Option<&PublicKey>,
        published: Option<&(Published, Result<JwkSet, String>)>,
    ) -> Self {
        self.add("clock", checks::clock(published.map(|(published, _)| published)));
        self.add("purpose", checks::purpose(&*self.provider, &self.profile));
        let public = match self.provider.public_key().await {
            Ok(public) => public,
            Err(error) => {
                self.add("public key", Err(cure(&error)));
                return self;
            }
        };
        self.add(
            "public key",
            Ok(format!("{} with thumbprint {}", public.algorithm(), public.thumbprint())),
        );
        self.add("algorithm", checks::algorithm(&*self.provider, &public));
        if let Some(pinned) = pinned {
            self.add("pin", checks::pin(&public, pinned));
        }
        if let Some((published, set)) = published {
            let found = set.as_ref().map_err(String::clone);
            let outcome = found.and_then(|set| {
                checks::published(&*self.provider, &self.profile, &public, set, published)
            });
            self.add("published", outcome);
        }
        let (signatures, outcome) =
            Signatures::make(&*self.provider, &public, args.count, args.concurrency).await;
        self.add("signatures", outcome);
        self.signatures = Some(signatures);
        self
    }

    fn add(&mut self, name: &'static str, outcome: Result<String, String>) {
        self.checks.push(Check { name, outcome });
    }

    fn failed(&self) -> bool {
        self.checks.iter().any(|check| check.outcome.is_err())
    }
}

/// A pin is a public key as SPKI PEM or as a JWK.
fn read_pin(path: &Path) -> Result<PublicKey, Failure> {
    const EXPECTED: &str = "a pin is a public key as SPKI PEM or as a JWK";

    let bytes = input::read(Some(path))?;
    let invalid = |error: String| Failure::invalid(format!("{}: {error}", path.display()));
    let text = std::str::from_utf8(without_bom(&bytes)).ok();
    match (text.map(str::trim), format_name(&bytes)) {
        (Some(text), _) if text.starts_with('{') => {
            PublicKey::from_jwk_json(text.as_bytes()).map_err(|error| invalid(match error {
                JwkError::PrivateMember { .. } => {
                    format!("this is a private JWK; {EXPECTED}, so name the public one")
                }
                error => chain(&error),
            }))
        }
        (Some(text), _) if text.contains("-----BEGIN ") => {
            PublicKey::from_spki_pem(text).map_err(|error| invalid(chain(&error)))
        }
        (_, Some("DER")) => Err(invalid(
            "this is DER; convert a public key with `openssl pkey -pubin -inform DER -in PIN.der -out \
             PIN.pem`, and a certificate with `openssl x509 -inform DER -in PIN.der -noout -pubkey`"
                .to_owned(),
        )),
        (_, Some(format)) => Err(invalid(format!("this is {format}; {EXPECTED}"))),
        (_, None) => Err(invalid(format!("this is neither JSON nor PEM; {EXPECTED}"))),
    }
}

/// A file that cannot be used is the caller's mistake; what is published at a URL and cannot be
/// used is a finding.
async fn read_jwks(place: &Place) -> Result<(Published, Result<JwkSet, String>), Failure> {
    let published = Published::read(place).await?;
    let set =
        match &published {
            Published::File(bytes) => Ok(JwkSet::parse(bytes)
                .map_err(|error| Failure::invalid(format!("{place}: {error}")))?),
            Published::Served(Ok(served)) => JwkSet::parse(&served.body)
                .map_err(|error| format!("what is published there is no JWKS: {error}")),
            Published::Served(Err(reason)) => Err(reason.clone()),
        };
    Ok((published, set))
}

fn cure(error: &ProviderError) -> String {
    let cause = chain(error);
    if error.is_retryable() { format!("{cause} (try again)") } else { cause }
}
