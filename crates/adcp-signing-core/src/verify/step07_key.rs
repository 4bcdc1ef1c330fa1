//! Step 7: the key that `keyid` names is published.

use std::sync::Arc;

use super::{Rejection, Step, step04_algorithm::Announced, step08_purpose::Purposed};
use crate::{
    profile::Fault,
    resolver::{ResolveError, VerificationKey},
};

/// A message whose key was found (step 7).
#[derive(Debug)]
pub struct Keyed<'r> {
    pub(super) announced: Announced<'r>,
    pub(super) key: Arc<VerificationKey>,
}

impl<'r> Keyed<'r> {
    pub(super) fn check(
        announced: Announced<'r>,
        answer: Result<Option<Arc<VerificationKey>>, ResolveError>,
    ) -> Result<Self, Rejection> {
        let claims = &announced.claims;
        match answer {
            Ok(Some(key)) if *key.kid() == *claims.keyid => Ok(Self { announced, key }),
            Ok(Some(_)) => Err(claims.refuse(
                Step::Key,
                Fault::KeyUnknown,
                "the key resolver answered with a key of another name; this is a fault of the \
                 resolver",
            )),
            Ok(None) => Err(claims.refuse(
                Step::Key,
                Fault::KeyUnknown,
                "no published key has this keyid; publish it in the signer's JWKS, or check the \
                 spelling",
            )),
            Err(error) => Err(claims
                .refuse(Step::Key, error.fault(), error.to_string())
                .with_source(Arc::new(error))),
        }
    }

    /// Step 8: the key is published for this profile and fits the announced algorithm.
    ///
    /// # Errors
    /// `*_key_purpose_invalid`.
    pub fn check_purpose(self) -> Result<Purposed<'r>, Rejection> {
        Purposed::check(self)
    }

    pub(super) fn refuse(
        &self,
        step: Step,
        fault: Fault,
        detail: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Rejection {
        self.announced.claims.refuse(step, fault, detail)
    }
}
