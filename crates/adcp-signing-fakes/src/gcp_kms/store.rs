//! Key rings, keys and key versions, and what may be done with them in which state.

use std::{
    collections::BTreeMap,
    io,
    ops::{Deref, DerefMut},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};

use super::{
    algorithm::{Algorithm, VersionKey},
    saved,
    status::{Answer, Status},
};

/// When everything was created: nothing that is tested depends on a clock.
const CREATED: &str = "2026-01-01T00:00:00Z";
/// `CryptoKeyPurpose`.
const ASYMMETRIC_SIGN: (&str, u64) = ("ASYMMETRIC_SIGN", 5);
/// `ProtectionLevel`.
pub(super) const SOFTWARE: (&str, u64) = ("SOFTWARE", 1);
const MAX_ID_LEN: usize = 63;
/// What `roles/cloudkms.signerVerifier` has on a key.
const SIGNER: [&str; 3] = [
    "cloudkms.cryptoKeyVersions.useToSign",
    "cloudkms.cryptoKeyVersions.useToVerify",
    "cloudkms.cryptoKeyVersions.viewPublicKey",
];

/// All that the server holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Store(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    rings: Rings,
    /// Where it is kept over the server's end, if anywhere.
    file: Option<PathBuf>,
}

pub(super) type Rings = BTreeMap<String, BTreeMap<String, Key>>;

#[derive(Debug)]
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) versions: Vec<Version>,
}

#[derive(Debug)]
pub(super) struct Version {
    pub(super) state: State,
    pub(super) pair: Option<Arc<VersionKey>>,
}

/// `CryptoKeyVersionState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    PendingGeneration,
    Enabled,
    Disabled,
    DestroyScheduled,
}

impl State {
    pub(super) const ALL: [Self; 4] =
        [Self::PendingGeneration, Self::Enabled, Self::Disabled, Self::DestroyScheduled];

    pub(super) fn wire(self) -> (&'static str, u64) {
        match self {
            Self::Enabled => ("ENABLED", 1),
            Self::Disabled => ("DISABLED", 2),
            Self::DestroyScheduled => ("DESTROY_SCHEDULED", 4),
            Self::PendingGeneration => ("PENDING_GENERATION", 5),
        }
    }

    fn of_request(value: &Value) -> Option<Self> {
        [Self::Enabled, Self::Disabled].into_iter().find(|state| is(value, state.wire()))
    }
}

/// How enum values are written: `$alt=json;enum-encoding=int` asks for numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Enums {
    Names,
    Numbers,
}

impl Enums {
    pub(super) fn write(self, (name, number): (&str, u64)) -> Value {
        match self {
            Self::Names => name.into(),
            Self::Numbers => number.into(),
        }
    }
}

/// The names of a version, as far as a path gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VersionName {
    pub(super) ring: String,
    pub(super) key: String,
    pub(super) version: usize,
}

impl VersionName {
    pub(super) fn full(&self) -> String {
        format!("{}/cryptoKeys/{}/cryptoKeyVersions/{}", self.ring, self.key, self.version)
    }
}

/// The rings while nobody else has them. Whoever changes them saves them before answering.
struct Locked<'a>(MutexGuard<'a, Held>);

impl Deref for Locked<'_> {
    type Target = Rings;

    fn deref(&self) -> &Rings {
        &self.0.rings
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Rings {
        &mut self.0.rings
    }
}

impl Locked<'_> {
    fn save(self) -> Result<(), Status> {
        match &self.0.file {
            Some(file) => saved::write(file, &self.0.rings).map_err(|_| Status::internal()),
            None => Ok(()),
        }
    }
}

impl Store {
    /// A store that is kept in `file`, where it may be from before.
    pub(super) fn kept_in(file: PathBuf) -> io::Result<Self> {
        let rings = saved::read(&file)?;
        Ok(Self(Arc::new(Mutex::new(Held { rings, file: Some(file) }))))
    }

