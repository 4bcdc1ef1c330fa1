//! The AdCP contract version, which decides details that changed between releases.

use std::{fmt, str::FromStr};

/// The newest minor version whose rules this crate knows.
const NEWEST_MINOR: u64 = 3;

/// A version of the AdCP contract, from 3.0 to 3.3, pre-releases included, ordered as SemVer 2.0.0
/// §11 orders them.
///
/// ```
/// use adcp_signing_core::profile::ContractVersion;
///
/// let candidate: ContractVersion = "3.1.0-rc.14".parse()?;
/// assert!(candidate < "3.1.0".parse()?);
/// assert_eq!(candidate.to_string(), "3.1.0-rc.14");
/// # Ok::<(), adcp_signing_core::profile::ContractError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContractVersion {
    minor: u64,
    patch: u64,
    stage: Stage,
}

/// Where a version stands on its way to its release. The order of the variants is their order in
/// time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Stage {
    Alpha(u64),
    Beta(u64),
    Rc(u64),
    Release,
}

/// Why a text is not a contract version this crate can follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContractError {
    /// Not a version as AdCP writes them.
    #[error(
        "`{0}` is not an AdCP version; write it as MAJOR.MINOR.PATCH, such as 3.2.4 or 3.1.0-rc.14"
    )]
    Syntax(String),
    /// A version whose rules this crate does not know.
    #[error("AdCP {0} is not supported; this build follows AdCP 3.0 to 3.3")]
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
    /// The first contract under which request-signing keys sign webhooks.
    pub(super) const REQUEST_KEYS_SIGN_WEBHOOKS: Self = Self::v3(1, 0, Stage::Rc(15));
    /// The first contract with the root dot rule and with legacy digests in Base64URL.
    pub(super) const FIRST_3_2_BETA: Self = Self::v3(2, 0, Stage::Beta(0));
    /// The first contract that calls a raw non-ASCII host a malformed target URI.
    pub(super) const RAW_HOST_IS_TARGET_FAULT: Self = Self::v3(2, 4, Stage::Release);

    /// A version of AdCP 3.
    pub(super) const fn v3(minor: u64, patch: u64, stage: Stage) -> Self {
        Self { minor, patch, stage }
    }

    /// The first pre-release of 3.`minor`.
    pub(super) const fn first_of(minor: u64) -> Self {
        Self::v3(minor, 0, Stage::Alpha(0))
    }
}

impl Stage {
    fn parse(pre: &str) -> Option<Self> {
        if pre.is_empty() {
            return Some(Self::Release);
        }
        let (name, number) = pre.split_once('.')?;
        let number = number.parse().ok()?;
        match name {
            "alpha" => Some(Self::Alpha(number)),
            "beta" => Some(Self::Beta(number)),
            "rc" => Some(Self::Rc(number)),
            _ => None,
        }
    }
}

impl FromStr for ContractVersion {
    type Err = ContractError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shown = || text.chars().take(40).filter(|c| !c.is_control()).collect::<String>();
        let syntax = || ContractError::Syntax(shown());
        if text.len() > 64 {
            return Err(syntax());
        }
        let version = semver::Version::parse(text).map_err(|_| syntax())?;
        if version.major != 3 || version.minor > NEWEST_MINOR {
            return Err(ContractError::Unsupported(shown()));
        }
        if !version.build.is_empty() {
            return Err(syntax());
        }
        let stage = Stage::parse(version.pre.as_str()).ok_or_else(syntax)?;
        Ok(Self::v3(version.minor, version.patch, stage))
    }
}

impl fmt::Display for ContractVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "3.{}.{}", self.minor, self.patch)?;
        match self.stage {
            Stage::Alpha(number) => write!(f, "-alpha.{number}"),
            Stage::Beta(number) => write!(f, "-beta.{number}"),
            Stage::Rc(number) => write!(f, "-rc.{number}"),
            Stage::Release => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> ContractVersion {
        text.parse().unwrap()
    }

    #[test]
    fn versions_are_ordered_as_semver_orders_them() {
        let ascending = [
            "3.0.0",
            "3.0.26",
            "3.1.0-alpha.1",
            "3.1.0-beta.0",
            "3.1.0-rc.2",
            "3.1.0-rc.14",
            "3.1.0-rc.15",
            "3.1.0-rc.101",
            "3.1.0",
            "3.1.19",
            "3.2.0-beta.0",
            "3.2.3",
            "3.2.4",
            "3.3.0-beta.0",
            "3.3.0-rc.0",
            "3.3.0",
        ];
        let semver = |text: &str| semver::Version::parse(text).unwrap();
        for left in ascending {
            assert_eq!(version(left).to_string(), left);
            for right in ascending {
                let order = version(left).cmp(&version(right));
                assert_eq!(order, semver(left).cmp(&semver(right)), "{left} {right}");
            }
        }
    }

    #[test]
    fn versions_whose_rules_are_not_known_and_broken_ones_are_refused() {
        for text in ["4.0.0", "2.9.9", "3.4.0", "3.4.0-beta.0", "3.10.0"] {
            let parsed = text.parse::<ContractVersion>();
            assert_eq!(parsed, Err(ContractError::Unsupported(text.to_owned())));
        }
        for text in [
            "",
            "3",
            "3.2",
            "v3.2.4",
            "3.2.4 ",
            "3.02.4",
            "3.2.4+build",
            "3.3.0-rc",
            "3.3.0-rc.x",
            "3.3.0-rc.1.2",
            "3.3.0-preview.1",
        ] {
            let parsed = text.parse::<ContractVersion>();
            assert_eq!(parsed, Err(ContractError::Syntax(text.to_owned())));
        }
    }
}
