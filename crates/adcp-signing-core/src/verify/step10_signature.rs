//! Step 10, the only place where a signature is verified: target URI and authority agree, and the
//! signature verifies over the base.

use super::{
    Rejection, Step, step01_fields::ParsedSignature, step07_key::Keyed, step11_digest::Authentic,
};
use crate::{
    keys::{Algorithm, PublicKey, Signature},
    profile::Fault,
};

/// A message whose signature verifies (step 10).
#[derive(Debug)]
pub struct SignatureVerified<'r> {
    pub(super) keyed: Keyed<'r>,
    pub(super) base: Vec<u8>,
}

impl<'r> SignatureVerified<'r> {
    pub(super) fn check(keyed: Keyed<'r>) -> Result<Self, Rejection> {
        let signature = &keyed.announced.claims.signature;
        let base = signature.base()?;
        let invalid =
            |detail: String| keyed.refuse(Step::Signature, Fault::SignatureInvalid, detail);
        let (public, _) = keyed.key.usable().map_err(|reason| invalid(reason.to_string()))?;
        let Some(bytes) = &signature.signature else {
            return Err(invalid(wrong_length(signature)));
        };
        if let Err(error) = public.verify_bytes(&base, bytes) {
            return Err(invalid(match scheme_that_verifies(signature, public, bytes) {
                Some((verifies, received)) => format!(
                    "the signature is one for {verifies}, and the message was received for \
                     {received}; verify the URL that the client called, also behind a proxy that \
                     ends TLS"
                ),
                None => format!("{error}; compare the signature base on both sides"),
            }));
        }
        Ok(Self { keyed, base })
    }

    /// Step 11: the body is the one that was signed.
    ///
    /// # Errors
    /// `*_digest_mismatch`.
    pub fn check_digest(self) -> Result<Authentic<'r>, Rejection> {
        Authentic::check(self)
    }
}

/// Explains a signature that does not have the 64 bytes of r and s, or of Ed25519.
#[cold]
fn wrong_length(signature: &ParsedSignature<'_>) -> String {
    let bytes = signature.bytes();
    let is_der = Signature::from_ecdsa_der(Algorithm::EcdsaP256Sha256, &bytes).is_ok();
    let cause = match bytes.len() {
        _ if is_der => {
            "; it is DER, as key services return it: send r and s, 32 bytes each (RFC 9421 §3.3.4)"
        }
        // 128 hex digits are digits of Base64 as well.
        96 => "; 128 hex digits in place of the Base64 of the bytes?",
        256 | 384 | 512 => "; it is as long as one of RSA, which the AdCP profiles do not admit",
        _ => "",
    };
    format!("the signature has {} bytes, not 64{cause}", bytes.len())
}

/// The scheme under which the signature verifies and the one of the message, where these differ and
/// nothing else does. Costs a second check, of a message that is refused anyway.
#[cold]
fn scheme_that_verifies(
    signature: &ParsedSignature<'_>,
    public: &PublicKey,
    bytes: &[u8],
) -> Option<(&'static str, &'static str)> {
    let received = signature.received.head.target.as_ref().ok()?;
    let rules = signature.received.head.profile.verifier_uri_rules();
    let other = received.with_other_scheme(rules).ok()?;
    let base = signature.base_over(&other).ok()?;
    public.verify_bytes(&base, bytes).ok()?;
    Some((other.scheme(), received.scheme()))
}
