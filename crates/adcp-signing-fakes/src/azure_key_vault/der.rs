//! An RSA key in PKCS#1: a DER SEQUENCE of INTEGERs that are not negative.

use pkcs8::der::{Decode as _, Encode as _, Result, asn1::UintRef};

/// The integers, big-endian and without leading zeros.
pub(super) fn integers(sequence: &[u8]) -> Result<Vec<Vec<u8>>> {
    let integers = Vec::<UintRef<'_>>::from_der(sequence)?;
    Ok(integers.iter().map(|integer| integer.as_bytes().to_vec()).collect())
}

/// The sequence of these big-endian integers.
pub(super) fn sequence(integers: &[Vec<u8>]) -> Result<Vec<u8>> {
    let integers: Result<Vec<UintRef<'_>>> =
        integers.iter().map(|digits| UintRef::new(digits)).collect();
    integers?.to_der()
}
