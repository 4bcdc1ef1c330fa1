//! The JSON of a vector, and the files that vectors make up.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    keys::Keys,
    message::{Kind, NOW, Sent, Wire},
};

/// One vector file.
#[derive(Serialize)]
pub(crate) struct Vector {
    #[serde(skip)]
    folder: &'static str,
    #[serde(skip)]
    slug: String,
    #[serde(skip)]
    kind: Kind,
    name: String,
    spec_reference: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback_valid: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_profile_version: Option<&'static str>,
    reference_now: i64,
    request: Wire,
    #[serde(skip_serializing_if = "Option::is_none")]
    verifier_capability: Option<Value>,
    jwks_ref: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_override: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    test_harness_state: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_signature_base: Option<String>,
    expected_outcome: Outcome,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    then: Vec<Delivery>,
}

#[derive(Serialize)]
struct Delivery {
    request: Wire,
    expected_outcome: Outcome,
}

/// What has to come of a message.
#[derive(Clone, Serialize)]
pub(crate) struct Outcome {
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_step: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_step: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_operation: Option<Option<&'static str>>,
}

impl Outcome {
    fn accepted() -> Self {
        Self {
            success: true,
            status: None,
            error_code: None,
            failed_step: None,
            sub_step: None,
            http_status: None,
            action: None,
            resolved_operation: None,
        }
    }

    fn refused(kind: Kind, fault: &str, step: u8) -> Self {
        let side = if kind == Kind::Webhook { "webhook" } else { "request" };
        let code = match fault {
            "target_uri_malformed" | "body_malformed" | "mode_mismatch" => {
                format!("{side}_{fault}")
            }
            _ => format!("{side}_signature_{fault}"),
        };
        Self { success: false, error_code: Some(code), failed_step: Some(step), ..Self::accepted() }
    }
}

impl Vector {
    /// A vector that is accepted, until it is said to be refused. `folder` is the contract and the
    /// kind of message.
    pub(crate) fn new(
        folder: &'static str,
        slug: impl Into<String>,
        name: impl Into<String>,
        spec_reference: &'static str,
        sent: Sent,
    ) -> Self {
        let signing_profile_version = match sent.kind {
            Kind::Request33 => Some("3.3"),
            Kind::Request32 => Some("3.2"),
            Kind::Request31 => Some("3.1"),
            Kind::Webhook => None,
        };
        let verifier_capability = (sent.kind != Kind::Webhook).then(|| {
            json!({"supported": true, "covers_content_digest": "required", "required_for": ["create_media_buy"]})
        });
        Self {
            folder,
            slug: slug.into(),
            kind: sent.kind,
            name: name.into(),
            spec_reference,
            transport: None,
            operation: None,
            fallback_valid: None,
            signing_profile_version,
            reference_now: NOW,
            jwks_ref: sent.keyid.iter().cloned().collect(),
            expected_signature_base: sent.base.clone(),
            request: sent.into_wire(),
            verifier_capability,
            jwks_override: None,
            test_harness_state: None,
            expected_outcome: Outcome::accepted(),
            then: Vec::new(),
        }
    }

    /// What operation it resolves to stays.
    pub(crate) fn refused(mut self, fault: &str, step: u8) -> Self {
        let resolved_operation = self.expected_outcome.resolved_operation;
        self.expected_outcome =
            Outcome { resolved_operation, ..Outcome::refused(self.kind, fault, step) };
        self.expected_signature_base = None;
        self
    }

    /// Refused for a reason that the taxonomy of signature codes does not have.
    pub(crate) fn refused_without_code(mut self, reason: &str, status: u16) -> Self {
        self.expected_outcome = Outcome {
            success: false,
            error_code: Some(reason.to_owned()),
            failed_step: Some(0),
            http_status: Some(status),
            ..Outcome::accepted()
        };
        self.expected_signature_base = None;
        self
    }

