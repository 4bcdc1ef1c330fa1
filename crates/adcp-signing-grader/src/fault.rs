//! The faults that a graded request has, one at a time.

/// The one fault of a request that is right otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// No signature at all.
    Unsigned,
    /// The tag of another profile.
    WrongTag,
    /// The window ended ten minutes ago.
    Expired,
    /// The window has 301 seconds.
    WindowTooLong,
    /// `expires` equals `created`.
    WindowEmpty,
    /// An algorithm that the profile does not allow.
    AlgorithmNotAllowed,
    /// `@authority` is not covered.
    AuthorityNotCovered,
    /// `content-digest` is not covered.
    DigestNotCovered,
    /// A key that is published nowhere.
    UnknownKey,
    /// A key for governance.
    WrongPurpose,
    /// A signed digest of another body.
    WrongDigest,
    /// A `Signature-Input` that is no structured field.
    InputMalformed,
    /// No `expires`.
    NoExpires,
    /// No `nonce`.
    NoNonce,
    /// Another signature of the right length.
    WrongSignature,
    /// `Signature` without `Signature-Input`.
    SignatureAlone,
    /// The label twice in `Signature-Input`.
    InputTwice,
    /// The label twice in `Signature`.
    SignatureTwice,
    /// `Content-Type` with two values.
    ContentTypeTwice,
    /// A `keyid` without quotes.
    KeyidUnquoted,
    /// A `Content-Digest` whose key is in upper case.
    DigestKeyUpperCase,
}

impl Fault {
    /// Every fault, in the order of the vectors.
    pub const ALL: [Self; 21] = [
        Self::Unsigned,
        Self::WrongTag,
        Self::Expired,
        Self::WindowTooLong,
        Self::AlgorithmNotAllowed,
        Self::AuthorityNotCovered,
        Self::DigestNotCovered,
        Self::UnknownKey,
        Self::WrongPurpose,
        Self::WrongDigest,
        Self::InputMalformed,
        Self::NoExpires,
        Self::WindowEmpty,
        Self::NoNonce,
        Self::WrongSignature,
        Self::SignatureAlone,
        Self::InputTwice,
        Self::ContentTypeTwice,
        Self::KeyidUnquoted,
        Self::SignatureTwice,
        Self::DigestKeyUpperCase,
    ];

    /// The vector that the fault is from, and the code that a verifier must answer.
    pub fn vector(self) -> (&'static str, &'static str) {
        match self {
            Self::Unsigned => ("001-no-signature-header", "request_signature_required"),
            Self::WrongTag => ("002-wrong-tag", "request_signature_tag_invalid"),
            Self::Expired => ("003-expired-signature", "request_signature_window_invalid"),
            Self::WindowTooLong => ("004-window-too-long", "request_signature_window_invalid"),
            Self::AlgorithmNotAllowed => {
                ("005-alg-not-allowed", "request_signature_alg_not_allowed")
            }
            Self::AuthorityNotCovered => {
                ("006-missing-covered-component", "request_signature_components_incomplete")
            }
            Self::DigestNotCovered => {
                ("007-missing-content-digest", "request_signature_components_incomplete")
            }
            Self::UnknownKey => ("008-unknown-keyid", "request_signature_key_unknown"),
            Self::WrongPurpose => {
                ("009-key-ops-missing-verify", "request_signature_key_purpose_invalid")
            }
            Self::WrongDigest => {
                ("010-content-digest-mismatch", "request_signature_digest_mismatch")
            }
            Self::InputMalformed => ("011-malformed-header", "request_signature_header_malformed"),
            Self::NoExpires => ("012-missing-expires-param", "request_signature_params_incomplete"),
            Self::WindowEmpty => ("013-expires-le-created", "request_signature_window_invalid"),
            Self::NoNonce => ("014-missing-nonce-param", "request_signature_params_incomplete"),
            Self::WrongSignature => ("015-signature-invalid", "request_signature_invalid"),
            Self::SignatureAlone => {
                ("019-signature-without-signature-input", "request_signature_header_malformed")
            }
            Self::InputTwice => {
                ("021-duplicate-signature-input-label", "request_signature_header_malformed")
            }
            Self::ContentTypeTwice => {
                ("022-multi-valued-content-type", "request_signature_header_malformed")
            }
            Self::KeyidUnquoted => {
                ("024-unquoted-string-param", "request_signature_header_malformed")
            }
            Self::SignatureTwice => {
                ("029-duplicate-signature-label", "request_signature_header_malformed")
            }
            Self::DigestKeyUpperCase => {
                ("030-content-digest-key-case", "request_signature_header_malformed")
            }
        }
    }
}
