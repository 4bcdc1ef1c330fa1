//! Step 14: the body means one thing to every parser. What is verified thereby has a signer.

use std::sync::Arc;

use super::{Rejection, Step, VerifiedSigner, step12_replay::Committed};
use crate::{
    clock::UnixSeconds,
    json::StrictJsonError,
    profile::{Fault, declares_json},
    rfc9421::digest::CONTENT_DIGEST,
};

impl VerifiedSigner {
    /// A body declared as JSON must also be JSON: nobody can tell what a lenient parser makes of
    /// another.
    pub(super) fn check(committed: Committed<'_>, now: UnixSeconds) -> Result<Self, Rejection> {
        let Committed(authentic) = committed;
        let verified = authentic.0;
        let keyed = verified.keyed;
        let claims = &keyed.announced.claims;
        let received = claims.signature.received;
        let fault = received.body_fault().filter(|fault| match fault {
            StrictJsonError::Duplicate(_) => true,
            _ => declares_json(received.head.fields.single_content_type()),
        });
        if let Some(fault) = fault {
            return Err(keyed.refuse(Step::Body, Fault::BodyMalformed, fault.to_string()));
        }
        let (_, purpose) = keyed.key.usable().map_err(|reason| {
            keyed.refuse(Step::Purpose, Fault::KeyPurposeInvalid, reason.to_string())
        })?;
        Ok(Self {
            purpose: purpose.clone(),
            algorithm: keyed.announced.algorithm,
            created: UnixSeconds::new(claims.created),
            expires: UnixSeconds::new(claims.expires),
            verified_at: now,
            operation: claims.signature.asked.resolved.shared_operation(),
            covers_body: claims.signature.covers(CONTENT_DIGEST),
            key: keyed.key,
            signature_base: Arc::new(verified.base),
        })
    }
}
