//! The version, everywhere it stands: manifests, lock files, and the pages that show how to depend
//! on the crates.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use semver::Version;
use toml_edit::{DocumentMut, Item, TableLike};

use crate::checkout::Checkout;

/// What every crate of this project is called, or its name begins with.
const PROJECT: &str = "adcp-signing";

/// The tables of a manifest that name dependencies.
const DEPENDENCIES: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

/// The version that the crates of the workspace share.
pub(crate) fn current(checkout: &Checkout) -> Result<Version> {
    let manifest =
        fs::read_to_string(checkout.root().join("Cargo.toml")).context("cannot read Cargo.toml")?;
    let manifest: DocumentMut = manifest.parse().context("cannot read Cargo.toml")?;
    let version = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("package")?.get("version")?.as_str());
    version
        .context("Cargo.toml has no workspace.package.version")?
        .parse()
        .context("workspace.package.version")
}

/// Changes every file of the repository in which the version stands, and names them.
pub(crate) fn set(checkout: &Checkout, from: &Version, to: &Version) -> Result<Vec<String>> {
    let mut changed = Vec::new();
    for file in tracked(checkout)? {
        let path = checkout.root().join(&file);
        // Vectors and corpora hold bytes that are no text.
        let Ok(before) = fs::read_to_string(&path) else { continue };
        let after =
            rewritten(&file, &before, from, to).with_context(|| format!("cannot read {file}"))?;
        if after != before {
            fs::write(&path, after).with_context(|| format!("cannot write {file}"))?;
            changed.push(file);
        }
    }
    ensure!(from == to || !changed.is_empty(), "version {from} stands in no file");
    Ok(changed)
}

/// The files that git has, and that are this project's own words.
fn tracked(checkout: &Checkout) -> Result<Vec<String>> {
    let listed = checkout.ask([
        "ls-files",
        "-z",
        "--",
        ":!test-vectors",
        ":!fuzz/corpus",
        ":!CHANGELOG.md",
    ])?;
    Ok(listed.split('\0').filter(|file| !file.is_empty()).map(str::to_owned).collect())
}

/// One file's text with the new version.
fn rewritten(file: &str, text: &str, from: &Version, to: &Version) -> Result<String> {
    let name = file.rsplit('/').next().unwrap_or(file);
    match name {
        "Cargo.toml" => manifest(text, from, to),
        "Cargo.lock" => lock(text, from, to),
        _ if name.ends_with(".md") => Ok(prose(text, |_| true, from, to)),
        _ if name.ends_with(".rs") => Ok(prose(
            text,
            |line| ["//!", "///"].iter().any(|doc| line.trim_start().starts_with(doc)),
            from,
            to,
        )),
        _ => Ok(text.to_owned()),
    }
}

fn manifest(text: &str, from: &Version, to: &Version) -> Result<String> {
    let mut document: DocumentMut = text.parse()?;
    let root = document.as_table_mut();
    for table in [&["package"][..], &["workspace", "package"]] {
        if let Some(table) = descend(root, table) {
            set_version(table, from, to);
        }
    }
    for name in DEPENDENCIES {
        for table in [&[*name][..], &["workspace", *name]] {
            if let Some(table) = descend(root, table) {
                dependencies(table, from, to);
            }
        }
        if let Some(targets) = descend(root, &["target"]) {
            for (_, target) in targets.iter_mut() {
                if let Some(table) =
                    target.as_table_like_mut().and_then(|target| descend(target, &[*name]))
                {
                    dependencies(table, from, to);
                }
            }
        }
    }
    Ok(document.to_string())
}

fn descend<'a>(table: &'a mut dyn TableLike, keys: &[&str]) -> Option<&'a mut dyn TableLike> {
    let Some((key, rest)) = keys.split_first() else { return Some(table) };
    descend(table.get_mut(key)?.as_table_like_mut()?, rest)
}

/// The entries that have a path beside their version are the workspace's own.
fn dependencies(table: &mut dyn TableLike, from: &Version, to: &Version) {
    for (_, entry) in table.iter_mut() {
        if let Some(entry) = entry.as_table_like_mut().filter(|entry| entry.contains_key("path")) {
            set_version(entry, from, to);
        }
    }
}

