//! Public keys, parsed once into a ready-to-verify form.

/// A public key.
#[derive(Debug, Clone)]
pub struct PublicKey {
    algorithm: crate::Algorithm,
}

impl PublicKey {
    /// The algorithm.
    pub fn algorithm(&self) -> crate::Algorithm {
        self.algorithm
    }
}
