//! The rules about what may be linked: core, the default facade and the default command line carry
//! no network, no TLS and no cloud SDK, and every crate comes from crates.io.

use anyhow::{Context as _, Result};

use crate::{checkout::Checkout, metadata::Metadata, process, report::Outcome};

/// Crates that mean a network, TLS, an HTTP stack or a cloud SDK. A trailing `*` matches any
/// ending. `http` is not one of them: it is types alone, and links nothing that opens a socket.
const NETWORK: &[&str] = &[
    "async-io",
    "attohttpc",
    "aws-config",
    "aws-credential-types",
    "aws-runtime",
    "aws-sdk-*",
    "aws-sig*",
    "aws-smithy-*",
    "aws-types",
    "axum*",
    "azure_*",
    "boring*",
    "cryptoki*",
    "curl*",
    "google-cloud-*",
    "h2",
    "h3*",
    "hickory-*",
    "http-*",
    "hyper*",
    "isahc",
    "minreq",
    "mio",
    "native-tls",
    "openssl*",
    "quinn*",
    "redis",
    "reqwest*",
    "ring",
    "rustls*",
    "s2n-*",
    "schannel",
    "security-framework*",
    "smol",
    "socket2",
    "sqlx*",
    "tokio-native-tls",
    "tokio-postgres",
    "tokio-rustls",
    "tonic*",
    "tower*",
    "tungstenite",
    "typespec*",
    "ureq*",
    "vaultrs",
    "webpki*",
];

/// What must stay free of [`NETWORK`]: the name of the check and the arguments of `cargo tree`.
const FREE_OF_NETWORK: &[(&str, &[&str])] = &[
    ("deps-core", &["--package", "adcp-signing-core"]),
    ("deps-core-all-features", &["--package", "adcp-signing-core", "--all-features"]),
    ("deps-facade", &["--package", FACADE]),
    ("deps-cli", &["--package", "adcp-signing-cli"]),
    ("deps-conformance", &["--package", "adcp-signing-conformance", "--all-features"]),
];

const FACADE: &str = "adcp-signing";

/// Crates that would be a second TLS stack beside `rustls` with `aws-lc-rs`.
const OTHER_TLS: &[&str] =
    &["boring*", "native-tls", "openssl", "openssl-sys", "ring", "s2n-*", "tokio-native-tls"];

/// What has one TLS stack, which is [`OTHER_TLS`]' opposite.
const ONE_TLS: &[(&str, &[&str])] = &[
    ("deps-tls-aws-kms", &["--package", "adcp-signing-aws-kms"]),
    ("deps-tls-azure-key-vault", &["--package", "adcp-signing-azure-key-vault"]),
    ("deps-tls-gcp-kms", &["--package", "adcp-signing-gcp-kms"]),
    ("deps-tls-trust", &["--package", "adcp-signing-trust"]),
    ("deps-tls-vault-transit", &["--package", "adcp-signing-vault-transit"]),
];

/// One outcome a rule.
pub(crate) fn check() -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = FREE_OF_NETWORK
        .iter()
        .map(|(name, package)| outcome(name, offenders(package, of_network)))
        .collect();
    outcomes.push(outcome("deps-facade-without-backends", facade_without_backends()));
    outcomes.extend(
        ONE_TLS.iter().map(|(name, package)| outcome(name, offenders(package, of_other_tls))),
    );
    outcomes.push(outcome("deps-sources", foreign_sources()));
    outcomes
}

/// The facade with every feature that adds no crate of its own: whatever is not a backend.
fn facade_without_backends() -> Result<Vec<String>> {
    let metadata = Metadata::of_workspace(&Checkout::here())?;
    let facade = metadata
        .packages
        .iter()
        .find(|package| package.name == FACADE)
        .context("there is no facade")?;
    // By itself, or by a feature that it turns on.
    let adds_crate = |adds: &[String]| adds.iter().any(|added| added.starts_with("dep:"));
    let adds_none = |adds: &Vec<String>| {
        let turned_on = adds.iter().filter_map(|added| facade.features.get(added));
        !adds_crate(adds) && !turned_on.map(Vec::as_slice).any(adds_crate)
    };
    let features = facade
        .features
        .iter()
        .filter(|(_, adds)| adds_none(adds))
        .map(|(feature, _)| feature.as_str());
    offenders(
        &["--package", FACADE, "--features", &features.collect::<Vec<_>>().join(",")],
        of_network,
    )
}

