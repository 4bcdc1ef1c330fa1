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

use self::{
    report::{Check, Finding, Outcome},
    signatures::Signatures,
};
use crate::{
    args::ProbeArgs,
    failure::{Failure, INVALID, chain},
    input,
    keys::{self, Access, Attempts},
    output::{self, json, outln},
    published::{Place, Published},
};

pub(crate) async fn run(args: &ProbeArgs) -> Result<ExitCode, Failure> {
    let probe = Probe {
        uri: args.key.clone(),
        provider: None,
        checks: Vec::new(),
        signatures: Signatures::default(),
        is_invalid: false,
    };
    let probe = match Given::read(args).await {
        Ok(given) => probe.collect(args, &given).await,
        Err(failure) if args.json => probe.refuse("input", &failure),
        Err(failure) => return Err(failure),
    };
    if args.json {
        outln!("{}", json(&probe.to_json()));
    } else {
        probe.print();
        probe.hint();
    }
    Ok(ExitCode::from(match (probe.is_invalid, probe.failed()) {
        (true, _) => 2,
        (false, true) => 3,
        (false, false) => 0,
    }))
}

/// What the options say. Whatever cannot be read is found before a key is used.
struct Given {
    /// What the key is to sign.
    profile: Profile,
    pinned: Option<PublicKey>,
    published: Option<(Published, Result<JwkSet, Finding>)>,
}

impl Given {
    async fn read(args: &ProbeArgs) -> Result<Self, Failure> {
        let profile = args.profile.selector().or_newest().profile()?;
        let pinned = args.pin.as_deref().map(read_pin).transpose()?;
        let published = match &args.jwks {
            Some(place) => Some(read_jwks(place).await?),
            None => None,
        };
        Ok(Self { profile, pinned, published })
    }
}

/// Everything a probe finds.
struct Probe {
    uri: String,
    /// The key, once it is open.
    provider: Option<Arc<dyn SigningProvider>>,
    checks: Vec<Check>,
    signatures: Signatures,
    /// Whether the key URI or an option cannot be used at all.
    is_invalid: bool,
}

impl Probe {
    /// Makes every check that can be made, and lists the others.
    async fn collect(mut self, args: &ProbeArgs, given: &Given) -> Self {
        let Given { profile, pinned, published } = given;
        self.add("clock", checks::clock(published.as_ref().map(|(published, _)| published)));
        let access = Access::new(&args.uri);
        self.add("key_uri", checks::key_uri(&self.uri, &access));
        let provider = match access.open(&self.uri, Attempts::One).await {
            Ok(provider) => provider,
            Err(failure) => {
                let mut probe = self.refuse("open", &failure);
                probe.skip_from("purpose", given);
                return probe;
            }
        };
        self.provider = Some(Arc::clone(&provider));
        let provider = &*provider;
        self.add("open", Finding::passed("the key can be opened"));
        self.add("purpose", checks::purpose(provider, profile));
        let public = match provider.public_key().await {
            Ok(public) => public,
            Err(error) => {
                self.add("public_key", failed(&error));
                self.skip_from("algorithm", given);
                return self;
            }
        };
        let seen = format!("{} with thumbprint {}", public.algorithm(), public.thumbprint());
        self.add("public_key", Finding::passed(seen));
        self.add("algorithm", checks::algorithm(provider, &public));
        self.add(
            "pin",
            match pinned {
                Some(pinned) => checks::pin(&public, pinned),
                None if self.uri.contains("spki-sha256=") => {
                    Finding::passed("the service's key is the one of spki-sha256= in its URI")
                }
                None => {
                    Finding::not_checked("no_pin", "give --pin, or spki-sha256= in the key URI")
                }
            },
        );
        let seen = access.inspect(&self.uri).await;
        for (name, observation) in seen.observations() {
            self.add(name, checks::observed(observation));
        }
        self.add(
            "published",
            match published {
                Some((published, Ok(set))) => {
                    checks::published(provider, profile, &public, set, published)
                }
                Some((_, Err(finding))) => finding.clone(),
                None => no_jwks(),
            },
        );
        let (signatures, finding) =
            Signatures::make(provider, &public, args.count, args.concurrency).await;
        self.add("signatures", finding);
        self.signatures = signatures;
        self
    }

    /// A failure that leaves nothing to check with the key.
    fn refuse(mut self, name: &'static str, failure: &Failure) -> Self {
        let (code, message) = match failure {
            Failure::Key(failure) => (failure.code, failure.line()),
            Failure::Invalid(message) => (INVALID, message.clone()),
            other => ("failed", other.to_string()),
        };
        self.is_invalid = code == INVALID;
        self.add(name, Finding::failed(code, message));
        self
    }

    /// Lists this check and those after it, which need what failed before.
    fn skip_from(&mut self, first: &str, given: &Given) {
        let names = [
            "purpose",
            "public_key",
            "algorithm",
            "pin",
            "export",
            "rotation",
            "permissions",
            "published",
            "signatures",
        ];
        for name in names.into_iter().skip_while(|name| *name != first) {
            self.add(
                name,
                match &given.published {
                    Some((_, Err(finding))) if name == "published" => finding.clone(),
                    None if name == "published" => no_jwks(),
                    _ => Finding::not_checked("no_key", "the key could not be used"),
                },
            );
        }
    }

    fn add(&mut self, name: &'static str, finding: Finding) {
        self.checks.push(Check { name, finding });
    }

    fn failed(&self) -> bool {
        self.checks.iter().any(|check| check.finding.outcome == Outcome::Failed)
    }

    /// What usually comes next.
    fn hint(&self) {
        let key = keys::as_option(&self.uri);
        let is_unpublished =
            |check: &Check| check.name == "published" && check.finding.outcome != Outcome::Passed;
        output::hint(&if self.provider.is_none() {
            "mend what failed, and probe again; `adcp-signing help keys` has all forms of key URI"
                .to_owned()
        } else if self.checks.iter().any(is_unpublished) {
            format!("publish the key: adcp-signing jwks {key} --out jwks.json")
        } else if self.failed() {
            "mend what failed, and probe again".to_owned()
        } else {
            format!("sign a message: adcp-signing sign {key} MESSAGE.http")
        });
    }
}

fn no_jwks() -> Finding {
    Finding::not_checked("no_jwks", "give --jwks, a file or an https:// URL")
}

/// A failure of the key.
fn failed(error: &ProviderError) -> Finding {
    match Failure::from(error) {
        Failure::Key(failure) => Finding::failed(failure.code, failure.line()),
        other => Finding::failed(error.kind().as_str(), other.to_string()),
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
async fn read_jwks(place: &Place) -> Result<(Published, Result<JwkSet, Finding>), Failure> {
    let published = Published::read(place).await?;
    let set =
        match &published {
            Published::File(bytes) => Ok(JwkSet::parse(bytes)
                .map_err(|error| Failure::invalid(format!("{place}: {error}")))?),
            Published::Served(Ok(served)) => JwkSet::parse(&served.body).map_err(|error| {
                let message = format!("what is published there is no JWKS: {error}");
                Finding::failed("jwks_invalid", message)
            }),
            Published::Served(Err(reason)) => Err(Finding::failed("jwks_unavailable", reason)),
        };
    Ok((published, set))
}
