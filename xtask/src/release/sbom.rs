//! The bill of materials of a release, CycloneDX 1.6 as JSON: the released crates, everything they
//! can link or run at build time with any feature on any platform, and who depends on whom.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use toml_edit::{DocumentMut, Item};

use crate::{
    checkout::Checkout,
    checksums::hex,
    metadata::{Metadata, Package},
    process,
};

/// What is released, and from where.
pub(crate) struct Release<'a> {
    pub(crate) version: &'a str,
    pub(crate) commit: &'a str,
    /// When the commit was made, in UTC: `2026-01-02T03:04:05Z`.
    pub(crate) timestamp: &'a str,
    /// SHA-256 of each `.crate` file, by crate.
    pub(crate) checksums: &'a BTreeMap<String, String>,
}

/// The name that the release as a whole goes by.
const PRODUCT: &str = "adcp-signing-release";

/// Writes it down for the crates of a work tree.
pub(crate) fn describe(tree: &Checkout, release: &Release<'_>) -> Result<Value> {
    let linked = linked(tree, release.checksums.keys())?;
    let lock = std::fs::read_to_string(tree.root().join("Cargo.lock"))
        .context("cannot read Cargo.lock")?;
    render(&Metadata::of_everything(tree)?, &linked, &registry_checksums(&lock)?, release)
}

/// `name version` of what `cargo tree` says the crates link: resolved without the features that
/// only tests turn on.
fn linked<'a>(
    tree: &Checkout,
    crates: impl Iterator<Item = &'a String>,
) -> Result<BTreeSet<String>> {
    let mut command =
        tree.cargo(["tree", "--locked", "--all-features", "--target", "all", "--prefix", "none"]);
    command.args(["--edges", "normal,build", "--no-dedupe", "--format", "{p}"]);
    for name in crates {
        command.args(["--package", name]);
    }
    let text = process::capture(&mut command)?;
    Ok(text.lines().filter_map(named).collect())
}

/// `serde v1.0.0 (proc-macro)` → `serde 1.0.0`.
fn named(line: &str) -> Option<String> {
    let mut words = line.split(' ');
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    Some(format!("{name} {version}"))
}

/// The checksums that Cargo.lock has, by `name version`.
pub(crate) fn registry_checksums(lock: &str) -> Result<BTreeMap<String, String>> {
    let lock: DocumentMut = lock.parse().context("cannot read Cargo.lock")?;
    let packages = lock
        .get("package")
        .and_then(Item::as_array_of_tables)
        .context("Cargo.lock lists no package")?;
    let entry = |package: &toml_edit::Table| {
        let text = |key: &str| Some(package.get(key)?.as_str()?.to_owned());
        Some((format!("{} {}", text("name")?, text("version")?), text("checksum")?))
    };
    Ok(packages.iter().filter_map(entry).collect())
}

