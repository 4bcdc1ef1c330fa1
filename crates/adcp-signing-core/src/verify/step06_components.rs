//! Step 6: everything that must be covered is, and nothing that must not be.

use std::sync::Arc;

use super::{Rejection, Step, step04_algorithm::Announced, step07_key::Keyed};
use crate::{
    operation::registers_webhook_credentials,
    profile::Fault,
    resolver::{KeyQuery, ResolveError, VerificationKey},
    rfc9421::digest::CONTENT_DIGEST,
};

/// A message that covers what it must (step 6), ready for its key.
#[derive(Debug)]
pub struct Covered<'r>(Announced<'r>);

impl<'r> Covered<'r> {
    pub(super) fn check(announced: Announced<'r>) -> Result<Self, Rejection> {
        let claims = &announced.claims;
        let signature = &claims.signature;
        let received = signature.received;
        let has_body = received.has_body();
        let incomplete =
            |detail: String| claims.refuse(Step::Components, Fault::ComponentsIncomplete, detail);
        let advertised = signature.asked.digest;
        let mut required = received.head.profile.required_components(has_body, advertised);
        if let Some(name) = required.find(|name| !signature.covers(name.as_str())) {
            return Err(incomplete(format!("{} is not covered", name.as_str())));
        }
        let covers_digest = signature.covers(CONTENT_DIGEST);
        if covers_digest && received.head.profile.forbids_content_digest(advertised) {
            return Err(claims.refuse(
                Step::Components,
                Fault::ComponentsUnexpected,
                "content-digest is covered, which this endpoint's configuration forbids",
            ));
        }
        // A signature has to commit to webhook credentials, and without the digest it does not
        // commit to the body.
        if has_body
            && received.is_read()
            && !covers_digest
            && registers_webhook_credentials(&received.body(), &signature.asked.resolved)
        {
            return Err(incomplete(format!(
                "{CONTENT_DIGEST} is not covered, and the body registers, or could be read to \
                 register, webhook credentials"
            )));
        }
        Ok(Self(announced))
    }

    /// What to ask the key resolver.
    pub fn query(&self) -> KeyQuery<'_> {
        KeyQuery::new(&self.0.claims.keyid, self.0.claims.signature.received.head.profile)
    }

    /// Step 7, with the resolver's answer to [`query`](Self::query).
    ///
    /// # Errors
    /// `*_key_unknown`, or the code of the discovery step that failed.
    pub fn with_key(
        self,
        answer: Result<Option<Arc<VerificationKey>>, ResolveError>,
    ) -> Result<Keyed<'r>, Rejection> {
        Keyed::check(self.0, answer)
    }
}
