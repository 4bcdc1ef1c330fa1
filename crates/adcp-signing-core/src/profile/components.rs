//! The component values of an AdCP message: canonical target URI and authority, fields as received.

use crate::{
    rfc9421::{
        Component, ComponentError, ComponentName, ComponentSource, FieldLine, Request,
        digest::CONTENT_DIGEST,
    },
    target_uri::{Rules, TargetUri, TargetUriError, canonicalize_authority},
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

/// Why the received authority is refused (AdCP security, "`@authority` canonicalization").
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AuthorityError {
    #[error("{0} is not an authority: {1}")]
    Malformed(&'static str, TargetUriError),
    #[error(
        "{0} is not the authority of the target URI: the message was sent to, or replayed at, another host"
    )]
    Disagrees(&'static str),
    #[error("the Host field occurs more than once")]
    Repeated,
    #[error("the Host field is not text")]
    NotText,
}

/// Checks `:authority` and `Host`, as received, against the target URI; where both came, both have
/// to match it, and so each other. A message that came with neither was addressed by its URL alone.
pub(crate) fn check_authority(
    request: &Request<'_>,
    target: &TargetUri,
    rules: Rules,
) -> Result<(), AuthorityError> {
    let check = |source: &'static str, received: &str| {
        // A canonical authority is its own canonical form.
        if received == target.authority() {
            return Ok(());
        }
        let canonical = canonicalize_authority(received, target.scheme(), rules)
            .map_err(|error| AuthorityError::Malformed(source, error))?;
        if canonical == target.authority() {
            Ok(())
        } else {
            Err(AuthorityError::Disagrees(source))
        }
    };
    if let Some(authority) = request.pseudo_authority {
        check(":authority", authority)?;
    }
    let mut hosts = request.fields.iter().filter(|line| line.is("host"));
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => Err(AuthorityError::Repeated),
        (Some(FieldLine { value, .. }), None) => check(
            "Host",
            std::str::from_utf8(value)
                .map_err(|_| AuthorityError::NotText)?
                .trim_matches([' ', '\t']),
        ),
        (None, _) => Ok(()),
    }
}
