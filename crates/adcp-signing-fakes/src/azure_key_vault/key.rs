//! A version of a key: its attributes, what may be done with it, and how it is written.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{rand, signature::KeyPair as _};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Map, Value};

use super::{der, error::Refused};
use crate::service::{KeyPair, Kind};

/// Of a P-256 point.
const COORDINATE_LEN: usize = 32;
const RECOVERABLE_DAYS: u64 = 7;
const EC_OPERATIONS: &[&str] = &["sign", "verify"];
const RSA_OPERATIONS: &[&str] = &["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"];

/// `kty`. A key of an HSM is like another here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyType {
    Ec,
    EcHsm,
    Rsa,
    RsaHsm,
}

impl KeyType {
    const ALL: [Self; 4] = [Self::Ec, Self::EcHsm, Self::Rsa, Self::RsaHsm];

    /// Refuses `OKP`, which the service has not, and `oct`, which only a Managed HSM has.
    pub(super) fn of(value: &Value) -> Result<Self, Refused> {
        Self::ALL
            .into_iter()
            .find(|kty| value.as_str() == Some(kty.name()))
            .ok_or_else(Refused::invalid_property)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ec => "EC",
            Self::EcHsm => "EC-HSM",
            Self::Rsa => "RSA",
            Self::RsaHsm => "RSA-HSM",
        }
    }

    /// What a key can be used for; all of it, unless its maker says less.
    fn operations(self) -> &'static [&'static str] {
        match self {
            Self::Ec | Self::EcHsm => EC_OPERATIONS,
            Self::Rsa | Self::RsaHsm => RSA_OPERATIONS,
        }
    }
}

/// A version of a key.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) id: String,
    pub(super) kty: KeyType,
    pub(super) kind: Kind,
    pub(super) pair: Arc<KeyPair>,
    operations: Vec<String>,
    enabled: bool,
    not_before: Option<u64>,
    expires: Option<u64>,
    created: u64,
    updated: u64,
    tags: Map<String, Value>,
}

impl Version {
    /// A new version, enabled, and for everything that its type can do.
    pub(super) fn new(kty: KeyType, kind: Kind, pair: KeyPair) -> Result<Self, Refused> {
        let mut id = [0; 16];
        rand::fill(&mut id).map_err(|_| Refused::internal())?;
        let now = now();
        Ok(Self {
            id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
            kty,
            kind,
            pair: Arc::new(pair),
            operations: kty.operations().iter().map(|operation| (*operation).to_owned()).collect(),
            enabled: true,
            not_before: None,
            expires: None,
            created: now,
            updated: now,
            tags: Map::new(),
        })
    }

    /// A version that follows this one, with another key pair.
    pub(super) fn successor(&self, pair: KeyPair) -> Result<Self, Refused> {
        let mut next = Self::new(self.kty, self.kind, pair)?;
        next.operations.clone_from(&self.operations);
        next.tags.clone_from(&self.tags);
        Ok(next)
    }

    /// Changes what a request names: `key_ops`, and the members of `attributes` and `tags`.
    pub(super) fn update(&mut self, operations: &Value, body: &Value) -> Result<(), Refused> {
        let attributes = match &body["attributes"] {
            Value::Null => &Map::new(),
            Value::Object(attributes) => attributes,
            _ => return Err(Refused::invalid_property()),
        };
        let mut changed = self.clone();
        if let Some(enabled) = attributes.get("enabled").filter(|value| !value.is_null()) {
            changed.enabled = enabled.as_bool().ok_or_else(Refused::invalid_property)?;
        }
        for (member, time) in [("nbf", &mut changed.not_before), ("exp", &mut changed.expires)] {
            if let Some(seconds) = attributes.get(member).filter(|value| !value.is_null()) {
                *time = Some(seconds.as_u64().ok_or_else(Refused::invalid_property)?);
            }
        }
        if let Some(operations) = optional(operations, Value::as_array)? {
            changed.operations =
                operations.iter().map(|name| self.operation(name)).collect::<Result<_, _>>()?;
        }
        if let Some(tags) = optional(&body["tags"], Value::as_object)? {
            changed.tags.clone_from(tags);
        }
        changed.updated = now();
        *self = changed;
        Ok(())
    }

