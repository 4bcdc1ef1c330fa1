//! Each published crate builds with the oldest compiler that its manifest names, with every feature
//! that needs no newer one; and a feature that brings a crate of a newer compiler, with that one.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::{
    checkout::Checkout,
    lint,
    metadata::{Metadata, Package},
    process::{self, Echo},
    report::Outcome,
};

/// Options of `cargo xtask msrv`.
#[derive(Args)]
pub(crate) struct MsrvArgs {
    /// Install the compilers that are missing, with rustup.
    #[arg(long)]
    install: bool,
}

/// Checks every crate, and prints the table.
pub(crate) fn run(args: &MsrvArgs) -> Result<bool> {
    let here = Checkout::here();
    let metadata = Metadata::of_workspace(&here)?;
    let checks = checks(&metadata.published()?)?;
    let outcomes: Vec<Outcome> = checks
        .iter()
        .map(|check| {
            let name = format!("{} with {}", check.package, check.version);
            match compiler(check.version, args.install) {
                Ok(()) => check.run(&here, &name),
                Err(error) if args.install => Outcome::fail(&name, format!("{error:#}")),
                Err(error) => {
                    Outcome::skip(&name, format!("{error:#}: `cargo xtask msrv --install`"))
                }
            }
        })
        .collect();
    lint::only(&outcomes)
}

/// A crate with one compiler.
#[derive(Debug, PartialEq, Eq)]
struct Check<'a> {
    package: &'a str,
    version: &'a str,
    /// Those that need no newer compiler.
    features: Vec<&'a str>,
}

/// For each crate its own compiler, and each newer one that a feature needs.
fn checks<'a>(crates: &[&'a Package]) -> Result<Vec<Check<'a>>> {
    let mut checks = Vec::new();
    for package in crates {
        let mut features = Vec::new();
        for feature in package.features.keys() {
            features.push((feature.as_str(), needed(crates, package, feature)?));
        }
        let mut versions = vec![rust_version(package)?];
        versions.extend(features.iter().map(|(_, version)| *version));
        versions.sort_by_key(|version| numbers(version));
        versions.dedup();
        checks.extend(versions.into_iter().map(|version| {
            let fits = |needed: &str| numbers(needed) <= numbers(version);
            let features = features.iter().filter(|(_, needed)| fits(needed));
            let features = features.map(|(feature, _)| *feature).collect();
            Check { package: &package.name, version, features }
        }));
    }
    Ok(checks)
}

/// The newest compiler that a feature needs: that of its crate, and of each crate of the workspace
/// that it turns on.
fn needed<'a>(crates: &[&'a Package], package: &'a Package, feature: &str) -> Result<&'a str> {
    let mut newest = rust_version(package)?;
    for turned_on in package.features.get(feature).into_iter().flatten() {
        let (name, feature) = match turned_on.split_once('/') {
            Some((name, feature)) => (Some(name), Some(feature)),
            None => match turned_on.strip_prefix("dep:") {
                Some(name) => (Some(name), None),
                None => (None, Some(turned_on.as_str())),
            },
        };
        let of = match name {
            // `name?/feature` turns on nothing by itself.
            Some(name) => crates.iter().copied().find(|other| other.name == name),
            None => Some(package),
        };
        let Some(of) = of else { continue };
        let version = match feature {
            Some(feature) => needed(crates, of, feature)?,
            None => rust_version(of)?,
        };
        if numbers(version) > numbers(newest) {
            newest = version;
        }
    }
    Ok(newest)
}

fn rust_version(package: &Package) -> Result<&str> {
    let version = package.rust_version.as_deref();
    version.with_context(|| format!("{} has no rust-version", package.name))
}

/// A version without its last zeros is older than one with more numbers.
fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|number| number.parse().unwrap_or(u32::MAX)).collect()
}

/// Makes sure that this compiler is there.
fn compiler(version: &str, install: bool) -> Result<()> {
    let mut rustc = Command::new("rustup");
    rustc.args(["run", version, "rustc", "--version"]).stdin(Stdio::null());
    rustc.stdout(Stdio::null()).stderr(Stdio::null());
    if rustc.status().is_ok_and(|status| status.success()) {
        return Ok(());
    }
    ensure!(install, "Rust {version} is not installed");
    let mut install = Command::new("rustup");
    install.args(["toolchain", "install", version, "--profile", "minimal"]).stdin(Stdio::null());
    let status = process::status(&mut install)?;
    ensure!(status.success(), "rustup cannot install Rust {version}: {status}");
    Ok(())
}

impl Check<'_> {
    fn run(&self, here: &Checkout, name: &str) -> Outcome {
        let mut command = Command::new("rustup");
        command.args(["run", self.version, "cargo", "check", "--locked", "--no-default-features"]);
        command.args(["--package", self.package, "--features", &self.features.join(",")]);
        command.current_dir(here.root()).stdin(Stdio::null());
        // Apart, so that the usual compiler keeps what it has built.
        command.env("CARGO_TARGET_DIR", here.target().join("msrv"));
        lint::check(name, &mut command, Echo::Stdout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_is_checked_with_the_oldest_compiler_that_can_build_it() {
        let metadata = Metadata::of_workspace(&Checkout::here()).unwrap();
        let crates = metadata.published().unwrap();
        let checks = checks(&crates).unwrap();
        for package in ["adcp-signing", "adcp-signing-cli"] {
            let of: Vec<&Check<'_>> =
                checks.iter().filter(|check| check.package == package).collect();
            assert!(of.len() > 1, "{of:?}");
            let has = |at: usize, feature: &str| of[at].features.contains(&feature);
            let last = of.len() - 1;
            assert!(has(0, "vault-transit") && !has(0, "aws-kms") && !has(0, "gcp-kms"), "{of:?}");
            assert!(has(last, "aws-kms-sso") && has(last, "gcp-kms"), "{of:?}");
            let own = crates.iter().find(|own| own.name == package).unwrap();
            assert_eq!(of[0].version, own.rust_version.as_deref().unwrap());
            assert_eq!(of[last].features.len(), own.features.len());
        }
        let backend = |name: &str| crates.iter().find(|own| own.name == name).copied().unwrap();
        let gcp = backend("adcp-signing-gcp-kms").rust_version.as_deref().unwrap();
        let facade = backend("adcp-signing");
        assert_eq!(needed(&crates, facade, "gcp-kms").unwrap(), gcp);
        assert!(numbers("1.88") < numbers("1.91") && numbers("1.91") < numbers("1.94.1"));
    }
}
