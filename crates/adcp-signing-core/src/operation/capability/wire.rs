//! The capability as JSON: the `request_signing` object of the schema.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    CapabilityError, DigestPolicy, List, OperationSource, RequestSigningCapability, SigningProfile,
};

#[derive(Debug, Deserialize)]
pub(crate) struct Wire {
    supported: bool,
    #[serde(default)]
    covers_content_digest: DigestPolicy,
    #[serde(default)]
    required_for: Vec<String>,
    #[serde(default)]
    warn_for: Vec<String>,
    #[serde(default)]
    supported_for: Vec<String>,
    #[serde(default)]
    protocol_methods_required_for: Vec<String>,
    #[serde(default)]
    protocol_methods_warn_for: Vec<String>,
    #[serde(default)]
    protocol_methods_supported_for: Vec<String>,
    #[serde(default, deserialize_with = "present")]
    profiles: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    operation_sources: Option<Vec<String>>,
}

/// Reads a member that may be absent and not `null`.
pub(crate) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Reads a member that may be absent and is an object otherwise. `serde` would read an array as the
/// members in their order.
pub(crate) fn present_object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: DeserializeOwned,
{
    let object = Map::<String, Value>::deserialize(deserializer)?;
    T::deserialize(Value::Object(object)).map(Some).map_err(serde::de::Error::custom)
}

/// Reads a whole document, which is an object.
pub(crate) fn read_object<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    T::deserialize(Value::Object(serde_json::from_slice(json)?))
}

impl Wire {
    pub(crate) fn read(self) -> Result<RequestSigningCapability, CapabilityError> {
        let mut capability = RequestSigningCapability {
            supported: self.supported,
            covers_content_digest: self.covers_content_digest,
            ..RequestSigningCapability::unsupported()
        };
        if let Some(names) = self.profiles {
            let known = SigningProfile::ALL.map(|profile| (profile.as_str(), profile));
            let profiles =
                enumerators(&names, &known).map_err(|index| CapabilityError::Profile { index })?;
            capability = capability.with_profiles(profiles)?;
        }
        if let Some(names) = self.operation_sources {
            let known = OperationSource::ALL.map(|source| (source.as_str(), source));
            let sources = enumerators(&names, &known)
                .map_err(|index| CapabilityError::OperationSource { index })?;
            capability = capability.with_operation_sources(sources)?;
        }
        capability
            .with_operations(List::Required, self.required_for)?
            .with_operations(List::Warn, self.warn_for)?
            .with_operations(List::Supported, self.supported_for)?
            .with_protocol_methods(List::Required, self.protocol_methods_required_for)?
            .with_protocol_methods(List::Warn, self.protocol_methods_warn_for)?
            .with_protocol_methods(List::Supported, self.protocol_methods_supported_for)
    }
}

/// The values of an enum that `names` are, or the position of the first that is none.
fn enumerators<T: Copy>(names: &[String], known: &[(&str, T)]) -> Result<Vec<T>, usize> {
    let value = |(index, name): (usize, &String)| {
        known.iter().find(|(known, _)| known == name).map(|&(_, value)| value).ok_or(index)
    };
    names.iter().enumerate().map(value).collect()
}

/// The object, without the members that say what their absence says.
impl Serialize for RequestSigningCapability {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let default = Self::unsupported();
        Shown {
            supported: self.supported,
            covers_content_digest: self.covers_content_digest,
            required_for: &self.operations.required,
            warn_for: &self.operations.warn,
            supported_for: &self.operations.supported,
            protocol_methods_required_for: &self.protocol_methods.required,
            protocol_methods_warn_for: &self.protocol_methods.warn,
            protocol_methods_supported_for: &self.protocol_methods.supported,
            profiles: (self.profiles != default.profiles)
                .then(|| self.profiles.iter().map(|profile| profile.as_str()).collect()),
            operation_sources: (self.operation_sources.as_ref())
                .map(|sources| sources.iter().map(|source| source.as_str()).collect()),
        }
        .serialize(serializer)
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    supported: bool,
    covers_content_digest: DigestPolicy,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    required_for: &'a BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    warn_for: &'a BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    supported_for: &'a BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    protocol_methods_required_for: &'a BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    protocol_methods_warn_for: &'a BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    protocol_methods_supported_for: &'a BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profiles: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_sources: Option<Vec<&'static str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same_capability() {
        let full = RequestSigningCapability::supported_with(DigestPolicy::Required)
            .with_operations(List::Required, ["create_media_buy"])
            .and_then(|asked| asked.with_operations(List::Warn, ["update_media_buy"]))
            .and_then(|asked| asked.with_operations(List::Supported, ["get_products"]))
            .and_then(|asked| asked.with_protocol_methods(List::Required, ["tasks/cancel"]))
            .and_then(|asked| asked.with_protocol_methods(List::Warn, ["tasks/get"]))
            .and_then(|asked| asked.with_protocol_methods(List::Supported, ["SendMessage"]))
            .and_then(|asked| asked.with_profiles([SigningProfile::WebBotAuth]))
            .and_then(|asked| asked.with_operation_sources([OperationSource::McpToolsCall]))
            .unwrap();
        for capability in [full, RequestSigningCapability::unsupported()] {
            let json = serde_json::to_vec(&capability).unwrap();
            assert_eq!(RequestSigningCapability::from_json(&json).unwrap(), capability);
        }
    }

    #[test]
    fn members_that_say_nothing_are_left_out() {
        let capability = RequestSigningCapability::supported_with(DigestPolicy::Required)
            .with_operations(List::Required, ["create_media_buy"])
            .unwrap();
        assert_eq!(
            serde_json::to_string(&capability).unwrap(),
            r#"{"supported":true,"covers_content_digest":"required","required_for":["create_media_buy"]}"#
        );
    }
}
