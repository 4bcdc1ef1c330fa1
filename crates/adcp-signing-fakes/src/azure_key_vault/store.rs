//! Keys, their versions, and deleted keys.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::{rsa::KeySize, signature::ECDSA_P256_SHA256_FIXED_SIGNING};
use serde_json::{Value, json};

use super::{
    algorithm,
    call::{Call, KeyId},
    error::{Answer, Refused},
    import,
    key::{KeyType, Version, now, purge_date},
};
use crate::service::{KeyPair, Kind};

const MAX_NAME_LEN: usize = 127;
const DEFAULT_RSA: KeySize = KeySize::Rsa2048;

/// All that the vault holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Store(Arc<Mutex<Keys>>);

#[derive(Debug, Default)]
struct Keys {
    /// The versions of each, the newest last. There is at least one.
    live: BTreeMap<String, Vec<Version>>,
    deleted: BTreeMap<String, Deleted>,
    /// The actions of the rotation policies, of the keys that have another than every key at first.
    policies: BTreeMap<String, Value>,
}

#[derive(Debug)]
struct Deleted {
    versions: Vec<Version>,
    date: u64,
}

impl Store {
    /// Does the call, for a vault of this URL.
    pub(super) fn perform(&self, call: &Call, vault: &str, body: &Value) -> Answer {
        let reply = match call {
            Call::Create(name) => self.create(vault, name, body)?,
            Call::Import(name) => self.import(vault, name, body)?,
            Call::Rotate(name) => self.rotate(vault, name)?,
            Call::RotationPolicy(name) => self.rotation_policy(vault, name)?,
            Call::SetRotationPolicy(name) => self.set_rotation_policy(vault, name, body)?,
            Call::Get(id) => self.with(id, |version| Ok(bundle(vault, &id.name, version)))?,
            Call::Update(id) => self.with(id, |version| {
                version.update(&body["key_ops"], body)?;
                Ok(bundle(vault, &id.name, version))
            })?,
            Call::Sign(id) => {
                self.use_key(vault, id, "sign", |version, kid| algorithm::sign(version, kid, body))?
            }
            Call::Verify(id) => self.use_key(vault, id, "verify", |version, kid| {
                algorithm::verify(version, kid, body)
            })?,
            Call::List => page(self.list(vault)),
            Call::ListVersions(name) => page(self.list_versions(vault, name)),
            Call::Delete(name) => self.delete(vault, name)?,
            Call::GetDeleted(name) => self.deleted(vault, name)?,
            Call::Purge(name) => {
                self.keys()
                    .deleted
                    .remove(name)
                    .ok_or_else(|| Refused::deleted_key_not_found(name))?;
                return Ok(None);
            }
        };
        Ok(Some(reply))
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a key, or a version of one that is there.
    fn create(&self, vault: &str, name: &str, body: &Value) -> Result<Value, Refused> {
        check_name(name)?;
        let kty = KeyType::of(&body["kty"])?;
        let kind = match kty {
            KeyType::Ec | KeyType::EcHsm => {
                if !body["crv"].is_null() {
                    import::check_curve(&body["crv"])?;
                }
                Kind::P256(&ECDSA_P256_SHA256_FIXED_SIGNING)
            }
            KeyType::Rsa | KeyType::RsaHsm => Kind::Rsa(match &body["key_size"] {
                Value::Null => DEFAULT_RSA,
                size => import::rsa_size(
                    size.as_u64()
                        .and_then(|bits| bits.try_into().ok())
                        .ok_or_else(Refused::invalid_property)?,
                )?,
            }),
        };
        let mut version = Version::new(kty, kind, generate(kind)?)?;
        version.update(&body["key_ops"], body)?;
        self.insert(vault, name, version)
    }

    /// Takes a private JWK as a key, or as a version of one that is there.
    fn import(&self, vault: &str, name: &str, body: &Value) -> Result<Value, Refused> {
        check_name(name)?;
        let jwk = &body["key"];
        let kty = KeyType::of(&jwk["kty"])?;
        let (kind, pair) = import::key_pair(kty, jwk)?;
        let mut version = Version::new(kty, kind, pair)?;
        version.update(&jwk["key_ops"], body)?;
        self.insert(vault, name, version)
    }

    fn rotate(&self, vault: &str, name: &str) -> Result<Value, Refused> {
        let id = KeyId { name: name.to_owned(), version: None };
        let newest = self.with(&id, |version| Ok(version.clone()))?;
        self.insert(vault, name, newest.successor(generate(newest.kind)?)?)
    }

    fn rotation_policy(&self, vault: &str, name: &str) -> Result<Value, Refused> {
        let keys = self.keys();
        if !keys.live.contains_key(name) {
            return Err(Refused::key_not_found(name));
        }
        // Every key has this one until it gets another.
        let notify =
            || json!([{"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}}]);
        let actions = keys.policies.get(name).cloned().unwrap_or_else(notify);
        let id = format!("{vault}/keys/{name}/rotationpolicy");
        Ok(json!({"id": id, "lifetimeActions": actions, "attributes": {}}))
    }

    fn set_rotation_policy(&self, vault: &str, name: &str, body: &Value) -> Result<Value, Refused> {
        let known = |action: &Value| {
            let kind = action.pointer("/action/type").and_then(Value::as_str);
            kind.is_some_and(|kind| matches!(&*kind.to_ascii_lowercase(), "rotate" | "notify"))
        };
        let actions = &body["lifetimeActions"];
        if !actions.as_array().is_some_and(|actions| actions.iter().all(known)) {
            return Err(Refused::invalid_property());
        }
        self.keys().policies.insert(name.to_owned(), actions.clone());
        self.rotation_policy(vault, name)
    }

    fn insert(&self, vault: &str, name: &str, version: Version) -> Result<Value, Refused> {
        let mut keys = self.keys();
        if keys.deleted.contains_key(name) {
            return Err(Refused::deleted_but_recoverable(name));
        }
        let reply = bundle(vault, name, &version);
        keys.live.entry(name.to_owned()).or_default().push(version);
        Ok(reply)
    }

    /// Signs or verifies with a version, if it may. The work is done unlocked.
    fn use_key(
        &self,
        vault: &str,
        id: &KeyId,
        operation: &str,
        work: impl FnOnce(&Version, &str) -> Result<Value, Refused>,
    ) -> Result<Value, Refused> {
        let version = self.with(id, |version| {
            version.check(operation)?;
            Ok(version.clone())
        })?;
        work(&version, &kid(vault, &id.name, &version))
    }

    fn with<T>(
        &self,
        id: &KeyId,
        use_it: impl FnOnce(&mut Version) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let mut keys = self.keys();
        let versions = keys.live.get_mut(&id.name).map(Vec::as_mut_slice).unwrap_or_default();
        let version = match &id.version {
            Some(wanted) => versions.iter_mut().find(|version| version.id == *wanted),
            None => versions.last_mut(),
        };
        use_it(version.ok_or_else(|| Refused::key_not_found(&id.text()))?)
    }

    fn list(&self, vault: &str) -> Vec<Value> {
        let keys = self.keys();
        let newest = keys.live.iter().filter_map(|(name, versions)| Some((name, versions.last()?)));
        newest
            .map(|(name, version)| version.to_item(&format!("{vault}/keys/{name}")).into())
            .collect()
    }

    /// Empty for a key that is not there, as at the service.
    fn list_versions(&self, vault: &str, name: &str) -> Vec<Value> {
        let keys = self.keys();
        let versions = keys.live.get(name).map(Vec::as_slice).unwrap_or_default();
        versions.iter().map(|version| version.to_item(&kid(vault, name, version)).into()).collect()
    }

    fn delete(&self, vault: &str, name: &str) -> Result<Value, Refused> {
        let mut keys = self.keys();
        let versions = keys.live.remove(name).ok_or_else(|| Refused::key_not_found(name))?;
        keys.deleted.insert(name.to_owned(), Deleted { versions, date: now() });
        drop(keys);
        self.deleted(vault, name)
    }

    fn deleted(&self, vault: &str, name: &str) -> Result<Value, Refused> {
        let keys = self.keys();
        let missing = || Refused::deleted_key_not_found(name);
        let key = keys.deleted.get(name).ok_or_else(missing)?;
        let version = key.versions.last().ok_or_else(missing)?;
        let mut value = version.to_json(&kid(vault, name, version));
        value.insert("recoveryId".to_owned(), format!("{vault}/deletedkeys/{name}").into());
        value.insert("deletedDate".to_owned(), key.date.into());
        value.insert("scheduledPurgeDate".to_owned(), purge_date(key.date).into());
        Ok(value.into())
    }
}

fn check_name(name: &str) -> Result<(), Refused> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if name.len() > MAX_NAME_LEN || !name.bytes().all(allowed) {
        return Err(Refused::bad_parameter(format!(
            "The request URI contains an invalid name: {name}"
        )));
    }
    Ok(())
}

fn generate(kind: Kind) -> Result<KeyPair, Refused> {
    KeyPair::generate(kind).map_err(|_| Refused::internal())
}

fn kid(vault: &str, name: &str, version: &Version) -> String {
    format!("{vault}/keys/{name}/{}", version.id)
}

/// The only page of a list.
fn page(items: Vec<Value>) -> Value {
    json!({"value": items, "nextLink": null})
}

fn bundle(vault: &str, name: &str, version: &Version) -> Value {
    version.to_json(&kid(vault, name, version)).into()
}
