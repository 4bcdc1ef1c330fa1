//! Step 0: which operation the request is for, and whether it must be signed.
//!
//! `Received → Signed | Unsigned`. Whatever cannot be told is refused while anything is required.

use super::{Received, Rejection, Step, received::Message, step01_fields::Parsed};
use crate::{
    operation::{
        DigestPolicy, Posture, RequestSigningCapability, Resolved, Transport,
        registers_webhook_credentials, resolve,
    },
    profile::Fault,
    webhook::WebhookAuthMode,
};

/// A message after step 0.
#[derive(Debug)]
pub enum Prechecked<'r> {
    /// The message carries signature fields, so the checklist goes on with step 1.
    Signed(Signed<'r>),
    /// The message carries neither signature field, and the operation does not demand one.
    Unsigned(Unsigned),
}

/// A message that claims to be signed, and what is asked of it.
#[derive(Debug)]
pub struct Signed<'r> {
    pub(super) received: Message<'r>,
    pub(super) asked: Asked,
}

/// An unsigned message that may be processed: what it asks for, and whether shadow mode has to
/// record it.
#[derive(Debug)]
pub struct Unsigned {
    pub(super) resolved: Resolved,
    pub(super) is_shadowed: bool,
    /// The body registers webhook credentials at an endpoint that verifies no signatures, which the
    /// specification wants logged.
    pub(super) registers_credentials: bool,
}

/// What is asked of a signed message.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) resolved: Resolved,
    pub(super) posture: Posture,
    /// What the endpoint advertises.
    pub(super) digest: DigestPolicy,
}

impl Asked {
    /// Nothing is known of the endpoint.
    pub(super) fn anything() -> Self {
        Self {
            resolved: Resolved::nothing(),
            posture: Posture::Required,
            digest: DigestPolicy::Required,
        }
    }
}

impl<'r> Received<'r> {
    /// Step 0 of a request.
    ///
    /// `has_fallback` says whether another authenticator accepted a credential of the request for
    /// its operation.
    ///
    /// # Errors
    /// `request_body_malformed` where the body must name the operation and does not, or where an
    /// unsigned request has another body than `Content-Length` announces,
    /// `request_target_uri_malformed` for an unsigned request whose URL cannot be canonicalized,
    /// and `request_signature_required`.
    pub fn check_operation(
        &'r self,
        transport: &Transport,
        capability: &RequestSigningCapability,
        has_fallback: bool,
    ) -> Result<Prechecked<'r>, Rejection> {
        self.message().check_operation(transport, capability, has_fallback)
    }

    /// Step 0 of a webhook: its route takes RFC 9421 signatures and nothing else.
    ///
    /// # Errors
    /// `webhook_mode_mismatch`.
    pub fn check_webhook_mode(&'r self) -> Result<Signed<'r>, Rejection> {
        self.message().check_webhook_mode()
    }
}

