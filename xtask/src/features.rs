//! Each feature builds alone: every crate that is published, without features and with each one of
//! them, by itself. The list is the workspace's own, so that a new feature cannot be forgotten.

use anyhow::Result;

use crate::{beside::Job, checkout::Checkout, metadata::Metadata};

/// One check for every combination.
pub(crate) fn jobs() -> Result<Vec<Job>> {
    let here = Checkout::here();
    Ok(combinations(&here)?.iter().map(|combination| combination.job(&here)).collect())
}

/// A crate with one of its features, or with none.
#[derive(Debug, PartialEq, Eq)]
struct Combination {
    package: String,
    feature: Option<String>,
}

impl Combination {
    fn job(&self, here: &Checkout) -> Job {
        // Without a target it is the library and the programs: tests would add features of their
        // own dependencies. Clippy, for what only a part of the features leaves unused.
        let mut command =
            here.cargo(["clippy", "--locked", "--no-default-features", "--package", &self.package]);
        if let Some(feature) = &self.feature {
            command.args(["--features", feature]);
        }
        command.args(["--", "-D", "warnings"]);
        Job::new(self.shown(), command)
    }

    fn shown(&self) -> String {
        match &self.feature {
            Some(feature) => format!("{} with {feature}", self.package),
            None => format!("{} without features", self.package),
        }
    }
}

fn combinations(here: &Checkout) -> Result<Vec<Combination>> {
    let metadata = Metadata::of_workspace(here)?;
    let mut combinations = Vec::new();
    for package in metadata.published()? {
        let features = package.own_features().map(|feature| Some(feature.to_owned()));
        let all = std::iter::once(None).chain(features);
        combinations
            .extend(all.map(|feature| Combination { package: package.name.clone(), feature }));
    }
    Ok(combinations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_of_every_published_crate_is_in_the_list() {
        let here = Checkout::here();
        let shown: Vec<String> =
            combinations(&here).unwrap().iter().map(Combination::shown).collect();
        for expected in [
            "adcp-signing-core without features",
            "adcp-signing with pkcs11",
            "adcp-signing-cli with pkcs11",
        ] {
            assert!(shown.iter().any(|shown| shown == expected), "{expected}");
        }
        assert!(
            !shown.iter().any(|shown| shown.contains("with default") || shown.starts_with("xtask"))
        );
        let features: usize = Metadata::of_workspace(&here)
            .unwrap()
            .published()
            .unwrap()
            .iter()
            .map(|package| {
                package.features.keys().filter(|feature| *feature != "default").count() + 1
            })
            .sum();
        assert_eq!(shown.len(), features);
    }
}
