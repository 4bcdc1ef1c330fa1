//! Each feature builds alone: every crate that is published, without features and with each one of
//! them, by itself. The list is the workspace's own, so that a new feature cannot be forgotten.

use anyhow::Result;

use crate::{
    checkout::Checkout,
    metadata::Metadata,
    process::{self, Echo},
    report::Outcome,
};

/// Checks every combination; one count each.
pub(crate) fn check(name: &str, echo: Echo) -> Outcome {
    let here = Checkout::here();
    match combinations(&here) {
        Ok(combinations) => {
            let failed: Vec<String> = combinations
                .iter()
                .filter(|combination| !combination.builds(&here, echo))
                .map(Combination::shown)
                .collect();
            let note =
                (!failed.is_empty()).then(|| format!("does not build: {}", failed.join(", ")));
            let passed = (combinations.len() - failed.len()) as u64;
            Outcome { passed, failed: failed.len() as u64, note, ..Outcome::pass(name) }
        }
        Err(error) => Outcome::fail(name, format!("{error:#}")),
    }
}

/// A crate with one of its features, or with none.
#[derive(Debug, PartialEq, Eq)]
struct Combination {
    package: String,
    feature: Option<String>,
}

impl Combination {
    fn builds(&self, here: &Checkout, echo: Echo) -> bool {
        // Without a target it is the library and the programs: tests would add features of their
        // own dependencies. Clippy, for what only a part of the features leaves unused.
        let mut command =
            here.cargo(["clippy", "--locked", "--no-default-features", "--package", &self.package]);
        if let Some(feature) = &self.feature {
            command.args(["--features", feature]);
        }
        command.args(["--", "-D", "warnings"]);
        process::stream(&mut command, process::BUILD_LIMIT, echo, |_| ())
            .is_ok_and(|status| status.success())
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
