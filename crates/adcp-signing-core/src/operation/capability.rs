//! `request_signing` of `get_adcp_capabilities`: which requests must be signed, and how strictly.

use std::collections::BTreeSet;

use serde::Deserialize;
use thiserror::Error;

use super::Resolved;

/// The longest operation or method name in a capability, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// The reserved MCP method, whose operation is `params.name`.
const TOOLS_CALL: &str = "tools/call";

/// A2A 1.0 names and their 0.3 counterparts.
const METHOD_ALIASES: [(&str, &str); 10] = [
    ("SendMessage", "message/send"),
    ("SendStreamingMessage", "message/stream"),
    ("GetTask", "tasks/get"),
    ("CancelTask", "tasks/cancel"),
    ("SubscribeToTask", "tasks/resubscribe"),
    ("CreateTaskPushNotificationConfig", "tasks/pushNotificationConfig/set"),
    ("GetTaskPushNotificationConfig", "tasks/pushNotificationConfig/get"),
    ("ListTaskPushNotificationConfigs", "tasks/pushNotificationConfig/list"),
    ("DeleteTaskPushNotificationConfig", "tasks/pushNotificationConfig/delete"),
    ("GetExtendedAgentCard", "agent/getAuthenticatedExtendedCard"),
];

/// Whether signatures cover `content-digest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DigestPolicy {
    /// A signature over a request with a body must cover it. The only policy of contract 3.2.
    Required,
    /// It may be covered: what 3.0 and 3.1 mean by saying nothing.
    #[default]
    Either,
    /// It must not be covered (3.0 and 3.1).
    Forbidden,
}

/// What a capability asks of a request, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Posture {
    /// In no list: a signature is not expected.
    Unlisted,
    /// `supported_for`: verified when present.
    Supported,
    /// `warn_for`: verified in shadow mode.
    Warn,
    /// `required_for`: refused when unsigned and not otherwise authenticated.
    Required,
}

/// A capability that contradicts its schema.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CapabilityError {
    /// Not the JSON that the schema describes.
    #[error("request_signing does not match its schema: {0}")]
    Schema(String),
    /// A name in an operation list that is no AdCP operation name.
    #[error(
        "{list}[{index}] is no operation name ([a-z][a-z0-9_]*): put JSON-RPC methods in protocol_methods_{list}"
    )]
    Operation {
        /// The list.
        list: &'static str,
        /// The position in it.
        index: usize,
    },
    /// A name in a protocol-method list that is no JSON-RPC method name.
    #[error(
        "protocol_methods_{list}[{index}] is no protocol method (a/b or PascalCase, not tools/call): put AdCP operations \
         in {list}"
    )]
    ProtocolMethod {
        /// The list, without its prefix.
        list: &'static str,
        /// The position in it.
        index: usize,
    },
    /// A name both required and warned for.
    #[error("a name is in both warn_for and required_for of one namespace: remove it from one")]
    WarnAndRequired,
    /// Names are listed and signing is not supported, so nothing would be enforced.
    #[error(
        "supported is false and yet names are required or warned for: set supported to true or empty the lists"
    )]
    ListedButUnsupported,
}

/// The `request_signing` block of an agent's capabilities.
///
/// The operation lists and the protocol-method lists are two namespaces; neither ever matches a
/// name of the other, and a name in the wrong one is refused. `required_for` and `warn_for` should
/// be subsets of `supported_for`; deployed capabilities are not, and the stronger list wins, so
/// that is accepted.
///
/// ```
/// use adcp_signing_core::operation::{Posture, RequestSigningCapability, Transport, resolve};
///
/// let capability = RequestSigningCapability::from_json(
///     br#"{"supported":true,"covers_content_digest":"required","required_for":["create_media_buy"]}"#,
/// )?;
/// let transport = Transport::Rest { operation: Some("create_media_buy".into()) };
/// let resolved = resolve(&transport, "POST", "/adcp/create_media_buy", b"{}").unwrap();
/// assert_eq!(capability.posture(&resolved), Posture::Required);
/// # Ok::<(), adcp_signing_core::operation::CapabilityError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "Wire")]
pub struct RequestSigningCapability {
    supported: bool,
    covers_content_digest: DigestPolicy,
    operations: Lists,
    protocol_methods: Lists,
    has_method_aliases: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Lists {
    required: BTreeSet<String>,
    warn: BTreeSet<String>,
    supported: BTreeSet<String>,
}

impl RequestSigningCapability {
    /// An agent that verifies signatures, with nothing listed yet.
    pub fn supported_with(covers_content_digest: DigestPolicy) -> Self {
        Self { supported: true, covers_content_digest, ..Self::default() }
    }

    /// Reads the `request_signing` object of a `get_adcp_capabilities` response.
    ///
    /// # Errors
    ///
    /// [`CapabilityError`] where it breaks the schema, a subset rule excepted.
    pub fn from_json(json: &[u8]) -> Result<Self, CapabilityError> {
        serde_json::from_slice::<Wire>(json)
            .map_err(|error| CapabilityError::Schema(error.to_string()))?
            .try_into()
    }

