//! The JSON shapes that commands read and write, one object a message.

use std::{error::Error, fmt};

use adcp_signing::{
    InMemoryProvider, PrivateJwk, json,
    keys::AdcpUse,
    profile::{Profile, WireVersion},
    rfc9421::FieldLine,
};
use base64ct::{Base64, Encoding as _};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use crate::{
    failure::{Failure, chain},
    input,
};

/// A message, as `sign`, `verify` and `explain` read it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Message {
    pub(crate) method: String,
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) headers: Headers,
    pub(crate) body: Option<String>,
    pub(crate) body_b64: Option<String>,
}

/// The newest wire version that is released.
const NEWEST: &str = "3.2";

/// Which profile a message is for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Selector {
    pub(crate) kind: Option<String>,
    pub(crate) profile: Option<String>,
    pub(crate) contract: Option<String>,
}

/// One line of a command: what every message has, and what the command adds.
#[derive(Debug, Clone)]
pub(crate) struct Input<T> {
    pub(crate) selector: Selector,
    pub(crate) message: Message,
    pub(crate) options: T,
}

/// What `sign` adds.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct SignFields {
    pub(crate) key: Option<PrivateText>,
    pub(crate) key_uri: Option<String>,
    pub(crate) keyid: Option<String>,
    pub(crate) created: Option<i64>,
    pub(crate) expires_in: Option<i64>,
    pub(crate) nonce: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) cover_content_digest: Option<bool>,
    pub(crate) allow_ambiguous_url: Option<bool>,
}

/// A private JWK, kept as text: an in-between tree would hide duplicate members.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct PrivateText(Box<RawValue>);

impl fmt::Debug for PrivateText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateText(..)")
    }
}

/// What `verify` and `explain` add.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct VerifyFields {
    pub(crate) transport: Option<String>,
    /// Kept as text, as is the capability: an in-between tree would hide duplicate members.
    pub(crate) jwks: Option<Box<RawValue>>,
    pub(crate) now: Option<i64>,
    pub(crate) capability: Option<Box<RawValue>>,
    pub(crate) operation: Option<String>,
    pub(crate) fallback_valid: Option<bool>,
    #[serde(default)]
    pub(crate) revoked_kids: Vec<String>,
    #[serde(default)]
    pub(crate) revocation_stale: bool,
    #[serde(default)]
    pub(crate) replay_seed: Vec<SeenNonce>,
    pub(crate) replay_cap: Option<u64>,
    pub(crate) cap_hit_for: Option<String>,
}

/// A nonce that counts as seen.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SeenNonce {
    pub(crate) keyid: String,
    pub(crate) nonce: String,
}

/// One line of `canonicalize --ndjson`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct CanonicalizeInput {
    pub(crate) url: String,
    pub(crate) profile: Option<String>,
    pub(crate) contract: Option<String>,
}

/// Field lines in wire order: an object whose values may be lists, or a list of pairs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Headers(pub(crate) Vec<(String, String)>);

pub(crate) type SignInput = Input<SignFields>;
pub(crate) type VerifyInput = Input<VerifyFields>;

impl<T: for<'de> Deserialize<'de>> Input<T> {
    /// Reads one JSON object.
    pub(crate) fn from_json(json: &str) -> Result<Self, Failure> {
        // Each part would also read itself from a list of its members.
        let start = json.trim_start_matches('\u{feff}').trim_start();
        if !start.starts_with('{') {
            let found = match json::format_name(json.as_bytes()) {
                Some(format) => format!("the input is {format}, "),
                None => "the input is ".to_owned(),
            };
            return Err(Failure::invalid(format!(
                "{found}not a JSON object; a message is `{{...}}`"
            )));
        }
        Ok(Self {
            selector: from_json(json)?,
            message: from_json(json)?,
            options: from_json(json)?,
        })
    }
}

/// Reads one shape, and says what is wrong with it and where.
pub(crate) fn from_json<T: for<'de> Deserialize<'de>>(json: &str) -> Result<T, Failure> {
    // A stream may start with the mark that some programs write before any text.
    let json = json.strip_prefix('\u{feff}').unwrap_or(json);
    serde_json::from_str(json)
        .map_err(|error| Failure::invalid(input::not_json(json.as_bytes(), &error)))
}

