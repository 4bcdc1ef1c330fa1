//! What this build is: its version, what is built in, and the help page of key URIs.

use adcp_signing::{KeySchemes, profile::WireVersion};

use crate::keys::SERVICES;

/// The answer to `--version`. A build names its commit where `ADCP_SIGNING_COMMIT` was set.
pub(crate) fn long() -> String {
    let commit = option_env!("ADCP_SIGNING_COMMIT").filter(|commit| !commit.is_empty());
    let commit = commit.map(|commit| format!(" (commit {commit})")).unwrap_or_default();
    let mut backends: Vec<_> = SERVICES
        .iter()
        .filter_map(|service| service.feature())
        .filter_map(|(feature, is_built_in)| is_built_in.then_some(feature))
        .collect();
    backends.dedup();
    if backends.is_empty() {
        backends.push("none; --features of `cargo install` adds them");
    }
    let contracts = WireVersion::ALL.map(|wire| wire.newest_contract().to_string()).join(", ");
    format!(
        "{}{commit}\nkey services: {}\nAdCP contracts, the newest of each wire version: {contracts}",
        env!("CARGO_PKG_VERSION"),
        backends.join(", "),
    )
}

/// Every form of key URI, for the help page `keys`.
pub(crate) fn key_uris() -> String {
    let examples = KeySchemes::built_in().examples();
    let mut page = String::from("Forms:\n");
    for service in &SERVICES {
        let forms: Vec<_> = examples
            .iter()
            .filter(|example| {
                example.split_once(':').is_some_and(|(name, _)| service.schemes.contains(&name))
            })
            .collect();
        let schemes = service.schemes.iter().map(|scheme| format!("{scheme}:"));
        let missing = match service.feature() {
            Some((feature, false)) => format!(
                "    {} needs a build with the feature {feature}:\n    \
                 cargo install --locked --path crates/adcp-signing-cli --features {feature}\n",
                schemes.collect::<Vec<_>>().join(" ")
            ),
            _ => String::new(),
        };
        page.push_str(&format!("  {}\n{missing}", service.name));
        forms.iter().for_each(|form| page.push_str(&format!("    {form}\n")));
    }
    page.push_str(
        "
Members of the query that every form has:
  alg=      ed25519 (EdDSA) or ecdsa-p256-sha256 (ES256); else the service is asked
  kid=      the name of the key in signatures and in the JWKS; its thumbprint by default
  purpose=  what the key may sign, such as request-signing, which is the default
  spki-sha256=  the SHA-256 of the public key (SPKI) that the service must have

A key URI holds no secret. Quote it in a shell: '&' and ';' end a command there.
ADCP_SIGNING_KEY stands for --key where that is not given.",
    );
    page
}