    /// Adds operations to the list of `posture`; [`Posture::Unlisted`] has none and adds nothing.
    ///
    /// # Errors
    ///
    /// [`CapabilityError::Operation`] on a name of the other namespace, [`CapabilityError::WarnAndRequired`].
    pub fn with_operations<N: Into<String>>(
        mut self,
        posture: Posture,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Self, CapabilityError> {
        let names = names.into_iter().map(Into::into);
        self.operations.add(posture, names, |name, list, index| {
            if is_operation(name) {
                Ok(())
            } else {
                Err(CapabilityError::Operation { list, index })
            }
        })?;
        self.check()
    }

    /// Adds JSON-RPC methods to the list of `posture`; [`Posture::Unlisted`] has none and adds
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`CapabilityError::ProtocolMethod`] on a name of the other namespace, [`CapabilityError::WarnAndRequired`].
    pub fn with_protocol_methods<N: Into<String>>(
        mut self,
        posture: Posture,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Self, CapabilityError> {
        let names = names.into_iter().map(Into::into);
        self.protocol_methods.add(posture, names, |name, list, index| {
            if is_protocol_method(name) {
                Ok(())
            } else {
                Err(CapabilityError::ProtocolMethod { list, index })
            }
        })?;
        self.check()
    }

    /// Lets a listed A2A 1.0 method name match its 0.3 name on the wire, and the reverse.
    ///
    /// The specification says exact, and exact is the default. This covers more requests, never
    /// fewer.
    #[must_use]
    pub fn with_method_aliases(self) -> Self {
        Self { has_method_aliases: true, ..self }
    }

    /// Whether signatures are verified at all.
    pub fn supported(&self) -> bool {
        self.supported
    }

    /// The digest policy. Contract 3.2 always means [`DigestPolicy::Required`], whatever is said
    /// here.
    pub fn covers_content_digest(&self) -> DigestPolicy {
        self.covers_content_digest
    }

    /// What is asked of a request: the strongest that any of its names is listed for.
    pub fn posture(&self, resolved: &Resolved) -> Posture {
        if !self.supported {
            return Posture::Unlisted;
        }
        let operations = [&resolved.operation, &resolved.envelope_operation];
        let operations = operations.into_iter().flatten().map(|name| self.operations.posture(name));
        let method = resolved.protocol_method.as_deref();
        let alias = method.filter(|_| self.has_method_aliases).and_then(alias_of);
        let methods =
            method.into_iter().chain(alias).map(|name| self.protocol_methods.posture(name));
        operations.chain(methods).max().unwrap_or(Posture::Unlisted)
    }

    fn check(self) -> Result<Self, CapabilityError> {
        let lists = [&self.operations, &self.protocol_methods];
        if lists.iter().any(|lists| !lists.required.is_disjoint(&lists.warn)) {
            return Err(CapabilityError::WarnAndRequired);
        }
        if !self.supported
            && lists.iter().any(|lists| !lists.required.is_empty() || !lists.warn.is_empty())
        {
            return Err(CapabilityError::ListedButUnsupported);
        }
        Ok(self)
    }
}

impl Lists {
    fn add(
        &mut self,
        posture: Posture,
        names: impl Iterator<Item = String>,
        check: impl Fn(&str, &'static str, usize) -> Result<(), CapabilityError>,
    ) -> Result<(), CapabilityError> {
        let (list, label) = match posture {
            Posture::Required => (&mut self.required, "required_for"),
            Posture::Warn => (&mut self.warn, "warn_for"),
            Posture::Supported => (&mut self.supported, "supported_for"),
            Posture::Unlisted => return Ok(()),
        };
        for (index, name) in names.enumerate() {
            check(&name, label, index)?;
            list.insert(name);
        }
        Ok(())
    }

    fn posture(&self, name: &str) -> Posture {
        [
            (&self.required, Posture::Required),
            (&self.warn, Posture::Warn),
            (&self.supported, Posture::Supported),
        ]
        .into_iter()
        .find(|(list, _)| list.contains(name))
        .map_or(Posture::Unlisted, |(_, posture)| posture)
    }
}

/// `^[a-z][a-z0-9_]*$`
pub(super) fn is_operation(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// `^(?:[a-z][A-Za-z0-9_]*(?:/[A-Za-z][A-Za-z0-9_]*)+|[A-Z][A-Za-z0-9_]*)$`, and not `tools/call`.
pub(super) fn is_protocol_method(name: &str) -> bool {
    let is_segment = |segment: &str| {
        segment.starts_with(|first: char| first.is_ascii_alphabetic())
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let is_slash_path =
        name.starts_with(|first: char| first.is_ascii_lowercase()) && name.contains('/');
    let is_pascal_case =
        name.starts_with(|first: char| first.is_ascii_uppercase()) && !name.contains('/');
    name.len() <= MAX_NAME_BYTES
        && name != TOOLS_CALL
        && (is_slash_path || is_pascal_case)
        && name.split('/').all(is_segment)
}

fn alias_of(method: &str) -> Option<&'static str> {
    METHOD_ALIASES.iter().find_map(|&(new, old)| match method {
        _ if method == new => Some(old),
        _ if method == old => Some(new),
        _ => None,
    })
}

#[derive(Deserialize)]
struct Wire {
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
}

impl TryFrom<Wire> for RequestSigningCapability {
    type Error = CapabilityError;

    fn try_from(wire: Wire) -> Result<Self, CapabilityError> {
        let Wire { supported, covers_content_digest, .. } = wire;
        Self { supported, covers_content_digest, ..Self::default() }
            .with_operations(Posture::Required, wire.required_for)?
            .with_operations(Posture::Warn, wire.warn_for)?
            .with_operations(Posture::Supported, wire.supported_for)?
            .with_protocol_methods(Posture::Required, wire.protocol_methods_required_for)?
            .with_protocol_methods(Posture::Warn, wire.protocol_methods_warn_for)?
            .with_protocol_methods(Posture::Supported, wire.protocol_methods_supported_for)
    }
}
