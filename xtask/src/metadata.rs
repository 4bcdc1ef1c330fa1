//! The workspace as `cargo metadata` describes it: its crates, their features, and the order to
//! publish them in.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
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

    /// The crates that are published, each after those it depends on.
    pub(crate) fn published(&self) -> Result<Vec<&Package>> {
        let members =
            self.packages.iter().filter(|package| self.workspace_members.contains(&package.id));
        let (mut waiting, unpublished): (Vec<&Package>, Vec<&Package>) =
            members.partition(|package| package.publish.as_ref().is_none_or(|to| !to.is_empty()));
        waiting.sort_by(|one, other| one.name.cmp(&other.name));
        for package in &waiting {
            let mut kept =
                package.dependencies.iter().filter(|dependency| !dependency.is_stripped());
            let private = |dependency: &&Dependency| {
                dependency.path.is_some()
                    && unpublished.iter().any(|other| other.name == dependency.name)
            };
            if let Some(dependency) = kept.find(private) {
                bail!("{} depends on {}, which is not published", package.name, dependency.name);
            }
        }
        let mut order: Vec<&Package> = Vec::new();
        while !waiting.is_empty() {
            let ready = waiting.iter().position(|package| {
                let mut own = package
                    .dependencies
                    .iter()
                    .filter(|own| own.path.is_some() && !own.is_stripped());
                own.all(|own| order.iter().any(|done| done.name == own.name))
            });
            let names = || {
                waiting.iter().map(|package| package.name.as_str()).collect::<Vec<_>>().join(", ")
            };
            let ready =
                ready.with_context(|| format!("these crates depend on each other: {}", names()))?;
            order.push(waiting.remove(ready));
        }
        ensure!(!order.is_empty(), "the workspace publishes no crate");
        Ok(order)
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
    use serde_json::json;

    use super::*;

    /// A crate and its dependencies: name, kind, requirement.
    type Crate<'a> = (&'a str, &'a [(&'a str, &'a str, &'a str)]);

    /// A workspace of crates; those named `private…` are not published.
    fn workspace(crates: &[Crate<'_>]) -> Metadata {
        let packages: Vec<Value> = crates
            .iter()
            .map(|(name, dependencies)| {
                let dependencies: Vec<Value> = dependencies
                    .iter()
                    .map(|(name, kind, req)| {
                        let kind = (*kind != "normal").then_some(kind);
                        json!({"name": name, "kind": kind, "req": req, "path": format!("/w/{name}")})
                    })
                    .collect();
                let publish = name.starts_with("private").then(|| json!([]));
                json!({
                    "name": name, "version": "0.1.0", "id": name, "description": null, "license": null,
                    "repository": null, "publish": publish, "features": {}, "dependencies": dependencies,
                    "targets": [], "metadata": null,
                })
            })
            .collect();
        let members: Vec<&str> = crates.iter().map(|(name, _)| *name).collect();
        serde_json::from_value(
            json!({"packages": packages, "workspace_members": members, "resolve": null}),
        )
        .unwrap()
    }

    fn order(metadata: &Metadata) -> Vec<&str> {
        metadata.published().unwrap().iter().map(|package| package.name.as_str()).collect()
    }

    #[test]
    fn a_crate_comes_after_what_it_depends_on_in_tests_too() {
        let metadata = workspace(&[
            ("a-tool", &[("facade", "normal", "^0.1")]),
            ("facade", &[("core", "normal", "^0.1"), ("suite", "dev", "^0.1")]),
            ("core", &[]),
            ("suite", &[("core", "build", "^0.1"), ("private-fakes", "dev", "*")]),
            ("private-fakes", &[("core", "normal", "^0.1")]),
        ]);
        assert_eq!(order(&metadata), ["core", "suite", "facade", "a-tool"]);
    }

    #[test]
    fn what_cannot_be_published_in_any_order_is_refused() {
        for (crates, error) in [
            (
                &[("a", &[("b", "normal", "^0.1")][..]), ("b", &[("a", "dev", "^0.1")])][..],
                "these crates depend on each other: a, b",
            ),
            (
                &[("a", &[("private", "normal", "^0.1")]), ("private", &[])],
                "a depends on private, which is not published",
            ),
            (&[("private", &[])], "the workspace publishes no crate"),
        ] {
            assert_eq!(workspace(crates).published().unwrap_err().to_string(), error);
        }
    }

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
    fn this_workspace_publishes_core_first_and_no_test_support_of_its_own() {
        let metadata = Metadata::of_workspace(&Checkout::here()).unwrap();
        let order = order(&metadata);
        assert_eq!(order.first(), Some(&"adcp-signing-core"));
        assert!(!order.contains(&"adcp-signing-testkit") && !order.contains(&"xtask"));
    }
}
