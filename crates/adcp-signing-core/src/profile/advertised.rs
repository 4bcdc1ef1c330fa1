//! `Advertised`: what an agent says of itself, as far as signing is concerned.

use serde::Deserialize;

use super::WireVersion;
use crate::{
    json::check_no_duplicate_keys,
    operation::{
        CapabilityError, CapabilityWire, DigestPolicy, RequestSigningCapability, present,
        present_object, read_object,
    },
};

/// A `get_adcp_capabilities` response: which requests an agent wants signed, and in which form.
///
/// Whoever signs chooses the form by this or by the configuration, never by a message.
///
/// ```
/// use adcp_signing_core::{WireVersion, profile::Advertised};
///
/// let advertised = Advertised::from_json(
///     br#"{"adcp":{"supported_versions":["3.0","3.1"]},"request_signing":{"supported":true}}"#,
/// )?;
/// assert_eq!(advertised.wire(), Some(WireVersion::V3_1));
/// # Ok::<(), adcp_signing_core::CapabilityError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertised {
    request_signing: RequestSigningCapability,
    wire: Option<WireVersion>,
}

/// Members of the response that the schema does not have, or that are about something else, are
/// ignored; so are `build_version`, which must not be negotiated by, and the deprecated
/// `major_versions`, which tells 3.0 and 3.2 not apart.
#[derive(Deserialize)]
struct Response {
    #[serde(default, deserialize_with = "present")]
    adcp_version: Option<String>,
    #[serde(default, deserialize_with = "present_object")]
    adcp: Option<Adcp>,
    #[serde(default, deserialize_with = "present_object")]
    request_signing: Option<CapabilityWire>,
}

#[derive(Deserialize, Default)]
struct Adcp {
    #[serde(default)]
    supported_versions: Vec<String>,
}

impl Advertised {
    /// How many bytes a response may have: 64 KiB (AdCP security, discovery budgets).
    pub const MAX_BYTES: usize = 64 * 1024;

    /// Reads the payload of a response: the object with the members `adcp` and `request_signing`.
    ///
    /// # Errors
    /// [`CapabilityError`] where it is too large, not strict JSON, or breaks the schema.
    pub fn from_json(json: &[u8]) -> Result<Self, CapabilityError> {
        if json.len() > Self::MAX_BYTES {
            return Err(CapabilityError::TooLarge { bytes: json.len() });
        }
        check_no_duplicate_keys(json)?;
        let response: Response =
            read_object(json).map_err(|error| CapabilityError::Response(error.to_string()))?;
        let request_signing = match response.request_signing {
            Some(wire) => wire.read()?,
            None => RequestSigningCapability::unsupported(),
        };
        let listed = response.adcp.unwrap_or_default().supported_versions;
        let listed = listed.iter().enumerate().map(|(index, release)| {
            wire_of(release).ok_or_else(|| CapabilityError::Release {
                member: format!("adcp.supported_versions[{index}]"),
            })
        });
        let served = response.adcp_version.iter().map(|release| {
            let member = || "adcp_version".to_owned();
            wire_of(release).ok_or_else(|| CapabilityError::Release { member: member() })
        });
        let releases = listed.chain(served).collect::<Result<Vec<_>, _>>()?;
        let wire = if releases.is_empty() {
            wire_of_posture(&request_signing)
        } else {
            releases.into_iter().flatten().max()
        };
        if wire.is_some_and(|wire| !wire.is_legacy())
            && request_signing.covers_content_digest() == DigestPolicy::Forbidden
        {
            return Err(CapabilityError::DigestForbidden);
        }
        Ok(Self { request_signing, wire })
    }

    /// Which requests the agent wants signed. Unsupported where it has no such member.
    pub fn request_signing(&self) -> &RequestSigningCapability {
        &self.request_signing
    }

    /// The newest wire version that the agent serves, or `None` where it does not say.
    ///
    /// `adcp.supported_versions` and `adcp_version` decide: an agent that lists 3.2 or later among
    /// others holds every signature to 3.2. One that lists no version, and whose
    /// `covers_content_digest` is anything but `required`, is of 3.0 or 3.1, since later versions
    /// have to say `required`.
    pub fn wire(&self) -> Option<WireVersion> {
        self.wire
    }
}

/// The form of signatures that an agent reads which lists no version.
fn wire_of_posture(capability: &RequestSigningCapability) -> Option<WireVersion> {
    match capability.covers_content_digest() {
        DigestPolicy::Either | DigestPolicy::Forbidden if capability.supported() => {
            Some(WireVersion::V3_0)
        }
        _ => None,
    }
}