    fn rings(&self) -> Locked<'_> {
        Locked(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn create_ring(&self, name: &str, id: &str) -> Answer {
        check_id(id)?;
        let mut rings = self.rings();
        if rings.contains_key(name) {
            return Err(Status::already_exists(name));
        }
        rings.insert(name.to_owned(), BTreeMap::new());
        rings.save()?;
        Ok(ring_json(name))
    }

    pub(super) fn ring(&self, name: &str) -> Answer {
        self.rings().get(name).map(|_| ring_json(name)).ok_or_else(|| Status::not_found(name))
    }

    pub(super) fn rings_of(&self, location: &str) -> Value {
        let prefix = format!("{location}/");
        let rings: Vec<Value> = self
            .rings()
            .keys()
            .filter(|name| name.starts_with(&prefix))
            .map(|name| ring_json(name))
            .collect();
        json!({"totalSize": rings.len(), "keyRings": rings})
    }

    /// Makes the key and its first version, unless `without_version`.
    pub(super) fn create_key(
        &self,
        ring: &str,
        id: &str,
        body: &Value,
        without_version: bool,
        enums: Enums,
    ) -> Answer {
        check_id(id)?;
        if !is(&body["purpose"], ASYMMETRIC_SIGN) {
            return Err(Status::invalid_argument(
                "This server makes keys of purpose ASYMMETRIC_SIGN only.",
            ));
        }
        let template = &body["versionTemplate"];
        let algorithm = Algorithm::from_wire(&template["algorithm"])
            .ok_or_else(|| Status::invalid_argument("This server has no such algorithm."))?;
        let level = &template["protectionLevel"];
        if !(level.is_null() || is(level, SOFTWARE) || level.as_u64() == Some(0)) {
            return Err(Status::invalid_argument(
                "This server has the protection level SOFTWARE only.",
            ));
        }
        {
            let mut rings = self.rings();
            let keys = rings.get_mut(ring).ok_or_else(|| Status::not_found(ring))?;
            if keys.contains_key(id) {
                return Err(Status::already_exists(&format!("{ring}/cryptoKeys/{id}")));
            }
            keys.insert(id.to_owned(), Key { algorithm, versions: Vec::new() });
            rings.save()?;
        }
        if !without_version {
            self.create_version(ring, id, enums)?;
        }
        self.key(ring, id, enums)
    }

    pub(super) fn key(&self, ring: &str, id: &str, enums: Enums) -> Answer {
        let rings = self.rings();
        let key = find(&rings, ring, id)?;
        Ok(key_json(&format!("{ring}/cryptoKeys/{id}"), key, enums))
    }

    /// `TestIamPermissions`: those of the permissions asked for that the caller has. On a key that is
    /// not there nobody has any, and that is no error.
    pub(super) fn test_permissions(
        &self,
        ring: &str,
        id: &str,
        is_signer: bool,
        body: &Value,
    ) -> Answer {
        let asked: Vec<&str> = body["permissions"]
            .as_array()
            .and_then(|names| names.iter().map(Value::as_str).collect())
            .ok_or_else(|| Status::invalid_argument("The permissions are no list of names."))?;
        let known = |name: &str| name.starts_with("cloudkms.cryptoKey") && !name.contains('*');
        if !asked.iter().all(|name| known(name)) {
            return Err(Status::invalid_argument("Permission is not valid for this resource."));
        }
        let is_there = find(&self.rings(), ring, id).is_ok();
        let has = |name: &&&str| is_there && (!is_signer || SIGNER.contains(*name));
        let granted: Vec<_> = asked.iter().filter(has).collect();
        // An empty list is left out, as of every protocol buffer.
        Ok(if granted.is_empty() { json!({}) } else { json!({ "permissions": granted }) })
    }

    pub(super) fn keys_of(&self, ring: &str, enums: Enums) -> Answer {
        let rings = self.rings();
        let keys = rings.get(ring).ok_or_else(|| Status::not_found(ring))?;
        let keys: Vec<Value> = keys
            .iter()
            .map(|(id, key)| key_json(&format!("{ring}/cryptoKeys/{id}"), key, enums))
            .collect();
        Ok(json!({"totalSize": keys.len(), "cryptoKeys": keys}))
    }

    /// Makes a version, which is usable once its key is generated, as at the service.
    pub(super) fn create_version(&self, ring: &str, id: &str, enums: Enums) -> Answer {
        let mut rings = self.rings();
        let key = find_mut(&mut rings, ring, id)?;
        key.versions.push(Version { state: State::PendingGeneration, pair: None });
        let name =
            VersionName { ring: ring.to_owned(), key: id.to_owned(), version: key.versions.len() };
        let algorithm = key.algorithm;
        let answer = version_json(&name, algorithm, State::PendingGeneration, enums);
        drop(rings);
        let store = self.clone();
        tokio::task::spawn_blocking(move || store.generate(&name, algorithm));
        Ok(answer)
    }

    fn generate(&self, name: &VersionName, algorithm: Algorithm) {
        let Ok(pair) = VersionKey::generate(algorithm) else { return };
        let _ = self.with_version(name, |_, version| {
            version.pair = Some(Arc::new(pair));
            version.state = State::Enabled;
            Ok(())
        });
        let _ = self.rings().save();
    }

    pub(super) fn version(&self, name: &VersionName, enums: Enums) -> Answer {
        self.with_version(name, |algorithm, version| {
            Ok(version_json(name, algorithm, version.state, enums))
        })
    }

    pub(super) fn versions_of(&self, ring: &str, id: &str, enums: Enums) -> Answer {
        let rings = self.rings();
        let key = find(&rings, ring, id)?;
        let versions: Vec<Value> = (1..)
            .zip(&key.versions)
            .map(|(number, version)| {
                let name =
                    VersionName { ring: ring.to_owned(), key: id.to_owned(), version: number };
                version_json(&name, key.algorithm, version.state, enums)
            })
            .collect();
        Ok(json!({"totalSize": versions.len(), "cryptoKeyVersions": versions}))
    }

    /// Enables or disables a version.
    pub(super) fn update_state(&self, name: &VersionName, body: &Value, enums: Enums) -> Answer {
        let wanted = State::of_request(&body["state"]).ok_or_else(|| {
            Status::invalid_argument("The state can be set to ENABLED or DISABLED.")
        })?;
        self.transition(name, &[State::Enabled, State::Disabled], wanted, enums)
    }

    pub(super) fn destroy(&self, name: &VersionName, enums: Enums) -> Answer {
        self.transition(name, &[State::Enabled, State::Disabled], State::DestroyScheduled, enums)
    }

    pub(super) fn restore(&self, name: &VersionName, enums: Enums) -> Answer {
        self.transition(name, &[State::DestroyScheduled], State::Disabled, enums)
    }

    fn transition(&self, name: &VersionName, from: &[State], to: State, enums: Enums) -> Answer {
        let answer = self.with_version(name, |algorithm, version| {
            if !from.contains(&version.state) {
                return Err(not_in_state(name, version.state));
            }
            version.state = to;
            Ok(version_json(name, algorithm, to, enums))
        })?;
        self.rings().save()?;
        Ok(answer)
    }

    /// The key pair of a version that may be used.
    pub(super) fn enabled(
        &self,
        name: &VersionName,
    ) -> Result<(Algorithm, Arc<VersionKey>), Status> {
        self.with_version(name, |algorithm, version| match (&version.pair, version.state) {
            (Some(pair), State::Enabled) => Ok((algorithm, Arc::clone(pair))),
            (_, state) => Err(not_in_state(name, state)),
        })
    }

    fn with_version<T>(
        &self,
        name: &VersionName,
        use_it: impl FnOnce(Algorithm, &mut Version) -> Result<T, Status>,
    ) -> Result<T, Status> {
        let mut rings = self.rings();
        let missing = || Status::not_found(&name.full());
        let key = rings
            .get_mut(&name.ring)
            .and_then(|keys| keys.get_mut(&name.key))
            .ok_or_else(missing)?;
        let algorithm = key.algorithm;
        let version = name
            .version
            .checked_sub(1)
            .and_then(|at| key.versions.get_mut(at))
            .ok_or_else(missing)?;
        use_it(algorithm, version)
    }
}

fn find<'a>(rings: &'a Rings, ring: &str, id: &str) -> Result<&'a Key, Status> {
    let key = rings.get(ring).and_then(|keys| keys.get(id));
    key.ok_or_else(|| Status::not_found(&format!("{ring}/cryptoKeys/{id}")))
}

