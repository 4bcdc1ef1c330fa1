//! The AdCP profiles of RFC 9421, as data.
//!
//! A profile comes from the trusted configuration of an endpoint, never from the message, and
//! nothing retries a refused message under another one.

mod advertised;
mod body;
mod bounds;
mod challenge;
mod code;
mod components;
mod content_type;
mod contract;
mod coverage;
mod purpose;
mod registration;
mod wire;

use std::fmt;

pub use self::{
    advertised::Advertised,
    body::LengthMismatch,
    bounds::Bounds,
    challenge::Challenge,
    code::{ErrorCode, Fault, Recovery},
    content_type::SeveralContentTypes,
    contract::{ContractError, ContractVersion},
    coverage::DigestRule,
    purpose::PurposeVerdict,
    registration::{
        DefectiveKey, JwksRegistration, JwksRegistrationError, Registration, RegistrationDefect,
        RegistrationError,
    },
    wire::WireVersion,
};
pub(crate) use self::{
    body::{announced_length, check_body, check_length},
    components::{AdcpComponents, KnownFields, check_authority, is_known},
    content_type::{content_type, declares_json, has_top_level_comma},
};
use crate::{
    keys::Algorithm,
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
    form: Form,
    contract: ContractVersion,
    bounds: Bounds,
}

/// What a profile is on the wire. Webhooks have one form through all of 3.x.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Request(WireVersion),
    Webhook,
}

/// How a receiver compares the URL of an agent with the entries of a brand.json.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AgentMatch {
    /// Byte for byte, before contract 3.3.
    ByteEqual,
    /// By the canonical form of both URLs, since contract 3.3.
    Canonical,
}

impl Profile {
    /// The request profile of a wire version, at its newest contract.
    pub const fn request(wire: WireVersion) -> Self {
        Self {
            form: Form::Request(wire),
            contract: wire.newest_contract(),
            bounds: Bounds::REQUEST,
        }
    }

    /// The webhook profile v1, at the newest contract.
    pub const fn webhook() -> Self {
        Self::webhook_at(WireVersion::NEWEST.newest_contract())
    }

    /// The webhook profile v1, at a contract of one's choice. Webhooks have one wire form through
    /// all of 3.x, so every contract goes with it.
    pub const fn webhook_at(contract: ContractVersion) -> Self {
        Self { form: Form::Webhook, contract, bounds: Bounds::WEBHOOK }
    }

    /// The same profile at another contract.
    ///
    /// # Errors
    /// [`ContractError::TooOldForWire`] when a 3.2 or 3.3 request profile is asked of an older
    /// contract.
    pub fn with_contract(mut self, contract: ContractVersion) -> Result<Self, ContractError> {
        if let Form::Request(wire) = self.form
            && contract < wire.first_contract()
        {
            return Err(ContractError::TooOldForWire {
                contract: contract.to_string(),
                wire: wire.as_str(),
            });
        }
        self.contract = contract;
        Ok(self)
    }

    /// The same profile with other bounds on bodies.
    #[must_use]
    pub const fn with_bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// Whether this is for requests or for webhooks.
    pub const fn kind(&self) -> MessageKind {
        match self.form {
            Form::Request(_) => MessageKind::Request,
            Form::Webhook => MessageKind::Webhook,
        }
    }

    /// The contract version.
    pub const fn contract(&self) -> ContractVersion {
        self.contract
    }

    /// The bounds on bodies: 4 MiB for requests and 1 MiB for webhooks, 64 levels and 100,000
    /// members, unless they were set.
    pub const fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Whether the hardening tier of the A2A rules is a MUST, as it is from contract 3.3. Before,
    /// it is a SHOULD.
    pub fn requires_a2a_hardening(&self) -> bool {
        self.is_3_3()
    }

    /// How the URL of an agent is matched: canonically from contract 3.3, byte for byte before.
    pub fn agent_match(&self) -> AgentMatch {
        if self.is_3_3() { AgentMatch::Canonical } else { AgentMatch::ByteEqual }
    }

    /// The profile in which a request is signed for an agent of this wire version. A profile that
    /// has the same form on the wire stays as it is. Another one becomes the agent's, at its newest
    /// contract and with the same bounds. A webhook has one form through all of 3.x, so its profile
    /// stays as well.
    #[must_use]
    pub fn for_peer(&self, peer: WireVersion) -> Self {
        match self.form {
            Form::Request(own) if own.is_legacy() != peer.is_legacy() => {
                Self::request(peer).with_bounds(self.bounds)
            }
            Form::Request(_) | Form::Webhook => self.clone(),
        }
    }

    /// The most bytes a brand.json may have: 2 MiB from contract 3.3, 256 KiB before.
    pub fn max_brand_json_bytes(&self) -> usize {
        if self.is_3_3() { 2 * 1024 * 1024 } else { 256 * 1024 }
    }