fn render(
    metadata: &Metadata,
    linked: &BTreeSet<String>,
    registry: &BTreeMap<String, String>,
    release: &Release<'_>,
) -> Result<Value> {
    let key = |package: &Package| format!("{} {}", package.name, package.version);
    let packages: BTreeMap<&str, &Package> = metadata
        .packages
        .iter()
        .filter(|package| linked.contains(&key(package)))
        .map(|package| (package.id.as_str(), package))
        .collect();
    ensure!(
        packages.len() == linked.len(),
        "`cargo tree` and `cargo metadata` name different packages"
    );
    let mut components = Vec::new();
    for package in packages.values() {
        let checksum = release.checksums.get(&package.name).or_else(|| registry.get(&key(package)));
        let checksum =
            checksum.with_context(|| format!("Cargo.lock has no checksum of {}", key(package)))?;
        components.push(component(package, checksum));
    }
    let product = format!("{PRODUCT}@{}", release.version);
    let released = |package: &&Package| release.checksums.contains_key(&package.name);
    let mut dependencies = vec![json!({
        "ref": product,
        "dependsOn": packages.values().copied().filter(released).map(purl).collect::<BTreeSet<_>>(),
    })];
    for node in &metadata.resolve.as_ref().context("`cargo metadata` has no graph")?.nodes {
        if let Some(package) = packages.get(node.id.as_str()) {
            let on = node.dependencies.iter().filter_map(|id| packages.get(id.as_str()).copied());
            let on: BTreeSet<String> = on.map(purl).collect();
            dependencies.push(json!({"ref": purl(package), "dependsOn": on}));
        }
    }
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial_number(release),
        "version": 1,
        "metadata": {
            "timestamp": release.timestamp,
            "component": {
                "type": "library",
                "bom-ref": product,
                "name": PRODUCT,
                "version": release.version,
                "properties": [{"name": "git:commit", "value": release.commit}],
            },
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

fn component(package: &Package, checksum: &str) -> Value {
    let kind = if package.has_library() { "library" } else { "application" };
    let mut component = json!({
        "type": kind,
        "bom-ref": purl(package),
        "name": package.name,
        "version": package.version,
        "purl": purl(package),
        "hashes": [{"alg": "SHA-256", "content": checksum}],
    });
    let Some(fields) = component.as_object_mut() else { return component };
    if let Some(description) = &package.description {
        fields.insert("description".to_owned(), json!(one_line(description)));
    }
    if let Some(license) = &package.license {
        // `MIT/Apache-2.0` is what old manifests write for a choice.
        let expression = one_line(&license.replace('/', " OR "));
        fields.insert("licenses".to_owned(), json!([{"expression": expression}]));
    }
    if let Some(repository) = &package.repository {
        fields.insert("externalReferences".to_owned(), json!([{"type": "vcs", "url": repository}]));
    }
    component
}

/// The text with single spaces.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The package URL.
fn purl(package: &Package) -> String {
    // `+` starts build metadata in a version, and is no letter of a package URL.
    format!("pkg:cargo/{}@{}", package.name, package.version.to_string().replace('+', "%2B"))
}

/// A UUID of version 8 from the commit and the version: the same release has the same number.
fn serial_number(release: &Release<'_>) -> String {
    let digest = hex(&Sha256::digest(format!("{} {}", release.commit, release.version)));
    let digits: Vec<char> = digest.chars().take(32).collect();
    let mut uuid = String::from("urn:uuid:");
    for (index, digit) in digits.into_iter().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            uuid.push('-');
        }
        uuid.push(match index {
            12 => '8',
            16 => 'a',
            _ => digit,
        });
    }
    uuid
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Metadata {
        let package = |name: &str, version: &str, kind: &str, license: &str| {
            json!({
                "name": name, "version": version, "id": name, "description": "What\nit is", "license": license,
                "repository": "https://git.example/p", "publish": null, "features": {}, "dependencies": [],
                "targets": [{"kind": [kind]}], "metadata": null,
            })
        };
        serde_json::from_value(json!({
            "packages": [
                package("ours", "0.2.0", "lib", "MIT OR Apache-2.0"),
                package("tool", "0.2.0", "bin", "MIT OR Apache-2.0"),
                package("theirs", "1.0.0+a", "lib", "MIT / Apache-2.0"),
                package("only-in-tests", "1.0.0", "lib", "MIT"),
            ],
            "workspace_members": ["ours", "tool"],
            "resolve": {"nodes": [
                {"id": "ours", "dependencies": ["theirs", "only-in-tests"]},
                {"id": "tool", "dependencies": ["ours"]},
                {"id": "theirs", "dependencies": []},
                {"id": "only-in-tests", "dependencies": []},
            ]},
        }))
        .unwrap()
    }

    fn strings<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn it_lists_what_is_linked_with_hashes_licences_and_who_depends_on_whom() {
        let linked = ["ours 0.2.0", "tool 0.2.0", "theirs 1.0.0+a"].map(str::to_owned).into();
        let checksums = strings([("ours", "aa"), ("tool", "bb")]);
        let release = Release {
            version: "0.2.0",
            commit: "c0ffee",
            timestamp: "2026-01-02T03:04:05Z",
            checksums: &checksums,
        };
        let bom =
            render(&metadata(), &linked, &strings([("theirs 1.0.0+a", "cc")]), &release).unwrap();
        let at = |pointer: &str| bom.pointer(pointer).cloned().unwrap_or_default();
        let names: Vec<Value> =
            (0..3).map(|index| at(&format!("/components/{index}/name"))).collect();
        assert_eq!(names, ["ours", "theirs", "tool"]);
        assert_eq!(at("/components/3"), Value::Null);
        assert_eq!(at("/components/0/hashes"), json!([{"alg": "SHA-256", "content": "aa"}]));
        assert_eq!(at("/components/0/description"), "What it is");
        assert_eq!(at("/components/1/hashes/0/content"), "cc");
        assert_eq!(at("/components/1/purl"), "pkg:cargo/theirs@1.0.0%2Ba");
        assert_eq!(at("/components/1/licenses"), json!([{"expression": "MIT OR Apache-2.0"}]));
        assert_eq!(at("/components/2/type"), "application");
        assert_eq!(
            at("/dependencies"),
            json!([
                {"ref": "adcp-signing-release@0.2.0", "dependsOn": ["pkg:cargo/ours@0.2.0", "pkg:cargo/tool@0.2.0"]},
                {"ref": "pkg:cargo/ours@0.2.0", "dependsOn": ["pkg:cargo/theirs@1.0.0%2Ba"]},
                {"ref": "pkg:cargo/tool@0.2.0", "dependsOn": ["pkg:cargo/ours@0.2.0"]},
                {"ref": "pkg:cargo/theirs@1.0.0%2Ba", "dependsOn": []},
            ])
        );
    }

    #[test]
    fn a_package_without_a_checksum_is_refused() {
        let checksums = strings([("ours", "aa")]);
        let release =
            Release { version: "0.2.0", commit: "c", timestamp: "t", checksums: &checksums };
        let linked = ["ours 0.2.0", "theirs 1.0.0+a"].map(str::to_owned).into();
        let refused = render(&metadata(), &linked, &BTreeMap::new(), &release).unwrap_err();
        assert_eq!(refused.to_string(), "Cargo.lock has no checksum of theirs 1.0.0+a");
    }

    #[test]
    fn a_serial_number_is_a_uuid_and_the_same_for_the_same_release() {
        let checksums = BTreeMap::new();
        let number = |commit| {
            serial_number(&Release {
                version: "0.2.0",
                commit,
                timestamp: "",
                checksums: &checksums,
            })
        };
        let parts: Vec<usize> =
            number("a").trim_start_matches("urn:uuid:").split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(number("a"), number("a"));
        assert_ne!(number("a"), number("b"));
    }

    #[test]
    fn the_lines_of_cargo_tree_are_read() {
        for (line, expected) in [
            ("serde v1.0.0", Some("serde 1.0.0")),
            ("serde_derive v1.0.0 (proc-macro)", Some("serde_derive 1.0.0")),
            ("adcp-signing v0.1.0 (/w/crates/adcp-signing)", Some("adcp-signing 0.1.0")),
            ("", None),
            ("[build-dependencies]", None),
        ] {
            assert_eq!(named(line).as_deref(), expected);
        }
    }
}
