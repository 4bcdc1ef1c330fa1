//! What each step of a discovery was given and what it found, for people.

use std::fmt;

use adcp_signing_core::UnixSeconds;

use super::error::DiscoveryError;

/// A step of the discovery, numbered as in the security guide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Step {
    /// 1: the agent's capabilities.
    Capabilities,
    /// 2: their `identity.brand_json_url`.
    BrandJsonUrl,
    /// 3: whether that may speak for the agent.
    OriginBinding,
    /// 4: brand.json.
    BrandJson,
    /// 5: the entry that lists the agent.
    AgentEntry,
    /// 6: where the agent's keys are.
    JwksSource,
    /// 7: whether they are where the agent declares.
    KeyOrigins,
    /// 8: the keys.
    Jwks,
}

/// One step as it was run. The texts are for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceStep {
    /// Which step.
    pub step: Step,
    /// What it was given.
    pub input: String,
    /// What it found, or why it failed.
    pub result: Result<String, DiscoveryError>,
    /// What was fetched for it, if anything was needed.
    pub fetched: Option<FetchedAt>,
}

/// When a document was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchedAt {
    /// When.
    pub at: UnixSeconds,
    /// How long it took, in milliseconds. None of a document that was held.
    pub millis: Option<u64>,
}

/// The steps of one discovery, in the order in which they were run, up to the one that failed.
///
/// Where the registrable domains differ, step 3 needs the document of step 4, and stands after it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace(pub(super) Vec<TraceStep>);

impl Step {
    /// The number in the security guide.
    pub const fn number(self) -> u8 {
        match self {
            Self::Capabilities => 1,
            Self::BrandJsonUrl => 2,
            Self::OriginBinding => 3,
            Self::BrandJson => 4,
            Self::AgentEntry => 5,
            Self::JwksSource => 6,
            Self::KeyOrigins => 7,
            Self::Jwks => 8,
        }
    }

    /// A short name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capabilities => "capabilities",
            Self::BrandJsonUrl => "brand_json_url",
            Self::OriginBinding => "origin binding",
            Self::BrandJson => "brand.json",
            Self::AgentEntry => "agent entry",
            Self::JwksSource => "JWKS source",
            Self::KeyOrigins => "key origins",
            Self::Jwks => "JWKS",
        }
    }
}

impl Trace {
    /// The steps.
    pub fn steps(&self) -> &[TraceStep] {
        &self.0
    }

    /// Why the discovery failed, if it did.
    pub fn error(&self) -> Option<&DiscoveryError> {
        self.0.iter().find_map(|step| step.result.as_ref().err())
    }

    pub(super) fn push<T>(
        &mut self,
        step: Step,
        input: impl Into<String>,
        result: Result<T, DiscoveryError>,
        found: impl FnOnce(&T) -> String,
    ) -> Result<T, DiscoveryError> {
        self.push_fetched(step, input, result, found, None)
    }

    pub(super) fn push_fetched<T>(
        &mut self,
        step: Step,
        input: impl Into<String>,
        result: Result<T, DiscoveryError>,
        found: impl FnOnce(&T) -> String,
        fetched: Option<FetchedAt>,
    ) -> Result<T, DiscoveryError> {
        let shown = match &result {
            Ok(value) => Ok(found(value)),
            Err(error) => Err(error.clone()),
        };
        self.0.push(TraceStep { step, input: input.into(), result: shown, fetched });
        result
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for TraceStep { step, input, result, fetched } in &self.0 {
            write!(f, "{} {}: {input}", step.number(), step.name())?;
            if let Some(FetchedAt { millis, .. }) = fetched {
                match millis {
                    Some(millis) => write!(f, " [{millis} ms]")?,
                    None => write!(f, " [held]")?,
                }
            }
            match result {
                Ok(found) => writeln!(f, "\n  ok: {found}")?,
                Err(error) => writeln!(f, "\n  {}: {error}", error.code())?,
            }
        }
        Ok(())
    }
}