    fn operation(&self, name: &Value) -> Result<String, Refused> {
        let name = name.as_str().filter(|name| self.kty.operations().contains(name));
        name.map(str::to_owned).ok_or_else(Refused::invalid_property)
    }

    /// Whether the operation may be done now. What was signed before the key expired can still be
    /// verified.
    pub(super) fn check(&self, operation: &str) -> Result<(), Refused> {
        let (now, signs) = (now(), operation != "verify");
        let (inner, why) = if !self.enabled {
            ("KeyDisabled", "allowed on a disabled key")
        } else if signs && self.not_before.is_some_and(|start| now < start) {
            ("KeyNotYetValid", "allowed on a key that is not yet valid")
        } else if signs && self.expires.is_some_and(|end| end <= now) {
            ("KeyExpired", "allowed on an expired key")
        } else if !self.operations.iter().any(|allowed| allowed == operation) {
            ("KeyOperationForbidden", "permitted on this key")
        } else {
            return Ok(());
        };
        Err(Refused::forbidden(inner, format!("Operation {operation} is not {why}.")))
    }

    /// `KeyBundle`.
    pub(super) fn to_json(&self, kid: &str) -> Map<String, Value> {
        let mut key = Map::new();
        key.insert("kid".to_owned(), kid.into());
        key.insert("kty".to_owned(), self.kty.name().into());
        key.insert("key_ops".to_owned(), self.operations.clone().into());
        if matches!(*self.pair, KeyPair::P256(_)) {
            key.insert("crv".to_owned(), "P-256".into());
        }
        for (member, bytes) in self.public_members() {
            key.insert(member.to_owned(), Base64UrlUnpadded::encode_string(&bytes).into());
        }
        self.described("key", key.into())
    }

    /// `KeyItem`.
    pub(super) fn to_item(&self, kid: &str) -> Map<String, Value> {
        self.described("kid", kid.into())
    }

    fn described(&self, member: &str, value: Value) -> Map<String, Value> {
        let mut described = Map::new();
        described.insert(member.to_owned(), value);
        described.insert("attributes".to_owned(), self.attributes());
        if !self.tags.is_empty() {
            described.insert("tags".to_owned(), self.tags.clone().into());
        }
        described
    }

    fn attributes(&self) -> Value {
        let numbers = [
            ("nbf", self.not_before),
            ("exp", self.expires),
            ("created", Some(self.created)),
            ("updated", Some(self.updated)),
            ("recoverableDays", Some(RECOVERABLE_DAYS)),
        ];
        let mut attributes: Map<String, Value> = numbers
            .into_iter()
            .filter_map(|(member, number)| Some((member.to_owned(), number?.into())))
            .collect();
        attributes.insert("enabled".to_owned(), self.enabled.into());
        attributes.insert("recoveryLevel".to_owned(), "CustomizedRecoverable+Purgeable".into());
        attributes.insert("exportable".to_owned(), false.into());
        attributes.into()
    }

    fn public_members(&self) -> Vec<(&'static str, Vec<u8>)> {
        match &*self.pair {
            KeyPair::P256(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point
                    .get(1..)
                    .and_then(|point| point.split_at_checked(COORDINATE_LEN))
                    .unwrap_or_default();
                vec![("x", x.to_vec()), ("y", y.to_vec())]
            }
            KeyPair::Rsa(pair) => {
                let integers = der::integers(pair.public_key().as_ref()).unwrap_or_default();
                ["n", "e"].into_iter().zip(integers).collect()
            }
        }
    }
}

/// When a deleted key goes by itself.
pub(super) fn purge_date(deleted: u64) -> u64 {
    deleted.saturating_add(RECOVERABLE_DAYS * 24 * 60 * 60)
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default()
}

fn optional<'a, T: ?Sized>(
    value: &'a Value,
    read: impl Fn(&'a Value) -> Option<&'a T>,
) -> Result<Option<&'a T>, Refused> {
    match value {
        Value::Null => Ok(None),
        value => read(value).map(Some).ok_or_else(Refused::invalid_property),
    }
}
