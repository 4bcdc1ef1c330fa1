//! `Authorized`: steps 10 and 11 of the checklist, the only place where a signature is verified.

use super::{Step, authentic::Authentic, parsed::Parsed, rejection::Rejection};
use crate::{profile::Fault, resolver::VerificationKey, rfc9421::digest::CONTENT_DIGEST};

/// A message whose key may sign it (steps 8 to 9a). Cryptography starts here.
#[derive(Debug, Clone)]
pub struct Authorized<'a, K> {
    pub(super) parsed: Box<Parsed<'a>>,
    pub(super) key: K,
}

impl<'a, K: AsRef<VerificationKey>> Authorized<'a, K> {
    /// Steps 10 and 11: target URI and authority agree, the signature verifies over the base, and
    /// the body is the one that was signed.
    ///
    /// # Errors
    /// `*_target_uri_malformed`, `*_signature_invalid`, `*_digest_mismatch`.
    pub fn authenticate(self) -> Result<Authentic<'a, K>, Rejection> {
        let base = self.parsed.signature_base()?;
        let received = self.parsed.received;
        let invalid =
            |detail: String| received.refuse(Step::Signature, Fault::SignatureInvalid, detail);
        let (public, _) =
            self.key.as_ref().usable().map_err(|reason| invalid(reason.to_string()))?;
        public
            .verify_bytes(
                &base,
                self.parsed.labelled.signature.as_ref().map_or(&[], <[u8; 64]>::as_slice),
            )
            .map_err(|error| {
                invalid(format!("{error}; compare the signature base on both sides"))
            })?;
        let digest_matches = match (&self.parsed.digest, self.parsed.covers(CONTENT_DIGEST)) {
            (Some(digest), _) => digest.matches(received.request.body),
            (None, covered) => !covered,
        };
        if !digest_matches {
            return Err(received.refuse(
                Step::Digest,
                Fault::DigestMismatch,
                "Content-Digest has no sha-256 of the received body; was the body re-serialized on the way?",
            ));
        }
        Ok(Authentic { parsed: self.parsed, key: self.key, base })
    }
}
