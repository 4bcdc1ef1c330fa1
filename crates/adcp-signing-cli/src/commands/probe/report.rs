//! What a probe found, for people and for programs.

use serde_json::{Value, json};

use super::Probe;
use crate::output::{BAD, DIM, GOOD, heading, outln, shown};

/// One thing that was looked at.
pub(super) struct Check {
    pub(super) name: &'static str,
    /// What was seen, or what is wrong and how to mend it.
    pub(super) outcome: Result<String, String>,
}

impl Probe {
    pub(super) fn print(&self) {
        outln!("{} {DIM}{}{DIM:#}", shown(self.provider.key_id()), self.provider.key_ref());
        heading("Checks");
        for check in &self.checks {
            match &check.outcome {
                Ok(seen) => {
                    outln!("  {GOOD}✓{GOOD:#} {:<11} {}", check.name, shown(seen));
                }
                Err(wrong) => {
                    outln!("  {BAD}✗{BAD:#} {:<11} {}", check.name, shown(wrong));
                }
            }
        }
        if let Some(line) = self.signatures.as_ref().and_then(|signatures| signatures.line()) {
            heading("Latency of a signature");
            outln!("  {line}");
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let checks: Vec<_> = self
            .checks
            .iter()
            .map(|check| match &check.outcome {
                Ok(seen) => json!({"name": check.name, "ok": true, "detail": seen}),
                Err(wrong) => json!({"name": check.name, "ok": false, "detail": wrong}),
            })
            .collect();
        let mut answer = json!({
            "ok": !self.failed(),
            "keyid": self.provider.key_id(),
            "algorithm": self.provider.algorithm().rfc9421_name(),
            "key_ref": self.provider.key_ref().to_string(),
            "checks": checks,
        });
        let measured = self.signatures.as_ref().and_then(|signatures| signatures.to_json());
        if let (Some(members), Some(measured)) = (answer.as_object_mut(), measured) {
            members.extend(measured.map(|(name, value)| (name.to_owned(), value)));
        }
        answer
    }
}
