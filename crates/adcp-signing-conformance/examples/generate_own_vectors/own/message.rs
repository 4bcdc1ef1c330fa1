//! A message and its signature, with a handle on every part that a vector may want to bend.

use anyhow::{Context as _, Result};
use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::keys::Keys;

/// 2026-04-18T14:00:00Z, the clock of the published vectors.
pub(crate) const NOW: i64 = 1_776_520_800;
pub(crate) const NONCE: &str = "KXYnfEfJ0PBRZXQyVXfVQA";

/// What the profile prescribes for the message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Request33,
    Request32,
    Request31,
    Webhook,
}

impl Kind {
    fn tag(self) -> &'static str {
        if self == Self::Webhook { "adcp/webhook-signing/v1" } else { "adcp/request-signing/v1" }
    }

    fn base64(self, bytes: &[u8]) -> String {
        match self {
            Self::Request33 | Self::Request32 => Base64::encode_string(bytes),
            Self::Request31 | Self::Webhook => Base64UrlUnpadded::encode_string(bytes),
        }
    }
}

/// A message that is yet to be signed.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    method: String,
    url: String,
    target_uri: String,
    authority: String,
    headers: Vec<(String, String)>,
    pseudo_authority: Option<String>,
    body: Vec<u8>,
    /// How the body is written where it is too large to write out.
    body_runs: Option<Vec<(String, usize)>>,
    /// Identifiers, each with the value that the signer gives it where that is not the message's
    /// own.
    components: Vec<(String, Option<String>)>,
    params: Vec<(String, String)>,
    spelling: fn(String) -> String,
}

/// A message as it arrives.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) kind: Kind,
    pub(crate) keyid: Option<String>,
    pub(crate) base: Option<String>,
    wire: Wire,
}

/// The member `request` of a vector.
#[derive(Clone, Serialize)]
pub(crate) struct Wire {
    method: String,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pseudo_authority: Option<String>,
    #[serde(serialize_with = "headers")]
    headers: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_b64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_runs: Option<Vec<(String, usize)>>,
}

impl Message {
    /// A `create_media_buy` call that both sides accept.
    pub(crate) fn request(kind: Kind) -> Self {
        Self::new(
            kind,
            "https://seller.example.com/adcp/create_media_buy",
            br#"{"plan_id":"plan_001"}"#,
        )
    }

    /// A delivery that both sides accept.
    pub(crate) fn webhook() -> Self {
        let url = "https://buyer.example.com/adcp/webhook/create_media_buy/agent_123/op_abc";
        Self::new(Kind::Webhook, url, br#"{"task_id":"task_456","status":"completed"}"#)
    }

    fn new(kind: Kind, url: &str, body: &[u8]) -> Self {
        let covered = ["@method", "@target-uri", "@authority", "content-type", "content-digest"];
        let message = Self {
            kind,
            method: "POST".to_owned(),
            url: String::new(),
            target_uri: String::new(),
            authority: String::new(),
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            pseudo_authority: None,
            body: body.to_vec(),
            body_runs: None,
            components: covered.map(|name| (format!("\"{name}\""), None)).to_vec(),
            params: Vec::new(),
            spelling: |text| text,
        };
        message
            .url(url)
            .param("created", NOW.to_string())
            .param("expires", (NOW + 300).to_string())
            .param("nonce", format!("\"{NONCE}\""))
            .param("keyid", "")
            .param("alg", "")
            .param("tag", format!("\"{}\"", kind.tag()))
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        self.method = method.to_owned();
        self
    }

    /// A URL in canonical form.
    pub(crate) fn url(self, url: &str) -> Self {
        self.sent_to(url, url)
    }

    /// A URL, and the canonical form that the signer signed.
    pub(crate) fn sent_to(mut self, url: &str, target_uri: &str) -> Self {
        self.url = url.to_owned();
        self.target_uri = target_uri.to_owned();
        let rest = target_uri.split_once("://").map_or(target_uri, |(_, rest)| rest);
        self.authority = rest.split(['/', '?']).next().unwrap_or_default().to_owned();
        self
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(found, _)| !found.eq_ignore_ascii_case(name));
        self
    }

