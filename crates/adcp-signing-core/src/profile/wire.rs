//! The wire version of the request profile.

use std::{fmt, str::FromStr};

use super::contract::{ContractError, ContractVersion, Stage};

/// The wire version of the request profile, which an endpoint is configured for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum WireVersion {
    /// AdCP 3.0: unpadded Base64URL, digest by policy.
    V3_0,
    /// AdCP 3.1: on the wire the same as 3.0.
    V3_1,
    /// AdCP 3.2: RFC 8941 byte sequences, digest mandatory with a body.
    V3_2,
    /// AdCP 3.3: on the wire the same as 3.2.
    V3_3,
}

impl WireVersion {
    /// Every wire version, oldest first.
    pub const ALL: [Self; 4] = [Self::V3_0, Self::V3_1, Self::V3_2, Self::V3_3];
    /// The newest wire version.
    pub const NEWEST: Self = Self::V3_3;

    /// The version as it is written in capabilities, such as `3.2`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V3_0 => "3.0",
            Self::V3_1 => "3.1",
            Self::V3_2 => "3.2",
            Self::V3_3 => "3.3",
        }
    }

    /// The newest contract of this version that this crate was held against: 3.3 has no release
    /// yet, so its newest contract is the release candidate 3.3.0-rc.0.
    pub const fn newest_contract(self) -> ContractVersion {
        match self {
            Self::V3_0 => ContractVersion::v3(0, 26, Stage::Release),
            Self::V3_1 => ContractVersion::v3(1, 19, Stage::Release),
            Self::V3_2 => ContractVersion::v3(2, 4, Stage::Release),
            Self::V3_3 => ContractVersion::v3(3, 0, Stage::Rc(0)),
        }
    }

    /// The first contract under which endpoints of this wire version exist. The legacy wire has no
    /// such bound: 3.0 and 3.1 are one form.
    pub(super) const fn first_contract(self) -> ContractVersion {
        match self {
            Self::V3_0 | Self::V3_1 => ContractVersion::first_of(0),
            Self::V3_2 => ContractVersion::first_of(2),
            Self::V3_3 => ContractVersion::first_of(3),
        }
    }

    /// Whether this is the form before 3.2: Base64URL, and a digest by policy.
    pub const fn is_legacy(self) -> bool {
        match self {
            Self::V3_0 | Self::V3_1 => true,
            Self::V3_2 | Self::V3_3 => false,
        }
    }
}

impl FromStr for WireVersion {
    type Err = ContractError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|version| version.as_str() == text).ok_or_else(|| {
            ContractError::Unsupported(text.chars().filter(|c| !c.is_control()).take(40).collect())
        })
    }
}

impl fmt::Display for WireVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_is_read_back_and_its_newest_contract_is_its_own() {
        for version in WireVersion::ALL {
            assert_eq!(version.as_str().parse(), Ok(version));
            let newest = version.newest_contract();
            assert!(newest.to_string().starts_with(&format!("{version}.")), "{newest}");
            assert_eq!(newest.to_string().parse(), Ok(newest));
            assert!(version.first_contract() <= newest);
            assert!(version <= WireVersion::NEWEST);
        }
        for text in ["", "3", "3.4", "3.3.0", " 3.3"] {
            assert!(text.parse::<WireVersion>().is_err(), "{text:?}");
        }
    }
}