    /// The value of the `tag` parameter, byte for byte.
    pub const fn tag(&self) -> &'static str {
        match self.form {
            Form::Request(_) => "adcp/request-signing/v1",
            Form::Webhook => "adcp/webhook-signing/v1",
        }
    }

    /// Whether the profile admits an algorithm.
    pub const fn admits(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::Ed25519 | Algorithm::EcdsaP256Sha256 => true,
            Algorithm::RsaPssSha512 => false,
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
        match self.form {
            Form::Request(wire)
                if wire.is_legacy() && self.contract >= ContractVersion::FIRST_3_2_BETA =>
            {
                Alphabet::UrlUnpadded
            }
            Form::Request(_) | Form::Webhook => Alphabet::Standard,
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
        self.contract < ContractVersion::RAW_HOST_IS_TARGET_FAULT
    }

    /// The recommended cap on live replay entries of one key.
    pub const fn replay_cap(&self) -> u64 {
        match self.form {
            Form::Request(_) => 1_000_000,
            Form::Webhook => 100_000,
        }
    }

    /// The profile's code for a fault.
    pub const fn code(&self, fault: Fault) -> ErrorCode {
        ErrorCode::new(self.kind(), fault)
    }

    /// Webhook v1 keeps the legacy encoding through all of 3.x.
    const fn is_legacy(&self) -> bool {
        match self.form {
            Form::Request(wire) => wire.is_legacy(),
            Form::Webhook => true,
        }
    }

    fn is_3_3(&self) -> bool {
        self.contract >= ContractVersion::first_of(3)
    }

    fn root_dot(&self) -> RootDot {
        if self.contract >= ContractVersion::FIRST_3_2_BETA {
            RootDot::Strip
        } else {
            RootDot::Keep
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form {
            Form::Request(wire) => write!(f, "request {wire} (contract {})", self.contract),
            Form::Webhook => write!(f, "webhook v1 (contract {})", self.contract),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract(text: &str) -> ContractVersion {
        text.parse().unwrap()
    }

    #[test]
    fn a_wire_version_goes_with_no_contract_before_its_first() {
        for (wire, text, accepted) in [
            (WireVersion::V3_0, "3.0.0", true),
            (WireVersion::V3_0, "3.3.0", true),
            (WireVersion::V3_2, "3.1.19", false),
            (WireVersion::V3_2, "3.2.0-beta.0", true),
            (WireVersion::V3_2, "3.3.0-rc.0", true),
            (WireVersion::V3_3, "3.2.4", false),
            (WireVersion::V3_3, "3.3.0-beta.0", true),
            (WireVersion::V3_3, "3.3.0", true),
        ] {
            let outcome = Profile::request(wire).with_contract(contract(text));
            let refused =
                ContractError::TooOldForWire { contract: text.to_owned(), wire: wire.as_str() };
            assert_eq!(
                outcome.map(|profile| profile.contract()),
                if accepted { Ok(contract(text)) } else { Err(refused) },
                "{wire} {text}"
            );
        }
        for text in ["3.0.0", "3.3.0-rc.0"] {
            let profile = Profile::webhook_at(contract(text));
            assert_eq!(Profile::webhook().with_contract(contract(text)), Ok(profile));
        }
    }

    #[test]
    fn contract_3_3_is_3_2_on_the_wire() {
        let (older, newer) =
            (Profile::request(WireVersion::V3_2), Profile::request(WireVersion::V3_3));
        let form = |profile: &Profile| {
            (
                (profile.tag(), profile.signature_alphabet(), profile.digest_alphabets()),
                (profile.emitted_digest_alphabet(), profile.verifier_uri_rules()),
                (profile.signer_uri_rules(), profile.raw_host_is_header_fault()),
                (profile.replay_cap(), profile.bounds()),
            )
        };
        assert_eq!(form(&older), form(&newer));
        assert_eq!(newer.contract(), contract("3.3.0-rc.0"));
    }

    #[test]
    fn what_contract_3_3_changes_follows_from_the_contract_alone() {
        let wire = Profile::request(WireVersion::V3_2);
        for (text, hardened, matching, brand_json) in [
            ("3.2.4", false, AgentMatch::ByteEqual, 256 * 1024),
            ("3.3.0-beta.0", true, AgentMatch::Canonical, 2 * 1024 * 1024),
            ("3.3.0", true, AgentMatch::Canonical, 2 * 1024 * 1024),
        ] {
            for profile in [
                wire.clone().with_contract(contract(text)).unwrap(),
                Profile::webhook_at(contract(text)),
            ] {
                assert_eq!(profile.requires_a2a_hardening(), hardened, "{profile}");
                assert_eq!(profile.agent_match(), matching, "{profile}");
                assert_eq!(profile.max_brand_json_bytes(), brand_json, "{profile}");
            }
        }
    }

    #[test]
    fn for_a_peer_a_profile_changes_only_where_the_peer_reads_another_form() {
        let bounds = Bounds::REQUEST.with_max_depth(7);
        let own = |wire| Profile::request(wire).with_bounds(bounds);
        for (wire, peer, signed) in [
            (WireVersion::V3_3, WireVersion::V3_0, WireVersion::V3_0),
            (WireVersion::V3_2, WireVersion::V3_1, WireVersion::V3_1),
            (WireVersion::V3_2, WireVersion::V3_3, WireVersion::V3_2),
            (WireVersion::V3_0, WireVersion::V3_1, WireVersion::V3_0),
            (WireVersion::V3_1, WireVersion::V3_2, WireVersion::V3_2),
        ] {
            assert_eq!(own(wire).for_peer(peer), own(signed), "{wire} for {peer}");
        }
        let older = own(WireVersion::V3_2).with_contract(contract("3.2.0")).unwrap();
        assert_eq!(older.for_peer(WireVersion::V3_2), older);
        for peer in WireVersion::ALL {
            assert_eq!(Profile::webhook().for_peer(peer), Profile::webhook());
        }
    }

    #[test]
    fn bounds_have_safe_defaults_and_can_be_set() {
        let shown =
            |bounds: Bounds| (bounds.max_body_bytes(), bounds.max_depth(), bounds.max_members());
        let request = Profile::request(WireVersion::V3_0);
        assert_eq!(shown(request.bounds()), (4 << 20, 64, 100_000));
        assert_eq!(shown(Profile::webhook().bounds()), (1 << 20, 64, 100_000));
        let bounds = request.bounds().with_max_body_bytes(10).with_max_depth(2).with_max_members(3);
        assert_eq!(shown(request.with_bounds(bounds).bounds()), (10, 2, 3));
    }
}
