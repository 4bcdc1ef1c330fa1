//! The folder of a release: the `.crate` files, the bill of materials, `SHA256SUMS`, and what was
//! prepared from which commit.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::packages::Packaged;
use crate::checksums::hex;

/// Written last: where it is, the folder is complete.
const RECORD: &str = "release.json";

/// A release that is ready to be published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Prepared {
    pub(crate) version: Version,
    /// The commit that is released.
    pub(crate) commit: String,
    /// The commit that it was prepared on.
    pub(crate) base: String,
    pub(crate) crates: Vec<PreparedCrate>,
}

/// A crate of the release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PreparedCrate {
    pub(crate) name: String,
    /// Of its `.crate` file, as the registry will list it.
    pub(crate) sha256: String,
}

/// The folder.
pub(crate) struct Artifacts(PathBuf);

impl Artifacts {
    /// Of this version; a dry run has one of its own, so that it never stands in the way of a
    /// release.
    pub(crate) fn of(target: &Path, version: &Version, dry_run: bool) -> Self {
        let name = if dry_run { format!("{version}-dry-run") } else { version.to_string() };
        Self(target.join("release-artifacts").join(name))
    }

    /// Where it is.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// Empties the folder and copies the packages into it; their checksums, in the same order.
    pub(crate) fn collect(&self, packaged: &[Packaged]) -> Result<Vec<PreparedCrate>> {
        if self.0.exists() {
            fs::remove_dir_all(&self.0)
                .with_context(|| format!("cannot empty {}", self.0.display()))?;
        }
        fs::create_dir_all(&self.0)
            .with_context(|| format!("cannot create {}", self.0.display()))?;
        let keep = |package: &Packaged| {
            let bytes = fs::read(&package.file)?;
            fs::write(
                self.0.join(package.file.file_name().context("a file without a name")?),
                &bytes,
            )?;
            Ok(PreparedCrate { name: package.name.clone(), sha256: hex(&Sha256::digest(bytes)) })
        };
        packaged.iter().map(keep).collect()
    }

    /// Writes the bill of materials, the checksums of all files, and at last the record.
    pub(crate) fn complete(&self, prepared: &Prepared, sbom: &Value) -> Result<()> {
        let name = format!("adcp-signing-{}.cdx.json", prepared.version);
        let sbom = serde_json::to_string_pretty(sbom)? + "\n";
        let mut sums: BTreeMap<String, String> = prepared
            .crates
            .iter()
            .map(|package| (file_name(&package.name, &prepared.version), package.sha256.clone()))
            .collect();
        sums.insert(name.clone(), hex(&Sha256::digest(&sbom)));
        let lines: String = sums.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect();
        self.write(&name, &sbom)?;
        self.write("SHA256SUMS", &lines)?;
        self.write("release.json.new", &(serde_json::to_string_pretty(prepared)? + "\n"))?;
        fs::rename(self.0.join("release.json.new"), self.0.join(RECORD))
            .context("cannot write release.json")
    }

    /// What was prepared before, if it was prepared to the end. Files that are not what they were
    /// are refused.
    pub(crate) fn load(&self) -> Result<Option<Prepared>> {
        let path = self.0.join(RECORD);
        if !path.exists() {
            return Ok(None);
        }
        let cure = || format!("delete {} to prepare the release again", self.0.display());
        let text = fs::read_to_string(&path).with_context(cure)?;
        let prepared: Prepared =
            serde_json::from_str(&text).context("cannot read release.json").with_context(cure)?;
        for package in &prepared.crates {
            let file = file_name(&package.name, &prepared.version);
            let bytes = fs::read(self.0.join(&file))
                .with_context(|| format!("cannot read {file}; {}", cure()))?;
            ensure!(
                hex(&Sha256::digest(bytes)) == package.sha256,
                "{file} has changed; {}",
                cure()
            );
        }
        Ok(Some(prepared))
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        fs::write(self.0.join(name), text).with_context(|| format!("cannot write {name}"))
    }
}

fn file_name(package: &str, version: &Version) -> String {
    format!("{package}-{version}.crate")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_prepared_is_found_again_only_complete_and_unchanged() {
        let target = tempfile::tempdir().unwrap();
        let file = target.path().join("a-0.2.0.crate");
        fs::write(&file, "bytes").unwrap();
        let version: Version = "0.2.0".parse().unwrap();
        let artifacts = Artifacts::of(target.path(), &version, false);
        let crates = artifacts.collect(&[Packaged { name: "a".to_owned(), file }]).unwrap();
        assert_eq!(artifacts.load().unwrap(), None);

        let prepared = Prepared {
            version: version.clone(),
            commit: "c".to_owned(),
            base: "b".to_owned(),
            crates,
        };
        artifacts.complete(&prepared, &json!({})).unwrap();
        assert_eq!(artifacts.load().unwrap(), Some(prepared));
        let sums = fs::read_to_string(artifacts.folder().join("SHA256SUMS")).unwrap();
        let sum = hex(&Sha256::digest("bytes"));
        assert!(sums.starts_with(&format!("{sum}  a-0.2.0.crate\n")), "{sums}");
        assert_eq!(Artifacts::of(target.path(), &version, true).load().unwrap(), None);

        fs::write(artifacts.folder().join("a-0.2.0.crate"), "other").unwrap();
        assert!(
            artifacts
                .load()
                .unwrap_err()
                .to_string()
                .starts_with("a-0.2.0.crate has changed; delete ")
        );
    }
}
