//! The component values of an AdCP message: canonical target URI and authority, fields as received.

use crate::{
    rfc9421::{
        AuthorityError, Component, ComponentError, ComponentName, ComponentSource, Request,
        digest::CONTENT_DIGEST,
    },
    target_uri::{Rules, TargetUri},
};

/// The source of the components that the AdCP profiles cover.
pub(crate) struct AdcpComponents<'a> {
    request: &'a Request<'a>,
    target: &'a TargetUri,
    content_digest: Option<&'a str>,
}

impl<'a> AdcpComponents<'a> {
    /// The components of a request whose target URI is canonical. A digest that is yet to be sent
    /// stands in for the field.
    pub(crate) fn new(
        request: &'a Request<'a>,
        target: &'a TargetUri,
        content_digest: Option<&'a str>,
    ) -> Self {
        Self { request, target, content_digest }
    }
}

impl ComponentSource for AdcpComponents<'_> {
    fn append_value(
        &self,
        component: &Component<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ComponentError> {
        match (component.name(), self.content_digest) {
            (ComponentName::TargetUri, _) => out.extend_from_slice(self.target.as_str().as_bytes()),
            (ComponentName::Authority, _) => {
                out.extend_from_slice(self.target.authority().as_bytes())
            }
            (ComponentName::Field(CONTENT_DIGEST), Some(digest)) => {
                out.extend_from_slice(digest.as_bytes())
            }
            _ => return self.request.append_value(component, out),
        }
        Ok(())
    }
}

/// Whether a verifier of the AdCP profiles can build this component's value: fields, and the three
/// derived components whose canonical form AdCP defines.
pub(crate) fn is_known(component: &Component<'_>) -> bool {
    component.params().is_empty()
        && matches!(
            component.name(),
            ComponentName::Method
                | ComponentName::TargetUri
                | ComponentName::Authority
                | ComponentName::Field(_)
        )
}

/// Checks `:authority` and `Host`, as received, against the target URI.
pub(crate) fn check_authority(
    request: &Request<'_>,
    target: &TargetUri,
    rules: Rules,
) -> Result<(), AuthorityError> {
    crate::rfc9421::check_authority(request, target.scheme(), target.authority(), rules)
}
