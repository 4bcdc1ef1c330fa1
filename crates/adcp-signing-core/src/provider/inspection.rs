//! What a key service shows about how it keeps a key, for whoever operates the key.

use std::borrow::Cow;

use super::{ProviderError, ProviderErrorKind};

/// What a key service shows about how it keeps a key. Nothing of it hinders a signature: it is for
/// a report, such as that of `adcp-signing probe`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// Whether the private key can leave the service, or came from outside.
    pub export: Observation,
    /// Whether the service replaces the key by itself.
    pub rotation: Observation,
    /// Whether the login, or anybody else, may do more than a signer needs.
    pub permissions: Observation,
}

/// What was seen of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Observation {
    /// As it should be.
    Good(Cow<'static, str>),
    /// Something to change.
    Concern {
        /// What it is.
        concern: Concern,
        /// What was seen, and what to do about it.
        message: Cow<'static, str>,
    },
    /// It was not seen.
    Unseen {
        /// Why not.
        reason: Unseen,
        /// Why not, and how it can be seen.
        message: Cow<'static, str>,
    },
}

/// What an operator should change about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Concern {
    /// The private key can leave the service.
    Exportable,
    /// The private key came from outside, where a copy may be.
    Imported,
    /// The service makes new versions of the key by itself, which nobody has published.
    AutomaticRotation,
    /// Whoever signs may also change the key, or who may use it.
    WidePermissions,
    /// Anybody may use the key.
    OpenToAll,
}

/// Why something about a key was not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unseen {
    /// The login may not see it.
    NotPermitted,
    /// The service does not show it.
    NotShown,
    /// The service did not answer, or not as it should.
    NotAnswered,
}

impl Inspection {
    /// What was seen of each thing.
    pub fn new(export: Observation, rotation: Observation, permissions: Observation) -> Self {
        Self { export, rotation, permissions }
    }

    /// What was seen of each thing, by a stable name.
    pub fn observations(&self) -> [(&'static str, &Observation); 3] {
        [("export", &self.export), ("rotation", &self.rotation), ("permissions", &self.permissions)]
    }

    /// Nothing was seen, for one reason.
    pub fn unseen(reason: Unseen, message: impl Into<Cow<'static, str>>) -> Self {
        let unseen = Observation::unseen(reason, message);
        Self::new(unseen.clone(), unseen.clone(), unseen)
    }
}

impl Observation {
    /// Something is as it should be.
    pub fn good(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Good(message.into())
    }

    /// Something is to change. The message says what was seen, and what to do about it.
    pub fn concern(concern: Concern, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Concern { concern, message: message.into() }
    }

    /// Something was not seen. The message says why, and how it can be seen.
    pub fn unseen(reason: Unseen, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Unseen { reason, message: message.into() }
    }

    /// Something was not seen because a call failed, which needs `permission`.
    pub fn of_failure(error: &ProviderError, permission: &str) -> Self {
        match error.kind() {
            ProviderErrorKind::AccessDenied => Self::unseen(
                Unseen::NotPermitted,
                format!("the login lacks {permission}, which signing does not need"),
            ),
            _ => Self::unseen(Unseen::NotAnswered, format!("asking for it failed: {error}")),
        }
    }

    /// A stable name for programs; `ok` where all is as it should be.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Good(_) => "ok",
            Self::Concern { concern, .. } => concern.as_str(),
            Self::Unseen { reason, .. } => reason.as_str(),
        }
    }

    /// What was seen, or why nothing was.
    pub fn message(&self) -> &str {
        match self {
            Self::Good(message) | Self::Concern { message, .. } | Self::Unseen { message, .. } => {
                message
            }
        }
    }
}

impl Concern {
    /// Every concern, in a fixed order.
    pub const ALL: [Self; 5] = [
        Self::Exportable,
        Self::Imported,
        Self::AutomaticRotation,
        Self::WidePermissions,
        Self::OpenToAll,
    ];

    /// A stable name for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exportable => "key_exportable",
            Self::Imported => "key_imported",
            Self::AutomaticRotation => "key_rotates",
            Self::WidePermissions => "permissions_wide",
            Self::OpenToAll => "permissions_open",
        }
    }
}

impl Unseen {
    /// Every reason, in a fixed order.
    pub const ALL: [Self; 3] = [Self::NotPermitted, Self::NotShown, Self::NotAnswered];

    /// A stable name for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotPermitted => "not_permitted",
            Self::NotShown => "not_shown",
            Self::NotAnswered => "not_answered",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denied_look_names_the_permission_and_another_failure_its_reason() {
        let error = |kind| ProviderError::new(kind, "the reason");
        let denied = Observation::of_failure(&error(ProviderErrorKind::AccessDenied), "kms:Look");
        assert_eq!(denied.code(), "not_permitted");
        assert!(denied.message().contains("kms:Look"), "{denied:?}");
        for kind in [ProviderErrorKind::Timeout, ProviderErrorKind::KeyNotFound] {
            let failed = Observation::of_failure(&error(kind), "kms:Look");
            assert_eq!(failed.code(), "not_answered");
            assert!(failed.message().contains("the reason"), "{failed:?}");
        }
    }

    #[test]
    fn each_thing_that_is_looked_at_has_its_name() {
        let [a, b, c] = ["a", "b", "c"].map(Observation::good);
        let seen = Inspection::new(a.clone(), b.clone(), c.clone());
        let expected = [("export", &a), ("rotation", &b), ("permissions", &c)];
        assert_eq!(seen.observations(), expected);
        let unseen = Inspection::unseen(Unseen::NotShown, "why");
        assert!(unseen.observations().iter().all(|(_, seen)| seen.code() == "not_shown"));
    }

    #[test]
    fn codes_are_stable() {
        let codes = Concern::ALL.map(|concern| Observation::concern(concern, "").code());
        assert_eq!(
            codes,
            [
                "key_exportable",
                "key_imported",
                "key_rotates",
                "permissions_wide",
                "permissions_open"
            ]
        );
        assert_eq!(Observation::good("").code(), "ok");
        let codes = Unseen::ALL.map(|reason| Observation::unseen(reason, "").code());
        assert_eq!(codes, ["not_permitted", "not_shown", "not_answered"]);
    }
}
