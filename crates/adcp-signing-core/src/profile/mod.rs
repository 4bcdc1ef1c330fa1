//! The AdCP profiles of RFC 9421, as data.
//!
//! A profile comes from the trusted configuration of an endpoint, never from the message, and
//! nothing retries a refused message under another one.

mod body;
mod code;
mod components;
mod content_type;
mod contract;

use std::{fmt, str::FromStr};

pub(crate) use self::{
    body::check_body,
    components::{AdcpComponents, check_authority, is_known},
    content_type::content_type,
};
pub use self::{
    code::{ErrorCode, Fault, Recovery, recovery_of_challenge},
    contract::{ContractError, ContractVersion},
};
use crate::{
    keys::{Algorithm, KeyPurpose},
    operation::DigestPolicy,
    rfc9421::structured_fields::Alphabet,
    target_uri::{RawHost, RootDot, Rules},
};

/// Longest validity of a signature, in seconds (`expires − created`).
pub const MAX_VALIDITY: i64 = 300;
/// Tolerated clock skew in either direction, in seconds.
pub const MAX_SKEW: i64 = 60;
/// The label that a verifier processes; every other label is ignored.
pub const LABEL: &str = "sig1";

/// What kind of message a profile is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// A call to an AdCP endpoint.
    Request,
    /// A notification to a registered callback.
    Webhook,
}

/// The wire version of the request profile, which an endpoint is configured for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WireVersion {
    /// AdCP 3.0: unpadded Base64URL, digest by policy.
    V3_0,
    /// AdCP 3.1: on the wire the same as 3.0.
    V3_1,
    /// AdCP 3.2: RFC 8941 byte sequences, digest mandatory with a body.
    V3_2,
}

impl WireVersion {
    /// The version as it is written in capabilities: `3.0`, `3.1` or `3.2`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V3_0 => "3.0",
            Self::V3_1 => "3.1",
            Self::V3_2 => "3.2",
        }
    }

    /// The newest contract of this version that the published vectors are known for.
    pub const fn newest_contract(self) -> ContractVersion {
        match self {
            Self::V3_0 => ContractVersion::v3(0, 26),
            Self::V3_1 => ContractVersion::v3(1, 19),
            Self::V3_2 => ContractVersion::v3(2, 4),
        }
    }
}

impl FromStr for WireVersion {
    type Err = ContractError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::V3_0, Self::V3_1, Self::V3_2]
            .into_iter()
            .find(|version| version.as_str() == text)
            .ok_or_else(|| ContractError::Unsupported(text.chars().take(40).collect()))
    }
}