/// The wire version of a release such as `3.2` or `3.3-rc.0`: `None` where the text is not one, and
/// `Some(None)` before AdCP 3. What comes after 3.3 reads the form of 3.3.
fn wire_of(release: &str) -> Option<Option<WireVersion>> {
    let (numbers, pre) = match release.split_once('-') {
        Some((numbers, pre)) => (numbers, Some(pre)),
        None => (release, None),
    };
    let is_pre = |pre: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        let ends = |end: Option<&u8>| end.is_some_and(u8::is_ascii_alphanumeric);
        ends(pre.as_bytes().first()) && ends(pre.as_bytes().last()) && pre.bytes().all(inner)
    };
    if !pre.is_none_or(is_pre) {
        return None;
    }
    let (major, minor) = numbers.split_once('.')?;
    let number = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit())
            && (text.len() == 1 || !text.starts_with('0'));
        if is_number { text.parse::<u64>().ok() } else { None }
    };
    Some(match (number(major)?, number(minor)?) {
        (0..=2, _) => None,
        (3, 0) => Some(WireVersion::V3_0),
        (3, 1) => Some(WireVersion::V3_1),
        (3, 2) => Some(WireVersion::V3_2),
        _ => Some(WireVersion::NEWEST),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(json: &str) -> Result<Option<WireVersion>, CapabilityError> {
        Advertised::from_json(json.as_bytes()).map(|advertised| advertised.wire())
    }

    #[test]
    fn the_newest_release_that_an_agent_serves_decides() {
        use WireVersion::{V3_0, V3_1, V3_2, V3_3};
        for (members, expected) in [
            (r#""adcp":{"supported_versions":["3.0"]}"#, Some(V3_0)),
            (r#""adcp":{"supported_versions":["3.1","3.0"]}"#, Some(V3_1)),
            (r#""adcp":{"supported_versions":["3.2","3.0"]}"#, Some(V3_2)),
            (r#""adcp":{"supported_versions":["3.0","3.2-beta.1"]}"#, Some(V3_2)),
            (r#""adcp":{"supported_versions":["3.3-rc.0"]}"#, Some(V3_3)),
            (r#""adcp":{"supported_versions":["3.0","3.17"]}"#, Some(V3_3)),
            (r#""adcp":{"supported_versions":["4.0"]}"#, Some(V3_3)),
            (r#""adcp":{"supported_versions":["2.5"]}"#, None),
            (r#""adcp_version":"3.2","adcp":{"supported_versions":["3.0"]}"#, Some(V3_2)),
            (r#""adcp_version":"3.0","adcp":{"supported_versions":["3.2"]}"#, Some(V3_2)),
            (r#""adcp_version":"3.1""#, Some(V3_1)),
            (r#""adcp":{"build_version":"3.1.4","major_versions":[3]}"#, None),
            (r#""request_signing":{"supported":true}"#, Some(V3_0)),
            (
                r#""request_signing":{"supported":true,"covers_content_digest":"forbidden"}"#,
                Some(V3_0),
            ),
            (r#""request_signing":{"supported":true,"covers_content_digest":"required"}"#, None),
            (r#""request_signing":{"supported":false}"#, None),
            // The version that is listed decides, whatever the posture looks like.
            (
                r#""adcp_version":"3.2","request_signing":{"supported":true,"covers_content_digest":"either"}"#,
                Some(V3_2),
            ),
            ("", None),
        ] {
            assert_eq!(wire(&format!("{{{members}}}")), Ok(expected), "{members}");
        }
    }

    #[test]
    fn what_breaks_the_schema_is_refused() {
        for (release, member) in [
            ("3", "adcp.supported_versions[1]"),
            ("3.02", "adcp.supported_versions[1]"),
            ("3.2.4", "adcp.supported_versions[1]"),
            ("3.2-", "adcp.supported_versions[1]"),
            ("3.2-rc.", "adcp.supported_versions[1]"),
            ("3.2-r c", "adcp.supported_versions[1]"),
            (" 3.2", "adcp.supported_versions[1]"),
            ("+3.2", "adcp.supported_versions[1]"),
            (".2", "adcp.supported_versions[1]"),
            ("", "adcp.supported_versions[1]"),
        ] {
            let json = format!(r#"{{"adcp":{{"supported_versions":["3.0","{release}"]}}}}"#);
            let refused = CapabilityError::Release { member: member.to_owned() };
            assert_eq!(wire(&json), Err(refused), "{release}");
        }
        let refused = CapabilityError::Release { member: "adcp_version".to_owned() };
        assert_eq!(wire(r#"{"adcp_version":"three"}"#), Err(refused));
        for json in [
            r#"{"adcp_version":3}"#,
            r#"{"adcp_version":null}"#,
            r#"{"adcp":null}"#,
            r#"{"request_signing":null}"#,
            r#"{"adcp":{"supported_versions":[3]}}"#,
            "[]",
            r#"["3.2"]"#,
            r#"{"adcp":[["3.0"]]}"#,
            r#"{"request_signing":[true]}"#,
        ] {
            assert!(matches!(wire(json), Err(CapabilityError::Response(_))), "{json}");
        }
        let twice = r#"{"adcp_version":"3.2","adcp_version":"3.0"}"#;
        assert!(matches!(wire(twice), Err(CapabilityError::Json(_))));
    }

    #[test]
    fn a_response_is_read_up_to_its_budget() {
        let response = r#"{"adcp_version":"3.2"}"#;
        let of_bytes = |bytes: usize| response.to_owned() + &" ".repeat(bytes - response.len());
        assert_eq!(wire(&of_bytes(Advertised::MAX_BYTES)), Ok(Some(WireVersion::V3_2)));
        let bytes = Advertised::MAX_BYTES + 1;
        let refused = wire(&of_bytes(bytes)).unwrap_err();
        assert_eq!(refused, CapabilityError::TooLarge { bytes });
        assert!(refused.to_string().contains(&Advertised::MAX_BYTES.to_string()), "{refused}");
    }

    #[test]
    fn no_agent_of_3_2_is_signed_for_without_the_digest_of_the_body() {
        let forbidden = |release: &str| {
            wire(&format!(
                r#"{{"adcp_version":"{release}",
                     "request_signing":{{"supported":true,"covers_content_digest":"forbidden"}}}}"#
            ))
        };
        assert_eq!(forbidden("3.1"), Ok(Some(WireVersion::V3_1)));
        assert_eq!(forbidden("3.2"), Err(CapabilityError::DigestForbidden));
    }
}
