//! `Parsed` and `InWindow`: steps 5 and 6 of the checklist.

use super::{
    Step,
    key_resolved::KeyResolved,
    received::{Complete, Labelled, Received},
    rejection::Rejection,
};
use crate::{
    clock::UnixSeconds,
    keys::Algorithm,
    operation::DigestPolicy,
    profile::{AdcpComponents, DigestRule, Fault, MAX_SKEW, MAX_VALIDITY, check_authority},
    resolver::{ResolveError, VerificationKey},
    rfc9421::{
        Component,
        digest::{CONTENT_DIGEST, ContentDigest},
        signature_base,
    },
    target_uri::TargetUri,
};

/// A message whose signature fields parse and name the profile's tag and an allowed algorithm
/// (steps 1 to 4).
#[derive(Debug, Clone)]
pub struct Parsed<'a> {
    pub(super) labelled: &'a Labelled<'a>,
    pub(super) received: &'a Received<'a>,
    pub(super) components: Vec<Component<'a>>,
    pub(super) digest: Option<ContentDigest>,
    pub(super) algorithm: Algorithm,
    pub(super) params: Complete<'a>,
}

impl<'a> Parsed<'a> {
    /// Step 5: the window is valid, and open now.
    ///
    /// # Errors
    /// `*_window_invalid`.
    pub fn check_window(self, now: UnixSeconds) -> Result<InWindow<'a>, Rejection> {
        let (created, expires, now) = (self.params.created, self.params.expires, now.as_i64());
        let refused = if expires <= created {
            Some(format!("expires {expires} is not after created {created}"))
        } else if expires.saturating_sub(created) > MAX_VALIDITY {
            Some(format!(
                "the window of {} s is longer than {MAX_VALIDITY} s",
                expires.saturating_sub(created)
            ))
        } else if created > now.saturating_add(MAX_SKEW) {
            Some(format!(
                "created {created} lies more than {MAX_SKEW} s after now, {now}: check both clocks"
            ))
        } else if expires < now.saturating_sub(MAX_SKEW) {
            Some(format!("expires {expires} lies more than {MAX_SKEW} s before now, {now}"))
        } else {
            None
        };
        match refused {
            Some(detail) => Err(self.received.refuse(Step::Window, Fault::WindowInvalid, detail)),
            None => Ok(InWindow(Box::new(self))),
        }
    }

    /// The signature base (RFC 9421 §2.5) over the canonical target URI, once the received
    /// authority agrees with it: the first half of step 10. Public for people who compare bases.
    ///
    /// # Errors
    /// `*_target_uri_malformed`, or `*_signature_invalid` where a covered component has no value.
    pub fn signature_base(&self) -> Result<Vec<u8>, Rejection> {
        let received = self.received;
        let request = received.request;
        let malformed =
            |detail: String| received.refuse(Step::Signature, Fault::TargetUriMalformed, detail);
        let rules = received.profile.verifier_uri_rules();
        let target = TargetUri::canonicalize(request.url, rules)
            .map_err(|error| malformed(error.to_string()))?;
        check_authority(request, &target, rules).map_err(|error| malformed(error.to_string()))?;
        let source = AdcpComponents::new(request, &target, None);
        signature_base(&self.components, self.labelled.raw, &source).map_err(|error| {
            received.refuse(Step::Signature, Fault::SignatureInvalid, error.to_string())
        })
    }

    pub(super) fn covers(&self, name: &str) -> bool {
        self.components.iter().any(|component| component.name().as_str() == name)
    }
}

/// A message within its window (step 5).
///
/// From here on the parsed message is boxed: each of the steps that follow moves it.
#[derive(Debug, Clone)]
pub struct InWindow<'a>(Box<Parsed<'a>>);

impl<'a> InWindow<'a> {
    /// Step 6: everything that must be covered is, and nothing that must not be.
    ///
    /// # Errors
    /// `*_components_incomplete`, or `request_signature_components_unexpected` at a legacy endpoint
    /// that forbids digests.
    pub fn check_components(self, advertised: DigestPolicy) -> Result<Covered<'a>, Rejection> {
        let Self(parsed) = self;
        let received = parsed.received;
        let rule = received.profile.digest_rule(advertised);
        let has_body = !received.request.body.is_empty();
        let required = [
            ("@method", true),
            ("@target-uri", true),
            ("@authority", true),
            ("content-type", has_body || rule == DigestRule::Always),
            (
                CONTENT_DIGEST,
                match rule {
                    DigestRule::Always => true,
                    DigestRule::WithBody => has_body,
                    DigestRule::Either | DigestRule::Forbidden => false,
                },
            ),
        ];
        if let Some((name, _)) =
            required.iter().find(|(name, needed)| *needed && !parsed.covers(name))
        {
            return Err(received.refuse(
                Step::Components,
                Fault::ComponentsIncomplete,
                format!("{name} is not covered"),
            ));
        }
        if rule == DigestRule::Forbidden && parsed.covers(CONTENT_DIGEST) {
            return Err(received.refuse(
                Step::Components,
                Fault::ComponentsUnexpected,
                "content-digest is covered, which this endpoint's configuration forbids",
            ));
        }
        Ok(Covered(parsed))
    }
}

/// A message that covers what it must (step 6), ready for its key.
#[derive(Debug, Clone)]
pub struct Covered<'a>(Box<Parsed<'a>>);

impl<'a> Covered<'a> {
    /// The `keyid` to resolve.
    pub fn keyid(&self) -> &str {
        &self.0.params.keyid
    }

    /// Step 7, with the resolver's answer.
    ///
    /// # Errors
    /// `*_key_unknown`, or the code of the discovery step that failed.
    pub fn with_key<K>(
        self,
        answer: Result<Option<K>, ResolveError>,
    ) -> Result<KeyResolved<'a, K>, Rejection>
    where
        K: AsRef<VerificationKey>,
    {
        let received = self.0.received;
        match answer {
            Ok(Some(key)) => Ok(KeyResolved { parsed: self.0, key }),
            Ok(None) => Err(received.refuse(
                Step::Key,
                Fault::KeyUnknown,
                "no published key has this keyid; publish it in the signer's JWKS, or check the spelling",
            )),
            Err(error) => Err(received.refuse(Step::Key, error.fault(), error.to_string())),
        }
    }
}