fn set_version(table: &mut dyn TableLike, from: &Version, to: &Version) {
    if let Some(Item::Value(value)) = table.get_mut("version")
        && value.as_str() == Some(&from.to_string())
    {
        let decor = value.decor().clone();
        *value = to.to_string().into();
        *value.decor_mut() = decor;
    }
}

/// The packages without a source are the workspace's own.
fn lock(text: &str, from: &Version, to: &Version) -> Result<String> {
    let mut document: DocumentMut = text.parse()?;
    let packages = document.get_mut("package").and_then(Item::as_array_of_tables_mut);
    for package in packages.context("it lists no package")?.iter_mut() {
        let name = package.get("name").and_then(Item::as_str).unwrap_or_default();
        if !package.contains_key("source") && (name.starts_with(PROJECT) || name == "xtask") {
            set_version(package, from, to);
        }
    }
    Ok(document.to_string())
}

/// `"0.1"`, `@0.1.0` and `--version 0.1.0` on a line about these crates, and `Version 0.1` where a
/// line begins.
fn prose(
    text: &str,
    mut of_interest: impl FnMut(&str) -> bool,
    from: &Version,
    to: &Version,
) -> String {
    text.split_inclusive('\n')
        .map(|line| if of_interest(line) { shown(line, from, to) } else { line.to_owned() })
        .collect()
}

fn shown(line: &str, from: &Version, to: &Version) -> String {
    let mut line = line.to_owned();
    for (old, new) in [(from.to_string(), to.to_string()), (short(from), short(to))] {
        let mut done = String::new();
        let mut rest = line.as_str();
        while let Some((before, after)) = rest.split_once(old.as_str()) {
            done += before;
            let ours = done.contains(PROJECT)
                && ["\"", "@", "=", "^", "version "].iter().any(|end| done.ends_with(end));
            let known = ours || done == "Version ";
            if known && ends(after) {
                done += &new;
                // What README.md says until the first release.
                rest = after.strip_prefix(", not yet released").unwrap_or(after);
            } else {
                done += &old;
                rest = after;
            }
        }
        line = done + rest;
    }
    line
}

/// Whether a version ends before this: no further digit, part or pre-release follows.
fn ends(after: &str) -> bool {
    let mut following = after.chars();
    match following.next() {
        Some('.') => !following.next().is_some_and(|next| next.is_ascii_alphanumeric()),
        Some(next) => !next.is_ascii_alphanumeric() && next != '-' && next != '+',
        None => true,
    }
}

