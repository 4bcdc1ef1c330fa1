//! What speaks against a release before anything is done. All of it is told at once.

use anyhow::{Context as _, Result};
use semver::Version;

use super::{changelog, versions};
use crate::checkout::Checkout;

/// Reasons to refuse; none means that the release may be prepared.
pub(crate) fn refusals(work: &Checkout, version: &Version, branch: &str) -> Result<Vec<String>> {
    let mut refusals: Vec<String> =
        dirty(work)?.into_iter().chain(off_branch(work, branch)?).collect();
    if work.agrees(["rev-parse", "--quiet", "--verify", &format!("refs/tags/v{version}")]) {
        refusals.push(format!("the tag v{version} exists already"));
    }
    let changelog = std::fs::read_to_string(work.root().join("CHANGELOG.md"))
        .context("cannot read CHANGELOG.md")?;
    let current = versions::current(work)?;
    refusals.extend(wrong_version(version, &current, &changelog::released(&changelog)));
    // A tree that has the version and its section already is the release commit itself.
    let already = *version == current && changelog::released(&changelog).contains(version);
    if !already && !changelog::has_news(&changelog) {
        refusals.push("CHANGELOG.md has no entry under [Unreleased]".to_owned());
    }
    Ok(refusals)
}

/// Why the work tree is not what is committed.
pub(crate) fn dirty(work: &Checkout) -> Result<Option<String>> {
    let status = work.ask(["status", "--porcelain"])?;
    Ok(status.lines().next().map(|first| {
        format!(
            "the work tree has changes that are not committed, the first is `{}`",
            first.trim_start()
        )
    }))
}

/// Why this is not the branch that is released.
pub(crate) fn off_branch(work: &Checkout, branch: &str) -> Result<Option<String>> {
    let current = work.ask(["rev-parse", "--abbrev-ref", "HEAD"])?;
    Ok((current != branch).then(|| {
        format!("this is {current}, and releases are made on {branch}; `--branch` names another")
    }))
}

fn wrong_version(version: &Version, current: &Version, released: &[Version]) -> Option<String> {
    if !version.build.is_empty() {
        return Some(format!("{version} has build metadata, which the registry ignores"));
    }
    if version < current {
        return Some(format!(
            "{version} is not greater than {current}, which stands in Cargo.toml"
        ));
    }
    // The version that stands in Cargo.toml can be released if it was not yet.
    let last = released
        .iter()
        .max()
        .filter(|last| version < *last || (version == *last && version != current));
    last.map(|last| format!("{version} is not greater than {last}, which CHANGELOG.md has"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_must_be_greater_than_what_was_released() {
        for (version, current, released, refusal) in [
            ("0.1.0", "0.1.0", &[][..], None),
            ("0.2.0-rc.1", "0.1.0", &["0.1.0"], None),
            ("0.2.0", "0.2.0-rc.1", &["0.2.0-rc.1"], None),
            ("0.2.0", "0.2.0", &["0.2.0"], None), // the release commit itself
            (
                "0.0.9",
                "0.1.0",
                &[],
                Some("0.0.9 is not greater than 0.1.0, which stands in Cargo.toml"),
            ),
            (
                "0.1.0-rc.1",
                "0.1.0",
                &[],
                Some("0.1.0-rc.1 is not greater than 0.1.0, which stands in Cargo.toml"),
            ),
            (
                "0.2.0",
                "0.1.0",
                &["0.3.0"],
                Some("0.2.0 is not greater than 0.3.0, which CHANGELOG.md has"),
            ),
            (
                "0.2.0",
                "0.1.0",
                &["0.2.0"],
                Some("0.2.0 is not greater than 0.2.0, which CHANGELOG.md has"),
            ),
            (
                "0.2.0+x",
                "0.1.0",
                &[],
                Some("0.2.0+x has build metadata, which the registry ignores"),
            ),
        ] {
            let parse = |text: &str| -> Version { text.parse().unwrap() };
            let released: Vec<Version> = released.iter().map(|text| parse(text)).collect();
            let refused = wrong_version(&parse(version), &parse(current), &released);
            assert_eq!(refused.as_deref(), refusal, "{version} after {current}");
        }
    }
}