fn outcome(name: &str, offenders: Result<Vec<String>>) -> Outcome {
    match offenders {
        Ok(offenders) if offenders.is_empty() => Outcome::pass(name),
        Ok(offenders) => Outcome::fail(name, format!("not allowed here: {}", offenders.join(", "))),
        Err(error) => Outcome::fail(name, format!("{error:#}")),
    }
}

fn offenders(package: &[&str], is_offender: fn(&str, &str) -> bool) -> Result<Vec<String>> {
    let mut tree = process::cargo([
        "tree",
        "--locked",
        "--edges",
        "normal,build",
        "--target",
        "all",
        "--prefix",
        "none",
    ]);
    // `{f}` shows features: tokio is allowed for its timer, never with `net`.
    let text = process::capture(tree.args(["--format", "{p}|{f}"]).args(package))?;
    anyhow::ensure!(!text.trim().is_empty(), "`cargo tree` printed nothing");
    let mut offenders: Vec<String> =
        text.lines().filter_map(|line| offender(line, is_offender)).collect();
    offenders.sort_unstable();
    offenders.dedup();
    Ok(offenders)
}

/// The crate of a line `name v1.2.3 …|features`, if it may not be there.
fn offender(line: &str, is_offender: fn(&str, &str) -> bool) -> Option<String> {
    let (package, features) = line.split_once('|')?;
    let name = package.split(' ').next()?;
    is_offender(name, features).then(|| name.to_owned())
}

fn of_network(name: &str, features: &str) -> bool {
    let net = name == "tokio" && features.split([',', ' ']).any(|feature| feature == "net");
    net || NETWORK.iter().any(|pattern| matches(pattern, name))
}

fn of_other_tls(name: &str, _: &str) -> bool {
    OTHER_TLS.iter().any(|pattern| matches(pattern, name))
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

/// Packages of the lock file that come from anywhere but crates.io or this workspace.
fn foreign_sources() -> Result<Vec<String>> {
    let lock = std::fs::read_to_string(process::root().join("Cargo.lock"))?;
    Ok(lock
        .lines()
        .filter_map(|line| line.strip_prefix("source = "))
        .filter(|source| {
            !source.starts_with("\"registry+https://github.com/rust-lang/crates.io-index")
        })
        .map(str::to_owned)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else the check could pass by seeing nothing.
    #[test]
    fn a_facade_with_its_backends_has_network_crates() {
        let found = offenders(&["--package", FACADE, "--all-features"], of_network).unwrap();
        for expected in ["aws-sdk-kms", "hyper", "rustls", "tokio"] {
            assert!(found.iter().any(|found| found == expected), "{expected} is not in {found:?}");
        }
        assert_eq!(facade_without_backends().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_network_crate_is_named_and_a_timer_is_not() {
        for (line, expected) in [
            ("tokio v1.48.0|sync,time", None),
            ("tokio v1.48.0|net,time", Some("tokio")),
            ("tokio v1.48.0|time,net (*)", Some("tokio")),
            ("hyper-util v0.1.0|default", Some("hyper-util")),
            ("http v1.4.0|default,std", None),
            ("http-body v1.0.1|", Some("http-body")),
            ("httpdate v1.0.3|", None),
            ("aws-lc-rs v1.19.0|alloc", None),
            ("aws-sdk-kms v1.0.0|", Some("aws-sdk-kms")),
            ("h2 v0.4.0|", Some("h2")),
        ] {
            assert_eq!(offender(line, of_network).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn a_second_tls_stack_is_named_and_the_one_there_is_not() {
        for (line, expected) in [
            ("ring v0.17.14|default", Some("ring")),
            ("openssl v0.10.79|", Some("openssl")),
            ("native-tls v0.2.14|", Some("native-tls")),
            ("openssl-probe v0.2.2|", None),
            ("rustls v0.23.46|aws_lc_rs,ring", None),
            ("aws-lc-rs v1.19.0|", None),
        ] {
            assert_eq!(offender(line, of_other_tls).as_deref(), expected, "{line}");
        }
    }
}
