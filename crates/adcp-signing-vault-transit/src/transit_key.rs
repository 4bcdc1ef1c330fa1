//! Which key of the Transit engine, and what it is used for.

use std::fmt;

use adcp_signing_core::{
    KeyPurpose, KeyRef, ProviderError,
    provider::toolkit::{KeyOptions, key_option_setters},
};

use crate::address::{configuration, is_key_name, is_path};

/// Where the Transit engine is mounted unless said otherwise.
pub(crate) const DEFAULT_MOUNT: &str = "transit";

/// A key of the Transit engine and its use.
///
/// The name and the purpose are always given. Without a version the provider uses the one that is
/// the latest when it first looks, and stays with it: a rotation on the server never changes which
/// key signs under a `keyid`.
///
/// ```
/// use adcp_signing_core::{Algorithm, KeyPurpose};
/// use adcp_signing_vault_transit::TransitKey;
///
/// let key = TransitKey::new("buyer-2026", KeyPurpose::RequestSigning)
///     .with_algorithm(Algorithm::Ed25519)
///     .with_key_id("buyer-2026-1")
///     .with_version(1);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TransitKey {
    pub(crate) name: String,
    pub(crate) mount: String,
    pub(crate) version: Option<u32>,
    pub(crate) options: KeyOptions,
}

impl TransitKey {
    /// The key of this name in the engine mounted at `transit`.
    pub fn new(name: impl Into<String>, purpose: KeyPurpose) -> Self {
        Self {
            name: name.into(),
            mount: DEFAULT_MOUNT.to_owned(),
            version: None,
            options: KeyOptions::new(purpose),
        }
    }

    /// Sets where the engine is mounted.
    #[must_use]
    pub fn with_mount(mut self, mount: impl Into<String>) -> Self {
        self.mount = mount.into();
        self
    }

    /// Signs with this version and no other; versions count from 1.
    #[must_use]
    pub fn with_version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    key_option_setters!(options);

    pub(crate) fn with_options(self, options: KeyOptions) -> Self {
        Self { options, ..self }
    }

    pub(crate) fn check(&self) -> Result<(), ProviderError> {
        if !is_key_name(&self.name) {
            return Err(configuration(
                "the key name is not one that the Transit engine takes: letters, digits and `_`, with `-` and `.` inside",
            ));
        }
        if !is_path(&self.mount) {
            return Err(configuration(
                "the mount of the Transit engine is not a path such as `transit` or `team/transit`",
            ));
        }
        match self.version {
            Some(0) => Err(configuration("versions of a Transit key count from 1")),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for TransitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransitKey")
            .field("key", &KeyRef::new("transit-key", &format!("{}/{}", self.mount, self.name)))
            .field("version", &self.version)
            .field("options", &self.options)
            .finish()
    }
}
