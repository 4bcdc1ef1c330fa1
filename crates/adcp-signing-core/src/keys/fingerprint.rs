//! A stable, non-revealing identity of a key, for caches and logs.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// The identity of one key of one service, equal for equal keys across processes and versions of
/// this crate.
///
/// It is made from the backend's name and the full resource name, but holds only a hash of the
/// latter: neither `Debug` nor `Display` shows a project, account, vault or path.
///
/// ```
/// use adcp_signing_core::Fingerprint;
///
/// let fingerprint = Fingerprint::new("aws-kms", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd");
/// assert!(!fingerprint.to_string().contains("111122223333"));
/// assert!(fingerprint.to_string().starts_with("aws-kms:"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    backend: &'static str,
    digest: [u8; 16],
}

impl Fingerprint {
    /// The identity of the key that `backend` calls `resource`.
    pub fn new(backend: &'static str, resource: &str) -> Self {
        let hash =
            Sha256::new().chain_update(backend).chain_update([0]).chain_update(resource).finalize();
        let mut digest = [0; 16];
        digest.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        Self { backend, digest }
    }

    /// The backend that holds the key.
    pub fn backend(&self) -> &'static str {
        self.backend
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.backend)?;
        self.digest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}