    pub(crate) fn pseudo_authority(mut self, authority: &str) -> Self {
        self.pseudo_authority = Some(authority.to_owned());
        self
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// A body of repeated texts.
    pub(crate) fn body_of_runs(self, runs: &[(&str, usize)]) -> Self {
        let body: String = runs.iter().map(|(text, count)| text.repeat(*count)).collect();
        let runs = runs.iter().map(|&(text, count)| (text.to_owned(), count)).collect();
        Self { body_runs: Some(runs), ..self.body(body) }
    }

    pub(crate) fn content_type(self, value: &str) -> Self {
        self.without_header("content-type").header("Content-Type", value)
    }

    /// Covers a component in place of, or after, the ones of the same name.
    pub(crate) fn cover(mut self, identifier: &str) -> Self {
        self.components.push((identifier.to_owned(), None));
        self
    }

    /// Covers a component under the value that the signer holds for it.
    pub(crate) fn cover_as(mut self, identifier: &str, value: &str) -> Self {
        self.components.push((identifier.to_owned(), Some(value.to_owned())));
        self
    }

    pub(crate) fn uncover(mut self, name: &str) -> Self {
        self.components.retain(|(identifier, _)| name_of(identifier) != name);
        self
    }

    pub(crate) fn covering(mut self, names: &[&str]) -> Self {
        self.components = names.iter().map(|name| (format!("\"{name}\""), None)).collect();
        self
    }

    /// Sets a parameter, by its text after the `=`.
    pub(crate) fn param(mut self, name: &str, text: impl Into<String>) -> Self {
        let text = text.into();
        match self.params.iter_mut().find(|(found, _)| found == name) {
            Some(param) => param.1 = text,
            None => self.params.push((name.to_owned(), text)),
        }
        self
    }

    /// Adds a parameter, whether or not there is one of the name.
    pub(crate) fn another_param(mut self, name: &str, text: impl Into<String>) -> Self {
        self.params.push((name.to_owned(), text.into()));
        self
    }

    pub(crate) fn nonce(self, nonce: &str) -> Self {
        self.param("nonce", format!("\"{nonce}\""))
    }

    /// Respells the member text before it is signed.
    pub(crate) fn spelled(mut self, spelling: fn(String) -> String) -> Self {
        self.spelling = spelling;
        self
    }

    /// Puts the parameters into another order.
    pub(crate) fn params_in_order(mut self, names: &[&str]) -> Self {
        self.params.sort_by_key(|(found, _)| names.iter().position(|name| name == found));
        self
    }

    /// Sends the message without a signature.
    pub(crate) fn unsigned(self) -> Sent {
        Sent { kind: self.kind, keyid: None, base: None, wire: self.wire() }
    }

    /// Signs with the key `kid`.
    pub(crate) fn sign(self, keys: &Keys, kid: &str) -> Result<Sent> {
        let base_and_input = self.clone().base(keys, kid)?;
        let signature = keys.sign(kid, base_and_input.1.as_bytes())?;
        self.signed_as(keys, kid, &signature)
    }

    /// Carries these signature bytes, whoever made them.
    pub(crate) fn signed_as(self, keys: &Keys, kid: &str, signature: &[u8]) -> Result<Sent> {
        let kind = self.kind;
        let (message, base, input) = self.base(keys, kid)?;
        let mut wire = message.wire();
        wire.headers.push(("Signature-Input".to_owned(), format!("sig1={input}")));
        wire.headers.push(("Signature".to_owned(), format!("sig1=:{}:", kind.base64(signature))));
        Ok(Sent { kind, keyid: Some(kid.to_owned()), base: Some(base), wire })
    }

    /// The message with its digest, the signature base, and the text of the member.
    pub(crate) fn base(mut self, keys: &Keys, kid: &str) -> Result<(Self, String, String)> {
        for (name, value) in [("keyid", kid), ("alg", keys.algorithm(kid)?)] {
            if self.params.iter().any(|(found, text)| found == name && text.is_empty()) {
                self = self.param(name, format!("\"{value}\""));
            }
        }
        let covers =
            |name| self.components.iter().any(|(identifier, _)| name_of(identifier) == name);
        if covers("content-digest") && self.field("content-digest").is_none() {
            // Legacy requests of the published sets differ in the alphabet; webhooks and 3.2 are
            // padded.
            let digest = Base64::encode_string(&Sha256::digest(&self.body));
            self = self.header("Content-Digest", format!("sha-256=:{digest}:"));
        }
        let identifiers: Vec<_> =
            self.components.iter().map(|(identifier, _)| identifier.as_str()).collect();
        let mut input = format!("({})", identifiers.join(" "));
        for (name, text) in &self.params {
            input.push_str(&format!(";{name}"));
            if !text.is_empty() {
                input.push_str(&format!("={text}"));
            }
        }
        let input = (self.spelling)(input);
        let mut base = String::new();
        for (identifier, value) in &self.components {
            let value = match (value, name_of(identifier)) {
                (Some(value), _) => value.clone(),
                (None, "@method") => self.method.clone(),
                (None, "@target-uri") => self.target_uri.clone(),
                (None, "@authority") => self.authority.clone(),
                (None, name) => {
                    self.field(name).with_context(|| format!("nothing to sign for {name}"))?
                }
            };
            base.push_str(&format!("{identifier}: {value}\n"));
        }
        base.push_str(&format!("\"@signature-params\": {input}"));
        Ok((self, base, input))
    }

    fn field(&self, name: &str) -> Option<String> {
        let lines = self.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        lines
            .map(|(_, value)| value.trim().to_owned())
            .reduce(|joined, value| format!("{joined}, {value}"))
    }

    fn wire(self) -> Wire {
        let (body, body_b64) = match String::from_utf8(self.body) {
            _ if self.body_runs.is_some() => (None, None),
            Ok(text) if text.is_empty() => (None, None),
            Ok(text) => (Some(text), None),
            Err(bytes) => (None, Some(Base64::encode_string(bytes.as_bytes()))),
        };
        Wire {
            method: self.method,
            url: self.url,
            pseudo_authority: self.pseudo_authority,
            headers: self.headers,
            body,
            body_b64,
            body_runs: self.body_runs,
        }
    }
}

impl Sent {
    /// Adds a header that the signer did not see.
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.wire.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a header before all that are there.
    pub(crate) fn header_before(mut self, name: &str, value: &str) -> Self {
        self.wire.headers.insert(0, (name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without_header(mut self, name: &str) -> Self {
        self.wire.headers.retain(|(found, _)| found != name);
        self
    }

    /// Respells a header on its way.
    pub(crate) fn respell(mut self, name: &str, spelling: impl Fn(&str) -> String) -> Self {
        for (found, value) in &mut self.wire.headers {
            if found == name {
                *value = spelling(value);
            }
        }
        self
    }

    /// Another body than the one that was signed.
    pub(crate) fn body(mut self, body: &str) -> Self {
        (self.wire.body, self.wire.body_b64) = (Some(body.to_owned()), None);
        self.wire.body_runs = None;
        self
    }

    /// The value of a header.
    pub(crate) fn value(&self, name: &str) -> &str {
        let line = self.wire.headers.iter().find(|(found, _)| found == name);
        line.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub(crate) fn into_wire(self) -> Wire {
        self.wire
    }
}

fn name_of(identifier: &str) -> &str {
    identifier.split('"').nth(1).unwrap_or(identifier)
}

/// An object where every name occurs once, else pairs in wire order.
fn headers<S: Serializer>(headers: &[(String, String)], to: S) -> Result<S::Ok, S::Error> {
    let mut names: Vec<_> = headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort();
    names.dedup();
    if names.len() == headers.len() {
        to.collect_map(headers.iter().map(|(name, value)| (name, value)))
    } else {
        to.collect_seq(headers)
    }
}
