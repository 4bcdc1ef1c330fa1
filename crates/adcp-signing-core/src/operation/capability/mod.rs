//! `request_signing` of `get_adcp_capabilities`: which requests must be signed, and how strictly.

mod names;
mod wire;

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::names::alias_of;
pub(super) use self::names::{is_operation, is_protocol_method, is_standard_method};
pub(crate) use self::wire::{Wire, present, present_object, read_object};
use super::Resolved;
use crate::json::{StrictJsonError, check_no_duplicate_keys};

/// Whether signatures cover `content-digest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, Serialize)]
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
    /// It could not be told what the request asks for, while something is required or warned for.
    ///
    /// An unsigned request is refused, whatever other credential it has, and a failing signature is
    /// never let pass in shadow mode: either would be the way around every list.
    Undetermined,
}

/// A pair of lists in a capability, one for operations and one for protocol methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum List {
    /// `supported_for` and `protocol_methods_supported_for`.
    Supported,
    /// `warn_for` and `protocol_methods_warn_for`.
    Warn,
    /// `required_for` and `protocol_methods_required_for`.
    Required,
}

impl List {
    fn name(self) -> &'static str {
        match self {
            Self::Supported => "supported_for",
            Self::Warn => "warn_for",
            Self::Required => "required_for",
        }
    }
}

/// A signing profile that a capability advertises: the value of the signature's `tag`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SigningProfile {
    /// `adcp/request-signing/v1`, what a capability means by saying nothing.
    AdcpRequestSigningV1,
    /// `web-bot-auth`, which contract 3.3 adds. This library does not verify it.
    WebBotAuth,
}

impl SigningProfile {
    const ALL: [Self; 2] = [Self::AdcpRequestSigningV1, Self::WebBotAuth];

    /// The value in the capability.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AdcpRequestSigningV1 => "adcp/request-signing/v1",
            Self::WebBotAuth => "web-bot-auth",
        }
    }
}

/// Where a verifier reads operations from (contract 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum OperationSource {
    /// `mcp_tools_call`: `params.name` of MCP's `tools/call`.
    McpToolsCall,
    /// `a2a_invocation_skill`: the `skill` of an A2A message. It claims the hardening rules on
    /// every binding that is served; this library holds them at every contract.
    A2aInvocationSkill,
}

impl OperationSource {
    const ALL: [Self; 2] = [Self::McpToolsCall, Self::A2aInvocationSkill];

    /// The value in the capability.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::McpToolsCall => "mcp_tools_call",
            Self::A2aInvocationSkill => "a2a_invocation_skill",
        }
    }
}

/// Something in a capability that an operator probably does not mean.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// A protocol method is required or warned for under the name of one A2A generation alone, and
    /// names match exactly: a JSON-RPC request under the other name is not covered.
    OneGeneration {
        /// The name that is listed.
        listed: String,
        /// The name that is not.
        missing: &'static str,
    },
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneGeneration { listed, missing } => write!(
                f,
                "{listed} is listed and {missing}, its name in the other generation of A2A, is \
                 not: list both, or let names match their aliases"
            ),
        }
    }
}

