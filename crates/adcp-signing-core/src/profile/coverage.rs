//! Which components a signature must cover. Signer and verifier both ask here.

use super::{Form, Profile};
use crate::{
    operation::DigestPolicy,
    rfc9421::{ComponentName, digest::CONTENT_DIGEST},
};

/// The digest rule in force at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestRule {
    /// `content-digest` is covered on every message, with a body or without.
    Always,
    /// `content-digest` is covered on every message with a body.
    WithBody,
    /// Covering it is the signer's choice (legacy).
    Either,
    /// Covering it is refused (legacy).
    Forbidden,
}

impl Profile {
    /// The digest rule in force, given what the endpoint advertises. Only legacy request endpoints
    /// have a choice.
    pub const fn digest_rule(&self, advertised: DigestPolicy) -> DigestRule {
        match (self.form, advertised) {
            (Form::Webhook, _) => DigestRule::Always,
            (Form::Request(wire), advertised) if wire.is_legacy() => match advertised {
                DigestPolicy::Required => DigestRule::WithBody,
                DigestPolicy::Either => DigestRule::Either,
                DigestPolicy::Forbidden => DigestRule::Forbidden,
            },
            (Form::Request(_), _) => DigestRule::WithBody,
        }
    }

    /// Whether `content-type` must be there and covered. Where it must not, a signer covers it if
    /// it is there.
    pub const fn requires_content_type(&self, has_body: bool) -> bool {
        match self.form {
            Form::Webhook => true,
            Form::Request(_) => has_body,
        }
    }

    /// Whether `content-digest` must be covered, given what the endpoint advertises.
    pub const fn requires_content_digest(&self, has_body: bool, advertised: DigestPolicy) -> bool {
        match self.digest_rule(advertised) {
            DigestRule::Always => true,
            DigestRule::WithBody => has_body,
            DigestRule::Either | DigestRule::Forbidden => false,
        }
    }

    /// Whether covering `content-digest` is refused (`request_signature_components_unexpected`).
    pub const fn forbids_content_digest(&self, advertised: DigestPolicy) -> bool {
        matches!(self.digest_rule(advertised), DigestRule::Forbidden)
    }

    /// The components that every signature of this profile covers (step 6 of the checklist), in the
    /// order in which a signer lists them.
    ///
    /// ```
    /// use adcp_signing_core::{operation::DigestPolicy, profile::{Profile, WireVersion}};
    ///
    /// let profile = Profile::request(WireVersion::V3_2);
    /// let names = |has_body| -> Vec<_> {
    ///     let required = profile.required_components(has_body, DigestPolicy::Required);
    ///     required.map(|name| name.as_str()).collect()
    /// };
    /// assert_eq!(names(false), ["@method", "@target-uri", "@authority"]);
    /// assert_eq!(names(true)[3..], ["content-type", "content-digest"]);
    /// ```
    pub fn required_components(
        &self,
        has_body: bool,
        advertised: DigestPolicy,
    ) -> impl Iterator<Item = ComponentName<'static>> + use<> {
        [
            (ComponentName::Method, true),
            (ComponentName::TargetUri, true),
            (ComponentName::Authority, true),
            (ComponentName::Field("content-type"), self.requires_content_type(has_body)),
            (
                ComponentName::Field(CONTENT_DIGEST),
                self.requires_content_digest(has_body, advertised),
            ),
        ]
        .into_iter()
        .filter_map(|(name, required)| required.then_some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::WireVersion;

    #[test]
    fn what_must_be_covered_follows_from_profile_body_and_policy() {
        use DigestPolicy::{Either, Forbidden, Required};

        let legacy = Profile::request(WireVersion::V3_1);
        let newest = Profile::request(WireVersion::V3_3);
        let webhook = Profile::webhook();
        for (profile, has_body, policy, content_type, digest, forbidden) in [
            (&legacy, false, Required, false, false, false),
            (&legacy, true, Required, true, true, false),
            (&legacy, true, Either, true, false, false),
            (&legacy, true, Forbidden, true, false, true),
            (&newest, false, Required, false, false, false),
            (&newest, true, Required, true, true, false),
            (&newest, true, Either, true, true, false),
            (&newest, true, Forbidden, true, true, false),
            (&webhook, false, Required, true, true, false),
            (&webhook, true, Forbidden, true, true, false),
        ] {
            let case = format!("{profile}, body {has_body}, {policy:?}");
            let names: Vec<_> = profile
                .required_components(has_body, policy)
                .map(|component| component.as_str())
                .collect();
            assert_eq!(names[..3], ["@method", "@target-uri", "@authority"], "{case}");
            assert_eq!(names.contains(&"content-type"), content_type, "{case}");
            assert_eq!(names.contains(&"content-digest"), digest, "{case}");
            assert_eq!(profile.forbids_content_digest(policy), forbidden, "{case}");
        }
    }
}
