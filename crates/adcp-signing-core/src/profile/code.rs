//! Every stable error code, from the one fault it stands for.

use std::fmt;

use super::MessageKind;

/// What a sender should do about a code (the normative `recovery` of the AdCP error vocabulary).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recovery {
    /// Stop; an operator has to look.
    Terminal,
    /// Change the message or the credential, then send again.
    Correctable,
    /// Send again after a bounded, jittered wait.
    Transient,
}

impl Recovery {
    /// The value of the vocabulary's `recovery` member.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Correctable => "correctable",
            Self::Transient => "transient",
        }
    }
}

/// A stable code of the transport error taxonomy, the value of `WWW-Authenticate: Signature
/// error="…"`.
///
/// ```
/// use adcp_signing_core::profile::{ErrorCode, Fault, MessageKind};
///
/// let code = ErrorCode::new(MessageKind::Webhook, Fault::Replayed);
/// assert_eq!(code.as_str(), "webhook_signature_replayed");
/// assert_eq!(code.www_authenticate(), r#"Signature error="webhook_signature_replayed""#);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode {
    kind: MessageKind,
    fault: Fault,
}

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident: $request:expr, $webhook:expr, $recovery:ident;)*) => {
        /// What was wrong with a message, before a profile gives it a name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Fault { $($(#[$doc])* $name,)* }

        impl Fault {
            /// Every fault, in the order of the taxonomy.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            const fn request_code(self) -> &'static str { match self { $(Self::$name => $request,)* } }
            const fn webhook_code(self) -> &'static str { match self { $(Self::$name => $webhook,)* } }
            const fn recovery(self) -> Recovery { match self { $(Self::$name => Recovery::$recovery,)* } }
        }
    };
}

// A discovery failure has no webhook code of its own: the webhook taxonomy calls every one of them
// `key_unknown`. The two faults without a request code can only be raised for webhooks, and the
// other way round.
faults! {
    /// The capabilities name no brand.json.
    BrandJsonUrlMissing: "request_signature_brand_json_url_missing", "webhook_signature_key_unknown", Terminal;
    /// The capabilities could not be fetched.
    CapabilitiesUnreachable: "request_signature_capabilities_unreachable", "webhook_signature_key_unknown", Transient;
    /// brand.json could not be fetched.
    BrandJsonUnreachable: "request_signature_brand_json_unreachable", "webhook_signature_key_unknown", Transient;
    /// brand.json is not what it must be.
    BrandJsonMalformed: "request_signature_brand_json_malformed", "webhook_signature_key_unknown", Terminal;
    /// brand.json lies on another registrable domain.
    BrandOriginMismatch: "request_signature_brand_origin_mismatch", "webhook_signature_key_unknown", Terminal;
    /// brand.json does not list the agent.
    AgentNotInBrandJson: "request_signature_agent_not_in_brand_json", "webhook_signature_key_unknown", Terminal;
    /// brand.json lists the agent more than once.
    BrandJsonAmbiguous: "request_signature_brand_json_ambiguous", "webhook_signature_key_unknown", Terminal;
    /// The JWKS is on another origin than the one declared for the purpose.
    KeyOriginMismatch: "request_signature_key_origin_mismatch", "webhook_signature_key_unknown", Terminal;
    /// No origin is declared for the purpose.
    KeyOriginMissing: "request_signature_key_origin_missing", "webhook_signature_key_unknown", Terminal;
    /// Unsigned where a signature is required.
    SignatureRequired: "request_signature_required", "webhook_signature_header_malformed", Correctable;
    /// The target URI or the authority is malformed, or they disagree.
    TargetUriMalformed: "request_target_uri_malformed", "webhook_target_uri_malformed", Correctable;
    /// `Signature` or `Signature-Input` is malformed, or one came without the other.
    HeaderMalformed: "request_signature_header_malformed", "webhook_signature_header_malformed", Correctable;
    /// A required signature parameter is absent.
    ParamsIncomplete: "request_signature_params_incomplete", "webhook_signature_params_incomplete", Correctable;
    /// The tag is not the profile's.
    TagInvalid: "request_signature_tag_invalid", "webhook_signature_tag_invalid", Correctable;
    /// The algorithm is not on the profile's list.
    AlgNotAllowed: "request_signature_alg_not_allowed", "webhook_signature_alg_not_allowed", Correctable;
    /// Created or expires lie outside the window.
    WindowInvalid: "request_signature_window_invalid", "webhook_signature_window_invalid", Correctable;
    /// A required component is not covered.
    ComponentsIncomplete: "request_signature_components_incomplete", "webhook_signature_components_incomplete", Correctable;
    /// A component is covered that the endpoint forbids.
    ComponentsUnexpected: "request_signature_components_unexpected", "webhook_signature_components_incomplete", Correctable;
    /// No key has this `keyid`.
    KeyUnknown: "request_signature_key_unknown", "webhook_signature_key_unknown", Correctable;
    /// The key is not published for this use, or is unusable.
    KeyPurposeInvalid: "request_signature_key_purpose_invalid", "webhook_signature_key_purpose_invalid", Correctable;
    /// The key is revoked.
    KeyRevoked: "request_signature_key_revoked", "webhook_signature_key_revoked", Correctable;
    /// The revocation list is older than its grace allows.
    RevocationStale: "request_signature_revocation_stale", "webhook_signature_revocation_stale", Terminal;
    /// The signature does not verify.
    SignatureInvalid: "request_signature_invalid", "webhook_signature_invalid", Correctable;
    /// The digest is not the body's.
    DigestMismatch: "request_signature_digest_mismatch", "webhook_signature_digest_mismatch", Correctable;
    /// The body is ambiguous: duplicate keys, or no single operation.
    BodyMalformed: "request_body_malformed", "webhook_body_malformed", Correctable;
    /// The nonce was seen before.
    Replayed: "request_signature_replayed", "webhook_signature_replayed", Correctable;
    /// The key has filled its share of the replay cache.
    RateAbuse: "request_signature_rate_abuse", "webhook_signature_rate_abuse", Terminal;
    /// The JWKS could not be fetched.
    JwksUnavailable: "request_signature_jwks_unavailable", "webhook_signature_key_unknown", Transient;
    /// The JWKS address is not one to be fetched from.
    JwksUntrusted: "request_signature_jwks_untrusted", "webhook_signature_key_unknown", Terminal;
    /// HMAC arrived where RFC 9421 was registered, or the reverse. Webhooks only.
    ModeMismatch: "request_signature_header_malformed", "webhook_mode_mismatch", Terminal;
}