/// What an option says, else what the message says. A message that contradicts an option is an
/// error: it must not choose by what it is judged.
pub(crate) fn settled<T: Clone + PartialEq>(
    member: &str,
    message: Option<T>,
    option: Option<&T>,
) -> Result<Option<T>, Failure> {
    match (message, option) {
        (Some(message), Some(option)) if message != *option => Err(Failure::invalid(format!(
            "{member} contradicts the option of that name: remove one"
        ))),
        (message, option) => Ok(option.cloned().or(message)),
    }
}

/// [`settled`], of two JSON texts that are compared by what they mean.
pub(crate) fn settled_json(
    member: &str,
    message: Option<Box<RawValue>>,
    option: Option<&RawValue>,
) -> Result<Option<Box<RawValue>>, Failure> {
    let meant = |json: &RawValue| from_json::<Value>(json.get());
    let message_means = message.as_deref().map(meant).transpose()?;
    settled(member, message_means, option.map(meant).transpose()?.as_ref())?;
    Ok(option.map(ToOwned::to_owned).or(message))
}

/// A member by which one message would choose how it is judged, or whose key signs it.
pub(crate) struct Reserved {
    pub(crate) member: &'static str,
    /// The option that says it instead.
    pub(crate) option: &'static str,
    pub(crate) is_given: bool,
}

/// Refuses the first reserved member that is given.
pub(crate) fn refuse_reserved(reserved: &[Reserved]) -> Result<(), Failure> {
    match reserved.iter().find(|reserved| reserved.is_given) {
        None => Ok(()),
        Some(Reserved { member, option, .. }) => Err(Failure::invalid(format!(
            "a message does not bring its own {member}: use the option {option}, or --ndjson, \
             whose lines may state it"
        ))),
    }
}

impl Selector {
    /// This one, of the newest profile where it says none.
    pub(crate) fn or_newest(self) -> Self {
        Self { profile: self.profile.or_else(|| Some(NEWEST.to_owned())), ..self }
    }

    /// What the options and the message say, which must not contradict each other.
    pub(crate) fn settled(self, options: &Self) -> Result<Self, Failure> {
        Ok(Self {
            kind: settled("kind", self.kind, options.kind.as_ref())?,
            profile: settled("profile", self.profile, options.profile.as_ref())?,
            contract: settled("contract", self.contract, options.contract.as_ref())?,
        })
    }

    /// The profile that is selected.
    pub(crate) fn profile(&self) -> Result<Profile, Failure> {
        let Some(wire) = &self.profile else {
            return Err(Failure::invalid(format!("no profile: write one of {}", wire_versions())));
        };
        let wire: WireVersion = wire.parse().map_err(|_| {
            Failure::invalid(format!(
                "profile is {:?}; write one of {}",
                shorten(wire),
                wire_versions()
            ))
        })?;
        let profile = match self.kind.as_deref().unwrap_or("request") {
            "request" => Profile::request(wire),
            "webhook" => Profile::webhook_at(wire.newest_contract()),
            other => {
                return Err(Failure::invalid(format!(
                    "kind is {:?}; write request or webhook",
                    shorten(other)
                )));
            }
        };
        match &self.contract {
            None => Ok(profile),
            Some(contract) => contract
                .parse()
                .and_then(|contract| profile.with_contract(contract))
                .map_err(|error| Failure::invalid(format!("contract: {error}"))),
        }
    }
}

/// The wire versions there are, for messages.
fn wire_versions() -> String {
    WireVersion::ALL.map(WireVersion::as_str).join(", ")
}

impl Message {
    /// The body's bytes.
    pub(crate) fn body_bytes(&self) -> Result<Vec<u8>, Failure> {
        match (&self.body, &self.body_b64) {
            (Some(_), Some(_)) => {
                Err(Failure::invalid("body and body_b64 are both given; keep one"))
            }
            (Some(text), None) => Ok(text.clone().into_bytes()),
            (None, Some(encoded)) => Base64::decode_vec(encoded)
                .map_err(|_| Failure::invalid("body_b64 is not padded standard Base64")),
            (None, None) => Ok(Vec::new()),
        }
    }

    /// Whether the message claims to be signed.
    pub(crate) fn claims_a_signature(&self) -> bool {
        self.lines().iter().any(|line| line.is("signature") || line.is("signature-input"))
    }

    /// The `:authority` pseudo-header, where the headers name one.
    pub(crate) fn pseudo_authority(&self) -> Result<Option<&str>, Failure> {
        let mut values = self.headers.0.iter().filter(|(name, _)| name == ":authority");
        match (values.next(), values.next()) {
            (Some(_), Some(_)) => Err(Failure::invalid("headers name :authority more than once")),
            (first, _) => Ok(first.map(|(_, value)| value.as_str())),
        }
    }

