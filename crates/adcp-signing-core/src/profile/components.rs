//! The component values of an AdCP message: canonical target URI and authority, fields as received.

use crate::{
    rfc9421::{
        AuthorityError, Component, ComponentError, ComponentName, ComponentSource, Request,
        digest::CONTENT_DIGEST,
    },
    target_uri::{Rules, TargetUri},
};

/// The source of the components that the AdCP profiles cover. They take `@method` in upper case,
/// which therefore is how it has to be sent: routers tell `patch` from `PATCH`.
pub(crate) struct AdcpComponents<'a> {
    request: &'a Request<'a>,
    target: &'a TargetUri,
    known: KnownFields<'a>,
}

/// Values of the fields that are nearly always covered, where the caller has them: joined lines as
/// received, or a digest that is yet to be sent. They stand in for the fields of the request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KnownFields<'a> {
    pub(crate) content_type: Option<&'a [u8]>,
    pub(crate) content_digest: Option<&'a [u8]>,
}

impl<'a> AdcpComponents<'a> {
    /// The components of a request whose target URI is canonical.
    pub(crate) fn new(
        request: &'a Request<'a>,
        target: &'a TargetUri,
        known: KnownFields<'a>,
    ) -> Self {
        Self { request, target, known }
    }
}

impl ComponentSource for AdcpComponents<'_> {
    fn append_value(
        &self,
        component: &Component<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ComponentError> {
        if component.name() == ComponentName::Method
            && self.request.method.bytes().any(|byte| byte.is_ascii_lowercase())
        {
            return Err(ComponentError::MethodCase);
        }
        let known = match component.name() {
            ComponentName::TargetUri => Some(self.target.as_str().as_bytes()),
            ComponentName::Authority => Some(self.target.authority().as_bytes()),
            ComponentName::Field("content-type") => self.known.content_type,
            ComponentName::Field(CONTENT_DIGEST) => self.known.content_digest,
            _ => None,
        };
        match known {
            Some(value) => out.extend_from_slice(value),
            None => self.request.append_value(component, out)?,
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
