//! The result of grading, and its stable JSON form.

use serde::{Deserialize, Serialize};

/// The version of the JSON form. It grows when a member changes its meaning or goes away; a new
/// member alone does not change it.
pub const FORMAT: u32 = 1;

/// The result of grading one verifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// The version of this form: [`FORMAT`].
    pub format: u32,
    /// The URL that was graded, without credentials, query and fragment.
    pub subject: String,
    /// When grading started, in Unix seconds.
    pub started: i64,
    /// The AdCP version whose vectors were used, such as `3.2.4`.
    pub contract: String,
    /// The wire profile of the requests, such as `3.2`.
    pub profile: String,
    /// How the requests name their operation: `rest`, `mcp` or `a2a`.
    pub transport: String,
    /// The counts.
    pub summary: Summary,
    /// The cases, in the order in which they were sent.
    pub cases: Vec<CaseReport>,
}

/// How many cases ended in each verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Summary {
    /// Answered as the contract says.
    pub pass: usize,
    /// Answered in another way, or not at all.
    pub fail: usize,
    /// Left out by choice of the caller.
    pub skipped: usize,
    /// Cannot be sent over this transport, or to this URL.
    pub not_applicable: usize,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CaseReport {
    /// The vector, such as `negative/002-wrong-tag`.
    pub id: String,
    /// What the vector is about.
    pub title: String,
    /// What the case belongs to.
    pub group: Group,
    /// The step of the verifier's checklist that refuses the request, such as `9a`. `None` for a
    /// request that must be accepted.
    pub step: Option<String>,
    /// What the contract says must come.
    pub expected: Outcome,
    /// What came. `None` if nothing was sent, or if no answer came.
    pub got: Option<Outcome>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why the verdict is not a pass. Empty for a pass.
    pub why: String,
    /// What to change in the verifier. Empty for a pass.
    pub cure: String,
    /// The section of the specification.
    pub spec: String,
    /// The request that decided. `None` if nothing was sent.
    pub request: Option<SentRequest>,
    /// The answer to it. `None` if none came.
    pub response: Option<ReceivedResponse>,
    /// How many requests the case sent.
    pub requests_sent: usize,
    /// From the first byte sent to the last answer, in milliseconds.
    pub duration_ms: u64,
}

/// What a case belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Group {
    /// Requests that must be accepted.
    Accepted,
    /// Requests without a signature.
    Unsigned,
    /// Malformed fields.
    Syntax,
    /// Parameters, time window and covered components.
    Parameters,
    /// Keys and their purpose.
    Keys,
    /// The signature, the target URI and the body.
    Integrity,
    /// Replay, revocation and the cap, which need a verifier set up for grading.
    State,
}

/// What a verifier did with a request, or must do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It passed the request on.
    Accepted,
    /// It refused the request with `401` and a code.
    Refused {
        /// The code in `WWW-Authenticate: Signature error="…"`.
        code: String,
    },
    /// It answered in a way that is neither: see the response.
    Other,
}

/// How a case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// Answered as the contract says.
    Pass,
    /// Answered in another way, or not at all.
    Fail,
    /// Left out by choice of the caller.
    Skipped,
    /// Cannot be sent over this transport, or to this URL.
    NotApplicable,
}

/// A request as it was sent. Only the test keys, which are public, sign it, so it holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SentRequest {
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// The fields in order. Those that the caller added are named, and their values are left out.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// What is kept of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReceivedResponse {
    /// The status.
    pub status: u16,
    /// The values of `WWW-Authenticate`, as they came, up to 1,024 bytes each.
    pub challenges: Vec<String>,
}

impl Summary {
    /// Counts the verdicts.
    pub fn of(cases: &[CaseReport]) -> Self {
        let mut summary = Self::default();
        for case in cases {
            let count = match case.verdict {
                Verdict::Pass => &mut summary.pass,
                Verdict::Fail => &mut summary.fail,
                Verdict::Skipped => &mut summary.skipped,
                Verdict::NotApplicable => &mut summary.not_applicable,
            };
            *count = count.saturating_add(1);
        }
        summary
    }

    /// Whether something was graded and nothing failed. A run in which all was skipped is no pass.
    pub fn is_pass(&self) -> bool {
        self.pass > 0 && self.fail == 0
    }
}