impl<'r> Message<'r> {
    /// As [`Received::check_operation`].
    pub(super) fn check_operation(
        self,
        transport: &Transport,
        capability: &RequestSigningCapability,
        has_fallback: bool,
    ) -> Result<Prechecked<'r>, Rejection> {
        let is_unsigned = self.is_unsigned();
        if !capability.supported() {
            // Nothing is verified here, so nothing is refused for what it does not say.
            let resolved = resolve(transport, &self.target(), &self.body());
            let resolved = resolved.unwrap_or_else(|_| Resolved::undetermined());
            let registers_credentials = registers_webhook_credentials(&self.body(), &resolved);
            let unsigned = Unsigned { resolved, is_shadowed: false, registers_credentials };
            return Ok(Prechecked::Unsigned(unsigned));
        }
        if is_unsigned {
            self.check_unsigned_target()?;
        }
        if is_unsigned && let Err(mismatch) = self.check_length() {
            return Err(self.refuse(Step::Precheck, Fault::BodyMalformed, mismatch.to_string()));
        }
        if !is_unsigned {
            return self.check_signed_operation(transport, capability).map(Prechecked::Signed);
        }
        let resolved = self.resolve(transport)?;
        let posture = capability.posture(&resolved);
        self.check_unsigned(resolved, posture, has_fallback).map(Prechecked::Unsigned)
    }

    /// Step 0 of a request that claims to be signed, where signatures are verified.
    pub(super) fn check_signed_operation(
        self,
        transport: &Transport,
        capability: &RequestSigningCapability,
    ) -> Result<Signed<'r>, Rejection> {
        let resolved = self.resolve(transport)?;
        let posture = capability.posture(&resolved);
        let digest = capability.covers_content_digest();
        Ok(Signed { received: self, asked: Asked { resolved, posture, digest } })
    }

    fn resolve(&self, transport: &Transport) -> Result<Resolved, Rejection> {
        resolve(transport, &self.target(), &self.body())
            .map_err(|error| self.refuse(Step::Precheck, Fault::BodyMalformed, error.to_string()))
    }

    /// As [`Received::check_webhook_mode`].
    pub(super) fn check_webhook_mode(self) -> Result<Signed<'r>, Rejection> {
        WebhookAuthMode::Rfc9421.check(self.head.request.fields).map_err(|mismatch| {
            self.refuse(Step::Precheck, Fault::ModeMismatch, mismatch.to_string())
        })?;
        Ok(Signed { received: self, asked: Asked::anything() })
    }

    /// The part of step 0 that needs no body, for a request that makes no claim to be signed.
    ///
    /// # Errors
    /// As [`check_operation`](Self::check_operation).
    pub(super) fn check_unsigned_head(
        &self,
        transport: &Transport,
        capability: &RequestSigningCapability,
        has_fallback: bool,
    ) -> Result<(), Rejection> {
        self.check_unsigned_target()?;
        match transport.routed() {
            Some(resolved) => {
                self.check_posture(&resolved, capability.posture(&resolved), has_fallback)
            }
            None => Ok(()),
        }
    }

    fn check_unsigned_target(&self) -> Result<(), Rejection> {
        match &self.head.target {
            Ok(_) => Ok(()),
            Err(error) => Err(self.refuse(
                Step::Precheck,
                Fault::TargetUriMalformed,
                format!("the request is unsigned and its target cannot be told: {error}"),
            )),
        }
    }

    /// The rules for a request that makes no claim to be signed.
    fn check_unsigned(
        &self,
        resolved: Resolved,
        posture: Posture,
        has_fallback: bool,
    ) -> Result<Unsigned, Rejection> {
        if registers_webhook_credentials(&self.body(), &resolved) {
            return Err(self.signature_required(
                &resolved,
                "the body registers, or could be read to register, webhook credentials, which only \
                 a signed request may do",
            ));
        }
        self.check_posture(&resolved, posture, has_fallback)?;
        Ok(Unsigned {
            is_shadowed: posture == Posture::Warn,
            registers_credentials: false,
            resolved,
        })
    }

    fn check_posture(
        &self,
        resolved: &Resolved,
        posture: Posture,
        has_fallback: bool,
    ) -> Result<(), Rejection> {
        match (posture, has_fallback) {
            (Posture::Undetermined, _) => Err(self.signature_required(
                resolved,
                "the operation cannot be told from this request, and the endpoint requires \
                 signatures for some; sign it",
            )),
            (Posture::Required, false) => Err(self.signature_required(
                resolved,
                "the operation requires a signature or another accepted credential, and the \
                 request has neither",
            )),
            (Posture::Warn, false) => Err(self
                .signature_required(
                    resolved,
                    "the operation is in shadow mode, and the request has neither a signature nor \
                     another accepted credential",
                )
                .into_unauthenticated()),
            (Posture::Warn | Posture::Required, true)
            | (Posture::Supported | Posture::Unlisted, _) => Ok(()),
        }
    }

    #[cold]
    fn signature_required(&self, resolved: &Resolved, detail: &'static str) -> Rejection {
        self.refuse(Step::Precheck, Fault::SignatureRequired, detail)
            .with_operation(resolved.operation())
    }
}

impl<'r> Signed<'r> {
    /// What the request asks for.
    pub fn resolved(&self) -> &Resolved {
        &self.asked.resolved
    }

    /// Whether shadow mode turns `rejection` into a finding, so that another credential may
    /// authenticate the request.
    ///
    /// A malformed header pair, target URI or body never is: none can be told from an attack on the
    /// parser. Nor is a registration of webhook credentials, which has to be signed, or a body of
    /// another length than announced, which may hold one.
    pub fn is_shadowed(&self, rejection: &Rejection) -> bool {
        let is_hard = match rejection.code() {
            None => true,
            Some(code) => matches!(
                code.fault(),
                Fault::HeaderMalformed | Fault::TargetUriMalformed | Fault::BodyMalformed
            ),
        };
        self.asked.posture == Posture::Warn
            && !is_hard
            && self.received.check_length().is_ok()
            && !registers_webhook_credentials(&self.received.body(), &self.asked.resolved)
    }

    /// Step 1 and what it reads.
    ///
    /// # Errors
    /// `*_header_malformed`.
    pub fn parse_fields(&self) -> Result<Parsed<'_>, Rejection> {
        Parsed::read(self.received, &self.asked)
    }
}