impl ErrorCode {
    /// The code that a profile of this kind has for a fault.
    pub const fn new(kind: MessageKind, fault: Fault) -> Self {
        Self { kind, fault }
    }

    /// The stable code, byte for byte.
    pub const fn as_str(self) -> &'static str {
        match self.kind {
            MessageKind::Request => self.fault.request_code(),
            MessageKind::Webhook => self.fault.webhook_code(),
        }
    }

    /// The fault behind the code.
    pub const fn fault(self) -> Fault {
        self.fault
    }

    /// What the sender should do. Every `webhook_*` code is terminal for its delivery: the same
    /// bytes would be refused again.
    pub const fn recovery(self) -> Recovery {
        match self.kind {
            MessageKind::Request => self.fault.recovery(),
            MessageKind::Webhook => Recovery::Terminal,
        }
    }

    /// The value of the `WWW-Authenticate` field that goes with the 401: the code and nothing else.
    pub fn www_authenticate(self) -> String {
        format!("Signature error=\"{}\"", self.as_str())
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_taxonomies_have_29_request_codes_and_17_webhook_codes() {
        let codes = |kind| {
            Fault::ALL
                .iter()
                .map(|fault| ErrorCode::new(kind, *fault).as_str())
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(codes(MessageKind::Request).len(), 29);
        assert_eq!(codes(MessageKind::Webhook).len(), 17);
    }

    /// Operators look for what they read in a log.
    #[test]
    fn pages_name_codes_that_there_are_and_one_of_them_names_all() {
        let pages = [
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/verifying.md")),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md")),
        ];
        let codes: BTreeSet<_> = Fault::ALL
            .iter()
            .flat_map(|fault| [fault.request_code(), fault.webhook_code()])
            .collect();
        for code in &codes {
            assert!(pages[0].contains(&format!("| `{code}` |")), "{code}");
        }
        for page in pages {
            let named = page.split('`').filter(|text| {
                let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
                text.bytes().all(is_plain)
                    && ["request_", "webhook_"].iter().any(|it| text.starts_with(it))
            });
            let named: Vec<_> = named.collect();
            assert!(named.len() > 5, "{named:?}");
            for code in named {
                assert!(codes.contains(code), "{code}");
            }
        }
    }
}
