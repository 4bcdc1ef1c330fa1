//! Which token, and which key on it.

use std::fmt::{self, Write as _};

use adcp_signing_core::KeyRef;
use cryptoki::slot::{Slot, TokenInfo};

/// The name under which key references and logs know this backend.
const BACKEND: &str = "pkcs11";

/// What must hold of a token for it to be the one. Without any condition it is the only initialized
/// token there is.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TokenSelector {
    pub(crate) label: Option<String>,
    pub(crate) serial: Option<String>,
    pub(crate) manufacturer: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) slot_id: Option<u64>,
}

impl TokenSelector {
    /// The only initialized token that the module shows.
    pub fn only() -> Self {
        Self::default()
    }

    /// A token with this label, the RFC 7512 attribute `token`.
    pub fn label(label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), ..Self::default() }
    }

    /// And with this serial number (`serial`).
    #[must_use]
    pub fn with_serial(mut self, serial: impl Into<String>) -> Self {
        self.serial = Some(serial.into());
        self
    }

    /// And from this manufacturer (`manufacturer`).
    #[must_use]
    pub fn with_manufacturer(mut self, manufacturer: impl Into<String>) -> Self {
        self.manufacturer = Some(manufacturer.into());
        self
    }

    /// And of this model (`model`).
    #[must_use]
    pub fn with_model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// And in the slot with this number (`slot-id`). Modules may renumber their slots: prefer the
    /// label or the serial.
    #[must_use]
    pub fn with_slot_id(mut self, slot_id: u64) -> Self {
        self.slot_id = Some(slot_id);
        self
    }

    pub(crate) fn matches(&self, slot: Slot, token: &TokenInfo) -> bool {
        let is = |wanted: &Option<String>, actual: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == actual)
        };
        token.token_initialized()
            && self.slot_id.is_none_or(|wanted| wanted == slot.id())
            && is(&self.label, token.label())
            && is(&self.serial, token.serial_number())
            && is(&self.manufacturer, token.manufacturer_id())
            && is(&self.model, token.model())
    }
}

/// Which private key on the token, by its label, its id, or both.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySelector {
    pub(crate) label: Option<String>,
    pub(crate) id: Option<Vec<u8>>,
}

impl KeySelector {
    /// The key with this `CKA_LABEL`, the RFC 7512 attribute `object`.
    pub fn label(label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), id: None }
    }

    /// The key with this `CKA_ID` (`id`).
    pub fn id(id: impl Into<Vec<u8>>) -> Self {
        Self { label: None, id: Some(id.into()) }
    }

    /// And with this `CKA_ID`: for tokens on which several keys share a label.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<Vec<u8>>) -> Self {
        self.id = Some(id.into());
        self
    }
}

/// The identity of a key, for caches and logs: a hash of what selects it.
pub(crate) fn key_ref(token: &TokenSelector, key: &KeySelector) -> KeyRef {
    KeyRef::new(BACKEND, &Path { token, key }.to_string())
}

/// The path of the RFC 7512 URI that selects a key, in one order and one encoding.
pub(crate) struct Path<'a> {
    pub(crate) token: &'a TokenSelector,
    pub(crate) key: &'a KeySelector,
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token, key } = self;
        let slot_id = token.slot_id.map(|id| id.to_string());
        let attributes = [
            ("token", &token.label),
            ("manufacturer", &token.manufacturer),
            ("serial", &token.serial),
            ("model", &token.model),
            ("slot-id", &slot_id),
            ("object", &key.label),
        ];
        let mut separator = "";
        for (name, value) in attributes {
            if let Some(value) = value {
                write!(f, "{separator}{name}=")?;
                for byte in value.bytes() {
                    if is_plain(byte) {
                        f.write_char(char::from(byte))?
                    } else {
                        write!(f, "%{byte:02X}")?
                    }
                }
                separator = ";";
            }
        }
        if let Some(id) = &key.id {
            write!(f, "{separator}id=")?;
            // RFC 7512 §2.3 wants the whole of it encoded.
            id.iter().try_for_each(|byte| write!(f, "%{byte:02X}"))?;
        }
        Ok(())
    }
}

/// The characters that RFC 7512 §2.3 lets stand in the path as they are (`pk11-path-res-avail` and
/// the unreserved).
pub(crate) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:[]@!$'()*+,=&".contains(&byte)
}

impl fmt::Debug for TokenSelector {
    /// Names of tokens stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSelector").finish_non_exhaustive()
    }
}

impl fmt::Debug for KeySelector {
    /// Names of keys stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySelector").finish_non_exhaustive()
    }
}
