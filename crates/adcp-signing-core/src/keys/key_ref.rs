//! `KeyRef`: which key of which service, without its name, for caches and logs.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// A reference to one key of one service, equal for equal keys across processes and versions of this
/// crate.
///
/// It is a hash of the backend's name and the full resource name, not of the public key: neither
/// `Debug` nor `Display` shows a project, account, vault or path.
///
/// ```
/// use adcp_signing_core::KeyRef;
///
/// let key_ref = KeyRef::new("aws-kms", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd");
/// assert!(!key_ref.to_string().contains("111122223333"));
/// assert!(key_ref.to_string().starts_with("aws-kms:"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyRef {
    backend: &'static str,
    digest: [u8; 32],
}

impl KeyRef {
    /// A reference to the key that `backend` calls `resource`.
    pub fn new(backend: &'static str, resource: &str) -> Self {
        let digest =
            Sha256::new().chain_update(backend).chain_update([0]).chain_update(resource).finalize();
        Self { backend, digest: digest.into() }
    }

    /// The backend that holds the key.
    pub fn backend(&self) -> &'static str {
        self.backend
    }
}

impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Half of the digest is enough to tell keys apart in a log.
        let digest = base16ct::lower::encode_string(&self.digest);
        write!(f, "{}:{digest:.32}", self.backend)
    }
}

impl fmt::Debug for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRef({self})")
    }
}