    /// Accepted as unsigned.
    pub(crate) fn unsigned(mut self) -> Self {
        self.expected_outcome.status = Some("unsigned");
        self.expected_signature_base = None;
        self
    }

    /// The signer spells the message otherwise, so that only the verifier's side is run.
    pub(crate) fn verifier_only(mut self) -> Self {
        self.expected_signature_base = None;
        self
    }

    pub(crate) fn action(mut self, action: &'static str) -> Self {
        self.expected_outcome.action = Some(action);
        self
    }

    pub(crate) fn resolves(mut self, operation: Option<&'static str>) -> Self {
        self.expected_outcome.resolved_operation = Some(operation);
        self
    }

    pub(crate) fn transport(mut self, transport: &'static str) -> Self {
        self.transport = Some(transport);
        self
    }

    /// The operation as the router names it.
    pub(crate) fn operation(mut self, operation: &'static str) -> Self {
        self.operation = Some(operation);
        self
    }

    pub(crate) fn fallback(mut self, valid: bool) -> Self {
        self.fallback_valid = Some(valid);
        self
    }

    pub(crate) fn capability(mut self, capability: Value) -> Self {
        self.verifier_capability = Some(capability);
        self
    }

    /// The JWKS as published, in place of keys of `keys.json`.
    pub(crate) fn jwks(mut self, keys: Vec<Value>) -> Self {
        self.jwks_ref.clear();
        self.jwks_override = Some(json!({ "keys": keys }));
        self
    }

    /// One more key of `keys.json` that the verifier knows.
    pub(crate) fn also_knows(mut self, kid: &str) -> Self {
        self.jwks_ref.push(kid.to_owned());
        self
    }

    pub(crate) fn state(mut self, state: Value) -> Self {
        self.test_harness_state = Some(state);
        self
    }

    /// What the same verifier receives next, and accepts.
    pub(crate) fn then_accepted(mut self, sent: Sent) -> Self {
        self.then
            .push(Delivery { request: sent.into_wire(), expected_outcome: Outcome::accepted() });
        self
    }

    /// What the same verifier receives next, and refuses.
    pub(crate) fn then_refused(
        mut self,
        sent: Sent,
        fault: &str,
        step: u8,
        sub_step: Option<&'static str>,
    ) -> Self {
        let expected_outcome = Outcome { sub_step, ..Outcome::refused(self.kind, fault, step) };
        self.then.push(Delivery { request: sent.into_wire(), expected_outcome });
        self
    }

    /// The folder that the outcome puts it in.
    fn polarity(&self) -> &'static str {
        match (self.then.is_empty(), self.expected_outcome.success) {
            (false, _) => "sequence",
            (true, true) => "positive",
            (true, false) => "negative",
        }
    }
}

/// All vectors.
#[derive(Default)]
pub(crate) struct Suite {
    vectors: Vec<Vector>,
}

impl Suite {
    pub(crate) fn add(&mut self, vector: Vector) {
        self.vectors.push(vector);
    }

    /// The text of each file by its path, a `keys.json` for each contract and kind of message
    /// included.
    pub(crate) fn into_files(self, keys: &Keys) -> Result<BTreeMap<PathBuf, String>> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut kids: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let mut files = BTreeMap::new();
        for vector in &self.vectors {
            kids.entry(vector.folder).or_default().extend(vector.jwks_ref.iter().cloned());
            let folder = format!("{}/{}", vector.folder, vector.polarity());
            let count = counts.entry(folder.clone()).or_default();
            *count += 1;
            let path = format!("{folder}/{count:03}-{}.json", vector.slug);
            files.insert(PathBuf::from(path), text(vector)?);
        }
        for (folder, kids) in kids {
            files.insert(
                PathBuf::from(format!("{folder}/keys.json")),
                text(&keys.file(kids.iter()))?,
            );
        }
        Ok(files)
    }
}

fn text(json: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(json)? + "\n")
}
