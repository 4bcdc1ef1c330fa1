//! The names of a client's settings, for errors that say which one to change.

use std::fmt;

/// Where the settings of a client come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settings {
    /// Typed options.
    Options,
    /// The variables of a family, `VAULT` or `BAO`.
    Family(&'static str),
}

impl Settings {
    /// The setting: the `variable` of the family, or the function of the typed options.
    pub(crate) fn name(self, variable: &'static str, function: &'static str) -> impl fmt::Display {
        match self {
            Self::Options => function.to_owned(),
            Self::Family(family) => format!("{family}_{variable}"),
        }
    }

    pub(crate) fn address(self) -> impl fmt::Display {
        self.name("ADDR", "VaultClientOptions::new")
    }

    pub(crate) fn namespace(self) -> impl fmt::Display {
        self.name("NAMESPACE", "with_namespace")
    }

    pub(crate) fn ca_file(self) -> impl fmt::Display {
        self.name("CACERT", "with_ca_file")
    }

    pub(crate) fn auth_mount(self) -> impl fmt::Display {
        self.name("AUTH_MOUNT", "VaultAuth::with_mount")
    }

    pub(crate) fn token(self) -> impl fmt::Display {
        self.name("TOKEN", "VaultAuth::token")
    }
}