fn find_mut<'a>(rings: &'a mut Rings, ring: &str, id: &str) -> Result<&'a mut Key, Status> {
    let key = rings.get_mut(ring).and_then(|keys| keys.get_mut(id));
    key.ok_or_else(|| Status::not_found(&format!("{ring}/cryptoKeys/{id}")))
}

fn check_id(id: &str) -> Result<(), Status> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !id.is_empty() && id.len() <= MAX_ID_LEN && id.bytes().all(allowed) {
        return Ok(());
    }
    Err(Status::invalid_argument("An ID is of 1 to 63 letters, digits, `-` and `_`."))
}

fn is(value: &Value, (name, number): (&str, u64)) -> bool {
    value.as_str() == Some(name) || value.as_u64() == Some(number)
}

fn not_in_state(name: &VersionName, state: State) -> Status {
    let (full, (state, _)) = (name.full(), state.wire());
    Status::failed_precondition(
        &format!("KEY_{state}"),
        &full,
        format!("{full} is not enabled, current state is: {state}."),
    )
}

fn ring_json(name: &str) -> Value {
    json!({"name": name, "createTime": CREATED})
}

fn key_json(name: &str, key: &Key, enums: Enums) -> Value {
    json!({
        "name": name,
        "purpose": enums.write(ASYMMETRIC_SIGN),
        "createTime": CREATED,
        "versionTemplate": {
            "protectionLevel": enums.write(SOFTWARE),
            "algorithm": enums.write(key.algorithm.wire()),
        },
        "destroyScheduledDuration": "2592000s",
    })
}

fn version_json(name: &VersionName, algorithm: Algorithm, state: State, enums: Enums) -> Value {
    json!({
        "name": name.full(),
        "state": enums.write(state.wire()),
        "protectionLevel": enums.write(SOFTWARE),
        "algorithm": enums.write(algorithm.wire()),
        "createTime": CREATED,
    })
}