/// How a requirement is usually written: `0.1`; of a pre-release all of it, since `0.1` does not
/// match one.
fn short(version: &Version) -> String {
    if version.pre.is_empty() {
        format!("{}.{}", version.major, version.minor)
    } else {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn a_manifest_keeps_its_form_and_the_versions_of_others() {
        let text = "\
[workspace.package]
version = \"0.1.0\" # one for all

[workspace.dependencies]
adcp-signing-core = { path = \"crates/core\", version = \"0.1.0\", default-features = false }
adcp-signing-testkit = { path = \"crates/testkit\" }
async-trait = \"0.1.0\"
hyper-util = { version = \"0.1.0\" }

[target.'cfg(unix)'.dev-dependencies.adcp-signing]
path = \"x\"
version = \"0.1.0\"
";
        let expected = text
            .replace("version = \"0.1.0\" # one", "version = \"0.2.0-rc.1\" # one")
            .replace("version = \"0.1.0\", default", "version = \"0.2.0-rc.1\", default")
            .replace("path = \"x\"\nversion = \"0.1.0\"", "path = \"x\"\nversion = \"0.2.0-rc.1\"");
        assert_eq!(manifest(text, &version("0.1.0"), &version("0.2.0-rc.1")).unwrap(), expected);
        let unrelated = "[package]\nname = \"fuzz\"\nversion = \"0.0.0\"\n";
        assert_eq!(manifest(unrelated, &version("0.1.0"), &version("0.2.0")).unwrap(), unrelated);
    }

    #[test]
    fn a_lock_file_changes_only_for_our_own_crates() {
        let text = "\
# written by cargo
version = 4

[[package]]
name = \"adcp-signing-core\"
version = \"0.1.0\"
dependencies = [
 \"other\",
]

[[package]]
name = \"adcp-signing-fuzz\"
version = \"0.0.0\"

[[package]]
name = \"other\"
version = \"0.1.0\"
source = \"registry\"
";
        let expected = text.replacen("\"0.1.0\"", "\"0.2.0\"", 1);
        assert_eq!(lock(text, &version("0.1.0"), &version("0.2.0")).unwrap(), expected);
    }

    #[test]
    fn pages_change_where_they_show_how_to_depend_on_the_crates() {
        for (line, expected) in [
            ("adcp-signing = \"0.1\"", "adcp-signing = \"0.2\""),
            (
                "adcp-signing = { version = \"0.1\", features = [] }",
                "adcp-signing = { version = \"0.2\", features = [] }",
            ),
            ("`cargo install adcp-signing-cli@0.1.0`", "`cargo install adcp-signing-cli@0.2.0`"),
            (
                "`cargo install adcp-signing-cli --version 0.1.0`.",
                "`cargo install adcp-signing-cli --version 0.2.0`.",
            ),
            ("Version 0.1, not yet released. The backends", "Version 0.2. The backends"),
            ("This is adcp-signing, version 0.1.", "This is adcp-signing, version 0.2."),
            ("adcp-signing adds 0.1 ms", "adcp-signing adds 0.1 ms"),
            ("hyper-util = \"0.1\"", "hyper-util = \"0.1\""),
            ("OpenBao, version 0.1", "OpenBao, version 0.1"),
            ("adcp-signing = \"0.1.07\"", "adcp-signing = \"0.1.07\""),
            ("adcp-signing = \"0.1.0-rc.1\"", "adcp-signing = \"0.1.0-rc.1\""),
        ] {
            assert_eq!(shown(line, &version("0.1.0"), &version("0.2.0")), expected);
        }
        let (from, to) = (version("0.2.0-rc.1"), version("0.2.0"));
        assert_eq!(shown("adcp-signing = \"0.2.0-rc.1\"", &from, &to), "adcp-signing = \"0.2.0\"");
    }

    /// Looks wider than the rewriting does, so that a new way to write the version is noticed.
    #[test]
    fn no_place_in_this_repository_is_missed() {
        let here = Checkout::here();
        let from = current(&here).unwrap();
        let to = version("98.76.54");
        let mut changed = Vec::new();
        let mut missed = Vec::new();
        for file in tracked(&here).unwrap() {
            let Ok(before) = fs::read_to_string(here.root().join(&file)) else { continue };
            let after = rewritten(&file, &before, &from, &to).unwrap();
            if after != before {
                changed.push(file.clone());
            }
            let ours = |line: &str| {
                let line = line.to_lowercase();
                line.contains("adcp-signing")
                    || line.contains("adcp_signing")
                    || line.starts_with("version")
            };
            let full = from.to_string();
            let text = file.ends_with(".md") || file.ends_with(".toml") || file.ends_with(".yml");
            for line in after.lines().filter(|line| text && ours(line)) {
                let stands = |old: &str| {
                    let pieces: Vec<&str> = line.split(old).collect();
                    pieces.windows(2).any(|pair| {
                        let before = pair[0].chars().next_back();
                        ends(pair[1])
                            && !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '.')
                    })
                };
                if stands(&full) || stands(&short(&from)) {
                    missed.push(format!("{file}: {line}"));
                }
            }
        }
        assert_eq!(missed, Vec::<String>::new());
        for file in
            ["Cargo.toml", "Cargo.lock", "fuzz/Cargo.lock", "README.md", "docs/backends/pkcs11.md"]
        {
            assert!(changed.iter().any(|changed| changed == file), "{file} keeps the old version");
        }
    }
}
