//! What a probe found, for people and for programs.

use serde_json::{Value, json};

use super::Probe;
use crate::{
    keys,
    output::{BAD, DIM, GOOD, WARN, heading, outln, shown},
};

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    Failed,
    Warning,
    NotChecked,
}

/// What a check found.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) outcome: Outcome,
    /// Stable, for programs; `ok` of a check that passed.
    code: &'static str,
    /// What was seen, or what is wrong and how to mend it.
    message: String,
}

impl Finding {
    pub(super) fn passed(message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Passed, code: "ok", message: message.into() }
    }

    pub(super) fn failed(code: &'static str, message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Failed, code, message: message.into() }
    }

    pub(super) fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Warning, code, message: message.into() }
    }

    pub(super) fn not_checked(code: &'static str, message: impl Into<String>) -> Self {
        Self { outcome: Outcome::NotChecked, code, message: message.into() }
    }
}

/// One thing that was looked at.
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) finding: Finding,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Warning => "warning",
            Self::NotChecked => "not_checked",
        }
    }
}

impl Probe {
    pub(super) fn print(&self) {
        let service = keys::service(&self.uri).map_or("", |service| service.name);
        let kid = self.provider.as_ref().map(|provider| provider.key_id());
        let named = match (service, kid) {
            ("", _) => String::new(),
            (service, Some(kid)) => format!("{service}, kid {}: ", shown(kid)),
            (service, None) => format!("{service}: "),
        };
        let settings = keys::settings(&self.uri).join(", ");
        let settings = if settings.is_empty() { settings } else { format!(" ({settings})") };
        outln!("{named}{}{DIM}{}{DIM:#}", shown(&keys::shown_uri(&self.uri)), shown(&settings));
        heading("Checks");
        for Check { name, finding } in &self.checks {
            let (style, mark, code) = match finding.outcome {
                Outcome::Passed => (GOOD, "✓", String::new()),
                Outcome::Failed => (BAD, "✗", format!(" ({})", finding.code)),
                Outcome::Warning => (WARN, "!", format!(" ({})", finding.code)),
                Outcome::NotChecked => (DIM, "·", String::new()),
            };
            let name = name.replace('_', " ");
            let message = match finding.outcome {
                Outcome::NotChecked => format!("not checked: {}", finding.message),
                _ => finding.message.clone(),
            };
            outln!("  {style}{mark}{style:#} {name:<11} {}{DIM}{code}{DIM:#}", shown(&message));
        }
        if let Some(line) = self.signatures.line() {
            heading("Latency of a signature");
            outln!("  {line}");
        }
    }

    /// The answer, which has one shape whatever was found.
    pub(super) fn to_json(&self) -> Value {
        let checks: Vec<_> = self
            .checks
            .iter()
            .map(|Check { name, finding }| {
                json!({
                    "name": name,
                    "outcome": finding.outcome.as_str(),
                    "code": finding.code,
                    "message": finding.message,
                })
            })
            .collect();
        let provider = self.provider.as_ref();
        json!({
            "ok": !self.failed(),
            "key": keys::shown_uri(&self.uri),
            "service": keys::service(&self.uri).map(|service| service.name),
            "keyid": provider.map(|provider| provider.key_id()),
            "algorithm": provider.map(|provider| provider.algorithm().rfc9421_name()),
            "key_ref": provider.map(|provider| provider.key_ref().to_string()),
            "checks": checks,
            "signed": self.signatures.count(),
            "latency_us": self.signatures.latency_json(),
            "per_second": self.signatures.per_second(),
        })
    }
}

#[cfg(test)]
mod tests {
    use adcp_signing::provider::{Concern, Unseen};

    const PAGE: &str = include_str!("../../../../../docs/command-line.md");

    /// The row of the page's table of codes for an outcome.
    fn row(outcome: &str) -> Vec<&'static str> {
        let start = format!("| `{outcome}` | ");
        let row = PAGE.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
        row.trim_end_matches(" |").split(", ").map(|code| code.trim_matches('`')).collect()
    }

    #[test]
    fn what_a_service_shows_of_a_key_has_documented_codes() {
        for concern in Concern::ALL {
            assert!(row("warning").contains(&concern.as_str()), "{concern:?}");
        }
        for reason in Unseen::ALL {
            assert!(row("not_checked").contains(&reason.as_str()), "{reason:?}");
        }
    }
}
