//! Step 2: all six signature parameters are there.

use std::borrow::Cow;

use super::{
    Rejection, Step,
    step01_fields::{Parsed, ParsedSignature},
    step03_tag::Tagged,
};
use crate::profile::Fault;

/// A message with all six parameters (step 2).
#[derive(Debug)]
pub struct Complete<'r>(pub(super) Box<Claims<'r>>);

/// What the signature claims. Boxed from here on: each later step moves it.
#[derive(Debug)]
pub(super) struct Claims<'r> {
    pub(super) signature: ParsedSignature<'r>,
    pub(super) created: i64,
    pub(super) expires: i64,
    pub(super) nonce: Cow<'r, str>,
    pub(super) keyid: Cow<'r, str>,
    pub(super) alg: Cow<'r, str>,
    pub(super) tag: Cow<'r, str>,
}

impl<'r> Complete<'r> {
    pub(super) fn check(parsed: Parsed<'r>) -> Result<Self, Rejection> {
        let Parsed { signature, params } = parsed;
        let received = signature.received;
        let absent = |name: &str| {
            let detail = format!("the parameter {name} is absent");
            received.refuse(Step::Params, Fault::ParamsIncomplete, detail)
        };
        Ok(Self(Box::new(Claims {
            created: params.created.ok_or_else(|| absent("created"))?,
            expires: params.expires.ok_or_else(|| absent("expires"))?,
            nonce: params.nonce.ok_or_else(|| absent("nonce"))?,
            keyid: params.keyid.ok_or_else(|| absent("keyid"))?,
            alg: params.alg.ok_or_else(|| absent("alg"))?,
            tag: params.tag.ok_or_else(|| absent("tag"))?,
            signature,
        })))
    }

    /// Step 3: the tag is the profile's.
    ///
    /// # Errors
    /// `*_tag_invalid`.
    pub fn check_tag(self) -> Result<Tagged<'r>, Rejection> {
        Tagged::check(self.0)
    }
}

impl Claims<'_> {
    #[cold]
    pub(super) fn refuse(
        &self,
        step: Step,
        fault: Fault,
        detail: impl Into<Cow<'static, str>>,
    ) -> Rejection {
        self.signature.received.refuse(step, fault, detail).with_keyid(&self.keyid)
    }
}