/// A capability that contradicts its schema.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CapabilityError {
    /// More than [`Advertised::MAX_BYTES`](crate::profile::Advertised::MAX_BYTES), the budget of
    /// AdCP for what an agent advertises.
    #[error(
        "the capabilities have {bytes} bytes, and no more than 65536 are read; configure the agent, \
         or have its owner advertise less"
    )]
    TooLarge {
        /// How many bytes there are.
        bytes: usize,
    },
    /// Not strict JSON: a member that occurs twice would be read differently by others.
    #[error("request_signing cannot be read: {0}")]
    Json(#[from] StrictJsonError),
    /// Not the JSON that the schema describes.
    #[error("request_signing does not match its schema: {0}")]
    Schema(String),
    /// A signing profile that the schema does not know.
    #[error("profiles[{index}] is neither adcp/request-signing/v1 nor web-bot-auth")]
    Profile {
        /// The position in `profiles`.
        index: usize,
    },
    /// `profiles` is there and empty.
    #[error("profiles is empty: list a profile or leave the member out")]
    NoProfile,
    /// An operation source that the schema does not know.
    #[error("operation_sources[{index}] is neither mcp_tools_call nor a2a_invocation_skill")]
    OperationSource {
        /// The position in `operation_sources`.
        index: usize,
    },
    /// A value occurs twice in a list that must not repeat any.
    #[error("{list}[{index}] repeats a value")]
    Repeated {
        /// The list.
        list: &'static str,
        /// The position in it.
        index: usize,
    },
    /// A name in an operation list that is no AdCP operation name.
    #[error(
        "{list}[{index}] is no operation name ([a-z][a-z0-9_]*): put JSON-RPC methods in \
         protocol_methods_{list}"
    )]
    Operation {
        /// The list.
        list: &'static str,
        /// The position in it.
        index: usize,
    },
    /// A name in a protocol-method list that is no JSON-RPC method name.
    #[error(
        "protocol_methods_{list}[{index}] is no protocol method (a/b or PascalCase, not tools/call): \
         put AdCP operations in {list}"
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
    /// A response that is not as the schema describes it.
    #[error("the get_adcp_capabilities response does not match its schema: {0}")]
    Response(String),
    /// A version that is not one as the schema writes them.
    #[error("{member} is not a release of AdCP, such as 3.2 or 3.3-rc.0")]
    Release {
        /// The member, such as `adcp.supported_versions[1]`.
        member: String,
    },
    /// An agent of AdCP 3.2 or later that refuses signatures over the digest of a body, which these
    /// versions require.
    #[error(
        "the agent serves AdCP 3.2 or later, and covers_content_digest is forbidden: a legacy \
         posture needs an endpoint of its own"
    )]
    DigestForbidden,
    /// Names are listed and signing is not supported, so nothing would be enforced.
    #[error(
        "supported is false and yet names are required or warned for: set supported to true or \
         empty the lists"
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
/// use adcp_signing_core::operation::{Posture, RequestSigningCapability, Resolved};
///
/// let capability = RequestSigningCapability::from_json(
///     br#"{"supported":true,"covers_content_digest":"required","required_for":["create_media_buy"]}"#,
/// )?;
/// let resolved = Resolved::of_operation("create_media_buy");
/// assert_eq!(capability.posture(&resolved), Posture::Required);
/// # Ok::<(), adcp_signing_core::operation::CapabilityError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSigningCapability {
    supported: bool,
    covers_content_digest: DigestPolicy,
    operations: Lists,
    protocol_methods: Lists,
    has_method_aliases: bool,
    profiles: Vec<SigningProfile>,
    operation_sources: Option<Vec<OperationSource>>,
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
        Self { supported: true, covers_content_digest, ..Self::unsupported() }
    }

    /// An agent that verifies no signatures: every request is accepted unverified.
    pub fn unsupported() -> Self {
        Self {
            supported: false,
            covers_content_digest: DigestPolicy::default(),
            operations: Lists::default(),
            protocol_methods: Lists::default(),
            has_method_aliases: false,
            profiles: vec![SigningProfile::AdcpRequestSigningV1],
            operation_sources: None,
        }
    }

    /// Reads the `request_signing` object of a `get_adcp_capabilities` response.
    ///
    /// Members that the schema does not have are ignored.
    ///
    /// # Errors
    ///
    /// [`CapabilityError`] where it is not strict JSON or breaks the schema, a subset rule
    /// excepted.
    pub fn from_json(json: &[u8]) -> Result<Self, CapabilityError> {
        check_no_duplicate_keys(json)?;
        let wire: Wire =
            read_object(json).map_err(|error| CapabilityError::Schema(error.to_string()))?;
        wire.read()
    }

    /// Adds operations to a list.
    ///
    /// # Errors
    ///
    /// [`CapabilityError::Operation`] on a name of the other namespace,
    /// [`CapabilityError::WarnAndRequired`].
    pub fn with_operations<N: Into<String>>(
        mut self,
        list: List,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Self, CapabilityError> {
        let names = names.into_iter().map(Into::into);
        self.operations.add(list, names, |name, list, index| {
            if is_operation(name) {
                Ok(())
            } else {
                Err(CapabilityError::Operation { list, index })
            }
        })?;
        self.check()
    }

    /// Adds JSON-RPC methods to a list.
    ///
    /// # Errors
    ///
    /// [`CapabilityError::ProtocolMethod`] on a name of the other namespace,
    /// [`CapabilityError::WarnAndRequired`].
    pub fn with_protocol_methods<N: Into<String>>(
        mut self,
        list: List,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Self, CapabilityError> {
        let names = names.into_iter().map(Into::into);
        self.protocol_methods.add(list, names, |name, list, index| {
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
    /// fewer. A method for which a path stands meets both its names in any case.
    #[must_use]
    pub fn with_method_aliases(self) -> Self {
        Self { has_method_aliases: true, ..self }
    }

    /// Advertises these profiles in place of `adcp/request-signing/v1`.
    ///
    /// # Errors
    ///
    /// [`CapabilityError::NoProfile`], [`CapabilityError::Repeated`].
    pub fn with_profiles(
        mut self,
        profiles: impl IntoIterator<Item = SigningProfile>,
    ) -> Result<Self, CapabilityError> {
        self.profiles = distinct("profiles", profiles)?;
        if self.profiles.is_empty() { Err(CapabilityError::NoProfile) } else { Ok(self) }
    }

    /// Declares where operations are read from.
    ///
    /// # Errors
    ///
    /// [`CapabilityError::Repeated`].
    pub fn with_operation_sources(
        mut self,
        sources: impl IntoIterator<Item = OperationSource>,
    ) -> Result<Self, CapabilityError> {
        self.operation_sources = Some(distinct("operation_sources", sources)?);
        Ok(self)
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

    /// The signing profiles that the lists apply to, at least one.
    pub fn profiles(&self) -> &[SigningProfile] {
        &self.profiles
    }

    /// Where operations are read from, `None` where that is not declared.
    pub fn operation_sources(&self) -> Option<&[OperationSource]> {
        self.operation_sources.as_deref()
    }

    /// Whether a signature is required for anything.
    pub fn requires_anything(&self) -> bool {
        self.lists().any(|lists| !lists.required.is_empty())
    }

    /// Whether anything is in shadow mode.
    pub fn warns_for_anything(&self) -> bool {
        self.lists().any(|lists| !lists.warn.is_empty())
    }

    /// What is asked of a request: the strongest that any of its names is listed for.
    pub fn posture(&self, resolved: &Resolved) -> Posture {
        if !self.supported {
            return Posture::Unlisted;
        }
        if resolved.is_undetermined() && (self.requires_anything() || self.warns_for_anything()) {
            return Posture::Undetermined;
        }
        let operations = resolved.operation().into_iter().chain(resolved.further_operations());
        let operations = operations.map(|name| self.operations.posture(name));
        let methods = resolved.protocol_methods().iter().flat_map(|method| {
            let has_aliases = self.has_method_aliases || method.is_bound();
            let alias = Some(method.name()).filter(|_| has_aliases).and_then(alias_of);
            [Some(method.name()), alias].into_iter().flatten()
        });
        let methods = methods.map(|name| self.protocol_methods.posture(name));
        operations.chain(methods).max().unwrap_or(Posture::Unlisted)
    }

    /// What in this capability the operator probably does not mean. Log it at start-up.
    pub fn advice(&self) -> Vec<Advice> {
        let Lists { required, warn, .. } = &self.protocol_methods;
        let is_exact = |_: &&String| !self.has_method_aliases;
        let listed = required.iter().chain(warn).filter(is_exact);
        listed
            .filter_map(|listed| {
                let missing = alias_of(listed)?;
                let is_weaker =
                    self.protocol_methods.posture(missing) < self.protocol_methods.posture(listed);
                is_weaker.then(|| Advice::OneGeneration { listed: listed.clone(), missing })
            })
            .collect()
    }

    fn lists(&self) -> impl Iterator<Item = &Lists> {
        [&self.operations, &self.protocol_methods].into_iter()
    }

    fn check(self) -> Result<Self, CapabilityError> {
        if self.lists().any(|lists| !lists.required.is_disjoint(&lists.warn)) {
            return Err(CapabilityError::WarnAndRequired);
        }
        if !self.supported && (self.requires_anything() || self.warns_for_anything()) {
            return Err(CapabilityError::ListedButUnsupported);
        }
        Ok(self)
    }
}

impl Lists {
    fn add(
        &mut self,
        list: List,
        names: impl Iterator<Item = String>,
        check: impl Fn(&str, &'static str, usize) -> Result<(), CapabilityError>,
    ) -> Result<(), CapabilityError> {
        let known = match list {
            List::Required => &mut self.required,
            List::Warn => &mut self.warn,
            List::Supported => &mut self.supported,
        };
        for (index, name) in names.enumerate() {
            check(&name, list.name(), index)?;
            known.insert(name);
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

/// The values in order, refused where one occurs twice.
fn distinct<T: PartialEq>(
    list: &'static str,
    values: impl IntoIterator<Item = T>,
) -> Result<Vec<T>, CapabilityError> {
    let mut distinct = Vec::new();
    for (index, value) in values.into_iter().enumerate() {
        // The values are of an enum with two, so this stops at the third.
        if distinct.contains(&value) {
            return Err(CapabilityError::Repeated { list, index });
        }
        distinct.push(value);
    }
    Ok(distinct)
}
