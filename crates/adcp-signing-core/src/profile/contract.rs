//! The AdCP contract version, which decides details that changed between releases.

use std::{fmt, str::FromStr};

/// A version of the AdCP contract, pre-releases included, ordered as SemVer 2.0.0 §11 orders them.
///
/// ```
/// use adcp_signing_core::profile::ContractVersion;
///
/// let candidate: ContractVersion = "3.1.0-rc.14".parse()?;
/// assert!(candidate < "3.1.0".parse()?);
/// assert_eq!(candidate.to_string(), "3.1.0-rc.14");
/// # Ok::<(), adcp_signing_core::profile::ContractError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContractVersion(semver::Version);

/// Why a text is not a contract version this crate can follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContractError {
    /// Not a semantic version.
    #[error(
        "`{0}` is not an AdCP version; write it as MAJOR.MINOR.PATCH, such as 3.2.4 or 3.1.0-rc.14"
    )]
    Syntax(String),
    /// A major version whose rules this crate does not know.
    #[error("AdCP {0} is not supported; this build follows AdCP 3.x")]
    Unsupported(String),
    /// The wire version is younger than the contract.
    #[error(
        "contract {contract} does not know the {wire} request profile; raise the contract or lower the profile"
    )]
    TooOldForWire {
        /// The contract asked for.
        contract: String,
        /// The wire version asked for.
        wire: &'static str,
    },
}

impl ContractVersion {
    /// A release of AdCP 3.
    pub(super) const fn v3(minor: u64, patch: u64) -> Self {
        Self(semver::Version::new(3, minor, patch))
    }

    /// Whether this is `3.minor.0-pre` or later. `pre` is a name and a number, such as `("rc",
    /// 15)`.
    pub(super) fn reaches(&self, minor: u64, pre: (&str, u64)) -> bool {
        let Self(version) = self;
        if (version.major, version.minor) != (3, minor) {
            return (version.major, version.minor) > (3, minor);
        }
        if version.patch > 0 || version.pre.is_empty() {
            return true;
        }
        let mut parts = version.pre.as_str().splitn(2, '.');
        let name = parts.next().unwrap_or_default();
        let number: u64 = parts.next().and_then(|rest| rest.parse().ok()).unwrap_or(0);
        (name, number) >= pre
    }

    /// Whether this is 3.`minor`.`patch` or later.
    pub(super) fn at_least(&self, minor: u64, patch: u64) -> bool {
        *self >= Self::v3(minor, patch)
    }
}

impl FromStr for ContractVersion {
    type Err = ContractError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shown = || text.chars().take(40).filter(|c| !c.is_control()).collect::<String>();
        if text.len() > 64 {
            return Err(ContractError::Syntax(shown()));
        }
        let version = semver::Version::parse(text).map_err(|_| ContractError::Syntax(shown()))?;
        if version.major == 3 {
            Ok(Self(version))
        } else {
            Err(ContractError::Unsupported(shown()))
        }
    }
}

impl fmt::Display for ContractVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> ContractVersion {
        text.parse().unwrap()
    }

    #[test]
    fn pre_releases_are_compared_by_number_not_by_letters() {
        for (text, reaches) in [
            ("3.0.26", false),
            ("3.1.0-beta.0", false),
            ("3.1.0-rc.2", false),
            ("3.1.0-rc.14", false),
            ("3.1.0-rc.15", true),
            ("3.1.0-rc.101", true),
            ("3.1.0", true),
            ("3.1.19", true),
            ("3.2.0-beta.0", true),
        ] {
            assert_eq!(version(text).reaches(1, ("rc", 15)), reaches, "{text}");
        }
    }

    #[test]
    fn other_majors_and_broken_versions_are_refused() {
        assert!(matches!("4.0.0".parse::<ContractVersion>(), Err(ContractError::Unsupported(_))));
        for text in ["", "3", "3.2", "v3.2.4", "3.2.4 ", "3.02.4"] {
            assert!(
                matches!(text.parse::<ContractVersion>(), Err(ContractError::Syntax(_))),
                "{text:?}"
            );
        }
    }
}