impl fmt::Display for WireVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One AdCP profile of RFC 9421 (AdCP security, "AdCP RFC 9421 profile" and "Webhook callbacks").
///
/// Every difference between the profiles is a method here and nowhere else.
///
/// ```
/// use adcp_signing_core::profile::{Profile, WireVersion};
///
/// let profile = Profile::request(WireVersion::V3_2);
/// assert_eq!(profile.tag(), "adcp/request-signing/v1");
/// let older = Profile::request(WireVersion::V3_1).with_contract("3.1.0-rc.14".parse()?)?;
/// assert_eq!(older.contract().to_string(), "3.1.0-rc.14");
/// # Ok::<(), adcp_signing_core::profile::ContractError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    kind: MessageKind,
    wire: WireVersion,
    contract: ContractVersion,
}

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
    /// The request profile of a wire version, at its newest contract.
    pub const fn request(wire: WireVersion) -> Self {
        Self { kind: MessageKind::Request, wire, contract: wire.newest_contract() }
    }

    /// The webhook profile v1, at the newest contract of an AdCP version.
    pub const fn webhook(version: WireVersion) -> Self {
        Self { kind: MessageKind::Webhook, wire: version, contract: version.newest_contract() }
    }

    /// The same profile at another contract.
    ///
    /// # Errors
    /// [`ContractError::TooOldForWire`] when a 3.2 request profile is asked of an older contract.
    pub fn with_contract(mut self, contract: ContractVersion) -> Result<Self, ContractError> {
        if self.kind == MessageKind::Request
            && self.wire == WireVersion::V3_2
            && !contract.reaches(2, ("", 0))
        {
            return Err(ContractError::TooOldForWire {
                contract: contract.to_string(),
                wire: self.wire.as_str(),
            });
        }
        self.contract = contract;
        Ok(self)
    }

    /// Whether this is for requests or for webhooks.
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The wire version.
    pub const fn wire(&self) -> WireVersion {
        self.wire
    }

    /// The contract version.
    pub const fn contract(&self) -> &ContractVersion {
        &self.contract
    }

    /// The value of the `tag` parameter, byte for byte.
    pub const fn tag(&self) -> &'static str {
        match self.kind {
            MessageKind::Request => "adcp/request-signing/v1",
            MessageKind::Webhook => "adcp/webhook-signing/v1",
        }
    }

    /// Whether the profile admits an algorithm.
    pub const fn admits(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::Ed25519 | Algorithm::EcdsaP256Sha256 => true,
            Algorithm::RsaPssSha512 => false,
        }
    }

    /// Whether a key published for this purpose may sign messages of this profile.
    ///
    /// Since contract 3.1.0-rc.15 webhooks are signed with request-signing keys, and
    /// webhook-signing is deprecated.
    pub fn accepts_purpose(&self, purpose: &KeyPurpose) -> bool {
        match (self.kind, purpose) {
            (MessageKind::Request, KeyPurpose::RequestSigning)
            | (MessageKind::Webhook, KeyPurpose::WebhookSigning) => true,
            (MessageKind::Webhook, KeyPurpose::RequestSigning) => {
                self.contract.reaches(1, ("rc", 15))
            }
            (MessageKind::Request, KeyPurpose::WebhookSigning)
            | (
                _,
                KeyPurpose::ResponseSigning
                | KeyPurpose::GovernanceSigning
                | KeyPurpose::TmpSigning
                | KeyPurpose::Unknown(_),
            ) => false,
        }
    }

    /// How the bytes of `Signature` are written; nothing else is read.
    pub const fn signature_alphabet(&self) -> Alphabet {
        if self.is_legacy() { Alphabet::UrlUnpadded } else { Alphabet::Standard }
    }

    /// The alphabets in which a `Content-Digest` is read, one for the whole value. The legacy text
    /// says Base64URL while its vectors up to 3.1.19 use padded standard Base64, so a legacy
    /// verifier takes both.
    pub const fn digest_alphabets(&self) -> &'static [Alphabet] {
        if self.is_legacy() {
            &[Alphabet::Standard, Alphabet::UrlUnpadded]
        } else {
            &[Alphabet::Standard]
        }
    }

    /// The alphabet in which a signer of this profile writes `Content-Digest`, as the contract's
    /// vectors have it.
    pub fn emitted_digest_alphabet(&self) -> Alphabet {
        let legacy_request = self.kind == MessageKind::Request && self.is_legacy();
        if legacy_request && self.contract.reaches(2, ("beta", 0)) {
            Alphabet::UrlUnpadded
        } else {
            Alphabet::Standard
        }
    }

    /// The digest rule in force, given what the endpoint advertises. Only legacy request endpoints
    /// have a choice.
    pub const fn digest_rule(&self, advertised: DigestPolicy) -> DigestRule {
        match (self.kind, self.is_legacy(), advertised) {
            (MessageKind::Webhook, ..) => DigestRule::Always,
            (MessageKind::Request, false, _)
            | (MessageKind::Request, true, DigestPolicy::Required) => DigestRule::WithBody,
            (MessageKind::Request, true, DigestPolicy::Either) => DigestRule::Either,
            (MessageKind::Request, true, DigestPolicy::Forbidden) => DigestRule::Forbidden,
        }
    }

    /// How target URIs are canonicalized when verifying: a raw non-ASCII host is refused.
    pub fn verifier_uri_rules(&self) -> Rules {
        Rules { root_dot: self.root_dot(), raw_host: RawHost::Refuse }
    }

    /// How target URIs are canonicalized when signing: U-labels become A-labels.
    pub fn signer_uri_rules(&self) -> Rules {
        Rules { root_dot: self.root_dot(), raw_host: RawHost::Convert }
    }

    /// Whether a raw non-ASCII host is a malformed header (step 1), as it was before contract
    /// 3.2.4, and not a malformed target URI (step 10).
    pub fn raw_host_is_header_fault(&self) -> bool {
        !self.contract.at_least(2, 4)
    }

    /// The recommended cap on live replay entries of one key.
    pub const fn replay_cap(&self) -> u64 {
        match self.kind {
            MessageKind::Request => 1_000_000,
            MessageKind::Webhook => 100_000,
        }
    }

    /// The profile's code for a fault.
    pub const fn code(&self, fault: Fault) -> ErrorCode {
        ErrorCode::new(self.kind, fault)
    }

    /// Webhook v1 keeps the legacy encoding through all of 3.x.
    const fn is_legacy(&self) -> bool {
        matches!(self.kind, MessageKind::Webhook) || !matches!(self.wire, WireVersion::V3_2)
    }

    fn root_dot(&self) -> RootDot {
        if self.contract.reaches(2, ("beta", 0)) { RootDot::Strip } else { RootDot::Keep }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            MessageKind::Request => write!(f, "request {} (contract {})", self.wire, self.contract),
            MessageKind::Webhook => write!(f, "webhook v1 (contract {})", self.contract),
        }
    }
}