    /// The field lines, pseudo-headers left out.
    pub(crate) fn lines(&self) -> Vec<FieldLine<'_>> {
        self.headers
            .0
            .iter()
            .filter(|(name, _)| !name.starts_with(':'))
            .map(|(name, value)| FieldLine::new(name, value))
            .collect()
    }
}

/// The provider of an inline private JWK. Who signs says with the kind of message what the key is
/// for, should the JWK not.
pub(crate) fn inline_key(
    key: &PrivateText,
    profile: &Profile,
) -> Result<InMemoryProvider, Failure> {
    let invalid = |error: &dyn Error| Failure::invalid(format!("key: {}", chain(error)));
    let jwk = PrivateJwk::parse(key.0.get().as_bytes()).map_err(|error| invalid(&error))?;
    let provider = if *jwk.adcp_use() != AdcpUse::Absent {
        InMemoryProvider::from_jwk(jwk)
    } else {
        InMemoryProvider::from_jwk_for(jwk, profile.purpose_to_publish())
    };
    provider.map_err(|error| invalid(&error))
}

/// Refuses the notification of a webhook that nobody said to be one: signed as a request, it would
/// be refused by every receiver.
pub(crate) fn refuse_unmarked_webhook(
    selector: &Selector,
    message: &Message,
) -> Result<(), Failure> {
    const MEMBERS: [&str; 3] = ["task_id", "status", "timestamp"];

    let body = message.body.as_deref().map(serde_json::from_str::<Value>);
    match body {
        Some(Ok(body))
            if selector.kind.is_none() && MEMBERS.iter().all(|name| body.get(name).is_some()) =>
        {
            Err(Failure::invalid(format!(
                "the body is that of a webhook ({}); add --kind webhook, or --kind request to sign \
                 it as a request",
                MEMBERS.join(", ")
            )))
        }
        _ => Ok(()),
    }
}

/// The beginning of a foreign text, to be quoted in a message with `{:?}`.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("headers as an object or as a list of [name, value] pairs")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
        let mut lines = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            match value {
                Value::String(value) => lines.push((name, value)),
                Value::Array(values) => {
                    for value in values {
                        let Value::String(value) = value else { return Err(not_text(&name)) };
                        lines.push((name.clone(), value));
                    }
                }
                _ => return Err(not_text(&name)),
            }
        }
        Ok(Headers(lines))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Headers, A::Error> {
        let mut lines = Vec::new();
        while let Some(pair) = seq.next_element::<(String, String)>()? {
            lines.push(pair);
        }
        Ok(Headers(lines))
    }
}

fn not_text<E: serde::de::Error>(name: &str) -> E {
    E::custom(format!(
        "the value of header {:?} must be a string or a list of strings",
        shorten(name)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_as_an_object_with_lists_or_as_pairs() {
        let expected = Headers(vec![
            ("A".into(), "1".into()),
            ("A".into(), "2".into()),
            ("B".into(), "3".into()),
        ]);
        for json in [
            r#"{"A":["1","2"],"B":"3"}"#,
            r#"{"A":"1","A":"2","B":"3"}"#,
            r#"[["A","1"],["A","2"],["B","3"]]"#,
        ] {
            assert_eq!(serde_json::from_str::<Headers>(json).unwrap(), expected, "{json}");
        }
        for json in [r#"{"A":1}"#, r#"[["A"]]"#, r#""A: 1""#, r#"{"A":[null]}"#] {
            assert!(serde_json::from_str::<Headers>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn debug_output_has_no_private_key() {
        let line = r#"{"method":"GET","url":"https://x/","key":{"kty":"OKP","d":"c2VjcmV0"}}"#;
        let shown = format!("{:?}", SignInput::from_json(line).unwrap());
        assert!(shown.contains("PrivateText(..)") && !shown.contains("c2VjcmV0"), "{shown}");
    }

    #[test]
    fn what_is_not_an_object_is_refused_as_such() {
        for json in [r#"["request","3.2",null]"#, "[]", "3", r#""x""#, "null"] {
            let failure = SignInput::from_json(json).unwrap_err().to_string();
            assert!(failure.contains("not a JSON object"), "{json}: {failure}");
        }
    }
}
