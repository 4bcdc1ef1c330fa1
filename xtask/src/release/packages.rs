//! The `.crate` files, and whether each stands on its own: it builds and documents from what is in
//! it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};
use semver::Version;
use toml_edit::{DocumentMut, Item, Table, value};

use crate::{
    checkout::Checkout,
    lint::DOC_FLAGS,
    metadata::Package,
    process::{self, Echo},
};

/// What every package has to hold, as its licence and its page on the registry need it.
const REQUIRED: &[&str] = &["README.md", "LICENSE-MIT", "LICENSE-APACHE"];

/// Folders of what only tests and examples build.
const TEST_FOLDERS: &[&str] = &["tests", "benches", "examples"];

/// A crate and its `.crate` file.
pub(crate) struct Packaged {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
}

/// How far a package is compiled to see that nothing is missing from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Types and borrows only, so that a rehearsal shares the results of the other checks.
    Check,
    /// All the way.
    Build,
}

/// Packages the crates. Dependencies on each other count as published: cargo lays the new packages
/// over the registry.
pub(crate) fn package(tree: &Checkout, crates: &[&Package], echo: Echo) -> Result<Vec<Packaged>> {
    let mut command = tree.cargo(["package", "--locked", "--no-verify"]);
    for package in crates {
        command.args(["--package", &package.name]);
    }
    let status = process::stream(&mut command, process::BUILD_LIMIT, echo, |_| ())?;
    ensure!(status.success(), "`cargo package` failed: {status}");
    let folder = tree.target().join("package");
    let file = |package: &&Package| {
        let file = folder.join(format!("{}-{}.crate", package.name, package.version));
        ensure!(file.is_file(), "`cargo package` wrote no {}", file.display());
        Ok(Packaged { name: package.name.clone(), file })
    };
    crates.iter().map(file).collect()
}

/// The packages unpacked beside each other, in a workspace that has nothing else.
pub(crate) struct Unpacked {
    checkout: Checkout,
}

impl Unpacked {
    /// Unpacks into the folder, whose former content is lost.
    pub(crate) fn unpack(
        tree: &Checkout,
        packaged: &[Packaged],
        crates: &[&Package],
        folder: &Path,
    ) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder)
                .with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        for package in packaged {
            let status = process::status(
                Command::new("tar").arg("-xzf").arg(&package.file).current_dir(folder),
            )?;
            ensure!(status.success(), "cannot unpack {}", package.file.display());
        }
        for package in crates {
            complete(&folder.join(folder_name(package)), package)?;
        }
        let manifest =
            fs::read_to_string(tree.root().join("Cargo.toml")).context("cannot read Cargo.toml")?;
        fs::write(folder.join("Cargo.toml"), workspace(&manifest, crates)?)?;
        // The same versions of everything else. What only tests and tools need drops out of it.
        fs::copy(tree.root().join("Cargo.lock"), folder.join("Cargo.lock"))
            .context("cannot copy Cargo.lock")?;
        Ok(Self { checkout: tree.beside(folder.to_owned()) })
    }

    /// Compiles one package alone, with its default features and with all.
    pub(crate) fn compile(&self, package: &Package, depth: Depth, echo: Echo) -> Result<()> {
        let verb = match depth {
            Depth::Check => "check",
            Depth::Build => "build",
        };
        for features in [&[][..], &["--all-features"]] {
            let mut command = self.checkout.cargo([verb, "--package", &package.name]);
            let status =
                process::stream(command.args(features), process::BUILD_LIMIT, echo, |_| ())?;
            let features = shown(features);
            ensure!(
                status.success(),
                "{} does not {verb} from its package with {features}",
                package.name
            );
        }
        Ok(())
    }

    /// Documents one package as docs.rs will, and with each of its features alone. A warning fails.
    pub(crate) fn document(&self, package: &Package, echo: Echo) -> Result<u64> {
        let alone =
            |feature| vec!["--no-default-features".to_owned(), format!("--features={feature}")];
        let sets =
            [package.documented_features()].into_iter().chain(package.own_features().map(alone));
        let mut documented = 0;
        for features in sets {
            let mut command =
                self.checkout.cargo(["doc", "--no-deps", "--lib", "--package", &package.name]);
            let command = command.args(&features).env("RUSTDOCFLAGS", DOC_FLAGS);
            let status = process::stream(command, process::BUILD_LIMIT, echo, |_| ())?;
            ensure!(
                status.success(),
                "{} cannot be documented with {}",
                package.name,
                shown(&features)
            );
            documented += 1;
        }
        Ok(documented)
    }
}

/// The arguments that choose features, for a message.
fn shown<S: AsRef<str>>(features: &[S]) -> String {
    let words: Vec<&str> = features.iter().map(AsRef::as_ref).collect();
    if words.is_empty() { "its default features".to_owned() } else { words.join(" ") }
}

/// `adcp-signing-core-0.1.0`: the folder that a package unpacks to.
fn folder_name(package: &Package) -> String {
    format!("{}-{}", package.name, package.version)
}

/// What cargo does not see: the licences are there, and no test that cannot build.
fn complete(folder: &Path, package: &Package) -> Result<()> {
    let name = &package.name;
    for file in REQUIRED {
        ensure!(
            folder.join(file).is_file(),
            "the package of {name} has no {file}; for a licence: `ln -s ../../{file} crates/{name}/{file}`"
        );
    }
    if let Some(stripped) = package.stripped().next()
        && let Some(tests) = TEST_FOLDERS.iter().find(|tests| folder.join(tests).exists())
    {
        bail!(
            "the package of {name} has `{tests}`, which needs {stripped}, which is not published: \
             add \"{tests}\" to `exclude` in crates/{name}/Cargo.toml"
        );
    }
    Ok(())
}

/// A manifest whose members are the packages, which take each other for what the registry has,
/// built with the profiles of the repository.
fn workspace(manifest: &str, crates: &[&Package]) -> Result<String> {
    let repository: DocumentMut = manifest.parse().context("cannot read Cargo.toml")?;
    let mut document = DocumentMut::new();
    let mut workspace = Table::new();
    if let Some(resolver) =
        repository.get("workspace").and_then(|workspace| workspace.get("resolver"))
    {
        workspace.insert("resolver", resolver.clone());
    }
    workspace.insert(
        "members",
        value(crates.iter().map(|package| folder_name(package)).collect::<toml_edit::Array>()),
    );
    document.insert("workspace", Item::Table(workspace));
    let mut registry = Table::new();
    for package in crates {
        let mut source = toml_edit::InlineTable::new();
        source.insert("path", folder_name(package).into());
        registry.insert(&package.name, value(source));
    }
    let mut patch = Table::new();
    patch.insert("crates-io", Item::Table(registry));
    document.insert("patch", Item::Table(patch));
    if let Some(profile) = repository.get("profile") {
        document.insert("profile", profile.clone());
    }
    Ok(document.to_string())
}

/// The packages' version, which they share.
pub(crate) fn shared_version<'a>(crates: &[&'a Package]) -> Result<&'a Version> {
    let version =
        crates.first().map(|package| &package.version).context("there is no crate to publish")?;
    match crates.iter().find(|package| package.version != *version) {
        Some(odd) => bail!("{} has version {}, the others {version}", odd.name, odd.version),
        None => Ok(version),
    }
}
