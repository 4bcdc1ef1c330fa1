//! Certificates that decide whom to trust.

use crate::keys::{PemError, pem};

/// The DER of each certificate in a PEM text, such as the file of a CA: one at least. Other blocks
/// and other text may stand next to them.
///
/// # Errors
/// [`PemError`] when there is no certificate, or one of them cannot be read: it may be the one that
/// counts.
pub fn certificates_from_pem(pem: &[u8]) -> Result<Vec<Vec<u8>>, PemError> {
    pem::decode_certificates(&String::from_utf8_lossy(pem))
}
