//! The workspace as `cargo metadata` describes it: its crates and their features.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use semver::Version;
use serde::Deserialize;
use serde_json::Value;

use crate::{checkout::Checkout, process};

/// What `cargo metadata` prints, as far as it is used here.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    /// Every package; without the dependencies only those of the workspace.
    pub(crate) packages: Vec<Package>,
    workspace_members: Vec<String>,
    #[cfg(test)]
    #[serde(default)]
    workspace_default_members: Vec<String>,
    /// Who depends on whom; absent without the dependencies.
    pub(crate) resolve: Option<Resolve>,
}

/// A package.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: Version,
    pub(crate) id: String,
    pub(crate) description: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) repository: Option<String>,
    pub(crate) rust_version: Option<String>,
    /// The registries that it may go to: none, or any if absent.
    publish: Option<Vec<String>>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
    metadata: Value,
}

/// A dependency as the manifest states it.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    req: String,
    kind: Option<String>,
    path: Option<PathBuf>,
}

/// What is built of a package.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    kind: Vec<String>,
}

/// The resolved graph.
#[derive(Debug, Deserialize)]
pub(crate) struct Resolve {
    pub(crate) nodes: Vec<Node>,
}

/// A package in the resolved graph.
#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    /// The packages it depends on.
    pub(crate) dependencies: Vec<String>,
}

impl Metadata {
    /// The crates of the workspace, without looking at their dependencies.
    pub(crate) fn of_workspace(checkout: &Checkout) -> Result<Self> {
        Self::read(checkout, &["--no-deps"])
    }

    /// All packages, as Cargo.lock has them, with every feature.
    pub(crate) fn of_everything(checkout: &Checkout) -> Result<Self> {
        Self::read(checkout, &["--locked", "--all-features"])
    }

    fn read(checkout: &Checkout, args: &[&str]) -> Result<Self> {
        let mut command = checkout.cargo(["metadata", "--format-version", "1"]);
        let text = process::capture(command.args(args))?;
        serde_json::from_str(&text).context("cannot read what `cargo metadata` printed")
    }

    /// The crates that are published, by name.
    pub(crate) fn published(&self) -> Result<Vec<&Package>> {
        let is_published = |package: &&Package| {
            self.workspace_members.contains(&package.id)
                && package.publish.as_ref().is_none_or(|to| !to.is_empty())
        };
        let mut crates: Vec<&Package> = self.packages.iter().filter(is_published).collect();
        crates.sort_by(|one, other| one.name.cmp(&other.name));
        ensure!(!crates.is_empty(), "the workspace publishes no crate");
        Ok(crates)
    }
}

impl Package {
    /// Whether it has a library, which is what documentation is made of.
    pub(crate) fn has_library(&self) -> bool {
        self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "lib"))
    }

    /// Every feature but `default`.
    pub(crate) fn own_features(&self) -> impl Iterator<Item = &str> {
        self.features.keys().map(String::as_str).filter(|feature| *feature != "default")
    }

    /// The arguments for the features that docs.rs documents, by `package.metadata.docs.rs`.
    pub(crate) fn documented_features(&self) -> Vec<String> {
        let says = |key: &str| self.metadata.pointer("/docs/rs").and_then(|table| table.get(key));
        let mut args = Vec::new();
        for key in ["all-features", "no-default-features"] {
            if says(key).and_then(Value::as_bool) == Some(true) {
                args.push(format!("--{key}"));
            }
        }
        let features = says("features").and_then(Value::as_array).into_iter().flatten();
        for feature in features.filter_map(Value::as_str) {
            args.push(format!("--features={feature}"));
        }
        args
    }

    /// The test-only dependencies that `cargo package` leaves out, because they have a path and no
    /// version.
    pub(crate) fn stripped(&self) -> impl Iterator<Item = &str> {
        self.dependencies.iter().filter(|own| own.is_stripped()).map(|own| own.name.as_str())
    }
}

impl Dependency {
    fn is_stripped(&self) -> bool {
        self.kind.as_deref() == Some("dev") && self.path.is_some() && self.req == "*"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_run_and_cargo_doc_without_arguments_take_the_command_line_and_the_library() {
        let metadata = Metadata::of_workspace(&Checkout::here()).unwrap();
        let default = &metadata.workspace_default_members;
        let members = metadata.packages.iter().filter(|own| default.contains(&own.id));
        let mut names: Vec<&str> = members.map(|own| own.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["adcp-signing", "adcp-signing-cli"]);
    }

    #[test]
    fn this_workspace_publishes_no_test_support_of_its_own() {
        let metadata = Metadata::of_workspace(&Checkout::here()).unwrap();
        let published = metadata.published().unwrap();
        let names: Vec<&str> = published.iter().map(|own| own.name.as_str()).collect();
        assert!(names.contains(&"adcp-signing-core") && names.is_sorted());
        assert!(!names.contains(&"adcp-signing-testkit") && !names.contains(&"xtask"));
    }
}
